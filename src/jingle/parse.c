/* Contents of a <jingle/> to sections; what stands in them is read in parse_rtp.c and parse_transport.c. */
#include "jingle/parse_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

pl_err pl_jingle_refuse(pl_jingle_reader *r, pl_err err, pl_jingle_reason reason, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->fault->text, sizeof r->fault->text, fmt, args);
    va_end(args);
    r->fault->reason = reason;
    return err;
}

bool pl_jingle_is_plain(const char *text)
{
    if (!text || !text[0])
        return false;
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    }
    return true;
}

bool pl_jingle_is_token(const char *text)
{
    return pl_jingle_is_plain(text) && !strchr(text, ' ');
}

uint8_t pl_jingle_direction_of(pl_jingle_senders s, bool by_initiator)
{
    switch (s) {
    case PL_JINGLE_BOTH: return PL_SENDRECV;
    case PL_JINGLE_BY_INITIATOR: return by_initiator ? PL_SENDONLY : PL_RECVONLY;
    case PL_JINGLE_BY_RESPONDER: return by_initiator ? PL_RECVONLY : PL_SENDONLY;
    case PL_JINGLE_BY_NONE: break;
    }
    return PL_INACTIVE;
}

/* --- contents --------------------------------------------------------------------------------------------- */

static bool is_channels(const pl_xml *description)
{
    return pl_xml_is(description, PL_NS_JINGLE_CHANNELS, "description") ||
           pl_xml_is(description, PL_NS_JINGLE_CHANNELS_1, "description") ||
           pl_xml_is(description, PL_NS_JINGLE_CHANNELS_T, "description");
}

/* Without a description the transport's map tells data channels: the stanza library has no words for theirs. */
static pl_err kind_of(pl_jingle_reader *r, const pl_xml *description, const pl_xml *transport,
                      pl_desc_kind *out)
{
    const char *media = description ? pl_xml_attr_of(description, "media") : NULL;
    *out = transport && pl_xml_child(transport, PL_NS_JINGLE_SCTP, "sctpmap") ? PL_DESC_APPLICATION
                                                                              : PL_DESC_OTHER;
    if (!description)
        return PL_OK;
    if (is_channels(description))
        *out = PL_DESC_APPLICATION;
    else if (!pl_xml_is(description, PL_NS_JINGLE_RTP, NULL))
        return pl_jingle_refuse(r, PL_ENOTSUP, PL_JINGLE_UNSUPPORTED_APPLICATIONS,
                                "an application that is not spoken here");
    else if (media && strcmp(media, "audio") == 0)
        *out = PL_DESC_AUDIO;
    else if (media && strcmp(media, "video") == 0)
        *out = PL_DESC_VIDEO;
    else
        return pl_jingle_refuse(r, PL_ENOTSUP, PL_JINGLE_UNSUPPORTED_APPLICATIONS, "neither audio nor video");
    return PL_OK;
}

static pl_err begin_section(pl_jingle_reader *r, const pl_xml *content, pl_desc_kind kind,
                            pl_desc_media **out)
{
    const char *name = pl_xml_attr_of(content, "name");
    pl_jingle_senders senders;
    if (!pl_jingle_is_token(name) || strlen(name) > PL_DESC_MID_MAX || pl_desc_find_mid(r->d, name) >= 0)
        return pl_jingle_refuse(r, PL_EPROTO, PL_JINGLE_FAILED_APPLICATION,
                                "a content needs a name of its own");
    if (!pl_jingle_senders_of(pl_xml_attr_of(content, "senders"), &senders))
        return pl_jingle_refuse(r, PL_EPROTO, PL_JINGLE_FAILED_APPLICATION, "unknown senders");
    pl_desc_media *m = pl_desc_add_media(r->d, kind);
    if (!m)
        return pl_desc_err(r->d);
    m->mid = pl_desc_textz(r->d, name);
    m->direction = pl_jingle_direction_of(senders, r->conf->by_initiator);
    if (kind == PL_DESC_OTHER) { /* a part, which no other notation has */
        m->kind_text = "content";
        m->proto_text = m->formats = "-";
    }
    *out = m;
    return PL_OK;
}

static pl_err read_content(pl_jingle_reader *r, const pl_xml *content)
{
    const pl_xml *description = pl_xml_child(content, NULL, "description");
    const pl_xml *transport = pl_xml_child(content, NULL, "transport");
    pl_desc_kind kind;
    pl_desc_media *m = NULL;
    pl_err err = kind_of(r, description, transport, &kind);
    if (!err)
        err = begin_section(r, content, kind, &m);
    if (!err && (kind == PL_DESC_AUDIO || kind == PL_DESC_VIDEO))
        err = pl_jingle_parse_rtp(r, m, description);
    if (!err && transport)
        err = pl_jingle_parse_transport(r, m, transport);
    return err;
}

