/* files_disk.h - where what is received goes: below one folder, without following symbolic links, each file under a name
 * of its own until it is whole (NAME.part), and never over one that is there unless told to.
 * Shape    init/clear inside its owner; zero state legal. One file is written at a time.
 * Errors   false, and disk->error is a sentence. */
#ifndef PL_CLI_FILES_DISK_H
#define PL_CLI_FILES_DISK_H

#include "crypto/digest.h"
#include "transfer/path.h"
#include "transfer/receiver.h"

enum { PL_FILES_DISK_ERROR_MAX = 300 };

/* What was found of a single file, when nobody else counts it. */
typedef struct pl_files_found {
    pl_sha256_run run; /* of these bytes; its owner goes on with it */
    uint64_t n;
} pl_files_found;

typedef struct pl_files_disk {
    int root; /* the folder, or -1 */
    bool overwrite;
    pl_transfer_receiver *receiver; /* or: */
    pl_files_found *one;
    const pl_transfer_manifest *manifest; /* of either */
    /* looking at what is there, a piece at a time */
    uint32_t look_at;
    uint64_t look_offset;
    int look_fd;
    uint8_t *buffer;
    uint8_t *found; /* of each entry: what was found of it */
    /* the file at hand */
    int fd, folder;
    uint32_t index;
    uint64_t pos;
    char stored_as[PL_TRANSFER_PATH_MAX + 16]; /* of the last one that was put in its place */
    char error[PL_FILES_DISK_ERROR_MAX];
} pl_files_disk;

/* Makes the folder when only it is missing. */
bool pl_files_disk_init(pl_files_disk *d, const char *folder, bool overwrite);
void pl_files_disk_clear(pl_files_disk *d);
/* A new offer, told to the receiver: forget the last one. */
bool pl_files_disk_begin(pl_files_disk *d, pl_transfer_receiver *receiver);
/* The same for one file that comes another way (XEP-0234); manifest and one are lent. */
bool pl_files_disk_begin_one(pl_files_disk *d, const pl_transfer_manifest *manifest, pl_files_found *one);
/* Looks for partial and whole files and tells the receiver of them; some MiB a call. False when all is looked at. */
bool pl_files_disk_look(pl_files_disk *d);
/* Whether what is still to come fits. */
bool pl_files_disk_has_room(pl_files_disk *d);
bool pl_files_disk_make_folders(pl_files_disk *d);
/* A file begins at offset (what was found), or anew. */
bool pl_files_disk_open(pl_files_disk *d, uint32_t index, uint64_t offset);
bool pl_files_disk_write(pl_files_disk *d, const uint8_t *data, size_t len);
/* It is whole: mode and time, then its own name. keep false: it is damaged, or of no use after a fault, and is thrown away. */
bool pl_files_disk_store(pl_files_disk *d, bool keep);
/* It will not be finished now; what there is of it stays. */
void pl_files_disk_leave(pl_files_disk *d);
/* All is there: folders get their modes and times. */
void pl_files_disk_finish(pl_files_disk *d);

#endif
