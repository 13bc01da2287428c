/* Calls by pasted texts: what people bring is anything, in pieces or with the right check sum, while calls are made, answered and
 * given up. Each step is a byte that says what happens and, for a text, two of its length. Beside it the words of rooms, from the
 * same texts: what is understood is written, and understood the same. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/base64.h"
#include "crypto/crc.h"
#include "peerline/session.h"
#include "session/words.h"

enum { SESSIONS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct side {
    pl_signaling *sig;
    pl_session *s[SESSIONS];
    bool over[SESSIONS];
} side;

static int place_of(const side *p, const pl_session *s)
{
    for (int i = 0; i < SESSIONS; i++) {
        if (p->s[i] == s)
            return i;
    }
    return -1;
}

static void on_ended(void *user, pl_session_reason reason, const char *why)
{
    bool *over = user;
    assert(!*over && why && pl_session_reason_str(reason)[0]); /* once */
    *over = true;
}

static pl_session_observer observer(side *p, int i)
{
    p->over[i] = false;
    return (pl_session_observer){ .user = &p->over[i], .on_ended = on_ended };
}

static void on_call(void *user, pl_session *s)
{
    side *p = user;
    int i = place_of(p, NULL);
    if (i < 0) {
        pl_session_free(s);
        return;
    }
    p->s[i] = s;
    const pl_session_observer o = observer(p, i);
    pl_session_set_observer(s, &o);
}

static void on_text(void *user, const char *text)
{
    (void)user;
    assert(text && text[0]);
}

/* As the other side would have written it. */
static char *code_of(const uint8_t *data, size_t n)
{
    size_t len = PL_BASE64_LEN(n);
    char *out = malloc(len + 32), *at = out;
    assert(out);
    at += sprintf(at, "peerline-call:");
    pl_base64_encode(data, n, at);
    sprintf(at + len, ".%08x", pl_crc32(data, n));
    return out;
}

static void paste(side *p, const uint8_t *data, size_t n, bool coded)
{
    char *text = coded ? code_of(data, n) : malloc(n + 1);
    assert(text);
    if (!coded) {
        memcpy(text, data, n);
        text[n] = '\0';
    }
    (void)!pl_signaling_paste(p->sig, text);
    free(text);
}

static bool alike(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_candidate(const pl_ice_candidate *a, const pl_ice_candidate *b)
{
    return alike(a->candidate, b->candidate) && alike(a->sdp_mid, b->sdp_mid) &&
           alike(a->username_fragment, b->username_fragment) && a->sdp_mline_index == b->sdp_mline_index;
}

static void words(const uint8_t *data, size_t n)
{
    pl_words w, back;
    char *text = NULL;
    if (pl_words_read(&w, (const char *)data, n))
        return;
    if (w.kind == PL_WORDS_OFFER || w.kind == PL_WORDS_ANSWER)
        text = pl_words_description(w.kind == PL_WORDS_OFFER ? PL_SDP_OFFER : PL_SDP_ANSWER, w.sdp, NULL);
    else if (w.kind == PL_WORDS_CANDIDATE)
        text = pl_words_candidate(&w.cand, NULL);
    else if (w.kind == PL_WORDS_BYE)
        text = pl_words_bye(w.reason, NULL);
    if (text) {
        assert(pl_words_read(&back, text, strlen(text)) == PL_OK && back.kind == w.kind);
        assert(back.reason == w.reason || w.kind != PL_WORDS_BYE);
        assert(alike(back.sdp, w.sdp) || w.kind == PL_WORDS_CANDIDATE || w.kind == PL_WORDS_BYE);
        assert(w.kind != PL_WORDS_CANDIDATE || same_candidate(&back.cand, &w.cand));
        pl_words_clear(&back);
    }
    free(text);
    pl_words_clear(&w);
}

static void act(side *p, unsigned what, int i)
{
    pl_session *s = p->s[i];
    switch (what) {
    case 0: {
        const pl_session_observer o = observer(p, i);
        if (!s && pl_session_call(&p->s[i], p->sig, NULL, &o))
            p->s[i] = NULL;
        break;
    }
    case 1:
        if (s)
            (void)!pl_session_accept(s);
        break;
    case 2:
        if (s)
            pl_session_reject(s, PL_SESSION_BUSY);
        break;
    case 3:
        if (s)
            pl_session_hang_up(s);
        break;
    case 4:
        pl_session_free(s);
        p->s[i] = NULL;
        break;
    default: pl_signaling_close(p->sig); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pl_loop *loop; /* one for all: its making costs more than a run */
    side p = { 0 };
    const pl_signaling_observer o = { .user = &p, .on_call = on_call, .on_text = on_text };
    if (!loop)
        assert(pl_loop_new(&loop, NULL) == PL_OK);
    pl_rd r = pl_rd_init(data, size);
    const pl_signaling_conf conf = { .url = pl_rd_u8(&r) & 1 ? "paste:json" : "paste:" };
    assert(pl_signaling_open(&p.sig, loop, &conf, &o, NULL, 0) == PL_OK);
    while (pl_rd_left(&r)) {
        uint8_t step = pl_rd_u8(&r);
        if (step & 0x80) {
            size_t n = pl_rd_u16(&r), left = pl_rd_left(&r);
            const uint8_t *text = pl_rd_take(&r, n < left ? n : left);
            if (text) {
                words(text, n < left ? n : left);
                paste(&p, text, n < left ? n : left, step & 0x40);
            }
        } else {
            act(&p, step >> 4, step % SESSIONS);
        }
        assert(pl_loop_run_once(loop, 0) == PL_OK);
    }
    for (int i = 0; i < SESSIONS; i++)
        pl_session_free(p.s[i]);
    pl_signaling_free(p.sig);
    return 0;
}
