/* The Binding client and NAT discovery under a script of bytes: time passes, raw bytes come, and answers whose
 * transaction id is right but whose attributes are the script's. Both must end whatever comes, and keep whole. */
#include <stdlib.h>
#include <string.h>

#include "stun/client.h"
#include "stun/nat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const pl_addr server = { .family = PL_AF_IP4, .ip = { 198, 51, 100, 1 }, .port = 3478 };
static uint8_t wire[4096], last_id[16];

static void must(bool fact)
{
    if (!fact)
        abort();
}

/* Attributes from the script behind a header that answers the last request. */
static size_t answer(pl_rd *in)
{
    uint8_t kind = pl_rd_u8(in);
    size_t n = pl_rd_u8(in) & 0xfcu;
    n = n < pl_rd_left(in) ? n : pl_rd_left(in) & ~(size_t)3;
    pl_put16(wire, kind & 1 ? 0x0111 : 0x0101);
    pl_put16(wire + 2, (uint16_t)n);
    memcpy(wire + 4, last_id, sizeof last_id);
    memcpy(wire + PL_STUN_HEADER_LEN, pl_rd_take(in, n), n);
    return PL_STUN_HEADER_LEN + n;
}

static size_t raw(pl_rd *in)
{
    size_t n = pl_rd_u8(in);
    n = n < pl_rd_left(in) ? n : pl_rd_left(in);
    memcpy(wire, pl_rd_take(in, n), n);
    return n;
}

static pl_addr from_of(uint8_t how)
{
    pl_addr from = server;
    from.ip[3] = (uint8_t)(1 + (how >> 4 & 1));
    from.port = (uint16_t)(3478 + (how >> 5 & 1));
    return from;
}

static void run_client(pl_rd in, uint8_t kind)
{
    static uint8_t out[PL_STUN_CLIENT_REQUEST_MAX];
    pl_rand_seeded state;
    pl_stun_client_conf conf = { .server = server,
                                 .stream = kind & 8,
                                 .classic = (kind & 0x30) == 0x30,
                                 .rand = pl_rand_seed(&state, kind),
                                 .credentials = (pl_stun_cred_kind)((kind >> 4 & 3) % 3),
                                 .username = PL_STR("u"),
                                 .password = PL_STR("p") };
    pl_stun_client *c;
    pl_stun_client_event e;
    int64_t now_us = 0;
    if (pl_stun_client_new(&c, &conf, now_us))
        return;
    for (int n = 0; n < 500; n++) {
        uint8_t how = pl_rd_u8(&in);
        pl_dgram d = { .data = out, .cap = sizeof out };
        while (pl_stun_client_poll_output(c, now_us, &d))
            memcpy(last_id, out + 4, sizeof last_id);
        pl_path path = { .remote = from_of(how) };
        if (pl_rd_left(&in) && how & 1)
            pl_stun_client_input(c, now_us, &path, wire, how & 2 ? answer(&in) : raw(&in));
        while (pl_stun_client_poll_event(c, &e)) {
            if (e.kind == PL_STUN_CLIENT_MOVED)
                pl_stun_client_connected(c, now_us);
        }
        if (!pl_rd_left(&in) || !(how & 1))
            now_us = pl_min_us(pl_stun_client_next_us(c), now_us + PL_SEC(100));
        pl_stun_client_tick(c, now_us);
        pl_stun_client_check(c);
    }
    must(pl_stun_client_next_us(c) == PL_NEVER); /* it has ended */
    pl_stun_client_free(c);
}

static void run_nat(pl_rd in, uint8_t kind)
{
    static uint8_t out[PL_STUN_NAT_DGRAM_MAX];
    pl_rand_seeded state;
    pl_stun_nat_conf conf = { .server = server, .lifetime = kind & 8, .rand = pl_rand_seed(&state, kind) };
    pl_stun_nat *n;
    pl_stun_nat_event e = { 0 };
    int64_t now_us = 0;
    for (int i = 0; i < PL_STUN_NAT_N_SOCKETS; i++)
        conf.local[i] = (pl_addr){ .family = PL_AF_IP4, .ip = { 10, 0, 0, 1 }, .port = (uint16_t)(5000 + i) };
    if (pl_stun_nat_new(&n, &conf, now_us))
        return;
    for (int i = 0; i < 3000 && e.stage != PL_NAT_STAGE_DONE; i++) {
        uint8_t how = pl_rd_u8(&in);
        unsigned socket = 0;
        pl_dgram d = { .data = out, .cap = sizeof out };
        while (pl_stun_nat_poll_output(n, now_us, &d, &socket)) {
            must(d.len > 0 && socket < PL_STUN_NAT_N_SOCKETS);
            memcpy(last_id, out + 4, sizeof last_id);
        }
        pl_addr from = from_of(how);
        if (pl_rd_left(&in) && how & 1)
            pl_stun_nat_input(n, now_us, how & 4 ? socket : how >> 3 & 3, &from, wire,
                              how & 2 ? answer(&in) : raw(&in));
        else
            now_us = pl_max_us(now_us, pl_min_us(pl_stun_nat_next_us(n), now_us + PL_SEC(1000)));
        pl_stun_nat_tick(n, now_us);
        while (pl_stun_nat_poll_event(n, &e))
            continue;
        pl_stun_nat_check(n);
    }
    must(e.stage == PL_NAT_STAGE_DONE && pl_stun_nat_next_us(n) == PL_NEVER);
    pl_stun_nat_free(n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    pl_rd in = pl_rd_init(data + 1, size - 1);
    if (data[0] & 1)
        run_nat(in, data[0]);
    else
        run_client(in, data[0]);
    return 0;
}
