/* redis.h - the memory that nodes share (signal/share.h), in Redis 6.2 or later: two connections, one for what is asked, one
 * that waits for what the others do.
 * Shape    lives on a loop; new gives, free takes. Comes back by itself, with pauses of 0.25 to 2 s, when Redis is not
 *          there; the rooms go on meanwhile.
 * Errors   PL_EINVAL: the URL; everything later is a log line and another try.
 * Thread   the loop's owner. */
#ifndef PL_SERVER_REDIS_H
#define PL_SERVER_REDIS_H

#include "net/loop.h"
#include "signal/share.h"

enum { PL_REDIS_SAY_MAX = 256 };

typedef struct pl_redis_conf {
    const char *url;             /* redis://[USER@]HOST[:PORT][/DATABASE]; a password may stand in it, too */
    const char *password;        /* or NULL */
    const char *prefix;          /* of all keys; NULL: "peerline:" */
    pl_rooms *rooms;             /* with conf.shared; lent */
    void (*changed)(void *user); /* the rooms may have something to tell */
    void *user;
} pl_redis_conf;

typedef struct pl_redis pl_redis;

/* say: what is wrong with the URL. */
PL_NODISCARD pl_err pl_redis_new(pl_redis **out, pl_loop *loop, const pl_redis_conf *conf,
                                 char say[PL_REDIS_SAY_MAX]);
/* The operations that wait are lost: pl_redis_flush first. NULL is fine. */
void pl_redis_free(pl_redis *r);
/* Everything was told, or there is nobody to tell it to. */
bool pl_redis_is_idle(const pl_redis *r);
const pl_share_stats *pl_redis_get_stats(const pl_redis *r);

#endif
