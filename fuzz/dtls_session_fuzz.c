/* States, not only bytes: a client and a server with a wire between them that the input commands. It lets
 * real datagrams through, turns bits in them, drops or repeats them, puts in its own, lets time pass, and
 * calls the API at any moment. What must hold: invariants, and that nobody is believed without the right
 * fingerprint. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "dtls/session.h"

enum { CAP = 2048, STEPS_MAX = 200 };

static pl_dtls_ctx *ctx;

static void set_up_once(void)
{
    pl_cert *cert = NULL;
    if (ctx)
        return;
    if (pl_cert_new(&cert, &(pl_cert_conf){ .now_s = 1700000000 }) != PL_OK ||
        pl_dtls_ctx_new(&ctx, cert) != PL_OK)
        abort();
    pl_cert_free(cert);
}

static void introduce(pl_dtls *d, int64_t now_us, bool wrong)
{
    pl_fingerprint f = *pl_cert_fingerprint(pl_dtls_ctx_cert(ctx));
    f.bytes[5] ^= wrong;
    (void)!pl_dtls_set_remote(d, now_us, &f, 1);
}

/* Reads everything out of one end; the latest datagram stays in `buf`. */
static size_t drain(pl_dtls *d, int64_t now_us, uint8_t *buf, bool all)
{
    static uint8_t plain[20000];
    size_t len = 0, n;
    pl_dtls_event event;
    pl_dgram out = { .data = buf, .cap = CAP };
    while (pl_dtls_poll_output(d, now_us, &out)) {
        len = out.len;
        if (!all)
            break;
    }
    while (pl_dtls_poll_data(d, plain, sizeof plain, &n))
        ;
    while (pl_dtls_poll_event(d, &event))
        ;
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_rd in = pl_rd_init(data, size);
    pl_dtls *end[2] = { NULL, NULL };
    uint8_t wire[CAP], last[CAP] = { 0 };
    size_t last_len = 0;
    int64_t now_us = 0;
    set_up_once();
    for (int i = 0; i < 2; i++)
        if (pl_dtls_new(&end[i], &(pl_dtls_conf){ .ctx = ctx, .mtu = 300 }, 0) != PL_OK)
            abort();
    bool liar = pl_rd_u8(&in) & 1;
    for (int step = 0; step < STEPS_MAX && pl_rd_left(&in) > 0; step++) {
        uint8_t what = pl_rd_u8(&in);
        pl_dtls *d = end[what & 1], *peer = end[!(what & 1)];
        size_t len = 0;
        switch (what >> 1 & 15) {
        case 0: (void)!pl_dtls_start(d, now_us, what & 1 ? PL_DTLS_SERVER : PL_DTLS_CLIENT); break;
        case 1: introduce(d, now_us, liar && d == end[0]); break;
        case 2:
        case 3:
        case 4: /* a real datagram, perhaps changed */
            len = drain(d, now_us, wire, false);
            if (len > 0 && (what >> 1 & 15) == 4) {
                wire[pl_rd_u16(&in) % len] ^= pl_rd_u8(&in);
                len -= pl_rd_u8(&in) % 8 == 7 ? len / 3 : 0;
            }
            if (len > 0)
                pl_dtls_input(peer, now_us, wire, len);
            memcpy(last, wire, len);
            last_len = len ? len : last_len;
            break;
        case 5: pl_dtls_input(d, now_us, last, last_len); break; /* once more, or back to its sender */
        case 6: (void)drain(d, now_us, wire, true); break;       /* lost */
        case 7: {
            pl_rd raw = pl_rd_sub(&in, pl_rd_u8(&in));
            pl_dtls_input(d, now_us, raw.p, pl_rd_left(&raw));
            break;
        }
        case 8:
            now_us += pl_rd_u16(&in) * INT64_C(100);
            pl_dtls_tick(d, now_us);
            break;
        case 9:
            if (pl_dtls_protect(d, data, size < 500 ? size : 500, wire, sizeof wire, &len) == PL_OK)
                pl_dtls_input(peer, now_us, wire, len);
            break;
        case 10:
            if (pl_rd_u8(&in) == 0)
                pl_dtls_close(d, now_us);
            break;
        default: /* the ends speak freely */
            for (int i = 0; i < 4; i++) {
                len = drain(d, now_us, wire, false);
                if (len > 0)
                    pl_dtls_input(peer, now_us, wire, len);
            }
            break;
        }
        pl_dtls_check(end[0]);
        pl_dtls_check(end[1]);
        if (liar && pl_dtls_get_state(end[0]) == PL_DTLS_CONNECTED)
            abort();
    }
    pl_dtls_free(end[0]);
    pl_dtls_free(end[1]);
    return 0;
}
