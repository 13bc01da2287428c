/* sender_internal.h - the sender's state, shared by sender.c (what the peer says, the file at hand) and sender_output.c
 * (what we say). */
#ifndef PL_TRANSFER_SENDER_INTERNAL_H
#define PL_TRANSFER_SENDER_INTERNAL_H

#include "transfer/sender.h"
#include "transfer/stream_window.h"

enum {
    N_POINTS = 80, /* one a block: more than the usual window of 64 MiB */
    NOBODY = -1    /* of result.state: no STORED yet */
};

typedef enum sender_state {
    NEW,
    LISTING, /* OFFER and ENTRIES are told */
    ASKING,  /* and HAVE and ACCEPT waited for */
    SENDING,
    FINISHED, /* DONE is due, or told */
    OVER
} sender_state;

/* Where the file at hand is. */
typedef enum sender_phase {
    PICK,  /* the next file is to be chosen */
    CHECK, /* what the receiver has of it is hashed */
    BEGIN, /* BEGIN is to be said */
    BYTES,
    ENDING,  /* END is to be said */
    GIVE_UP, /* MISSING is to be said */
    NO_MORE
} sender_phase;

typedef struct sender_result {
    int8_t status; /* pl_transfer_status, or NOBODY */
    bool ended;    /* END or MISSING was said on some channel: sha256 is known unless missing */
    bool missing;
    uint8_t sha256[PL_SHA256_LEN];
} sender_result;

/* The hash of a file's first bytes, to come back to when a connection breaks. */
typedef struct sender_point {
    uint32_t index;
    uint64_t offset;
    pl_sha256_run run;
} sender_point;

struct pl_transfer_sender {
    pl_transfer_manifest manifest;
    uint8_t id[PL_TRANSFER_ID_LEN];
    sender_state state;
    size_t message_max;
    sender_result *result; /* one an entry, from the first start on */
    uint32_t *answered;    /* indices in the order of their STORED, for events */
    uint32_t n_answered, n_told, n_open;

    pl_transfer_have *have; /* what this channel's receiver has */
    uint32_t n_have, cap_have, next_have;
    uint32_t listed; /* entries told on this channel */
    bool offered;

    sender_phase phase;
    uint32_t index;
    uint64_t size, pos; /* of the file at hand; pos: sent, or (CHECK) hashed */
    uint64_t check_to;
    const pl_transfer_have *claim; /* of the file at hand */
    pl_sha256_run run;             /* over what was read of it */
    uint8_t *block;
    size_t block_len, block_sent;
    sender_point point[N_POINTS];
    uint32_t n_points;
    pl_transfer_stream stream;
    bool is_stream;

    uint64_t window, sent_bytes, received; /* on this channel */
    uint64_t skipped, done_before, carried_before;

    uint8_t *out; /* the message that is shown, when it is not in the block */
    pl_transfer_output shown;
    size_t shown_payload;
    pl_transfer_type shown_type;

    bool accepted_due, begins_due, done_due, failed_due, failed_theirs, resumed, cancel_due;
    uint32_t begins_index, n_whole;
    uint64_t begins_at, had;
    unsigned code;
    char text[PL_TRANSFER_TEXT_MAX + 1];
    char why[PL_TRANSFER_TEXT_MAX + 1]; /* of the file at hand, for MISSING */
};

/* Everything that needs neither a message nor bytes. */
void pl_transfer_sender_settle(pl_transfer_sender *s);
/* The file at hand is over: the next one is picked at `from`. */
void pl_transfer_sender_next_file(pl_transfer_sender *s, uint32_t from);

static inline size_t pl_transfer_least(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}
/* Bytes that the window still lets go. */
static inline uint64_t pl_transfer_sender_credit(const pl_transfer_sender *s)
{
    return s->window - (s->sent_bytes - s->received);
}

#endif
