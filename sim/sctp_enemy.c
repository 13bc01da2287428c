#include "sim/sctp_enemy.h"

#include <string.h>

#include "base/seq.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_forward.h"
#include "sctp/chunk_init.h"
#include "sctp/chunk_reconfig.h"
#include "sctp/chunk_sack.h"

enum { PORT = 5000, PACKET = 1180 };

static const uint8_t zeros[1200];

static uint32_t below(sim_enemy *e, uint32_t n)
{
    return pl_rand_below(&e->rand, n);
}

static bool one_in(sim_enemy *e, uint32_t n)
{
    return below(e, n) == 0;
}

const char *sim_attack_str(sim_attack attack)
{
    static const char *const name[] = { "mutant",  "noise",       "data",      "endless",  "holes",
                                        "waiting", "interleaved", "sack lies", "optimist", "windows",
                                        "forward", "reconfig",    "init",      "cookie",   "heartbeat",
                                        "unknown", "end" };
    return name[attack];
}

void sim_enemy_init(sim_enemy *e, uint64_t seed)
{
    *e = (sim_enemy){ 0 };
    e->rand = pl_rand_seed(&e->state, seed);
    e->lethal = one_in(e, 10);
}

/* --- watching --- */

static void saw_data(sim_enemy *e, bool from_victim, const pl_sctp_chunk *c)
{
    pl_sctp_data d;
    if (pl_sctp_data_parse(&d, c) != PL_OK)
        return;
    uint32_t *last = from_victim ? &e->their_tsn : &e->tsn;
    if (pl_seq32_newer(d.tsn, *last))
        *last = d.tsn;
    e->interleaved = d.interleaved;
}

static void saw_init(sim_enemy *e, bool from_victim, const pl_sctp_chunk *c)
{
    pl_sctp_init in;
    if (pl_sctp_init_parse(&in, c->body) != PL_OK)
        return;
    if (from_victim) {
        e->tag = in.tag;
        e->their_tsn = e->their_first = in.tsn - 1;
        e->response_seq = in.tsn;
    } else {
        e->own_tag = in.tag;
        e->tsn = in.tsn - 1;
        e->request_seq = in.tsn;
    }
    e->interleaved = in.extensions & PL_SCTP_EXT_INTERLEAVE;
}

void sim_enemy_saw(sim_enemy *e, bool from_victim, const uint8_t *pkt, size_t len)
{
    pl_rd chunks = pl_rd_init(pkt, len);
    pl_sctp_chunk c;
    pl_rd_skip(&chunks, PL_SCTP_HEADER);
    if (!from_victim && len <= sizeof e->honest) {
        memcpy(e->honest, pkt, len);
        e->honest_len = len;
    }
    while (pl_sctp_chunk_next(&chunks, &c)) {
        size_t n = pl_rd_left(&c.body);
        if (c.type == PL_SCTP_DATA || c.type == PL_SCTP_I_DATA)
            saw_data(e, from_victim, &c);
        else if (c.type == PL_SCTP_INIT || c.type == PL_SCTP_INIT_ACK)
            saw_init(e, from_victim, &c);
        if (c.type == PL_SCTP_COOKIE_ECHO && !from_victim && n <= sizeof e->cookie) {
            memcpy(e->cookie, c.body.p, n);
            e->cookie_len = n;
        }
    }
}

/* --- DATA --- */

static void put_data(sim_enemy *e, pl_wr *w, uint32_t tsn, uint8_t flags, uint16_t sid, uint32_t mid,
                     uint32_t fsn, size_t len)
{
    pl_sctp_data d = { .tsn = tsn,
                       .ppid = 53,
                       .mid = mid,
                       .fsn = fsn,
                       .sid = sid,
                       .flags = flags,
                       .interleaved = e->interleaved,
                       .payload = zeros,
                       .len = len };
    if (e->lethal && one_in(e, 200))
        d.interleaved = !d.interleaved;
    pl_sctp_data_write(w, &d);
}

static bool room(const pl_wr *w, size_t n)
{
    return pl_wr_len(w) + n + 24 < PACKET;
}

