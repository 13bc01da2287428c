/* peerline nat - what stands between here and the world, as a STUN server sees it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/nat_probe.h"
#include "cli/nat_say.h"
#include "cli/options.h"
#include "net/resolve.h"

enum { PROGRESS_COLUMNS = 60 };

static struct {
    bool json, lifetime, insecure, quiet;
    const char *protocol, *family, *local, *ca;
    double lifetime_limit_s, timeout_s;
} opt = { .family = "any", .lifetime_limit_s = 600, .timeout_s = 10 };

/* ---- progress: one line on a terminal, gone when it is over ---- */

static bool shows_progress(void)
{
    return !opt.quiet && isatty(STDERR_FILENO);
}

static void show_progress(const pl_stun_nat_event *at, int64_t elapsed_us)
{
    static unsigned turn;
    fprintf(stderr, "\r%c [%u/%u] %-18s %4.0f s", "|/-\\"[turn++ % 4], at -> step + 1u, at -> n_steps,
            pl_nat_stage_str(at->stage), (double)elapsed_us / 1e6);
    fflush(stderr);
}

static void clear_progress(void)
{
    if (shows_progress())
        fprintf(stderr, "\r%*s\r", PROGRESS_COLUMNS, "");
}

/* ---- where the server is ---- */

typedef struct found {
    bool done;
    pl_err err;
    pl_addr addr[PL_RESOLVE_ADDR_MAX];
    size_t n;
} found;

static void on_found(void *user, pl_err err, const pl_addr *addr, size_t n)
{
    found *f = user;
    f->done = true;
    f->err = err;
    f->n = n < PL_RESOLVE_ADDR_MAX ? n : PL_RESOLVE_ADDR_MAX;
    memcpy(f->addr, addr, f->n * sizeof *addr);
}

static pl_family wanted_family(const pl_addr *local)
{
    if (strcmp(opt.family, "any") == 0)
        return (pl_family)local->family; /* as the source address says, if there is one */
    return strcmp(opt.family, "ipv4") == 0 ? PL_AF_IP4 : PL_AF_IP6;
}

static pl_err ask_for(pl_loop *loop, const pl_stun_uri *u, pl_family family, const char *service,
                      uint16_t port, found *f)
{
    bool datagrams = u->transport == PL_STUN_UDP || u->transport == PL_STUN_DTLS;
    pl_resolve *question;
    pl_resolve_service what = { .host = u->host,
                                .port = u->port,
                                .default_port = port,
                                .service = service,
                                .proto = datagrams ? "udp" : "tcp",
                                .family = family };
    *f = (found){ 0 };
    pl_err err = pl_resolve_service_start(&question, loop, &what, on_found, f);
    while (!err && !f->done)
        (void)pl_loop_run_once(loop, PL_SEC(1));
    return err ? err : f->err;
}

/* Servers that can be asked for behaviour have a service name of their own (RFC 5780 5.1): looked for first, without
 * a port to fall back to, so that port 0 means there is no such record. */
static pl_err find_server(pl_loop *loop, const pl_stun_uri *u, const pl_addr *local, found *f)
{
    static const char *const names[] = { "stun", "stuns", "turn", "turns" };
    pl_family family = wanted_family(local);
    bool may_discover = u->transport == PL_STUN_UDP && !u->turn && !u->is_ip && !u->port;
    if (may_discover && !ask_for(loop, u, family, "stun-behavior", 0, f) && f->addr[0].port)
        return PL_OK;
    return ask_for(loop, u, family, names[2 * u->turn + u->secure], pl_stun_uri_port(u), f);
}

/* ---- the run ---- */

