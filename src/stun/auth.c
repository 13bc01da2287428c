/* Nonces are stateless: their end, the port they were given to, and a keyed tag over both, the client's IP and
 * what was offered with them. So one nonce serves all connections of a client's address (RFC 6062 opens
 * several) while no two ports are given the same, and a list of algorithms that changed makes them stale. */
#include "stun/auth.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/time.h"
#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "stun/token.h"

enum {
    COOKIE_LEN = 13,  /* "obMatJos2" and four characters of features */
    NONCE_BYTES = 12, /* behind it, as base64: end in seconds, port, tag */
    NONCE_TAG_AT = 6,
    NONCE_TAG_LEN = NONCE_BYTES - NONCE_TAG_AT,
    ALGORITHMS_MAX = 8,  /* bytes of PASSWORD-ALGORITHMS: two without parameters */
    END_DIGITS_MAX = 12, /* seconds since 1970 in a shared-secret name */
    PASSWORD_LEN = PL_BASE64_LEN(PL_SHA1_LEN)
};

typedef struct user {
    pl_hash_node by_name, by_hash;
    uint8_t userhash[PL_STUN_USERHASH_LEN];
    uint8_t md5[16], sha256[32];
    bool has_md5, has_sha256;
    uint16_t name_len;
    char name[];
} user;

/* Shared with an authorization server. */
typedef struct token_key {
    char kid[PL_STUN_USERNAME_MAX + 1];
    uint8_t key[32];
    uint8_t len;
} token_key;

struct pl_stun_auth {
    pl_hash by_name, by_hash;
    uint8_t nonce_key[PL_STUN_NONCE_KEY_LEN], user_key[16];
    uint8_t decoy[PL_STUN_KEY_MAX]; /* checked for unknown names, so that they take as long as known ones */
    uint32_t build;
    int64_t nonce_life_us;
    bool may_sha256, may_userhash, lacks_md5;
    pl_hmac_sha1_key secrets[PL_STUN_AUTH_SECRETS_MAX];
    size_t n_secrets;
    token_key *token_keys; /* NULL or PL_STUN_AUTH_TOKEN_KEYS_MAX */
    size_t n_token_keys;
    char cookie[COOKIE_LEN + 1];
    uint32_t features;
    uint8_t algorithms[ALGORITHMS_MAX]; /* the value of PASSWORD-ALGORITHMS as it goes out */
    uint8_t algorithms_len;
    pl_str realm, server_name;
    char realm_text[PL_STUN_TEXT_MAX], server_text[PL_STUN_TEXT_MAX];
};

/* ---- building ---- */

static void list_algorithm(pl_stun_auth *a, uint16_t algorithm)
{
    pl_put32(a->algorithms + a->algorithms_len, (uint32_t)algorithm << 16);
    a->algorithms_len += 4;
}

/* What is offered depends on what everybody here can do. */
static void settle_offer(pl_stun_auth *a)
{
    uint8_t bytes[3];
    a->algorithms_len = 0;
    a->features = 0;
    if (a->may_sha256) {
        list_algorithm(a, PL_STUN_ALG_SHA256); /* in order of preference */
        if (!a->lacks_md5)
            list_algorithm(a, PL_STUN_ALG_MD5);
        a->features |= PL_STUN_FEATURE_ALGORITHMS;
    }
    if (a->may_userhash && a->n_secrets == 0 && a->n_token_keys == 0)
        a->features |= PL_STUN_FEATURE_USERHASH;
    bytes[0] = (uint8_t)(a->features >> 16);
    pl_put16(bytes + 1, (uint16_t)a->features);
    memcpy(a->cookie, PL_STUN_NONCE_COOKIE, sizeof PL_STUN_NONCE_COOKIE);
    pl_base64_encode(bytes, sizeof bytes, a->cookie + sizeof PL_STUN_NONCE_COOKIE - 1);
}

