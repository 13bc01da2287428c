/* peer_connection.h - the W3C's RTCPeerConnection in C.
 * Source   W3C "WebRTC: Real-Time Communication in Browsers", names in snake case; RFC 9429 (JSEP).
 *
 * Threads  A factory runs a network thread, which owns every connection, and a signaling thread, on which
 *          every callback comes, in order, never while a lock is held. Every function may be called from any
 *          thread, callbacks included: the call is carried to the network thread and its result returned.
 *          With `pl_factory_conf.loop` there are no threads: the application runs the loop, makes every call
 *          on its thread, and callbacks come from inside pl_loop_run_once().
 * Owners   Handles are freed with their own free function. Strings given out (`char **`) are freed with
 *          pl_free(). What a callback receives is lent for the call unless it says otherwise. */
#ifndef PEERLINE_PEER_CONNECTION_H
#define PEERLINE_PEER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/data_channel.h"
#include "peerline/error.h"
#include "peerline/export.h"
#include "peerline/rtp.h"
#include "peerline/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pl_factory pl_factory;
typedef struct pl_peer_connection pl_peer_connection;
struct pl_loop;

/* Frees what the library allocated for the caller: SDP texts, statistics as JSON. NULL is fine. */
PL_API void pl_free(void *p);

/* --- factory ------------------------------------------------------------------------------------------- */

typedef enum pl_ice_tcp_use {
    PL_ICE_TCP_USE_ACTIVE, /* connect to peers that listen, as browsers do */
    PL_ICE_TCP_USE_BOTH,   /* and listen ourselves */
    PL_ICE_TCP_USE_NEVER   /* between us and the peer; relays are still reached by TCP and TLS */
} pl_ice_tcp_use;

/* What is done without, for pl_factory_conf.ice_without. Types are about our own candidates. */
enum {
    PL_WITHOUT_HOST = 1,
    PL_WITHOUT_SRFLX = 2,
    PL_WITHOUT_RELAY = 4,
    PL_WITHOUT_IP4 = 8,
    PL_WITHOUT_IP6 = 16,
    PL_WITHOUT_UDP = 32, /* between us and the peer, relays included */
    PL_WITHOUT_TCP = 64
};

typedef struct pl_factory_conf {
    struct pl_loop *loop; /* the application's own loop (peerline/loop.h), lent for the factory's life; NULL:
                           * the factory starts its network and signaling threads */

    /* Which addresses are used. Loopback: by default only when the machine has no other address. */
    bool no_loopback;            /* never 127.0.0.1 and ::1 */
    bool loopback;               /* those beside the others (tests) */
    const char *bind_address;    /* this one IP address only; NULL: every interface */
    uint16_t port_min, port_max; /* range of local ports; 0 0: any */
    bool no_ipv6;                /* IPv4 alone */
    const char *interfaces;      /* "eth0,wlan0": only these; "!docker0,!tun*": not these; NULL: all */

    /* One UDP port of every address for all connections, which are told apart by their ICE names, then by the
     * peers' addresses (servers, firewalls). Relays are then reached by TCP and TLS alone. 0: ports of their own */
    uint16_t udp_port;
    bool ice_lite;  /* a server with a public address: checks are answered, none are sent */
    bool mdns_hide; /* host candidates show a .local name that this host answers for, not the address */
    bool no_continual_gathering; /* interfaces that come or go during a call are not noticed */
    pl_ice_tcp_use ice_tcp;      /* TCP between us and the peer */
    unsigned ice_without;        /* PL_WITHOUT_... */
    const char *ca_file;         /* PEM: whom TLS to TURN servers trusts; NULL: what the system trusts */
} pl_factory_conf;

/* Makes a factory: threads, one ECDSA P-256 certificate and one TLS context shared by all its connections.
 * conf: NULL for the defaults; its texts are copied. Errors: PL_EINVAL (an address, a range of ports, a list of
 * interfaces, ca_file), PL_ENOMEM, PL_EIO (no thread, no loop). */
PL_NODISCARD PL_API pl_err pl_factory_new(pl_factory **out, const pl_factory_conf *conf);
/* Ends the threads. Every connection must have been freed. Not from inside a callback. NULL is fine. */
PL_API void pl_factory_free(pl_factory *factory);

/* --- configuration (W3C RTCConfiguration) --------------------------------------------------------------- */

/* url: "stun:host[:port]", "stuns:…" (RFC 7064; DTLS), "turn:host[:port][?transport=udp|tcp]", "turns:…" (RFC 7065; TLS,
 * with udp DTLS). Without a transport turn: is tried over UDP, then TCP. "turn:USER:PASSWORD@host" is read, too. */
