/* rig.h - a sender, a receiver, what lies on their disks, and a wire between them that can be cut. */
#ifndef PL_TESTS_TRANSFER_RIG_H
#define PL_TESTS_TRANSFER_RIG_H

#include "base/rand.h"
#include "transfer/receiver.h"
#include "transfer/sender.h"

enum { RIG_FILES = 16, RIG_QUEUE = 8192 };

typedef struct rig_file {
    const char *name;
    uint64_t size;
    pl_transfer_kind kind;
    uint8_t *source;    /* what the sender reads */
    uint64_t shrunk_to; /* the source ends here, when not 0 */
    uint64_t read_at;   /* of a stream */
    uint8_t *disk;      /* what the receiver has written */
    uint64_t on_disk;   /* so many bytes of it */
    bool stored, damaged, unwritten, missing;
    bool refuse;            /* the receiver cannot write it */
    int n_begun, n_resumed; /* as the receiver was told */
} rig_file;

typedef struct rig_message {
    uint8_t *data;
    size_t len;
} rig_message;
typedef struct rig_wire {
    rig_message queue[RIG_QUEUE];
    size_t in, out;
} rig_wire;

typedef struct rig {
    pl_rand_seeded seed;
    pl_rand rand;
    pl_transfer_sender *sender;
    pl_transfer_receiver *receiver;
    rig_file file[RIG_FILES];
    uint32_t n;
    rig_wire to_receiver, to_sender;
    uint8_t block[PL_TRANSFER_HEADROOM + PL_TRANSFER_BLOCK];
    uint64_t window, max_bytes;
    uint32_t max_entries;
    size_t message_max;
    uint64_t n_messages, read_bytes; /* delivered on both wires; read from sources */
    bool sender_done, sender_failed, receiver_done, receiver_failed, declines, slow_disk;
    bool again;         /* of the last offer */
    uint64_t unwritten; /* bytes that a slow disk has not written */
    unsigned sender_code, receiver_code;
    bool sender_theirs, receiver_theirs;
    char sender_text[300], receiver_text[300];
    int n_offers, n_accepted;
    uint32_t n_answers[4]; /* by status, as the sender was told */
} rig;

rig *rig_new(uint64_t seed);
void rig_free(rig *r);
/* Fills the source with bytes of the seed. Returns the file. */
rig_file *rig_add(rig *r, const char *name, uint64_t size, pl_transfer_kind kind);
/* A new channel: what was on the wires is lost. The first one makes the two sides. */
void rig_connect(rig *r);
void rig_new_sender(rig *r);   /* the process was started again */
void rig_new_receiver(rig *r); /* the same; its disk is kept */
/* Delivers up to n messages, in random turns; returns how many. Fewer: nothing moves any more. */
uint64_t rig_run(rig *r, uint64_t n);
bool rig_over(const rig *r);
/* Every file is stored, and is what its sender has. */
bool rig_is_whole(const rig *r);

#endif
