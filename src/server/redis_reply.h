/* redis_reply.h - what Redis answers, as the types of signal/share.h. What has another form than ours is 0 or empty.
 * Shape    private to redis.c; texts point into the reply. */
#ifndef PL_SERVER_REDIS_REPLY_H
#define PL_SERVER_REDIS_REPLY_H

#include "signal/share.h"

struct redisReply;

const struct redisReply *redis_item(const struct redisReply *list, size_t i);
uint64_t redis_number(const struct redisReply *reply);
pl_str redis_text(const struct redisReply *reply);
pl_peer_id redis_id(const struct redisReply *reply);
/* "node, bound, room, name", a line each. */
pl_share_peer redis_peer(pl_peer_id id, pl_str lines);
/* An entry of a stream. */
pl_share_note redis_note(const struct redisReply *entry);
pl_share_message redis_message(const struct redisReply *entry);

#endif
