/* xmpp_meta.h - where a domain has its WebSocket or BOSH address.
 * Source   XEP-0156 3: https://domain/.well-known/host-meta (RFC 6415, XRD). Over https alone, its certificate checked:
 *          what is read here decides whom the password is shown to.
 * Shape    one object a question; xmpp_meta_ask gives, its answer or xmpp_meta_cancel takes. Private to signal/xmpp_*.
 * Thread   the loop's owner; the answer never comes inside ask. */
#ifndef PL_SIGNAL_XMPP_META_H
#define PL_SIGNAL_XMPP_META_H

#include "base/slice.h"
#include "peerline/error.h"
#include "peerline/loop.h"

typedef enum xmpp_meta_kind { XMPP_META_WEBSOCKET, XMPP_META_BOSH } xmpp_meta_kind;
enum { XMPP_META_MAX = 64 * 1024, XMPP_META_URL_MAX = 512 };

typedef struct xmpp_meta xmpp_meta;
/* url: lent, or NULL; then why is a sentence. */
typedef void (*xmpp_meta_fn)(void *user, const char *url, const char *why);

PL_NODISCARD pl_err xmpp_meta_ask(xmpp_meta **out, pl_loop *loop, const char *domain, const char *ca_file,
                                  xmpp_meta_kind kind, xmpp_meta_fn fn, void *user);
void xmpp_meta_cancel(xmpp_meta *m); /* NULL is fine */
/* The address in an XRD document. False: none that is encrypted. */
bool xmpp_meta_parse(pl_str text, xmpp_meta_kind kind, char url[XMPP_META_URL_MAX]);

#endif
