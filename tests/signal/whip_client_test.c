/* The client of WHIP and WHEP against a scripted server: the usual course, redirects, refusals with a sentence each,
 * restarts, hostile answers; and Link headers. */
#include "pl_test.h"

#include "base/rand.h"
#include "base/time.h"
#include "sdp/fragment.h"
#include "signal/whip_client.h"

static const char offer[] =
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    "c=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:ufr1\r\na=ice-pwd:pwdpwdpwdpwdpwdpwdpwd1\r\n"
    "a=candidate:1 1 UDP 1 192.0.2.1 5000 typ host\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n";
static const char offer2[] =
    "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    "c=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:ufr2\r\na=ice-pwd:pwdpwdpwdpwdpwdpwdpwd2\r\na=sendonly\r\n"
    "a=rtpmap:111 opus/48000/2\r\n";
static const char candidate[] = "candidate:2 1 UDP 2 192.0.2.1 5001 typ host";
static const char url[] = "https://media.example/whip/a";

typedef struct rig {
    pl_whip_client *c;
    int64_t now_us;
    pl_whip_call call;
    pl_whip_event ev;
} rig;

static rig rig_new(const char *token)
{
    rig r = { .now_us = PL_SEC(100) };
    const pl_whip_client_conf conf = { .url = url, .token = token, .patience_us = PL_SEC(30) };
    PL_EQ(pl_whip_client_new(&r.c, &conf, r.now_us), PL_OK);
    return r;
}

/* The next request is this one. */
static void asks(rig *r, const char *method, const char *where)
{
    PL_OKAY(pl_whip_client_poll_call(r->c, r->now_us, &r->call));
    PL_STREQ(r->call.method, method);
    PL_STREQ(r->call.url, where);
    pl_whip_client_check(r->c);
    pl_whip_call second;
    PL_OKAY(!pl_whip_client_poll_call(r->c, r->now_us, &second)); /* one at a time */
}

static void asks_nothing(rig *r)
{
    PL_OKAY(!pl_whip_client_poll_call(r->c, r->now_us, &r->call));
}

/* headers: "Name: value\n" lines */
static void answer(rig *r, int status, const char *headers, const char *body)
{
    pl_whip_header h[PL_WHIP_HEADERS_MAX];
    pl_whip_result result = { .status = status, .header = h, .body = pl_str_of(body) };
    pl_str rest = pl_str_of(headers);
    while (rest.p && rest.n) {
        pl_str value = pl_str_cut(&rest, '\n'), name = pl_str_cut(&value, ':');
        h[result.n_headers++] = (pl_whip_header){ name, pl_str_trim(value) };
    }
    pl_whip_client_result(r->c, r->now_us, &result, NULL);
    pl_whip_client_check(r->c);
}

static void tells(rig *r, pl_whip_event_kind kind)
{
    PL_OKAY(pl_whip_client_poll_event(r->c, &r->ev));
    PL_EQ(r->ev.kind, kind);
}

static void tells_nothing(rig *r)
{
    PL_OKAY(!pl_whip_client_poll_event(r->c, &r->ev));
}

static void be_ready(rig *r)
{
    asks(r, "OPTIONS", url);
    answer(r, 204, "", "");
    tells(r, PL_WHIP_READY);
    PL_EQ(pl_whip_client_offer(r->c, r->now_us, offer), PL_OK);
    asks(r, "POST", url);
}

static void be_up(rig *r)
{
    be_ready(r);
    answer(r, 201, "Location: /s/1\nETag: \"e1\"\nContent-Type: application/sdp\n", "v=0\r\n");
    tells(r, PL_WHIP_ANSWER);
}

static bool has(pl_str body, const char *what)
{
    char *z = malloc(body.n + 1);
    memcpy(z, body.p, body.n);
    z[body.n] = 0;
    bool found = strstr(z, what) != NULL;
    free(z);
    return found;
}

static bool says(const rig *r, const char *what)
{
    return strstr(r->ev.text, what) != NULL;
}