/* --protocol over what the URI says. */
static bool choose_transport(pl_stun_uri *u)
{
    static const pl_stun_transport all[] = { PL_STUN_UDP, PL_STUN_TCP, PL_STUN_TLS, PL_STUN_DTLS };
    if (!opt.protocol)
        return true;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(opt.protocol, pl_stun_transport_str(all[i])) == 0)
            u->transport = (uint8_t)all[i];
    }
    bool secure = u->transport == PL_STUN_TLS || u->transport == PL_STUN_DTLS;
    if (u->secure && !secure) {
        pl_complain(&pl_cmd_nat,
                    "--protocol %s is not secure, but the server was given as %ss:; say %s: instead",
                    opt.protocol, u->turn ? "turn" : "stun", u->turn ? "turn" : "stun");
        return false;
    }
    u->secure = secure;
    return true;
}

static int say(const pl_nat_report *report)
{
    if (!opt.json) {
        pl_nat_print(report);
        return PL_EXIT_OK;
    }
    json_t *o = pl_nat_json(report);
    char *text = o ? json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(o);
    return text ? PL_EXIT_OK : PL_EXIT_FAILED;
}

/* Addresses are tried in the resolver's order until one answers. */
static int discover(const pl_nat_net *net, const found *f, pl_nat_report report)
{
    pl_stun_nat_conf how = { .lifetime = opt.lifetime,
                             .lifetime_limit_us = (int64_t)(opt.lifetime_limit_s * 1e6),
                             .lifetime_total_us = (int64_t)(opt.lifetime_limit_s * 4e6) };
    pl_nat_result result = { 0 };
    pl_nat_binding tcp;
    pl_err err = PL_EIO;
    for (size_t i = 0; i < f->n && result.mapped.family == PL_AF_NONE && !result.refused_code; i++) {
        report.address = f->addr[i];
        err = pl_nat_discover(net, &f->addr[i], &how, &result);
    }
    clear_progress();
    if (err) {
        pl_complain(&pl_cmd_nat,
                    "%s cannot be reached from here: there is no route, or --local is not an address "
                    "of this machine",
                    report.server);
        return PL_EXIT_FAILED;
    }
    if (result.mapping_why == PL_NAT_REFUSED) {
        pl_complain(&pl_cmd_nat,
                    "%s refuses (%u %s). Discovery needs a server that answers everybody; with credentials, "
                    "--protocol "
                    "tcp tells the mapped address",
                    report.server, result.refused_code, pl_stun_reason(result.refused_code));
        return PL_EXIT_FAILED;
    }
    report.nat = &result;
    if (result.classic == PL_NAT_UDP_BLOCKED) {
        report.binding = &tcp;
        if (!pl_nat_bind(net, &report.address, PL_STUN_TCP, &tcp)) {
            pl_complain(&pl_cmd_nat,
                        "%s answers neither over UDP nor over TCP (%s). Is a STUN server there? Try "
                        "another one, or --protocol tls",
                        report.server, tcp.failure);
            return PL_EXIT_FAILED;
        }
    }
    return say(&report);
}

static int bind_once(const pl_nat_net *net, const found *f, pl_nat_report report)
{
    pl_nat_binding result = { .failure = "it has no address" };
    for (size_t i = 0; i < f->n && result.failure; i++) {
        report.address = f->addr[i];
        (void)pl_nat_bind(net, &f->addr[i], report.transport, &result);
    }
    report.binding = &result;
    if (!result.failure)
        return say(&report);
    if (result.event.code)
        pl_complain(&pl_cmd_nat, "%s over %s: %s (%u %s)", report.server,
                    pl_stun_transport_str(report.transport), result.failure, result.event.code,
                    pl_stun_reason(result.event.code));
    else
        pl_complain(&pl_cmd_nat, "%s over %s: %s", report.server, pl_stun_transport_str(report.transport),
                    result.failure);
    return PL_EXIT_FAILED;
}