typedef struct pl_ice_server {
    const char *url;
    const char *username, *credential; /* of turn: and turns:; NULL: those of the URL */
} pl_ice_server;

typedef enum pl_ice_transport_policy { PL_ICE_TRANSPORT_ALL, PL_ICE_TRANSPORT_RELAY } pl_ice_transport_policy;
typedef enum pl_dtls_setup { PL_SETUP_ACTPASS, PL_SETUP_ACTIVE, PL_SETUP_PASSIVE } pl_dtls_setup;

#define PL_MESSAGE_SIZE_ANY UINT64_MAX

/* How fast channels send. Whatever it is, a transfer beside a call gives way to it, and while only channels of a priority
 * below normal have something to send they yield, as LEDBAT does. docs/performance.md compares them. */
typedef enum pl_data_congestion {
    PL_DATA_CONGESTION_DEFAULT,   /* CUBIC_BDP */
    PL_DATA_CONGESTION_RENO,      /* that of SCTP itself (RFC 9260) */
    PL_DATA_CONGESTION_CUBIC,     /* RFC 9438 */
    PL_DATA_CONGESTION_CUBIC_BDP, /* CUBIC that losses without a queue do not slow down */
    PL_DATA_CONGESTION_BBR,       /* by a model of the path: a short queue */
    PL_DATA_CONGESTION_LEDBAT     /* yields to everybody else */
} pl_data_congestion;

typedef struct pl_configuration {
    const pl_ice_server *ice_servers; /* copied */
    size_t n_ice_servers;             /* at most 8 */
    pl_ice_transport_policy ice_transport_policy;
    pl_dtls_setup
        dtls_setup; /* what our offers say (RFC 8842). ACTIVE and PASSIVE also choose our role in answers */
    size_t data_send_buffer; /* bytes all channels may hold unsent before a send is refused; 0: 16 MiB */
    int64_t max_bitrate_bps; /* upper limit of what all media senders produce; 0: 5 Mbit/s */
    /* Bytes of the longest message that the peer may send us, as our descriptions announce it: 0: 256 KiB, as
     * browsers do, for whoever takes whole messages must be able to hold them; at most 16 MiB, or
     * PL_MESSAGE_SIZE_ANY. That is for channels with on_piece: a channel without it is closed
     * by a message above 16 MiB. */
    uint64_t max_message_size;
    pl_data_congestion data_congestion; /* PL_DATA_CONGESTION_DEFAULT */
    /* An ASCII letter that the mids of sections begin with which our offers add; 0: none, as browsers do. For ways on which
     * both sides may add some at one time, as Jingle is: the sessions of peerline/session.h see to it themselves. */
    char mid_prefix;
} pl_configuration;

typedef enum pl_signaling_state {
    PL_SIGNALING_STABLE,
    PL_SIGNALING_HAVE_LOCAL_OFFER,
    PL_SIGNALING_HAVE_REMOTE_OFFER,
    PL_SIGNALING_HAVE_LOCAL_PRANSWER,
    PL_SIGNALING_HAVE_REMOTE_PRANSWER,
    PL_SIGNALING_CLOSED
} pl_signaling_state;
typedef enum pl_ice_gathering_state {
    PL_ICE_GATHERING_NEW,
    PL_ICE_GATHERING_GATHERING,
    PL_ICE_GATHERING_COMPLETE
} pl_ice_gathering_state;
typedef enum pl_ice_connection_state {
    PL_ICE_CONNECTION_NEW,
    PL_ICE_CONNECTION_CHECKING,
    PL_ICE_CONNECTION_CONNECTED,
    PL_ICE_CONNECTION_COMPLETED,
    PL_ICE_CONNECTION_DISCONNECTED,
    PL_ICE_CONNECTION_FAILED,
    PL_ICE_CONNECTION_CLOSED
} pl_ice_connection_state;
typedef enum pl_peer_connection_state {
    PL_CONNECTION_NEW,
    PL_CONNECTION_CONNECTING,
    PL_CONNECTION_CONNECTED,
    PL_CONNECTION_DISCONNECTED,
    PL_CONNECTION_FAILED,
    PL_CONNECTION_CLOSED
} pl_peer_connection_state;
typedef enum pl_sdp_type { PL_SDP_OFFER, PL_SDP_PRANSWER, PL_SDP_ANSWER, PL_SDP_ROLLBACK } pl_sdp_type;

