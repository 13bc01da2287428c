/* The endpoints of WHIP and WHEP request by request: statuses, headers, tokens, conditions, limits, times; and random clients. */
#include "pl_test.h"

#include "base/rand.h"
#include "base/time.h"
#include "server/whip_server.h"

#define OFFER(direction)                                                                                     \
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"                                \
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:ufr1\r\na=ice-pwd:pwdpwdpwdpwdpwdpwdpwd1\r\n" \
    "a=" direction "\r\na=rtpmap:111 opus/48000/2\r\n"                                                       \
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ice-ufrag:ufr1\r\na=ice-pwd:pwdpwdpwdpwdpwdpwdpwd1\r\n"  \
    "a=" direction "\r\na=rtpmap:96 VP8/90000\r\n"
static const char sends[] = OFFER("sendonly"), receives[] = OFFER("recvonly");
static const char trickled[] =
    "a=ice-ufrag:ufr1\r\na=ice-pwd:pwdpwdpwdpwdpwdpwdpwd1\r\nm=audio 9 X 0\r\na=mid:0\r\n"
    "a=candidate:1 1 UDP 1 192.0.2.1 5000 typ host\r\n";
static const char restarts[] = "a=ice-ufrag:ufr2\r\na=ice-pwd:pwdpwdpwdpwdpwdpwdpwd2\r\n";
static const pl_addr here = { .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } };
static const pl_addr elsewhere = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 1 } };

typedef struct rig {
    pl_whip_server *w;
    pl_rand_seeded random;
    int64_t now_us;
    pl_addr from;
    char buf[70000]; /* the request */
    pl_http_reader reader;
    pl_http_reply reply;
    pl_whip_task task;
    char head[8192];
    char url[256], etag[64]; /* of the last session */
} rig;

static void add_links(void *user, const pl_http_request *req, pl_buf *head)
{
    (void)user, (void)req;
    pl_buf_addf(head, "Link: <stun:here>; rel=\"ice-server\"\r\n");
}

static rig *rig_new(pl_whip_server_conf conf)
{
    rig *r = calloc(1, sizeof *r);
    r->now_us = PL_SEC(50);
    r->from = here;
    conf.rand = pl_rand_seed(&r->random, pl_test_seed(1));
    conf.links = add_links;
    PL_EQ(pl_whip_server_new(&r->w, &conf), PL_OK);
    pl_http_reader_init(&r->reader);
    return r;
}

static void drop(rig *r, pl_whip_session *s)
{
    PL_OKAY(pl_whip_server_drop(r->w, r->now_us, s) == NULL);
}

static void rig_free(rig *r)
{
    for (pl_whip_session *s; (s = pl_whip_server_any(r->w));)
        drop(r, s);
    pl_whip_server_check(r->w);
    pl_whip_server_free(r->w);
    pl_http_reader_clear(&r->reader);
    pl_buf_clear(&r->reply.head);
    pl_buf_clear(&r->reply.body);
    free(r);
}

static const char *header(const rig *r, const char *name, char out[256])
{
    char line[64];
    snprintf(line, sizeof line, "\n%s: ", name);
    const char *at = strstr(r->head, line);
    out[0] = 0;
    if (at)
        snprintf(out, 256, "%.*s", (int)strcspn(at + strlen(line), "\r"), at + strlen(line));
    return out;
}

static bool has(const rig *r, const char *what)
{
    return strstr(r->head, what) != NULL;
}

