/* Files over Jingle at Prosody: offering one, with memory that is refused at every place, loses and breaks nothing; and the
 * whole way in-band and by SOCKS5 afterwards, between two accounts on the same connections. */
#include "pl_alloc.h"
#include "pl_test.h"

#include "signal/file_session.h"
#include "signal/xmpp_fixture.h"

enum { SIZE = 300000 };

static xmpp_server server;
static pl_loop *loop;
static char romeo[80], juliet[80];
static uint8_t bytes[SIZE];

typedef struct user {
    xmpp_user u;
    pl_xmpp_jingle *x;
    pl_file_session *f;
    size_t at, len;
    uint8_t *got;
    bool wanted, whole;
    unsigned n_over;
    pl_jingle_reason reason;
} user;

static void on_wanted(void *arg, uint64_t offset, uint64_t length)
{
    user *u = arg;
    u->at = (size_t)offset;
    u->len = (size_t)length;
    u->wanted = true;
}

static void on_room(void *arg)
{
    user *u = arg;
    for (size_t n = 1; n > 0 && u->len > 0; u->at += n, u->len -= n)
        n = pl_file_session_write_bytes(u->f, bytes + u->at, u->len);
}

static void on_data(void *arg, const uint8_t *data, size_t len)
{
    user *u = arg;
    PL_LE(u->at + len, SIZE);
    memcpy(u->got + u->at, data, len);
    u->at += len;
}

static void on_whole(void *arg, const pl_jingle_hash *sha256)
{
    user *u = arg;
    u->whole = true;
    PL_OKAY(!sha256);
    pl_file_session_finish(u->f, u->at == SIZE && memcmp(u->got, bytes, SIZE) == 0);
}

static void on_over(void *arg, pl_jingle_reason reason, bool by_peer, const char *text)
{
    user *u = arg;
    (void)by_peer, (void)text;
    u->n_over++;
    u->reason = reason;
}

static pl_file_session_conf conf_of(user *u, bool in_band)
{
    return (pl_file_session_conf){ .loop = loop,
                                   .client = u->u.client,
                                   .jingle = u->x,
                                   .in_band = in_band,
                                   .user = u,
                                   .wanted = on_wanted,
                                   .room = on_room,
                                   .data = on_data,
                                   .whole = on_whole,
                                   .over = on_over };
}

static void on_session(void *arg, const pl_jingle_event *e)
{
    user *u = arg;
    pl_file_session *f = pl_jingle_user(e->session);
    pl_file_session_conf conf = conf_of(u, false);
    uint64_t from;
    if (f) {
        pl_file_session_event(f, e);
    } else if (e->kind == PL_JINGLE_INCOMING) {
        PL_EQ(pl_jingle_admit(e->session, pl_xmpp_client_now(u->u.client)), PL_OK);
        PL_EQ(pl_file_session_take(&u->f, &conf, e), PL_OK);
        PL_STREQ(pl_file_session_file(u->f)->name, "test.bin");
        PL_EQ(pl_file_session_accept(u->f, 0, &from), PL_OK);
    }
}

static void begin(user *u, const char *jid)
{
    *u = (user){ .got = calloc(1, SIZE) };
    pl_xmpp_connection_conf conf = xmpp_user_conf(&server, jid, PL_XMPP_VIA_STARTTLS);
    xmpp_user_new(&u->u, loop, &conf);
    pl_xmpp_jingle_conf jingle = { .client = u->u.client,
                                   .applications = pl_file_session_applications(),
                                   .transports = pl_file_session_transports(),
                                   .user = u,
                                   .session = on_session };
    PL_EQ(pl_xmpp_jingle_new(&u->x, &jingle), PL_OK);
    XMPP_UNTIL(loop, u->u.state == PL_XMPP_OPENED && pl_xmpp_jingle_sessions(u->x));
}

static void end(user *u)
{
    pl_file_session_free(u->f);
    pl_xmpp_jingle_run(u->x);
    pl_xmpp_jingle_free(u->x);
    pl_xmpp_connection_close(u->u.x);
    XMPP_UNTIL(loop, u->u.state == PL_XMPP_CLOSED);
    xmpp_user_free(&u->u);
    free(u->got);
}

static const pl_jingle_file file = { .name = "test.bin", .has_size = true, .size = SIZE, .has_range = true };

/* From one account to the other, with all that was left behind by what is tested before. */
static void send_one(user *r, user *j, bool in_band)
{
    pl_file_session_conf conf = conf_of(r, in_band);
    r->n_over = j->n_over = 0;
    j->at = 0;
    j->whole = false;
    PL_EQ(pl_file_session_offer(&r->f, &conf, pl_xmpp_client_jid(j->u.client)->text, &file), PL_OK);
    XMPP_UNTIL(loop, (pl_xmpp_jingle_run(r->x), pl_xmpp_jingle_run(j->x), r->n_over && j->n_over));
    PL_OKAY(r->reason == PL_JINGLE_SUCCESS && j->reason == PL_JINGLE_SUCCESS && j->whole);
    PL_EQ(pl_file_session_in_band(r->f), in_band);
    pl_file_session_free(r->f);
    pl_file_session_free(j->f);
    r->f = j->f = NULL;
}

/* Each allocation of an offer fails once: nothing, or a session that can be cancelled. */
static void refuse_each(user *r, bool in_band)
{
    pl_file_session_conf conf = conf_of(r, in_band);
    char nobody[120];
    bool failed = true;
    long n = 0;
    snprintf(nobody, sizeof nobody, "%s/nobody", juliet);
    for (; failed; n++) {
        pl_file_session *f;
        pl_alloc_fail_after(n);
        pl_err err = pl_file_session_offer(&f, &conf, nobody, &file);
        failed = pl_alloc_has_failed();
        PL_OKAY((err == PL_OK) == (f != NULL) && (err == PL_OK || err == PL_ENOMEM));
        pl_file_session_free(f);
        pl_xmpp_jingle_run(r->x);
        (void)pl_loop_run_once(loop, 0);
    }
    PL_LE(10, n); /* so many at least were refused */
}

PL_TEST(without_memory_and_with_it)
{
    user r, j;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    begin(&r, romeo);
    begin(&j, juliet);
    for (int in_band = 0; in_band < 2; in_band++) {
        refuse_each(&r, in_band);
        send_one(&r, &j, in_band);
    }
    end(&r);
    end(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = { t(without_memory_and_with_it) };
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
