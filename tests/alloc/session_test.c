/* A call over pasted texts, and one that is looked for in a room, with every allocation failing once: what cannot be is said or ends,
 * and everything is given back. */
#include "pl_test.h"

#include "base/time.h"
#include "fail.h"
#include "net/loop.h"
#include "peerline/session.h"

enum { TURNS = 12, TEXTS = 4 };

typedef struct side {
    pl_signaling *sig;
    pl_session *s;
    pl_peer_connection *pc;
    char *text[TEXTS];
    size_t n_texts;
    bool over, agreed;
} side;

static pl_loop *loop;
static pl_factory *factory;
static side ann, bob;

static void refused_or_done(pl_err err)
{
    PL_OKAY(err == PL_OK || (fail_is_on() && err != PL_EINVAL));
}

static void on_signaling(void *user, pl_signaling_state state)
{
    ((side *)user)->agreed |= state == PL_SIGNALING_STABLE;
}

static void on_connect(void *user)
{
    side *p = user;
    const pl_peer_connection_observer o = { .user = p, .on_signaling_state = on_signaling };
    pl_rtp_transceiver *t;
    pl_err err = pl_session_open_connection(p->s, &p->pc, factory, NULL, &o);
    refused_or_done(err);
    if (!err)
        refused_or_done(pl_peer_connection_add_track(p->pc, PL_AUDIO, NULL, &t));
}

static void on_ended(void *user, pl_session_reason reason, const char *why)
{
    (void)reason;
    PL_OKAY(why);
    ((side *)user)->over = true;
}

static pl_session_observer session_observer(side *p)
{
    return (pl_session_observer){ .user = p, .on_connect = on_connect, .on_ended = on_ended };
}

static void on_call(void *user, pl_session *s)
{
    side *p = user;
    const pl_session_observer o = session_observer(p);
    PL_OKAY(!p->s);
    p->s = s;
    pl_session_set_observer(s, &o);
    refused_or_done(pl_session_accept(s));
}

static void on_text(void *user, const char *text)
{
    side *p = user;
    p->agreed |= p == &bob; /* he answers: from stable to stable, which is no difference to tell */
    fail_shield(true);
    if (p->n_texts < TEXTS)
        p->text[p->n_texts++] = strdup(text);
    fail_shield(false);
}

static void opens(side *p)
{
    const pl_signaling_observer o = { .user = p, .on_call = on_call, .on_text = on_text };
    *p = (side){ 0 };
    refused_or_done(pl_signaling_open(&p->sig, loop, &(pl_signaling_conf){ .url = "paste:" }, &o, NULL, 0));
}

static void carry(side *from, side *to)
{
    for (size_t i = 0; i < from->n_texts; i++) {
        if (from->text[i] && to->sig)
            (void)!pl_signaling_paste(to->sig, from->text[i]);
        free(from->text[i]);
    }
    from->n_texts = 0;
}

static void ends(side *p)
{
    pl_session_free(p->s);
    pl_signaling_free(p->sig);
    carry(p, &(side){ 0 });
}

/* The loop is libuv's, which ends a process that has no memory. */
static void begin(void)
{
    fail_shield(true);
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    PL_EQ(pl_factory_new(&factory, &(pl_factory_conf){ .loop = loop, .bind_address = "127.0.0.1" }), PL_OK);
    fail_shield(false);
}

static void end(void)
{
    pl_factory_free(factory);
    pl_loop_free(loop);
}

static void call_scenario(void)
{
    const pl_session_observer o = session_observer(&ann);
    begin();
    opens(&ann);
    opens(&bob);
    if (ann.sig)
        refused_or_done(pl_session_call(&ann.s, ann.sig, NULL, &o));
    for (int i = 0;
         i < (fail_is_on() ? TURNS : 1000) && !ann.over && !bob.over && !(ann.agreed && bob.agreed); i++) {
        (void)pl_loop_run_once(loop, 500);
        carry(&ann, &bob);
        carry(&bob, &ann);
    }
    PL_OKAY(fail_is_on() || (ann.agreed && bob.agreed));
    ends(&ann);
    ends(&bob);
    end();
}

static void room_scenario(void)
{
    pl_signaling *sig;
    pl_session *s = NULL;
    const pl_signaling_conf conf = { .url = "ws://127.0.0.1:1/ws#Bob%20there", .name = "ann", .once = true };
    begin();
    refused_or_done(pl_signaling_open(&sig, loop, &conf, NULL, NULL, 0));
    if (sig)
        refused_or_done(pl_session_call(&s, sig, NULL, NULL));
    pl_session_free(s);
    pl_signaling_free(sig);
    end();
}

PL_TEST(a_call_by_paste)
{
    fail_each_but_leaks(call_scenario);
}

PL_TEST(a_call_in_a_room)
{
    fail_each_but_leaks(room_scenario);
}

PL_TESTS(t(a_call_by_paste), t(a_call_in_a_room))