/* Does what a carrier does, and returns the status. */
static int ask(rig *r, const char *method, const char *path, const char *headers, const char *body)
{
    size_t used;
    int n = snprintf(r->buf, sizeof r->buf, "%s %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n%s",
                     method, path, headers, strlen(body), body);
    pl_http_reader_next(&r->reader);
    PL_EQ(pl_http_reader_feed(&r->reader, (uint8_t *)r->buf, (size_t)n, &used), PL_HTTP_DONE);
    pl_buf_clear(&r->reply.head);
    pl_buf_clear(&r->reply.body);
    r->reply = (pl_http_reply){ .head = pl_buf_init(16384), .body = pl_buf_init(65536) };
    const pl_http_request *req = &r->reader.req;
    pl_whip_server_request(r->w, r->now_us, req, &r->from, &r->reply, &r->task);
    pl_sdp_fragment ours = { .ufrag = PL_STR("srv2"), .pwd = PL_STR("srvsrvsrvsrvsrvsrvsrv2") };
    if (r->task.kind == PL_WHIP_OPEN)
        pl_whip_server_opened(r->w, r->task.session, req, PL_STR("v=0\r\nanswer"), &r->reply);
    else if (r->task.kind == PL_WHIP_RESTART)
        pl_whip_server_restarted(r->w, r->task.session, &r->task.fragment, &ours, &r->reply);
    else if (r->task.kind == PL_WHIP_END)
        drop(r, r->task.session);
    snprintf(r->head, sizeof r->head, "%.*s", (int)r->reply.head.n, r->reply.head.p ? r->reply.head.p : "");
    pl_whip_server_check(r->w);
    return r->task.kind == PL_WHIP_NOT_MINE ? 0 : r->reply.status;
}

#define SDP  "Content-Type: application/sdp\r\n"
#define FRAG "Content-Type: application/trickle-ice-sdpfrag\r\n"

static void open_session(rig *r, const char *path, const char *more)
{
    char headers[512], out[256];
    snprintf(headers, sizeof headers, SDP "%s", more);
    PL_EQ(ask(r, "POST", path, headers, strncmp(path, "/whip", 5) == 0 ? sends : receives), 201);
    snprintf(r->url, sizeof r->url, "%s", header(r, "Location", out));
    snprintf(r->etag, sizeof r->etag, "%s", header(r, "ETag", out));
}

static const char *if_match(const char *etag)
{
    static char text[256];
    snprintf(text, sizeof text, FRAG "If-Match: %s\r\n", etag);
    return text;
}

PL_TEST(a_session_from_post_to_delete)
{
    rig *r = rig_new((pl_whip_server_conf){ 0 });
    open_session(r, "/whip/a", "");
    PL_EQ(strlen(r->url), strlen("/whip/a/") + PL_WHIP_ID_LEN);
    PL_OKAY(strncmp(r->url, "/whip/a/", 8) == 0 && r->etag[0] == '"');
    PL_OKAY(has(r, "Accept-Patch: application/trickle-ice-sdpfrag\r\n") && has(r, "Link: <stun:here>"));
    PL_STREQ(r->reply.type, "application/sdp");
    PL_OKAY(r->task.offers[PL_AUDIO] && r->task.offers[PL_VIDEO]);
    PL_EQ(ask(r, "PATCH", r->url, if_match(r->etag), trickled), 204);
    PL_EQ(r->task.kind, PL_WHIP_TRICKLE);
    PL_EQ(r->task.fragment.n_candidates, 1);
    PL_EQ(ask(r, "PATCH", r->url, if_match("\"x\", W/\"y\""), trickled), 412);
    PL_EQ(ask(r, "PATCH", r->url, FRAG, trickled), 428);
    PL_EQ(ask(r, "PATCH", r->url, if_match(r->etag), restarts), 422);
    PL_EQ(ask(r, "PATCH", r->url, if_match("*"), trickled), 204);
    char old[64], out[256];
    memcpy(old, r->etag, sizeof old);
    PL_EQ(ask(r, "PATCH", r->url, if_match("*"), restarts), 200);
    PL_OKAY(has(r, "ETag: ") && strcmp(header(r, "ETag", out), old) != 0);
    PL_STREQ(r->reply.type, "application/trickle-ice-sdpfrag");
    PL_EQ(ask(r, "PATCH", r->url, if_match(old), trickled), 412);
    PL_EQ(ask(r, "PATCH", r->url, if_match("*"), "a=ice-ufrag:ufr3\r\n"), 422);
    PL_EQ(ask(r, "DELETE", r->url, "", ""), 200);
    PL_EQ(ask(r, "DELETE", r->url, "", ""), 404);
    PL_EQ(ask(r, "PATCH", r->url, if_match("*"), trickled), 404);
    rig_free(r);
}

