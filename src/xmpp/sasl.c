/* Mechanisms: the choice, and libgsasl's client for the chosen one. */
#include "xmpp/sasl.h"

#include <errno.h>
#include <gsasl.h>
#include <stdlib.h>

#include "crypto/base64.h"
#include "crypto/hmac.h"

struct pl_sasl {
    Gsasl *lib;
    Gsasl_session *session;
    const char *name;
    pl_sasl_rank rank;
    bool done;   /* our side has nothing more to say, and for SCRAM the server's proof was right */
    bool proves; /* SCRAM: the server proves itself, too */
    bool torn;   /* see step() */
    unsigned n_challenges;
};

void pl_sasl_offer_mechanism(pl_sasl_offer *o, pl_str name)
{
    name = pl_str_trim(name);
    o->plain |= pl_str_is(name, "PLAIN");
    o->sha1 |= pl_str_is(name, "SCRAM-SHA-1");
    o->sha256 |= pl_str_is(name, "SCRAM-SHA-256");
    o->sha1_plus |= pl_str_is(name, "SCRAM-SHA-1-PLUS");
    o->sha256_plus |= pl_str_is(name, "SCRAM-SHA-256-PLUS");
}

void pl_sasl_offer_binding(pl_sasl_offer *o, pl_str type)
{
    o->says_bindings = true;
    o->exporter |= pl_str_is(type, "tls-exporter");
    o->unique |= pl_str_is(type, "tls-unique");
}

/* ---- the choice ---- */

typedef struct choice {
    const char *name;
    pl_sasl_rank rank;
    bool plus;
} choice;

/* The binding both have. A server that does not say which it has (XEP-0440) is taken to have tls-unique in TLS 1.2, as
 * RFC 5802 6.1 has it. RFC 9266 wants tls-exporter in TLS 1.3 as its successor, but servers that do not say so yet offer
 * -PLUS there without having it (ejabberd 23), and their refusal could not be told from a wrong password. */
static bool binding_of(const pl_sasl_conf *conf, const pl_sasl_offer *o, pl_slice *out, bool *exporter)
{
    if (!conf->tls)
        return false;
    *exporter = conf->tls->exporter_n && o->exporter;
    if (*exporter) {
        *out = (pl_slice){ conf->tls->exporter, conf->tls->exporter_n };
        return true;
    }
    *out = (pl_slice){ conf->tls->unique, conf->tls->unique_n };
    return conf->tls->unique_n && (!o->says_bindings || o->unique);
}

static bool choose(const pl_sasl_conf *conf, const pl_sasl_offer *o, bool can_bind, choice *out)
{
    const struct {
        bool offered;
        choice c;
    } list[] = {
        { o->sha256_plus && can_bind, { "SCRAM-SHA-256-PLUS", PL_SASL_SHA256, true } },
        { o->sha1_plus && can_bind && !o->sha256, { "SCRAM-SHA-1-PLUS", PL_SASL_SHA1, true } },
        { o->sha256, { "SCRAM-SHA-256", PL_SASL_SHA256, false } },
        { o->sha1_plus && can_bind, { "SCRAM-SHA-1-PLUS", PL_SASL_SHA1, true } },
        { o->sha1, { "SCRAM-SHA-1", PL_SASL_SHA1, false } },
        { o->plain && conf->plain, { "PLAIN", PL_SASL_PLAIN, false } },
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        bool binds = list[i].c.plus || !conf->must_bind || !conf->tls;
        if (list[i].offered && list[i].c.rank >= conf->at_least && binds) {
            *out = list[i].c;
            return true;
        }
    }
    return false;
}

/* ---- life ---- */

static pl_err set(pl_sasl *s, Gsasl_property p, const void *data, size_t len)
{
    return gsasl_property_set_raw(s->session, p, data, len) == GSASL_OK ? PL_OK : PL_ENOMEM;
}

static pl_err set_binding(pl_sasl *s, pl_slice data, bool exporter)
{
    char text[PL_BASE64_LEN(PL_SASL_BINDING_MAX) + 1];
    size_t n = pl_base64_encode(data.p, data.n, text);
    return set(s, exporter ? GSASL_CB_TLS_EXPORTER : GSASL_CB_TLS_UNIQUE, text, n);
}

/* libgsasl 2.2 cannot say "y" (a binding is to be had here, but none was offered; RFC 5802 6): with a binding's data and a
 * mechanism without -PLUS it fails. So who stands between and takes -PLUS away is noticed from the second log-in on, by
 * what conf says of the first. */
static pl_err fill(pl_sasl *s, const pl_sasl_conf *conf, const pl_sasl_offer *offer)
{
    pl_slice binding = { NULL, 0 };
    bool exporter = false, can_bind = binding_of(conf, offer, &binding, &exporter);
    choice c;
    if (!choose(conf, offer, can_bind, &c))
        return PL_ENOTSUP;
    s->name = c.name;
    s->rank = c.rank;
    s->proves = c.rank != PL_SASL_PLAIN;
    if (gsasl_init(&s->lib) != GSASL_OK) {
        s->lib = NULL; /* it was freed already, and is still there */
        return PL_ENOMEM;
    }
    if (gsasl_client_start(s->lib, c.name, &s->session) != GSASL_OK) {
        s->session = NULL;
        return PL_ENOMEM;
    }
    pl_err err = set(s, GSASL_AUTHID, conf->user.p, conf->user.n);
    if (!err)
        err = set(s, GSASL_PASSWORD, conf->password, strlen(conf->password));
    if (!err && c.plus)
        err = set_binding(s, binding, exporter);
    return err;
}