/* The W3C's words ("have-local-offer", "connected" …); constant strings. */
PL_API const char *pl_signaling_state_str(pl_signaling_state state);
PL_API const char *pl_ice_gathering_state_str(pl_ice_gathering_state state);
PL_API const char *pl_ice_connection_state_str(pl_ice_connection_state state);
PL_API const char *pl_peer_connection_state_str(pl_peer_connection_state state);
PL_API const char *pl_sdp_type_str(pl_sdp_type type);

/* W3C RTCIceCandidateInit. */
typedef struct pl_ice_candidate {
    const char *candidate;         /* "candidate:…" (RFC 8839), or "" for the end of candidates */
    const char *sdp_mid;           /* or NULL */
    int sdp_mline_index;           /* or -1 */
    const char *username_fragment; /* or NULL */
} pl_ice_candidate;

/* W3C RTCPeerConnectionIceErrorEvent: a STUN or TURN server gave no candidate. */
typedef struct pl_ice_candidate_error {
    const char *address; /* ours that asked, "" when none did */
    uint16_t port;
    const char *url;
    int error_code; /* of STUN (401: credentials, 486: quota …), or 701: no answer, no connection, no address */
    const char *error_text; /* a sentence */
} pl_ice_candidate_error;

/* Every callback may be NULL. `user` is handed through. */
typedef struct pl_peer_connection_observer {
    void *user;
    void (*on_negotiation_needed)(void *user);
    void (*on_signaling_state)(void *user, pl_signaling_state state);
    void (*on_ice_gathering_state)(void *user, pl_ice_gathering_state state);
    /* candidate "" ends them. */
    void (*on_ice_candidate)(void *user, const pl_ice_candidate *candidate);
    void (*on_ice_candidate_error)(void *user, const pl_ice_candidate_error *error);
    void (*on_ice_connection_state)(void *user, pl_ice_connection_state state);
    /* reason: a sentence when the state is failed, and when it is disconnected because the peer closed the
     * connection (it will not come back); else "". */
    void (*on_connection_state)(void *user, pl_peer_connection_state state, const char *reason);
    /* A channel that the peer opened. The handle belongs to the application from now on: set an observer
     * on it before returning so that no message is missed, and free it with pl_data_channel_free. */
    void (*on_data_channel)(void *user, pl_data_channel *channel);
    /* The peer sends media on this transceiver (direction became sendrecv or recvonly for us). The handle
     * lives as long as the connection. */
    void (*on_track)(void *user, pl_rtp_transceiver *transceiver);
} pl_peer_connection_observer;

/* --- connection ----------------------------------------------------------------------------------------- */

/* Makes a connection. conf NULL: the defaults. observer is copied.
 * Errors: PL_EINVAL (a server's URL that does not parse, TURN without credentials, more than 8 servers), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_peer_connection_new(pl_peer_connection **out, pl_factory *factory,
                                                  const pl_configuration *conf,
                                                  const pl_peer_connection_observer *observer);
/* W3C close(): the peer is told (DTLS close_notify, RTCP BYE), sockets close, no further callback but those
 * already on their way. The handle stays valid until pl_peer_connection_free. */
PL_API void pl_peer_connection_close(pl_peer_connection *pc);
/* Closes and frees. After it returns no callback of this connection runs; from inside one of its own
 * callbacks it is allowed, and that callback is the last. Channel handles must be freed on their own.
 * NULL is fine. */
PL_API void pl_peer_connection_free(pl_peer_connection *pc);

/* Servers that became known after the connection was made, as by WHIP's answers: asked at once when gathering has begun, else
 * with it. What they give is told by on_ice_candidate. Texts are copied.
 * Errors: PL_ESTATE (closed, or it has servers already), PL_EINVAL (as pl_peer_connection_new), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_peer_connection_add_ice_servers(pl_peer_connection *pc,
                                                              const pl_ice_server *servers, size_t n);

typedef struct pl_offer_options {
    bool ice_restart;
} pl_offer_options;

/* createOffer, createAnswer: *sdp is a new text, freed with pl_free. options may be NULL.
 * Errors: PL_ESTATE (closed; createAnswer without a remote offer), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_peer_connection_create_offer(pl_peer_connection *pc,
                                                           const pl_offer_options *options, char **sdp);
PL_NODISCARD PL_API pl_err pl_peer_connection_create_answer(pl_peer_connection *pc, char **sdp);
/* setLocalDescription. sdp NULL: the implicit form, which makes the offer or answer that the state asks for
 * (type is then ignored unless it is PL_SDP_ROLLBACK). Starts gathering.
 * Errors: PL_ESTATE, PL_EPROTO (not what create_offer or create_answer made), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_peer_connection_set_local_description(pl_peer_connection *pc, pl_sdp_type type,
                                                                    const char *sdp);
/* setRemoteDescription. A remote offer in have-local-offer rolls our offer back first (perfect negotiation's
 * polite peer; an impolite one does not call this).
 * Errors: PL_EPROTO (does not parse or breaks JSEP: pl_peer_connection_error_text says what), PL_ESTATE. */
