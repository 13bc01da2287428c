/* Credentials from settings and files: users by password or hash, shared secrets for time-limited names. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/hmac.h"
#include "server/relay_settings.h"
#include "stun/integrity.h"

enum { LINE_MAX_BYTES = 2048 };

/* ---- hashes in text ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "{TAG}" and 2 * n hexadecimal digits at the start of *text; moves behind them. */
static bool take_hash(pl_str *text, const char *tag, uint8_t *out, size_t n)
{
    size_t at = strlen(tag);
    if (!pl_str_starts(*text, tag) || text->n < at + 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_digit(text->p[at + 2 * i]), lo = hex_digit(text->p[at + 2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    *text = (pl_str){ text->p + at + 2 * n, text->n - at - 2 * n };
    return true;
}

/* A secret that begins with a brace is hashes and nothing else: a typing error must not become a password. */
static pl_err add_user(pl_stun_auth *a, pl_str name, pl_str secret)
{
    uint8_t md5[16], sha256[32];
    if (secret.n == 0 || secret.p[0] != '{')
        return pl_stun_auth_add_password(a, name, secret);
    bool has_md5 = take_hash(&secret, "{MD5}", md5, sizeof md5);
    bool has_sha256 = take_hash(&secret, "{SHA256}", sha256, sizeof sha256);
    pl_err err = secret.n > 0 || (!has_md5 && !has_sha256)
                     ? PL_EPROTO
                     : pl_stun_auth_add_keys(a, name, has_md5 ? md5 : NULL, has_sha256 ? sha256 : NULL);
    pl_wipe(md5, sizeof md5);
    pl_wipe(sha256, sizeof sha256);
    return err;
}

static const char *complaint(pl_err err)
{
    switch (err) {
    case PL_EPROTO: return "hashes are {MD5} with 32 and {SHA256} with 64 hexadecimal digits";
    case PL_EINVAL:
        return "the name is empty, too long, or there already, or the password is empty or too long";
    case PL_ENOSPC: return "there are too many users";
    default: return pl_err_str(err);
    }
}

/* ---- files ---- */

typedef pl_err (*take_line)(pl_stun_auth *a, pl_str line);

static pl_err take_user(pl_stun_auth *a, pl_str line)
{
    pl_str name = pl_str_cut(&line, ':');
    return line.p ? add_user(a, name, line) : PL_EINVAL;
}

static pl_err take_secret(pl_stun_auth *a, pl_str line)
{
    return pl_stun_auth_add_secret(a, line);
}

/* "KID:KEY", the key in base64. */
static pl_err take_token_key(pl_stun_auth *a, pl_str line)
{
    uint8_t key[32];
    size_t len;
    pl_str kid = pl_str_cut(&line, ':');
    if (!line.p || !pl_base64_decode(line.p, line.n, key, sizeof key, &len))
        return PL_EPROTO;
    pl_err err = len == 16 || len == 32 ? pl_stun_auth_add_token_key(a, kid, key, len) : PL_EPROTO;
    pl_wipe(key, sizeof key);
    return err;
}

/* One entry a line; empty lines and those that begin with '#' are passed over. */
static bool read_lines(pl_stun_auth *a, const char *file, take_line take, char *say)
{
    char line[LINE_MAX_BYTES];
    FILE *f = fopen(file, "r");
    if (!f)
        return pl_relay_refuse(say, "%s: %s", file, strerror(errno));
    bool ok = true;
    for (unsigned n = 1; ok && fgets(line, sizeof line, f); n++) {
        size_t len = strcspn(line, "\r\n");
        bool whole = line[len] || feof(f);
        line[len] = 0;
        if (whole && (len == 0 || line[0] == '#'))
            continue;
        pl_err err = whole ? take(a, (pl_str){ line, len }) : PL_EINVAL;
        ok = err == PL_OK || pl_relay_refuse(say, "%s:%u: %s", file, n,
                                             err == PL_EPROTO && take == take_token_key
                                                 ? "a token key is KID:KEY, 16 or 32 bytes in base64"
                                                 : complaint(err));
    }
    if (ok && ferror(f))
        ok = pl_relay_refuse(say, "%s: %s", file, strerror(errno));
    pl_wipe(line, sizeof line);
    fclose(f);
    return ok;
}

static bool read_all(pl_stun_auth *a, const pl_relay_settings *s, char *say)
{
    for (size_t i = 0; i < s->n_users; i++) {
        pl_err err = add_user(a, pl_str_of(s->user[i].name), pl_str_of(s->user[i].secret));
        if (err != PL_OK)
            return pl_relay_refuse(say, "user %s: %s", s->user[i].name, complaint(err));
    }
    if (s->user_file[0] && !read_lines(a, s->user_file, take_user, say))
        return false;
    if (s->rest_secret_file[0] && !read_lines(a, s->rest_secret_file, take_secret, say))
        return false;
    if (s->token_key_file[0] && !read_lines(a, s->token_key_file, take_token_key, say))
        return false;
    if (s->rest_secret[0] && pl_stun_auth_add_secret(a, pl_str_of(s->rest_secret)) != PL_OK)
        return pl_relay_refuse(say, "the shared secret is too long");
    return true;
}

bool pl_relay_auth_read(pl_stun_auth **out, const pl_relay_settings *s, const uint8_t *nonce_key,
                        char say[PL_RELAY_SAY_MAX])
{
    pl_stun_auth_conf conf = { .realm = pl_str_of(s->realm),
                               .server_name = pl_str_of(s->server_name),
                               .nonce_key = nonce_key };
    *out = NULL;
    pl_err err = pl_stun_auth_new(out, &conf);
    if (err != PL_OK)
        return pl_relay_refuse(say, "realm: %s", pl_err_str(err));
    if (read_all(*out, s, say))
        return true;
    pl_stun_auth_free(*out);
    *out = NULL;
    return false;
}

/* ---- making a line ---- */

static void put_hex(pl_buf *b, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pl_buf_addf(b, "%02x", data[i]);
}

void pl_relay_hash_user(const char *name, const char *realm, const char *password, char *out, size_t cap)
{
    uint8_t key[PL_STUN_KEY_MAX];
    pl_buf b = pl_buf_init(cap);
    pl_buf_addf(&b, "%s:{MD5}", name);
    pl_stun_long_term_key(PL_STUN_ALG_MD5, pl_str_of(name), pl_str_of(realm), pl_str_of(password), key);
    put_hex(&b, key, 16);
    pl_buf_addf(&b, "{SHA256}");
    pl_stun_long_term_key(PL_STUN_ALG_SHA256, pl_str_of(name), pl_str_of(realm), pl_str_of(password), key);
    put_hex(&b, key, 32);
    const char *text = pl_buf_z(&b);
    snprintf(out, cap, "%s", text ? text : "");
    pl_wipe(key, sizeof key);
    pl_buf_clear(&b);
}
