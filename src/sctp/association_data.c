/* DATA, I-DATA, FORWARD TSN and I-FORWARD-TSN: whether there is room, and what the chunk means. */
#include "sctp/association_internal.h"

/* What is kept of a chunk that came early is more than the chunk, which the peer cannot know: the part of the window that makes
 * up for it. */
enum { EARLY_SHARE = 16 };

static void invalid_stream(pl_sctp *s, uint16_t sid)
{
    uint8_t chunk[12];
    pl_wr w = pl_wr_init(chunk, sizeof chunk);
    size_t error = pl_sctp_chunk_begin(&w, PL_SCTP_ERROR, 0);
    pl_sctp_cause_invalid_stream(&w, sid);
    pl_sctp_chunk_end(&w, error);
    pl_sctp_reply_chunk(s, &w);
}

/* Tables of streams are never given back: the window lets in as much beside them as before. */
enum { TABLES_TIMES = 4 };

/* Half full, or no room for a buffer as long as the next one would be: from here on none is made longer in advance. (One
 * that doubles adds no more than is held.) */
static void mind_buffers(pl_sctp *s)
{
    size_t held = pl_sctp_held(s);
    if (held > s->window.size / 2 || held + pl_sctp_reassembly_in_advance(&s->re) > s->window.size)
        pl_sctp_reassembly_spare(&s->re);
    else if (s->re.sparing)
        pl_sctp_reassembly_loosen(&s->re);
}

static size_t growth_of(const pl_sctp *s, const pl_sctp_data *d)
{
    size_t least = pl_sctp_fragment_cost(d->len);
    size_t growth = pl_sctp_reassembly_growth(&s->re, d, s->in.cumulative_tsn);
    return growth > least ? growth : least;
}

/* Early chunks, and whole messages that came early, go back to being missing (6.2), the latest first. */
static void give_back(pl_sctp *s, const pl_sctp_data *d)
{
    uint32_t tsn, n;
    while (pl_sctp_held(s) + growth_of(s, d) > pl_sctp_hard_limit(s) &&
           pl_sctp_reassembly_renege(&s->re, s->in.cumulative_tsn, s->in.highest_tsn, &tsn, &n)) {
        for (; n > 0; n--, tsn++)
            pl_sctp_sack_renege(&s->in, tsn);
    }
}

/* What is kept never goes beyond the window and a tenth. The next chunk in order gets in beyond the window when the
 * application has nothing left to take: else a window full of later chunks would never drain. For it buffers become
 * as small as what is in them, the window grows if it may, and what came early is given back. What then is left is
 * user data that the window has let in, and at most a tenth beside it, of an honest peer. */
static bool make_room(pl_sctp *s, const pl_sctp_data *d)
{
    mind_buffers(s);
    size_t held = pl_sctp_held(s), growth = growth_of(s, d);
    if (held + growth <= s->window.size)
        return true;
    if (s->re.ready || pl_sctp_app_is_behind(s)) /* there is something to take */
        return false;
    if (d->tsn != s->in.cumulative_tsn + 1)
        return held + growth <= s->window.size + s->window.size / EARLY_SHARE;
    pl_sctp_reassembly_tighten(&s->re);
    pl_sctp_window_need(&s->window, pl_sctp_held(s) + growth_of(s, d));
    give_back(s, d);
    return pl_sctp_held(s) + growth_of(s, d) <= pl_sctp_hard_limit(s);
}

static pl_err take_in_order(pl_sctp *s, const pl_sctp_data *d)
{
    pl_err err = pl_sctp_reassembly_next(&s->re, d);
    if (err != PL_OK)
        return err;
    pl_sctp_sack_add(&s->in, d->tsn);
    for (uint32_t tsn = d->tsn + 1; pl_seq32_at_least(s->in.cumulative_tsn, tsn) && err == PL_OK; tsn++) {
        mind_buffers(s);
        err = pl_sctp_reassembly_reached(&s->re, tsn);
    }
    if (err == PL_ENOMEM) /* acknowledged, and cannot be kept */
        pl_sctp_fail(s, PL_ENOMEM, PL_SCTP_CAUSE_OUT_OF_RESOURCE, "no memory for received data");
    return err == PL_ENOMEM ? PL_OK : err;
}

static pl_err take_early(pl_sctp *s, const pl_sctp_data *d)
{
    pl_err err = pl_sctp_reassembly_early(&s->re, d, s->in.cumulative_tsn);
    if (err == PL_OK)
        pl_sctp_sack_add(&s->in, d->tsn);
    return err;
}

static void take_data(pl_sctp *s, const pl_sctp_data *d)
{
    bool room = make_room(s, d);
    if (!room || pl_sctp_sack_reserve(&s->in, d->tsn) != PL_OK) {
        s->stats.chunks_dropped++;
        return;
    }
    bool next = d->tsn == s->in.cumulative_tsn + 1;
    pl_err err = next ? take_in_order(s, d) : take_early(s, d);
    if (!next)
        pl_sctp_size_window(s, 0);
    if (err == PL_ENOSPC)
        pl_sctp_fail(s, PL_EPROTO, PL_SCTP_CAUSE_PROTOCOL_VIOLATION, "message above the maximum size");
    else if (err != PL_OK)
        s->stats.chunks_dropped++;
    else
        s->stats.chunks_received++;
    pl_sctp_window_need(&s->window, TABLES_TIMES * s->re.tables);
}

