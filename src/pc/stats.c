/* stats.c - getStats: one snapshot of every room under the W3C's names. */
#include "pc/pc_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct builder {
    pl_stats_report *report;
    size_t cap;
    double timestamp;
    bool bad;
} builder;

static pl_stats *add(builder *b, pl_stats_type type, const char *fmt, ...) PL_PRINTF(3, 4);
static pl_stats *add(builder *b, pl_stats_type type, const char *fmt, ...)
{
    static pl_stats nowhere; /* without memory the numbers go here, and the caller hears PL_ENOMEM */
    pl_stats_report *r = b->report;
    if (r->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 16;
        pl_stats *more = realloc(r->stats, cap * sizeof *more);
        if (!more) {
            b->bad = true;
            return &nowhere;
        }
        r->stats = more;
        b->cap = cap;
    }
    pl_stats *s = &r->stats[r->n++];
    memset(s, 0, sizeof *s);
    s->type = type;
    s->timestamp = b->timestamp;
    va_list args;
    va_start(args, fmt);
    vsnprintf(s->id, sizeof s->id, fmt, args);
    va_end(args);
    return s;
}

/* What is too long is cut, between two characters: the report goes out as JSON, which is UTF-8. */
static void text(char *out, size_t cap, const char *in)
{
    size_t n = in ? strlen(in) : 0;
    if (n >= cap) {
        for (n = cap - 1; n > 0 && ((unsigned char)in[n] & 0xc0) == 0x80;)
            n--;
    }
    if (n)
        memcpy(out, in, n);
    out[n] = 0;
}

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

static void add_transport(const pl_pc *pc, builder *b)
{
    pl_stats *s = add(b, PL_STATS_TRANSPORT, "T01");
    pl_dtls_info info = { 0 };
    pl_ice_pair_info pair;
    s->u.transport.packets_sent = pc->packets_sent;
    s->u.transport.packets_received = pc->packets_received;
    s->u.transport.bytes_sent = pc->bytes_sent;
    s->u.transport.bytes_received = pc->bytes_received;
    if (pc->dtls)
        pl_dtls_get_info(pc->dtls, &info);
    text(s->u.transport.dtls_state, sizeof s->u.transport.dtls_state,
         pl_dtls_state_str(pc->dtls ? pl_dtls_get_state(pc->dtls) : PL_DTLS_NEW));
    text(s->u.transport.dtls_role, sizeof s->u.transport.dtls_role,
         !pc->has_role                ? "unknown"
         : pc->role == PL_DTLS_CLIENT ? "client"
                                      : "server");
    text(s->u.transport.dtls_cipher, sizeof s->u.transport.dtls_cipher, info.cipher);
    text(s->u.transport.srtp_cipher, sizeof s->u.transport.srtp_cipher,
         pl_srtp_profile_str(pc->srtp_profile));
    if (info.version)
        snprintf(s->u.transport.tls_version, sizeof s->u.transport.tls_version, "%04X", info.version);
    text(s->u.transport.ice_state, sizeof s->u.transport.ice_state,
         pl_ice_connection_state_str(pl_pc_ice_state(pc)));
    if (!pc->ice)
        return;
    text(s->u.transport.ice_role, sizeof s->u.transport.ice_role,
         pl_ice_is_controlling(pc->ice) ? "controlling" : "controlled");
    text(s->u.transport.ice_local_username_fragment, sizeof s->u.transport.ice_local_username_fragment,
         pl_ice_ufrag(pc->ice));
    s->u.transport.selected_candidate_pair_changes = (uint32_t)pl_ice_get_counters(pc->ice)->selected_changes;
    if (pl_ice_get_selected_pair(pc->ice, &pair))
        snprintf(s->u.transport.selected_candidate_pair_id, PL_STATS_ID_MAX, "CP%u", pair.id);
}

