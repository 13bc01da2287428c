/* Credentials under any bytes, both sides. The first byte says what the bytes are:
 *   even  a request to a server with a static user and a shared secret. Half of these get a right integrity and a
 *         fresh nonce around the bytes, so that what stands behind them is reached, too
 *         or the bytes are an access token, or become one
 *   odd   an answer to a client with long-term credentials, which then must still be able to build a request */
#include <stdlib.h>

#include "base/time.h"
#include "stun/auth.h"
#include "stun/credentials.h"
#include "stun/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t wall_us = INT64_C(1800000000) * 1000000;
static const pl_addr client = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 7 }, .port = 4711 };
static const uint8_t nonce_key[PL_STUN_NONCE_KEY_LEN] = "sixteen bytes...";
static pl_stun_auth *auth;

static void must(bool fact)
{
    if (!fact)
        abort();
}

static void set_up(void)
{
    pl_stun_auth_conf conf = { .realm = PL_STR("r"), .nonce_key = nonce_key };
    if (auth)
        return;
    must(pl_stun_auth_new(&auth, &conf) == PL_OK);
    must(pl_stun_auth_add_password(auth, PL_STR("u"), PL_STR("p")) == PL_OK);
    must(pl_stun_auth_add_secret(auth, PL_STR("s")) == PL_OK);
    must(pl_stun_auth_add_token_key(auth, PL_STR("k"), nonce_key, sizeof nonce_key) == PL_OK);
}

static void check_result(uint16_t code, const pl_stun_auth_result *got, bool honest)
{
    must(code == 0 || code == 400 || code == 401 || code == 438);
    must(code == got->code && got->sign == (code == 0));
    must(code == 0 ? got->known.key_len > 0 && got->name.n > 0 : got->known.key_len == 0);
    must(honest || code != 0); /* nobody guesses a key */
    if (code == 0) {
        uint8_t out[128];
        pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_SUCCESS, PL_STUN_REFRESH, out + 100);
        pl_stun_auth_sign(got, &s);
        must(pl_stun_end(&s) > 0);
    }
}

static void ask_server(const uint8_t *data, size_t size, const pl_stun_auth_known *known, bool honest)
{
    pl_stun_msg m;
    pl_stun_auth_result got;
    bool sha256;
    if (pl_stun_parse(&m, data, size))
        return;
    check_result(pl_stun_auth_check(auth, wall_us, &m, &client, known, &got), &got, honest);
    uint16_t code = pl_stun_auth_check_short(&m, PL_STR("u"), PL_STR("another key"), &sha256);
    must(code == 400 || code == 401);
}

/* The bytes as attributes of a request that is otherwise in order. */
static void ask_signed(const uint8_t *data, size_t size)
{
    static uint8_t challenge[256], wire[4096];
    static const uint8_t id[PL_STUN_ID_LEN];
    uint8_t key[PL_STUN_KEY_MAX];
    pl_stun_msg m;
    pl_str nonce;
    if (size < 1 || size > 2048)
        return;
    uint8_t how = *data++;
    size--;
    pl_stun_wr s = pl_stun_begin(challenge, sizeof challenge, PL_STUN_ERROR, PL_STUN_REFRESH, id);
    pl_stun_auth_challenge(auth, wall_us, &client, &s);
    must(pl_stun_parse(&m, challenge, pl_stun_end(&s)) == PL_OK);
    must(pl_stun_get_str(&m, PL_STUN_NONCE, &nonce) == PL_OK);
    uint16_t algorithm = how & 1 ? PL_STUN_ALG_SHA256 : PL_STUN_ALG_MD5;
    size_t key_len = pl_stun_long_term_key(algorithm, PL_STR("u"), PL_STR("r"), PL_STR("p"), key);
    s = pl_stun_begin(wire, sizeof wire, PL_STUN_REQUEST, PL_STUN_REFRESH, id);
    if (how & 2)
        pl_stun_put_str(&s, PL_STUN_USERNAME, PL_STR("u"));
    if (how & 4)
        pl_stun_put_str(&s, PL_STUN_REALM, PL_STR("r"));
    if (how & 8)
        pl_stun_put_str(&s, PL_STUN_NONCE, nonce);
    pl_wr_bytes(&s.w, data, size & ~(size_t)3);
    if (how & 16)
        pl_stun_put_integrity(&s, key, key_len);
    if (how & 32)
        pl_stun_put_integrity256(&s, key, key_len, 16);
    size_t len = pl_stun_end(&s);
    if (len)
        ask_server(wire, len, NULL, true);
}

/* The bytes as a token, and a token around the bytes. */
static void open_token(const uint8_t *data, size_t size)
{
    uint8_t sealed[PL_STUN_TOKEN_MAX];
    pl_stun_token t = { .made_wall_us = wall_us }, back;
    size_t len, n = size < sizeof t.mac_key ? size : sizeof t.mac_key;
    must(pl_stun_token_open(&t, nonce_key, sizeof nonce_key, PL_STR("r"), data, size, wall_us) == PL_EPROTO);
    memcpy(t.mac_key, data, n);
    t.mac_key_len = (uint8_t)n;
    t.made_wall_us = wall_us;
    t.lifetime_s = size ? data[0] : 0;
    if (pl_stun_token_seal(&t, nonce_key, sizeof nonce_key, PL_STR("r"), nonce_key, sealed, &len)) {
        must(n < PL_STUN_MAC_KEY_MIN && len == 0);
        return;
    }
    must(pl_stun_token_open(&back, nonce_key, sizeof nonce_key, PL_STR("r"), sealed, len, wall_us) == PL_OK);
    must(back.mac_key_len == n && memcmp(back.mac_key, t.mac_key, n) == 0 && back.lifetime_s == t.lifetime_s);
}

static void answer_client(const uint8_t *data, size_t size)
{
    static uint8_t wire[PL_STUN_HEADER_LEN + PL_STUN_CRED_PUT_MAX];
    static const uint8_t id[PL_STUN_ID_LEN];
    pl_stun_cred c = { 0 };
    pl_stun_cred_try t = { 0 };
    pl_stun_msg m, request;
    must(pl_stun_cred_set(&c, PL_STR("u"), PL_STR("p")) == PL_OK);
    if (pl_stun_parse(&m, data, size))
        return;
    for (int round = 0; round < 10; round++) {
        pl_stun_cred_verdict v = pl_stun_cred_on_error(&c, &m, &t);
        pl_stun_wr s = pl_stun_begin(wire, sizeof wire, PL_STUN_REQUEST, PL_STUN_REFRESH, id);
        pl_stun_cred_put(&c, &s, &t);
        size_t len = pl_stun_end(&s);
        must(len > 0 && pl_stun_parse(&request, wire, len) == PL_OK);
        must(v != PL_STUN_CRED_RETRY || pl_stun_cred_is_ready(&c));
        must(t.n <= PL_STUN_CRED_TRIES_MAX);
        (void)!pl_stun_cred_check(&c, &m);
        if (v != PL_STUN_CRED_RETRY)
            return;
    }
    abort(); /* danced for ever */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    set_up();
    if (size < 1)
        return 0;
    uint8_t kind = *data++;
    size--;
    pl_stun_auth_known known = { .user = 1, .build = 1, .key_len = 16, .end_wall_us = PL_NEVER };
    if (kind & 1)
        answer_client(data, size);
    else if (kind & 2)
        ask_signed(data, size);
    else if (kind & 8)
        open_token(data, size);
    else
        ask_server(data, size, kind & 4 ? &known : NULL, false);
    return 0;
}
