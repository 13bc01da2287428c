/* Any text as a fragment: refused, or written and read again equal, and put into a description that can still be
 * written and read. */
#include <stdlib.h>

#include "sdp/fragment.h"
#include "sdp/sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base[] = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
                           "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n"
                           "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n";

static void must(int truth)
{
    if (!truth)
        abort();
}

static void apply(const pl_sdp_fragment *f)
{
    pl_desc *d, *back;
    char *text;
    size_t len;
    must(pl_sdp_parse(&d, base, sizeof base - 1, NULL) == PL_OK);
    if (pl_sdp_fragment_apply(f, d) == PL_OK) {
        must(pl_sdp_write(d, &text, &len) == PL_OK);
        must(pl_sdp_parse(&back, text, len, NULL) == PL_OK);
        pl_desc_free(back);
        free(text);
    }
    pl_desc_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_sdp_fragment f, g;
    if (pl_sdp_fragment_parse(&f, (pl_str){ (const char *)data, size }))
        return 0;
    pl_buf out = pl_buf_init(2 * PL_SDP_FRAGMENT_MAX);
    pl_sdp_fragment_write(&f, &out);
    if (out.n && out.n <= PL_SDP_FRAGMENT_MAX) {
        must(pl_sdp_fragment_parse(&g, (pl_str){ out.p, out.n }) == PL_OK);
        must(pl_str_eq(f.ufrag, g.ufrag) && pl_str_eq(f.pwd, g.pwd) && pl_str_eq(f.mid, g.mid));
        must(!f.mid.n || f.n_candidates == g.n_candidates);
    }
    apply(&f);
    pl_buf_clear(&out);
    return 0;
}
