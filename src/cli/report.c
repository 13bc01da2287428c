#include "cli/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A number, or null where nothing was measured. */
static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *ms(int64_t us)
{
    return us < 0 ? json_null() : number((double)us / 1000.0);
}

static const pl_stats *by_id(const pl_stats_report *r, const char *id)
{
    for (size_t i = 0; i < r->n; i++) {
        if (id[0] && strcmp(r->stats[i].id, id) == 0)
            return &r->stats[i];
    }
    return NULL;
}

static json_t *setup_of(pl_peer_connection *pc)
{
    pl_setup_times t;
    pl_peer_connection_get_setup_times(pc, &t);
    return json_pack("{so so so so so so}", "gathering", ms(t.gathering_complete_us), "ice",
                     ms(t.ice_connected_us), "dtls", ms(t.dtls_connected_us), "channel",
                     ms(t.channel_open_us), "first_audio", ms(t.first_audio_us), "first_key_frame",
                     ms(t.first_video_us));
}

static json_t *candidate_of(const pl_stats_report *r, const char *id)
{
    const pl_stats *c = by_id(r, id);
    char text[160];
    if (!c)
        return json_null();
    snprintf(text, sizeof text, "%s %s:%u", c->u.candidate.candidate_type, c->u.candidate.address,
             c->u.candidate.port);
    return json_string(text);
}

static json_t *pair_of(const pl_stats_report *r)
{
    const pl_stats *t = pl_stats_find(r, PL_STATS_TRANSPORT, 0);
    const pl_stats *p = t ? by_id(r, t->u.transport.selected_candidate_pair_id) : NULL;
    if (!p)
        return json_null();
    return json_pack("{so so ss so ss ss}", "local", candidate_of(r, p->u.candidate_pair.local_candidate_id),
                     "remote", candidate_of(r, p->u.candidate_pair.remote_candidate_id), "protocol", "udp",
                     "rtt_ms", number(p->u.candidate_pair.current_round_trip_time * 1000), "dtls",
                     t->u.transport.dtls_cipher, "srtp", t->u.transport.srtp_cipher);
}

static const pl_stats *of_kind(const pl_stats_report *r, pl_stats_type type, const char *kind)
{
    for (size_t i = 0; i < r->n; i++) {
        const pl_stats *s = &r->stats[i];
        const char *is = type == PL_STATS_INBOUND_RTP ? s->u.inbound_rtp.kind : s->u.outbound_rtp.kind;
        if (s->type == type && strcmp(is, kind) == 0)
            return s;
    }
    return NULL;
}

/* What audio and video have in common. */
static json_t *stream_of(const pl_stats_report *r, const char *kind, double seconds)
{
    const pl_stats *in = of_kind(r, PL_STATS_INBOUND_RTP, kind),
                   *out = of_kind(r, PL_STATS_OUTBOUND_RTP, kind);
    const pl_stats *codec = NULL;
    json_t *o = json_object();
    if (out)
        codec = by_id(r, out->u.outbound_rtp.codec_id);
    if (!codec && in)
        codec = by_id(r, in->u.inbound_rtp.codec_id);
    json_object_set_new(o, "codec", codec ? json_string(codec->u.codec.mime_type) : json_null());
    json_object_set_new(o, "sent_kbps",
                        out ? number((double)out->u.outbound_rtp.bytes_sent * 8e-3 / seconds) : json_null());
    if (!in)
        return o;
    double lost = (double)in->u.inbound_rtp.packets_lost, got = (double)in->u.inbound_rtp.packets_received;
    json_object_set_new(o, "received_kbps",
                        number((double)in->u.inbound_rtp.bytes_received * 8e-3 / seconds));
    json_object_set_new(o, "packets", json_integer((json_int_t)in->u.inbound_rtp.packets_received));
    json_object_set_new(o, "lost", json_integer((json_int_t)in->u.inbound_rtp.packets_lost));
    json_object_set_new(o, "lost_percent", number(got + lost > 0 ? 100 * lost / (got + lost) : 0));
    json_object_set_new(o, "jitter_ms", number(in->u.inbound_rtp.jitter * 1000));
    return o;
}

