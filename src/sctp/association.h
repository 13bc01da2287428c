/* association.h - one SCTP association as WebRTC uses it: over DTLS, one path, no sockets.
 * Source   RFC 9260 as narrowed by RFC 8261; RFC 3758 and 7496 (partial reliability), RFC 6525 (stream
 *          reset), RFC 7053 (immediate SACK). docs/rfc/sctp.md tells what we chose and left out.
 * Shape    the eight verbs. Packets are what DTLS carries: no IP, no UDP, CRC32c inside. poll_output gives
 *          one packet at a time, until false. Whole messages come out of pl_sctp_recv.
 * Units    microseconds, bytes.
 * Errors   what the peer does wrong is counted (pl_sctp_stats.bad_packets) or ends the association with an
 *          event; calls return PL_ESTATE, PL_EAGAIN, PL_ENOSPC, PL_EINVAL, PL_ENOMEM as said at each.
 * Thread   belongs to its connection's thread. */
#ifndef PL_SCTP_ASSOCIATION_H
#define PL_SCTP_ASSOCIATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "peerline/error.h"

enum {
    PL_SCTP_PORT = 5000,
    PL_SCTP_STREAM_MAX = 65535, /* streams each way; ids 0 to 65534 */
    PL_SCTP_MTU_MIN = 508,      /* bytes of one SCTP packet */
    PL_SCTP_MTU_MAX = 65532,
    /* 1280 less IPv6 40, UDP 8, TURN channel header 4, DTLS 1.2 AES-GCM record 37, and a multiple of four */
    PL_SCTP_MTU_DEFAULT = 1188,
    PL_SCTP_RESET_MAX = 512, /* streams in one reset request; more wait for the next */
    PL_SCTP_REASON_MAX = 64
};

typedef struct pl_sctp pl_sctp;

/* Who decides how much may be under way; docs/rfc/sctp.md says how they differ. */
typedef enum pl_sctp_congestion {
    PL_SCTP_CONGESTION_DEFAULT, /* PL_SCTP_CONGESTION_CUBIC_BDP */
    PL_SCTP_CONGESTION_RENO,    /* RFC 9260's own */
    PL_SCTP_CONGESTION_CUBIC,   /* RFC 9438 with HyStart++ (RFC 9406) */
    PL_SCTP_CONGESTION_CUBIC_BDP, /* CUBIC that losses without a queue do not push below what the path carries */
    PL_SCTP_CONGESTION_BBR, /* by a model of the path: its rate and its round trip, in the manner of BBRv3 */
    PL_SCTP_CONGESTION_LEDBAT, /* yields to whatever else makes a queue, in the manner of LEDBAT++ */
} pl_sctp_congestion;

/* Whose turn it is among streams with messages (RFC 8260 3). With I-DATA turns are packets, without it whole
 * messages, since plain DATA cannot interleave. */
typedef enum pl_sctp_scheduler {
    PL_SCTP_SCHEDULER_DEFAULT,     /* PL_SCTP_SCHEDULER_FAIR */
    PL_SCTP_SCHEDULER_ROUND_ROBIN, /* one after the other */
    PL_SCTP_SCHEDULER_PRIORITY,    /* the highest priority first, round robin within one */
    PL_SCTP_SCHEDULER_FAIR         /* weighted fair queueing: bytes in proportion to priorities */
} pl_sctp_scheduler;

/* A zero means the default, which is said behind each. */
typedef struct pl_sctp_conf {
    uint16_t local_port, remote_port; /* 5000 */
    uint16_t max_streams_out;         /* what we ask for: 65535 */
    uint16_t max_streams_in;          /* what we allow the peer: 65535 */
    size_t mtu;                       /* one packet inside DTLS: PL_SCTP_MTU_DEFAULT */
    size_t send_buffer_max;           /* queued or unacknowledged, headers of messages counted: 16 MiB */
    size_t recv_buffer;               /* the window we advertise at first: 2 MiB */
    size_t
        recv_buffer_max; /* what it may grow to as the path needs it: 16 MiB, or recv_buffer when that is given */
    size_t max_message_size; /* largest message accepted from the peer: 256 KiB, at most recv_buffer_max */
    pl_sctp_congestion congestion; /* PL_SCTP_CONGESTION_CUBIC_BDP */
    pl_sctp_scheduler scheduler;   /* PL_SCTP_SCHEDULER_FAIR */
    bool no_interleaving;          /* I-DATA is not offered to the peer */
    bool zero_checksum;            /* below us is DTLS, which finds errors: RFC 9653 is offered */
    size_t mtu_max;                /* what probing may raise the MTU to (RFC 8899); 0: no probing */
    size_t cut_from;               /* what pl_sctp_set_cut says */
    int64_t rto_initial_us;        /* 1 s */
    int64_t rto_min_us;            /* 300 ms (RFC 9260 says 1 s; see docs/rfc/sctp.md) */
    int64_t rto_max_us;            /* 4 s */
    int64_t sack_delay_us;         /* 100 ms */
    int64_t heartbeat_us;          /* 30 s; negative: never */
    int64_t cookie_life_us;        /* 60 s */
    unsigned max_retransmits;      /* consecutive timeouts until the peer is given up: 30, about 2 minutes */
    unsigned max_init_retransmits; /* 30 */
    pl_rand rand;
    uint32_t log_id; /* names the association in the log: sctp[log_id] */
} pl_sctp_conf;

