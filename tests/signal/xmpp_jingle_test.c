/* Calls between two accounts of Prosody: proposed to an account, taken by a device, described, ended. */
#include "pl_test.h"

#include "sdp/files.h"
#include "signal/jingle_call.h"
#include "signal/xmpp_fixture.h"
#include "signal/xmpp_jingle.h"

static xmpp_server server;
static pl_loop *loop;
static char romeo[80], juliet[80];

typedef struct phone {
    xmpp_user u;
    pl_xmpp_jingle *x;
    pl_jingle_call *call;
    bool admits;
    pl_jmi_event_kind last;
    char id[PL_JMI_ID_MAX + 1], from[4096];
    unsigned n_proposals, n_offers, n_answers, n_candidates, n_ended;
    pl_jingle_reason reason;
} phone;

static void on_description(void *user, pl_sdp_type type, const char *sdp)
{
    phone *p = user;
    (void)sdp;
    p->n_offers += type == PL_SDP_OFFER;
    p->n_answers += type == PL_SDP_ANSWER;
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    (void)c;
    ((phone *)user)->n_candidates++;
}

static void on_refused(void *user, pl_err err, const char *why)
{
    (void)user, (void)err, (void)why;
}

static void on_note(void *user, const char *text)
{
    (void)user, (void)text;
}

static void on_ended(void *user, pl_jingle_reason reason, const char *why)
{
    phone *p = user;
    (void)why;
    p->n_ended++;
    p->reason = reason;
}

static void give_call(phone *p, pl_jingle_session *session, const char *peer, const char *sid)
{
    pl_jingle_call_conf conf = { .jingle = pl_xmpp_jingle_sessions(p->x),
                                 .session = session,
                                 .peer = peer,
                                 .sid = sid,
                                 .user = p,
                                 .description = on_description,
                                 .candidate = on_candidate,
                                 .refused = on_refused,
                                 .note = on_note,
                                 .ended = on_ended };
    PL_EQ(pl_jingle_call_new(&p->call, &conf), PL_OK);
}

static void on_session(void *user, const pl_jingle_event *e)
{
    phone *p = user;
    int64_t now_us = pl_xmpp_client_now(p->u.client);
    if (e->kind == PL_JINGLE_INCOMING) {
        PL_EQ(p->admits ? pl_jingle_admit(e->session, now_us) : pl_jingle_ignore(e->session, now_us), PL_OK);
        if (p->admits)
            give_call(p, e->session, NULL, NULL);
    }
    if (p->call)
        pl_jingle_call_event(p->call, now_us, e);
}

static void on_proposal(void *user, const pl_jmi_event *e)
{
    phone *p = user;
    p->n_proposals++;
    p->last = e->kind;
    snprintf(p->id, sizeof p->id, "%s", e->id);
    snprintf(p->from, sizeof p->from, "%s", e->from);
}

static void begin(phone *p, const char *jid)
{
    *p = (phone){ .admits = true };
    pl_xmpp_connection_conf conf = xmpp_user_conf(&server, jid, PL_XMPP_VIA_STARTTLS);
    xmpp_user_new(&p->u, loop, &conf);
    pl_xmpp_jingle_conf jingle = {
        .client = p->u.client, .user = p, .session = on_session, .proposal = on_proposal
    };
    PL_EQ(pl_xmpp_jingle_new(&p->x, &jingle), PL_OK);
    XMPP_UNTIL(loop, p->u.state == PL_XMPP_OPENED && pl_xmpp_jingle_sessions(p->x));
    xmpp_user_ask_ping(&p->u); /* behind our presence: when it is answered, messages find us */
    XMPP_UNTIL(loop, p->u.n_answers == 1);
}

static void end(phone *p)
{
    pl_jingle_call_free(p->call, pl_xmpp_client_now(p->u.client));
    pl_xmpp_jingle_run(p->x);
    pl_xmpp_jingle_free(p->x);
    pl_xmpp_connection_close(p->u.x);
    XMPP_UNTIL(loop, p->u.state == PL_XMPP_CLOSED);
    xmpp_user_free(&p->u);
}

