/* receiver_internal.h - the receiver's state, shared by receiver.c (what the peer says) and receiver_output.c (what we
 * say). */
#ifndef PL_TRANSFER_RECEIVER_INTERNAL_H
#define PL_TRANSFER_RECEIVER_INTERNAL_H

#include "transfer/receiver.h"

enum {
    OPEN = -1,    /* of file.status */
    TO_STORE = -2 /* whole; the caller puts it in its place */
};

typedef enum receiver_state {
    CLOSED,  /* no channel */
    WAITING, /* for OFFER */
    LISTING,
    ASKED, /* the caller has the word */
    FLOWING,
    OVER
} receiver_state;

/* What has come of one entry. */
typedef struct receiver_file {
    uint64_t have;
    pl_sha256_run *run;            /* over these bytes; NULL while have is 0 and when it is final */
    uint8_t sha256[PL_SHA256_LEN]; /* once whole */
    int8_t status;                 /* pl_transfer_status, OPEN or TO_STORE */
} receiver_file;

struct pl_transfer_receiver {
    pl_transfer_receiver_conf conf;
    receiver_state state;
    size_t message_max;
    pl_transfer_manifest manifest, fresh; /* fresh: while it is listed */
    pl_transfer_offer offer, known;       /* of fresh, of manifest */
    bool is_known;
    uint8_t digest[PL_SHA256_LEN]; /* of manifest */
    receiver_file *file;
    uint32_t *answer; /* a ring of n: indices whose STORED is due */
    uint32_t n_answer_in, n_answer_out, cap_answer;

    uint32_t next; /* indices before it have begun on this channel */
    uint32_t index;
    bool begun, dropped;              /* a file is at hand; its bytes are thrown away */
    uint64_t came, written, reported; /* payload on this channel */
    uint64_t done_bytes, carried;
    uint32_t n_whole, n_bad;

    uint32_t have_told; /* entries whose HAVE was considered */
    bool accept_due, cancel_due;
    pl_transfer_receiver_event event;
    bool event_due;
    unsigned code;
    char text[PL_TRANSFER_TEXT_MAX + 1], why[PL_TRANSFER_TEXT_MAX + 1];
    uint32_t why_index;

    uint8_t out[PL_TRANSFER_MESSAGE_MIN];
    pl_transfer_output shown;
};

#endif