PL_NODISCARD PL_API pl_err pl_peer_connection_set_remote_description(pl_peer_connection *pc, pl_sdp_type type,
                                                                     const char *sdp);
/* What the last call that failed on this connection had to say: copied into out, always zero-terminated. */
PL_API void pl_peer_connection_error_text(pl_peer_connection *pc, char *out, size_t cap);
/* The local or remote description now: pending if there is one, else current; with the candidates known so
 * far. *sdp is NULL when there is none. */
PL_NODISCARD PL_API pl_err pl_peer_connection_local_description(pl_peer_connection *pc, pl_sdp_type *type,
                                                                char **sdp);
PL_NODISCARD PL_API pl_err pl_peer_connection_remote_description(pl_peer_connection *pc, pl_sdp_type *type,
                                                                 char **sdp);
/* addIceCandidate. Errors: PL_EPROTO (not a candidate, unknown mid), PL_ESTATE (no remote description). A
 * candidate of another generation (username_fragment differs) is refused with PL_EPROTO. */
PL_NODISCARD PL_API pl_err pl_peer_connection_add_ice_candidate(pl_peer_connection *pc,
                                                                const pl_ice_candidate *candidate);
/* restartIce(): the next offer has new ICE credentials; on_negotiation_needed follows. */
PL_API void pl_peer_connection_restart_ice(pl_peer_connection *pc);

PL_API pl_signaling_state pl_peer_connection_get_signaling_state(pl_peer_connection *pc);
PL_API pl_ice_gathering_state pl_peer_connection_get_ice_gathering_state(pl_peer_connection *pc);
PL_API pl_ice_connection_state pl_peer_connection_get_ice_connection_state(pl_peer_connection *pc);
PL_API pl_peer_connection_state pl_peer_connection_get_connection_state(pl_peer_connection *pc);

/* createDataChannel: *out is a handle that the application frees. init NULL: reliable, ordered, in-band.
 * Errors: PL_EINVAL (label or protocol over 65,535 bytes or not UTF-8, both max_* set, id 65,535), PL_ESTATE
 * (closed), PL_ENOSPC (no id left), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_peer_connection_create_data_channel(pl_peer_connection *pc, const char *label,
                                                                  const pl_data_channel_init *init,
                                                                  const pl_data_channel_observer *observer,
                                                                  pl_data_channel **out);

/* addTransceiver. The handle lives as long as the connection. init NULL: sendrecv, no stream.
 * Errors: PL_ESTATE, PL_ENOSPC (PL_TRANSCEIVERS_MAX), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_peer_connection_add_transceiver(pl_peer_connection *pc, pl_media_type kind,
                                                              const pl_transceiver_init *init,
                                                              pl_rtp_transceiver **out);
/* addTrack: as addTransceiver, but takes a transceiver of the kind that has never sent, if there is one, and
 * may itself be taken by a section of the peer's offer (RFC 9429 5.10): what an answerer uses before the
 * offer comes. init->direction is ignored: it becomes sendrecv. Same errors. */
PL_NODISCARD PL_API pl_err pl_peer_connection_add_track(pl_peer_connection *pc, pl_media_type kind,
                                                        const pl_transceiver_init *init,
                                                        pl_rtp_transceiver **out);
/* getTransceivers: fills up to cap handles, returns how many there are. */
PL_API size_t pl_peer_connection_get_transceivers(pl_peer_connection *pc, pl_rtp_transceiver **out,
                                                  size_t cap);

/* getStats: a snapshot, freed with pl_stats_report_free. */
PL_NODISCARD PL_API pl_err pl_peer_connection_get_stats(pl_peer_connection *pc, pl_stats_report **out);

/* When the phases of setting up ended, in microseconds since the connection was made; -1: not yet. */
typedef struct pl_setup_times {
    int64_t gathering_complete_us, ice_connected_us, dtls_connected_us, channel_open_us;
    int64_t first_audio_us, first_video_us; /* first decoded audio and key frame */
} pl_setup_times;
PL_API void pl_peer_connection_get_setup_times(pl_peer_connection *pc, pl_setup_times *out);

#ifdef __cplusplus
}
#endif
#endif
