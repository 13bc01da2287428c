/* pc.h - one peer connection as a sans-I/O core: JSEP, ICE, DTLS, SRTP, SCTP, RTP joined.
 * Source   W3C webrtc-pc, RFC 9429, RFC 8834, RFC 8835, RFC 7983.
 * Shape    the eight verbs. Datagrams, calls and the time come in; datagrams, events and the next deadline
 *          come out. One transport: every section is bundled onto it (RFC 9143, "max-bundle").
 *          After any input, call or tick: drain pl_pc_poll_output, then pl_pc_poll_event, then set the timer.
 * Media    engines meet the core at rings of pl_media_msg (pl_pc_attach_media): received payloads are copied
 *          once, from the decrypted packet into a slot of the ring.
 * Units    microseconds of one monotonic clock.
 * Errors   the peer's are counters and rate-limited lines; a caller's are returned, with pl_pc_error_text.
 * Thread   belongs to one loop. */
#ifndef PL_PC_PC_H
#define PL_PC_PC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rand.h"
#include "base/ring.h"
#include "base/time.h"
#include "data/channels.h"
#include "dtls/session.h"
#include "ice/agent.h"
#include "peerline/peer_connection.h"
#include "rtp/media_packet.h"

enum {
    PL_PC_DGRAM_MIN = 2048, /* pl_dgram.cap at least; up to 64 KiB are used for batches */
    PL_PC_MID_MAX = 16,
    PL_PC_MESSAGE_MAX = 16 << 20, /* the longest message that is put together */
    PL_PC_ERROR_MAX = 192
};

typedef struct pl_pc pl_pc;

typedef struct pl_pc_conf {
    pl_dtls_ctx *dtls_ctx; /* referenced; its certificate is ours */
    pl_rand rand;
    uint32_t log_id;
    pl_dtls_setup setup;
    size_t data_send_buffer; /* 0: PL_DATA_SEND_MAX */
    pl_sctp_congestion data_congestion;
    /* Bytes of the longest message we take. 0: 256 KiB; at most PL_PC_MESSAGE_MAX, or UINT64_MAX: any, in pieces. */
    uint64_t max_message_size;
    int64_t max_bitrate_bps; /* 0: 5 Mbit/s */
    int64_t wall_offset_us;  /* Unix time minus this clock, for NTP */
    bool relay_only;
    bool ice_lite;        /* checks are answered, none are sent */
    uint32_t ice_without; /* PL_ICE_NO_... */
    char mid_prefix;      /* as pl_configuration's */
} pl_pc_conf;

PL_NODISCARD pl_err pl_pc_new(pl_pc **out, const pl_pc_conf *conf, int64_t now_us);
/* pkt may be changed in place (decryption). path->local is a base that was added. */
void pl_pc_input(pl_pc *pc, int64_t now_us, const pl_path *path, uint8_t *pkt, size_t len);
void pl_pc_tick(pl_pc *pc, int64_t now_us);
int64_t pl_pc_next_us(const pl_pc *pc);
/* Fills out->data with the next datagram, or with several of one size for one path (out->segment). */
bool pl_pc_poll_output(pl_pc *pc, int64_t now_us, pl_dgram *out);

typedef enum pl_pc_event_kind {
    PL_PC_EV_NEGOTIATION_NEEDED,
    PL_PC_EV_SIGNALING,  /* u.signaling */
    PL_PC_EV_GATHERING,  /* u.gathering */
    PL_PC_EV_CANDIDATE,  /* u.candidate: a line to signal, "" for the end */
    PL_PC_EV_ICE,        /* u.ice */
    PL_PC_EV_CONNECTION, /* u.connection; text is the reason of a failure */
    PL_PC_EV_TRACK,      /* u.transceiver: the peer began to send on it */
    PL_PC_EV_RESOLVE,    /* u.name: answer with pl_pc_resolved */
    PL_PC_EV_CONNECT,    /* u.connect: open it, then pl_ice_stream_up or _down and pl_pc_ice_changed */
    PL_PC_EV_DISCONNECT, /* u.stream: close that connection */
    PL_PC_EV_SERVER,     /* u.server: a STUN or TURN server gave us nothing */
    PL_PC_EV_DATA        /* u.data: as data/channels.h says; the taker clears it */
} pl_pc_event_kind;

typedef struct pl_pc_event {
    pl_pc_event_kind kind;
    const char *text; /* CONNECTION: why it failed, lent until the connection is freed; else "" */
    union {
        pl_signaling_state signaling;
        pl_ice_gathering_state gathering;
        pl_ice_connection_state ice;
        pl_peer_connection_state connection;
        int transceiver;
        char name[PL_ICE_NAME_MAX + 1];
        pl_ice_connect connect;
        uint32_t stream;
        pl_ice_server_trouble server;
        pl_data_event data;
        struct {
            char line[PL_ICE_CAND_TEXT_MAX];
            char mid[PL_PC_MID_MAX + 1];
            char ufrag[PL_ICE_UFRAG_MAX + 1];
        } candidate; /* always of the first section: all are bundled */
    } u;
} pl_pc_event;
bool pl_pc_poll_event(pl_pc *pc, pl_pc_event *out);
/* Of the data polled, so many bytes wait still for the application: the peer's window counts them. */
void pl_pc_set_held(pl_pc *pc, int64_t now_us, size_t bytes);
void pl_pc_check(const pl_pc *pc);
/* BYE, SCTP ABORT and close_notify go into the output; afterwards every call gives PL_ESTATE. */
void pl_pc_close(pl_pc *pc, int64_t now_us);
void pl_pc_free(pl_pc *pc); /* NULL is fine */