PL_TEST(other_methods_are_reserved)
{
    static const char *const methods[] = { "GET", "HEAD", "POST", "PUT" };
    rig *r = rig_new((pl_whip_server_conf){ 0 });
    open_session(r, "/whip/a", "");
    char url[256];
    memcpy(url, r->url, sizeof url);
    for (size_t i = 0; i < 4; i++) {
        PL_EQ(ask(r, methods[i], url, SDP, sends), 405);
        PL_OKAY(has(r, "Allow: OPTIONS, PATCH, DELETE"));
        if (strcmp(methods[i], "POST") != 0)
            PL_EQ(ask(r, methods[i], "/whip/a", "", ""), 405);
    }
    PL_EQ(ask(r, "DELETE", "/whip/a", "", ""), 405);
    PL_EQ(ask(r, "GET", "/", "", ""), 0);
    PL_EQ(ask(r, "GET", "/whip", "", ""), 0);
    PL_EQ(ask(r, "POST", "/whipper/a", SDP, sends), 0);
    rig_free(r);
}

PL_TEST(browsers_may_ask_from_anywhere)
{
    rig *r = rig_new((pl_whip_server_conf){ .open = true });
    PL_EQ(ask(r, "OPTIONS", "/whip/a", "Origin: https://x.example\r\nAccess-Control-Request-Method: POST\r\n",
              ""),
          204);
    PL_OKAY(has(r, "Access-Control-Allow-Origin: *") && has(r, "PATCH, DELETE") && has(r, "Authorization"));
    PL_OKAY(has(r, "Access-Control-Expose-Headers: Location, ETag, Link, Accept-Patch"));
    PL_OKAY(!has(r, "Link: ")); /* a preflight is nobody's */
    PL_EQ(ask(r, "OPTIONS", "/whip/a", "", ""), 204);
    PL_OKAY(has(r, "Link: <stun:here>") && has(r, "Accept-Post: application/sdp"));
    PL_EQ(ask(r, "GET", "/whep/a", "", ""), 405);
    PL_OKAY(has(r, "Access-Control-Allow-Origin: *")); /* refusals are readable, too */
    rig_free(r);
}

PL_TEST(bodies_that_are_not_taken)
{
    rig *r = rig_new((pl_whip_server_conf){ 0 });
    char *big = malloc(PL_WHIP_OFFER_MAX + 2);
    memset(big, 'x', PL_WHIP_OFFER_MAX + 1);
    big[PL_WHIP_OFFER_MAX + 1] = 0;
    PL_EQ(ask(r, "POST", "/whip/a", "", sends), 415);
    PL_EQ(ask(r, "POST", "/whip/a", "Content-Type: application/json\r\n", "{}"), 415);
    PL_OKAY(has(r, "Accept-Post: application/sdp"));
    PL_EQ(ask(r, "POST", "/whip/a", SDP "Accept: text/html\r\n", sends), 406);
    PL_EQ(ask(r, "POST", "/whip/a", SDP, "hello"), 400);
    PL_EQ(ask(r, "POST", "/whip/a", SDP, ""), 400);
    PL_EQ(ask(r, "POST", "/whip/a", SDP, receives), 422);
    PL_EQ(ask(r, "POST", "/whip/a", SDP, big), 413);
    PL_EQ(ask(r, "POST", "/whip/a", "Content-Type: Application/SDP; charset=utf-8\r\nAccept: */*;q=0.1\r\n",
              sends),
          201);
    char url[256], out[256];
    snprintf(url, sizeof url, "%s", header(r, "Location", out));
    PL_EQ(ask(r, "PATCH", url, SDP "If-Match: *\r\n", trickled), 415);
    PL_OKAY(has(r, "Accept-Patch: "));
    PL_EQ(ask(r, "PATCH", url, if_match("*"), "hello"), 400);
    PL_EQ(ask(r, "PATCH", url, if_match("*"), ""), 400);
    PL_EQ(ask(r, "POST", "/whep/a", SDP, sends), 422);
    pl_whip_server_stats st;
    pl_whip_server_get_stats(r->w, &st);
    PL_EQ(st.n_sessions, 1); /* nothing was left behind by the others */
    free(big);
    rig_free(r);
}

