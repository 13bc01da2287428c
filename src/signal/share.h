/* share.h - one node's part in rooms that several nodes share: what it has to ask of the common memory (Redis), in which
 * order, and what it makes of the answers.
 *
 * The memory holds a record of every peer with the node it is at, one stream of comings and goings for all nodes, and for
 * each node a stream of the messages for its peers; one counter numbers the entries of all streams. A node tells its
 * operations in order; each bears a number, so that one which is told again after a broken connection counts once. A node
 * that has not been heard of for PL_SHARE_ALIVE_S is dead; its peers have PL_SHARE_GRACE_S to come back at another one,
 * whose stream then gets a copy of what they have not heard in
 * the dead one's.
 *
 * Shape    sans-I/O; a carrier (server/redis.h) asks what pl_share_poll_ask says, in order, and gives back the answers in
 *          the same order; on a second connection it reads the two streams. After a loss all begins anew with a hello.
 * Units    microseconds; places in streams are numbers that grow, 0 before all.
 * Errors   a carrier's troubles are pl_share_lost; operations wait meanwhile, within the limits of rooms_share.h.
 * Thread   the rooms' owner's. */
#ifndef PL_SIGNAL_SHARE_H
#define PL_SIGNAL_SHARE_H

#include "signal/rooms_share.h"

enum {
    PL_SHARE_NODE_LEN = 16,  /* characters of a node's name */
    PL_SHARE_BIRTH_MAX = 40, /* and of a memory's */
    PL_SHARE_ALIVE_S = 3,
    PL_SHARE_GRACE_S = 10,
    PL_SHARE_KEEP_S = 120, /* so long a stream keeps its entries */
    PL_SHARE_IDS = 10000,  /* ids asked for at a time: thousands may sign in before the next come */
    PL_SHARE_ID_ROOM =
        1
        << 20, /* above the highest known id: what others may have been given, 50 nodes with two lots each */
    PL_SHARE_UNANSWERED = 512 /* operations told and not answered */
};

typedef struct pl_share pl_share;

typedef enum pl_share_ask_kind {
    PL_SHARE_HELLO, /* who we are; all peers */
    PL_SHARE_OP,
    PL_SHARE_BEAT /* we live; the dead are found, what is old is forgotten */
} pl_share_ask_kind;

typedef struct pl_share_ask {
    pl_share_ask_kind kind;
    const pl_rooms_op *op; /* PL_SHARE_OP: lent until it is answered */
    uint32_t n_ids;        /* PL_SHARE_HELLO and _BEAT: how many are wanted */
    pl_peer_id highest_id; /* PL_SHARE_HELLO: what a memory that has forgotten all must go on from */
    pl_peer_id
        first_base; /* PL_SHARE_HELLO: behind which a memory without a counter begins, which may have had one */
    uint64_t highest_seq;
    uint8_t secret[32]; /* PL_SHARE_HELLO: to be the common one, when there is none; so with birth */
    const char *birth;
    uint64_t forget_seq; /* PL_SHARE_BEAT: entries up to here may go */
} pl_share_ask;

typedef struct pl_share_peer {
    pl_peer_id id;
    pl_str node, room, name;
    bool bound;
} pl_share_peer;

typedef struct pl_share_hello {
    uint64_t done; /* the highest number of our operations that was carried out */
    pl_peer_id first_id;
    uint32_t n_ids;
    uint8_t secret[32];
    uint64_t seq; /* the newest entry of any stream */
    const pl_share_peer *peers;
    size_t n_peers;
    pl_str
        birth; /* another one than before: the memory has lost everything, and the other nodes will tell it anew */
} pl_share_hello;

typedef enum pl_share_result {
    PL_SHARE_DONE,
    PL_SHARE_NO_PEER,
    PL_SHARE_BUSY,
    PL_SHARE_UNKNOWN /* nothing was done: the memory does not know the node, until its next hello */
} pl_share_result;

typedef struct pl_share_message {
    uint64_t seq,
        origin; /* origin: its seq when it was said, kept when a peer moves and it is told again; 0: seq */
    pl_peer_id to, from;
    pl_str type, data;
} pl_share_message;

typedef struct pl_share_answer { /* to PL_SHARE_OP */
    pl_share_result result;
    uint64_t at; /* PL_ROOMS_OP_MOVE: see pl_rooms_arrive */
} pl_share_answer;

typedef enum pl_share_note_kind { PL_SHARE_JOINED, PL_SHARE_LEFT, PL_SHARE_MOVED } pl_share_note_kind;
typedef struct pl_share_note {
    uint64_t seq;
    pl_share_note_kind kind;
    pl_share_peer peer; /* PL_SHARE_LEFT: node is where it was */
    pl_str by;          /* the node that says so; "": its node was found dead */
} pl_share_note;

typedef struct pl_share_stats {
    bool connected;
    uint64_t n_hellos, n_lost, n_told, n_notes, n_messages;
} pl_share_stats;

/* The rooms (conf.shared) are lent until free. Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_share_new(pl_share **out, pl_rooms *rooms, const pl_rand *rand);
void pl_share_free(pl_share *s);
const char *pl_share_node(const pl_share *s);

/* The connections are there: the first ask will be a hello. */
void pl_share_connected(pl_share *s, int64_t now_us);
/* They are not any more. */
void pl_share_lost(pl_share *s, int64_t now_us);
/* False when there is nothing to ask now; again after each verb of the rooms, each answer and at next_us. */
bool pl_share_poll_ask(pl_share *s, int64_t now_us, pl_share_ask *out);
int64_t pl_share_next_us(const pl_share *s);
/* All that was done here is told and answered. */
bool pl_share_is_idle(const pl_share *s);

/* The answers, in the order of the asks. */
void pl_share_hello_answered(pl_share *s, int64_t now_us, const pl_share_hello *a);
void pl_share_op_answered(pl_share *s, int64_t now_us, const pl_share_answer *a);
/* known: false when the others took us for dead: a hello follows. seq: the newest entry. */
void pl_share_beat_answered(pl_share *s, int64_t now_us, bool known, pl_peer_id first_id, uint32_t n_ids,
                            uint64_t seq);

/* Where reading goes on: what comes after these places. False before the hello was answered. */
bool pl_share_reads(const pl_share *s, uint64_t *notes_after, uint64_t *messages_after);
/* What was read, each stream in its order; of what one reading gave, the notes first. */
void pl_share_note_read(pl_share *s, int64_t now_us, const pl_share_note *n);
void pl_share_message_read(pl_share *s, int64_t now_us, const pl_share_message *m);

const pl_share_stats *pl_share_get_stats(const pl_share *s);
void pl_share_check(const pl_share *s);

#endif
