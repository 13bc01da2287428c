/* A manager that an enemy and its own application talk to by turns: each line of the input is a stanza (with %S for the
 * session's id and %I for the id of our last request), or one letter and digits for what the application does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jingle/sessions.h"
#include "jingle/write.h"
#include "xml/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PEER "romeo@example.net/orchard"

typedef struct play {
    pl_jingle *j;
    pl_jingle_session *s; /* the last of an event, while it lives */
    int64_t now_us;
    char sid[PL_JINGLE_NAME_MAX + 1], id[64];
} play;

static void must(int truth)
{
    if (!truth)
        abort();
}

static void drain(play *p)
{
    pl_jingle_event e;
    for (pl_xml *out; (out = pl_jingle_poll_output(p->j, p->now_us)); pl_xml_free(out)) {
        must(pl_xml_attr_of(out, "id") != NULL && pl_xml_err(out) == PL_OK);
        if (pl_xml_attr_is(out, "type", "set"))
            snprintf(p->id, sizeof p->id, "%s", pl_xml_attr_of(out, "id"));
    }
    while (pl_jingle_poll_event(p->j, &e)) {
        must(e.session && e.text && e.condition);
        p->s = e.kind == PL_JINGLE_ENDED_NOW ? NULL : e.session;
        snprintf(p->sid, sizeof p->sid, "%s", pl_jingle_sid(e.session));
    }
    if (p->s && pl_jingle_session_state(p->s) == PL_JINGLE_ENDED)
        p->s = NULL;
}

static pl_xml *body(unsigned n)
{
    static const char *const name[] = { "voice", "video", "a", "b" };
    static const char *const transport[] = { PL_NS_JINGLE_ICE_UDP, PL_NS_JINGLE_RAW_UDP, "urn:example" };
    pl_xml *jingle = pl_xml_new(PL_NS_JINGLE, "jingle"),
           *c = pl_jingle_write_name(jingle, name[n % 4], n & 4 ? "none" : NULL);
    pl_xml_set(pl_xml_add(c, n & 8 ? "urn:example" : PL_NS_JINGLE_RTP, "description"), "media", "audio");
    pl_xml_add(c, transport[n % 3], "transport");
    return jingle;
}

static void do_own(play *p, char what, unsigned n)
{
    pl_err err = PL_OK;
    pl_jingle_session *s;
    if (what == 'i') {
        err = n & 16 ? pl_jingle_initiate_2007(p->j, p->now_us, PEER, body(n), &s)
                     : pl_jingle_initiate(p->j, p->now_us, PEER, n & 32 ? "s1" : NULL, body(n), &s);
        p->s = err ? p->s : s;
    } else if (what == 't') {
        p->now_us += (int64_t)n * 100000;
        pl_jingle_tick(p->j, p->now_us);
        p->s = NULL;
    } else if (what == 'c') {
        pl_jingle_cut(p->j, p->now_us);
        p->s = NULL;
    } else if (p->s) {
        switch (what) {
        case 'a': err = pl_jingle_admit(p->s, p->now_us); break;
        case 'g': err = pl_jingle_ignore(p->s, p->now_us); break;
        case 'd': err = pl_jingle_redirect(p->s, p->now_us, "xmpp:x@y"); break;
        case 'y': err = pl_jingle_accept(p->s, p->now_us, body(n)); break;
        case 'h':
            err = pl_jingle_terminate(p->s, p->now_us, (pl_jingle_reason)(n % PL_JINGLE_REASONS), "x", NULL);
            break;
        case 'n': err = pl_jingle_tell(p->s, p->now_us, (pl_jingle_info)(n % PL_JINGLE_INFOS), NULL); break;
        default:
            err = pl_jingle_request(p->s, p->now_us, (pl_jingle_action)(n % PL_JINGLE_ACTIONS), body(n / 16));
            break;
        }
    }
    must(err == PL_OK || err == PL_ESTATE || err == PL_EINVAL || err == PL_ENOSPC || err == PL_ENOTSUP);
}

static void hear(play *p, pl_str line)
{
    pl_buf b = pl_buf_init(1 << 16);
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == '%' && i + 1 < line.n && (line.p[i + 1] == 'S' || line.p[i + 1] == 'I'))
            pl_buf_addf(&b, "%s", line.p[++i] == 'S' ? p->sid : p->id);
        else
            pl_buf_add(&b, line.p + i, 1);
    }
    pl_xml *e = NULL;
    const char *text = pl_buf_z(&b);
    if (text && pl_xml_parse(&e, pl_str_of(text)) == PL_OK)
        (void)pl_jingle_input(p->j, p->now_us, e);
    pl_xml_free(e);
    pl_buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_rand_seeded state;
    play p = { .now_us = 1 };
    pl_jingle_conf conf = { .self = "juliet@example.com/balcony", .rand = pl_rand_seed(&state, 1) };
    must(pl_jingle_new(&p.j, &conf, p.now_us) == PL_OK);
    for (pl_str rest = { (const char *)data, size }; rest.p;) {
        pl_str line = pl_str_cut(&rest, '\n');
        if (line.n && line.p[0] == '<')
            hear(&p, line);
        else if (line.n) {
            uint64_t n = 0;
            (void)pl_str_u64((pl_str){ line.p + 1, line.n - 1 }, 10000, &n);
            do_own(&p, line.p[0], (unsigned)n);
        }
        if (line.n == 0 || line.p[0] != '-')
            drain(&p);
        pl_jingle_check(p.j);
        must(pl_jingle_n_sessions(p.j) <= PL_JINGLE_SESSIONS_MAX);
    }
    pl_jingle_free(p.j);
    return 0;
}