#define SECTION(kind, mid, pt, codec)                                                                        \
    "m=" kind " 9 UDP/TLS/RTP/SAVPF " pt "\r\na=mid:" mid "\r\na=ice-ufrag:ufr1\r\n"                         \
    "a=ice-pwd:pwdpwdpwdpwdpwdpwdpwd1\r\na=sendonly\r\na=rtpmap:" pt " " codec "\r\n"
#define SDP_HEAD   "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define AUDIO(mid) SECTION("audio", mid, "111", "opus/48000/2")
#define VIDEO(mid) SECTION("video", mid, "96", "VP8/90000")

/* RFC 9725 4.4.2 */
PL_TEST(one_section_of_a_kind)
{
    rig *r = rig_new((pl_whip_server_conf){ 0 });
    PL_EQ(ask(r, "POST", "/whip/a", SDP, SDP_HEAD AUDIO("0") AUDIO("1")), 422);
    PL_EQ(ask(r, "POST", "/whip/a", SDP, SDP_HEAD VIDEO("0") AUDIO("1") VIDEO("2")), 422);
    PL_EQ(ask(r, "POST", "/whip/a", SDP, SDP_HEAD), 422);
    PL_EQ(ask(r, "POST", "/whip/a", SDP,
              SDP_HEAD
              "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n"),
          422); /* without an ICE name */
    PL_EQ(ask(r, "POST", "/whip/a", SDP, SDP_HEAD AUDIO("0")), 201);
    PL_OKAY(r->task.offers[PL_AUDIO] && !r->task.offers[PL_VIDEO]);
    PL_EQ(ask(r, "POST", "/whip/b", SDP, SDP_HEAD VIDEO("0")), 201);
    PL_OKAY(!r->task.offers[PL_AUDIO] && r->task.offers[PL_VIDEO]);
    rig_free(r);
}

PL_TEST(names_that_are_none)
{
    static const char *const bad[] = { "/whip/",      "/whip/.",   "/whip/..", "/whip/.hidden",
                                       "/whip/a%20b", "/whip/a,b", "/whip//x", "/whip/%2e%2e/x" };
    rig *r = rig_new((pl_whip_server_conf){ 0 });
    char path[200] = "/whip/";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        PL_EQ(ask(r, "POST", bad[i], SDP, sends), 404);
    memset(path + 6, 'n', PL_WHIP_NAME_MAX);
    open_session(r, path, "");
    path[6 + PL_WHIP_NAME_MAX] = 'n';
    PL_EQ(ask(r, "POST", path, SDP, sends), 404);
    rig_free(r);
}

PL_TEST(one_publishes_and_others_watch)
{
    rig *r = rig_new((pl_whip_server_conf){ .max_viewers = 3, .max_sessions = 5 });
    PL_EQ(ask(r, "POST", "/whep/a", SDP, receives), 404);
    PL_OKAY(has(r, "Retry-After: "));
    open_session(r, "/whip/a", "");
    PL_EQ(ask(r, "POST", "/whip/a", SDP, sends), 409);
    for (int i = 0; i < 3; i++)
        open_session(r, "/whep/a", "");
    PL_EQ(ask(r, "POST", "/whep/a", SDP, receives), 503);
    PL_OKAY(has(r, "Retry-After: "));
    open_session(r, "/whip/b", "");
    PL_EQ(ask(r, "POST", "/whip/c", SDP, sends), 503);
    /* A session belongs to its endpoint. */
    char path[300];
    snprintf(path, sizeof path, "/whip/a/%s", strrchr(r->url, '/') + 1);
    PL_EQ(ask(r, "DELETE", path, "", ""), 404);
    snprintf(path, sizeof path, "/whep/b/%s", strrchr(r->url, '/') + 1);
    PL_EQ(ask(r, "DELETE", path, "", ""), 404);
    rig_free(r);
}

