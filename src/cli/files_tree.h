/* files_tree.h - what is sent: the paths of the command line, walked into a transfer's entries, and opened again one at a
 * time to be read.
 * Shape    init/clear inside its owner; zero state legal. Folders are walked in the order of names, so that the same
 *          tree gives the same list. Symbolic links below the given paths, devices and sockets are left out with a
 *          note; so is what has a name that may not travel. */
#ifndef PL_CLI_FILES_TREE_H
#define PL_CLI_FILES_TREE_H

#include "transfer/sender.h"

enum { PL_FILES_DEPTH_MAX = 64, PL_FILES_ERROR_MAX = 512 };

typedef struct pl_files_tree {
    pl_transfer_sender *sender;
    char **root; /* where the first part of an entry's path really lies, one an argument */
    size_t n_roots;
    uint16_t *root_of; /* of each entry */
    size_t cap_entries;
    uint32_t n_missed; /* files and folders that cannot be read, or whose name may not travel */
    int fd;            /* open file, or -1 */
    uint32_t fd_index;
    void (*note)(const char *text);
    char error[PL_FILES_ERROR_MAX]; /* why a path cannot be sent */
} pl_files_tree;

/* note: a sentence about something that is left out. */
void pl_files_tree_init(pl_files_tree *t, pl_transfer_sender *sender, void (*note)(const char *text));
void pl_files_tree_clear(pl_files_tree *t);
/* One argument of the command line; "-" is standard input. False: t->error says why nothing can be sent. */
bool pl_files_tree_add(pl_files_tree *t, const char *path);
/* Reads up to cap bytes at offset; returns how many, 0 at the end of the file, or -1 with t->error set. */
long pl_files_tree_read(pl_files_tree *t, uint32_t index, uint64_t offset, uint8_t *into, size_t cap);

#endif
