#include "cli/nat_say.h"

#include <stdarg.h>
#include <stdio.h>

const char *pl_nat_verdict(const pl_nat_result *r)
{
    switch (r->classic) {
    case PL_NAT_OPEN: return "calls are direct with everybody whose UDP is not blocked.";
    case PL_NAT_FULL_CONE:
    case PL_NAT_RESTRICTED_CONE:
        return "calls are direct with everybody whose UDP is not blocked, symmetric NATs included.";
    case PL_NAT_SYMMETRIC_FIREWALL:
        return r->filtering == PL_NAT_ADDRESS_DEPENDENT
                   ? "calls are direct with everybody whose UDP is not blocked, symmetric NATs included."
                   : "calls are direct but with those behind a symmetric NAT; there a relay (TURN) is "
                     "needed.";
    case PL_NAT_PORT_RESTRICTED_CONE:
        return "calls are direct except with those behind a symmetric NAT, who need a relay (TURN).";
    case PL_NAT_SYMMETRIC:
        return "calls are direct with open hosts, full cones and restricted cones; a relay (TURN) is needed "
               "with "
               "port-restricted and symmetric NATs.";
    case PL_NAT_UDP_BLOCKED: return "every call needs a relay (TURN) that is reached over TCP or TLS.";
    case PL_NAT_CLASSIC_UNKNOWN: break;
    }
    if (r->mapping == PL_NAT_ENDPOINT_INDEPENDENT || r->mapping == PL_NAT_NONE)
        return "calls are direct at least with those who are not behind a symmetric NAT; for these have a "
               "relay "
               "(TURN) ready.";
    return "too little is known to promise a direct call: have a relay (TURN) ready, and ask a server with "
           "two "
           "addresses for more.";
}

/* ---- for people ---- */

static void row(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void row(const char *name, const char *fmt, ...)
{
    va_list args;
    printf("  %-17s", name);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

static void row_or_why(const char *name, bool known, const char *text, pl_nat_why why)
{
    if (known)
        row(name, "%s", text);
    else
        row(name, "unknown: %s", pl_nat_why_str(why));
}

static void print_lifetime(const pl_nat_result *r)
{
    double min_s = (double)r->lifetime_min_us / 1e6, max_s = (double)r->lifetime_max_us / 1e6;
    const char *late = r->lifetime_why == PL_NAT_OUT_OF_TIME ? " (the time was over)" : "";
    if (r->lifetime_why == PL_NAT_NOT_ASKED)
        row("binding lifetime", "not asked (--lifetime; it takes minutes)");
    else if (r->lifetime_min_us == 0 && r->lifetime_max_us == PL_NEVER)
        row("binding lifetime", "unknown: %s", pl_nat_why_str(r->lifetime_why));
    else if (r->lifetime_max_us == PL_NEVER)
        row("binding lifetime", "more than %.0f s without traffic%s", min_s, late);
    else
        row("binding lifetime", "%.0f to %.0f s without traffic%s", min_s, max_s, late);
}

static void print_nat(const pl_nat_report *report)
{
    const pl_nat_result *r = report->nat;
    char mapped[PL_ADDR_TEXT_MAX];
    if (r->mapped.family == PL_AF_NONE) {
        row("mapped address", "unknown: %s over UDP", pl_nat_why_str(PL_NAT_NO_ANSWER));
    } else {
        const char *how = !r->translated      ? "the same, there is no translation"
                          : r->port_preserved ? "another, with the same port"
                                              : "another, with another port";
        row("mapped address", "%s (%s)", pl_addr_str(&r->mapped, mapped), how);
        row("round trip", "%.0f ms", (double)r->rtt_us / 1e3);
        row_or_why("mapping", r->mapping != PL_NAT_UNKNOWN, pl_nat_behaviour_str(r->mapping), r->mapping_why);
        row_or_why("filtering", r->filtering != PL_NAT_UNKNOWN, pl_nat_behaviour_str(r->filtering),
                   r->filtering_why);
        row_or_why("hairpinning", r->hairpin != PL_NAT_MAYBE, r->hairpin == PL_NAT_YES ? "yes" : "no",
                   r->hairpin_why);
        row_or_why("fragments", r->fragments != PL_NAT_MAYBE,
                   r->fragments == PL_NAT_YES ? "pass" : "are lost", r->fragments_why);
        if (r->translated && r->pooled != PL_NAT_MAYBE)
            row("outer addresses", "%s", r->pooled == PL_NAT_YES ? "several" : "one");
        print_lifetime(r);
    }
    row("RFC 3489 name", "%s", pl_nat_classic_str(r->classic));
}

static void print_binding(const pl_nat_report *report)
{
    const pl_nat_binding *b = report->binding;
    char mapped[PL_ADDR_TEXT_MAX];
    if (b->failure) {
        row("mapped address", "unknown over TCP, too: %s", b->failure);
        return;
    }
    row(report->nat ? "over TCP" : "mapped address", "%s%s", pl_addr_str(&b->event.mapped, mapped),
        pl_addr_eq(&b->event.mapped, &b->local) ? " (the same, there is no translation)" : "");
    row("connecting", "%.0f ms", (double)b->connect_us / 1e3);
    if (b->event.rtt_us >= 0)
        row("round trip", "%.0f ms", (double)b->event.rtt_us / 1e3);
}

void pl_nat_print(const pl_nat_report *report)
{
    char text[PL_ADDR_TEXT_MAX], where[PL_ADDR_TEXT_MAX];
    const pl_addr *local = report->nat ? &report->nat->local : &report->binding->local;
    const char *software = report->nat ? report->nat->software : report->binding->event.software;
    printf("From %s as %s sees it (%s over %s%s%s)\n", pl_addr_str(local, text), report->server,
           pl_addr_str(&report->address, where), pl_stun_transport_str(report->transport),
           software[0] ? ", " : "", software);
    if (report->nat)
        print_nat(report);
    if (report->binding)
        print_binding(report);
    if (report->nat)
        row("which means", "%s", pl_nat_verdict(report->nat));
}

/* ---- for scripts ---- */

static void set(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value ? value : json_null());
}

static json_t *address(const pl_addr *a)
{
    char text[PL_ADDR_TEXT_MAX];
    return a->family == PL_AF_NONE ? NULL : json_string(pl_addr_str(a, text));
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : NULL;
}

static json_t *ms(int64_t us)
{
    return us < 0 ? NULL : json_real((double)us / 1e3);
}

static json_t *truth(pl_nat_truth t)
{
    return t == PL_NAT_MAYBE ? NULL : json_boolean(t == PL_NAT_YES);
}

static json_t *behaviour(pl_nat_behaviour b)
{
    return b == PL_NAT_UNKNOWN ? NULL : json_string(pl_nat_behaviour_str(b));
}

static json_t *lifetime(const pl_nat_result *r)
{
    if (r->lifetime_min_us == 0 && r->lifetime_max_us == PL_NEVER)
        return NULL;
    json_t *max = r->lifetime_max_us == PL_NEVER ? json_null() : json_real((double)r->lifetime_max_us / 1e6);
    return json_pack("{sf so}", "min", (double)r->lifetime_min_us / 1e6, "max", max);
}

static json_t *unknown(const pl_nat_result *r)
{
    const struct {
        const char *what;
        pl_nat_why why;
    } rows[] = { { "mapping", r->mapping_why },
                 { "filtering", r->filtering_why },
                 { "hairpin", r->hairpin_why },
                 { "fragments", r->fragments_why },
                 { "lifetime_s", r->lifetime_why } };
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].why != PL_NAT_KNOWN)
            set(o, rows[i].what, json_string(pl_nat_why_str(rows[i].why)));
    }
    return o;
}

