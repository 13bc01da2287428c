#include "stun/credentials.h"

#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "stun/auth.h"

enum { COOKIE_WORD_LEN = sizeof PL_STUN_NONCE_COOKIE - 1, FEATURE_CHARS = 4 };

/* A 401 or 438 as it came, before anything of it is believed. */
typedef struct challenge {
    char realm[PL_STUN_TEXT_MAX + 1], nonce[PL_STUN_TEXT_MAX + 1];
    uint8_t algorithms[64];
    uint8_t algorithms_len;
    uint16_t algorithm;
    uint32_t features;
} challenge;

pl_err pl_stun_cred_set(pl_stun_cred *c, pl_str username, pl_str password)
{
    pl_stun_cred_clear(c);
    if (username.n == 0 || password.n == 0 || !pl_str_copy(username, c->username, sizeof c->username) ||
        !pl_str_copy(password, c->password, sizeof c->password)) {
        pl_stun_cred_clear(c);
        return PL_EINVAL;
    }
    return PL_OK;
}

void pl_stun_cred_clear(pl_stun_cred *c)
{
    pl_wipe(c, sizeof *c);
}

void pl_stun_cred_forget(pl_stun_cred *c)
{
    c->realm[0] = c->nonce[0] = 0;
    c->algorithms_len = c->key_len = 0;
    c->anonymous = false;
    pl_wipe(c->key, sizeof c->key);
}

bool pl_stun_cred_is_set(const pl_stun_cred *c)
{
    return c->username[0] != 0;
}

bool pl_stun_cred_is_ready(const pl_stun_cred *c)
{
    return c->key_len > 0;
}

/* The bits behind "obMatJos2" (RFC 8489 9.2); a nonce without them has none. */
static uint32_t features_of(const char *nonce)
{
    uint8_t bits[3];
    size_t n;
    if (strncmp(nonce, PL_STUN_NONCE_COOKIE, COOKIE_WORD_LEN) != 0 ||
        strlen(nonce) < COOKIE_WORD_LEN + FEATURE_CHARS ||
        !pl_base64_decode(nonce + COOKIE_WORD_LEN, FEATURE_CHARS, bits, sizeof bits, &n) || n != sizeof bits)
        return 0;
    return (uint32_t)bits[0] << 16 | pl_get16(bits + 1);
}

/* The first algorithm of the server's list that we know (RFC 8489 9.2.5); 0: none. */
static uint16_t choose_algorithm(pl_rd list)
{
    while (pl_rd_left(&list) > 0) {
        uint16_t algorithm = pl_rd_u16(&list);
        uint16_t len = pl_rd_u16(&list);
        pl_rd_skip(&list, ((size_t)len + 3) & ~(size_t)3);
        if (pl_rd_ok(&list) && len == 0 && (algorithm == PL_STUN_ALG_MD5 || algorithm == PL_STUN_ALG_SHA256))
            return algorithm;
    }
    return 0;
}

static bool read_algorithms(const pl_stun_msg *m, challenge *ch)
{
    pl_rd list;
    ch->algorithm = PL_STUN_ALG_MD5;
    if (!pl_stun_find(m, PL_STUN_PASSWORD_ALGORITHMS, &list))
        return !(ch->features & PL_STUN_FEATURE_ALGORITHMS); /* somebody has taken the list out */
    if (pl_rd_left(&list) > sizeof ch->algorithms)
        return false;
    ch->algorithms_len = (uint8_t)pl_rd_left(&list);
    memcpy(ch->algorithms, list.p, ch->algorithms_len);
    ch->algorithm = choose_algorithm(list);
    return ch->algorithm != 0;
}

/* A 438 that leaves the realm out means the one we know. */
static bool read_challenge(const pl_stun_cred *c, const pl_stun_msg *m, uint16_t code, challenge *ch)
{
    pl_str realm, nonce;
    *ch = (challenge){ 0 };
    pl_err err = pl_stun_get_str(m, PL_STUN_REALM, &realm);
    if (err == PL_ENOTSUP && code == 438)
        realm = pl_str_of(c->realm);
    else if (err)
        return false;
    if (pl_stun_get_str(m, PL_STUN_NONCE, &nonce) || !realm.n || !nonce.n ||
        !pl_str_copy(realm, ch->realm, sizeof ch->realm) || !pl_str_copy(nonce, ch->nonce, sizeof ch->nonce))
        return false;
    ch->features = features_of(ch->nonce);
    return read_algorithms(m, ch);
}

