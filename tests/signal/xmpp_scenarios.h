/* xmpp_scenarios.h - what every XMPP server is tried with: one list, run against each. */
#ifndef TESTS_SIGNAL_XMPP_SCENARIOS_H
#define TESTS_SIGNAL_XMPP_SCENARIOS_H

/* Starts the server, runs all, ends it; what main returns. */
int xmpp_scenarios_run(const char *kind);

#endif