PL_TEST(the_usual_course)
{
    rig r = rig_new("t0k");
    PL_EQ(pl_whip_client_offer(r.c, r.now_us, offer), PL_ESTATE);
    asks(&r, "OPTIONS", url);
    PL_STREQ(r.call.token, "t0k");
    answer(&r, 200, "Link: <stun:s.example>; rel=\"ice-server\"\n", "");
    tells(&r, PL_WHIP_READY);
    PL_EQ(r.ev.links->n, 1);
    asks_nothing(&r);
    PL_EQ(pl_whip_client_offer(r.c, r.now_us, offer), PL_OK);
    PL_EQ(pl_whip_client_candidate(r.c, candidate), PL_OK); /* found before the answer: it waits */
    asks(&r, "POST", url);
    PL_STREQ(r.call.type, "application/sdp");
    PL_STREQ(r.call.accept, "application/sdp");
    PL_OKAY(has(r.call.body, "a=ice-ufrag:ufr1"));
    answer(&r, 201,
           "location: ../s/1?x=2\netag: \"e1\"\ncontent-type: application/sdp; charset=utf-8\n"
           "Link: <turn:t.example?transport=udp>; rel=\"ice-server\"; username=\"u\"; credential=\"p\"; "
           "credential-type=\"password\", <stun:s.example>; rel=\"ice-server\"\n",
           "v=0\r\nanswer");
    tells(&r, PL_WHIP_ANSWER);
    PL_STREQ(r.ev.text, "v=0\r\nanswer");
    PL_EQ(r.ev.links->n, 2);
    PL_STREQ(r.ev.links->link[0].credential, "p");
    PL_EQ(pl_whip_client_candidate(r.c, ""), PL_OK);
    asks(&r, "PATCH", "https://media.example/s/1?x=2");
    PL_STREQ(r.call.type, "application/trickle-ice-sdpfrag");
    PL_STREQ(r.call.if_match, "\"e1\"");
    pl_sdp_fragment f;
    PL_EQ(pl_sdp_fragment_parse(&f, r.call.body), PL_OK);
    PL_OKAY(pl_str_is(f.ufrag, "ufr1") && f.n_candidates == 1 && f.end_of_candidates &&
            pl_str_is(f.mid, "0"));
    PL_OKAY(pl_str_is(f.candidate[0], candidate));
    answer(&r, 204, "", "");
    tells_nothing(&r);
    asks_nothing(&r);
    PL_EQ(pl_whip_client_next_us(r.c), PL_NEVER);
    pl_whip_client_end(r.c);
    asks(&r, "DELETE", "https://media.example/s/1?x=2");
    PL_STREQ(r.call.token, "t0k");
    answer(&r, 200, "", "");
    tells(&r, PL_WHIP_CLOSED);
    tells_nothing(&r);
    asks_nothing(&r);
    pl_whip_client_free(r.c);
}

PL_TEST(an_endpoint_without_options)
{
    static const int status[] = { 400, 401, 403, 404, 405, 500, 501 };
    for (size_t i = 0; i < sizeof status / sizeof *status; i++) {
        rig r = rig_new(NULL);
        asks(&r, "OPTIONS", url);
        PL_OKAY(!r.call.token);
        answer(&r, status[i], "Link: <stun:s.example>; rel=\"ice-server\"\n", "");
        tells(&r, PL_WHIP_READY);
        PL_EQ(r.ev.links->n, 0);
        pl_whip_client_free(r.c);
    }
}

