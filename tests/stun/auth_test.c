/* Credentials at a server: RFC 8489 9.2.4 rule by rule, shared secrets, nonces, reloads; and short-term ones. */
#include "pl_test.h"

#include "base/time.h"
#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "stun/auth.h"

static const int64_t now_us = INT64_C(1800000000) * 1000000; /* some day of 2027 */
static const uint8_t id[PL_STUN_ID_LEN] = "twelve bytes";
static pl_addr client = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 7 }, .port = 4711 };
static pl_rand_seeded state;
static pl_rand rnd;

static pl_stun_auth *new_auth(bool md5_only, const uint8_t *nonce_key)
{
    pl_stun_auth *a;
    rnd = pl_rand_seed(&state, pl_test_seed(8489));
    pl_stun_auth_conf conf = {
        .realm = PL_STR("example.org"), .rand = &rnd, .nonce_key = nonce_key, .md5_only = md5_only
    };
    PL_EQ(pl_stun_auth_new(&a, &conf), PL_OK);
    return a;
}

static pl_stun_auth *with_alice(bool md5_only)
{
    pl_stun_auth *a = new_auth(md5_only, NULL);
    PL_EQ(pl_stun_auth_add_password(a, PL_STR("alice"), PL_STR("secret")), PL_OK);
    return a;
}

/* What a client sends; fields are left out when empty. */
typedef struct request {
    pl_str name, password, realm;
    pl_str nonce;
    bool by_hash, sha256, list, wrong_list, no_algorithm;
    uint16_t algorithm; /* 0: MD5, not said */
} request;

static uint8_t wire[2048];

static pl_stun_msg build(const request *r)
{
    pl_stun_msg m;
    uint8_t key[PL_STUN_KEY_MAX], hash[PL_STUN_USERHASH_LEN];
    static const uint8_t both[] = { 0, 2, 0, 0, 0, 1, 0, 0 }, md5_alone[] = { 0, 1, 0, 0 };
    uint16_t algorithm = r->algorithm ? r->algorithm : PL_STUN_ALG_MD5;
    size_t key_len = pl_stun_long_term_key(algorithm == 9 ? PL_STUN_ALG_MD5 : algorithm, r->name, r->realm,
                                           r->password, key);
    pl_stun_wr s = pl_stun_begin(wire, sizeof wire, PL_STUN_REQUEST, PL_STUN_ALLOCATE, id);
    PL_OKAY(pl_stun_userhash(r->name, r->realm, hash));
    if (r->by_hash)
        pl_stun_put(&s, PL_STUN_USERHASH, hash, sizeof hash);
    else if (r->name.n)
        pl_stun_put_str(&s, PL_STUN_USERNAME, r->name);
    if (r->realm.n)
        pl_stun_put_str(&s, PL_STUN_REALM, r->realm);
    if (r->nonce.n)
        pl_stun_put_str(&s, PL_STUN_NONCE, r->nonce);
    if (r->algorithm && !r->no_algorithm)
        pl_stun_put_algorithm(&s, r->algorithm);
    if (r->wrong_list)
        pl_stun_put(&s, PL_STUN_PASSWORD_ALGORITHMS, md5_alone, sizeof md5_alone);
    else if (r->list)
        pl_stun_put(&s, PL_STUN_PASSWORD_ALGORITHMS, both, sizeof both);
    if (r->sha256)
        pl_stun_put_integrity256(&s, key, key_len, 32);
    else
        pl_stun_put_integrity(&s, key, key_len);
    PL_EQ(pl_stun_parse(&m, wire, pl_stun_end(&s)), PL_OK);
    return m;
}