static void attack_data(sim_enemy *e, pl_wr *w)
{
    for (uint32_t n = 1 + below(e, 6); n > 0; n--) {
        size_t len = e->lethal && one_in(e, 500) ? 0 : 1 + below(e, one_in(e, 3) ? 300 : 20);
        uint32_t tsn = e->tsn + below(e, 40) - 8;
        if (one_in(e, 20))
            tsn += pl_rand_u32(&e->rand);
        if (room(w, len))
            put_data(e, w, tsn, (uint8_t)below(e, 16), (uint16_t)below(e, one_in(e, 10) ? 65536 : 4),
                     below(e, 8), below(e, 6), len);
        if (pl_seq32_newer(tsn, e->tsn) && tsn - e->tsn < 100)
            e->tsn = tsn;
    }
}

static void attack_endless(sim_enemy *e, pl_wr *w)
{
    size_t len = 1 + below(e, 4);
    while (room(w, len)) {
        put_data(e, w, ++e->tsn, e->begun ? 0 : PL_SCTP_DATA_B, 1, 0, e->fsn++, len);
        e->begun = true;
    }
}

static void attack_holes(sim_enemy *e, pl_wr *w)
{
    size_t len = 1 + below(e, 3);
    while (room(w, len)) {
        e->tsn += 2;
        put_data(e, w, e->tsn, (uint8_t)below(e, 8), (uint16_t)below(e, 100), below(e, 1000), below(e, 3),
                 len);
    }
}

/* Message 1 of a stream whose message 0 never comes. */
static void attack_waiting(sim_enemy *e, pl_wr *w)
{
    size_t len = 1 + below(e, 8);
    while (room(w, len)) {
        e->sid = (uint16_t)(e->sid + 1);
        put_data(e, w, ++e->tsn, PL_SCTP_DATA_B | PL_SCTP_DATA_E, e->sid, 1 + e->mid / 65535, 0, len);
        e->mid++;
    }
}

static void attack_interleaved(sim_enemy *e, pl_wr *w)
{
    size_t len = 1 + below(e, 8);
    while (room(w, len)) {
        e->sid = (uint16_t)(e->sid + 1);
        put_data(e, w, ++e->tsn, (uint8_t)(PL_SCTP_DATA_B | (one_in(e, 2) ? PL_SCTP_DATA_U : 0)), e->sid,
                 e->mid++ / 65535, 0, len);
    }
}

/* --- SACK --- */

static void put_sack(pl_wr *w, uint32_t cumulative, uint32_t window, const uint16_t *gap, size_t n_gaps,
                     size_t n_duplicates)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_SACK, 0);
    pl_wr_u32(w, cumulative);
    pl_wr_u32(w, window);
    pl_wr_u16(w, (uint16_t)n_gaps);
    pl_wr_u16(w, (uint16_t)n_duplicates);
    for (size_t i = 0; i < 2 * n_gaps; i++)
        pl_wr_u16(w, gap[i]);
    for (size_t i = 0; i < n_duplicates; i++)
        pl_wr_u32(w, cumulative - (uint32_t)i);
    pl_sctp_chunk_end(w, chunk);
}

static void attack_sack_lies(sim_enemy *e, pl_wr *w)
{
    uint16_t gap[540];
    size_t n = below(e, one_in(e, 3) ? 270 : 5), duplicates = n < 200 && one_in(e, 2) ? below(e, 50) : 0;
    uint16_t at = (uint16_t)below(e, 20);
    bool ordered = one_in(e, 2);
    for (size_t i = 0; i < 2 * n; i++) {
        at = (uint16_t)(at + below(e, 6));
        gap[i] = ordered ? at : (uint16_t)below(e, one_in(e, 2) ? 65536 : 64);
    }
    uint32_t cumulative = e->their_first + below(e, 30) - 5;
    if (one_in(e, 4))
        cumulative = one_in(e, 2) ? pl_rand_u32(&e->rand) : e->their_tsn + below(e, 3);
    put_sack(w, cumulative, one_in(e, 3) ? pl_rand_u32(&e->rand) : 100000, gap, n, duplicates);
}

static void attack_optimist(sim_enemy *e, pl_wr *w)
{
    e->their_first = e->their_tsn;
    put_sack(w, e->their_tsn, 1 << 20, NULL, 0, 0);
}

static void attack_windows(sim_enemy *e, pl_wr *w)
{
    static const uint32_t window[] = { 0, 1, 2, 100, 1500, 0x7fffffff, 0xffffffff };
    put_sack(w, one_in(e, 2) ? e->their_tsn : e->their_first, window[below(e, 7)], NULL, 0, 0);
}

/* --- the rest --- */