static void add_nat(json_t *o, const pl_nat_result *r)
{
    set(o, "software", text_or_null(r->software));
    set(o, "local", address(&r->local));
    set(o, "mapped", address(&r->mapped));
    set(o, "other", address(&r->other));
    set(o, "translated", r->mapped.family ? json_boolean(r->translated) : NULL);
    set(o, "port_preserved", r->mapped.family ? json_boolean(r->port_preserved) : NULL);
    set(o, "rtt_ms", ms(r->rtt_us));
    set(o, "classic", r->classic ? json_string(pl_nat_classic_str(r->classic)) : NULL);
    set(o, "mapping", behaviour(r->mapping));
    set(o, "filtering", behaviour(r->filtering));
    set(o, "hairpin", truth(r->hairpin));
    set(o, "fragments", truth(r->fragments));
    set(o, "several_addresses", truth(r->pooled));
    set(o, "lifetime_s", lifetime(r));
    set(o, "unknown", unknown(r));
    set(o, "verdict", json_string(pl_nat_verdict(r)));
}

static void add_binding(json_t *o, const pl_nat_binding *b)
{
    set(o, "software", text_or_null(b->event.software));
    set(o, "local", address(&b->local));
    set(o, "mapped", address(&b->event.mapped));
    set(o, "translated", b->failure ? NULL : json_boolean(!pl_addr_eq(&b->event.mapped, &b->local)));
    set(o, "connect_ms", ms(b->connect_us));
    set(o, "rtt_ms", b->failure ? NULL : ms(b->event.rtt_us));
    set(o, "failure", b->failure ? json_string(b->failure) : NULL);
}

json_t *pl_nat_json(const pl_nat_report *report)
{
    json_t *o = json_object(), *tcp = NULL;
    set(o, "server", json_string(report->server));
    set(o, "address", address(&report->address));
    set(o, "protocol", json_string(pl_stun_transport_str(report->transport)));
    if (report->nat)
        add_nat(o, report->nat);
    if (report->nat && report->binding)
        add_binding(tcp = json_object(), report->binding);
    else if (report->binding)
        add_binding(o, report->binding);
    if (report->nat)
        set(o, "tcp", tcp);
    return o;
}
