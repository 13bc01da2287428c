/* Transports: ICE-UDP and ICE with DTLS and SCTP in them, raw UDP. */
#include <inttypes.h>

#include "base/hash.h"
#include "jingle/write_internal.h"

/* --- candidates ----------------------------------------------------------------------------------------------- */

static pl_str word(pl_str *rest)
{
    pl_str w;
    do
        w = pl_str_cut(rest, ' ');
    while (!w.n && rest->p);
    return w;
}

static void set_text(pl_xml *e, const char *name, pl_str value)
{
    pl_xml_setf(e, name, "%.*s", (int)value.n, value.p);
}

typedef struct candidate_line {
    pl_str foundation, component, protocol, priority, ip, port, type;
    pl_str raddr, rport, tcptype, generation, network;
} candidate_line;

/* RFC 8839 5.1, the words alone. */
static bool split_line(pl_str line, candidate_line *c)
{
    *c = (candidate_line){ .generation = PL_STR("0"), .network = PL_STR("0") };
    pl_str rest = line, typ;
    if (!pl_str_starts(line, "candidate:"))
        return false;
    (void)pl_str_cut(&rest, ':');
    pl_str *const first[] = { &c->foundation, &c->component, &c->protocol, &c->priority,
                              &c->ip,         &c->port,      &typ,         &c->type };
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        if (!(*first[i] = word(&rest)).n)
            return false;
    }
    while (rest.p) {
        pl_str name = word(&rest), value = word(&rest);
        if (pl_str_is(name, "raddr"))
            c->raddr = value;
        else if (pl_str_is(name, "rport"))
            c->rport = value;
        else if (pl_str_is(name, "tcptype"))
            c->tcptype = value;
        else if (pl_str_is(name, "generation") && value.n)
            c->generation = value;
        else if (pl_str_is(name, "network-id") && value.n)
            c->network = value;
    }
    return pl_str_is(typ, "typ");
}

/* The id need only differ from those of other candidates (XEP-0176 5.5). */
static void write_candidate(pl_str line, pl_xml *transport)
{
    static const uint8_t any_key[16] = "candidate ids";
    candidate_line c;
    if (!split_line(line, &c))
        return;
    pl_xml *e = pl_xml_add(transport, NULL, "candidate");
    set_text(e, "component", c.component);
    set_text(e, "foundation", c.foundation);
    set_text(e, "generation", c.generation);
    pl_xml_setf(e, "id", "c%016" PRIx64, pl_siphash(any_key, line.p, line.n));
    set_text(e, "ip", c.ip);
    set_text(e, "network", c.network);
    set_text(e, "port", c.port);
    set_text(e, "priority", c.priority);
    bool tcp = pl_str_ieq(c.protocol, PL_STR("tcp")), udp = pl_str_ieq(c.protocol, PL_STR("udp"));
    set_text(e, "protocol", tcp ? PL_STR("tcp") : udp ? PL_STR("udp") : c.protocol);
    if (c.raddr.n && c.rport.n) {
        set_text(e, "rel-addr", c.raddr);
        set_text(e, "rel-port", c.rport);
    }
    if (c.tcptype.n)
        set_text(e, "tcptype", c.tcptype);
    set_text(e, "type", c.type);
}

/* --- transports ----------------------------------------------------------------------------------------------- */

static pl_xml *begin_ice(const pl_desc_media *m, pl_xml *content, const pl_jingle_write_conf *conf)
{
    const char *ns = conf->via == PL_JINGLE_VIA_ICE ? PL_NS_JINGLE_ICE : PL_NS_JINGLE_ICE_UDP;
    pl_xml *transport = pl_xml_add(content, ns, "transport");
    pl_xml_set(transport, "ufrag", m->ufrag);
    pl_xml_set(transport, "pwd", m->pwd);
    return transport;
}

static void write_options(const pl_desc *d, const pl_desc_media *m, pl_xml *transport)
{
    static const char *const option[] = { "trickle", "ice2", "renomination" };
    for (unsigned i = 0; i < 3; i++) {
        if (m->ice_options & 1u << i)
            pl_xml_add(transport, PL_NS_JINGLE_ICE_OPTION, option[i]);
    }
    if (d->ice_lite)
        pl_xml_add(transport, NULL, "ice-lite");
}

static void write_sctp(const pl_desc_media *m, pl_xml *transport)
{
    pl_xml *map = pl_xml_add(transport, PL_NS_JINGLE_SCTP, "sctpmap");
    pl_xml_set_u64(map, "number", m->sctp_port ? m->sctp_port : 5000);
    pl_xml_set(map, "protocol", "webrtc-datachannel");
    pl_xml_set_u64(map, "streams", m->sctp_streams ? m->sctp_streams : 65535);
    if (m->has_max_message_size)
        pl_xml_set_u64(map, "max-message-size", m->max_message_size);
}

static void write_ice(const pl_desc *d, const pl_desc_media *m, pl_xml *content,
                      const pl_jingle_write_conf *conf)
{
    pl_xml *transport = begin_ice(m, content, conf);
    for (size_t i = 0; i < m->fingerprints.n; i++) {
        pl_xml *f = pl_xml_add_text(transport, PL_NS_JINGLE_DTLS, "fingerprint", m->fingerprints.at[i].value);
        pl_xml_set(f, "hash", m->fingerprints.at[i].hash);
        if (m->setup)
            pl_xml_set(f, "setup", pl_desc_setup_str((pl_desc_setup)m->setup));
    }
    if (pl_desc_is_data(m))
        write_sctp(m, transport);
    for (size_t i = 0; i < m->candidates.n; i++)
        write_candidate(pl_str_of(m->candidates.at[i]), transport);
    write_options(d, m, transport);
    if (m->end_of_candidates)
        pl_xml_add(transport, NULL, "gathering-complete");
}

static void write_raw_candidate(pl_xml *transport, const char *ip, unsigned component, uint16_t port)
{
    pl_xml *c = pl_xml_add(transport, NULL, "candidate");
    pl_xml_set_u64(c, "component", component);
    pl_xml_set(c, "generation", "0");
    pl_xml_setf(c, "id", "raw%u", component);
    pl_xml_set(c, "ip", ip);
    pl_xml_set_u64(c, "port", port);
    pl_xml_set(c, "type", "host");
}

static void write_raw(const pl_desc_media *m, pl_xml *content)
{
    pl_xml *transport = pl_xml_add(content, PL_NS_JINGLE_RAW_UDP, "transport");
    if (!m->address)
        return;
    write_raw_candidate(transport, m->address, 1, m->port);
    if (m->rtcp_port)
        write_raw_candidate(transport, m->address, 2, m->rtcp_port);
}

void pl_jingle_write_transport(const pl_desc *d, const pl_desc_media *m, pl_xml *content,
                               const pl_jingle_write_conf *conf)
{
    if (conf->via == PL_JINGLE_VIA_RAW_UDP)
        write_raw(m, content);
    else
        write_ice(d, m, content, conf);
}

pl_xml *pl_jingle_write_trickle(const pl_desc_media *m, const char *const *lines, size_t n_lines, bool end,
                                pl_xml *jingle, const pl_jingle_write_conf *conf)
{
    pl_xml *content = pl_jingle_write_name(jingle, m->mid, NULL);
    pl_xml *transport = begin_ice(m, content, conf);
    for (size_t i = 0; i < n_lines; i++)
        write_candidate(pl_str_of(lines[i]), transport);
    if (end)
        pl_xml_add(transport, NULL, "gathering-complete");
    return content;
}
