/* A description as text, in the order browsers write it. */
#include <stdlib.h>

#include "desc/codec.h"
#include "sdp/sdp.h"

enum { TEXT_MAX = 8 << 20 };

static void write_address(pl_buf *b, const char *address)
{
    if (!address)
        address = "0.0.0.0";
    pl_buf_addf(b, "IN %s %s\r\n", strchr(address, ':') ? "IP6" : "IP4", address);
}

static void write_formats(pl_buf *b, const pl_desc_media *m)
{
    if (m->formats) {
        pl_buf_addf(b, " %s", m->formats);
    } else if (m->proto == PL_DESC_UDP_DTLS_SCTP) {
        pl_buf_addf(b, " webrtc-datachannel");
    } else if (m->proto == PL_DESC_OLD_DTLS_SCTP) {
        pl_buf_addf(b, " %u", m->sctp_port ? m->sctp_port : 5000);
    } else {
        for (size_t i = 0; i < m->codecs.n; i++)
            pl_buf_addf(b, " %u", m->codecs.at[i].pt);
        if (m->codecs.n == 0)
            pl_buf_addf(b, " 0");
    }
}

static void write_m_line(pl_buf *b, const pl_desc_media *m)
{
    static const char *const word[] = { "audio", "video", "application", "text" };
    pl_buf_addf(b, "m=%s %u %s", m->kind_text ? m->kind_text : word[m->kind], m->port, pl_desc_proto_str(m));
    write_formats(b, m);
    pl_buf_addf(b, "\r\nc=");
    write_address(b, m->address);
    if (m->bandwidth_as_kbps)
        pl_buf_addf(b, "b=AS:%u\r\n", m->bandwidth_as_kbps);
    if (m->bandwidth_tias_bps)
        pl_buf_addf(b, "b=TIAS:%u\r\n", m->bandwidth_tias_bps);
    if (m->rtcp_port)
        pl_buf_addf(b, "a=rtcp:%u IN IP4 0.0.0.0\r\n", m->rtcp_port);
}

static void write_ice(pl_buf *b, const pl_desc_media *m)
{
    static const char *const option[] = { "trickle", "ice2", "renomination" };
    for (size_t i = 0; i < m->candidates.n; i++)
        pl_buf_addf(b, "a=%s\r\n", m->candidates.at[i]);
    if (m->end_of_candidates)
        pl_buf_addf(b, "a=end-of-candidates\r\n");
    if (m->ufrag)
        pl_buf_addf(b, "a=ice-ufrag:%s\r\n", m->ufrag);
    if (m->pwd)
        pl_buf_addf(b, "a=ice-pwd:%s\r\n", m->pwd);
    if (!m->ice_options)
        return;
    char sep = ':';
    pl_buf_addf(b, "a=ice-options");
    for (unsigned i = 0; i < 3; i++) {
        if (!(m->ice_options & 1u << i))
            continue;
        pl_buf_addf(b, "%c%s", sep, option[i]);
        sep = ' ';
    }
    pl_buf_addf(b, "\r\n");
}

static void write_dtls(pl_buf *b, const pl_desc_media *m)
{
    for (size_t i = 0; i < m->fingerprints.n; i++)
        pl_buf_addf(b, "a=fingerprint:%s %s\r\n", m->fingerprints.at[i].hash, m->fingerprints.at[i].value);
    if (m->setup)
        pl_buf_addf(b, "a=setup:%s\r\n", pl_desc_setup_str((pl_desc_setup)m->setup));
}

static void write_exts(pl_buf *b, const pl_desc_media *m)
{
    for (size_t i = 0; i < m->exts.n; i++) {
        const pl_desc_ext *e = &m->exts.at[i];
        bool both = e->direction == PL_SENDRECV;
        pl_buf_addf(b, "a=extmap:%u%s%s %s%s%s\r\n", e->id, both ? "" : "/",
                    both ? "" : pl_desc_direction_str(e->direction), e->uri, e->attributes ? " " : "",
                    e->attributes ? e->attributes : "");
    }
}