/* Hashes of names are told to callers, tags of nonces to clients: two keys. */
static void derive_user_key(pl_stun_auth *a)
{
    for (uint8_t half = 0; half < 2; half++) {
        uint8_t label[] = { 'u', 's', 'e', 'r', half };
        pl_put64(a->user_key + 8 * half, pl_siphash(a->nonce_key, label, sizeof label));
    }
}

pl_err pl_stun_auth_new(pl_stun_auth **out, const pl_stun_auth_conf *conf)
{
    *out = NULL;
    if (conf->realm.n == 0 || conf->realm.n > PL_STUN_TEXT_MAX || conf->server_name.n > PL_STUN_TEXT_MAX ||
        conf->nonce_life_us < 0)
        return PL_EINVAL;
    pl_stun_auth *a = calloc(1, sizeof *a);
    if (!a)
        return PL_ENOMEM;
    const pl_rand machine = { 0 };
    const pl_rand *rand = conf->rand ? conf->rand : &machine;
    uint8_t key[16];
    pl_rand_bytes(rand, key, sizeof key);
    pl_hash_init(&a->by_name, PL_STUN_AUTH_USERS_MAX, key);
    pl_hash_init(&a->by_hash, PL_STUN_AUTH_USERS_MAX, key);
    pl_rand_bytes(rand, a->decoy, sizeof a->decoy);
    if (conf->nonce_key)
        memcpy(a->nonce_key, conf->nonce_key, sizeof a->nonce_key);
    else
        pl_rand_bytes(rand, a->nonce_key, sizeof a->nonce_key);
    derive_user_key(a);
    a->build = pl_rand_u32(rand) | 1; /* never that of an empty pl_stun_auth_known */
    a->nonce_life_us = conf->nonce_life_us ? conf->nonce_life_us : PL_SEC(3600);
    a->may_sha256 = !conf->md5_only;
    a->may_userhash = !conf->no_userhash;
    memcpy(a->realm_text, conf->realm.p, conf->realm.n);
    a->realm = a->server_name = (pl_str){ a->realm_text, conf->realm.n };
    if (conf->server_name.n) {
        memcpy(a->server_text, conf->server_name.p, conf->server_name.n);
        a->server_name = (pl_str){ a->server_text, conf->server_name.n };
    }
    settle_offer(a);
    *out = a;
    return PL_OK;
}

static void user_free(user *u)
{
    pl_wipe(u, sizeof *u);
    free(u);
}

void pl_stun_auth_free(pl_stun_auth *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->by_name.n_buckets; i++) {
        for (pl_hash_node *n = a->by_name.bucket[i], *next; n; n = next) {
            next = n->next;
            user_free(pl_of(n, user, by_name));
        }
    }
    pl_hash_clear(&a->by_name);
    pl_hash_clear(&a->by_hash);
    if (a->token_keys)
        pl_wipe(a->token_keys, PL_STUN_AUTH_TOKEN_KEYS_MAX * sizeof *a->token_keys);
    free(a->token_keys);
    pl_wipe(a, sizeof *a);
    free(a);
}

static user *find_name(const pl_stun_auth *a, pl_str name)
{
    for (pl_hash_node *n = pl_hash_find(&a->by_name, name.p, name.n); n; n = pl_hash_next(n)) {
        user *u = pl_of(n, user, by_name);
        if (pl_str_eq(name, (pl_str){ u->name, u->name_len }))
            return u;
    }
    return NULL;
}

static user *find_userhash(const pl_stun_auth *a, const uint8_t hash[PL_STUN_USERHASH_LEN])
{
    for (pl_hash_node *n = pl_hash_find(&a->by_hash, hash, PL_STUN_USERHASH_LEN); n; n = pl_hash_next(n)) {
        user *u = pl_of(n, user, by_hash);
        if (memcmp(u->userhash, hash, sizeof u->userhash) == 0)
            return u;
    }
    return NULL;
}