static void add_certificates(const pl_pc *pc, builder *b)
{
    char hex[PL_FINGERPRINT_TEXT_MAX];
    pl_dtls_info info = { 0 };
    const pl_fingerprint *fp[2] = { pl_cert_fingerprint(pl_dtls_ctx_cert(pc->conf.dtls_ctx)), NULL };
    if (pc->dtls) {
        pl_dtls_get_info(pc->dtls, &info);
        fp[1] = info.remote.alg ? &info.remote : NULL;
    }
    for (int i = 0; i < 2; i++) {
        if (!fp[i])
            continue;
        pl_stats *s = add(b, PL_STATS_CERTIFICATE, i ? "CFremote" : "CFlocal");
        text(s->u.certificate.fingerprint, sizeof s->u.certificate.fingerprint,
             pl_fingerprint_hex(fp[i], hex));
        text(s->u.certificate.fingerprint_algorithm, sizeof s->u.certificate.fingerprint_algorithm,
             pl_hash_alg_str(fp[i]->alg));
    }
}

static void add_candidates(const pl_pc *pc, builder *b)
{
    pl_ice_cand_info info[PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX];
    size_t n = pl_ice_get_candidates(pc->ice, info, PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX);
    char ip[PL_ADDR_TEXT_MAX];
    for (size_t i = 0; i < n; i++) {
        const pl_ice_cand_info *c = &info[i];
        pl_stats *s = add(b, c->remote ? PL_STATS_REMOTE_CANDIDATE : PL_STATS_LOCAL_CANDIDATE, "C%u", c->id);
        text(s->u.candidate.address, sizeof s->u.candidate.address,
             c->addr.family ? pl_addr_ip_str(&c->addr, ip) : "");
        text(s->u.candidate.protocol, sizeof s->u.candidate.protocol, c->proto == PL_TCP ? "tcp" : "udp");
        text(s->u.candidate.candidate_type, sizeof s->u.candidate.candidate_type, pl_ice_type_str(c->type));
        text(s->u.candidate.foundation, sizeof s->u.candidate.foundation, c->foundation);
        s->u.candidate.port = c->addr.port;
        s->u.candidate.priority = c->priority;
        text(s->u.candidate.tcp_type, sizeof s->u.candidate.tcp_type,
             pl_ice_tcptype_str((pl_ice_tcptype)c->tcptype));
        text(s->u.candidate.relay_protocol, sizeof s->u.candidate.relay_protocol,
             pl_ice_relay_proto_str((pl_ice_relay_proto)c->relay_proto));
        text(s->u.candidate.url, sizeof s->u.candidate.url, c->url);
        text(s->u.candidate.related_address, sizeof s->u.candidate.related_address,
             c->related.family ? pl_addr_ip_str(&c->related, ip) : "");
        s->u.candidate.related_port = c->related.port;
    }
}

static void add_pairs(const pl_pc *pc, builder *b)
{
    pl_ice_pair_info info[PL_ICE_PAIRS_MAX];
    size_t n = pl_ice_get_pairs(pc->ice, info, PL_ICE_PAIRS_MAX);
    for (size_t i = 0; i < n; i++) {
        const pl_ice_pair_info *p = &info[i];
        pl_stats *s = add(b, PL_STATS_CANDIDATE_PAIR, "CP%u", p->id);
        snprintf(s->u.candidate_pair.local_candidate_id, PL_STATS_ID_MAX, "C%u", p->local_id);
        snprintf(s->u.candidate_pair.remote_candidate_id, PL_STATS_ID_MAX, "C%u", p->remote_id);
        text(s->u.candidate_pair.state, sizeof s->u.candidate_pair.state, pl_ice_pair_state_str(p->state));
        s->u.candidate_pair.nominated = p->nominated;
        s->u.candidate_pair.selected = p->selected;
        s->u.candidate_pair.packets_sent = p->packets_sent;
        s->u.candidate_pair.packets_received = p->packets_received;
        s->u.candidate_pair.bytes_sent = p->bytes_sent;
        s->u.candidate_pair.bytes_received = p->bytes_received;
        s->u.candidate_pair.current_round_trip_time = seconds(p->rtt_us);
        s->u.candidate_pair.total_round_trip_time = seconds(p->total_rtt_us);
        s->u.candidate_pair.requests_sent = p->requests_sent;
        s->u.candidate_pair.requests_received = p->requests_received;
        s->u.candidate_pair.responses_sent = p->responses_sent;
        s->u.candidate_pair.responses_received = p->responses_received;
        s->u.candidate_pair.consent_requests_sent = p->consent_requests_sent;
        if (p->selected && pc->media)
            s->u.candidate_pair.available_outgoing_bitrate = (double)pc->media->rate_bps;
    }
}