static int run_on(pl_loop *loop, const pl_stun_uri *u, const pl_addr *local)
{
    found f;
    pl_nat_report report = { .transport = (pl_stun_transport)u->transport };
    pl_nat_net net = { .loop = loop,
                       .local = *local,
                       .timeout_us = (int64_t)(opt.timeout_s * 1e6),
                       .host = u->host,
                       .ca_file = opt.ca,
                       .trust_all = opt.insecure,
                       .username = pl_str_of(u->username),
                       .password = pl_str_of(u->password),
                       .progress = shows_progress() ? show_progress : NULL };
    pl_stun_uri_str(u, report.server);
    if (find_server(loop, u, local, &f)) {
        pl_complain(&pl_cmd_nat, "the name '%s' has no address; check it, and the network", u->host);
        return PL_EXIT_FAILED;
    }
    return u->transport == PL_STUN_UDP ? discover(&net, &f, report) : bind_once(&net, &f, report);
}

static int run(int n_args, char **args)
{
    pl_stun_uri u;
    pl_addr local = { 0 };
    pl_loop *loop;
    (void)n_args;
    if (pl_stun_uri_parse_server(&u, args[0], strlen(args[0]))) {
        pl_complain(&pl_cmd_nat,
                    "'%s' is no server; write HOST, HOST:PORT, stun:HOST:PORT or stuns:HOST:PORT", args[0]);
        return PL_EXIT_USAGE;
    }
    if (opt.local && pl_addr_parse_ip(&local, opt.local, strlen(opt.local))) {
        pl_complain(&pl_cmd_nat, "--local wants an IP address of this machine, not '%s'", opt.local);
        return PL_EXIT_USAGE;
    }
    if (!choose_transport(&u))
        return PL_EXIT_USAGE;
    if (pl_loop_new(&loop, NULL))
        return PL_EXIT_FAILED;
    int code = run_on(loop, &u, &local);
    pl_loop_free(loop);
    return code;
}

static const pl_opt opts[] = {
    { "protocol", PL_OPT_CHOICE, &opt.protocol, "udp|tcp|tls|dtls",
      "How to reach the server. Default: as SERVER says, else udp. Over tcp, tls and dtls only the mapped "
      "address is "
      "asked for." },
    { "lifetime", PL_OPT_FLAG, &opt.lifetime, NULL,
      "Measure how long a binding lives without traffic, too. This takes minutes." },
    { "lifetime-limit", PL_OPT_REAL, &opt.lifetime_limit_s, "SECONDS",
      "Longest silence to try; the search ends after four times as long. Default: 600.", 5, 7200 },
    { "local", PL_OPT_TEXT, &opt.local, "ADDR", "Source address. Default: as the system routes." },
    { "family", PL_OPT_CHOICE, &opt.family, "any|ipv4|ipv6",
      "Which addresses of the server to use. Default: any." },
    { "timeout", PL_OPT_REAL, &opt.timeout_s, "SECONDS", "Patience over tcp, tls and dtls. Default: 10.", 0.1,
      600 },
    { "ca", PL_OPT_TEXT, &opt.ca, "FILE", "PEM certificates to trust. Default: the system's." },
    { "insecure", PL_OPT_FLAG, &opt.insecure, NULL, "Trust any certificate." },
    { "json", PL_OPT_FLAG, &opt.json, NULL, "Print one JSON object." },
    { "quiet", PL_OPT_FLAG, &opt.quiet, NULL, "No progress line." },
    { NULL },
};

const pl_command pl_cmd_nat = {
    .name = "nat",
    .summary = "find out what kind of NAT is between here and the world",
    .args = "SERVER",
    .min_args = 1,
    .max_args = 1,
    .opts = opts,
    .run = run,
    .details = "SERVER is HOST, HOST:PORT, or a stun:, stuns:, turn: or turns: URI; without a port the SRV "
               "records of the "
               "name are asked. Credentials go before the host: stun:USER:PASSWORD@HOST.\n\n"
               "Mapping tells whether all peers see the same outer address of one port, filtering who may "
               "send to it. Both "
               "can be told only with the help of a server that has two addresses (RFC 5780), as 'peerline "
               "relay' with "
               "--primary and --alternate is.",
};
