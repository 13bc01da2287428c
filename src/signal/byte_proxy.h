/* byte_proxy.h - whether the account's server has a proxy for bytestreams, and where.
 * Source   XEP-0065 4 (discovery of proxies), XEP-0030.
 * Shape    one object a search; new gives, free takes, also before it has found anything. The first proxy that answers is it.
 * Limits   PL_BYTE_PROXY_ASKED services of the server are asked.
 * Thread   the client's. */
#ifndef PL_SIGNAL_BYTE_PROXY_H
#define PL_SIGNAL_BYTE_PROXY_H

#include "signal/byte_stream.h"
#include "xmpp/disco.h"

enum { PL_BYTE_PROXY_ASKED = 16 };

typedef struct pl_byte_proxy_search pl_byte_proxy_search;

/* Begins to ask; the session stands. */
PL_NODISCARD pl_err pl_byte_proxy_search_new(pl_byte_proxy_search **out, pl_xmpp_client *client,
                                             pl_disco *disco);
void pl_byte_proxy_search_free(pl_byte_proxy_search *s); /* NULL is fine */
/* Nothing more will be found. */
bool pl_byte_proxy_search_done(const pl_byte_proxy_search *s);
/* host "" when there is none (yet). Lent. */
const pl_byte_proxy *pl_byte_proxy_found(const pl_byte_proxy_search *s);

#endif