static void fill_codec(pl_stats *s, const char *kind, const pl_negotiated_codec *c)
{
    s->u.codec.payload_type = c->pt;
    s->u.codec.clock_rate = c->codec->clock_hz;
    s->u.codec.channels = c->codec->channels;
    snprintf(s->u.codec.mime_type, sizeof s->u.codec.mime_type, "%s/%s", kind, c->codec->name);
    text(s->u.codec.sdp_fmtp_line, sizeof s->u.codec.sdp_fmtp_line, c->codec->fmtp);
}

/* What may come, and what we send. Ids end in the payload type, as inbound-rtp and outbound-rtp name them. */
static void add_codecs(const pl_pc *pc, const pc_transceiver *t, builder *b)
{
    const char *kind = t->kind == PL_AUDIO ? "audio" : "video";
    pl_jsep_media m;
    if (!t->j || !pl_jsep_negotiated(pc->jsep, t->j, &m))
        return;
    for (size_t i = 0; i < m.n_recv; i++) {
        if (!pl_desc_codec_is_helper(m.recv_codec[i].codec))
            fill_codec(add(b, PL_STATS_CODEC, "CI%d_%u", t->index, m.recv_codec[i].pt), kind,
                       &m.recv_codec[i]);
    }
    for (size_t i = 0; i < m.n_send; i++) {
        if (m.send_codec[i].pt == t->info.send_pt && !pl_desc_codec_is_helper(m.send_codec[i].codec))
            fill_codec(add(b, PL_STATS_CODEC, "CO%d_%u", t->index, m.send_codec[i].pt), kind,
                       &m.send_codec[i]);
    }
}

static void fill_engine(pl_stats *s, const pl_media_stats *e)
{
    s->u.inbound_rtp.frames_decoded = e->frames_decoded;
    s->u.inbound_rtp.key_frames_decoded = e->key_frames_decoded;
    s->u.inbound_rtp.frames_dropped = e->frames_dropped;
    s->u.inbound_rtp.freeze_count = e->freeze_count;
    s->u.inbound_rtp.total_freezes_duration = seconds((int64_t)e->total_freezes_us);
    s->u.inbound_rtp.total_decode_time = seconds((int64_t)e->total_decode_us);
    s->u.inbound_rtp.frames_per_second = e->frames_per_second;
    s->u.inbound_rtp.frame_width = e->frame_width;
    s->u.inbound_rtp.frame_height = e->frame_height;
    s->u.inbound_rtp.total_samples_received = e->total_samples_received;
    s->u.inbound_rtp.concealed_samples = e->concealed_samples;
    s->u.inbound_rtp.silent_concealed_samples = e->silent_concealed_samples;
    s->u.inbound_rtp.concealment_events = e->concealment_events;
    s->u.inbound_rtp.inserted_samples_for_deceleration = e->inserted_samples_for_deceleration;
    s->u.inbound_rtp.removed_samples_for_acceleration = e->removed_samples_for_acceleration;
    s->u.inbound_rtp.jitter_buffer_delay = seconds((int64_t)e->jitter_buffer_delay_us);
    s->u.inbound_rtp.jitter_buffer_target_delay = seconds((int64_t)e->jitter_buffer_target_delay_us);
    s->u.inbound_rtp.jitter_buffer_emitted_count = e->jitter_buffer_emitted_count;
    s->u.inbound_rtp.audio_level = e->audio_level;
    s->u.inbound_rtp.total_audio_energy = e->total_audio_energy;
}

