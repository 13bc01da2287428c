/* drops.h - datagrams that the kernel dropped because a socket's receive buffer was full: lost by nobody's fault
 * but the machine's, so they are counted apart.
 * Source   /proc/net/udp, of the sockets that a process has open.
 * Shape    one call; 0 where nothing can be read. Thread: any. */
#ifndef BENCH_RELAY_DROPS_H
#define BENCH_RELAY_DROPS_H

#include <stdint.h>
#include <sys/types.h>

/* Dropped so far at the UDP sockets that these processes have open now. */
uint64_t load_drops(const pid_t *pid, int n_pids);

#endif
