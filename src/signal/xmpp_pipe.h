/* xmpp_pipe.h - bytes to and from one of several servers: addresses are looked up, tried in order, and TLS is put under
 * the bytes at once or later.
 * Shape    private to signal/xmpp_*. xmpp_pipe_open gives, xmpp_pipe_close takes; xmpp_pipe_finish lets what was
 *          written go out first. Close and finish may be called from the events.
 * Thread   the loop's owner; no event comes inside open, write and start_tls. */
#ifndef PL_SIGNAL_XMPP_PIPE_H
#define PL_SIGNAL_XMPP_PIPE_H

#include "base/list.h"
#include "net/loop.h"
#include "net/tls.h"
#include "xmpp/fault.h"
#include "xmpp/sasl.h"

enum { XMPP_TARGETS_MAX = 33, XMPP_PIPE_QUEUE_MAX = 8 << 20, XMPP_PIPE_CALM = 1 << 20 };

typedef struct xmpp_target {
    char host[256];
    uint16_t port;
    bool tls; /* from the first byte */
} xmpp_target;

typedef struct xmpp_pipe_events {
    void (*ready)(void *user);   /* the stream stands, with TLS where the target has it */
    void (*secured)(void *user); /* after start_tls */
    void (*data)(void *user, uint8_t *data, size_t len);
    void (*drained)(void *user);
    void (*lost)(void *user, pl_xmpp_fault fault, const char *why); /* nothing comes after it */
} xmpp_pipe_events;

typedef struct xmpp_pipe_conf {
    const xmpp_target *target; /* copied */
    size_t n_targets;
    pl_tls_ctx *tls;   /* plain */
    pl_tls_ctx *alpn;  /* for targets with tls; may be the same */
    const char *name;  /* that the certificate must carry; NULL: the target's host */
    pl_list *siblings; /* of all pipes of the owner, who closes them in the end */
    xmpp_pipe_events on;
    void *user;
} xmpp_pipe_conf;

typedef struct xmpp_pipe xmpp_pipe;

PL_NODISCARD pl_err xmpp_pipe_open(xmpp_pipe **out, pl_loop *loop, const xmpp_pipe_conf *conf);
void xmpp_pipe_close(xmpp_pipe *p); /* NULL is fine */
void xmpp_pipe_close_all(pl_list *siblings);
/* No event comes any more; it closes itself when all is out, or after two seconds. */
void xmpp_pipe_finish(xmpp_pipe *p);
PL_NODISCARD pl_err xmpp_pipe_write(xmpp_pipe *p, const void *data, size_t len);
PL_NODISCARD pl_err xmpp_pipe_start_tls(xmpp_pipe *p);
size_t xmpp_pipe_queued(const xmpp_pipe *p);
bool xmpp_pipe_is_secure(const xmpp_pipe *p);
const char *xmpp_pipe_version(const xmpp_pipe *p);       /* "TLSv1.3", "" without */
const xmpp_target *xmpp_pipe_target(const xmpp_pipe *p); /* the one that answered */
void xmpp_pipe_bindings(const xmpp_pipe *p, pl_sasl_binding *out);

#endif
