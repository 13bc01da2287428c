/* A client of WHIP whose server answers anything: statuses, headers and bodies from the input, verbs of the owner between. */
#include <stdlib.h>

#include "base/bytes.h"
#include "signal/whip_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char offer[] =
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    "a=mid:0\r\na=ice-ufrag:ufr1\r\na=ice-pwd:pwdpwdpwdpwdpwdpwdpwd1\r\na=rtpmap:111 opus/48000/2\r\n";

static pl_str text_of(pl_rd *in)
{
    size_t n = pl_rd_u8(in);
    if (n > pl_rd_left(in))
        n = pl_rd_left(in);
    return (pl_str){ (const char *)pl_rd_take(in, n), n };
}

static void answer(pl_whip_client *c, int64_t now_us, pl_rd *in)
{
    static const char *const names[] = { "Location", "ETag", "Link", "Content-Type", "Retry-After", "Allow" };
    static const int status[] = { 200, 201, 204, 307, 308, 404, 405, 412, 428, 503 };
    pl_whip_header h[4];
    pl_whip_result r = { .header = h };
    uint8_t what = pl_rd_u8(in);
    r.status = status[what % 10];
    while (r.n_headers < 4 && pl_rd_left(in) && pl_rd_u8(in) % 4) {
        uint8_t which = pl_rd_u8(in);
        h[r.n_headers].name = pl_str_of(names[which % 6]);
        h[r.n_headers].value = which & 128  ? PL_STR("application/sdp")
                               : which & 64 ? PL_STR("application/trickle-ice-sdpfrag")
                               : which & 32 ? PL_STR("/s/1")
                                            : text_of(in);
        r.n_headers++;
    }
    r.body = text_of(in);
    pl_whip_client_result(c, now_us, &r, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_rd in = pl_rd_init(data, size);
    pl_whip_client *c;
    pl_whip_call call;
    pl_whip_event ev;
    int64_t now_us = 1;
    const pl_whip_client_conf conf = { .url = "https://h/whip/a", .token = "t", .patience_us = 1000000000 };
    if (pl_whip_client_new(&c, &conf, now_us))
        return 0;
    while (pl_rd_left(&in)) {
        pl_err err = PL_OK;
        now_us += 500000;
        switch (pl_rd_u8(&in) % 8) {
        case 0: err = pl_whip_client_offer(c, now_us, offer); break;
        case 1: err = pl_whip_client_restart(c, offer); break;
        case 2: err = pl_whip_client_candidate(c, "candidate:1 1 UDP 1 192.0.2.1 5 typ host"); break;
        case 3: pl_whip_client_result(c, now_us, NULL, "cut"); break;
        case 4:
            if (pl_rd_u8(&in) == 0)
                pl_whip_client_end(c);
            break;
        default:
            if (pl_whip_client_poll_call(c, now_us, &call))
                answer(c, now_us, &in);
            break;
        }
        if (err == PL_ENOMEM)
            abort();
        while (pl_whip_client_poll_event(c, &ev)) {
            if (!ev.text)
                abort();
        }
        pl_whip_client_check(c);
    }
    pl_whip_client_free(c);
    return 0;
}
