/* association_internal.h - the inside of an association, for its own files alone:
 *   association.c            making, state, timers, events
 *   association_handshake.c  INIT to COOKIE ACK, collisions, restart
 *   association_input.c      the packet spine: what each chunk means
 *   association_data.c       what of it is user data
 *   association_output.c     the packet spine the other way
 *   association_turn.c       which stream the next packet may take from
 *   association_partial.c    messages given up (RFC 3758, 7496)
 *   association_recovery.c   what SACKs and silence mean: losses, probes, timeouts, and taking them back
 *   association_mtu.c        probing how large packets may be; another path
 *   association_api.c        what applications ask for
 *   reset.c                  RFC 6525
 * Rules    every public verb ends with pl_sctp_settle, which draws the conclusions of what has changed. */
#ifndef PL_SCTP_ASSOCIATION_INTERNAL_H
#define PL_SCTP_ASSOCIATION_INTERNAL_H

#include "base/log.h"
#include "base/seq.h"
#include "base/time.h"
#include "sctp/association.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_error.h"
#include "sctp/chunk_init.h"
#include "sctp/congestion.h"
#include "sctp/cookie.h"
#include "sctp/mtu.h"
#include "sctp/outstanding.h"
#include "sctp/pacer.h"
#include "sctp/reassembly.h"
#include "sctp/reset.h"
#include "sctp/rto.h"
#include "sctp/sack.h"
#include "sctp/streams.h"
#include "sctp/window.h"

/* Chunks that the next packets must carry. */
enum {
    PL_SCTP_WANT_INIT = 1,
    PL_SCTP_WANT_COOKIE_ECHO = 2,
    PL_SCTP_WANT_COOKIE_ACK = 4,
    PL_SCTP_WANT_FORWARD = 8,
    PL_SCTP_WANT_RESET = 16,
    PL_SCTP_WANT_HEARTBEAT = 32,
    PL_SCTP_WANT_SHUTDOWN = 64,
    PL_SCTP_WANT_SHUTDOWN_ACK = 128
};

/* Events not yet told, besides those of streams. */
enum {
    PL_SCTP_TELL_CONNECTED = 1,
    PL_SCTP_TELL_RESTARTED = 2,
    PL_SCTP_TELL_WRITABLE = 4,
    PL_SCTP_TELL_CLOSED = 8,
    PL_SCTP_TELL_STREAMS = 16
};

enum {
    PL_SCTP_REPLIES_MAX = 16,
    PL_SCTP_QUOTE_MAX = 256, /* of a chunk in an error cause */
    PL_SCTP_BURST = 4,       /* Max.Burst of RFC 9260 16 */
    PL_SCTP_HEARTBEAT_INFO = 16,
    PL_SCTP_LIMIT_SLACK = 4096
};

/* An answer made when its cause was read: a chunk to bundle, or (alone) a whole packet under a tag of its
 * own. */
typedef struct pl_sctp_reply {
    struct pl_sctp_reply *next;
    size_t len;
    bool alone;
    uint8_t data[];
} pl_sctp_reply;

/* Losses being repaired, and whether they were losses at all. */
typedef struct pl_sctp_recovery {
    bool active;           /* fast recovery: until end_tsn is acknowledged */
    bool after_timeout;    /* the same after T3 */
    uint32_t end_tsn;      /* the last sent when it began */
    bool may_undo;         /* the window was lessened, and nothing has proven it right */
    uint32_t begin_tsn;    /* the first that could be lost then */
    uint32_t n_lost;       /* TSNs called lost since, … */
    size_t lost_bytes;     /* not yet told to the controller */
    uint32_t n_resent;     /* … sent again, … */
    uint32_t n_duplicates; /* … and reported as duplicates, so sent again in vain */
    int64_t reorder_us;    /* when the next TSN becomes lost unless it arrives; PL_NEVER */
    int64_t probe_us;      /* RFC 8985 7: when the tail is probed; PL_NEVER */
    int64_t probed_us;     /* when the last probe was called for */
    bool probing;          /* one is out, and the peer has not spoken since */
    bool probe_resends;    /* it carries probe_tsn again, not something new */
    uint32_t probe_tsn;
} pl_sctp_recovery;

struct pl_sctp {
    pl_sctp_conf conf;
    pl_log log;
    int64_t now_us;
    pl_sctp_state state;
    bool ended; /* closed for good, not merely not begun */

    uint32_t my_tag, peer_tag;
    uint32_t my_tsn; /* initial */
    uint16_t streams_out, streams_in;
    uint8_t extensions; /* both sides have them */
    uint8_t key[PL_SCTP_COOKIE_KEY];
    uint8_t *cookie; /* the peer's, to be echoed */
    size_t cookie_len;