PL_TEST(redirects)
{
    rig r = rig_new("t0k");
    asks(&r, "OPTIONS", url);
    answer(&r, 307, "Location: /other\n", "");
    asks(&r, "OPTIONS", "https://media.example/other");
    PL_STREQ(r.call.token, "t0k");
    answer(&r, 204, "", "");
    tells(&r, PL_WHIP_READY);
    PL_EQ(pl_whip_client_offer(r.c, r.now_us, offer), PL_OK);
    asks(&r, "POST", url);
    answer(&r, 308, "Location: https://edge.example:444/in?k=1\n", "");
    tells(&r, PL_WHIP_NOTE);
    asks(&r, "POST", "https://edge.example:444/in?k=1");
    PL_OKAY(has(r.call.body, "a=ice-ufrag:ufr1"));
    PL_OKAY(!r.call.token); /* another server does not learn it */
    answer(&r, 201, "Location: s/9\nContent-Type: application/sdp\n", "v=0\r\n");
    tells(&r, PL_WHIP_ANSWER);
    pl_whip_client_end(r.c);
    asks(&r, "DELETE", "https://edge.example:444/s/9");
    PL_OKAY(!r.call.token);
    pl_whip_client_free(r.c);
}

PL_TEST(redirects_that_are_not_followed)
{
    static const char *const to[] = {
        "Location: http://media.example/plain\n", "Location: ftp://x/\n",          "Location: \n", "",
        "Location: https://u:p@media.example/\n", "Location: file:///etc/passwd\n"
    };
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        rig r = rig_new(NULL);
        be_ready(&r);
        answer(&r, 307, to[i], "");
        tells(&r, PL_WHIP_NOTE);
        tells(&r, PL_WHIP_FAILED);
        pl_whip_client_free(r.c);
    }
    rig r = rig_new(NULL);
    be_ready(&r);
    for (int i = 0; i < PL_WHIP_REDIRECTS_MAX; i++) {
        answer(&r, 307, "Location: /round\n", "");
        asks(&r, "POST", "https://media.example/round");
    }
    answer(&r, 307, "Location: /round\n", "");
    tells(&r, PL_WHIP_NOTE);
    PL_OKAY(says(&r, "circle"));
    tells(&r, PL_WHIP_FAILED);
    asks_nothing(&r);
    pl_whip_client_free(r.c);
    r = rig_new(NULL);
    be_ready(&r);
    answer(&r, 302, "Location: /elsewhere\n", ""); /* would become a GET elsewhere */
    tells(&r, PL_WHIP_FAILED);
    PL_OKAY(says(&r, "302"));
    pl_whip_client_free(r.c);
}

PL_TEST(refusals_have_a_sentence)
{
    static const int status[] = { 400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 500, 200, 204 };
    for (size_t i = 0; i < sizeof status / sizeof *status; i++) {
        rig r = rig_new(NULL);
        char number[16];
        be_ready(&r);
        answer(&r, status[i], "Content-Type: text/plain\n", "because\x1b[31m of this\nand that");
        tells(&r, PL_WHIP_FAILED);
        snprintf(number, sizeof number, "%d", status[i]);
        PL_OKAY(says(&r, number) && says(&r, ": because?[31m of this"));
        PL_OKAY(!says(&r, "and that"));
        asks_nothing(&r);
        pl_whip_client_end(r.c);
        asks_nothing(&r);
        tells(&r, PL_WHIP_CLOSED);
        pl_whip_client_free(r.c);
    }
}

PL_TEST(a_busy_server_is_asked_again)
{
    rig r = rig_new(NULL);
    be_ready(&r);
    answer(&r, 503, "Retry-After: 7\n", "");
    tells(&r, PL_WHIP_NOTE);
    asks_nothing(&r);
    PL_EQ(pl_whip_client_next_us(r.c), r.now_us + PL_SEC(7));
    r.now_us += PL_SEC(7);
    asks(&r, "POST", url);
    answer(&r, 404, "Retry-After: 0\n", ""); /* nobody publishes yet */
    tells(&r, PL_WHIP_NOTE);
    r.now_us += PL_SEC(1);
    asks(&r, "POST", url);
    answer(&r, 429, "Retry-After: Fri, 31 Dec 2027 23:59:59 GMT\n", "");
    tells(&r, PL_WHIP_NOTE);
    r.now_us += PL_SEC(5);
    asks(&r, "POST", url);
    answer(&r, 503, "Retry-After: 99999999999999999999\n", "");
    tells(&r, PL_WHIP_NOTE);
    r.now_us += PL_SEC(12);
    asks(&r, "POST", url);
    answer(&r, 503, "Retry-After: 60\n", ""); /* patience ends before that */
    tells(&r, PL_WHIP_FAILED);
    pl_whip_client_free(r.c);
}