/* What whip-whep's player does: no If-Match, but the ICE name. */
PL_TEST(players_know_no_etag)
{
    rig *r = rig_new((pl_whip_server_conf){ 0 });
    open_session(r, "/whip/a", "");
    open_session(r, "/whep/a", "");
    PL_EQ(ask(r, "PATCH", r->url, FRAG, trickled), 204);
    PL_EQ(ask(r, "PATCH", r->url, FRAG, restarts), 428);
    PL_EQ(ask(r, "PATCH", r->url, FRAG, "m=audio 9 X 0\r\na=mid:0\r\na=end-of-candidates\r\n"), 428);
    rig_free(r);
}

PL_TEST(without_tokens_this_machine_alone)
{
    rig *r = rig_new((pl_whip_server_conf){ 0 });
    r->from = elsewhere;
    PL_EQ(ask(r, "POST", "/whip/a", SDP, sends), 403);
    PL_EQ(ask(r, "OPTIONS", "/whip/a", "", ""), 204);
    PL_OKAY(!has(r, "Link: "));
    r->from = here;
    static const char *const foreign[] = {
        "https://evil.example",          "null", "http://localhost.evil.example",
        "http://127.0.0.1.evil.example", "",     "http://evil@localhost"
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        char headers[200];
        snprintf(headers, sizeof headers, SDP "Origin: %s\r\n", foreign[i]);
        PL_EQ(ask(r, "POST", "/whip/a", headers, sends), 403);
    }
    open_session(r, "/whip/a", "Origin: http://localhost:8888\r\n");
    open_session(r, "/whep/a", "Origin: http://[::1]:8888\r\n");
    r->from = elsewhere;
    PL_EQ(ask(r, "DELETE", r->url, "", ""), 403);
    rig_free(r);
    r = rig_new((pl_whip_server_conf){ .open = true });
    r->from = elsewhere;
    open_session(r, "/whip/a", "Origin: https://page.example\r\n");
    rig_free(r);
}

static pl_whip_access access_of(const char *text)
{
    char say[PL_WHIP_SAY_MAX];
    pl_whip_access a = { 0 };
    PL_EQ(pl_whip_access_read(&a, pl_str_of(text), say), PL_OK);
    return a;
}