    pl_sctp_streams out;
    pl_sctp_outstanding sent;
    pl_sctp_rto rto;
    pl_sctp_mtu mtu;
    pl_sctp_packet_kind last_packet;
    unsigned n_cuts;       /* packets too long that were made longer */
    int64_t path_since_us; /* what was sent before went another way: it tells no round trip */
    pl_sctp_cc cc;
    pl_sctp_pacer pacer;
    uint64_t first_pace; /* until a round trip is known, by that of the handshake; 0: none */
    uint64_t rate_bound; /* of the pacer, from above; 0: none */
    size_t burst_limit;  /* of flight, until the next SACK */
    size_t peer_rwnd;    /* as last advertised */
    size_t widest_rwnd;  /* as ever advertised */
    uint64_t n_narrow;   /* SACKs that told of less than a quarter of it */
    pl_sctp_recovery recovery;
    bool free_packet;     /* one packet beyond the window: when recovery begins (7.2.4), and as a probe */
    uint64_t urgent_sack; /* SACKs received when the last urgent message went */
    uint64_t parked_sack; /* … when a parked stream was looked at last */
    bool passed_lost;     /* the last packet with DATA went before what is lost */
    bool writable_owed;
    int64_t last_data_us, last_heard_us; /* DATA sent; acknowledgement of it received */

    pl_sctp_sack in;
    pl_sctp_reassembly re;
    pl_sctp_window window;
    size_t told_rwnd;
    size_t held_above; /* bytes taken, and not yet by the application */
    pl_sctp_reset reset;

    int64_t t1_us, t2_us, t3_us, t5_us; /* handshake, shutdown, data, shutdown guard; RFC 9260's names */
    int64_t heartbeat_us;
    uint64_t heartbeat_nonce;
    bool heartbeat_out;
    unsigned n_stale;                /* cookies in a row that were */
    uint32_t preserve_ms;            /* the next one should live so much longer */
    unsigned n_init_tries, n_errors; /* timeouts in a row; … */
    int64_t error_us;                /* … the last of them */

    unsigned wants, tells;
    pl_sctp_reply *replies, *replies_last;
    unsigned n_replies;
    pl_err closed_error;
    uint16_t closed_cause;
    char closed_reason[PL_SCTP_REASON_MAX];
    pl_sctp_stats stats;
};

/* The only place where state changes and where the timers of states start and stop. */
void pl_sctp_enter(pl_sctp *s, pl_sctp_state to, const char *why);
/* Over: queues and timers go, CLOSED will be told. */
void pl_sctp_end(pl_sctp *s, pl_err error, uint16_t cause, const char *reason);
/* Over because of us: an ABORT with this cause goes out first. */
void pl_sctp_fail(pl_sctp *s, pl_err error, pl_sctp_cause cause, const char *reason);
/* The same with a cause that has a value of its own (3.3.10). */
void pl_sctp_fail_by(pl_sctp *s, pl_err error, pl_sctp_cause cause, const void *value, size_t len,
                     const char *reason);
/* Conclusions of whatever has changed. */
void pl_sctp_settle(pl_sctp *s);
/* One more timeout in a row; false when it was one too many and the association has ended. */
bool pl_sctp_count_error(pl_sctp *s, const char *what);
/* True in the states in which DATA may be sent; received. */
bool pl_sctp_may_send(const pl_sctp *s);
bool pl_sctp_may_receive(const pl_sctp *s);
/* Received bytes and all that keeping them costs. */
size_t pl_sctp_held(const pl_sctp *s);
size_t pl_sctp_rwnd(const pl_sctp *s);
/* The application leaves lying what it was given: more than what is always on its way to it. */
bool pl_sctp_app_is_behind(const pl_sctp *s);
/* What pl_sctp_held never goes beyond, whatever the peer does: the window and a tenth of it. */
size_t pl_sctp_hard_limit(const pl_sctp *s);
void pl_sctp_restart_heartbeat(pl_sctp *s);
/* association_api.c: so much has been taken by the application, or has arrived; how large the window should be. */
void pl_sctp_size_window(pl_sctp *s, size_t taken);

/* What the chunks of one packet have said together. */
typedef struct pl_sctp_packet {
    uint32_t tag;
    bool data;    /* it carried DATA or FORWARD TSN, or their like: a SACK is owed */
    bool at_once; /* now */
} pl_sctp_packet;

/* association_data.c; chunk: DATA or I-DATA, FORWARD TSN or I-FORWARD-TSN */
void pl_sctp_on_data(pl_sctp *s, pl_sctp_packet *p, const pl_sctp_chunk *chunk);
void pl_sctp_on_forward(pl_sctp *s, pl_sctp_packet *p, const pl_sctp_chunk *chunk);
/* Tables of streams may grow by so much. */
bool pl_sctp_room_for_streams(const pl_sctp *s, size_t growth);