typedef enum pl_sctp_state {
    PL_SCTP_CLOSED,
    PL_SCTP_COOKIE_WAIT,
    PL_SCTP_COOKIE_ECHOED,
    PL_SCTP_ESTABLISHED,
    PL_SCTP_SHUTDOWN_PENDING,
    PL_SCTP_SHUTDOWN_SENT,
    PL_SCTP_SHUTDOWN_RECEIVED,
    PL_SCTP_SHUTDOWN_ACK_SENT
} pl_sctp_state;

typedef enum pl_sctp_packet_kind {
    PL_SCTP_PACKET_PLAIN,
    PL_SCTP_PACKET_PROBE, /* tries a size: nobody may cut it on its way, and it is no loss when it does not fit */
    PL_SCTP_PACKET_OVERSIZED /* made for a larger MTU than the path has now: IP should cut it (RFC 9260 7.3) */
} pl_sctp_packet_kind;

/* A message given to pl_sctp_send. A zeroed one is ordered and reliable. */
typedef struct pl_sctp_send_opts {
    bool unordered;
    bool limit_retransmits;   /* RFC 7496: give up after max_retransmits retransmissions */
    uint32_t max_retransmits; /* 0 with the flag: sent once */
    int64_t lifetime_us;      /* RFC 3758: give up when so much time has passed since the send; 0: never */
    bool uncounted;           /* bytes of a protocol above us: pl_sctp_buffered leaves them out */
    bool limit_priority;      /* RFC 7496 3.4: given up when the buffer is full and … */
    uint32_t buffer_priority; /* … a message of a lower number wants in (0 is the most important) */
} pl_sctp_send_opts;

/* Bytes of the caller's that are sent from where they stand, without a copy: they must stay unchanged until
 * release(user), which runs once, within a verb of the association, when nothing refers to them any more. It must
 * not call the association. */
typedef struct pl_sctp_lent {
    const void *data;
    size_t len;
    void (*release)(void *user);
    void *user;
} pl_sctp_lent;

/* A message that has arrived whole, or a piece of one (pl_sctp_set_pieces). The bytes belong to whoever took
 * it, until pl_sctp_msg_free. */
typedef struct pl_sctp_msg {
    uint16_t sid;
    uint32_t ppid;
    bool unordered;
    bool continues; /* a piece, and not its message's first */
    bool more;      /* a piece, and not its message's last */
    bool broken;    /* the last piece (of 0 bytes) of a message whose rest will never come */
    uint8_t *data;  /* never NULL, also for 0 bytes */
    size_t len;
    void *memory; /* the block that holds data … */
    size_t block; /* … and its size; 0: malloc's */
} pl_sctp_msg;

typedef enum pl_sctp_event_kind {
    PL_SCTP_EVENT_CONNECTED, /* messages may flow */
    PL_SCTP_EVENT_RESTARTED, /* the peer began anew: unacknowledged messages are lost, streams start at 0 */
    PL_SCTP_EVENT_CLOSED,    /* over, with error and reason; no event comes after it */
    PL_SCTP_EVENT_RESET_IN,  /* the peer has closed its stream sid; its messages were all taken before */
    PL_SCTP_EVENT_RESET_OUT, /* our stream sid is reset: error PL_OK, or PL_ENOTSUP when the peer refused */
    PL_SCTP_EVENT_BUFFERED_LOW, /* pl_sctp_buffered(sid) has fallen to its threshold */
    PL_SCTP_EVENT_WRITABLE, /* after PL_EAGAIN from a send: at most three quarters of the send buffer are taken */
    PL_SCTP_EVENT_STREAMS /* pl_sctp_add_streams has ended: error PL_OK, or PL_ENOTSUP when the peer refused */
} pl_sctp_event_kind;

typedef struct pl_sctp_event {
    pl_sctp_event_kind kind;
    uint16_t sid;
    pl_err error;   /* CLOSED: PL_OK after an orderly shutdown or our own abort, PL_EIO when the peer fell
                       silent,   PL_EPROTO when it aborted or broke the protocol, PL_ENOMEM */
    uint16_t cause; /* CLOSED: error cause of RFC 9260 3.3.10 sent or received, 0 when none */
    char reason[PL_SCTP_REASON_MAX]; /* CLOSED: text for people */
} pl_sctp_event;