pl_err pl_stun_auth_add_keys(pl_stun_auth *a, pl_str name, const uint8_t md5[16], const uint8_t sha256[32])
{
    if (name.n == 0 || name.n > PL_STUN_USERNAME_MAX || (!md5 && !sha256) || find_name(a, name))
        return PL_EINVAL;
    user *u = calloc(1, sizeof *u + name.n);
    if (!u)
        return PL_ENOMEM;
    memcpy(u->name, name.p, name.n);
    u->name_len = (uint16_t)name.n;
    u->has_md5 = md5 != NULL;
    u->has_sha256 = sha256 != NULL;
    if (md5)
        memcpy(u->md5, md5, sizeof u->md5);
    if (sha256)
        memcpy(u->sha256, sha256, sizeof u->sha256);
    pl_err err = pl_stun_userhash(name, a->realm, u->userhash) ? PL_OK : PL_EINVAL;
    if (!err)
        err = pl_hash_insert(&a->by_name, &u->by_name, name.p, name.n);
    if (err) {
        user_free(u);
        return err;
    }
    err = pl_hash_insert(&a->by_hash, &u->by_hash, u->userhash, sizeof u->userhash);
    if (err) {
        pl_hash_remove(&a->by_name, &u->by_name);
        user_free(u);
        return err;
    }
    a->may_sha256 = a->may_sha256 && sha256;
    a->lacks_md5 = a->lacks_md5 || !md5;
    settle_offer(a);
    return PL_OK;
}

pl_err pl_stun_auth_add_password(pl_stun_auth *a, pl_str name, pl_str password)
{
    uint8_t md5[PL_STUN_KEY_MAX], sha256[PL_STUN_KEY_MAX];
    if (password.n == 0 || password.n > PL_STUN_TEXT_MAX ||
        !pl_stun_long_term_key(PL_STUN_ALG_MD5, name, a->realm, password, md5) ||
        !pl_stun_long_term_key(PL_STUN_ALG_SHA256, name, a->realm, password, sha256))
        return PL_EINVAL;
    pl_err err = pl_stun_auth_add_keys(a, name, md5, sha256);
    pl_wipe(md5, sizeof md5);
    pl_wipe(sha256, sizeof sha256);
    return err;
}

pl_err pl_stun_auth_add_secret(pl_stun_auth *a, pl_str secret)
{
    if (secret.n == 0 || secret.n > PL_STUN_AUTH_SECRET_MAX)
        return PL_EINVAL;
    if (a->n_secrets == PL_STUN_AUTH_SECRETS_MAX)
        return PL_ENOSPC;
    pl_hmac_sha1_key_init(&a->secrets[a->n_secrets++], secret.p, secret.n);
    settle_offer(a);
    return PL_OK;
}

static const token_key *find_token_key(const pl_stun_auth *a, pl_str kid)
{
    for (size_t i = 0; i < a->n_token_keys; i++) {
        if (pl_str_is(kid, a->token_keys[i].kid))
            return &a->token_keys[i];
    }
    return NULL;
}

pl_err pl_stun_auth_add_token_key(pl_stun_auth *a, pl_str kid, const uint8_t *key, size_t len)
{
    if (kid.n == 0 || (len != 16 && len != 32) || find_token_key(a, kid))
        return PL_EINVAL;
    if (a->n_token_keys == PL_STUN_AUTH_TOKEN_KEYS_MAX)
        return PL_ENOSPC;
    if (!a->token_keys)
        a->token_keys = calloc(PL_STUN_AUTH_TOKEN_KEYS_MAX, sizeof *a->token_keys);
    if (!a->token_keys)
        return PL_ENOMEM;
    token_key *t = &a->token_keys[a->n_token_keys];
    if (!pl_str_copy(kid, t->kid, sizeof t->kid))
        return PL_EINVAL;
    memcpy(t->key, key, len);
    t->len = (uint8_t)len;
    a->n_token_keys++;
    settle_offer(a);
    return PL_OK;
}