/* association_handshake.c */
void pl_sctp_on_init(pl_sctp *s, pl_rd body);
void pl_sctp_on_init_ack(pl_sctp *s, pl_rd body);
void pl_sctp_on_cookie_echo(pl_sctp *s, uint32_t packet_tag, pl_rd body);
void pl_sctp_on_cookie_ack(pl_sctp *s);
void pl_sctp_on_stale_cookie(pl_sctp *s, uint32_t stale_us);
void pl_sctp_write_init(pl_sctp *s, pl_wr *w);

/* association_recovery.c */
void pl_sctp_recovery_init(pl_sctp_recovery *r);
void pl_sctp_take_sack(pl_sctp *s, const pl_sctp_sack_chunk *sack);
/* The handshake's round trip is known. */
void pl_sctp_begin_sending(pl_sctp *s, int64_t rtt_us);
/* The pace is that of pl_sctp_set_rate, not the controller's. */
bool pl_sctp_limited(const pl_sctp *s);
/* Deadlines: of a reordered TSN, of the probe, of T3. */
void pl_sctp_reorder_expired(pl_sctp *s);
void pl_sctp_probe_expired(pl_sctp *s);
void pl_sctp_t3_expired(pl_sctp *s);
const pl_sctp_cc_ops *pl_sctp_controller(pl_sctp_congestion which);
/* DATA has gone out, or been acknowledged: when to probe. */
void pl_sctp_arm_probe(pl_sctp *s);

/* association_mtu.c */
/* A packet was full. */
void pl_sctp_mtu_on_full(pl_sctp *s);
bool pl_sctp_mtu_probe_due(const pl_sctp *s, size_t cap);
/* Fills the packet, which has its header, to the probe's size. */
void pl_sctp_mtu_write_probe(pl_sctp *s, pl_wr *w);
/* The information of a HEARTBEAT ACK. False when it is not a probe's. */
bool pl_sctp_mtu_on_answer(pl_sctp *s, pl_rd info);
void pl_sctp_mtu_timer(pl_sctp *s);
/* Back to the base size: another peer, or another path. */
void pl_sctp_mtu_forget(pl_sctp *s);
/* How long the next packet may be: the MTU, or more for what was made when it was more. */
size_t pl_sctp_packet_limit(pl_sctp *s);
/* A packet that is too long becomes so long that the system cuts it; cap: of its buffer. */
void pl_sctp_mtu_lengthen(pl_sctp *s, pl_wr *w, size_t cap);

/* association_output.c */
/* True when data waits for the pace alone. */
bool pl_sctp_waits_for_pace(const pl_sctp *s);
/* True when there is a message to be sent that the peer's window lets pass. */
bool pl_sctp_has_new_data(pl_sctp *s);
/* Chunks for the next packet: begin gives a writer over `room`, end queues what it holds. Dropped when the
 * queue is full, since whoever asks faster than we answer gets less. */
void pl_sctp_reply_chunk(pl_sctp *s, const pl_wr *w);
/* The same as a packet of its own. w holds the chunks, behind room for the common header. */
void pl_sctp_reply_packet(pl_sctp *s, uint32_t tag, pl_wr *w);
void pl_sctp_drop_replies(pl_sctp *s);

/* association_turn.c */
/* The stream whose turn it is and whose head the peer has room for, or NULL. */
pl_sctp_out_stream *pl_sctp_next_stream(pl_sctp *s);

/* association_partial.c */
/* Gives a message up, wherever its bytes are. False when memory for telling the peer is missing: it stays wanted. */
bool pl_sctp_give_up(pl_sctp *s, pl_sctp_out_msg *m);
/* The next TSN to be sent again whose message is still wanted, or NULL. */
pl_sctp_sent *pl_sctp_next_lost(pl_sctp *s, uint32_t *tsn);
/* The stream whose turn it would be, with messages that have expired taken away, or NULL. */
pl_sctp_out_stream *pl_sctp_next_wanted(pl_sctp *s);
/* Gives up what is less important until a message of this cost and priority has room; false: it has none. */
bool pl_sctp_make_room(pl_sctp *s, size_t cost, uint32_t priority);
/* The streamed message that the stream, or any, has under way will never be ended. */
void pl_sctp_break_off(pl_sctp *s, pl_sctp_out_stream *st);
void pl_sctp_break_off_all(pl_sctp *s);
/* What is queued on streams from sid on, what has been sent: gone, and counted so. */
void pl_sctp_purge_from(pl_sctp *s, size_t sid);
void pl_sctp_forget_sent(pl_sctp *s);
void pl_sctp_write_forward(pl_sctp *s, pl_wr *w);
/* When a message that keeps others waiting expires, or PL_NEVER; and that it has. */
int64_t pl_sctp_partial_next_us(const pl_sctp *s);
void pl_sctp_partial_tick(pl_sctp *s);

#endif
