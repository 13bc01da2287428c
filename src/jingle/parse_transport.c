/* Transports: ICE-UDP and ICE with DTLS and SCTP in them, raw UDP. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "jingle/parse_internal.h"

static pl_err malformed(pl_jingle_reader *r, const char *what)
{
    return pl_jingle_refuse(r, PL_EPROTO, PL_JINGLE_FAILED_TRANSPORT, "%s is malformed", what);
}

/* --- candidates ----------------------------------------------------------------------------------------------- */

typedef struct numbers {
    uint64_t component, priority, port, generation, network, rel_port;
} numbers;

static bool read_numbers(const pl_xml *c, numbers *n)
{
    *n = (numbers){ 0 };
    const char *generation = pl_xml_attr_of(c, "generation"), *network = pl_xml_attr_of(c, "network");
    return pl_xml_attr_u64(c, "component", 256, &n->component) && n->component > 0 &&
           pl_xml_attr_u64(c, "priority", UINT32_MAX, &n->priority) &&
           pl_xml_attr_u64(c, "port", 65535, &n->port) &&
           (!generation || pl_xml_attr_u64(c, "generation", UINT32_MAX, &n->generation)) &&
           (!network || pl_xml_attr_u64(c, "network", 65535, &n->network));
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; word && *list; list++) {
        if (strcmp(word, *list) == 0)
            return true;
    }
    return false;
}

pl_err pl_jingle_candidate_line(const pl_xml *c, char out[PL_JINGLE_CANDIDATE_MAX])
{
    static const char *const types[] = { "host", "srflx", "prflx", "relay", NULL };
    static const char *const protocols[] = { "udp", "tcp", "ssltcp", NULL };
    static const char *const tcptypes[] = { "active", "passive", "so", NULL };
    const char *foundation = pl_xml_attr_of(c, "foundation"), *ip = pl_xml_attr_of(c, "ip"),
               *protocol = pl_xml_attr_of(c, "protocol"), *type = pl_xml_attr_of(c, "type"),
               *rel = pl_xml_attr_of(c, "rel-addr"), *tcptype = pl_xml_attr_of(c, "tcptype");
    numbers n;
    if (!read_numbers(c, &n) || !pl_jingle_is_token(foundation) || !pl_jingle_is_token(ip) || !protocol ||
        !type)
        return PL_EPROTO;
    if ((rel && (!pl_jingle_is_token(rel) || !pl_xml_attr_u64(c, "rel-port", 65535, &n.rel_port))) ||
        (tcptype && !is_one_of(tcptype, tcptypes)))
        return PL_EPROTO;
    if (!is_one_of(type, types) || !is_one_of(protocol, protocols))
        return PL_ENOTSUP;
    int len = snprintf(out, PL_JINGLE_CANDIDATE_MAX, "candidate:%s %u %s %u %s %u typ %s", foundation,
                       (unsigned)n.component, protocol, (unsigned)n.priority, ip, (unsigned)n.port, type);
    if (rel && len < PL_JINGLE_CANDIDATE_MAX)
        len += snprintf(out + len, (size_t)(PL_JINGLE_CANDIDATE_MAX - len), " raddr %s rport %u", rel,
                        (unsigned)n.rel_port);
    if (tcptype && len < PL_JINGLE_CANDIDATE_MAX)
        len += snprintf(out + len, (size_t)(PL_JINGLE_CANDIDATE_MAX - len), " tcptype %s", tcptype);
    if (n.generation && len < PL_JINGLE_CANDIDATE_MAX)
        len += snprintf(out + len, (size_t)(PL_JINGLE_CANDIDATE_MAX - len), " generation %u",
                        (unsigned)n.generation);
    if (n.network && len < PL_JINGLE_CANDIDATE_MAX)
        len += snprintf(out + len, (size_t)(PL_JINGLE_CANDIDATE_MAX - len), " network-id %u",
                        (unsigned)n.network);
    return len < PL_JINGLE_CANDIDATE_MAX ? PL_OK : PL_EPROTO;
}

static pl_err read_candidate(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *candidate)
{
    char line[PL_JINGLE_CANDIDATE_MAX];
    pl_err err = pl_jingle_candidate_line(candidate, line);
    if (err == PL_ENOTSUP)
        return PL_OK; /* of a kind to come: passed over (RFC 8839 5.1) */
    if (err)
        return malformed(r, "a candidate");
    return pl_desc_add_candidate(r->d, m, pl_str_of(line)) ? PL_OK : pl_desc_err(r->d);
}

/* --- ICE ------------------------------------------------------------------------------------------------------ */

static bool is_credential(const char *text)
{
    return !text || (pl_jingle_is_token(text) && strlen(text) <= PL_DESC_UFRAG_MAX);
}

static void read_options(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *transport)
{
    m->ice_options = PL_ICE_OPT_TRICKLE; /* whoever speaks Jingle does (XEP-0176 5.4) */
    if (pl_xml_child(transport, PL_NS_JINGLE_ICE_OPTION, "ice2"))
        m->ice_options |= PL_ICE_OPT_ICE2;
    if (pl_xml_child(transport, PL_NS_JINGLE_ICE_OPTION, "renomination"))
        m->ice_options |= PL_ICE_OPT_RENOMINATION;
    if (pl_xml_child(transport, transport->ns, "ice-lite"))
        r->d->ice_lite = true;
    m->end_of_candidates = pl_xml_child(transport, transport->ns, "gathering-complete") != NULL;
    m->rtcp_mux = m->rtcp_mux || pl_xml_child(transport, transport->ns, "rtcp-mux"); /* as bridges write it */
}