/* --- the whole ---------------------------------------------------------------------------------------------- */

static pl_err read_group(pl_jingle_reader *r, const pl_xml *group)
{
    const char *semantics = pl_xml_attr_of(group, "semantics");
    if (!pl_jingle_is_token(semantics))
        return pl_jingle_refuse(r, PL_EPROTO, PL_JINGLE_FAILED_APPLICATION, "a group without semantics");
    pl_desc_group *g = pl_desc_add_group(r->d, semantics);
    if (!g)
        return pl_desc_err(r->d);
    for (const pl_xml *c = pl_xml_child(group, PL_NS_JINGLE_GROUPING, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE_GROUPING, "content")) {
        const char *name = pl_xml_attr_of(c, "name");
        if (!pl_jingle_is_token(name))
            return pl_jingle_refuse(r, PL_EPROTO, PL_JINGLE_FAILED_APPLICATION, "a group names nothing");
        if (!pl_desc_group_add(r->d, g, name))
            return pl_desc_err(r->d);
    }
    return PL_OK;
}

/* SDP has one word for the whole session when every section agrees (RFC 8285 6). */
static void mix_for_all(pl_desc *d)
{
    bool all = d->media.n > 0, any = false;
    for (size_t i = 0; i < d->media.n; i++) {
        if (pl_desc_is_rtp(&d->media.at[i])) {
            any = true;
            all = all && d->media.at[i].extmap_allow_mixed;
        }
    }
    d->extmap_allow_mixed = any && all;
    for (size_t i = 0; d->extmap_allow_mixed && i < d->media.n; i++)
        d->media.at[i].extmap_allow_mixed = true;
}

/* A section is secured by a fingerprint of its own or of one that it is bundled with. */
static bool is_secured(const pl_desc *d, const pl_desc_media *m)
{
    const pl_desc_group *g = pl_desc_group_of(d, "BUNDLE", m->mid);
    if (m->fingerprints.n)
        return true;
    for (size_t i = 0; g && i < d->media.n; i++) {
        if (d->media.at[i].fingerprints.n && pl_desc_group_has(g, d->media.at[i].mid))
            return true;
    }
    return false;
}

static pl_err must_be_secured(pl_jingle_reader *r, const pl_xml *jingle)
{
    for (size_t i = 0; i < r->d->media.n; i++) {
        const pl_desc_media *m = &r->d->media.at[i];
        if ((!pl_desc_is_rtp(m) && !pl_desc_is_data(m)) || is_secured(r->d, m))
            continue;
        bool other = false; /* some key agreement, but not by DTLS */
        for (const pl_xml *c = pl_xml_child(jingle, NULL, "content"); c; c = pl_xml_next(c, NULL, "content"))
            other =
                other || pl_xml_child(pl_xml_child(c, NULL, "description"), PL_NS_JINGLE_RTP, "encryption");
        r->fault->condition = other ? "invalid-crypto" : "crypto-required";
        return pl_jingle_refuse(r, PL_ENOTSUP, PL_JINGLE_SECURITY_ERROR,
                                other ? "keys are agreed on by DTLS alone (XEP-0320), not by SDES or ZRTP"
                                      : "media must be secured by DTLS (XEP-0320)");
    }
    return PL_OK;
}

static pl_err read_all(pl_jingle_reader *r, const pl_xml *jingle)
{
    pl_err err = PL_OK;
    for (const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content"); c && !err;
         c = pl_xml_next(c, PL_NS_JINGLE, "content"))
        err = read_content(r, c);
    for (const pl_xml *g = pl_xml_child(jingle, PL_NS_JINGLE_GROUPING, "group"); g && !err;
         g = pl_xml_next(g, PL_NS_JINGLE_GROUPING, "group"))
        err = read_group(r, g);
    if (!err)
        mix_for_all(r->d);
    if (!err && !r->conf->allow_insecure)
        err = must_be_secured(r, jingle);
    return err ? err : pl_desc_err(r->d);
}

pl_err pl_jingle_parse(pl_desc **out, const pl_xml *jingle, const pl_jingle_parse_conf *conf,
                       pl_jingle_fault *fault)
{
    pl_jingle_fault unasked;
    pl_jingle_reader r = { .conf = conf, .fault = fault ? fault : &unasked };
    *r.fault = (pl_jingle_fault){ 0 };
    *out = NULL;
    pl_err err = pl_desc_new(&r.d);
    if (!err)
        err = read_all(&r, jingle);
    if (!err) {
        *out = r.d;
        return PL_OK;
    }
    if (!r.fault->text[0])
        (void)pl_jingle_refuse(&r, err, PL_JINGLE_GENERAL_ERROR,
                               err == PL_ENOMEM ? "no memory" : "more than a description may hold");
    pl_desc_free(r.d);
    return err;
}