/* ---- the driver's side ---- */
/* True once local descriptions ask for candidates: open sockets, add bases, then bases_done. */
bool pl_pc_wants_gathering(const pl_pc *pc);
pl_ice *pl_pc_ice(pl_pc *pc); /* for bases, servers and statistics; lent */
/* Tell after changes made through pl_pc_ice (bases, servers, done). */
void pl_pc_ice_changed(pl_pc *pc, int64_t now_us);
void pl_pc_resolved(pl_pc *pc, int64_t now_us, const char *name, const pl_addr *addr);

/* ---- negotiation: as peerline/peer_connection.h says ---- */
PL_NODISCARD pl_err pl_pc_create_offer(pl_pc *pc, int64_t now_us, bool ice_restart, char **sdp);
PL_NODISCARD pl_err pl_pc_create_answer(pl_pc *pc, int64_t now_us, char **sdp);
PL_NODISCARD pl_err pl_pc_set_local(pl_pc *pc, int64_t now_us, pl_sdp_type type, const char *sdp);
PL_NODISCARD pl_err pl_pc_set_remote(pl_pc *pc, int64_t now_us, pl_sdp_type type, const char *sdp);
PL_NODISCARD pl_err pl_pc_local_description(pl_pc *pc, pl_sdp_type *type, char **sdp);
PL_NODISCARD pl_err pl_pc_remote_description(pl_pc *pc, pl_sdp_type *type, char **sdp);
PL_NODISCARD pl_err pl_pc_add_candidate(pl_pc *pc, int64_t now_us, const pl_ice_candidate *c);
void pl_pc_restart_ice(pl_pc *pc, int64_t now_us);
const char *pl_pc_error_text(const pl_pc *pc);
pl_signaling_state pl_pc_signaling(const pl_pc *pc);
pl_ice_gathering_state pl_pc_gathering(const pl_pc *pc);
pl_ice_connection_state pl_pc_ice_state(const pl_pc *pc);
pl_peer_connection_state pl_pc_connection(const pl_pc *pc);

/* ---- transceivers, by index 0..n-1 in order of creation ---- */
PL_NODISCARD pl_err pl_pc_add_transceiver(pl_pc *pc, int64_t now_us, pl_media_type kind, bool add_track,
                                          const pl_transceiver_init *init, int *index);
int pl_pc_n_transceivers(const pl_pc *pc);
PL_NODISCARD pl_err pl_pc_set_direction(pl_pc *pc, int64_t now_us, int index, pl_direction d);
PL_NODISCARD pl_err pl_pc_stop_transceiver(pl_pc *pc, int64_t now_us, int index);

/* What an engine must know of a transceiver; changes with negotiation (pl_pc_media_version counts up). */
typedef struct pl_pc_media_info {
    pl_media_type kind;
    pl_direction direction, current_direction;
    char mid[PL_PC_MID_MAX + 1];
    bool sending, receiving; /* negotiated, and the transport is up */
    uint8_t send_pt;         /* payload type to send with */
    char send_codec[16];     /* its name, "" when nothing is agreed */
    uint32_t send_clock_hz;
    uint8_t send_channels;
    uint8_t n_recv; /* what may come, by payload type */
    struct {
        uint8_t pt;
        char name[16];
        uint32_t clock_hz;
        uint8_t channels;
    } recv[8];
} pl_pc_media_info;
void pl_pc_media_info_get(const pl_pc *pc, int index, pl_pc_media_info *out);
/* What the peer says of the track it sends on one, as pl_jsep_remote_streams; lent until the next call that negotiates. */
size_t pl_pc_remote_streams(const pl_pc *pc, int index, const char **stream_ids, size_t max,
                            const char **track_id);
uint32_t pl_pc_media_version(const pl_pc *pc);
/* The four rings of pl_media_msg between a connection and the two engines of a transceiver; any may be NULL.
 * Sender and receiver are engines of their own (threads of their own, with video), so each has its pair. */
typedef struct pl_pc_rings {
    pl_ring *recv_in;  /* to the receiving engine: PACKET, RTT */
    pl_ring *recv_out; /* from it: WANT_KEY, STATS */
    pl_ring *send_in;  /* to the sending engine: BITRATE, WANT_KEY, LOSS */
    pl_ring *send_out; /* from it: PACKET, FORWARD, STATS */
    bool empties; /* recv_in also gets packets without payload (padding): who forwards needs every number */
} pl_pc_rings;
/* Lent until detached (rings NULL). */
void pl_pc_attach_media(pl_pc *pc, int index, const pl_pc_rings *rings);
/* Takes what engines have put into recv_out and send_out. */
void pl_pc_pump_media(pl_pc *pc, int64_t now_us);
/* Bit i: recv_in of transceiver i was written to since the last call. */
uint64_t pl_pc_take_posted(pl_pc *pc);

/* ---- data ---- */
PL_NODISCARD pl_err pl_pc_create_channel(pl_pc *pc, int64_t now_us, const char *label, size_t label_len,
                                         const pl_data_channel_init *init, void *user, pl_channel **out);
size_t pl_pc_max_message_size(const pl_pc *pc);

/* ---- statistics ---- */
PL_NODISCARD pl_err pl_pc_get_stats(pl_pc *pc, int64_t now_us, pl_stats_report **out);
void pl_pc_setup_times(const pl_pc *pc, pl_setup_times *out);

#endif