/* A nonce of `a`, as its challenge has it. */
static pl_str nonce_of(const pl_stun_auth *a, int64_t wall_us, const pl_addr *to)
{
    static char text[PL_STUN_NONCE_LEN + 1];
    uint8_t out[1024];
    pl_stun_msg m;
    pl_str nonce, realm;
    pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_ERROR, PL_STUN_ALLOCATE, id);
    pl_stun_put_error(&s, 401, NULL);
    pl_stun_auth_challenge(a, wall_us, to, &s);
    PL_EQ(pl_stun_parse(&m, out, pl_stun_end(&s)), PL_OK);
    PL_EQ(pl_stun_get_str(&m, PL_STUN_NONCE, &nonce), PL_OK);
    PL_EQ(pl_stun_get_str(&m, PL_STUN_REALM, &realm), PL_OK);
    PL_OKAY(pl_str_is(realm, "example.org"));
    PL_EQ(nonce.n, PL_STUN_NONCE_LEN);
    PL_OKAY(pl_str_copy(nonce, text, sizeof text));
    return pl_str_of(text);
}

static request alice(const pl_stun_auth *a)
{
    return (request){ .name = PL_STR("alice"),
                      .password = PL_STR("secret"),
                      .realm = PL_STR("example.org"),
                      .nonce = nonce_of(a, now_us, &client) };
}

static uint16_t check(const pl_stun_auth *a, const request *r, int64_t wall_us, pl_stun_auth_result *out)
{
    pl_stun_auth_result nowhere;
    pl_stun_msg m = build(r);
    return pl_stun_auth_check(a, wall_us, &m, &client, NULL, out ? out : &nowhere);
}

PL_TEST(old_and_new_clients_are_known)
{
    pl_stun_auth *a = with_alice(false);
    pl_stun_auth_result got;
    request r = alice(a);
    PL_EQ(check(a, &r, now_us, &got), 0); /* RFC 5389: MD5 and SHA-1 */
    PL_OKAY(got.sign && !got.sha256);
    PL_OKAY(pl_str_is(got.name, "alice"));
    PL_EQ(got.known.key_len, 16);
    r.list = true;
    for (int by_hash = 0; by_hash < 2; by_hash++) {
        for (int algorithm = PL_STUN_ALG_MD5; algorithm <= PL_STUN_ALG_SHA256; algorithm++) {
            for (int sha256 = 0; sha256 < 2; sha256++) {
                r.algorithm = (uint16_t)algorithm;
                r.by_hash = by_hash;
                r.sha256 = sha256;
                PL_EQ(check(a, &r, now_us, &got), 0);
                PL_OKAY(got.sha256);
                PL_OKAY(pl_str_is(got.name, "alice"));
            }
        }
    }
    pl_stun_auth_free(a);
}

PL_TEST(the_answer_is_signed_as_the_client_expects)
{
    pl_stun_auth *a = with_alice(false);
    for (int sha256 = 0; sha256 < 2; sha256++) {
        uint8_t out[128], key[PL_STUN_KEY_MAX];
        pl_stun_auth_result got;
        pl_stun_msg m;
        request r = alice(a);
        r.sha256 = r.list = sha256;
        r.algorithm = sha256 ? PL_STUN_ALG_SHA256 : 0;
        PL_EQ(check(a, &r, now_us, &got), 0);
        pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_SUCCESS, PL_STUN_ALLOCATE, id);
        pl_stun_auth_sign(&got, &s);
        PL_EQ(pl_stun_parse(&m, out, pl_stun_end(&s)), PL_OK);
        size_t n = pl_stun_long_term_key(sha256 ? PL_STUN_ALG_SHA256 : PL_STUN_ALG_MD5, r.name, r.realm,
                                         r.password, key);
        PL_EQ(pl_stun_check_integrity256(&m, key, n), sha256 ? PL_OK : PL_ENOTSUP);
        PL_EQ(pl_stun_check_integrity(&m, key, n), sha256 ? PL_ENOTSUP : PL_OK);
    }
    pl_stun_auth_free(a);
}

