/* sender.h - the side of a transfer that has the files; a core without files, channels or clock.
 * Source   docs/transfer.md.
 * Shape    the caller adds entries, starts on an open channel, then turns this wheel: what the peer says goes to
 *          input; want says what to read from which file, and read brings it; poll_output shows the next message and
 *          sent drops it once the channel took it; poll_event tells what has happened. Bytes are not copied: a
 *          block that was read is lent until want asks for the next one, and its messages' headers are written
 *          into it (in front of it, and over bytes that have been sent). Streams are copied once, since what the
 *          receiver has not stored must be there when the connection breaks.
 *          A new channel after a broken one: start again; what the receiver has stored is not sent twice.
 * Errors   a peer that breaks the protocol ends the transfer with the event FAILED and a CANCEL to it.
 * Thread   its owner's. */
#ifndef PL_TRANSFER_SENDER_H
#define PL_TRANSFER_SENDER_H

#include "transfer/message.h"

enum {
    PL_TRANSFER_BLOCK = 1 << 20,          /* read at a time, at most */
    PL_TRANSFER_STREAM_WINDOW = 16 << 20, /* bytes of a stream that are kept until the receiver stored them */
    PL_TRANSFER_HEADROOM = PL_TRANSFER_DATA_HEADER
};

typedef struct pl_transfer_sender pl_transfer_sender;

typedef enum pl_transfer_sender_event_kind {
    PL_TRANSFER_SENDER_ACCEPTED = 1, /* bytes: what the receiver says it has already */
    PL_TRANSFER_SENDER_BEGINS, /* index, bytes: from this offset; resumed tells that it was checked and taken */
    PL_TRANSFER_SENDER_STORED, /* index, code: a pl_transfer_status; sha256 */
    PL_TRANSFER_SENDER_DONE,   /* all is answered for, and the receiver knows it */
    PL_TRANSFER_SENDER_FAILED  /* code, text: by either side; nothing more comes */
} pl_transfer_sender_event_kind;

typedef struct pl_transfer_sender_event {
    pl_transfer_sender_event_kind kind;
    uint32_t index;
    uint64_t bytes;
    unsigned code;
    bool theirs; /* FAILED: the peer said so */
    bool
        resumed; /* BEGINS: of what it has, bytes need not be sent; false although it had some: another file */
    uint8_t sha256[PL_SHA256_LEN];
    const char *text; /* lent until the next verb; "" when there is none */
} pl_transfer_sender_event;

typedef struct pl_transfer_want {
    uint32_t index;
    uint64_t offset; /* where to read; streams: read on */
    size_t max;      /* at most so many bytes; fewer are fine */
    bool stream;
} pl_transfer_want;

typedef struct pl_transfer_output {
    const uint8_t *data; /* lent until sent */
    size_t len;
} pl_transfer_output;

typedef struct pl_transfer_sender_conf {
    pl_rand rand; /* the transfer's id */
} pl_transfer_sender_conf;

PL_NODISCARD pl_err pl_transfer_sender_new(pl_transfer_sender **out, const pl_transfer_sender_conf *conf);
void pl_transfer_sender_free(pl_transfer_sender *s); /* NULL is fine */
/* Before the first start. Errors: as pl_transfer_manifest_add. */
PL_NODISCARD pl_err pl_transfer_sender_add(pl_transfer_sender *s, const pl_transfer_entry *e,
                                           const char **why);
const pl_transfer_manifest *pl_transfer_sender_manifest(const pl_transfer_sender *s);
const uint8_t *pl_transfer_sender_id(const pl_transfer_sender *s); /* PL_TRANSFER_ID_LEN bytes */
/* On a channel that is open; message_max: what the peer takes in one message. Offers, or offers again. Errors:
 * PL_EINVAL when it takes less than PL_TRANSFER_MESSAGE_MIN, PL_ESTATE when the transfer is over. */
PL_NODISCARD pl_err pl_transfer_sender_start(pl_transfer_sender *s, size_t message_max);

void pl_transfer_sender_input(pl_transfer_sender *s, const uint8_t *message, size_t len);
/* False: nothing is to be read now. */
bool pl_transfer_sender_want(pl_transfer_sender *s, pl_transfer_want *out);
/* What want asked for: block has len bytes and PL_TRANSFER_HEADROOM bytes of room in front. 0 bytes: the file has
 * ended there (a stream is complete; a file that is shorter than it was counts as unread). */
void pl_transfer_sender_read(pl_transfer_sender *s, uint8_t *block, size_t len);
/* Instead of read: the file cannot be read; the others go on. */
void pl_transfer_sender_unreadable(pl_transfer_sender *s, uint32_t index, const char *why);
/* The next message, the same one until sent drops it, or input makes it needless. */
bool pl_transfer_sender_poll_output(pl_transfer_sender *s, pl_transfer_output *out);
void pl_transfer_sender_sent(pl_transfer_sender *s);
bool pl_transfer_sender_poll_event(pl_transfer_sender *s, pl_transfer_sender_event *out);
/* Ends it: the CANCEL is in the output, and no event follows. */
void pl_transfer_sender_cancel(pl_transfer_sender *s, pl_transfer_code code, const char *text);
void pl_transfer_sender_check(const pl_transfer_sender *s);

typedef struct pl_transfer_progress {
    uint64_t total;   /* of all files whose size is known */
    uint64_t done;    /* bytes that need not be sent any more: stored, or at the receiver before */
    uint64_t carried; /* payload bytes that went over channels, those sent twice included */
    uint32_t n_files, n_whole, n_bad; /* n_bad: damaged, unwritten, unread */
    uint32_t index;                   /* the file at hand */
} pl_transfer_progress;
void pl_transfer_sender_progress(const pl_transfer_sender *s, pl_transfer_progress *out);

#endif
