/* Access tokens (RFC 7635): what is sealed can be opened, by whom it is for, while it lasts; and what a server that
 * knows them does with requests. */
#include "pl_test.h"

#include "base/time.h"
#include "stun/auth.h"
#include "stun/token.h"

static const int64_t now_us = INT64_C(1800000000) * 1000000 + 500000;
static const uint8_t key[32] = "thirty-two bytes, both have them", other_key[32] = { 1 };
static const uint8_t nonce[PL_STUN_TOKEN_NONCE_LEN] = "twelve bytes";
static const uint8_t id[PL_STUN_ID_LEN] = "transaction!";
static const pl_addr client = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 7 }, .port = 4711 };

static const pl_stun_token usual = { .mac_key = "twenty bytes of key!",
                                     .mac_key_len = 20,
                                     .made_wall_us = INT64_C(1800000000) * 1000000,
                                     .lifetime_s = 600 };

static size_t seal(const pl_stun_token *t, size_t key_len, const char *server, uint8_t out[PL_STUN_TOKEN_MAX])
{
    size_t n;
    PL_EQ(pl_stun_token_seal(t, key, key_len, pl_str_of(server), nonce, out, &n), PL_OK);
    return n;
}

PL_TEST(sealed_and_opened)
{
    for (size_t key_len = 16; key_len <= 32; key_len += 16) {
        uint8_t wire[PL_STUN_TOKEN_MAX];
        pl_stun_token got;
        size_t n = seal(&usual, key_len, "relay.example", wire);
        PL_EQ(n, 2 + 12 + 2 + 20 + 8 + 4 + 16);
        PL_EQ(pl_get16(wire), 12);
        PL_EQ(pl_stun_token_open(&got, key, key_len, PL_STR("relay.example"), wire, n, now_us), PL_OK);
        PL_EQ(got.mac_key_len, 20);
        PL_MEMEQ(got.mac_key, usual.mac_key, 20);
        PL_OKAY(got.made_wall_us == usual.made_wall_us);
        PL_EQ(got.lifetime_s, 600);
        PL_EQ(pl_stun_token_open(&got, other_key, key_len, PL_STR("relay.example"), wire, n, now_us),
              PL_EPROTO);
        PL_EQ(pl_stun_token_open(&got, key, key_len, PL_STR("other.example"), wire, n, now_us), PL_EPROTO);
        PL_EQ(pl_stun_token_open(&got, key, 24, PL_STR("relay.example"), wire, n, now_us), PL_EINVAL);
        for (size_t cut = 0; cut < n; cut++)
            PL_EQ(pl_stun_token_open(&got, key, key_len, PL_STR("relay.example"), wire, cut, now_us),
                  PL_EPROTO);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
            PL_EQ(pl_stun_token_open(&got, key, key_len, PL_STR("relay.example"), wire, n, now_us),
                  PL_EPROTO);
            PL_EQ(got.mac_key_len, 0);
            wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

PL_TEST(only_in_its_time)
{
    uint8_t wire[PL_STUN_TOKEN_MAX];
    pl_stun_token got, t = usual;
    t.made_wall_us += 250000;
    size_t n = seal(&t, 32, "r", wire);
    PL_EQ(pl_stun_token_open(&got, key, 32, PL_STR("r"), wire, n, t.made_wall_us + PL_SEC(604)), PL_OK);
    PL_LE(llabs(got.made_wall_us - t.made_wall_us), 16); /* 1/64000 of a second */
    PL_EQ(pl_stun_token_open(&got, key, 32, PL_STR("r"), wire, n, t.made_wall_us + PL_SEC(606)), PL_EPROTO);
    PL_EQ(pl_stun_token_open(&got, key, 32, PL_STR("r"), wire, n, t.made_wall_us - PL_SEC(4)), PL_OK);
    PL_EQ(pl_stun_token_open(&got, key, 32, PL_STR("r"), wire, n, t.made_wall_us - PL_SEC(6)), PL_EPROTO);
}

PL_TEST(keys_have_their_lengths)
{
    uint8_t wire[PL_STUN_TOKEN_MAX];
    size_t n;
    pl_stun_token t = usual;
    t.mac_key_len = 19;
    PL_EQ(pl_stun_token_seal(&t, key, 32, PL_STR("r"), nonce, wire, &n), PL_EINVAL);
    t.mac_key_len = 33;
    PL_EQ(pl_stun_token_seal(&t, key, 32, PL_STR("r"), nonce, wire, &n), PL_EINVAL);
    PL_EQ(pl_stun_token_seal(&usual, key, 20, PL_STR("r"), nonce, wire, &n), PL_EINVAL);
    PL_EQ(pl_stun_token_seal(&usual, key, 32, PL_STR(""), nonce, wire, &n), PL_EINVAL);
    PL_EQ(n, 0);
}

/* ---- at a server ---- */

static pl_stun_auth *server(void)
{
    pl_stun_auth *a;
    pl_stun_auth_conf conf = { .realm = PL_STR("example.org"), .server_name = PL_STR("relay.example") };
    PL_EQ(pl_stun_auth_new(&a, &conf), PL_OK);
    PL_EQ(pl_stun_auth_add_token_key(a, PL_STR("kid"), key, 32), PL_OK);
    PL_EQ(pl_stun_auth_add_token_key(a, PL_STR("kid 2"), key, 32), PL_OK);
    PL_EQ(pl_stun_auth_add_password(a, PL_STR("alice"), PL_STR("secret")), PL_OK);
    return a;
}

static uint8_t wire[2048];

static pl_stun_msg challenge(const pl_stun_auth *a, uint8_t out[1024])
{
    pl_stun_msg m;
    pl_stun_wr s = pl_stun_begin(out, 1024, PL_STUN_ERROR, PL_STUN_ALLOCATE, id);
    pl_stun_put_error(&s, 401, NULL);
    pl_stun_auth_challenge(a, now_us, &client, &s);
    PL_EQ(pl_stun_parse(&m, out, pl_stun_end(&s)), PL_OK);
    return m;
}

/* A request of somebody with a token; signed with the key inside it, or with another. */
static pl_stun_msg request(const pl_stun_auth *a, const char *kid, const uint8_t *token, size_t len,
                           bool sha256, const char *with)
{
    uint8_t out[1024];
    pl_str fresh;
    pl_stun_msg m = challenge(a, out);
    PL_EQ(pl_stun_get_str(&m, PL_STUN_NONCE, &fresh), PL_OK);
    pl_stun_wr s = pl_stun_begin(wire, sizeof wire, PL_STUN_REQUEST, PL_STUN_ALLOCATE, id);
    pl_stun_put_str(&s, PL_STUN_USERNAME, pl_str_of(kid));
    if (len)
        pl_stun_put(&s, PL_STUN_ACCESS_TOKEN, token, len);
    pl_stun_put_str(&s, PL_STUN_REALM, PL_STR("example.org"));
    pl_stun_put_str(&s, PL_STUN_NONCE, fresh);
    if (sha256)
        pl_stun_put_integrity256(&s, with, strlen(with), 32);
    else
        pl_stun_put_integrity(&s, with, strlen(with));
    PL_EQ(pl_stun_parse(&m, wire, pl_stun_end(&s)), PL_OK);
    return m;
}

PL_TEST(a_server_opens_tokens)
{
    pl_stun_auth *a = server();
    uint8_t token[PL_STUN_TOKEN_MAX], out[1024];
    pl_str name;
    size_t n = seal(&usual, 32, "relay.example", token);
    pl_stun_msg m = challenge(a, out);
    PL_EQ(pl_stun_get_str(&m, PL_STUN_THIRD_PARTY_AUTHORIZATION, &name), PL_OK);
    PL_OKAY(pl_str_is(name, "relay.example"));
    for (int sha256 = 0; sha256 < 2; sha256++) {
        pl_stun_auth_result got, again;
        m = request(a, "kid", token, n, sha256, "twenty bytes of key!");
        PL_EQ(m.n_unknown, 0);
        PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &got), 0);
        PL_OKAY(got.sign && got.sha256 == sha256);
        PL_OKAY(pl_str_is(got.name, "kid"));
        PL_EQ(got.known.key_len, 20);
        PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, &got.known, &again), 0);
        PL_OKAY(again.known.user == got.known.user);
        m = request(a, "kid 2", token, n, sha256, "twenty bytes of key!"); /* after the keys were rotated */
        PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, &got.known, &again), 0);
        PL_OKAY(again.known.user == got.known.user);
        m = request(a, "kid", token, n, sha256, "twenty bytes of key!");
        m = request(a, "kid", token, 0, sha256, "twenty bytes of key!"); /* known, it needs no token */
        PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &again), 401);
        PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, &got.known, &again), 0);
        m = request(a, "kid", token, 0, sha256, "another twenty bytes");
        PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, &got.known, &again), 401);
        m = request(a, "kid", token, n, sha256, "twenty bytes of key!");
        PL_EQ(pl_stun_auth_check(a, now_us + PL_SEC(700), &m, &client, &got.known, &again), 401);
    }
    pl_stun_auth_free(a);
}