PL_TEST(what_is_missing_is_a_400_and_no_integrity_a_401)
{
    pl_stun_auth *a = with_alice(false);
    pl_stun_auth_result got;
    pl_stun_msg m;
    pl_stun_wr s = pl_stun_begin(wire, sizeof wire, PL_STUN_REQUEST, PL_STUN_ALLOCATE, id);
    pl_stun_put_str(&s, PL_STUN_USERNAME, PL_STR("alice"));
    PL_EQ(pl_stun_parse(&m, wire, pl_stun_end(&s)), PL_OK);
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &got), 401);
    PL_OKAY(!got.sign);
    for (int miss = 0; miss < 3; miss++) {
        request r = alice(a);
        if (miss == 0)
            r.name = (pl_str){ 0 };
        else if (miss == 1)
            r.realm = (pl_str){ 0 };
        else
            r.nonce = (pl_str){ 0 };
        PL_EQ(check(a, &r, now_us, NULL), 400);
    }
    pl_stun_auth_free(a);
}

PL_TEST(wrong_names_and_passwords_are_a_401)
{
    pl_stun_auth *a = with_alice(false);
    request r = alice(a);
    r.password = PL_STR("Secret");
    PL_EQ(check(a, &r, now_us, NULL), 401);
    r = alice(a);
    r.name = PL_STR("alicf");
    PL_EQ(check(a, &r, now_us, NULL), 401);
    r.by_hash = true;
    PL_EQ(check(a, &r, now_us, NULL), 401);
    r = alice(a);
    r.realm = PL_STR("example.com");
    PL_EQ(check(a, &r, now_us, NULL), 401);
    /* and whatever bit is turned over */
    r = alice(a);
    pl_stun_msg m = build(&r);
    for (size_t bit = 8 * PL_STUN_HEADER_LEN; bit < 8 * m.len; bit++) {
        pl_stun_msg bent;
        pl_stun_auth_result got;
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (pl_stun_parse(&bent, wire, m.len) == PL_OK)
            PL_OKAY(pl_stun_auth_check(a, now_us, &bent, &client, NULL, &got) != 0);
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    pl_stun_auth_free(a);
}

PL_TEST(bidding_down_is_noticed)
{
    pl_stun_auth *a = with_alice(false);
    pl_stun_auth_result got;
    request r = alice(a);
    r.algorithm = PL_STUN_ALG_MD5;
    PL_EQ(check(a, &r, now_us, NULL), 400); /* an algorithm without the list it is from */
    r.wrong_list = true;
    PL_EQ(check(a, &r, now_us, NULL), 400); /* somebody took SHA-256 out of the list */
    r.wrong_list = false;
    r.list = r.no_algorithm = true;
    PL_EQ(check(a, &r, now_us, NULL), 400);
    r.no_algorithm = false;
    r.algorithm = 9;
    PL_EQ(check(a, &r, now_us, NULL), 400); /* not of the list */
    r.algorithm = PL_STUN_ALG_SHA256;
    r.sha256 = true;
    PL_EQ(check(a, &r, now_us, &got), 0);
    pl_stun_auth_free(a);
}

/* The features stand in the nonce, so that an attacker cannot take them off (RFC 8489 9.2, 18.1). */
PL_TEST(nonces_carry_the_features)
{
    pl_stun_auth *a = with_alice(false);
    PL_OKAY(pl_str_starts(nonce_of(a, now_us, &client), "obMatJos2wAAA")); /* bits 0 and 1, leftmost */
    PL_EQ(pl_stun_auth_add_secret(a, PL_STR("shared")), PL_OK);
    PL_OKAY(pl_str_starts(nonce_of(a, now_us, &client), "obMatJos2gAAA")); /* such names have no hash */
    pl_stun_auth_free(a);
    a = with_alice(true);
    PL_OKAY(pl_str_starts(nonce_of(a, now_us, &client), "obMatJos2QAAA"));
    pl_stun_auth_free(a);
}

PL_TEST(nonces_grow_old)
{
    pl_stun_auth *a = with_alice(false);
    pl_stun_auth_result got;
    request r = alice(a);
    PL_EQ(check(a, &r, now_us + PL_SEC(3599), NULL), 0);
    PL_EQ(check(a, &r, now_us + PL_SEC(3601), &got), 438);
    PL_OKAY(!got.sign && !got.known.key_len);
    r.password = PL_STR("wrong"); /* who cannot prove itself learns nothing about nonces */
    PL_EQ(check(a, &r, now_us + PL_SEC(3601), NULL), 401);
    pl_stun_auth_free(a);
}

PL_TEST(nonces_belong_to_an_ip)
{
    pl_stun_auth *a = with_alice(false);
    pl_addr other = client;
    other.ip[3]++;
    request r = alice(a);
    r.nonce = nonce_of(a, now_us, &other);
    PL_EQ(check(a, &r, now_us, NULL), 438);
    other = client;
    other.port++;
    char mine[PL_STUN_NONCE_LEN + 1];
    PL_OKAY(pl_str_copy(nonce_of(a, now_us, &client), mine, sizeof mine));
    r.nonce = nonce_of(a, now_us, &other);
    PL_OKAY(!pl_str_is(r.nonce, mine));   /* never the same for two ports... */
    PL_EQ(check(a, &r, now_us, NULL), 0); /* ...but good for all connections of a host */
    static const char *const foreign[] = { "x", "obMatJos2wAAA", "obMatJos2wAAAAAAAAAAAAAAAAAAA",
                                           "a nonce that some other server made up last year" };
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        r.nonce = pl_str_of(foreign[i]);
        PL_EQ(check(a, &r, now_us, NULL), 438);
    }
    pl_stun_auth_free(a);
}

