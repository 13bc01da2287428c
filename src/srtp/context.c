#include "srtp/context.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/seq.h"
#include "crypto/replay.h"
#include "srtp/transform.h"

enum {
    RTP_FIXED = 12,
    RTCP_FIXED = 8,
    WORD_LEN = 4,
    VERSION_2 = 2,
};
#define E_FLAG         0x80000000u
#define RTP_INDEX_END  (INT64_C(1) << 48)
#define RTCP_INDEX_END 0x80000000u

_Static_assert((int)PL_SRTP_WINDOW == (int)PL_REPLAY_WINDOW, "the header promises what replay.h keeps");

typedef struct stream {
    pl_hash_node node;
    uint32_t ssrc;
    uint32_t next_rtcp; /* sending: the index of the next SRTCP packet */
    pl_replay rtp;      /* its top is ROC and sequence number of the newest packet, in 48 bits */
    pl_replay rtcp;     /* receiving */
} stream;

struct pl_srtp {
    pl_srtp_dir dir;
    pl_srtp_transform rtp, rtcp;
    pl_hash streams;
    stream *last; /* of the packet before: most come in runs of one stream */
};

/* ---- streams ---- */

static stream *find(pl_srtp *s, uint32_t ssrc)
{
    if (s->last && s->last->ssrc == ssrc)
        return s->last;
    for (pl_hash_node *n = pl_hash_find(&s->streams, &ssrc, sizeof ssrc); n; n = pl_hash_next(n)) {
        stream *st = pl_of(n, stream, node);
        if (st->ssrc == ssrc)
            return s->last = st;
    }
    return NULL;
}

static pl_err add(pl_srtp *s, uint32_t ssrc, stream **out)
{
    stream *st = calloc(1, sizeof *st);
    if (!st)
        return PL_ENOMEM;
    st->ssrc = ssrc;
    pl_err err = pl_hash_insert(&s->streams, &st->node, &ssrc, sizeof ssrc);
    if (err != PL_OK) {
        free(st);
        return err;
    }
    s->last = *out = st;
    return PL_OK;
}

static void drop(pl_srtp *s, stream *st)
{
    if (s->last == st)
        s->last = NULL;
    pl_hash_remove(&s->streams, &st->node);
    free(st);
}

pl_err pl_srtp_new(pl_srtp **out, pl_srtp_profile profile, const pl_srtp_master *master, pl_srtp_dir dir,
                   const pl_rand *rand)
{
    if (pl_srtp_key_len(profile) == 0)
        return PL_EINVAL;
    pl_srtp *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    uint8_t table_key[16];
    bool seal = dir == PL_SRTP_SEND;
    s->dir = dir;
    pl_rand_bytes(rand, table_key, sizeof table_key);
    pl_hash_init(&s->streams, PL_SRTP_STREAMS_MAX, table_key);
    pl_err err = pl_srtp_transform_init(&s->rtp, profile, master, seal, PL_SRTP_RTP);
    if (err == PL_OK)
        err = pl_srtp_transform_init(&s->rtcp, profile, master, seal, PL_SRTP_RTCP);
    if (err != PL_OK) {
        pl_srtp_free(s);
        return err;
    }
    *out = s;
    return PL_OK;
}

void pl_srtp_free(pl_srtp *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->streams.n_buckets; i++)
        while (s->streams.bucket[i])
            drop(s, pl_of(s->streams.bucket[i], stream, node));
    pl_hash_clear(&s->streams);
    pl_srtp_transform_clear(&s->rtp);
    pl_srtp_transform_clear(&s->rtcp);
    free(s);
}

void pl_srtp_forget(pl_srtp *s, uint32_t ssrc)
{
    stream *st = s->dir == PL_SRTP_RECV ? find(s, ssrc) : NULL;
    if (st)
        drop(s, st);
}

uint32_t pl_srtp_roc(pl_srtp *s, uint32_t ssrc)
{
    const stream *st = find(s, ssrc);
    return st ? (uint32_t)(st->rtp.top >> 16) : 0;
}

size_t pl_srtp_n_streams(const pl_srtp *s)
{
    return s->streams.n;
}

/* ---- RTP ---- */

/* What stays in clear: fixed header, contributing sources, extension (RFC 3550 5.1). 0 when malformed. */
static size_t head_len_of(const uint8_t *pkt, size_t len)
{
    if (len < RTP_FIXED || pkt[0] >> 6 != VERSION_2)
        return 0;
    size_t n = RTP_FIXED + 4u * (pkt[0] & 0x0f);
    if (pkt[0] & 0x10) {
        if (len < n + 4)
            return 0;
        n += 4 + 4u * pl_get16(pkt + n + 2);
    }
    return n <= len ? n : 0;
}