pl_err pl_sasl_new(pl_sasl **out, const pl_sasl_conf *conf, const pl_sasl_offer *offer)
{
    *out = NULL;
    pl_sasl *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    pl_err err = fill(s, conf, offer);
    if (err) {
        pl_sasl_free(s);
        return err;
    }
    *out = s;
    return PL_OK;
}

/* libgsasl frees its copy of the password without wiping it: we do it before. */
static void wipe_property(pl_sasl *s, Gsasl_property p)
{
    const char *text = gsasl_property_fast(s->session, p);
    if (text)
        pl_wipe((char *)(uintptr_t)text, strlen(text));
}

void pl_sasl_free(pl_sasl *s)
{
    if (!s)
        return;
    if (s->session) {
        wipe_property(s, GSASL_PASSWORD);
        wipe_property(s, GSASL_SCRAM_SALTED_PASSWORD);
        if (!s->torn)
            gsasl_finish(s->session);
    }
    if (s->lib && !s->torn)
        gsasl_done(s->lib);
    free(s);
}

const char *pl_sasl_mechanism(const pl_sasl *s)
{
    return s->name;
}

pl_sasl_rank pl_sasl_rank_of(const pl_sasl *s)
{
    return s->rank;
}

/* ---- messages ---- */

/* libgsasl 2.2 that finds no memory within a step reports a malformed message, and frees twice when it is finished: then we
 * rather lose what it has. */
static pl_err step(pl_sasl *s, const char *in, size_t len, pl_buf *out)
{
    char *answer = NULL;
    size_t n = 0;
    errno = 0;
    int rc = gsasl_step(s->session, in, len, &answer, &n);
    if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE && (rc == GSASL_MALLOC_ERROR || errno == ENOMEM)) {
        s->torn = true;
        return PL_ENOMEM;
    }
    if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
        gsasl_free(answer);
        return PL_EPROTO;
    }
    s->done = rc == GSASL_OK;
    char *text = malloc(PL_BASE64_LEN(n) + 1);
    if (text) {
        size_t chars = pl_base64_encode(answer ? answer : "", n, text);
        pl_buf_add(out, text, chars);
        pl_wipe(text, chars); /* PLAIN */
    }
    if (answer)
        pl_wipe(answer, n);
    gsasl_free(answer);
    free(text);
    return text && !out->bad ? PL_OK : PL_ENOMEM;
}

pl_err pl_sasl_begin(pl_sasl *s, pl_buf *out)
{
    return step(s, NULL, 0, out);
}

/* The iterations in a server's first message, "r=...,s=...,i=4096". */
static bool iterations_fit(pl_str message)
{
    while (message.p) {
        pl_str field = pl_str_cut(&message, ',');
        uint64_t n;
        if (!pl_str_starts(field, "i="))
            continue;
        return pl_str_u64((pl_str){ field.p + 2, field.n - 2 }, PL_SASL_ITERATIONS_MAX, &n) &&
               n >= PL_SASL_ITERATIONS_MIN;
    }
    return false;
}

static pl_err decode(pl_str text, char **out, size_t *n)
{
    text = pl_str_trim(text);
    if (text.n > PL_SASL_TEXT_MAX)
        return PL_EPROTO;
    *out = malloc(text.n + 1);
    if (!*out)
        return PL_ENOMEM;
    *n = 0;
    if (text.n == 0 || pl_str_is(text, "=") || pl_base64_decode(text.p, text.n, (uint8_t *)*out, text.n, n)) {
        (*out)[*n] = 0;
        return PL_OK;
    }
    free(*out);
    *out = NULL;
    return PL_EPROTO;
}

pl_err pl_sasl_challenge(pl_sasl *s, pl_str text, pl_buf *out)
{
    char *message;
    size_t n;
    if (s->done) /* one more than the mechanism has */
        return PL_EPROTO;
    pl_err err = decode(text, &message, &n);
    if (err)
        return err;
    if (s->proves && s->n_challenges++ == 0 && !iterations_fit((pl_str){ message, n }))
        err = PL_EPROTO;
    else
        err = step(s, message, n, out);
    free(message);
    return err;
}

pl_err pl_sasl_success(pl_sasl *s, pl_str text)
{
    char *message;
    size_t n;
    if (!s->proves || s->done)
        return s->done ? PL_OK : PL_EPROTO;
    pl_err err = s->n_challenges ? decode(text, &message, &n) : PL_EPROTO; /* before it even asked */
    if (err)
        return err;
    pl_buf none = pl_buf_init(16);
    err = step(s, message, n, &none);
    pl_buf_clear(&none);
    free(message);
    return !err && !s->done ? PL_EPROTO : err;
}