/* The key is derived again only when something it is made of has changed: a new nonce alone costs nothing. */
static bool accept_challenge(pl_stun_cred *c, const challenge *ch)
{
    pl_str name = pl_str_of(c->username), realm = pl_str_of(ch->realm);
    bool same_key = c->key_len && c->algorithm == ch->algorithm && strcmp(c->realm, ch->realm) == 0;
    if (!same_key) {
        c->key_len =
            (uint8_t)pl_stun_long_term_key(ch->algorithm, name, realm, pl_str_of(c->password), c->key);
        if (!c->key_len || !pl_stun_userhash(name, realm, c->userhash))
            return false;
    }
    memcpy(c->realm, ch->realm, sizeof c->realm);
    memcpy(c->nonce, ch->nonce, sizeof c->nonce);
    memcpy(c->algorithms, ch->algorithms, sizeof c->algorithms);
    c->algorithms_len = ch->algorithms_len;
    c->algorithm = ch->algorithm;
    c->anonymous = ch->features & PL_STUN_FEATURE_USERHASH;
    c->n_challenges++;
    return true;
}

pl_stun_cred_verdict pl_stun_cred_on_error(pl_stun_cred *c, const pl_stun_msg *m, pl_stun_cred_try *t)
{
    uint16_t code;
    pl_str reason;
    challenge ch;
    if (pl_stun_get_error(m, &code, &reason) || (code != 401 && code != 438))
        return PL_STUN_CRED_OTHER;
    if (!pl_stun_cred_is_set(c) || t->n >= PL_STUN_CRED_TRIES_MAX)
        return PL_STUN_CRED_REFUSED;
    if (!read_challenge(c, m, code, &ch))
        return PL_STUN_CRED_BROKEN;
    if (code == 401 && t->authed && strcmp(ch.realm, c->realm) == 0)
        return PL_STUN_CRED_REFUSED; /* the same again would be refused again */
    if (code == 438 && t->authed && t->nonce == c->n_challenges && strcmp(ch.nonce, c->nonce) == 0)
        return PL_STUN_CRED_BROKEN;
    if (!accept_challenge(c, &ch))
        return PL_STUN_CRED_BROKEN;
    t->n++;
    return PL_STUN_CRED_RETRY;
}

void pl_stun_cred_put(const pl_stun_cred *c, pl_stun_wr *s, pl_stun_cred_try *t)
{
    if (t) {
        t->authed = pl_stun_cred_is_ready(c);
        t->nonce = c->n_challenges;
    }
    if (!pl_stun_cred_is_ready(c))
        return;
    if (c->anonymous)
        pl_stun_put(s, PL_STUN_USERHASH, c->userhash, sizeof c->userhash);
    else
        pl_stun_put_str(s, PL_STUN_USERNAME, pl_str_of(c->username));
    pl_stun_put_str(s, PL_STUN_REALM, pl_str_of(c->realm));
    pl_stun_put_str(s, PL_STUN_NONCE, pl_str_of(c->nonce));
    if (c->algorithms_len) {
        pl_stun_put_algorithm(s, c->algorithm);
        pl_stun_put(s, PL_STUN_PASSWORD_ALGORITHMS, c->algorithms, c->algorithms_len);
        pl_stun_put_integrity256(s, c->key, c->key_len, PL_STUN_SHA256_LEN);
    } else {
        pl_stun_put_integrity(s, c->key, c->key_len);
    }
}

pl_err pl_stun_cred_check(const pl_stun_cred *c, const pl_stun_msg *m)
{
    char nonce[PL_STUN_TEXT_MAX + 1];
    pl_str text;
    if (!pl_stun_get_str(m, PL_STUN_NONCE, &text) && pl_str_copy(text, nonce, sizeof nonce) &&
        (features_of(nonce) & PL_STUN_FEATURE_ALGORITHMS) && !pl_stun_has(m, PL_STUN_PASSWORD_ALGORITHMS))
        return PL_EPROTO;
    if (m->integrity256_at)
        return pl_stun_check_integrity256(m, c->key, c->key_len);
    return pl_stun_check_integrity(m, c->key, c->key_len);
}