size_t pl_stun_auth_n_users(const pl_stun_auth *a)
{
    return a->by_name.n;
}

pl_str pl_stun_auth_realm(const pl_stun_auth *a)
{
    return a->realm;
}

const uint8_t *pl_stun_auth_nonce_key(const pl_stun_auth *a)
{
    return a->nonce_key;
}

/* ---- nonces ---- */

static void nonce_tag(const pl_stun_auth *a, const uint8_t head[NONCE_TAG_AT], const pl_addr *client,
                      uint8_t out[NONCE_TAG_LEN])
{
    uint8_t text[NONCE_TAG_AT + 1 + 16 + 4 + ALGORITHMS_MAX] = { 0 }, tag[8];
    uint8_t *p = text;
    memcpy(p, head, NONCE_TAG_AT);
    p[NONCE_TAG_AT] = client->family;
    memcpy(p + NONCE_TAG_AT + 1, client->ip, 16);
    pl_put32(p + NONCE_TAG_AT + 17, a->features);
    memcpy(p + NONCE_TAG_AT + 21, a->algorithms, a->algorithms_len);
    pl_put64(tag, pl_siphash(a->nonce_key, text, sizeof text));
    memcpy(out, tag, NONCE_TAG_LEN);
}

static void nonce_make(const pl_stun_auth *a, int64_t wall_us, const pl_addr *client,
                       char out[PL_STUN_NONCE_LEN + 1])
{
    uint8_t bytes[NONCE_BYTES];
    pl_put32(bytes, (uint32_t)((wall_us + a->nonce_life_us) / PL_SEC(1)));
    pl_put16(bytes + 4, client->port);
    nonce_tag(a, bytes, client, bytes + NONCE_TAG_AT);
    memcpy(out, a->cookie, COOKIE_LEN);
    pl_base64_encode(bytes, sizeof bytes, out + COOKIE_LEN);
}

/* Ours, for that IP, offered with what we offer now, and not at its end. */
static bool nonce_is_valid(const pl_stun_auth *a, int64_t wall_us, const pl_addr *client, pl_str nonce)
{
    uint8_t bytes[NONCE_BYTES], tag[NONCE_TAG_LEN];
    size_t n;
    if (nonce.n != PL_STUN_NONCE_LEN || memcmp(nonce.p, a->cookie, COOKIE_LEN) != 0 ||
        !pl_base64_decode(nonce.p + COOKIE_LEN, nonce.n - COOKIE_LEN, bytes, sizeof bytes, &n) ||
        n != sizeof bytes)
        return false;
    nonce_tag(a, bytes, client, tag);
    return pl_ct_eq(tag, bytes + NONCE_TAG_AT, sizeof tag) && wall_us < (int64_t)pl_get32(bytes) * PL_SEC(1);
}

void pl_stun_auth_challenge(const pl_stun_auth *a, int64_t wall_us, const pl_addr *client, pl_stun_wr *s)
{
    char nonce[PL_STUN_NONCE_LEN + 1];
    nonce_make(a, wall_us, client, nonce);
    pl_stun_put_str(s, PL_STUN_REALM, a->realm);
    pl_stun_put(s, PL_STUN_NONCE, nonce, PL_STUN_NONCE_LEN);
    if (a->algorithms_len)
        pl_stun_put(s, PL_STUN_PASSWORD_ALGORITHMS, a->algorithms, a->algorithms_len);
    if (a->n_token_keys)
        pl_stun_put_str(s, PL_STUN_THIRD_PARTY_AUTHORIZATION, a->server_name);
}

/* ---- checking ---- */