static size_t rest_password(const char *secret, pl_str name, char out[PL_BASE64_LEN(20) + 1])
{
    uint8_t mac[PL_SHA1_LEN];
    pl_slice part = { name.p, name.n };
    pl_hmac_sha1(secret, strlen(secret), &part, 1, mac);
    return pl_base64_encode(mac, sizeof mac, out);
}

static request rest_user(const pl_stun_auth *a, const char *secret, const char *name)
{
    static char password[PL_BASE64_LEN(20) + 1];
    request r = alice(a);
    r.name = pl_str_of(name);
    r.password = (pl_str){ password, rest_password(secret, r.name, password) };
    return r;
}

PL_TEST(shared_secrets)
{
    pl_stun_auth *a = with_alice(false);
    pl_stun_auth_result got;
    PL_EQ(pl_stun_auth_add_secret(a, PL_STR("old secret")), PL_OK);
    PL_EQ(pl_stun_auth_add_secret(a, PL_STR("new secret")), PL_OK);
    static const char *const secret[] = { "old secret", "new secret" };
    for (int i = 0; i < 2; i++) {
        request r = rest_user(a, secret[i], "1800000100:bob");
        PL_EQ(check(a, &r, now_us, &got), 0);
        PL_OKAY(pl_str_is(got.name, "bob"));
        PL_OKAY(got.known.end_wall_us == INT64_C(1800000100) * 1000000);
        PL_EQ(check(a, &r, now_us + PL_SEC(99), NULL), 0);
        PL_EQ(check(a, &r, now_us + PL_SEC(100), NULL), 401); /* its time is over */
        r.list = r.sha256 = true;
        r.algorithm = PL_STUN_ALG_SHA256;
        PL_EQ(check(a, &r, now_us, NULL), 0);
    }
    request r = rest_user(a, "new secret", "1800000100");
    PL_EQ(check(a, &r, now_us, &got), 0);
    PL_OKAY(pl_str_is(got.name, "1800000100"));
    r = rest_user(a, "new secre7", "1800000100:bob");
    PL_EQ(check(a, &r, now_us, NULL), 401);
    static const char *const bad[] = {
        "bob", ":bob", "1800000100x:bob", "-1:bob", "18000001000000000000000:bob", "bob:1800000100"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        r = rest_user(a, "new secret", bad[i]);
        PL_EQ(check(a, &r, now_us, NULL), 401);
    }
    r = alice(a); /* static users go on beside them */
    PL_EQ(check(a, &r, now_us, NULL), 0);
    pl_stun_auth_free(a);
}

/* The password of the scheme, from the hash of a published vector. */
PL_TEST(shared_secret_by_hand)
{
    char password[PL_BASE64_LEN(20) + 1];
    size_t n = rest_password("Jefe", PL_STR("what do ya want for nothing?"), password);
    PL_EQ(n, 28); /* RFC 2202, HMAC-SHA1 case 2: effcdf6ae5eb2fa2d27416d5f184df9c259a7c79 */
    PL_STREQ(password, "7/zfauXrL6LSdBbV8YTfnCWafHk=");
}