static json_t *audio_of(const pl_stats_report *r, pl_media *media, double seconds)
{
    json_t *o = stream_of(r, "audio", seconds);
    const pl_stats *in = of_kind(r, PL_STATS_INBOUND_RTP, "audio");
    pl_media_totals totals = { .received_level_dbov = -127 };
    if (!in)
        return o;
    if (media)
        pl_media_get_totals(media, &totals);
    double samples = (double)in->u.inbound_rtp.total_samples_received;
    double emitted = (double)in->u.inbound_rtp.jitter_buffer_emitted_count;
    double energy = in->u.inbound_rtp.total_audio_energy, heard_s = samples / 48000;
    json_object_set_new(
        o, "concealed_percent",
        number(samples > 0 ? 100 * (double)in->u.inbound_rtp.concealed_samples / samples : 0));
    json_object_set_new(o, "level_dbov",
                        number(energy > 0 && heard_s > 0 ? 10 * log10(energy / heard_s) : -127));
    json_object_set_new(o, "buffer_ms",
                        number(emitted > 0 ? in->u.inbound_rtp.jitter_buffer_delay * 1000 / emitted : 0));
    return o;
}

static json_t *video_of(const pl_stats_report *r, double seconds)
{
    json_t *o = stream_of(r, "video", seconds);
    const pl_stats *in = of_kind(r, PL_STATS_INBOUND_RTP, "video"),
                   *out = of_kind(r, PL_STATS_OUTBOUND_RTP, "video");
    char size[32];
    if (out) {
        json_object_set_new(o, "repeated",
                            json_integer((json_int_t)out->u.outbound_rtp.retransmitted_packets_sent));
        json_object_set_new(o, "frames_encoded",
                            json_integer((json_int_t)out->u.outbound_rtp.frames_encoded));
    }
    if (!in)
        return o;
    snprintf(size, sizeof size, "%ux%u", in->u.inbound_rtp.frame_width, in->u.inbound_rtp.frame_height);
    json_object_set_new(o, "size", json_string(size));
    json_object_set_new(o, "frames", json_integer((json_int_t)in->u.inbound_rtp.frames_decoded));
    json_object_set_new(o, "key_frames", json_integer((json_int_t)in->u.inbound_rtp.key_frames_decoded));
    json_object_set_new(o, "fps", number((double)in->u.inbound_rtp.frames_decoded / seconds));
    json_object_set_new(o, "freezes", json_integer((json_int_t)in->u.inbound_rtp.freeze_count));
    json_object_set_new(o, "freeze_ms", number(in->u.inbound_rtp.total_freezes_duration * 1000));
    json_object_set_new(o, "nacks", json_integer((json_int_t)in->u.inbound_rtp.nack_count));
    json_object_set_new(o, "plis", json_integer((json_int_t)in->u.inbound_rtp.pli_count));
    return o;
}