/* What a request says about its sender. */
typedef struct claim {
    pl_str name;             /* p NULL: only by its hash */
    const uint8_t *userhash; /* or NULL */
    uint16_t algorithm;
    bool negotiated; /* the algorithm was chosen from our list */
    pl_rd token;     /* ACCESS-TOKEN; p NULL: none */
    bool fresh;      /* the nonce is valid */
} claim;

/* Both attributes, the list as we sent it, and one of it (RFC 8489 9.2.4). */
static bool negotiated_well(const pl_stun_auth *a, const pl_stun_msg *m, uint16_t *algorithm)
{
    pl_rd list;
    uint32_t set;
    return !pl_stun_get_algorithm(m, algorithm) && pl_stun_find(m, PL_STUN_PASSWORD_ALGORITHMS, &list) &&
           pl_rd_left(&list) == a->algorithms_len && memcmp(list.p, a->algorithms, a->algorithms_len) == 0 &&
           !pl_stun_get_algorithms(m, &set) && *algorithm < 32 && (set >> *algorithm & 1);
}

static bool read_algorithm(const pl_stun_auth *a, const pl_stun_msg *m, claim *c)
{
    c->algorithm = PL_STUN_ALG_MD5;
    c->negotiated = pl_stun_has(m, PL_STUN_PASSWORD_ALGORITHM) || pl_stun_has(m, PL_STUN_PASSWORD_ALGORITHMS);
    if (!c->negotiated)
        return true;
    if (c->fresh && a->algorithms_len)
        return negotiated_well(a, m, &c->algorithm);
    /* With a nonce that is not ours nobody knows what list came with it; the 438 will settle that. */
    return pl_stun_get_algorithm(m, &c->algorithm) != PL_EPROTO;
}

static bool read_claim(const pl_stun_auth *a, int64_t wall_us, const pl_stun_msg *m, const pl_addr *client,
                       claim *c)
{
    pl_rd hash;
    pl_str nonce;
    *c = (claim){ 0 };
    pl_err err = pl_stun_get_str(m, PL_STUN_USERNAME, &c->name);
    if (err == PL_ENOTSUP) {
        if (!pl_stun_find(m, PL_STUN_USERHASH, &hash) || pl_rd_left(&hash) != PL_STUN_USERHASH_LEN)
            return false;
        c->userhash = hash.p;
    } else if (err) {
        return false;
    }
    if (!pl_stun_has(m, PL_STUN_REALM) || pl_stun_get_str(m, PL_STUN_NONCE, &nonce))
        return false;
    c->fresh = nonce_is_valid(a, wall_us, client, nonce);
    if (a->n_token_keys && c->name.p && pl_stun_find(m, PL_STUN_ACCESS_TOKEN, &c->token))
        return true; /* its key is no password's: there is no algorithm to choose */
    return read_algorithm(a, m, c);
}

static bool integrity_is_right(const pl_stun_msg *m, const uint8_t *key, size_t len)
{
    return m->integrity256_at ? !pl_stun_check_integrity256(m, key, len)
                              : !pl_stun_check_integrity(m, key, len);
}

/* "end[:id]": a shared-secret name, and which part tells who it is. */
static bool read_rest_name(pl_str name, int64_t *end_wall_us, pl_str *id)
{
    pl_str rest = name, end = pl_str_cut(&rest, ':');
    uint64_t seconds;
    if (end.n == 0 || end.n > END_DIGITS_MAX || !pl_str_u64(end, (uint64_t)(INT64_MAX / PL_SEC(1)), &seconds))
        return false;
    *end_wall_us = (int64_t)seconds * PL_SEC(1);
    *id = rest.n ? rest : name;
    return true;
}

static bool check_secret(const pl_stun_auth *a, const pl_hmac_sha1_key *secret, const pl_stun_msg *m,
                         pl_str name, pl_stun_auth_known *k)
{
    uint8_t mac[PL_SHA1_LEN];
    char password[PASSWORD_LEN + 1];
    pl_slice part = { name.p, name.n };
    pl_hmac_sha1_with(secret, &part, 1, mac);
    pl_str text = { password, pl_base64_encode(mac, sizeof mac, password) };
    k->key_len = (uint8_t)pl_stun_long_term_key(k->algorithm, name, a->realm, text, k->key);
    return k->key_len && integrity_is_right(m, k->key, k->key_len);
}