static void add_inbound(const pl_pc *pc, const pc_transceiver *t, const pc_stream *m, builder *b)
{
    const char *kind = t->kind == PL_AUDIO ? "audio" : "video";
    const pl_rtp_source *src = &m->source;
    pl_stats *s = add(b, PL_STATS_INBOUND_RTP, "IT%u", m->ssrc);
    fill_engine(s, &t->recv_stats);
    s->u.inbound_rtp.ssrc = m->ssrc;
    text(s->u.inbound_rtp.kind, sizeof s->u.inbound_rtp.kind, kind);
    text(s->u.inbound_rtp.mid, sizeof s->u.inbound_rtp.mid, t->info.mid);
    snprintf(s->u.inbound_rtp.codec_id, PL_STATS_ID_MAX, "CI%d_%u", t->index, m->pt);
    s->u.inbound_rtp.packets_received = src->packets_received;
    s->u.inbound_rtp.bytes_received = src->bytes_received;
    s->u.inbound_rtp.header_bytes_received = src->header_bytes_received;
    s->u.inbound_rtp.retransmitted_packets_received = src->retransmitted_packets_received;
    s->u.inbound_rtp.retransmitted_bytes_received = src->retransmitted_bytes_received;
    s->u.inbound_rtp.packets_lost = pl_rtp_source_lost(src);
    s->u.inbound_rtp.packets_discarded = m->discarded;
    s->u.inbound_rtp.jitter = pl_rtp_source_jitter_s(src);
    s->u.inbound_rtp.nack_count = m->nack_count;
    s->u.inbound_rtp.pli_count = m->pli_count;
    s->u.inbound_rtp.fir_count = m->fir_count;
    if (src->last_packet_received_us)
        s->u.inbound_rtp.last_packet_received_timestamp =
            (double)(src->last_packet_received_us + pc->conf.wall_offset_us) / 1000.0;
    if (!src->has_sr)
        return;
    snprintf(s->u.inbound_rtp.remote_id, PL_STATS_ID_MAX, "RO%u", m->ssrc);
    pl_stats *r = add(b, PL_STATS_REMOTE_OUTBOUND_RTP, "RO%u", m->ssrc);
    r->u.remote_outbound_rtp.ssrc = m->ssrc;
    text(r->u.remote_outbound_rtp.kind, sizeof r->u.remote_outbound_rtp.kind, kind);
    snprintf(r->u.remote_outbound_rtp.local_id, PL_STATS_ID_MAX, "IT%u", m->ssrc);
    r->u.remote_outbound_rtp.packets_sent = src->sr.n_packets;
    r->u.remote_outbound_rtp.bytes_sent = src->sr.n_octets;
    r->u.remote_outbound_rtp.reports_sent = src->n_sr;
    r->u.remote_outbound_rtp.remote_timestamp = (double)pl_ntp_to_us(src->sr.ntp) / 1000.0;
}

static void add_outbound(const pc_transceiver *t, builder *b)
{
    const char *kind = t->kind == PL_AUDIO ? "audio" : "video";
    const pl_rtp_sender *snd = &t->sender;
    pl_stats *s = add(b, PL_STATS_OUTBOUND_RTP, "OT%u", t->ssrc);
    s->u.outbound_rtp.ssrc = t->ssrc;
    s->u.outbound_rtp.rtx_ssrc = t->rtx_pt >= 0 ? t->rtx.ssrc : 0;
    text(s->u.outbound_rtp.kind, sizeof s->u.outbound_rtp.kind, kind);
    text(s->u.outbound_rtp.mid, sizeof s->u.outbound_rtp.mid, t->info.mid);
    snprintf(s->u.outbound_rtp.codec_id, PL_STATS_ID_MAX, "CO%d_%u", t->index, t->info.send_pt);
    s->u.outbound_rtp.packets_sent = snd->packets_sent;
    s->u.outbound_rtp.bytes_sent = snd->bytes_sent;
    s->u.outbound_rtp.header_bytes_sent = snd->header_bytes_sent;
    s->u.outbound_rtp.retransmitted_packets_sent = snd->retransmitted_packets_sent;
    s->u.outbound_rtp.retransmitted_bytes_sent = snd->retransmitted_bytes_sent;
    s->u.outbound_rtp.nack_count = t->nack_count;
    s->u.outbound_rtp.pli_count = t->pli_count;
    s->u.outbound_rtp.fir_count = t->fir_count;
    s->u.outbound_rtp.target_bitrate = (double)t->rate_told_bps;
    s->u.outbound_rtp.frames_encoded = t->send_stats.frames_encoded;
    s->u.outbound_rtp.key_frames_encoded = t->send_stats.key_frames_encoded;
    s->u.outbound_rtp.total_encode_time = seconds((int64_t)t->send_stats.total_encode_us);
    s->u.outbound_rtp.frames_per_second = t->send_stats.frames_per_second;
    s->u.outbound_rtp.frame_width = t->send_stats.frame_width;
    s->u.outbound_rtp.frame_height = t->send_stats.frame_height;
    if (!snd->reported)
        return;
    snprintf(s->u.outbound_rtp.remote_id, PL_STATS_ID_MAX, "RI%u", t->ssrc);
    pl_stats *r = add(b, PL_STATS_REMOTE_INBOUND_RTP, "RI%u", t->ssrc);
    r->u.remote_inbound_rtp.ssrc = t->ssrc;
    text(r->u.remote_inbound_rtp.kind, sizeof r->u.remote_inbound_rtp.kind, kind);
    snprintf(r->u.remote_inbound_rtp.local_id, PL_STATS_ID_MAX, "OT%u", t->ssrc);
    r->u.remote_inbound_rtp.packets_lost = snd->remote.lost;
    r->u.remote_inbound_rtp.fraction_lost = snd->remote.fraction_lost / 256.0;
    r->u.remote_inbound_rtp.jitter = snd->clock_rate ? (double)snd->remote.jitter / snd->clock_rate : 0;
    r->u.remote_inbound_rtp.round_trip_time = seconds(snd->rtt_us);
    r->u.remote_inbound_rtp.total_round_trip_time = seconds(snd->total_rtt_us);
    r->u.remote_inbound_rtp.round_trip_time_measurements = snd->n_rtt;
}

