#include "cli/ice_options.h"

#include <string.h>

#include "base/slice.h"
#include "peer/ice_io.h"

static bool read_ports(const char *text, pl_factory_conf *out)
{
    pl_str rest = pl_str_of(text), low = pl_str_cut(&rest, '-');
    uint64_t lo, hi;
    if (!rest.p || !pl_str_u64(low, 65535, &lo) || !pl_str_u64(rest, 65535, &hi) || !lo || lo > hi)
        return false;
    out->port_min = (uint16_t)lo;
    out->port_max = (uint16_t)hi;
    return true;
}

bool pl_ice_options_factory(const pl_ice_options *o, const pl_command *cmd, pl_factory_conf *out)
{
    if (o->ports && !read_ports(o->ports, out)) {
        pl_complain(cmd, "--ports %s: a range of ports is wanted, such as 50000-50100", o->ports);
        return false;
    }
    if (o->no_tcp && o->listen_tcp) {
        pl_complain(cmd, "say either --no-tcp or --listen-tcp");
        return false;
    }
    out->ice_tcp = o->no_tcp       ? PL_ICE_TCP_USE_NEVER
                   : o->listen_tcp ? PL_ICE_TCP_USE_BOTH
                                   : PL_ICE_TCP_USE_ACTIVE;
    out->mdns_hide = o->hide;
    out->interfaces = o->interfaces;
    out->udp_port = (uint16_t)o->udp_port;
    out->ca_file = o->ca_file;
    out->no_continual_gathering = o->no_continual;
    return true;
}

bool pl_ice_options_connection(pl_ice_options *o, const pl_command *cmd, pl_configuration *out)
{
    bool any_relay = false;
    for (size_t i = 0; i < o->servers.n; i++) {
        char why[PL_ICE_IO_ERROR_MAX];
        pl_ice_io_server server = { .url = o->servers.item[i] };
        if (pl_ice_io_server_check(&server, why)) {
            pl_complain(cmd, "--ice-server %s", why);
            return false;
        }
        o->server[i] = (pl_ice_server){ .url = o->servers.item[i] };
        any_relay |= strncmp(o->servers.item[i], "turn", 4) == 0;
    }
    if (o->servers.n > PL_ICE_IO_SERVERS_MAX) {
        pl_complain(cmd, "at most %d ICE servers can be asked", PL_ICE_IO_SERVERS_MAX);
        return false;
    }
    bool relay = o->policy && strcmp(o->policy, "relay") == 0;
    if (relay && !any_relay) {
        pl_complain(cmd,
                    "--ice-transport-policy relay needs a TURN server: --ice-server turn:USER:PASSWORD@HOST");
        return false;
    }
    out->ice_servers = o->server;
    out->n_ice_servers = o->servers.n;
    out->ice_transport_policy = relay ? PL_ICE_TRANSPORT_RELAY : PL_ICE_TRANSPORT_ALL;
    return true;
}