/* The 48-bit index nearest to the newest one (RFC 3711 3.3.1); negative: from before the stream's start. */
static int64_t index_of(const stream *st, uint16_t seq)
{
    return st && st->rtp.any ? pl_seq16_unwrap((int64_t)st->rtp.top, seq) : seq;
}

pl_err pl_srtp_protect(pl_srtp *s, uint8_t *pkt, size_t len, size_t cap, size_t *out_len)
{
    assert(s->dir == PL_SRTP_SEND);
    size_t head_len = head_len_of(pkt, len);
    if (head_len == 0)
        return PL_EPROTO;
    if (cap - len < s->rtp.tag_len || cap < len)
        return PL_ENOSPC;
    uint32_t ssrc = pl_get32(pkt + 8);
    stream *st = find(s, ssrc);
    if (!st) {
        pl_err err = add(s, ssrc, &st);
        if (err != PL_OK)
            return err;
    }
    int64_t index = index_of(st, pl_get16(pkt + 2));
    if (index >= RTP_INDEX_END)
        return PL_ESTATE;
    if (index < 0 || pl_replay_seen(&st->rtp, (uint64_t)index))
        return PL_EAGAIN;
    pl_replay_mark(&st->rtp, (uint64_t)index); /* also when sealing fails: the nonce may be used */
    pl_err err = pl_srtp_seal_rtp(&s->rtp, ssrc, (uint64_t)index, pkt, head_len, len);
    *out_len = len + s->rtp.tag_len;
    return err;
}

pl_err pl_srtp_unprotect(pl_srtp *s, uint8_t *pkt, size_t len, size_t *out_len)
{
    assert(s->dir == PL_SRTP_RECV);
    if (len < s->rtp.tag_len)
        return PL_EPROTO;
    len -= s->rtp.tag_len;
    size_t head_len = head_len_of(pkt, len);
    if (head_len == 0)
        return PL_EPROTO;
    uint32_t ssrc = pl_get32(pkt + 8);
    stream *st = find(s, ssrc);
    int64_t index = index_of(st, pl_get16(pkt + 2));
    if (index < 0 || (st && pl_replay_seen(&st->rtp, (uint64_t)index)))
        return PL_EAGAIN;
    if (index >= RTP_INDEX_END)
        return PL_ESTATE;
    pl_err err = pl_srtp_open_rtp(&s->rtp, ssrc, (uint64_t)index, pkt, head_len, len);
    if (err == PL_OK && !st)
        err = add(s, ssrc, &st);
    if (err != PL_OK)
        return err;
    pl_replay_mark(&st->rtp, (uint64_t)index);
    *out_len = len;
    return PL_OK;
}

/* ---- RTCP ---- */

static bool is_rtcp(const uint8_t *pkt, size_t len)
{
    return len >= RTCP_FIXED && pkt[0] >> 6 == VERSION_2;
}

pl_err pl_srtp_protect_rtcp(pl_srtp *s, uint8_t *pkt, size_t len, size_t cap, size_t *out_len)
{
    assert(s->dir == PL_SRTP_SEND);
    size_t more = s->rtcp.tag_len + WORD_LEN;
    if (!is_rtcp(pkt, len))
        return PL_EPROTO;
    if (cap < len || cap - len < more)
        return PL_ENOSPC;
    uint32_t ssrc = pl_get32(pkt + 4);
    stream *st = find(s, ssrc);
    if (!st) {
        pl_err err = add(s, ssrc, &st);
        if (err != PL_OK)
            return err;
    }
    if (st->next_rtcp >= RTCP_INDEX_END)
        return PL_ESTATE;
    *out_len = len + more;
    return pl_srtp_seal_rtcp(&s->rtcp, ssrc, E_FLAG | st->next_rtcp++, pkt, len);
}

pl_err pl_srtp_unprotect_rtcp(pl_srtp *s, uint8_t *pkt, size_t len, size_t *out_len)
{
    assert(s->dir == PL_SRTP_RECV);
    size_t more = s->rtcp.tag_len + WORD_LEN;
    if (len < more || !is_rtcp(pkt, len - more))
        return PL_EPROTO;
    len -= more;
    uint32_t word = pl_get32(pkt + len + (s->rtcp.aead ? s->rtcp.tag_len : 0));
    uint32_t ssrc = pl_get32(pkt + 4), index = word & ~E_FLAG;
    stream *st = find(s, ssrc);
    if (st && pl_replay_seen(&st->rtcp, index))
        return PL_EAGAIN;
    pl_err err = pl_srtp_open_rtcp(&s->rtcp, ssrc, word, pkt, len);
    if (err == PL_OK && !st)
        err = add(s, ssrc, &st);
    if (err != PL_OK)
        return err;
    pl_replay_mark(&st->rtcp, index);
    *out_len = len;
    return PL_OK;
}