static double value(const json_t *o, const char *group, const char *name)
{
    const json_t *v = json_object_get(json_object_get(o, group), name);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* A call is good when all that was wanted came, most of it whole. */
static const char *verdict(const json_t *o, const pl_report_conf *conf)
{
    if (conf->failure)
        return conf->failure;
    if (isnan(value(o, "setup_ms", "dtls")))
        return "the connection was not set up";
    if (conf->want_audio && !(value(o, "audio", "packets") > 0))
        return "no audio came";
    if (conf->want_audio && !(value(o, "audio", "level_dbov") > -60))
        return "the audio that came is silent";
    if (conf->want_audio && value(o, "audio", "concealed_percent") > 10)
        return "more than a tenth of the audio had to be concealed";
    if (conf->want_video && !(value(o, "video", "frames") > 0))
        return "no video was decoded";
    if (conf->want_video && value(o, "video", "freeze_ms") > conf->seconds * 200)
        return "the video stood still for more than a fifth of the time";
    return NULL;
}

json_t *pl_report_make(pl_peer_connection *pc, pl_media *media, const pl_report_conf *conf)
{
    pl_stats_report *r;
    double seconds = conf->seconds > 0.001 ? conf->seconds : 0.001;
    json_t *o = json_pack("{ss ss ss sf}", "type", "report", "name", conf->name, "peer", conf->peer,
                          "seconds", conf->seconds);
    if (!o || pl_peer_connection_get_stats(pc, &r))
        return o;
    json_object_set_new(o, "setup_ms", setup_of(pc));
    json_object_set_new(o, "pair", pair_of(r));
    json_object_set_new(o, "audio", audio_of(r, media, seconds));
    json_object_set_new(o, "video", video_of(r, seconds));
    pl_stats_report_free(r);
    const char *why = verdict(o, conf);
    json_object_set_new(o, "good", json_boolean(!why));
    json_object_set_new(o, "reason", why ? json_string(why) : json_null());
    return o;
}

bool pl_report_good(const json_t *report)
{
    return json_is_true(json_object_get(report, "good"));
}

/* ---- for people ---- */

static const char *ink(bool color, const char *code)
{
    return color ? code : "";
}

static void print_number(const char *label, double v, const char *unit, int digits)
{
    if (isnan(v))
        printf("  %-18s %8s\n", label, "-");
    else
        printf("  %-18s %8.*f %s\n", label, digits, v, unit);
}

static void print_text(const char *label, const json_t *v)
{
    printf("  %-18s %s\n", label, json_is_string(v) ? json_string_value(v) : "-");
}

/* Phases as bars on one scale, so that the slow one is seen at once. */
static void print_setup(const json_t *o, bool color)
{
    static const char *const phase[][2] = {
        { "gathering", "gathering" },     { "ice", "ICE connected" },
        { "dtls", "DTLS connected" },     { "channel", "channel open" },
        { "first_audio", "first audio" }, { "first_key_frame", "first key frame" }
    };
    double longest = 1;
    for (size_t i = 0; i < 6; i++)
        longest = fmax(longest, value(o, "setup_ms", phase[i][0])); /* fmax passes over NAN */
    for (size_t i = 0; i < 6; i++) {
        double v = value(o, "setup_ms", phase[i][0]);
        if (isnan(v)) {
            printf("  %-18s %8s\n", phase[i][1], "-");
            continue;
        }
        printf("  %-18s %8.1f ms  %s", phase[i][1], v, ink(color, "\033[36m"));
        for (int k = 0; k <= (int)(v / longest * 30); k++)
            printf("▬");
        printf("%s\n", ink(color, "\033[0m"));
    }
}

static void print_stream(const json_t *o, const char *kind)
{
    print_text("codec", json_object_get(json_object_get(o, kind), "codec"));
    print_number("sent", value(o, kind, "sent_kbps"), "kbit/s", 1);
    print_number("received", value(o, kind, "received_kbps"), "kbit/s", 1);
    print_number("lost", value(o, kind, "lost_percent"), "%", 2);
    print_number("jitter", value(o, kind, "jitter_ms"), "ms", 2);
}

void pl_report_print(const json_t *o, bool color)
{
    const char *bold = ink(color, "\033[1m"), *dim = ink(color, "\033[2m"), *off = ink(color, "\033[0m");
    const json_t *pair = json_object_get(o, "pair");
    bool good = pl_report_good(o);
    printf("%s%s, in a call with %s%s %s(%.1f s)%s\n", bold, json_string_value(json_object_get(o, "name")),
           json_string_value(json_object_get(o, "peer")), off, dim,
           json_number_value(json_object_get(o, "seconds")), off);
    printf(" %ssetting up%s\n", dim, off);
    print_setup(o, color);
    printf(" %spath%s\n", dim, off);
    print_text("local", json_object_get(pair, "local"));
    print_text("remote", json_object_get(pair, "remote"));
    print_number("round trip", value(o, "pair", "rtt_ms"), "ms", 2);
    printf(" %saudio%s\n", dim, off);
    print_stream(o, "audio");
    print_number("concealed", value(o, "audio", "concealed_percent"), "%", 2);
    print_number("level", value(o, "audio", "level_dbov"), "dBov", 1);
    print_number("jitter buffer", value(o, "audio", "buffer_ms"), "ms", 1);
    printf(" %svideo%s\n", dim, off);
    print_stream(o, "video");
    print_text("picture", json_object_get(json_object_get(o, "video"), "size"));
    print_number("frames", value(o, "video", "frames"), "", 0);
    print_number("key frames", value(o, "video", "key_frames"), "", 0);
    print_number("frame rate", value(o, "video", "fps"), "/s", 1);
    print_number("freezes", value(o, "video", "freezes"), "", 0);
    if (good)
        printf(" %s✔ good%s\n\n", ink(color, "\033[32m"), off);
    else
        printf(" %s✘ %s%s\n\n", ink(color, "\033[31m"), json_string_value(json_object_get(o, "reason")), off);
}