static void attack_forward(sim_enemy *e, pl_wr *w)
{
    pl_sctp_skip skip[140];
    size_t n = below(e, one_in(e, 4) ? 140 : 4);
    for (size_t i = 0; i < n; i++)
        skip[i] = (pl_sctp_skip){ .sid = (uint16_t)below(e, one_in(e, 2) ? 65536 : 8),
                                  .mid = one_in(e, 4) ? pl_rand_u32(&e->rand) : below(e, 10),
                                  .unordered = one_in(e, 3) };
    uint32_t tsn = e->tsn + below(e, 40) - 5;
    if (one_in(e, 8))
        tsn += below(e, one_in(e, 2) ? 100000 : 0x7fffffff);
    if (pl_seq32_newer(tsn, e->tsn))
        e->tsn = tsn;
    pl_sctp_forward_write(w, e->interleaved, tsn, skip, n);
}

static void attack_reconfig(sim_enemy *e, pl_wr *w)
{
    uint16_t sids[200];
    size_t n = below(e, one_in(e, 4) ? 200 : 3);
    for (size_t i = 0; i < n; i++)
        sids[i] = (uint16_t)below(e, one_in(e, 8) ? 65536 : 200);
    uint32_t seq = one_in(e, 3) ? e->request_seq + below(e, 4) - 2 : e->request_seq++;
    if (one_in(e, 4)) {
        pl_sctp_reset_response_write(w, e->response_seq + below(e, 3) - 1, (pl_sctp_reset_result)below(e, 9));
        return;
    }
    if (one_in(e, 2)) {
        pl_sctp_reset_out_write(w, seq, e->response_seq, e->tsn + below(e, 20) - 10, sids, n);
        return;
    }
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_RECONFIG, 0);
    size_t param = pl_sctp_param_begin(w, (uint16_t)(PL_SCTP_RESET_IN + below(e, 6)));
    pl_wr_u32(w, seq);
    for (size_t i = 0; i < n; i++)
        pl_wr_u16(w, sids[i]);
    pl_sctp_param_end(w, param);
    pl_sctp_chunk_end(w, chunk);
}

static void attack_init(sim_enemy *e, pl_wr *w)
{
    pl_sctp_init init = { .tag = one_in(e, 4) ? e->own_tag : pl_rand_u32(&e->rand),
                          .a_rwnd = below(e, 1 << 20),
                          .tsn = pl_rand_u32(&e->rand),
                          .streams_out = (uint16_t)below(e, 65536),
                          .streams_in = (uint16_t)below(e, 65536),
                          .extensions = (uint8_t)below(e, 16) };
    pl_sctp_init_write(w, one_in(e, 6) ? PL_SCTP_INIT_ACK : PL_SCTP_INIT, &init);
}

static void attack_cookie(sim_enemy *e, pl_wr *w)
{
    uint8_t cookie[sizeof e->cookie];
    size_t n = e->cookie_len;
    memcpy(cookie, e->cookie, n);
    if (n > 0 && one_in(e, 2))
        cookie[below(e, (uint32_t)n)] ^= (uint8_t)(1 + below(e, 255));
    if (one_in(e, 6))
        n = below(e, (uint32_t)n + 1);
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_COOKIE_ECHO, 0);
    pl_wr_bytes(w, cookie, n);
    pl_sctp_chunk_end(w, chunk);
}

static void put_chunk(pl_wr *w, uint8_t type, uint8_t flags, size_t len)
{
    size_t chunk = pl_sctp_chunk_begin(w, type, flags);
    pl_wr_bytes(w, zeros, len);
    pl_sctp_chunk_end(w, chunk);
}

static void attack_heartbeat(sim_enemy *e, pl_wr *w)
{
    size_t len = below(e, one_in(e, 2) ? 1100 : 8);
    do
        put_chunk(w, one_in(e, 8) ? PL_SCTP_HEARTBEAT_ACK : PL_SCTP_HEARTBEAT, 0, len);
    while (room(w, len));
}

static void attack_unknown(sim_enemy *e, pl_wr *w)
{
    size_t len = below(e, one_in(e, 2) ? 300 : 4);
    do
        put_chunk(w, (uint8_t)(PL_SCTP_I_FORWARD_TSN + 1 + below(e, 60)), (uint8_t)below(e, 256), len);
    while (room(w, len));
}