static void write_codec(pl_buf *b, const pl_desc_codec *c)
{
    pl_buf_addf(b, "a=rtpmap:%u %s/%u", c->pt, c->name, c->clock_hz);
    if (c->channels > 1)
        pl_buf_addf(b, "/%u", c->channels);
    pl_buf_addf(b, "\r\n");
    for (int bit = 0; bit < PL_FB_N; bit++) {
        if (c->feedback & 1u << bit)
            pl_buf_addf(b, "a=rtcp-fb:%u %s\r\n", c->pt, pl_desc_feedback_str(bit));
    }
    if (c->apt >= 0)
        pl_buf_addf(b, "a=fmtp:%u apt=%d%s%s\r\n", c->pt, c->apt, c->fmtp ? ";" : "", c->fmtp ? c->fmtp : "");
    else if (c->fmtp)
        pl_buf_addf(b, "a=fmtp:%u %s\r\n", c->pt, c->fmtp);
}

static void write_sources(pl_buf *b, const pl_desc_media *m)
{
    for (size_t i = 0; i < m->ssrc_groups.n; i++) {
        const pl_desc_ssrc_group *g = &m->ssrc_groups.at[i];
        pl_buf_addf(b, "a=ssrc-group:%s", g->semantics);
        for (size_t k = 0; k < g->ssrcs.n; k++)
            pl_buf_addf(b, " %u", g->ssrcs.at[k]);
        pl_buf_addf(b, "\r\n");
    }
    for (size_t i = 0; i < m->ssrcs.n; i++) {
        const pl_desc_ssrc *s = &m->ssrcs.at[i];
        if (s->cname || !s->stream)
            pl_buf_addf(b, "a=ssrc:%u%s%s\r\n", s->ssrc, s->cname ? " cname:" : "", s->cname ? s->cname : "");
        if (s->stream)
            pl_buf_addf(b, "a=ssrc:%u msid:%s%s%s\r\n", s->ssrc, s->stream, s->track ? " " : "",
                        s->track ? s->track : "");
    }
}

static void write_layers(pl_buf *b, const char *way, const pl_desc_layer *layer, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pl_buf_addf(b, "%s%s%s",
                    i == 0                 ? way
                    : layer[i].alternative ? ","
                                           : ";",
                    layer[i].paused ? "~" : "", layer[i].rid);
}

static void write_simulcast(pl_buf *b, const pl_desc_media *m)
{
    for (size_t i = 0; i < m->rids.n; i++) {
        const pl_desc_rid *r = &m->rids.at[i];
        pl_buf_addf(b, "a=rid:%s %s%s%s\r\n", r->id, r->send ? "send" : "recv", r->params ? " " : "",
                    r->params ? r->params : "");
    }
    if (m->simulcast_send.n + m->simulcast_recv.n == 0)
        return;
    pl_buf_addf(b, "a=simulcast:");
    write_layers(b, "send ", m->simulcast_send.at, m->simulcast_send.n);
    write_layers(b, m->simulcast_send.n ? " recv " : "recv ", m->simulcast_recv.at, m->simulcast_recv.n);
    pl_buf_addf(b, "\r\n");
}

static void write_rtp(pl_buf *b, const pl_desc_media *m)
{
    for (size_t i = 0; i < m->msids.n; i++)
        pl_buf_addf(b, "a=msid:%s%s%s\r\n", m->msids.at[i].stream, m->msids.at[i].track ? " " : "",
                    m->msids.at[i].track ? m->msids.at[i].track : "");
    if (m->rtcp_mux)
        pl_buf_addf(b, "a=rtcp-mux\r\n");
    if (m->rtcp_rsize)
        pl_buf_addf(b, "a=rtcp-rsize\r\n");
    for (size_t i = 0; i < m->codecs.n; i++)
        write_codec(b, &m->codecs.at[i]);
    if (m->ptime_ms)
        pl_buf_addf(b, "a=ptime:%u\r\n", m->ptime_ms);
    if (m->maxptime_ms)
        pl_buf_addf(b, "a=maxptime:%u\r\n", m->maxptime_ms);
    write_simulcast(b, m);
    write_sources(b, m);
}

