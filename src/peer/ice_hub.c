#include "peer/ice_hub.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "peer/ice_internal.h"

enum { FRAMES_MAX = 256 * 1024 /* a row of datagrams, and a header before each */ };

/* Only where it is needed: what a system trusts takes some milliseconds to read. */
pl_err ice_hub_need_tls(pl_ice_hub *hub)
{
    const pl_ice_hub_conf *conf = &hub->conf;
    pl_tls_conf tls = { .ca_file = conf->ca_file,
                        .trust_all = conf->tls_trust_all,
                        .alpn = PL_TLS_ALPN_TURN };
    return hub->tls ? PL_OK : pl_tls_ctx_new(&hub->tls, &tls);
}

pl_err ice_hub_need_dtls(pl_ice_hub *hub)
{
    const pl_ice_hub_conf *conf = &hub->conf;
    pl_tls_conf tls = { .datagrams = true,
                        .ca_file = conf->ca_file,
                        .trust_all = conf->tls_trust_all,
                        .alpn = PL_TLS_ALPN_TURN };
    if (!hub->record_in)
        hub->record_in = malloc(IO_RECORD_MAX);
    if (!hub->record_out)
        hub->record_out = malloc(IO_RECORD_MAX);
    if (!hub->record_in || !hub->record_out)
        return PL_ENOMEM;
    return hub->dtls ? PL_OK : pl_tls_ctx_new(&hub->dtls, &tls);
}

pl_err pl_ice_hub_new(pl_ice_hub **out, pl_loop *loop, const pl_ice_hub_conf *conf)
{
    *out = NULL;
    pl_ice_hub *hub = calloc(1, sizeof *hub);
    if (!hub)
        return PL_ENOMEM;
    hub->loop = loop;
    pl_list_init(&hub->ios);
    hub->frames = pl_buf_init(FRAMES_MAX);
    if (conf)
        hub->conf = *conf;
    pl_err err = PL_OK;
    if (hub->conf
            .ca_file) { /* read now, so that a bad one is refused, and again for DTLS when that is needed */
        hub->conf.ca_file = hub->ca_file = strdup(hub->conf.ca_file);
        err = hub->ca_file ? ice_hub_need_tls(hub) : PL_ENOMEM;
    }
    if (!err)
        err = ice_names_new(&hub->names, loop);
    if (!err && hub->conf.udp_port)
        err = ice_mux_new(&hub->mux, loop, hub->conf.udp_port);
    if (err) {
        pl_ice_hub_free(hub);
        return err;
    }
    *out = hub;
    return PL_OK;
}

void pl_ice_hub_free(pl_ice_hub *hub)
{
    if (!hub)
        return;
    assert(pl_list_empty(&hub->ios) && "close the connections first");
    pl_ifwatch_close(hub->watch);
    ice_names_free(hub->names);
    ice_mux_free(hub->mux);
    pl_tls_ctx_free(hub->tls);
    pl_tls_ctx_free(hub->dtls);
    free(hub->ca_file);
    free(hub->record_in);
    free(hub->record_out);
    pl_buf_clear(&hub->frames);
    free(hub);
}
