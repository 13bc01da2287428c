/* A description as contents; what stands in them is written in write_rtp.c and write_transport.c. */
#include "jingle/write_internal.h"

const char *pl_jingle_senders_from(uint8_t direction, bool by_initiator)
{
    pl_jingle_senders s = PL_JINGLE_BY_NONE;
    if (direction == PL_SENDRECV)
        return NULL;
    if (direction == PL_SENDONLY)
        s = by_initiator ? PL_JINGLE_BY_INITIATOR : PL_JINGLE_BY_RESPONDER;
    else if (direction == PL_RECVONLY)
        s = by_initiator ? PL_JINGLE_BY_RESPONDER : PL_JINGLE_BY_INITIATOR;
    return pl_jingle_senders_str(s);
}

pl_xml *pl_jingle_write_name(pl_xml *jingle, const char *name, const char *senders)
{
    pl_xml *content = pl_xml_add(jingle, PL_NS_JINGLE, "content");
    pl_xml_set(content, "creator", "initiator"); /* the session knows better */
    pl_xml_set(content, "name", name);
    pl_xml_set(content, "senders", senders);
    return content;
}

pl_xml *pl_jingle_write_content(const pl_desc *d, const pl_desc_media *m, pl_xml *jingle,
                                const pl_jingle_write_conf *conf)
{
    pl_xml *content =
        pl_jingle_write_name(jingle, m->mid, pl_jingle_senders_from(m->direction, conf->by_initiator));
    if (pl_desc_is_rtp(m))
        pl_jingle_write_rtp(m, content, conf);
    else if (pl_desc_is_data(m))
        pl_xml_set(pl_xml_add(content, PL_NS_JINGLE_CHANNELS, "description"), "type", "datachannel");
    pl_jingle_write_transport(d, m, content, conf);
    return content;
}

/* Sections that are rejected are not there, so no group may name them either. */
static bool is_there(const pl_desc *d, const char *mid)
{
    int i = pl_desc_find_mid(d, mid);
    return i >= 0 && !pl_desc_rejected(&d->media.at[i]);
}

static void write_group(const pl_desc *d, const pl_desc_group *g, pl_xml *jingle)
{
    pl_xml *group = pl_xml_add(jingle, PL_NS_JINGLE_GROUPING, "group");
    pl_xml_set(group, "semantics", g->semantics);
    for (size_t i = 0; i < g->mids.n; i++) {
        if (is_there(d, g->mids.at[i]))
            pl_xml_set(pl_xml_add(group, NULL, "content"), "name", g->mids.at[i]);
    }
}

void pl_jingle_write_groups(const pl_desc *d, pl_xml *jingle)
{
    for (size_t i = 0; i < d->groups.n; i++)
        write_group(d, &d->groups.at[i], jingle);
}

pl_err pl_jingle_write(const pl_desc *d, pl_xml *jingle, const pl_jingle_write_conf *conf)
{
    for (size_t i = 0; i < d->media.n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        if (pl_desc_rejected(m))
            continue;
        if (!m->mid || (!pl_desc_is_rtp(m) && !pl_desc_is_data(m)))
            return PL_ENOTSUP;
        (void)pl_jingle_write_content(d, m, jingle, conf);
    }
    pl_jingle_write_groups(d, jingle);
    return pl_xml_err(jingle);
}