PL_TEST(sessions_that_are_none)
{
    static const struct {
        const char *headers, *body;
    } bad[] = {
        { "Content-Type: application/sdp\n", "v=0\r\n" },
        { "Location: \nContent-Type: application/sdp\n", "v=0\r\n" },
        { "Location: javascript:alert(1)\nContent-Type: application/sdp\n", "v=0\r\n" },
        { "Location: /s\nContent-Type: text/html\n", "<html>" },
        { "Location: /s\n", "v=0\r\n" },
        { "Location: /s\nContent-Type: application/sdp\n", "" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rig r = rig_new(NULL);
        be_ready(&r);
        answer(&r, 201, bad[i].headers, bad[i].body);
        tells(&r, PL_WHIP_FAILED);
        pl_whip_client_end(r.c);
        bool deletes =
            pl_whip_client_poll_call(r.c, r.now_us, &r.call); /* where it is known, it is not left behind */
        PL_EQ(deletes, i >= 3);
        pl_whip_client_free(r.c);
    }
}

PL_TEST(candidates_are_not_all)
{
    static const struct {
        int status;
        bool goes_on; /* candidates are told after it, too */
        const char *says;
    } server[] = {
        { 200, true, NULL },   { 405, false, "405" }, { 501, false, "501" }, { 412, true, "412" },
        { 428, false, "428" }, { 422, true, "422" },  { 400, true, "400" },  { 500, true, "500" }
    };
    for (size_t i = 0; i < sizeof server / sizeof *server; i++) {
        rig r = rig_new(NULL);
        be_up(&r);
        PL_EQ(pl_whip_client_candidate(r.c, candidate), PL_OK);
        asks(&r, "PATCH", "https://media.example/s/1");
        answer(&r, server[i].status, "", "");
        if (server[i].says) {
            tells(&r, PL_WHIP_NOTE);
            PL_OKAY(says(&r, server[i].says));
        }
        tells_nothing(&r);
        PL_EQ(pl_whip_client_candidate(r.c, candidate), PL_OK);
        PL_EQ(pl_whip_client_poll_call(r.c, r.now_us, &r.call), server[i].goes_on);
        pl_whip_client_free(r.c);
    }
    rig r = rig_new(NULL);
    be_up(&r);
    PL_EQ(pl_whip_client_candidate(r.c, candidate), PL_OK);
    asks(&r, "PATCH", "https://media.example/s/1");
    answer(&r, 404, "", "");
    tells(&r, PL_WHIP_FAILED);
    pl_whip_client_end(r.c);
    asks_nothing(&r); /* nothing is left to be deleted */
    tells(&r, PL_WHIP_CLOSED);
    pl_whip_client_free(r.c);
}

PL_TEST(candidates_have_a_maximum)
{
    rig r = rig_new(NULL);
    for (int i = 0; i < PL_WHIP_CANDIDATES_MAX; i++)
        PL_EQ(pl_whip_client_candidate(r.c, candidate), PL_OK);
    PL_EQ(pl_whip_client_candidate(r.c, candidate), PL_ENOSPC);
    PL_EQ(pl_whip_client_candidate(r.c, ""), PL_OK);
    pl_whip_client_check(r.c);
    pl_whip_client_free(r.c);
}

PL_TEST(a_network_that_fails)
{
    rig r = rig_new(NULL);
    asks(&r, "OPTIONS", url);
    pl_whip_client_result(r.c, r.now_us, NULL, "no route");
    tells(&r, PL_WHIP_FAILED);
    PL_STREQ(r.ev.text, "no route");
    pl_whip_client_free(r.c);
    r = rig_new(NULL);
    be_up(&r);
    PL_EQ(pl_whip_client_candidate(r.c, candidate), PL_OK);
    for (int i = 0; i < 2; i++) {
        asks(&r, "PATCH", "https://media.example/s/1");
        pl_whip_client_result(r.c, r.now_us, NULL, "cut");
        tells_nothing(&r);
        asks_nothing(&r);
        r.now_us += PL_SEC(1);
    }
    asks(&r, "PATCH", "https://media.example/s/1");
    PL_OKAY(has(r.call.body, candidate));
    answer(&r, 204, "", "");
    tells_nothing(&r);
    pl_whip_client_end(r.c);
    asks(&r, "DELETE", "https://media.example/s/1");
    pl_whip_client_result(r.c, r.now_us, NULL, "cut");
    tells(&r, PL_WHIP_NOTE);
    tells(&r, PL_WHIP_CLOSED);
    pl_whip_client_free(r.c);
}

static const char fragment[] = "a=ice-ufrag:srv2\r\na=ice-pwd:srvsrvsrvsrvsrvsrvsrv2\r\n";
static const char frag_type[] = "Content-Type: application/trickle-ice-sdpfrag\nETag: \"e2\"\n";

PL_TEST(ice_restarts)
{
    rig r = rig_new(NULL);
    PL_EQ(pl_whip_client_restart(r.c, offer2), PL_ESTATE);
    be_up(&r);
    PL_EQ(pl_whip_client_candidate(r.c, candidate), PL_OK);
    asks(&r, "PATCH", "https://media.example/s/1");
    PL_EQ(pl_whip_client_restart(r.c, offer2), PL_OK); /* while candidates are on their way */
    PL_EQ(pl_whip_client_restart(r.c, offer2), PL_ESTATE);
    answer(&r, 412, "", "");
    tells_nothing(&r);
    asks(&r, "PATCH", "https://media.example/s/1");
    PL_STREQ(r.call.if_match, "*");
    PL_OKAY(has(r.call.body, "a=ice-ufrag:ufr2") && !has(r.call.body, candidate));
    answer(&r, 200, frag_type, fragment);
    tells(&r, PL_WHIP_RESTARTED);
    PL_STREQ(r.ev.text, fragment);
    PL_EQ(pl_whip_client_candidate(r.c, candidate), PL_OK);
    asks(&r, "PATCH", "https://media.example/s/1");
    PL_STREQ(r.call.if_match, "\"e2\"");
    PL_OKAY(has(r.call.body, "a=ice-ufrag:ufr2"));
    pl_whip_client_free(r.c);
}

PL_TEST(restarts_that_fail)
{
    static const struct {
        int status;
        const char *headers, *body;
    } bad[] = { { 204, "", "" },         { 405, "", "" },
                { 412, "", "" },         { 422, "", "" },
                { 200, "", fragment },   { 200, frag_type, "" },
                { 200, frag_type, "x" }, { 200, frag_type, "a=ice-ufrag:srv2\r\n" },
                { 501, frag_type, "" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rig r = rig_new(NULL);
        be_up(&r);
        PL_EQ(pl_whip_client_restart(r.c, offer2), PL_OK);
        asks(&r, "PATCH", "https://media.example/s/1");
        answer(&r, bad[i].status, bad[i].headers, bad[i].body);
        tells(&r, PL_WHIP_NO_RESTART);
        asks_nothing(&r);
        PL_EQ(pl_whip_client_restart(r.c, offer2), PL_OK); /* it may be tried again */
        pl_whip_client_free(r.c);
    }
}

PL_TEST(the_end_at_any_time)
{
    rig r = rig_new(NULL);
    pl_whip_client_end(r.c);
    asks_nothing(&r);
    tells(&r, PL_WHIP_CLOSED);
    pl_whip_client_free(r.c);
    r = rig_new(NULL);
    be_ready(&r);
    pl_whip_client_end(r.c); /* while the offer is on its way: the session that it makes is deleted */
    answer(&r, 201, "Location: /s/1\nContent-Type: application/sdp\n", "v=0\r\n");
    asks(&r, "DELETE", "https://media.example/s/1");
    answer(&r, 404, "", "");
    tells(&r, PL_WHIP_ANSWER);
    tells(&r, PL_WHIP_CLOSED);
    pl_whip_client_free(r.c);
    r = rig_new(NULL);
    be_ready(&r);
    answer(&r, 307, "Location: /other\n", ""); /* and not where the offer was to go */
    pl_whip_client_end(r.c);
    asks_nothing(&r);
    tells(&r, PL_WHIP_CLOSED);
    pl_whip_client_free(r.c);
}

PL_TEST(addresses_and_tokens_that_cannot_be)
{
    static const char *const bad[] = { "",          "media.example/whip/a x", "ftp://h/", "http://",
                                       "file:///x", "https://u:p@h/",         "://" };
    pl_whip_client *c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        PL_EQ(pl_whip_client_new(&c, &(pl_whip_client_conf){ .url = bad[i] }, 0), PL_EINVAL);
    static const char *const token[] = { "", "a b", "a\r\nX: y", "\xc3\xa4" };
    for (size_t i = 0; i < sizeof token / sizeof *token; i++)
        PL_EQ(pl_whip_client_new(&c, &(pl_whip_client_conf){ .url = url, .token = token[i] }, 0), PL_EINVAL);
    PL_OKAY(pl_whip_url_same_origin("https://a.example/x", "https://A.example:443/y"));
    PL_OKAY(!pl_whip_url_same_origin("https://a.example/", "http://a.example/"));
    PL_OKAY(!pl_whip_url_same_origin("https://a.example/", "https://a.example:444/"));
    PL_OKAY(!pl_whip_url_same_origin("https://a.example/", "https://b.example/"));
}

/* Any answers in any order: every state holds, and memory is given back. */
PL_TEST(random_servers)
{
    static const int status[] = { 200, 201, 204, 307, 308, 400, 401, 404, 405,
                                  412, 422, 428, 429, 503, 999, 0,   -1 };
    static const char *const headers[] = { "", "Location: /s/1\nETag: \"e\"\nContent-Type: application/sdp\n",
                                           "Location: /s/2\nRetry-After: 1\n",
                                           "Content-Type: application/trickle-ice-sdpfrag\n",
                                           "Location: https://b.example/\nLink: <stun:x>; rel=ice-server\n" };
    static const char *const bodies[] = { "", "v=0\r\n", fragment, "junk\x01" };
    uint64_t seed = pl_test_seed(9725);
    for (uint64_t run = 0; run < 2000; run++) {
        pl_rand_seeded state;
        pl_rand rand = pl_rand_seed(&state, seed + run);
        rig r = rig_new("tok");
        for (int step = 0; step < 40; step++) {
            r.now_us += pl_rand_below(&rand, 2000000);
            pl_err err = PL_OK;
            switch (pl_rand_below(&rand, 12)) {
            case 0: err = pl_whip_client_offer(r.c, r.now_us, offer); break;
            case 1: err = pl_whip_client_restart(r.c, offer2); break;
            case 2:
            case 3: err = pl_whip_client_candidate(r.c, pl_rand_below(&rand, 4) ? candidate : ""); break;
            case 4:
                if (step > 30)
                    pl_whip_client_end(r.c);
                break;
            case 5: pl_whip_client_result(r.c, r.now_us, NULL, "cut"); break;
            case 6:
            case 7:
                while (pl_whip_client_poll_event(r.c, &r.ev))
                    PL_OKAY(r.ev.text);
                break;
            default:
                if (pl_whip_client_poll_call(r.c, r.now_us, &r.call))
                    answer(&r, status[pl_rand_below(&rand, sizeof status / sizeof *status)],
                           headers[pl_rand_below(&rand, 5)], bodies[pl_rand_below(&rand, 4)]);
                break;
            }
            PL_OKAY(err != PL_ENOMEM);
            pl_whip_client_check(r.c);
        }
        pl_whip_client_free(r.c);
    }
}

/* ---- Link headers ---- */

static pl_whip_links links_of(const char *value)
{
    pl_whip_links l = { 0 };
    pl_whip_links_read(&l, pl_str_of(value));
    return l;
}

PL_TEST(link_headers)
{
    pl_whip_links l = links_of(
        "<turn:turn.example?transport=udp> ; rel = \"other ice-server\" ; username=\"us\\\"er\"; "
        "credential=\"p;a,s>s\";credential-type=password , <stun:stun.example:19302>;rel=ice-server");
    PL_EQ(l.n, 2);
    PL_STREQ(l.link[0].url, "turn:turn.example?transport=udp");
    PL_STREQ(l.link[0].username, "us\"er");
    PL_STREQ(l.link[0].credential, "p;a,s>s");
    PL_STREQ(l.link[1].url, "stun:stun.example:19302");
    static const char *const none[] = {
        "",
        "stun:x; rel=ice-server",
        "<stun:x>",
        "<stun:x>; rel=next",
        "<http://x>; rel=ice-server",
        "<stun:x; rel=ice-server",
        "<turn:x>; rel=ice-server; credential-type=oauth",
        "<stun:x>; rel=\"ice-server",
        ";;;,,,<<<>>>\"\"",
        "<>;rel=ice-server",
        "<stun:x>; re=\"l\"; =ice-server",
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        PL_EQ(links_of(none[i]).n, 0);
    pl_buf many = pl_buf_init(1 << 16);
    for (int i = 0; i < 50; i++)
        pl_buf_addf(&many, "%s<stun:s%d>; rel=ice-server", i ? ", " : "", i);
    PL_EQ(links_of(pl_buf_z(&many)).n, PL_WHIP_LINKS_MAX);
    pl_buf_clear(&many);
    many = pl_buf_init(1 << 16);
    pl_buf_addf(&many, "<stun:");
    for (int i = 0; i < 300; i++)
        pl_buf_addf(&many, "x");
    pl_buf_addf(&many, ">; rel=ice-server, <stun:short>; rel=ice-server");
    l = links_of(pl_buf_z(&many));
    PL_EQ(l.n, 1);
    PL_STREQ(l.link[0].url, "stun:short");
    pl_buf_clear(&many);
}

PL_TEST(links_written_and_read_again)
{
    pl_whip_link link = { "turn:h:3478?transport=tcp", "1700000000:whip", "c/r+e=d" };
    pl_buf b = pl_buf_init(4096);
    pl_whip_link_write(&b, &link);
    pl_str line = { b.p, b.n };
    PL_OKAY(pl_str_is(pl_str_cut(&line, ':'), "Link"));
    line.n -= 2;
    pl_whip_links l = { 0 };
    pl_whip_links_read(&l, line);
    PL_EQ(l.n, 1);
    PL_STREQ(l.link[0].url, link.url);
    PL_STREQ(l.link[0].username, link.username);
    PL_STREQ(l.link[0].credential, link.credential);
    b.n = 0;
    pl_whip_link evil = { "stun:h\r\nX: y>", "u\"; x=\"", "c\r\n" };
    pl_whip_link_write(&b, &evil);
    size_t n_lines = 0;
    for (size_t i = 0; i < b.n; i++)
        n_lines += b.p[i] == '\n';
    PL_EQ(n_lines, 1);
    pl_buf_clear(&b);
}

PL_TESTS(t(the_usual_course), t(an_endpoint_without_options), t(redirects),
         t(redirects_that_are_not_followed), t(refusals_have_a_sentence), t(a_busy_server_is_asked_again),
         t(sessions_that_are_none), t(candidates_are_not_all), t(candidates_have_a_maximum),
         t(a_network_that_fails), t(ice_restarts), t(restarts_that_fail), t(the_end_at_any_time),
         t(addresses_and_tokens_that_cannot_be), t(random_servers), t(link_headers),
         t(links_written_and_read_again))