/* --- DTLS and SCTP ---------------------------------------------------------------------------------------------- */

static bool clean_fingerprint(const char *text, char *out, size_t cap)
{
    pl_str t = pl_str_of(text);
    while (t.n && isspace((unsigned char)t.p[0]))
        t = (pl_str){ t.p + 1, t.n - 1 };
    while (t.n && isspace((unsigned char)t.p[t.n - 1]))
        t.n--;
    if (t.n < 2 || t.n % 3 != 2 || t.n >= cap)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        if (i % 3 == 2 ? t.p[i] != ':' : !isxdigit((unsigned char)t.p[i]))
            return false;
        out[i] = (char)toupper((unsigned char)t.p[i]);
    }
    out[t.n] = 0;
    return true;
}

static bool setup_of(const char *word, uint8_t *out)
{
    for (int s = PL_DESC_SETUP_ACTPASS; word && s <= PL_DESC_SETUP_HOLDCONN; s++) {
        if (strcmp(word, pl_desc_setup_str((pl_desc_setup)s)) == 0) {
            *out = (uint8_t)s;
            return true;
        }
    }
    return !word;
}

static pl_err read_fingerprint(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *f)
{
    char value[3 * 64], hash[32];
    const char *word = pl_xml_attr_of(f, "hash");
    if (!pl_jingle_is_token(word) || strlen(word) >= sizeof hash ||
        !clean_fingerprint(f->text, value, sizeof value) || !setup_of(pl_xml_attr_of(f, "setup"), &m->setup))
        return malformed(r, "a fingerprint");
    for (size_t i = 0; i <= strlen(word); i++)
        hash[i] = (char)tolower((unsigned char)word[i]);
    pl_desc_fingerprint *out = pl_desc_add_fingerprint(r->d, m);
    if (!out)
        return pl_desc_err(r->d);
    out->hash = pl_desc_textz(r->d, hash);
    out->value = pl_desc_textz(r->d, value);
    return PL_OK;
}

/* XEP-0343 says "number" and "port" for the same. The largest message is our addition (RFC 8841 6): without it the default
 * of 64 KiB holds, which is what a reader that does not know it assumes. */
static pl_err read_sctp(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *map)
{
    uint64_t n;
    if (!pl_xml_attr_u64(map, "number", 65535, &n) && !pl_xml_attr_u64(map, "port", 65535, &n))
        return malformed(r, "an SCTP map");
    m->sctp_port = (uint16_t)n;
    if (pl_xml_attr_of(map, "max-message-size")) {
        if (!pl_xml_attr_u64(map, "max-message-size", UINT64_MAX, &m->max_message_size))
            return malformed(r, "an SCTP map");
        m->has_max_message_size = true;
    }
    return PL_OK;
}

static pl_err read_child(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *c, const char *ns)
{
    if (pl_xml_is(c, ns, "candidate"))
        return read_candidate(r, m, c);
    if (pl_xml_is(c, PL_NS_JINGLE_DTLS, "fingerprint"))
        return read_fingerprint(r, m, c);
    if (pl_xml_is(c, PL_NS_JINGLE_SCTP, "sctpmap"))
        return read_sctp(r, m, c);
    return PL_OK;
}

/* A ufrag alone says which credentials the candidates belong to, as in SDP; the stanza library trickles so. */
static pl_err read_ice(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *transport)
{
    const char *ufrag = pl_xml_attr_of(transport, "ufrag"), *pwd = pl_xml_attr_of(transport, "pwd");
    bool is_part = m->kind == PL_DESC_OTHER;
    if (!is_credential(ufrag) || !is_credential(pwd) || (pwd && !ufrag) || (ufrag && !pwd && !is_part))
        return malformed(r, "the ICE credentials");
    m->ufrag = pl_desc_textz(r->d, ufrag);
    m->pwd = pl_desc_textz(r->d, pwd);
    read_options(r, m, transport);
    pl_err err = PL_OK;
    for (const pl_xml *c = transport->first; c && !err; c = c->next)
        err = read_child(r, m, c, transport->ns);
    return err;
}

/* --- raw UDP ---------------------------------------------------------------------------------------------------- */

static pl_err read_raw(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *transport)
{
    for (const pl_xml *c = pl_xml_child(transport, PL_NS_JINGLE_RAW_UDP, "candidate"); c;
         c = pl_xml_next(c, PL_NS_JINGLE_RAW_UDP, "candidate")) {
        const char *ip = pl_xml_attr_of(c, "ip");
        uint64_t component, port;
        pl_addr addr;
        if (!ip || pl_addr_parse_ip(&addr, ip, strlen(ip)) ||
            !pl_xml_attr_u64(c, "component", 256, &component) || !pl_xml_attr_u64(c, "port", 65535, &port) ||
            port == 0)
            return malformed(r, "a candidate");
        if (component == 1) {
            m->address = pl_desc_textz(r->d, ip);
            m->port = (uint16_t)port;
        } else if (component == 2) {
            m->rtcp_port = (uint16_t)port;
        }
    }
    return PL_OK;
}

pl_err pl_jingle_parse_transport(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *transport)
{
    if (pl_xml_is(transport, PL_NS_JINGLE_ICE_UDP, NULL) || pl_xml_is(transport, PL_NS_JINGLE_ICE, NULL))
        return read_ice(r, m, transport);
    if (pl_xml_is(transport, PL_NS_JINGLE_RAW_UDP, NULL))
        return read_raw(r, m, transport);
    return pl_jingle_refuse(r, PL_ENOTSUP, PL_JINGLE_UNSUPPORTED_TRANSPORTS,
                            "a transport that is not spoken here");
}
