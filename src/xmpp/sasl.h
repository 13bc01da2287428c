/* sasl.h - logging in: which mechanism, and its messages. libgsasl does the cryptography.
 * Source   RFC 5802 and 7677 (SCRAM), 4616 (PLAIN), 5056, 5929 and 9266 (channel bindings), XEP-0440 (which of them the
 *          server has); RFC 6120 6.
 * Shape    one object a log-in. begin gives the first message, each challenge gives a response, success is checked: a
 *          server that cannot prove that it knows the password, too, is not believed.
 * Errors   PL_ENOTSUP: no mechanism that both have and that is safe; PL_EPROTO: the server's messages are wrong, or its
 *          proof; PL_ENOMEM.
 * Thread   its owner's. Random nonces are libgsasl's own. */
#ifndef PL_XMPP_SASL_H
#define PL_XMPP_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peerline/error.h"

enum {
    PL_SASL_BINDING_MAX = 64,
    PL_SASL_TEXT_MAX = 16 * 1024,     /* of one message in base64 */
    PL_SASL_ITERATIONS_MIN = 4096,    /* RFC 7677 4: fewer would let who stands between guess the password */
    PL_SASL_ITERATIONS_MAX = 1000000, /* more would stop us for seconds */
};

/* What ties a log-in to the TLS session below it; n 0: not to be had. */
typedef struct pl_sasl_binding {
    uint8_t exporter[PL_SASL_BINDING_MAX]; /* tls-exporter, TLS 1.3 */
    uint8_t unique[PL_SASL_BINDING_MAX];   /* tls-unique, TLS 1.2 */
    size_t exporter_n, unique_n;
} pl_sasl_binding;

/* How much a mechanism is worth: what was used once is the least that is used later. */
typedef enum pl_sasl_rank { PL_SASL_ANY, PL_SASL_PLAIN, PL_SASL_SHA1, PL_SASL_SHA256 } pl_sasl_rank;

/* What the server offers, gathered from its features. */
typedef struct pl_sasl_offer {
    bool plain, sha1, sha256, sha1_plus, sha256_plus;
    bool says_bindings, exporter, unique; /* XEP-0440 */
} pl_sasl_offer;
void pl_sasl_offer_mechanism(pl_sasl_offer *o, pl_str name);
void pl_sasl_offer_binding(pl_sasl_offer *o, pl_str type);

typedef struct pl_sasl_conf {
    pl_str user; /* the local part */
    const char *password;
    const pl_sasl_binding *tls; /* NULL: none */
    bool plain;                 /* PLAIN may be used: only over TLS */
    pl_sasl_rank at_least;
    bool must_bind; /* with tls: a channel binding was used before, so one is to be had */
} pl_sasl_conf;

typedef struct pl_sasl pl_sasl;

/* Chooses the best of what is offered. Errors: PL_ENOTSUP, PL_ENOMEM. */
PL_NODISCARD pl_err pl_sasl_new(pl_sasl **out, const pl_sasl_conf *conf, const pl_sasl_offer *offer);
void pl_sasl_free(pl_sasl *s); /* NULL is fine; wipes */
const char *pl_sasl_mechanism(const pl_sasl *s);
pl_sasl_rank pl_sasl_rank_of(const pl_sasl *s);
/* The first message in base64 ("=": empty). Appends to out, which the caller wipes. */
PL_NODISCARD pl_err pl_sasl_begin(pl_sasl *s, pl_buf *out);
/* The answer to a challenge, both in base64. */
PL_NODISCARD pl_err pl_sasl_challenge(pl_sasl *s, pl_str text, pl_buf *out);
/* The server says that we are in; its last message, if any, in base64. Errors: PL_EPROTO: it has not proven itself. */
PL_NODISCARD pl_err pl_sasl_success(pl_sasl *s, pl_str text);

#endif
