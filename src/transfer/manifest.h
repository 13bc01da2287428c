/* manifest.h - what a transfer is made of: a bounded list of files and folders, each name once.
 * Source   ours (docs/transfer.md, "Entries").
 * Shape    init/clear inside its owner; zero state legal. Paths live in one growing piece of memory, so that a
 *          hundred thousand files cost their names and 56 bytes each. Indices never change.
 * Units    bytes; microseconds since 1970 for the time of last change.
 * Errors   PL_EINVAL: a name that may not travel, a name twice, a file where another entry needs a folder, a kind or
 *          size out of range; PL_ENOSPC: a limit of this header; PL_ENOMEM. Nothing was added then. `why` becomes a
 *          sentence about it.
 * Thread   its owner's. */
#ifndef PL_TRANSFER_MANIFEST_H
#define PL_TRANSFER_MANIFEST_H

#include "base/hash.h"
#include "base/rand.h"
#include "base/slice.h"
#include "crypto/digest.h"
#include "peerline/error.h"

enum {
    PL_TRANSFER_ENTRIES_MAX = 262144,
    PL_TRANSFER_CHUNK = 1024,         /* entries that memory is got for at a time */
    PL_TRANSFER_PATHS_MAX = 16 << 20, /* bytes of all paths together */
    PL_TRANSFER_MODE_MASK = 0777      /* what travels of a mode: never set-user-id and the like */
};
#define PL_TRANSFER_SIZE_MAX     (UINT64_C(1) << 62) /* of one file, and of all together */
#define PL_TRANSFER_SIZE_UNKNOWN UINT64_MAX          /* of a stream */

typedef enum pl_transfer_kind {
    PL_TRANSFER_FILE = 0,
    PL_TRANSFER_FOLDER = 1,
    PL_TRANSFER_STREAM = 2 /* standard input: nobody knows how long; its sender cannot go back to the start */
} pl_transfer_kind;

typedef struct pl_transfer_entry {
    pl_str path; /* lent until the manifest changes */
    uint64_t size;
    int64_t mtime_us; /* 0: unknown */
    uint16_t mode;    /* 0: unknown */
    pl_transfer_kind kind;
} pl_transfer_entry;

typedef struct pl_transfer_manifest {
    struct pl_transfer_row *chunk[PL_TRANSFER_ENTRIES_MAX / PL_TRANSFER_CHUNK];
    uint32_t n, max;
    pl_buf paths;
    pl_hash names;
    uint64_t total;   /* bytes of all files whose size is known */
    uint32_t n_files; /* files and streams */
} pl_transfer_manifest;

/* max: entries, at most PL_TRANSFER_ENTRIES_MAX. */
void pl_transfer_manifest_init(pl_transfer_manifest *m, uint32_t max, const pl_rand *rand);
void pl_transfer_manifest_clear(pl_transfer_manifest *m);
PL_NODISCARD pl_err pl_transfer_manifest_add(pl_transfer_manifest *m, const pl_transfer_entry *e,
                                             const char **why);
/* Once all are in: that no entry lies below a file. */
PL_NODISCARD pl_err pl_transfer_manifest_finish(const pl_transfer_manifest *m, const char **why);
pl_transfer_entry pl_transfer_manifest_get(const pl_transfer_manifest *m, uint32_t index);
/* Equal for equal lists in equal order: how a sender that comes back is recognised. */
void pl_transfer_manifest_digest(const pl_transfer_manifest *m, uint8_t out[PL_SHA256_LEN]);

#endif