/* The kind of DATA that was not agreed on ends it, and so do these (RFC 9260 3.3.7, 9.2; RFC 8260 2.2.1). */
static bool ends(const sim_enemy *e, uint8_t type)
{
    switch (type) {
    case PL_SCTP_DATA:
    case PL_SCTP_FORWARD_TSN: return e->interleaved;
    case PL_SCTP_I_DATA:
    case PL_SCTP_I_FORWARD_TSN: return !e->interleaved;
    default: return type >= PL_SCTP_ABORT && type <= PL_SCTP_SHUTDOWN_ACK;
    }
}

static void attack_noise(sim_enemy *e, pl_wr *w)
{
    for (uint32_t n = 1 + below(e, 4); n > 0; n--) {
        uint8_t type = (uint8_t)below(e, one_in(e, 3) ? 256 : 16);
        if (ends(e, type) && !e->lethal)
            continue;
        size_t chunk = pl_sctp_chunk_begin(w, type, (uint8_t)below(e, 256));
        for (size_t k = below(e, 60); k > 0; k--)
            pl_wr_u8(w, (uint8_t)below(e, 256));
        pl_sctp_chunk_end(w, chunk);
    }
}

static void attack_end(sim_enemy *e, pl_wr *w)
{
    static const uint8_t type[] = { PL_SCTP_SHUTDOWN, PL_SCTP_SHUTDOWN_ACK, PL_SCTP_SHUTDOWN_COMPLETE,
                                    PL_SCTP_ERROR, PL_SCTP_COOKIE_ACK };
    size_t chunk = pl_sctp_chunk_begin(w, type[below(e, 5)], (uint8_t)below(e, 2));
    if (one_in(e, 2))
        pl_wr_u32(w, one_in(e, 2) ? e->their_tsn : pl_rand_u32(&e->rand));
    pl_sctp_chunk_end(w, chunk);
}

/* An honest packet, with a few bytes behind the header changed; its checksum is right again. */
static size_t mutant(sim_enemy *e, uint8_t *out, size_t cap)
{
    size_t len = e->honest_len;
    if (len <= PL_SCTP_HEADER || len > cap)
        return 0;
    memcpy(out, e->honest, len);
    for (uint32_t n = 1 + below(e, 4); n > 0; n--)
        out[PL_SCTP_HEADER + below(e, (uint32_t)len - PL_SCTP_HEADER)] = (uint8_t)below(e, 256);
    pl_wr w = pl_wr_init(out, len);
    (void)pl_wr_make(&w, len);
    pl_sctp_packet_end(&w);
    return len;
}

size_t sim_enemy_packet(sim_enemy *e, sim_attack attack, uint8_t *out, size_t cap)
{
    static void (*const put[SIM_ATTACKS])(sim_enemy *, pl_wr *) = {
        [SIM_ATTACK_NOISE] = attack_noise,         [SIM_ATTACK_DATA] = attack_data,
        [SIM_ATTACK_ENDLESS] = attack_endless,     [SIM_ATTACK_HOLES] = attack_holes,
        [SIM_ATTACK_WAITING] = attack_waiting,     [SIM_ATTACK_INTERLEAVED] = attack_interleaved,
        [SIM_ATTACK_SACK_LIES] = attack_sack_lies, [SIM_ATTACK_OPTIMIST] = attack_optimist,
        [SIM_ATTACK_WINDOWS] = attack_windows,     [SIM_ATTACK_FORWARD] = attack_forward,
        [SIM_ATTACK_RECONFIG] = attack_reconfig,   [SIM_ATTACK_INIT] = attack_init,
        [SIM_ATTACK_COOKIE] = attack_cookie,       [SIM_ATTACK_HEARTBEAT] = attack_heartbeat,
        [SIM_ATTACK_UNKNOWN] = attack_unknown,     [SIM_ATTACK_END] = attack_end
    };
    if (attack == SIM_ATTACK_MUTANT)
        return mutant(e, out, cap);
    if (attack == SIM_ATTACK_END && !e->lethal)
        return 0;
    pl_wr w = pl_wr_init(out, cap);
    pl_sctp_header h = { PORT, PORT, attack == SIM_ATTACK_INIT && !one_in(e, 8) ? 0 : e->tag };
    pl_sctp_packet_begin(&w, &h);
    put[attack](e, &w);
    if (!pl_wr_ok(&w) || pl_wr_len(&w) == PL_SCTP_HEADER)
        return 0;
    pl_sctp_packet_end(&w);
    return pl_wr_len(&w);
}