static bool check_rest(const pl_stun_auth *a, int64_t wall_us, const pl_stun_msg *m, pl_str name,
                       pl_stun_auth_result *out)
{
    if (a->n_secrets == 0 || !read_rest_name(name, &out->known.end_wall_us, &out->name) ||
        out->known.end_wall_us <= wall_us)
        return false;
    for (size_t i = 0; i < a->n_secrets; i++) {
        if (check_secret(a, &a->secrets[i], m, name, &out->known))
            return true;
    }
    return false;
}

static bool check_static(const pl_stun_msg *m, const user *u, pl_stun_auth_result *out)
{
    pl_stun_auth_known *k = &out->known;
    bool sha256 = k->algorithm == PL_STUN_ALG_SHA256;
    if (sha256 ? !u->has_sha256 : !u->has_md5)
        return false;
    k->key_len = sha256 ? sizeof u->sha256 : sizeof u->md5;
    memcpy(k->key, sha256 ? u->sha256 : u->md5, k->key_len);
    k->end_wall_us = PL_NEVER;
    out->name = (pl_str){ u->name, u->name_len };
    return integrity_is_right(m, k->key, k->key_len);
}

/* The key of last time, when the name, the algorithm and our tables are still those. */
static bool check_known(const pl_stun_auth *a, int64_t wall_us, const pl_stun_msg *m, const claim *c,
                        const pl_stun_auth_known *known, pl_stun_auth_result *out)
{
    int64_t end_wall_us;
    if (!known || !known->key_len || known->build != a->build || known->algorithm != c->algorithm ||
        known->user != out->known.user || known->end_wall_us <= wall_us)
        return false;
    out->known = *known;
    out->name = c->name;
    if (known->end_wall_us != PL_NEVER && known->algorithm)
        (void)read_rest_name(c->name, &end_wall_us, &out->name);
    return integrity_is_right(m, known->key, known->key_len);
}

/* The key that signs is inside the token (RFC 7635 7). coturn's clients use only so much of it as an MD5 key has. */
static bool check_token(const pl_stun_auth *a, int64_t wall_us, const pl_stun_msg *m, const claim *c,
                        pl_stun_auth_result *out)
{
    pl_stun_token token;
    const token_key *with = find_token_key(a, c->name);
    pl_stun_auth_known *k = &out->known;
    if (!c->token.p || !with ||
        pl_stun_token_open(&token, with->key, with->len, a->server_name, c->token.p, pl_rd_left(&c->token),
                           wall_us))
        return false;
    k->algorithm = 0;
    k->key_len = token.mac_key_len;
    memcpy(k->key, token.mac_key, token.mac_key_len);
    k->end_wall_us = pl_stun_token_end_us(&token);
    out->name = c->name;
    pl_wipe(&token, sizeof token);
    if (integrity_is_right(m, k->key, k->key_len))
        return true;
    k->key_len = PL_MD5_LEN;
    return integrity_is_right(m, k->key, k->key_len);
}

/* Once a token has been seen, what follows may come without (RFC 7635 8). */
static bool is_token_claim(const pl_stun_auth *a, const claim *c, const pl_stun_auth_known *known)
{
    bool seen = known && known->key_len && known->algorithm == 0;
    return c->token.p || (seen && c->name.p && find_token_key(a, c->name));
}

