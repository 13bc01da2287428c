/* factory.c - the threads, the certificate and the TLS context that connections share. */
#include "peer/peer_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static pl_err keep_text(pl_factory *f, int i, const char **text)
{
    if (!*text)
        return PL_OK;
    *text = f->text[i] = strdup(*text);
    return *text ? PL_OK : PL_ENOMEM;
}

static pl_err read_conf(pl_factory *f)
{
    pl_factory_conf *conf = &f->conf;
    pl_addr bind;
    if (conf->bind_address && pl_addr_parse_ip(&bind, conf->bind_address, strlen(conf->bind_address)))
        return PL_EINVAL;
    if (conf->port_min > conf->port_max || (conf->port_max && !conf->port_min))
        return PL_EINVAL;
    pl_err err = keep_text(f, 0, &conf->bind_address);
    if (!err)
        err = keep_text(f, 1, &conf->interfaces);
    return err ? err : keep_text(f, 2, &conf->ca_file);
}

static_assert(PL_WITHOUT_HOST == (int)PL_ICE_NO_HOST && PL_WITHOUT_SRFLX == (int)PL_ICE_NO_SRFLX &&
                  PL_WITHOUT_RELAY == (int)PL_ICE_NO_RELAY && PL_WITHOUT_IP4 == (int)PL_ICE_NO_IP4 &&
                  PL_WITHOUT_IP6 == (int)PL_ICE_NO_IP6 && PL_WITHOUT_UDP == (int)PL_ICE_NO_UDP &&
                  PL_WITHOUT_TCP == (int)PL_ICE_NO_TCP,
              "handed through to the agent");
static_assert(PL_ICE_TCP_USE_BOTH == (int)PL_ICE_IO_TCP_BOTH &&
                  PL_ICE_TCP_USE_NEVER == (int)PL_ICE_IO_TCP_OFF,
              "handed through");

void peer_io_conf(const pl_factory *f, pl_ice_io_conf *out)
{
    const pl_factory_conf *conf = &f->conf;
    out->bind_address = conf->bind_address;
    out->interfaces = conf->interfaces;
    out->port_min = conf->port_min;
    out->port_max = conf->port_max;
    out->without = conf->ice_without;
    out->loopback = conf->loopback;
    out->no_loopback = conf->no_loopback;
    out->mdns_hide = conf->mdns_hide;
    out->no_continual = conf->no_continual_gathering;
    out->tcp = (pl_ice_io_tcp)conf->ice_tcp;
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

static pl_err make_hub(pl_factory *f)
{
    pl_ice_hub_conf conf = { .udp_port = f->conf.udp_port, .ca_file = f->conf.ca_file };
    return pl_ice_hub_new(&f->hub, f->net, &conf);
}

pl_err pl_factory_new(pl_factory **out, const pl_factory_conf *conf)
{
    *out = NULL;
    pl_factory *f = calloc(1, sizeof *f);
    if (!f)
        return PL_ENOMEM;
    if (conf)
        f->conf = *conf;
    if (f->conf.no_ipv6)
        f->conf.ice_without |= PL_WITHOUT_IP6;
    pl_err err = read_conf(f);
    if (!err && !(f->out_buf = malloc(PEER_OUT_CAP)))
        err = PL_ENOMEM;
    if (!err)
        err = make_identity(f);
    if (!err)
        err = make_loops(f);
    if (!err)
        err = make_hub(f);
    if (err) {
        pl_factory_free(f);
        return err;
    }
    *out = f;
    return PL_OK;
}

static void close_hub(void *arg)
{
    pl_factory *f = arg;
    pl_ice_hub_free(f->hub);
    f->hub = NULL;
}

void pl_factory_free(pl_factory *f)
{
    if (!f)
        return;
    assert(atomic_load(&f->n_peers) == 0 && "free the connections first");
    if (f->hub && pl_loop_call(f->net, close_hub, f))
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
    for (size_t i = 0; i < sizeof f->text / sizeof f->text[0]; i++)
        free(f->text[i]);
    free(f);
}

void pl_free(void *p)
{
    free(p);
}

bool pl_peer_factory_is_on(const pl_factory *factory, const struct pl_loop *loop)
{
    return !factory->threads && factory->net == loop;
}