PL_TEST(tokens)
{
    pl_whip_access a = access_of(
        "# who\r\n\r\n publish\ta  s3cret\r\nplay a view\nboth b b0th\nplay open -\npublish * master\n");
    rig *r = rig_new((pl_whip_server_conf){ .access = &a, .open = true });
    r->from = elsewhere;
#define AUTH(token) SDP "Authorization: Bearer " token "\r\n"
    PL_EQ(ask(r, "POST", "/whip/a", SDP, sends), 401);
    PL_OKAY(has(r, "WWW-Authenticate: Bearer realm=\"peerline\"\r\n"));
    PL_EQ(ask(r, "POST", "/whip/a", AUTH("wrong"), sends), 401);
    PL_OKAY(has(r, "error=\"invalid_token\""));
    PL_EQ(ask(r, "POST", "/whip/a", SDP "Authorization: Basic czNjcmV0\r\n", sends), 401);
    PL_EQ(ask(r, "POST", "/whip/a", AUTH(""), sends), 401);
    PL_EQ(ask(r, "POST", "/whip/a", AUTH("-"), sends), 401);
    PL_EQ(ask(r, "POST", "/whip/a", AUTH("view"), sends), 403);
    PL_EQ(ask(r, "POST", "/whip/b", AUTH("s3cret"), sends), 403);
    PL_EQ(ask(r, "POST", "/whip/a", AUTH("s3cret"), sends), 201);
    char url[256], out[256];
    snprintf(url, sizeof url, "%s", header(r, "Location", out));
    PL_EQ(ask(r, "DELETE", url, "", ""), 401); /* who knows the address alone */
    PL_EQ(ask(r, "PATCH", url, FRAG "If-Match: *\r\n", trickled), 401);
    PL_EQ(ask(r, "POST", "/whep/a", AUTH("s3cret"), receives), 403);
    PL_EQ(ask(r, "POST", "/whep/a", AUTH("view"), receives), 201);
    PL_EQ(ask(r, "POST", "/whip/b", SDP "authorization: bearer b0th\r\n", sends), 201);
    PL_EQ(ask(r, "POST", "/whip/open", AUTH("master"), sends), 201);
    PL_EQ(ask(r, "POST", "/whep/open", SDP, receives), 201);
    PL_EQ(ask(r, "OPTIONS", "/whip/a", "", ""), 204);
    PL_OKAY(!has(r, "Link: ")); /* relays are for those who may */
    PL_EQ(ask(r, "OPTIONS", "/whip/a", "Authorization: Bearer s3cret\r\n", ""), 204);
    PL_OKAY(has(r, "Link: "));
    PL_EQ(ask(r, "DELETE", url, "Authorization: Bearer s3cret\r\n", ""), 200);
    rig_free(r);
    pl_whip_access_clear(&a);
}

PL_TEST(token_files_that_make_no_sense)
{
    static const char *const bad[] = { "watch a t",     "publish",     "publish a", "publish a b c",
                                       "publish a,b t", "both ../x t", "play .x t" };
    char say[PL_WHIP_SAY_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pl_whip_access a = { 0 };
        char text[64];
        snprintf(text, sizeof text, "# one\n%s\n", bad[i]);
        PL_EQ(pl_whip_access_read(&a, pl_str_of(text), say), PL_EPROTO);
        PL_OKAY(strncmp(say, "line 2: ", 8) == 0);
        pl_whip_access_clear(&a);
    }
    pl_whip_access a = { 0 };
    pl_buf many = pl_buf_init(1 << 20);
    for (int i = 0; i <= PL_WHIP_ACCESS_MAX; i++)
        pl_buf_addf(&many, "play n%d t%d\n", i, i);
    PL_EQ(pl_whip_access_read(&a, (pl_str){ many.p, many.n }, say), PL_ENOSPC);
    pl_buf_clear(&many);
    pl_whip_access_clear(&a);
}

PL_TEST(sessions_expire)
{
    rig *r = rig_new((pl_whip_server_conf){ .connect_us = PL_SEC(10), .linger_us = PL_SEC(20) });
    int64_t start_us = r->now_us;
    PL_EQ(pl_whip_server_next_us(r->w), PL_NEVER);
    open_session(r, "/whip/a", "");
    pl_whip_session *publisher = r->task.session;
    r->now_us += PL_SEC(5);
    open_session(r, "/whep/a", "");
    pl_whip_session *viewer = r->task.session;
    PL_EQ(pl_whip_server_next_us(r->w), start_us + PL_SEC(10));
    PL_OKAY(pl_whip_server_expired(r->w, start_us + PL_SEC(10) - 1) == NULL);
    PL_OKAY(pl_whip_server_expired(r->w, start_us + PL_SEC(10)) == publisher);
    pl_whip_server_connected(r->w, publisher);
    PL_OKAY(pl_whip_server_expired(r->w, start_us + PL_SEC(10)) == NULL);
    pl_whip_server_connected(r->w, viewer);
    PL_EQ(pl_whip_server_next_us(r->w), PL_NEVER);
    r->now_us += PL_SEC(60);
    drop(r, publisher); /* its viewers wait for another, for a while */
    PL_EQ(pl_whip_server_next_us(r->w), r->now_us + PL_SEC(20));
    PL_EQ(ask(r, "POST", "/whep/a", SDP, receives), 404);
    open_session(r, "/whip/a", "");
    pl_whip_server_connected(r->w, r->task.session);
    PL_EQ(pl_whip_server_next_us(r->w), PL_NEVER);
    drop(r, r->task.session);
    PL_OKAY(pl_whip_server_expired(r->w, r->now_us + PL_SEC(20)) == viewer);
    drop(r, viewer);
    pl_whip_server_check(r->w);
    PL_EQ(pl_whip_server_next_us(r->w), PL_NEVER);
    rig_free(r);
}

