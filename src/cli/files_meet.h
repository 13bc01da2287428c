/* files_meet.h - two sides of a transfer find each other, and find each other again: in a room of their own that a
 * code names, in a server's common room by name, or by two codes that people paste.
 * Shape    new gives, free takes (and leaves the room); lives on the loop. One link at a time, which is made anew with
 *          growing pauses when it breaks, until told that all is over. Callbacks come from the loop and from tick.
 * Roles    the side that has the files offers; the other answers whoever offers, and stays with that transfer. */
#ifndef PL_CLI_FILES_MEET_H
#define PL_CLI_FILES_MEET_H

#include "cli/files_link.h"
#include "cli/room.h"

typedef struct pl_files_meet pl_files_meet;

typedef struct pl_files_meet_conf {
    pl_loop *loop;
    pl_factory *factory;
    const pl_configuration *connection;
    bool sender;
    const char *server; /* of rooms; NULL: codes are pasted */
    const char *code;   /* the room's name, or NULL: the common room */
    const char *name;   /* ours there */
    const char *to;     /* whom the sender looks for in the common room */
    const char *id;     /* of the transfer, for the sender */
    double patience_s;  /* give up when there is no link for so long */
    void *user;
    void (*note)(void *user, const char *text);
    void (*described)(void *user, const char *code);
    void (*opened)(void *user, const char *peer); /* a link is there, and the transfer may begin or go on */
    void (*message)(void *user, const uint8_t *data, size_t len);
    void (*writable)(void *user);
    void (*lost)(void *user, const char *why);   /* it will be made again */
    void (*failed)(void *user, const char *why); /* it will not */
} pl_files_meet_conf;

/* Copies nothing: the texts live as long as it. Errors: PL_EINVAL (URL, name, code), PL_ENOMEM, PL_EIO. */
PL_NODISCARD pl_err pl_files_meet_new(pl_files_meet **out, const pl_files_meet_conf *conf);
void pl_files_meet_free(pl_files_meet *m); /* NULL is fine */
/* The link that is open, or NULL. */
pl_files_link *pl_files_meet_link(pl_files_meet *m);
/* As pl_files_link_paste. */
PL_NODISCARD pl_err pl_files_meet_paste(pl_files_meet *m, const char *text);
/* The transfer is over: no new links. What was said last leaves, and with wait the other side closes first; both
 * for at most two seconds. */
void pl_files_meet_end(pl_files_meet *m, bool wait);
int64_t pl_files_meet_next_us(const pl_files_meet *m);
void pl_files_meet_tick(pl_files_meet *m);

#endif