PL_TEST(what_is_known_saves_work_and_no_more)
{
    pl_stun_auth *a = with_alice(false), *b;
    pl_stun_auth_result first, again;
    PL_EQ(pl_stun_auth_add_secret(a, PL_STR("shared")), PL_OK);
    request r = rest_user(a, "shared", "1800000100:bob");
    pl_stun_msg m = build(&r);
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &first), 0);
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, &first.known, &again), 0);
    PL_MEMEQ(&first.known, &again.known, sizeof first.known);
    PL_OKAY(pl_str_is(again.name, "bob"));
    PL_EQ(pl_stun_auth_check(a, now_us + PL_SEC(101), &m, &client, &first.known, &again), 401);
    /* another user's request is not taken for the known one's */
    request other = rest_user(a, "shared", "1800000100:eve");
    m = build(&other);
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, &first.known, &again), 0);
    PL_OKAY(pl_str_is(again.name, "eve") && again.known.user != first.known.user);
    /* after a reload without the secret nothing of it is left */
    b = new_auth(false, pl_stun_auth_nonce_key(a));
    r = rest_user(a, "shared", "1800000100:bob");
    m = build(&r);
    PL_EQ(pl_stun_auth_check(b, now_us, &m, &client, &first.known, &again), 401);
    pl_stun_auth_free(a);
    pl_stun_auth_free(b);
}

PL_TEST(a_reload_keeps_nonces_and_names)
{
    pl_stun_auth *a = with_alice(false), *b;
    pl_stun_auth_result before, after;
    request r = alice(a);
    PL_EQ(check(a, &r, now_us, &before), 0);
    b = new_auth(false, pl_stun_auth_nonce_key(a));
    PL_EQ(pl_stun_auth_add_password(b, PL_STR("alice"), PL_STR("secret")), PL_OK);
    PL_EQ(pl_stun_auth_add_password(b, PL_STR("carol"), PL_STR("word")), PL_OK);
    PL_EQ(check(b, &r, now_us, &after), 0);
    PL_OKAY(before.known.user == after.known.user);
    pl_stun_auth_free(a);
    pl_stun_auth_free(b);
}

/* A user file with MD5 alone: SHA-256 is offered to nobody, for the client chooses before it says who it is. */
PL_TEST(hashed_users)
{
    pl_stun_auth *a = new_auth(false, NULL);
    uint8_t md5[PL_STUN_KEY_MAX], sha256[PL_STUN_KEY_MAX];
    PL_EQ(
        pl_stun_long_term_key(PL_STUN_ALG_MD5, PL_STR("alice"), PL_STR("example.org"), PL_STR("secret"), md5),
        16);
    PL_EQ(pl_stun_long_term_key(PL_STUN_ALG_SHA256, PL_STR("bob"), PL_STR("example.org"), PL_STR("word"),
                                sha256),
          32);
    PL_EQ(pl_stun_auth_add_keys(a, PL_STR("alice"), md5, NULL), PL_OK);
    PL_EQ(pl_stun_auth_n_users(a), 1);
    request r = alice(a);
    PL_OKAY(pl_str_starts(r.nonce, "obMatJos2QAAA"));
    PL_EQ(check(a, &r, now_us, NULL), 0);
    PL_EQ(pl_stun_auth_add_keys(a, PL_STR("alice"), md5, NULL), PL_EINVAL);
    PL_EQ(pl_stun_auth_add_keys(a, PL_STR("bob"), NULL, NULL), PL_EINVAL);
    PL_EQ(pl_stun_auth_add_keys(a, PL_STR(""), md5, NULL), PL_EINVAL);
    pl_stun_auth_free(a);
    a = new_auth(false, NULL);
    PL_EQ(pl_stun_auth_add_keys(a, PL_STR("bob"), NULL, sha256), PL_OK);
    r = alice(a);
    r.name = PL_STR("bob");
    r.password = PL_STR("word");
    PL_EQ(check(a, &r, now_us, NULL), 401); /* no MD5 of it */
    pl_stun_auth_free(a);
}

