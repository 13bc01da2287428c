/* usrsctp_flow.h - one transfer by usrsctp over the links of sim/, in virtual time.
 * Shape    usrsctp_flow_run makes two sockets, lets one send without end, and measures as sim_flows_run does. usrsctp asks
 *          gettimeofday for the time: this program answers with its own.
 * Units    microseconds, bits per second. */
#ifndef BENCH_SCTP_LINKS_USRSCTP_FLOW_H
#define BENCH_SCTP_LINKS_USRSCTP_FLOW_H

#include "sim/sctp_flows.h"

/* Of the conf: rate, rtt, queue, loss, from, for and seed. Returns the utilisation of the link; negative when usrsctp
 * crashed. */
double usrsctp_flow_run(const sim_flows_conf *conf);

#endif