static void take_sdp(phone *p, const char *type)
{
    size_t len;
    char *sdp = sdp_file("chromium", type, &len);
    PL_EQ(pl_jingle_call_describe(p->call, pl_xmpp_client_now(p->u.client),
                                  strcmp(type, "offer") == 0 ? PL_SDP_OFFER : PL_SDP_ANSWER, sdp),
          PL_OK);
    pl_xmpp_jingle_run(p->x);
    free(sdp);
}

static void trickle(phone *p)
{
    const pl_ice_candidate c = { "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host", "0", -1, NULL };
    PL_EQ(pl_jingle_call_candidate(p->call, pl_xmpp_client_now(p->u.client), &c), PL_OK);
    pl_xmpp_jingle_run(p->x);
}

/* An account is asked, a device says yes, it is called and answers, both trickle, one hangs up. */
PL_TEST(a_call_over_a_server)
{
    phone r, j;
    begin(&r, romeo);
    begin(&j, juliet);
    char id[PL_JMI_ID_MAX + 1];
    int64_t now_us = pl_xmpp_client_now(r.u.client);
    PL_EQ(pl_jmi_propose(pl_xmpp_jingle_messages(r.x), now_us, juliet, true, true, true, id), PL_OK);
    pl_xmpp_jingle_run(r.x);
    XMPP_UNTIL(loop, j.n_proposals == 1);
    PL_EQ(j.last, PL_JMI_INCOMING);
    PL_STREQ(j.id, id);
    PL_STREQ(j.from, pl_xmpp_client_jid(r.u.client)->text);
    PL_EQ(pl_jmi_ring(pl_xmpp_jingle_messages(j.x), id), PL_OK);
    PL_EQ(pl_jmi_proceed(pl_xmpp_jingle_messages(j.x), now_us, id), PL_OK);
    pl_xmpp_jingle_run(j.x);
    XMPP_UNTIL(loop, r.n_proposals == 2);
    PL_EQ(r.last, PL_JMI_PROCEED);
    PL_STREQ(r.from, pl_xmpp_client_jid(j.u.client)->text);
    give_call(&r, NULL, r.from, id);
    take_sdp(&r, "offer");
    XMPP_UNTIL(loop, j.n_offers == 1);
    PL_STREQ(pl_jingle_sid(pl_jingle_call_session(j.call)), id);
    take_sdp(&j, "answer");
    XMPP_UNTIL(loop, r.n_answers == 1);
    trickle(&r);
    trickle(&j);
    XMPP_UNTIL(loop, r.n_candidates == 1 && j.n_candidates == 1);
    PL_EQ(pl_jingle_call_hang_up(j.call, pl_xmpp_client_now(j.u.client)), PL_OK);
    pl_xmpp_jingle_run(j.x);
    XMPP_UNTIL(loop, r.n_ended == 1 && j.n_ended == 1);
    PL_EQ(r.reason, PL_JINGLE_SUCCESS);
    PL_EQ(j.reason, PL_JINGLE_SUCCESS);
    end(&r);
    end(&j);
}

/* Who is ignored cannot tell it from a device that is not there; and of one that is not there the server says so. */
PL_TEST(nobody_there)
{
    phone r, j;
    begin(&r, romeo);
    begin(&j, juliet);
    j.admits = false;
    give_call(&r, NULL, pl_xmpp_client_jid(j.u.client)->text, NULL);
    take_sdp(&r, "offer");
    XMPP_UNTIL(loop, r.n_ended == 1);
    PL_EQ(r.reason, PL_JINGLE_GONE);
    PL_EQ(j.n_offers, 0);
    pl_jingle_call_free(r.call, 0);
    char nowhere[100];
    snprintf(nowhere, sizeof nowhere, "%s/nowhere", juliet);
    give_call(&r, NULL, nowhere, NULL);
    take_sdp(&r, "offer");
    XMPP_UNTIL(loop, r.n_ended == 2);
    PL_EQ(r.reason, PL_JINGLE_GONE);
    end(&r);
    end(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = { t(a_call_over_a_server), t(nobody_there) };
    if (pl_loop_new(&loop, NULL))
        return 1;
    xmpp_server_start(&server, "prosody", (const char *const[]){ NULL });
    snprintf(romeo, sizeof romeo, "romeo@%s", server.domain);
    snprintf(juliet, sizeof juliet, "juliet@%s", server.domain);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    xmpp_server_stop(&server);
    pl_loop_free(loop);
    return failed;
}
