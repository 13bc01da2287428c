/* factory.c - the threads, the certificate and the TLS context that connections share. */
#include "peer/peer_internal.h"

#include <assert.h>
#include <stdlib.h>

static pl_err read_bind(pl_factory *f)
{
    const char *text = f->conf.bind_address;
    if (!text)
        return PL_OK;
    if (pl_addr_parse_ip(&f->bind, text, strlen(text)))
        return PL_EINVAL;
    f->has_bind = true;
    f->conf.bind_address = NULL; /* lent for the call only */
    return PL_OK;
}

static pl_err make_loops(pl_factory *f)
{
    static const pl_loop_conf net = { .name = "pl-network" }, sig = { .name = "pl-signaling" };
    if (f->conf.loop) {
        f->net = f->sig = f->conf.loop;
        return PL_OK;
    }
    f->threads = true;
    pl_err err = pl_loop_new(&f->net, &net);
    if (!err)
        err = pl_loop_new(&f->sig, &sig);
    if (!err)
        err = pl_loop_start(f->net);
    if (!err)
        err = pl_loop_start(f->sig);
    return err;
}

static pl_err make_identity(pl_factory *f)
{
    pl_cert_conf conf = { .key = PL_CERT_ECDSA_P256, .now_s = pl_wall_us() / 1000000 };
    pl_err err = pl_cert_new(&f->cert, &conf);
    return err ? err : pl_dtls_ctx_new(&f->dtls_ctx, f->cert);
}

pl_err pl_factory_new(pl_factory **out, const pl_factory_conf *conf)
{
    *out = NULL;
    pl_factory *f = calloc(1, sizeof *f);
    if (!f)
        return PL_ENOMEM;
    if (conf)
        f->conf = *conf;
    pl_err err = read_bind(f);
    if (!err && !(f->out_buf = malloc(PEER_OUT_CAP)))
        err = PL_ENOMEM;
    if (!err)
        err = make_identity(f);
    if (!err)
        err = make_loops(f);
    if (!err && !(f->names = peer_names_new(f)))
        err = PL_ENOMEM;
    if (err) {
        pl_factory_free(f);
        return err;
    }
    *out = f;
    return PL_OK;
}

static void close_names(void *arg)
{
    pl_factory *f = arg;
    peer_names_free(f->names);
    f->names = NULL;
}

void pl_factory_free(pl_factory *f)
{
    if (!f)
        return;
    assert(atomic_load(&f->n_peers) == 0 && "free the connections first");
    if (f->names && pl_loop_call(f->net, close_names, f))
        pl_log_warn(NULL, "the network loop does not answer");
    if (f->threads) {
        if (f->sig)
            pl_loop_stop(f->sig);
        if (f->net)
            pl_loop_stop(f->net);
        pl_loop_free(f->sig);
        pl_loop_free(f->net);
    }
    pl_dtls_ctx_free(f->dtls_ctx);
    pl_cert_free(f->cert);
    free(f->out_buf);
    free(f);
}

void pl_free(void *p)
{
    free(p);
}
