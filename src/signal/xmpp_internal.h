/* xmpp_internal.h - what xmpp.c (connection) and its links (xmpp_tcp.c, xmpp_ws.c, xmpp_bosh.c) share.
 * Shape    private to them. A link lives from a CONNECT order to its loss; it tells what happens by the up-functions,
 *          only from the loop, and is ended by xmpp.c alone. */
#ifndef PL_SIGNAL_XMPP_INTERNAL_H
#define PL_SIGNAL_XMPP_INTERNAL_H

#include "base/log.h"
#include "signal/xmpp.h"
#include "signal/xmpp_pipe.h"
#include "xmpp/driver.h"

typedef struct xmpp_link xmpp_link;

typedef struct xmpp_link_ops {
    pl_err (*open)(xmpp_link **out, pl_xmpp_connection *x, const char *other);
    pl_err (*write)(xmpp_link *k, const pl_xmpp_output *out);
    pl_err (*start_tls)(xmpp_link *k);   /* NULL: never asked for */
    bool (*is_full)(const xmpp_link *k); /* takes no more until it calls xmpp_pump */
    void (*finish)(xmpp_link *k);        /* takes it: what was written goes out, nothing is told any more */
    void (*close)(xmpp_link *k);         /* takes it, at once */
    const char *(*version)(const xmpp_link *k); /* of TLS; "" without */
} xmpp_link_ops;
extern const xmpp_link_ops xmpp_tcp_ops, xmpp_ws_ops, xmpp_bosh_ops;

/* First in every link. */
struct xmpp_link {
    pl_xmpp_connection *x;
};

struct pl_xmpp_connection {
    pl_loop *loop;
    pl_xmpp_client *client;
    const xmpp_link_ops *ops;
    xmpp_link *link;
    pl_timer timer;
    bool pumping, again; /* xmpp_pump is running, and shall once more */
    pl_xmpp_via via;
    char *domain, *host, *url, *ca_file;
    uint16_t port;
    bool insecure;
    pl_tls_ctx *tls, *tls_alpn; /* plain, and with ALPN "xmpp-client" */
    pl_list pipes;              /* also those that only finish */
    pl_list leaving;            /* links of xmpp_bosh.c that only finish */
    char security[64];
    void (*trouble)(void *user, pl_xmpp_fault fault, const char *why, bool again, int64_t in_us);
    void *user;
    pl_log log;
};

/* ---- up, from the links ---- */
void xmpp_up(pl_xmpp_connection *x, pl_xmpp_framing framing, bool secure, const pl_sasl_binding *tls);
void xmpp_secured(pl_xmpp_connection *x, const pl_sasl_binding *tls);
void xmpp_input(pl_xmpp_connection *x, const void *data, size_t len);
void xmpp_read(pl_xmpp_connection *x, const pl_xml_read *read);
/* The link is of no more use, and closed inside. */
void xmpp_down(pl_xmpp_connection *x, pl_xmpp_fault fault, const char *why);
/* Carries out what the client orders. */
void xmpp_pump(pl_xmpp_connection *x);

void xmpp_bosh_close_all(pl_list *leaving);

/* host:port or [ip6]:port; false: neither. */
bool xmpp_host_port(pl_str text, xmpp_target *out);
typedef struct xmpp_url {
    xmpp_target at;
    char path[512]; /* with what follows a "?"; "/" at least */
} xmpp_url;
/* scheme "ws" takes ws:// and wss://, "http" http:// and https://. */
bool xmpp_parse_url(const char *text, const char *scheme, xmpp_url *out);

#endif
