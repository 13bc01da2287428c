/* receiver.h - the side of a transfer that gets the files; a core without files, channels or clock.
 * Source   docs/transfer.md.
 * Shape    messages go to input, and after each one the events are drained; what an event lends is good until the
 *          next input. The caller asks its user at OFFER, tells what it has of files (have_bytes, so that the hash of
 *          the part on disk is checked by the sender), accepts, writes what DATA brings, says how much is on disk
 *          (written: this opens the sender's window again), and answers END when the file is in its place
 *          (stored). A new channel after a broken one: restart; an offer of the same transfer then says `again`.
 * Errors   a peer that breaks the protocol, or offers what may not be (names, sizes, too many, twice), ends the
 *          transfer with the event FAILED and a CANCEL to it; nothing was asked of the caller before.
 * Thread   its owner's. */
#ifndef PL_TRANSFER_RECEIVER_H
#define PL_TRANSFER_RECEIVER_H

#include "transfer/message.h"
#include "transfer/sender.h"

typedef struct pl_transfer_receiver pl_transfer_receiver;

typedef enum pl_transfer_receiver_event_kind {
    PL_TRANSFER_RECEIVER_OFFER = 1, /* the manifest is whole; accept or cancel; again: it comes back */
    PL_TRANSFER_RECEIVER_BEGINS,    /* index, offset: 0, or what we have and the sender has checked */
    PL_TRANSFER_RECEIVER_DATA,      /* index, offset, data, len */
    PL_TRANSFER_RECEIVER_END,       /* index, offset: its size; whole: the hashes agree; then stored is due */
    PL_TRANSFER_RECEIVER_MISSING,   /* index, text: the sender cannot read it */
    PL_TRANSFER_RECEIVER_DONE,      /* all is answered for on both sides */
    PL_TRANSFER_RECEIVER_FAILED     /* code, text: by either side; nothing more comes */
} pl_transfer_receiver_event_kind;

typedef struct pl_transfer_receiver_event {
    pl_transfer_receiver_event_kind kind;
    uint32_t index;
    uint64_t offset;
    const uint8_t *data;
    size_t len;
    bool again, whole, theirs;
    unsigned code;
    uint8_t sha256[PL_SHA256_LEN];
    const char *text; /* "" when there is none */
} pl_transfer_receiver_event;

typedef struct pl_transfer_receiver_conf {
    pl_rand rand;         /* keys the table of names */
    uint32_t max_entries; /* 0: PL_TRANSFER_ENTRIES_MAX */
    uint64_t max_bytes;   /* 0: any; for streams, too */
    uint64_t window;      /* bytes that may be under way and not written; 0: 64 MiB */
} pl_transfer_receiver_conf;

PL_NODISCARD pl_err pl_transfer_receiver_new(pl_transfer_receiver **out,
                                             const pl_transfer_receiver_conf *conf);
void pl_transfer_receiver_free(pl_transfer_receiver *r); /* NULL is fine */
/* A new channel is there; message_max: what the peer takes in one message. Keeps what is known of the transfer.
 * Also the first verb. Errors: PL_EINVAL when it takes less than PL_TRANSFER_MESSAGE_MIN. */
PL_NODISCARD pl_err pl_transfer_receiver_start(pl_transfer_receiver *r, size_t message_max);
const pl_transfer_manifest *pl_transfer_receiver_manifest(const pl_transfer_receiver *r);

void pl_transfer_receiver_input(pl_transfer_receiver *r, const uint8_t *message, size_t len);
bool pl_transfer_receiver_poll_event(pl_transfer_receiver *r, pl_transfer_receiver_event *out);
bool pl_transfer_receiver_poll_output(pl_transfer_receiver *r, pl_transfer_output *out);
void pl_transfer_receiver_sent(pl_transfer_receiver *r);

/* Between OFFER (not again) and accept: the next bytes of what is on disk of a file, from its start, in the order of
 * indices. forget: it is not to be used after all. Errors: PL_EINVAL (no file, more than it has), PL_ENOMEM. */
PL_NODISCARD pl_err pl_transfer_receiver_have_bytes(pl_transfer_receiver *r, uint32_t index, const void *data,
                                                    size_t len);
void pl_transfer_receiver_forget(pl_transfer_receiver *r, uint32_t index);
uint64_t pl_transfer_receiver_have(const pl_transfer_receiver *r, uint32_t index);
/* A file of the offer is not wanted, or cannot be written: the sender hears UNWRITTEN once it would begin. */
PL_NODISCARD pl_err pl_transfer_receiver_accept(pl_transfer_receiver *r);
/* So many more bytes of DATA are written (or thrown away). */
void pl_transfer_receiver_written(pl_transfer_receiver *r, uint64_t bytes);
/* The answer to END (status WHOLE or UNWRITTEN; a file whose hash was wrong is answered by the core), or, between
 * BEGINS and END, UNWRITTEN with a reason: the rest of it is dropped. */
void pl_transfer_receiver_stored(pl_transfer_receiver *r, uint32_t index, pl_transfer_status status,
                                 const char *why);
void pl_transfer_receiver_cancel(pl_transfer_receiver *r, pl_transfer_code code, const char *text);
void pl_transfer_receiver_check(const pl_transfer_receiver *r);
void pl_transfer_receiver_progress(const pl_transfer_receiver *r, pl_transfer_progress *out);

#endif
