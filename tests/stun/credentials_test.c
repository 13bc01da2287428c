/* The dance of a client with a server: challenges taken, answers believed, tricks seen through. */
#include "pl_test.h"

#include "base/time.h"
#include "stun/auth.h"
#include "stun/credentials.h"

static const int64_t now_us = INT64_C(1800000000) * 1000000;
static const uint8_t id[PL_STUN_ID_LEN] = "twelve bytes";
static const pl_addr me = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 7 }, .port = 4711 };
static uint8_t ask[4096], answer[4096];

static pl_stun_auth *server(bool md5_only, bool no_userhash)
{
    pl_stun_auth *a;
    pl_stun_auth_conf conf = { .realm = PL_STR("example.org"),
                               .md5_only = md5_only,
                               .no_userhash = no_userhash };
    PL_EQ(pl_stun_auth_new(&a, &conf), PL_OK);
    PL_EQ(pl_stun_auth_add_password(a, PL_STR("alice"), PL_STR("secret")), PL_OK);
    return a;
}

/* One request and its answer; true when it was a success that proved itself. */
static bool exchange(const pl_stun_auth *a, int64_t wall_us, pl_stun_cred *c, pl_stun_cred_try *t,
                     pl_stun_cred_verdict *verdict)
{
    pl_stun_msg m;
    pl_stun_auth_result got;
    pl_stun_wr s = pl_stun_begin(ask, sizeof ask, PL_STUN_REQUEST, PL_STUN_ALLOCATE, id);
    pl_stun_cred_put(c, &s, t);
    PL_EQ(pl_stun_parse(&m, ask, pl_stun_end(&s)), PL_OK);
    uint16_t code = pl_stun_auth_check(a, wall_us, &m, &me, NULL, &got);
    s = pl_stun_begin_reply(answer, sizeof answer, code ? PL_STUN_ERROR : PL_STUN_SUCCESS, &m);
    if (code) {
        pl_stun_put_error(&s, code, NULL);
        pl_stun_auth_challenge(a, wall_us, &me, &s);
    }
    pl_stun_auth_sign(&got, &s);
    PL_EQ(pl_stun_parse(&m, answer, pl_stun_end(&s)), PL_OK);
    *verdict = PL_STUN_CRED_OTHER;
    if (!code)
        return pl_stun_cred_check(c, &m) == PL_OK;
    *verdict = pl_stun_cred_on_error(c, &m, t);
    return false;
}

PL_TEST(one_challenge_then_known)
{
    for (int kind = 0; kind < 4; kind++) {
        pl_stun_auth *a = server(kind & 1, kind & 2);
        pl_stun_cred c = { 0 };
        pl_stun_cred_try t = { 0 };
        pl_stun_cred_verdict v = PL_STUN_CRED_OTHER;
        PL_EQ(pl_stun_cred_set(&c, PL_STR("alice"), PL_STR("secret")), PL_OK);
        PL_OKAY(!pl_stun_cred_is_ready(&c));
        PL_OKAY(!exchange(a, now_us, &c, &t, &v));
        PL_EQ(v, PL_STUN_CRED_RETRY);
        PL_EQ(c.algorithm, kind & 1 ? PL_STUN_ALG_MD5 : PL_STUN_ALG_SHA256);
        PL_EQ(c.anonymous, !(kind & 2));
        PL_OKAY(exchange(a, now_us, &c, &t, &v));
        pl_stun_cred_try next = { 0 }; /* further requests are known at once */
        PL_OKAY(exchange(a, now_us, &c, &next, &v));
        /* until the nonce is stale: once more, and the key is not derived again */
        next = (pl_stun_cred_try){ 0 };
        PL_OKAY(!exchange(a, now_us + PL_SEC(3700), &c, &next, &v));
        PL_EQ(v, PL_STUN_CRED_RETRY);
        PL_OKAY(exchange(a, now_us + PL_SEC(3700), &c, &next, &v));
        pl_stun_auth_free(a);
        pl_stun_cred_clear(&c);
        PL_OKAY(!pl_stun_cred_is_set(&c));
    }
}