PL_TEST(coturns_clients_cut_the_key)
{
    pl_stun_auth *a = server();
    uint8_t token[PL_STUN_TOKEN_MAX];
    pl_stun_auth_result got;
    size_t n = seal(&usual, 32, "relay.example", token);
    pl_stun_msg m = request(a, "kid", token, n, false, "twenty bytes of ");
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &got), 0);
    PL_EQ(got.known.key_len, 16);
    m = request(a, "kid", token, n, false, "twenty bytes of");
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &got), 401);
    pl_stun_auth_free(a);
}

/* A token of coturn's turnutils_uclient, sealed with its test key "union". */
PL_TEST(opens_what_coturn_has_sealed)
{
    static const uint8_t sealed[] = { 0x00, 0x0c, 0x76, 0xbd, 0x37, 0x97, 0xfa, 0x36, 0xaf, 0x78, 0xd0,
                                      0x76, 0xfa, 0x8f, 0xca, 0x5e, 0x13, 0xb2, 0x3e, 0x3b, 0x63, 0xfd,
                                      0x41, 0x15, 0x60, 0xb7, 0xb8, 0xb9, 0xd2, 0xa5, 0xc1, 0xfe, 0x4b,
                                      0xb1, 0x06, 0x56, 0xb8, 0x87, 0x94, 0x33, 0x4e, 0xaf, 0x82, 0x3a,
                                      0x04, 0x9f, 0xaa, 0x5e, 0x76, 0xe7, 0xf4, 0x48, 0xc4, 0x7d, 0x59,
                                      0x55, 0x71, 0x6d, 0x48, 0x8e, 0xdd, 0xd7, 0xdd, 0x75 };
    pl_stun_token got;
    int64_t then_us = INT64_C(1795380914) * 1000000;
    PL_EQ(pl_stun_token_open(&got, (const uint8_t *)"1234567890123456", 16, PL_STR("blackdow.carleon.gov"),
                             sealed, sizeof sealed, then_us),
          PL_OK);
    PL_EQ(got.mac_key_len, 20);
    PL_EQ(got.lifetime_s, 472);
    PL_OKAY(got.made_wall_us == then_us);
}