typedef struct pl_sctp_stats {
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received; /* whole SCTP packets */
    uint64_t messages_sent, messages_received;                           /* user messages completed */
    uint64_t message_bytes_sent, message_bytes_received;
    uint64_t messages_abandoned; /* partial reliability gave them up, or the end of their stream */
    uint64_t abandoned_sent,
        abandoned_unsent; /* of these: with bytes on the wire, and without (RFC 7496 4.5) */
    uint64_t chunks_sent; /* DATA for the first time */
    uint64_t chunks_retransmitted, fast_retransmits, timeouts;
    uint64_t probes, undone; /* of the tail (RFC 8985 7); losses that turned out to be none */
    uint64_t chunks_received, chunks_duplicate, chunks_dropped; /* dropped: no window, or out of range */
    uint64_t sacks_sent, sacks_received;
    uint64_t mtu_probes;                            /* sent, of any size */
    uint64_t bad_packets;                           /* wrong checksum, tag, port or form */
    int64_t srtt_us, rttvar_us, rto_us, min_rtt_us; /* 0 before the first sample */
    size_t cwnd, ssthresh, in_flight, peer_rwnd, mtu;
    uint64_t bytes_acked;             /* of DATA chunks, in all */
    uint64_t pace_bps, delivery_bps;  /* what the pacer lets out (0: all); the path's rate as last measured */
    pl_sctp_congestion congestion;    /* the controller at work */
    size_t send_buffered;             /* queued and unacknowledged bytes */
    size_t receive_buffered;          /* bytes held for reassembly or not yet taken */
    uint16_t streams_out, streams_in; /* negotiated; 0 before */
    pl_sctp_state state;
} pl_sctp_stats;

PL_NODISCARD pl_err pl_sctp_new(pl_sctp **out, const pl_sctp_conf *conf, int64_t now_us);
void pl_sctp_free(pl_sctp *s); /* NULL is fine; says nothing to the peer */

/* Sends INIT. Both sides of a WebRTC connection do; one that does not still answers the peer's. Calling it
 * twice does nothing. */
void pl_sctp_connect(pl_sctp *s, int64_t now_us);
void pl_sctp_input(pl_sctp *s, int64_t now_us, const uint8_t *pkt, size_t len);
void pl_sctp_tick(pl_sctp *s, int64_t now_us);
int64_t pl_sctp_next_us(const pl_sctp *s);
/* Writes the next packet; cap must be at least pl_sctp_packet_max. */
bool pl_sctp_poll_output(pl_sctp *s, int64_t now_us, uint8_t *out, size_t cap, size_t *len);
/* No packet is ever longer: conf.mtu, or conf.mtu_max when that is more. */
size_t pl_sctp_packet_max(const pl_sctp *s);
/* How the packet that poll_output gave last is to be sent. */
pl_sctp_packet_kind pl_sctp_last_packet(const pl_sctp *s);
bool pl_sctp_poll_event(pl_sctp *s, pl_sctp_event *out);
void pl_sctp_check(const pl_sctp *s);

/* Takes one copy of a message; queueing is allowed before the association is up. len 0 is refused, since SCTP
 * has no empty messages. Errors, all without any effect: PL_EINVAL (len 0, sid above the negotiated streams),
 * PL_ENOSPC (larger than send_buffer_max), PL_EAGAIN (the buffer is full; WRITABLE follows), PL_ESTATE
 * (closed, shutting down, or the stream is being reset), PL_ENOMEM. */
PL_NODISCARD pl_err pl_sctp_send(pl_sctp *s, int64_t now_us, uint16_t sid, uint32_t ppid, const void *data,
                                 size_t len, const pl_sctp_send_opts *opts);
/* The same without a copy. On an error release is not called: the bytes are the caller's still. */
PL_NODISCARD pl_err pl_sctp_send_lent(pl_sctp *s, int64_t now_us, uint16_t sid, uint32_t ppid,
                                      const pl_sctp_lent *bytes, const pl_sctp_send_opts *opts);
/* One message given in parts, as many as it takes: the first begins it, the one with `last` ends it (that one
 * may be of 0 bytes if it is not the first). Between them nothing else may be sent on the stream (PL_ESTATE);
 * without I-DATA no other stream gets a turn either, so parts should follow each other soon. ppid and opts are
 * those of the first part. The last kilobyte given waits for more, or the end. When the message is given up (opts, a
 * restart), its later parts are taken and thrown away. Errors as pl_sctp_send; PL_EAGAIN takes nothing of this part. */