PL_TEST(wrong_passwords_are_tried_once)
{
    pl_stun_auth *a = server(false, false);
    pl_stun_cred c = { 0 };
    pl_stun_cred_try t = { 0 };
    pl_stun_cred_verdict v = PL_STUN_CRED_OTHER;
    PL_EQ(pl_stun_cred_set(&c, PL_STR("alice"), PL_STR("Secret")), PL_OK);
    PL_OKAY(!exchange(a, now_us, &c, &t, &v));
    PL_EQ(v, PL_STUN_CRED_RETRY);
    PL_OKAY(!exchange(a, now_us, &c, &t, &v));
    PL_EQ(v, PL_STUN_CRED_REFUSED);
    pl_stun_cred nobody = { 0 };
    t = (pl_stun_cred_try){ 0 };
    PL_OKAY(!exchange(a, now_us, &nobody, &t, &v));
    PL_EQ(v, PL_STUN_CRED_REFUSED);
    pl_stun_auth_free(a);
}

/* An error by hand: realm and nonce may be NULL, algorithms of that many bytes. */
static pl_stun_msg challenge(uint16_t code, const char *realm, const char *nonce, const void *algorithms,
                             size_t n)
{
    pl_stun_msg m;
    pl_stun_wr s = pl_stun_begin(answer, sizeof answer, PL_STUN_ERROR, PL_STUN_ALLOCATE, id);
    pl_stun_put_error(&s, code, NULL);
    if (realm)
        pl_stun_put_str(&s, PL_STUN_REALM, pl_str_of(realm));
    if (nonce)
        pl_stun_put_str(&s, PL_STUN_NONCE, pl_str_of(nonce));
    if (algorithms)
        pl_stun_put(&s, PL_STUN_PASSWORD_ALGORITHMS, algorithms, n);
    PL_EQ(pl_stun_parse(&m, answer, pl_stun_end(&s)), PL_OK);
    return m;
}

static pl_stun_cred_verdict meets(pl_stun_cred *c, pl_stun_cred_try *t, const pl_stun_msg *m)
{
    pl_stun_wr s = pl_stun_begin(ask, sizeof ask, PL_STUN_REQUEST, PL_STUN_ALLOCATE, id);
    pl_stun_cred_put(c, &s, t);
    PL_OKAY(pl_stun_end(&s) > 0);
    return pl_stun_cred_on_error(c, m, t);
}

PL_TEST(bidding_down_is_noticed)
{
    static const uint8_t unknown[] = { 0, 7, 0, 0 }, later[] = { 0, 7, 0, 2, 1, 2, 0, 0, 0, 1, 0, 0 };
    pl_stun_cred c = { 0 };
    pl_stun_cred_try t = { 0 };
    PL_EQ(pl_stun_cred_set(&c, PL_STR("alice"), PL_STR("secret")), PL_OK);
    pl_stun_msg m = challenge(401, "r", "obMatJos2gAAArest", NULL, 0); /* the list has been taken out */
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_BROKEN);
    PL_OKAY(!pl_stun_cred_is_ready(&c));
    m = challenge(401, "r", "obMatJos2gAAArest", unknown, sizeof unknown); /* nothing we can do */
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_BROKEN);
    m = challenge(401, "r", "obMatJos2gAAArest", later, sizeof later); /* the first one we know */
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_RETRY);
    PL_EQ(c.algorithm, PL_STUN_ALG_MD5);
    m = challenge(403, NULL, "obMatJos2gAAArest", NULL, 0); /* ignored, whoever signed it */
    PL_EQ(pl_stun_cred_check(&c, &m), PL_EPROTO);
}

PL_TEST(broken_challenges)
{
    static uint8_t long_list[80];
    pl_stun_cred c = { 0 };
    pl_stun_cred_try t = { 0 };
    PL_EQ(pl_stun_cred_set(&c, PL_STR("alice"), PL_STR("secret")), PL_OK);
    pl_stun_msg m = challenge(401, NULL, "nonce", NULL, 0);
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_BROKEN);
    m = challenge(401, "realm", NULL, NULL, 0);
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_BROKEN);
    m = challenge(401, "", "nonce", NULL, 0);
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_BROKEN);
    m = challenge(438, NULL, "nonce", NULL, 0); /* and no realm is known yet */
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_BROKEN);
    m = challenge(401, "realm", "nonce", long_list, sizeof long_list);
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_BROKEN);
    m = challenge(486, "realm", "nonce", NULL, 0);
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_OTHER);
    PL_OKAY(!pl_stun_cred_is_ready(&c));
}