PL_TEST(ids_are_not_guessed)
{
    rig *r = rig_new((pl_whip_server_conf){ .max_sessions = 1000 });
    char last[256] = "";
    for (int i = 0; i < 200; i++) {
        char path[32];
        snprintf(path, sizeof path, "/whip/n%d", i);
        open_session(r, path, "");
        PL_OKAY(strcmp(strrchr(r->url, '/'), last) != 0);
        snprintf(last, sizeof last, "%s", strrchr(r->url, '/'));
        PL_EQ(strspn(last + 1, "0123456789abcdef"), PL_WHIP_ID_LEN);
    }
    rig_free(r);
}

/* Anything in any order: the table is whole after each request, and empty at the end. */
PL_TEST(random_clients)
{
    static const char *const methods[] = { "POST", "PATCH", "DELETE", "OPTIONS", "GET" };
    static const char *const names[] = { "a", "b", "c" };
    uint64_t seed = pl_test_seed(9725);
    for (uint64_t run = 0; run < 60; run++) {
        pl_rand_seeded state;
        pl_rand rand = pl_rand_seed(&state, seed + run);
        rig *r = rig_new((pl_whip_server_conf){
            .max_sessions = 8, .max_viewers = 3, .connect_us = PL_SEC(3), .linger_us = PL_SEC(2) });
        char urls[8][256] = { "" };
        for (int i = 0; i < 200; i++) {
            char path[300], out[256];
            bool whip = pl_rand_below(&rand, 2);
            r->now_us += pl_rand_below(&rand, 500000);
            snprintf(path, sizeof path, "/%s/%s", whip ? "whip" : "whep", names[pl_rand_below(&rand, 3)]);
            const char *url = urls[pl_rand_below(&rand, 8)];
            bool at_session = url[0] && pl_rand_below(&rand, 2);
            const char *method = methods[at_session ? 1 + pl_rand_below(&rand, 4) : 0];
            const char *body = at_session ? (pl_rand_below(&rand, 2) ? trickled : restarts)
                               : whip     ? sends
                                          : receives;
            int status = ask(r, method, at_session ? url : path, at_session ? if_match("*") : SDP, body);
            if (status == 201)
                snprintf(urls[pl_rand_below(&rand, 8)], 256, "%s", header(r, "Location", out));
            if (status == 201 && pl_rand_below(&rand, 2))
                pl_whip_server_connected(r->w, r->task.session);
            for (pl_whip_session *s; (s = pl_whip_server_expired(r->w, r->now_us));)
                drop(r, s);
            pl_whip_server_check(r->w);
        }
        rig_free(r);
    }
}

PL_TESTS(t(a_session_from_post_to_delete), t(other_methods_are_reserved), t(browsers_may_ask_from_anywhere),
         t(bodies_that_are_not_taken), t(one_section_of_a_kind), t(names_that_are_none),
         t(one_publishes_and_others_watch), t(players_know_no_etag), t(without_tokens_this_machine_alone),
         t(tokens), t(token_files_that_make_no_sense), t(sessions_expire), t(ids_are_not_guessed),
         t(random_clients))
