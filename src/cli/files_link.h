/* files_link.h - one connection with one channel for files (docs/transfer.md), set up over a room or by two pasted
 * codes.
 * Shape    new gives, free takes; lives on the loop. Callbacks come from the loop, `closed` once and last; the link is
 *          to be freed after it, not inside. The side that sends files opens the channel and offers. */
#ifndef PL_CLI_FILES_LINK_H
#define PL_CLI_FILES_LINK_H

#include <jansson.h>

#include "crypto/digest.h"
#include "peerline/peer_connection.h"
#include "transfer/words.h"

typedef struct pl_files_link pl_files_link;

typedef struct pl_files_link_conf {
    pl_factory *factory;
    const pl_configuration *connection; /* lent for the call of new */
    bool sender;
    json_t *tags;      /* of messages through a room; taken. NULL: codes */
    double patience_s; /* to wait for the connection, once both sides know each other */
    void *user;
    void (*say)(void *user, const char *text, size_t len); /* to the peer, through the room */
    void (*described)(void *user, const char *code);       /* codes: ours is whole; to be pasted over there */
    void (*note)(void *user, const char *text);
    void (*opened)(void *user);
    void (*message)(void *user, const uint8_t *data, size_t len);
    void (*writable)(void *user);                              /* what was sent has mostly gone */
    void (*closed)(void *user, const char *why, bool by_peer); /* by_peer: it left in order */
} pl_files_link_conf;

/* Errors: PL_ENOMEM, PL_EINVAL, PL_EIO. */
PL_NODISCARD pl_err pl_files_link_new(pl_files_link **out, const pl_files_link_conf *conf);
void pl_files_link_free(pl_files_link *l); /* NULL is fine */
/* A description or candidate from the room. */
void pl_files_link_take(pl_files_link *l, const json_t *o);
/* The other side's code. PL_EAGAIN: it is not whole yet; PL_EPROTO: damaged, or of the wrong side. */
PL_NODISCARD pl_err pl_files_link_paste(pl_files_link *l, const char *text);
/* PL_EAGAIN: enough is under way; `writable` tells when to go on. */
PL_NODISCARD pl_err pl_files_link_send(pl_files_link *l, const uint8_t *data, size_t len);
bool pl_files_link_is_open(const pl_files_link *l);
bool pl_files_link_is_silent(
    const pl_files_link *l); /* nothing comes over its path any more, which may pass */
size_t pl_files_link_unsent(const pl_files_link *l);
size_t pl_files_link_message_max(const pl_files_link *l);
/* When it gives up waiting for the connection, on pl_clock_us, or PL_NEVER; then `due` closes it. */
int64_t pl_files_link_next_us(const pl_files_link *l);
void pl_files_link_due(pl_files_link *l);
/* The digits to compare, and the path ("direct, 12 ms" ...); false before it is open. */
bool pl_files_link_digits(pl_files_link *l, char out[PL_TRANSFER_DIGITS_LEN + 1]);

#endif