static void add_media(const pl_pc *pc, builder *b)
{
    for (int i = 0; i < pc->n_t; i++) {
        const pc_transceiver *t = pc->t[i];
        add_codecs(pc, t, b);
        for (const pc_stream *s = t->streams; s; s = s->next) {
            if (!s->is_rtx)
                add_inbound(pc, t, s, b);
        }
        if (t->sender.started)
            add_outbound(t, b);
    }
}

static void add_channels(const pl_pc *pc, builder *b)
{
    for (const pl_channel *c = NULL; (c = pl_data_next(pc->data, c));) {
        pl_channel_stats numbers;
        pl_channel_get_stats(c, &numbers);
        pl_stats *s = add(b, PL_STATS_DATA_CHANNEL, "D%u", numbers.number);
        text(s->u.data_channel.label, sizeof s->u.data_channel.label, pl_channel_label(c, NULL));
        text(s->u.data_channel.protocol, sizeof s->u.data_channel.protocol, pl_channel_params(c)->protocol);
        text(s->u.data_channel.state, sizeof s->u.data_channel.state,
             pl_data_channel_state_str(pl_channel_state(c)));
        s->u.data_channel.data_channel_identifier = pl_channel_id(c);
        s->u.data_channel.messages_sent = numbers.messages_sent;
        s->u.data_channel.bytes_sent = numbers.bytes_sent;
        s->u.data_channel.messages_received = numbers.messages_received;
        s->u.data_channel.bytes_received = numbers.bytes_received;
    }
}

pl_err pl_pc_get_stats(pl_pc *pc, int64_t now_us, pl_stats_report **out)
{
    *out = NULL;
    builder b = { .report = calloc(1, sizeof *b.report) };
    if (!b.report)
        return PL_ENOMEM;
    b.timestamp = (double)(now_us + pc->conf.wall_offset_us) / 1000.0;
    pl_stats *s = add(&b, PL_STATS_PEER_CONNECTION, "P");
    if (pc->data) {
        pl_data_stats d;
        pl_data_get_stats(pc->data, &d);
        s->u.peer_connection.data_channels_opened = (uint32_t)d.channels_opened;
        s->u.peer_connection.data_channels_closed = (uint32_t)d.channels_closed;
    }
    add_transport(pc, &b);
    add_certificates(pc, &b);
    if (pc->ice) {
        add_candidates(pc, &b);
        add_pairs(pc, &b);
    }
    add_media(pc, &b);
    if (pc->data)
        add_channels(pc, &b);
    if (b.bad) {
        pl_stats_report_free(b.report);
        return PL_ENOMEM;
    }
    *out = b.report;
    return PL_OK;
}