/* RFC 8260 2.2.1: what was agreed on is the only kind. True: that was the end. */
static bool wrong_kind(pl_sctp *s, bool interleaved)
{
    if (interleaved == !!(s->extensions & PL_SCTP_EXT_INTERLEAVE))
        return false;
    pl_sctp_fail(s, PL_EPROTO, PL_SCTP_CAUSE_PROTOCOL_VIOLATION,
                 interleaved ? "I-DATA that was not agreed on" : "DATA where I-DATA was agreed on");
    return true;
}

void pl_sctp_on_data(pl_sctp *s, pl_sctp_packet *p, const pl_sctp_chunk *chunk)
{
    pl_sctp_data d;
    if (!pl_sctp_may_receive(s) || wrong_kind(s, chunk->type == PL_SCTP_I_DATA))
        return;
    if (pl_sctp_data_parse(&d, chunk) != PL_OK) {
        s->stats.bad_packets++;
        return;
    }
    if (d.len == 0) { /* 6.2 */
        uint8_t tsn[4];
        pl_put32(tsn, d.tsn);
        pl_sctp_fail_by(s, PL_EPROTO, PL_SCTP_CAUSE_NO_USER_DATA, tsn, sizeof tsn, "DATA without user data");
        return;
    }
    p->data = true;
    p->at_once |= d.flags & PL_SCTP_DATA_I || s->state == PL_SCTP_SHUTDOWN_SENT;
    switch (pl_sctp_sack_look(&s->in, d.tsn)) {
    case PL_SCTP_TSN_DUPLICATE: s->stats.chunks_duplicate++; return;
    case PL_SCTP_TSN_TOO_FAR: s->stats.chunks_dropped++; return;
    case PL_SCTP_TSN_NEW: break;
    }
    if (d.sid >= s->streams_in) { /* 6.5: acknowledged and thrown away */
        invalid_stream(s, d.sid);
        d.flags |= PL_SCTP_DATA_U; /* without a beginning it is an orphan; see reassembly */
        d.flags &= (uint8_t)~PL_SCTP_DATA_B;
        s->stats.chunks_dropped++;
    }
    take_data(s, &d);
}

bool pl_sctp_room_for_streams(const pl_sctp *s, size_t growth)
{
    return growth == 0 || pl_sctp_held(s) + growth <= pl_sctp_hard_limit(s);
}

/* A stream that is spoken of costs memory, even when nothing comes of it. */
static bool room_for_skips(const pl_sctp *s, const pl_sctp_forward *f)
{
    size_t growth = 0;
    for (size_t i = 0; i < f->n_skips; i++) {
        pl_sctp_skip skip = pl_sctp_forward_skip(f, i);
        if (skip.sid < s->streams_in)
            growth += pl_sctp_reassembly_stream_growth(&s->re, skip.sid);
    }
    return pl_sctp_room_for_streams(s, growth);
}

/* RFC 3758 3.6, RFC 8260 2.3.1 */
void pl_sctp_on_forward(pl_sctp *s, pl_sctp_packet *p, const pl_sctp_chunk *chunk)
{
    pl_sctp_forward f;
    bool interleaved = chunk->type == PL_SCTP_I_FORWARD_TSN;
    if (!pl_sctp_may_receive(s) || !(s->extensions & PL_SCTP_EXT_FORWARD_TSN) || wrong_kind(s, interleaved))
        return;
    if (pl_sctp_forward_parse(&f, chunk->body, interleaved) != PL_OK) {
        s->stats.bad_packets++;
        return;
    }
    p->data = p->at_once = true;
    uint32_t old_tsn = s->in.cumulative_tsn;
    if (!pl_seq32_newer(f.cumulative_tsn, old_tsn) || !room_for_skips(s, &f))
        return; /* an old one, or not now: the SACK tells where we are */
    pl_sctp_reassembly_forward(&s->re, old_tsn, f.cumulative_tsn);
    pl_err err = PL_OK;
    for (size_t i = 0; i < f.n_skips && err == PL_OK; i++) {
        pl_sctp_skip skip = pl_sctp_forward_skip(&f, i);
        if (skip.sid < s->streams_in)
            err = interleaved ? pl_sctp_reassembly_skip_interleaved(&s->re, skip)
                              : pl_sctp_reassembly_skip(&s->re, skip);
    }
    pl_sctp_sack_forward(&s->in, f.cumulative_tsn);
    for (uint32_t tsn = f.cumulative_tsn + 1; pl_seq32_at_least(s->in.cumulative_tsn, tsn) && err == PL_OK;
         tsn++) {
        mind_buffers(s);
        err = pl_sctp_reassembly_reached(&s->re, tsn);
    }
    if (err != PL_OK)
        pl_sctp_fail(s, err == PL_ENOSPC ? PL_EPROTO : err, PL_SCTP_CAUSE_OUT_OF_RESOURCE,
                     "cannot keep received data");
}