PL_TEST(no_endless_dance)
{
    pl_stun_cred c = { 0 };
    pl_stun_cred_try t = { 0 };
    PL_EQ(pl_stun_cred_set(&c, PL_STR("alice"), PL_STR("secret")), PL_OK);
    pl_stun_msg m = challenge(401, "realm", "nonce", NULL, 0);
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_RETRY);
    m = challenge(438, "realm", "nonce", NULL, 0); /* stale, and given again */
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_BROKEN);
    t = (pl_stun_cred_try){ 0 };
    int n = 0;
    for (; n < 100; n++) {
        char nonce[16];
        snprintf(nonce, sizeof nonce, "nonce %d", n);
        m = challenge(438, n % 2 ? NULL : "realm", nonce, NULL, 0);
        if (meets(&c, &t, &m) != PL_STUN_CRED_RETRY)
            break;
    }
    PL_EQ(n, PL_STUN_CRED_TRIES_MAX);
    t = (pl_stun_cred_try){ 0 };
    m = challenge(401, "another realm", "nonce", NULL, 0); /* another question deserves an answer */
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_RETRY);
    m = challenge(401, "another realm", "nonce 2", NULL, 0);
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_REFUSED);
}

PL_TEST(answers_must_be_genuine)
{
    pl_stun_auth *a = server(false, false);
    pl_stun_cred c = { 0 }, other = { 0 };
    pl_stun_cred_try t = { 0 }, t2 = { 0 };
    pl_stun_cred_verdict v = PL_STUN_CRED_OTHER;
    pl_stun_msg m;
    PL_EQ(pl_stun_cred_set(&c, PL_STR("alice"), PL_STR("secret")), PL_OK);
    PL_EQ(pl_stun_cred_set(&other, PL_STR("alice"), PL_STR("sacred")), PL_OK);
    PL_OKAY(!exchange(a, now_us, &other, &t2, &v));
    PL_OKAY(!exchange(a, now_us, &c, &t, &v));
    PL_OKAY(exchange(a, now_us, &c, &t, &v));
    PL_EQ(pl_stun_parse(&m, answer, PL_STUN_HEADER_LEN + pl_get16(answer + 2)), PL_OK);
    PL_EQ(pl_stun_cred_check(&c, &m), PL_OK);
    PL_EQ(pl_stun_cred_check(&other, &m), PL_EPROTO);
    pl_stun_wr s = pl_stun_begin(answer, sizeof answer, PL_STUN_SUCCESS, PL_STUN_ALLOCATE, id);
    PL_EQ(pl_stun_parse(&m, answer, pl_stun_end(&s)), PL_OK);
    PL_EQ(pl_stun_cred_check(&c, &m), PL_ENOTSUP);
    pl_stun_cred_forget(&c);
    PL_OKAY(pl_stun_cred_is_set(&c) && !pl_stun_cred_is_ready(&c));
    pl_stun_auth_free(a);
}

PL_TEST(the_longest_texts_fit)
{
    static char name[PL_STUN_USERNAME_MAX + 1], text[PL_STUN_TEXT_MAX + 2];
    pl_stun_cred c = { 0 };
    pl_stun_cred_try t = { 0 };
    memset(name, 'n', PL_STUN_USERNAME_MAX);
    memset(text, 't', PL_STUN_TEXT_MAX);
    PL_EQ(pl_stun_cred_set(&c, pl_str_of(name), pl_str_of(text)), PL_OK);
    pl_stun_msg m = challenge(401, text, text, NULL, 0);
    PL_EQ(meets(&c, &t, &m), PL_STUN_CRED_RETRY);
    pl_stun_wr s = pl_stun_begin(ask, sizeof ask, PL_STUN_REQUEST, PL_STUN_ALLOCATE, id);
    pl_stun_cred_put(&c, &s, &t);
    PL_LE(pl_stun_end(&s) - PL_STUN_HEADER_LEN, PL_STUN_CRED_PUT_MAX);
    text[PL_STUN_TEXT_MAX] = 't';
    PL_EQ(pl_stun_cred_set(&c, pl_str_of(name), (pl_str){ text, PL_STUN_TEXT_MAX + 1 }), PL_EINVAL);
    PL_EQ(pl_stun_cred_set(&c, PL_STR(""), PL_STR("x")), PL_EINVAL);
    PL_OKAY(!pl_stun_cred_is_set(&c));
}

PL_TESTS(t(one_challenge_then_known), t(wrong_passwords_are_tried_once), t(bidding_down_is_noticed),
         t(broken_challenges), t(no_endless_dance), t(answers_must_be_genuine), t(the_longest_texts_fit))
