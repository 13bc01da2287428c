/* ice_options.h - the options about paths that `peer` and `call` have in common: servers, relays, TCP, what is told and
 * what is not. One struct, the rows of the options table for it, and what the library wants instead.
 * Shape    plain data, lives as long as the texts of the command line. */
#ifndef PL_CLI_ICE_OPTIONS_H
#define PL_CLI_ICE_OPTIONS_H

#include "cli/options.h"
#include "peerline/peer_connection.h"

typedef struct pl_ice_options {
    pl_opt_list servers;
    const char *policy, *interfaces, *ca_file, *ports;
    int64_t udp_port;
    bool no_tcp, listen_tcp, hide, no_continual;
    pl_ice_server server[PL_OPT_LIST_MAX]; /* what pl_ice_options_connection refers to */
} pl_ice_options;

/* Rows for a table of options; o: a static pl_ice_options. PATHS: without --ca-file, for who has one already. */
#define PL_ICE_PATHS(o)                                                                                      \
    { "ice-server",                                                                                          \
      PL_OPT_LIST,                                                                                           \
      &(o).servers,                                                                                          \
      "URI",                                                                                                 \
      "A STUN or TURN server: stun:HOST[:PORT], turn:USER:PASSWORD@HOST[:PORT][?transport=udp|tcp] or "      \
      "turns:USER:PASSWORD@HOST[:PORT]. Without a transport turn: is tried over UDP, then TCP. May be "      \
      "repeated.",                                                                                           \
      0,                                                                                                     \
      0 },                                                                                                   \
        { "ice-transport-policy",                                                                            \
          PL_OPT_CHOICE,                                                                                     \
          &(o).policy,                                                                                       \
          "all|relay",                                                                                       \
          "Which candidates to use: all (the default), or relays alone.",                                    \
          0,                                                                                                 \
          0 },                                                                                               \
        { "no-tcp",                                                                                          \
          PL_OPT_FLAG,                                                                                       \
          &(o).no_tcp,                                                                                       \
          NULL,                                                                                              \
          "No TCP to the peer. By default we connect to peers that listen.",                                 \
          0,                                                                                                 \
          0 },                                                                                               \
        { "listen-tcp", PL_OPT_FLAG, &(o).listen_tcp, NULL, "Let the peer connect by TCP, too.", 0, 0 },     \
        { "hide-addresses",                                                                                  \
          PL_OPT_FLAG,                                                                                       \
          &(o).hide,                                                                                         \
          NULL,                                                                                              \
          "Tell .local names (mDNS) in place of this machine's addresses.",                                  \
          0,                                                                                                 \
          0 },                                                                                               \
        { "interfaces",                                                                                      \
          PL_OPT_TEXT,                                                                                       \
          &(o).interfaces,                                                                                   \
          "LIST",                                                                                            \
          "Use only these (eth0,wlan0), or not these (!docker0,!tun*).",                                     \
          0,                                                                                                 \
          0 },                                                                                               \
        { "ports", PL_OPT_TEXT, &(o).ports, "LO-HI", "Range of local ports. Default: any.", 0, 0 },          \
        { "udp-port",                                                                                        \
          PL_OPT_INT,                                                                                        \
          &(o).udp_port,                                                                                     \
          "PORT",                                                                                            \
          "Use this one UDP port for everything; relays are then reached by TCP and TLS. Default: any.",     \
          0,                                                                                                 \
          65535 },                                                                                           \
    {                                                                                                        \
        "no-continual-gathering", PL_OPT_FLAG, &(o).no_continual, NULL,                                      \
            "Do not follow changes of the network during the call.", 0, 0                                    \
    }

#define PL_ICE_OPTIONS(o)                                                                                    \
    PL_ICE_PATHS(o),                                                                                         \
    {                                                                                                        \
        "ca-file", PL_OPT_TEXT, &(o).ca_file, "FILE",                                                        \
            "PEM certificates that TLS to a TURN server trusts. Default: the system's.", 0, 0                \
    }

/* Fill in what the options say. False after a complaint in cmd's name: the options make no sense. */
bool pl_ice_options_factory(const pl_ice_options *o, const pl_command *cmd, pl_factory_conf *out);
bool pl_ice_options_connection(pl_ice_options *o, const pl_command *cmd, pl_configuration *out);

#endif