static bool is_genuine_token(const pl_stun_auth *a, int64_t wall_us, const pl_stun_msg *m, claim *c,
                             const pl_stun_auth_known *known, pl_stun_auth_result *out)
{
    c->algorithm = 0;
    /* The next token may be of another kid, when keys are rotated, and be the same client's all the same. */
    out->known = (pl_stun_auth_known){ .user = pl_siphash(a->user_key, "", 0), .build = a->build };
    pl_stun_auth_known blank = out->known;
    if (check_known(a, wall_us, m, c, known, out))
        return true;
    out->known = blank;
    if (check_token(a, wall_us, m, c, out))
        return true;
    (void)integrity_is_right(m, a->decoy, sizeof a->decoy);
    return false;
}

static bool is_genuine(const pl_stun_auth *a, int64_t wall_us, const pl_stun_msg *m, claim *c,
                       const pl_stun_auth_known *known, pl_stun_auth_result *out)
{
    if (is_token_claim(a, c, known))
        return is_genuine_token(a, wall_us, m, c, known, out);
    if (c->algorithm != PL_STUN_ALG_MD5 && c->algorithm != PL_STUN_ALG_SHA256)
        return false;
    pl_str name = c->name;
    const user *u = c->userhash ? find_userhash(a, c->userhash) : find_name(a, name);
    if (u)
        name = (pl_str){ u->name, u->name_len };
    out->known = (pl_stun_auth_known){ .user = pl_siphash(a->user_key, name.p, name.n),
                                       .build = a->build,
                                       .algorithm = (uint8_t)c->algorithm };
    if (u)
        return check_static(m, u, out);
    if (name.p && check_known(a, wall_us, m, c, known, out))
        return true;
    if (name.p && check_rest(a, wall_us, m, name, out))
        return true;
    (void)integrity_is_right(m, a->decoy, sizeof a->decoy);
    return false;
}

uint16_t pl_stun_auth_check(const pl_stun_auth *a, int64_t wall_us, const pl_stun_msg *m,
                            const pl_addr *client, const pl_stun_auth_known *known, pl_stun_auth_result *out)
{
    claim c;
    pl_stun_auth_result found = { 0 };
    *out = (pl_stun_auth_result){ .code = 401 };
    if (!m->integrity_at && !m->integrity256_at)
        return out->code;
    if (!read_claim(a, wall_us, m, client, &c))
        return out->code = 400;
    if (!is_genuine(a, wall_us, m, &c, known, &found))
        pl_wipe(&found, sizeof found);
    else if (!c.fresh)
        out->code = 438;
    else
        *out = found;
    if (out->code)
        return out->code;
    out->sign = true;
    /* What the sender has shown to understand; a negotiated algorithm obliges to SHA-256 (RFC 8489 9.2.4). */
    out->sha256 = m->integrity256_at || c.negotiated;
    return 0;
}

void pl_stun_auth_sign(const pl_stun_auth_result *result, pl_stun_wr *s)
{
    const pl_stun_auth_known *k = &result->known;
    if (!result->sign)
        return;
    assert(k->key_len > 0);
    if (result->sha256)
        pl_stun_put_integrity256(s, k->key, k->key_len, PL_STUN_SHA256_LEN);
    else
        pl_stun_put_integrity(s, k->key, k->key_len);
}

/* ---- short-term ---- */

uint16_t pl_stun_auth_check_short(const pl_stun_msg *m, pl_str name, pl_str password, bool *sha256)
{
    pl_str claimed;
    *sha256 = m->integrity256_at != 0;
    if ((!m->integrity_at && !m->integrity256_at) || pl_stun_get_str(m, PL_STUN_USERNAME, &claimed))
        return 400;
    bool right = integrity_is_right(m, (const uint8_t *)password.p, password.n);
    return pl_str_eq(claimed, name) && right ? 0 : 401;
}

void pl_stun_auth_sign_short(pl_stun_wr *s, pl_str password, bool sha256)
{
    if (sha256)
        pl_stun_put_integrity256(s, password.p, password.n, PL_STUN_SHA256_LEN);
    else
        pl_stun_put_integrity(s, password.p, password.n);
}