static void write_sctp(pl_buf *b, const pl_desc_media *m)
{
    if (m->sctp_streams)
        pl_buf_addf(b, "a=sctpmap:%u webrtc-datachannel %u\r\n", m->sctp_port ? m->sctp_port : 5000,
                    m->sctp_streams);
    if (m->sctp_port && m->proto != PL_DESC_OLD_DTLS_SCTP)
        pl_buf_addf(b, "a=sctp-port:%u\r\n", m->sctp_port);
    if (m->has_max_message_size)
        pl_buf_addf(b, "a=max-message-size:%llu\r\n", (unsigned long long)m->max_message_size);
}

static void write_media(pl_buf *b, const pl_desc *d, const pl_desc_media *m)
{
    write_m_line(b, m);
    write_ice(b, m);
    write_dtls(b, m);
    if (m->mid)
        pl_buf_addf(b, "a=mid:%s\r\n", m->mid);
    if (m->bundle_only)
        pl_buf_addf(b, "a=bundle-only\r\n");
    if (m->extmap_allow_mixed && !d->extmap_allow_mixed)
        pl_buf_addf(b, "a=extmap-allow-mixed\r\n");
    write_exts(b, m);
    if (pl_desc_is_rtp(m) || m->direction != PL_SENDRECV)
        pl_buf_addf(b, "a=%s\r\n", pl_desc_direction_str(m->direction));
    write_rtp(b, m);
    write_sctp(b, m);
}

static void write_session(pl_buf *b, const pl_desc *d)
{
    pl_buf_addf(b, "v=0\r\no=%s %llu %llu IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
                d->username ? d->username : "-", (unsigned long long)d->session_id,
                (unsigned long long)d->session_version);
    for (size_t i = 0; i < d->groups.n; i++) {
        const pl_desc_group *g = &d->groups.at[i];
        pl_buf_addf(b, "a=group:%s", g->semantics);
        for (size_t k = 0; k < g->mids.n; k++)
            pl_buf_addf(b, " %s", g->mids.at[k]);
        pl_buf_addf(b, "\r\n");
    }
    if (d->extmap_allow_mixed)
        pl_buf_addf(b, "a=extmap-allow-mixed\r\n");
    if (d->ice_lite)
        pl_buf_addf(b, "a=ice-lite\r\n");
    if (d->msid_semantic)
        pl_buf_addf(b, "a=msid-semantic: %s\r\n", d->msid_semantic);
}

pl_err pl_sdp_write(const pl_desc *d, char **out, size_t *len)
{
    *out = NULL;
    if (pl_desc_err(d))
        return pl_desc_err(d);
    pl_buf b = pl_buf_init(TEXT_MAX);
    write_session(&b, d);
    for (size_t i = 0; i < d->media.n; i++)
        write_media(&b, d, &d->media.at[i]);
    if (len)
        *len = b.n;
    *out = pl_buf_take(&b);
    return *out ? PL_OK : PL_ENOMEM;
}

/* --- trickled candidates ----------------------------------------------------------------------------------
 */

pl_err pl_sdp_candidate_line(pl_str text, pl_str *out, bool *end)
{
    *out = PL_STR("");
    *end = false;
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    text = pl_str_trim(text);
    if (pl_str_starts(text, "a="))
        text = (pl_str){ text.p + 2, text.n - 2 };
    if (text.n == 0 || pl_str_is(text, "end-of-candidates") || pl_str_is(text, "candidate:")) {
        *end = true;
        return PL_OK;
    }
    if (!pl_str_starts(text, "candidate:") || text.n > PL_DESC_TEXT_MAX)
        return PL_EPROTO;
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < ' ')
            return PL_EPROTO;
    }
    *out = text;
    return PL_OK;
}

int pl_sdp_section(const pl_desc *d, const char *mid, int mline)
{
    if (mid)
        return pl_desc_find_mid(d, mid);
    return mline >= 0 && mline < d->media.n ? mline : -1;
}
