/* redis_watch.h - hiredis' connections on our loop.
 * hiredis brings an adapter for libuv that does not hear of a connection which is refused; this one does.
 * Shape    belongs to the context: attached once, it goes with redisAsyncFree or the connection's end. */
#ifndef PL_SERVER_REDIS_WATCH_H
#define PL_SERVER_REDIS_WATCH_H

#include "net/loop.h"

struct redisAsyncContext;

/* Errors: PL_ENOMEM, PL_EIO. */
PL_NODISCARD pl_err pl_redis_watch(struct redisAsyncContext *c, pl_loop *loop);

#endif