PL_NODISCARD pl_err pl_sctp_send_part(pl_sctp *s, int64_t now_us, uint16_t sid, uint32_t ppid,
                                      const void *data, size_t len, bool last, const pl_sctp_send_opts *opts);
/* Weight or rank of a stream for the scheduler, as RFC 8831 6.4 counts: 128 below normal, 256 normal (every
 * stream's at first), 512 high, 1024 extra high. Errors: PL_ENOMEM, PL_EINVAL (0). */
PL_NODISCARD pl_err pl_sctp_set_priority(pl_sctp *s, uint16_t sid, uint16_t priority);
/* From now on messages of the peer's stream come in pieces as they arrive in order, of any total length:
 * max_message_size does not bind them. One message of a stream at a time is handed out; what else of the stream is
 * whole meanwhile, unordered too, comes behind its last piece. Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_sctp_set_pieces(pl_sctp *s, uint16_t sid, bool on);
/* Asks for more streams (RFC 6525 5.1.5, 5.1.6): n_out of ours, n_in of the peer's. STREAMS tells the end.
 * Errors: PL_ESTATE (not up, or a request is under way), PL_ENOTSUP, PL_EINVAL (above PL_SCTP_STREAM_MAX). */
PL_NODISCARD pl_err pl_sctp_add_streams(pl_sctp *s, int64_t now_us, uint16_t n_out, uint16_t n_in);
/* The packets take another path now: round trips, window and MTU are learnt anew. */
void pl_sctp_path_changed(pl_sctp *s, int64_t now_us);
/* Packets too long for the path are filled up to so many bytes (RFC 4820), so that the sender's own system cuts them: that of
 * IPv6 cuts only what is longer than its first link takes. 0, as at first: they stay as they are. */
void pl_sctp_set_cut(pl_sctp *s, size_t len);
/* The least round trip measured since the last call; 0: none was. */
int64_t pl_sctp_least_rtt(pl_sctp *s);
/* Another controller from now on. It begins with the window that the last one had, and learns the rest itself. */
void pl_sctp_set_congestion(pl_sctp *s, int64_t now_us, pl_sctp_congestion which);
/* Bytes of packets with DATA that may go in a second, whatever the controller finds; 0: no such bound. */
void pl_sctp_set_rate(pl_sctp *s, int64_t now_us, uint64_t bytes_per_s);
/* The next whole message, in order of completion; taking it opens the window again. False also when RESET_IN has
 * to be polled first: it stands between the messages of before and of after. */
bool pl_sctp_recv(pl_sctp *s, pl_sctp_msg *out);
/* Of what was taken, so much still waits above for the application: it counts in the window that the peer sees, as if
 * it had not been taken. */
void pl_sctp_set_held(pl_sctp *s, int64_t now_us, size_t bytes);
/* Looks at it without taking it; NULL when there is none. Valid until the next verb. */
const pl_sctp_msg *pl_sctp_peek(const pl_sctp *s);
/* A cleared or zeroed message is fine. */
void pl_sctp_msg_free(pl_sctp_msg *m);

/* Bytes of a stream that no packet has carried yet. */
size_t pl_sctp_buffered(const pl_sctp *s, uint16_t sid);
/* What send_buffer_max limits: bytes of all streams, queued or unacknowledged, and about 100 for
 * each message. */
size_t pl_sctp_buffered_total(const pl_sctp *s);
/* BUFFERED_LOW comes each time pl_sctp_buffered(sid) falls from above `bytes` to it or below.
 * Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_sctp_set_buffered_low(pl_sctp *s, uint16_t sid, size_t bytes);

/* Closes our side of streams (RFC 6525): what is queued goes out first, then the peer is asked; RESET_OUT
 * tells the end, and from then on the stream may be used anew. A stream that is being reset already is passed
 * over. Errors: PL_ESTATE (association closed), PL_ENOTSUP (the peer cannot), PL_ENOMEM. */
PL_NODISCARD pl_err pl_sctp_reset_streams(pl_sctp *s, int64_t now_us, const uint16_t *sids, size_t n);

/* Orderly end: everything queued is delivered first. Nothing may be sent after. */
void pl_sctp_shutdown(pl_sctp *s, int64_t now_us);
/* Sudden end: an ABORT is the last packet. reason: text for the peer, may be NULL. */
void pl_sctp_abort(pl_sctp *s, int64_t now_us, const char *reason);

pl_sctp_state pl_sctp_get_state(const pl_sctp *s);
const char *pl_sctp_state_str(pl_sctp_state state);
/* Streams we may send on: ids below this. What we asked for until the peer has spoken. */
uint16_t pl_sctp_streams_out(const pl_sctp *s);
void pl_sctp_get_stats(const pl_sctp *s, pl_sctp_stats *out);

#endif