PL_TEST(limits_are_kept)
{
    pl_stun_auth *a;
    char longest[PL_STUN_TEXT_MAX + 1];
    memset(longest, 'x', sizeof longest);
    PL_EQ(pl_stun_auth_new(&a, &(pl_stun_auth_conf){ 0 }), PL_EINVAL);
    PL_EQ(pl_stun_auth_new(&a, &(pl_stun_auth_conf){ .realm = { longest, sizeof longest } }), PL_EINVAL);
    PL_OKAY(!a);
    a = with_alice(false);
    PL_EQ(pl_stun_auth_add_password(a, (pl_str){ longest, PL_STUN_USERNAME_MAX + 1 }, PL_STR("x")),
          PL_EINVAL);
    PL_EQ(pl_stun_auth_add_password(a, PL_STR("x"), (pl_str){ longest, sizeof longest }), PL_EINVAL);
    PL_EQ(pl_stun_auth_add_password(a, PL_STR("x"), PL_STR("")), PL_EINVAL);
    for (int i = 0; i < PL_STUN_AUTH_SECRETS_MAX; i++)
        PL_EQ(pl_stun_auth_add_secret(a, PL_STR("s")), PL_OK);
    PL_EQ(pl_stun_auth_add_secret(a, PL_STR("s")), PL_ENOSPC);
    PL_EQ(pl_stun_auth_add_secret(a, PL_STR("")), PL_EINVAL);
    pl_stun_auth_free(a);
    pl_stun_auth_free(NULL);
}

PL_TEST(short_term)
{
    for (int sha256 = 0; sha256 < 2; sha256++) {
        pl_stun_msg m;
        bool used;
        pl_stun_wr s = pl_stun_begin(wire, sizeof wire, PL_STUN_REQUEST, PL_STUN_BINDING, id);
        pl_stun_put_str(&s, PL_STUN_USERNAME, PL_STR("bob"));
        pl_stun_auth_sign_short(&s, PL_STR("word"), sha256);
        PL_EQ(pl_stun_parse(&m, wire, pl_stun_end(&s)), PL_OK);
        PL_EQ(pl_stun_auth_check_short(&m, PL_STR("bob"), PL_STR("word"), &used), 0);
        PL_EQ(used, sha256);
        PL_EQ(pl_stun_auth_check_short(&m, PL_STR("bob"), PL_STR("worD"), &used), 401);
        PL_EQ(pl_stun_auth_check_short(&m, PL_STR("bop"), PL_STR("word"), &used), 401);
    }
    pl_stun_msg m;
    bool used;
    pl_stun_wr s = pl_stun_begin(wire, sizeof wire, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    pl_stun_put_str(&s, PL_STUN_USERNAME, PL_STR("bob"));
    PL_EQ(pl_stun_parse(&m, wire, pl_stun_end(&s)), PL_OK);
    PL_EQ(pl_stun_auth_check_short(&m, PL_STR("bob"), PL_STR("word"), &used), 400);
    s = pl_stun_begin(wire, sizeof wire, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    pl_stun_auth_sign_short(&s, PL_STR("word"), true);
    PL_EQ(pl_stun_parse(&m, wire, pl_stun_end(&s)), PL_OK);
    PL_EQ(pl_stun_auth_check_short(&m, PL_STR("bob"), PL_STR("word"), &used), 400);
}

PL_TESTS(t(old_and_new_clients_are_known), t(the_answer_is_signed_as_the_client_expects),
         t(what_is_missing_is_a_400_and_no_integrity_a_401), t(wrong_names_and_passwords_are_a_401),
         t(bidding_down_is_noticed), t(nonces_carry_the_features), t(nonces_grow_old),
         t(nonces_belong_to_an_ip), t(shared_secrets), t(shared_secret_by_hand),
         t(what_is_known_saves_work_and_no_more), t(a_reload_keeps_nonces_and_names), t(hashed_users),
         t(limits_are_kept), t(short_term))
