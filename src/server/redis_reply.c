#include "server/redis_reply.h"

#include <hiredis/hiredis.h>

const redisReply *redis_item(const redisReply *list, size_t i)
{
    return list && list->type == REDIS_REPLY_ARRAY && i < list->elements ? list->element[i] : NULL;
}

uint64_t redis_number(const redisReply *reply)
{
    uint64_t n = 0;
    if (reply && reply->type == REDIS_REPLY_INTEGER)
        return reply->integer > 0 ? (uint64_t)reply->integer : 0;
    if (reply && reply->type == REDIS_REPLY_STRING)
        (void)pl_str_u64((pl_str){ reply->str, reply->len }, UINT64_MAX, &n);
    return n;
}

pl_str redis_text(const redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_STRING ? (pl_str){ reply->str, reply->len } : PL_STR("");
}

pl_peer_id redis_id(const redisReply *reply)
{
    uint64_t id = redis_number(reply);
    return id <= INT32_MAX ? (pl_peer_id)id : 0;
}

/* "node, bound, room, name", a line each. */
pl_share_peer redis_peer(pl_peer_id id, pl_str lines)
{
    pl_share_peer p = { .id = id };
    p.node = pl_str_cut(&lines, '\n');
    p.bound = pl_str_is(pl_str_cut(&lines, '\n'), "1");
    p.room = pl_str_cut(&lines, '\n');
    p.name = lines.p ? lines : PL_STR("");
    return p;
}

static pl_str field(const redisReply *fields, const char *name)
{
    for (size_t i = 0; fields && i + 1 < fields->elements; i += 2)
        if (pl_str_is(redis_text(fields->element[i]), name))
            return redis_text(fields->element[i + 1]);
    return PL_STR("");
}

static uint64_t field_number(const redisReply *fields, const char *name, uint64_t max)
{
    uint64_t n = 0;
    return pl_str_u64(field(fields, name), max, &n) ? n : 0;
}

static uint64_t seq_of(const redisReply *entry)
{
    uint64_t seq = 0;
    pl_str id = redis_text(redis_item(entry, 0));
    return pl_str_u64(pl_str_cut(&id, '-'), UINT64_MAX, &seq) ? seq : 0;
}

pl_share_note redis_note(const redisReply *entry)
{
    const redisReply *f = redis_item(entry, 1);
    pl_str what = field(f, "e");
    return (pl_share_note){ .seq = seq_of(entry),
                            .kind = pl_str_is(what, "join")   ? PL_SHARE_JOINED
                                    : pl_str_is(what, "left") ? PL_SHARE_LEFT
                                                              : PL_SHARE_MOVED,
                            .peer = { .id = (pl_peer_id)field_number(f, "i", INT32_MAX),
                                      .node = field(f, "n"),
                                      .room = field(f, "r"),
                                      .name = field(f, "a"),
                                      .bound = pl_str_is(field(f, "b"), "1") },
                            .by = field(f, "s") };
}

pl_share_message redis_message(const redisReply *entry)
{
    const redisReply *f = redis_item(entry, 1);
    return (pl_share_message){ .seq = seq_of(entry),
                               .origin = field_number(f, "o", INT64_MAX),
                               .to = (pl_peer_id)field_number(f, "t", INT32_MAX),
                               .from = (pl_peer_id)field_number(f, "f", INT32_MAX),
                               .type = field(f, "y"),
                               .data = field(f, "d") };
}