PL_TEST(what_a_server_refuses)
{
    pl_stun_auth *a = server();
    uint8_t token[PL_STUN_TOKEN_MAX];
    pl_stun_auth_result got;
    size_t n = seal(&usual, 32, "relay.example", token);
    pl_stun_msg m = request(a, "kid", token, n, false, "another twenty bytes");
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &got), 401);
    m = request(a, "dik", token, n, false, "twenty bytes of key!");
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &got), 401);
    token[n - 1] ^= 1;
    m = request(a, "kid", token, n, false, "twenty bytes of key!");
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &got), 401);
    n = seal(&usual, 32, "elsewhere.example", token);
    m = request(a, "kid", token, n, false, "twenty bytes of key!");
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &got), 401);
    m = request(a, "alice", token, n, false, "twenty bytes of key!"); /* a name is no kid */
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &client, NULL, &got), 401);
    n = seal(&usual, 32, "relay.example", token);
    m = request(a, "kid", token, n, false, "twenty bytes of key!"); /* with a nonce that is over */
    PL_EQ(pl_stun_auth_check(a, now_us + PL_SEC(500), &m, &client, NULL, &got), 0);
    pl_addr far = client;
    far.ip[0]++;
    PL_EQ(pl_stun_auth_check(a, now_us, &m, &far, NULL, &got), 438);
    pl_stun_auth_free(a);
}

PL_TEST(limits_are_kept)
{
    pl_stun_auth *a = server();
    char kid[8];
    PL_EQ(pl_stun_auth_add_token_key(a, PL_STR("kid"), key, 32), PL_EINVAL);
    PL_EQ(pl_stun_auth_add_token_key(a, PL_STR(""), key, 32), PL_EINVAL);
    PL_EQ(pl_stun_auth_add_token_key(a, PL_STR("x"), key, 20), PL_EINVAL);
    for (int i = 2; i < PL_STUN_AUTH_TOKEN_KEYS_MAX; i++) {
        snprintf(kid, sizeof kid, "%d", i);
        PL_EQ(pl_stun_auth_add_token_key(a, pl_str_of(kid), key, 16), PL_OK);
    }
    PL_EQ(pl_stun_auth_add_token_key(a, PL_STR("x"), key, 16), PL_ENOSPC);
    pl_stun_auth_free(a);
}

PL_TESTS(t(sealed_and_opened), t(only_in_its_time), t(keys_have_their_lengths), t(a_server_opens_tokens),
         t(coturns_clients_cut_the_key), t(opens_what_coturn_has_sealed), t(what_a_server_refuses),
         t(limits_are_kept))
