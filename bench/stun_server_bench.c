/* What one message costs in the STUN room, in nanoseconds of one core: the plain Binding request by the short way
 * (with and without FINGERPRINT, with two addresses), by the long way, reading a message, and checking and signing
 * with long-term credentials, old and new, static, by shared secret, and known from before. One line of JSON each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "stun/auth.h"
#include "stun/credentials.h"
#include "stun/server.h"

enum { N = 2000000, N_SIGNED = 200000 };

static const uint8_t id[PL_STUN_ID_LEN] = "twelve bytes";
static const pl_addr source = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 7 }, .port = 4711 };
static const int64_t wall_us = INT64_C(1800000000) * 1000000;

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void report(const char *what, int64_t start_ns, int64_t n, uint64_t witness)
{
    printf("{\"bench\":\"stun\",\"what\":\"%s\",\"ns\":%.1f,\"witness\":%llu}\n", what,
           (double)(cpu_ns() - start_ns) / (double)n, (unsigned long long)witness);
}

static void bench_serve(const char *what, const pl_stun_server *server, const uint8_t *pkt, size_t len,
                        size_t cap)
{
    uint8_t out[PL_STUN_SERVE_MAX];
    pl_stun_server_counters count = { 0 };
    pl_stun_reply reply;
    pl_stun_query q = { .pkt = pkt, .len = len, .source = &source };
    uint64_t witness = 0;
    int64_t start_ns = cpu_ns();
    for (int i = 0; i < N; i++)
        witness += pl_stun_serve(server, &count, &q, out, cap, &reply);
    report(what, start_ns, N, witness + count.plain);
}

static void bench_binding(void)
{
    uint8_t plain[64], printed[64];
    pl_stun_server one, two;
    pl_stun_server_conf conf = {
        .software = "peerline", .primary = { .family = PL_AF_IP4, .ip = { 198, 51, 100, 1 }, .port = 3478 }
    };
    pl_stun_server_init(&one, &conf);
    conf.alternate = (pl_addr){ .family = PL_AF_IP4, .ip = { 198, 51, 100, 2 }, .port = 3479 };
    pl_stun_server_init(&two, &conf);
    pl_stun_wr s = pl_stun_begin(plain, sizeof plain, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    size_t plain_len = pl_stun_end(&s);
    s = pl_stun_begin(printed, sizeof printed, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    pl_stun_put_fingerprint(&s);
    size_t printed_len = pl_stun_end(&s);
    bench_serve("binding", &one, plain, plain_len, PL_STUN_SERVE_MAX);
    bench_serve("binding with fingerprint", &one, printed, printed_len, PL_STUN_SERVE_MAX);
    bench_serve("binding with two addresses", &two, plain, plain_len, PL_STUN_SERVE_MAX);
    bench_serve("binding, the long way", &one, plain, plain_len, PL_STUN_RESPOND_MAX - 1);
}

static size_t build_signed(uint8_t *wire, size_t cap, const pl_stun_auth *a, pl_stun_cred *c)
{
    pl_stun_msg m;
    pl_stun_cred_try try = { 0 };
    pl_stun_wr s = pl_stun_begin(wire, cap, PL_STUN_ERROR, PL_STUN_REFRESH, id);
    pl_stun_put_error(&s, 401, NULL);
    pl_stun_auth_challenge(a, wall_us, &source, &s);
    if (pl_stun_parse(&m, wire, pl_stun_end(&s)) || pl_stun_cred_on_error(c, &m, &try) != PL_STUN_CRED_RETRY)
        abort();
    s = pl_stun_begin(wire, cap, PL_STUN_REQUEST, PL_STUN_REFRESH, id);
    pl_stun_put_u32(&s, PL_STUN_LIFETIME, 600);
    pl_stun_cred_put(c, &s, &try);
    return pl_stun_end(&s);
}

/* Reading the request, checking it, and signing an answer of 44 bytes. */
static void bench_check(const char *what, const pl_stun_auth *a, pl_stun_cred *c, bool known)
{
    uint8_t wire[1024], out[256];
    size_t len = build_signed(wire, sizeof wire, a, c);
    pl_stun_auth_result got;
    pl_stun_auth_known before = { 0 };
    uint64_t witness = 0;
    int64_t start_ns = cpu_ns();
    for (int i = 0; i < N_SIGNED; i++) {
        pl_stun_msg m;
        if (pl_stun_parse(&m, wire, len) ||
            pl_stun_auth_check(a, wall_us, &m, &source, known ? &before : NULL, &got))
            abort();
        before = got.known;
        pl_stun_wr s = pl_stun_begin_reply(out, sizeof out, PL_STUN_SUCCESS, &m);
        pl_stun_put_u32(&s, PL_STUN_LIFETIME, 600);
        pl_stun_auth_sign(&got, &s);
        witness += pl_stun_end(&s);
    }
    report(what, start_ns, N_SIGNED, witness);
}

static void bench_challenge(const pl_stun_auth *a)
{
    uint8_t out[1024];
    uint64_t witness = 0;
    int64_t start_ns = cpu_ns();
    for (int i = 0; i < N_SIGNED; i++) {
        pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_ERROR, PL_STUN_ALLOCATE, id);
        pl_stun_put_error(&s, 401, NULL);
        pl_stun_auth_challenge(a, wall_us, &source, &s);
        witness += pl_stun_end(&s);
    }
    report("a 401 with its challenge", start_ns, N_SIGNED, witness);
}

static pl_stun_auth *make_auth(bool md5_only, bool with_secret)
{
    pl_stun_auth *a;
    pl_stun_auth_conf conf = { .realm = PL_STR("example.org"), .md5_only = md5_only };
    if (pl_stun_auth_new(&a, &conf) || pl_stun_auth_add_password(a, PL_STR("alice"), PL_STR("secret")) ||
        (with_secret && pl_stun_auth_add_secret(a, PL_STR("shared"))))
        abort();
    return a;
}

int main(void)
{
    pl_stun_cred alice = { 0 }, rest = { 0 };
    static const char name[] = "1900000000:bob";
    uint8_t mac[PL_SHA1_LEN];
    char password[PL_BASE64_LEN(PL_SHA1_LEN) + 1];
    pl_slice part = { name, sizeof name - 1 };
    pl_hmac_sha1("shared", 6, &part, 1, mac);
    size_t n = pl_base64_encode(mac, sizeof mac, password);
    if (pl_stun_cred_set(&alice, PL_STR("alice"), PL_STR("secret")) ||
        pl_stun_cred_set(&rest, PL_STR(name), (pl_str){ password, n }))
        return 1;
    bench_binding();
    pl_stun_auth *old = make_auth(true, false), *new = make_auth(false, false),
                 *shared = make_auth(false, true);
    bench_challenge(new);
    bench_check("static user, MD5 and SHA-1", old, &alice, false);
    bench_check("static user, SHA-256", new, &alice, false);
    bench_check("shared secret", shared, &rest, false);
    bench_check("shared secret, known from before", shared, &rest, true);
    pl_stun_auth_free(old);
    pl_stun_auth_free(new);
    pl_stun_auth_free(shared);
    return 0;
}
