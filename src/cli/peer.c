/* peer - one end of a call for scripts and tests: JSON Lines in, JSON Lines out. Uses the public interface on
 * a loop of its own, so that everything but the media threads happens in one thread. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ice_options.h"
#include "cli/lines.h"
#include "cli/options.h"
#include "cli/peer_line.h"
#include "crypto/base64.h"
#include "net/loop.h"
#include "peerline/media.h"
#include "peerline/peer_connection.h"

enum { CHANNELS_MAX = 256, LINGER_US = 300000 };

static struct {
    bool offer, answer, echo, no_trickle, stats, no_loopback;
    const char *audio, *video, *data, *record_audio, *record_video, *setup, *video_codec, *audio_codec;
    pl_ice_options ice;
    double duration_s;
} opt = { .audio = "none",
          .video = "none",
          .ice.policy = "all",
          .setup = "actpass",
          .video_codec = "VP8",
          .audio_codec = "opus" };

static struct {
    pl_loop *loop;
    pl_factory_conf factory_conf; /* from the options */
    pl_configuration conf;
    pl_factory *factory;
    pl_peer_connection *pc;
    pl_media *media;
    pl_data_channel *channel[CHANNELS_MAX];
    size_t n_channels;
    pl_lines in;
    bool connected, ignore_offer, done, failed, description_due, ready;
    int64_t end_us, stats_us;
} me;

/* ---- out ---- */

static void say(json_t *object)
{
    if (object)
        pl_lines_print(object);
}

static void say_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say_error(const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    say(json_pack("{ss ss}", "type", "error", "message", text));
}

static void say_call_error(const char *what, pl_err err)
{
    char why[256];
    pl_peer_connection_error_text(me.pc, why, sizeof why);
    say_error("%s: %s", what, why[0] ? why : pl_err_str(err));
}

static void say_description(void)
{
    pl_sdp_type type;
    char *sdp;
    if (pl_peer_connection_local_description(me.pc, &type, &sdp) || !sdp)
        return;
    me.description_due = false;
    say(json_pack("{ss ss}", "type", pl_sdp_type_str(type), "sdp", sdp));
    pl_free(sdp);
}

/* With --no-trickle a description is said once all its candidates are in it. */
static void description_set(void)
{
    me.description_due = true;
    if (!opt.no_trickle || pl_peer_connection_get_ice_gathering_state(me.pc) == PL_ICE_GATHERING_COMPLETE)
        say_description();
}

static void finish(bool failed)
{
    me.done = true;
    me.failed |= failed;
}

/* ---- channels ---- */

static void say_channel(pl_data_channel *c, const char *state)
{
    say(json_pack("{ss ss ss}", "type", "channel", "label", pl_data_channel_label(c), "state", state));
}

static void on_open(void *user, pl_data_channel *c)
{
    (void)user;
    say_channel(c, "open");
}

static void on_close(void *user, pl_data_channel *c)
{
    (void)user;
    say_channel(c, "closed");
    for (size_t i = 0; i < me.n_channels; i++) {
        if (me.channel[i] == c)
            me.channel[i] = me.channel[--me.n_channels];
    }
    pl_data_channel_free(c);
}

static void on_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    (void)user;
    json_t *o = json_pack("{ss ss}", "type", "message", "label", pl_data_channel_label(c));
    if (binary) {
        char *text = malloc(PL_BASE64_LEN(len) + 1);
        if (text)
            pl_base64_encode(data, len, text);
        json_object_set_new(o, "base64", json_string(text ? text : ""));
        free(text);
    } else {
        json_t *text = json_stringn((const char *)data, len);
        json_object_set_new(o, "data",
                            text ? text : json_string("")); /* not UTF-8: the peer broke RFC 8831 */
    }
    say(o);
    if (opt.echo) {
        pl_err err = pl_data_channel_send(c, data, len, binary);
        if (err)
            say_error("echo on \"%s\": %s", pl_data_channel_label(c), pl_err_str(err));
    }
}

static const pl_data_channel_observer channel_observer = { .on_open = on_open,
                                                           .on_message = on_message,
                                                           .on_close = on_close };

static void keep_channel(pl_data_channel *c)
{
    if (me.n_channels == CHANNELS_MAX) {
        say_error("more than %d channels: \"%s\" is closed", CHANNELS_MAX, pl_data_channel_label(c));
        pl_data_channel_free(c);
        return;
    }
    me.channel[me.n_channels++] = c;
}

static void on_data_channel(void *user, pl_data_channel *c)
{
    (void)user;
    pl_data_channel_set_observer(c, &channel_observer);
    keep_channel(c);
}

/* ---- connection ---- */

static void say_state(void)
{
    pl_ice_connection_state ice = pl_peer_connection_get_ice_connection_state(me.pc);
    pl_peer_connection_state connection = pl_peer_connection_get_connection_state(me.pc);
    say(json_pack("{ss ss ss}", "type", "state", "ice", pl_ice_connection_state_str(ice), "connection",
                  pl_peer_connection_state_str(connection)));
}

static void on_ice(void *user, pl_ice_connection_state state)
{
    (void)user, (void)state;
    say_state();
}

static void on_connection(void *user, pl_peer_connection_state state, const char *reason)
{
    (void)user;
    say_state();
    if (state == PL_CONNECTION_CONNECTED)
        me.connected = true;
    if (state == PL_CONNECTION_FAILED) {
        say_error("%s", reason);
        finish(true);
    }
    if (state == PL_CONNECTION_DISCONNECTED && reason[0])
        finish(false); /* the peer hung up */
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    (void)user;
    if (opt.no_trickle)
        return;
    say(json_pack("{ss ss ss si ss}", "type", "candidate", "candidate", c->candidate, "sdpMid", c->sdp_mid,
                  "sdpMLineIndex", c->sdp_mline_index, "usernameFragment", c->username_fragment));
}

static void on_candidate_error(void *user, const pl_ice_candidate_error *e)
{
    (void)user;
    say(json_pack("{ss ss ss si si ss}", "type", "candidate-error", "url", e->url, "address", e->address,
                  "port", e->port, "errorCode", e->error_code, "errorText", e->error_text));
}

static void on_gathering(void *user, pl_ice_gathering_state state)
{
    (void)user;
    if (state == PL_ICE_GATHERING_COMPLETE && me.description_due)
        say_description();
}

static void make_offer(void)
{
    pl_err err = pl_peer_connection_set_local_description(me.pc, PL_SDP_OFFER, NULL);
    if (err)
        say_call_error("offer", err);
    else
        description_set();
}

/* The first offer is made by --offer alone; later ones by whoever needs them. */
static void on_negotiation_needed(void *user)
{
    (void)user;
    if (me.ready || opt.offer)
        make_offer();
}

static void on_track(void *user, pl_rtp_transceiver *t)
{
    (void)user;
    pl_err err = pl_media_attach(me.media, t);
    if (err && err != PL_ESTATE) /* a second track of a kind is received by nobody */
        say_error("media: %s", pl_err_str(err));
}

/* ---- in ---- */

static void take_description(const pl_peer_line *line)
{
    pl_sdp_type type = line->sdp_type;
    /* Perfect negotiation: the answerer is the polite one. */
    me.ignore_offer = type == PL_SDP_OFFER && opt.offer &&
                      pl_peer_connection_get_signaling_state(me.pc) == PL_SIGNALING_HAVE_LOCAL_OFFER;
    if (me.ignore_offer) {
        say_error("an offer came while ours is open: it is ignored");
        return;
    }
    pl_err err = pl_peer_connection_set_remote_description(me.pc, type, line->sdp);
    if (err) {
        say_call_error(pl_sdp_type_str(type), err);
        return;
    }
    me.ready = true;
    if (type != PL_SDP_OFFER)
        return;
    err = pl_peer_connection_set_local_description(me.pc, PL_SDP_ANSWER, NULL);
    if (err)
        say_call_error("answer", err);
    else
        description_set();
}

static void take_candidate(const pl_peer_line *line)
{
    pl_err err = pl_peer_connection_add_ice_candidate(me.pc, &line->candidate);
    if (err && !me.ignore_offer) /* those of an offer that was ignored fit nowhere */
        say_call_error("candidate", err);
}

static pl_data_channel *find_channel(const char *label)
{
    for (size_t i = 0; i < me.n_channels; i++) {
        if (!label || strcmp(pl_data_channel_label(me.channel[i]), label) == 0)
            return me.channel[i];
    }
    return NULL;
}

/* What is wrong with the line itself is told after its channel was found. */
static void take_send(const pl_peer_line *line)
{
    pl_data_channel *c = find_channel(line->label);
    if (!c) {
        say_error("there is no channel \"%s\"", line->label ? line->label : "");
        return;
    }
    if (line->error[0]) {
        say_error("%s", line->error);
        return;
    }
    pl_err err = pl_data_channel_send(c, line->data, line->len, line->binary);
    if (err)
        say_error("send on \"%s\": %s", pl_data_channel_label(c), pl_err_str(err));
}

static void take_line(void *user, char *text, size_t len)
{
    pl_peer_line line;
    (void)user;
    pl_err err = pl_peer_line_parse(&line, text, len);
    if (err && line.kind != PL_PEER_LINE_SEND) {
        say_error("%s", line.error);
        line.kind = PL_PEER_LINE_NONE;
    }
    switch (line.kind) {
    case PL_PEER_LINE_NONE: break;
    case PL_PEER_LINE_DESCRIPTION: take_description(&line); break;
    case PL_PEER_LINE_CANDIDATE: take_candidate(&line); break;
    case PL_PEER_LINE_SEND: take_send(&line); break;
    case PL_PEER_LINE_RESTART_ICE: pl_peer_connection_restart_ice(me.pc); break;
    case PL_PEER_LINE_CLOSE: finish(false); break;
    }
    pl_peer_line_clear(&line);
}

static void overlong(void *user)
{
    (void)user;
    say_error("a line is longer than %d bytes: it is skipped", PL_LINE_MAX);
}

/* ---- statistics ---- */

static void say_stats(void)
{
    pl_stats_report *report;
    if (pl_peer_connection_get_stats(me.pc, &report))
        return;
    char *text = pl_stats_report_json(report);
    json_t *list = text ? json_loads(text, 0, NULL) : NULL;
    json_t *o = json_pack("{ss so*}", "type", "stats", "stats", list);
    if (opt.audio || opt.record_audio) {
        pl_media_totals t;
        pl_media_get_totals(me.media, &t);
        json_object_set_new(o, "receivedToneHz", json_real(t.received_tone_hz));
        json_object_set_new(o, "receivedLevelDbov", json_real(t.received_level_dbov));
        json_object_set_new(o, "videoFramesRecorded", json_integer((json_int_t)t.video_frames_recorded));
    }
    say(o);
    pl_free(text);
    pl_stats_report_free(report);
}

/* ---- the run ---- */

static bool is_none(const char *source)
{
    return strcmp(source, "none") == 0;
}

static pl_err add_media(pl_media_type kind, const char *source, const char *record, const char *codec)
{
    pl_transceiver_init init = { .stream_id = "peerline", .preferred_codec = codec };
    pl_rtp_transceiver *t;
    pl_err err;
    if (!is_none(source)) {
        err = pl_peer_connection_add_track(me.pc, kind, &init, &t);
    } else if (record && opt.offer) {
        init.direction = PL_RECVONLY;
        err = pl_peer_connection_add_transceiver(me.pc, kind, &init, &t);
    } else {
        return PL_OK;
    }
    return err ? err : pl_media_attach(me.media, t);
}

static pl_err add_all(void)
{
    const char *label = opt.data;
    if (opt.offer && !label && is_none(opt.audio) && is_none(opt.video) && !opt.record_audio &&
        !opt.record_video)
        label = "data"; /* an offer must offer something */
    pl_err err = add_media(PL_AUDIO, opt.audio, opt.record_audio, opt.audio_codec);
    if (!err)
        err = add_media(PL_VIDEO, opt.video, opt.record_video, opt.video_codec);
    if (err || !label)
        return err;
    pl_data_channel *c;
    err = pl_peer_connection_create_data_channel(me.pc, label, NULL, &channel_observer, &c);
    if (!err)
        keep_channel(c);
    return err;
}

static int refuse(pl_err err, const char *what)
{
    pl_complain(&pl_cmd_peer, "%s: %s", what, pl_err_str(err));
    return err == PL_EINVAL || err == PL_ENOTSUP ? PL_EXIT_USAGE : PL_EXIT_FAILED;
}

static int check_options(void)
{
    if (opt.offer == opt.answer) {
        pl_complain(&pl_cmd_peer, "say either --offer or --answer");
        return PL_EXIT_USAGE;
    }
    if (strcmp(opt.video_codec, "VP8") != 0) {
        pl_complain(&pl_cmd_peer, "--video-codec %s is not built yet; VP8 is", opt.video_codec);
        return PL_EXIT_USAGE;
    }
    if (strcmp(opt.audio_codec, "G722") == 0) {
        pl_complain(&pl_cmd_peer, "--audio-codec G722 is not built yet; opus, PCMU and PCMA are");
        return PL_EXIT_USAGE;
    }
    bool ok = pl_ice_options_factory(&opt.ice, &pl_cmd_peer, &me.factory_conf) &&
              pl_ice_options_connection(&opt.ice, &pl_cmd_peer, &me.conf);
    return ok ? PL_EXIT_OK : PL_EXIT_USAGE;
}

static int open_connection(void)
{
    static const pl_peer_connection_observer observer = { .on_negotiation_needed = on_negotiation_needed,
                                                          .on_ice_gathering_state = on_gathering,
                                                          .on_ice_candidate = on_candidate,
                                                          .on_ice_candidate_error = on_candidate_error,
                                                          .on_ice_connection_state = on_ice,
                                                          .on_connection_state = on_connection,
                                                          .on_data_channel = on_data_channel,
                                                          .on_track = on_track };
    me.conf.dtls_setup = strcmp(opt.setup, "active") == 0    ? PL_SETUP_ACTIVE
                         : strcmp(opt.setup, "passive") == 0 ? PL_SETUP_PASSIVE
                                                             : PL_SETUP_ACTPASS;
    me.factory_conf.loop = me.loop;
    me.factory_conf.loopback = !opt.no_loopback;
    pl_err err = pl_factory_new(&me.factory, &me.factory_conf);
    if (err)
        return refuse(err, "no network, or a file of certificates that cannot be read");
    err = pl_peer_connection_new(&me.pc, me.factory, &me.conf, &observer);
    if (err)
        return refuse(err, "the connection cannot be made");
    err = add_all();
    return err ? refuse(err, "media or data cannot be added") : PL_EXIT_OK;
}

static int open_media(void)
{
    char why[256] = "";
    pl_media_conf conf = { .audio_source = opt.audio,
                           .video_source = opt.video,
                           .record_audio = opt.record_audio,
                           .record_video = opt.record_video };
    pl_err err = pl_media_new(&me.media, &conf, why, sizeof why);
    return err ? refuse(err, why[0] ? why : "media") : PL_EXIT_OK;
}

static void check_clock(void)
{
    int64_t now_us = pl_clock_us();
    if (opt.stats && now_us >= me.stats_us) {
        me.stats_us = now_us + PL_SEC(1);
        say_stats();
    }
    if (now_us >= me.end_us)
        finish(!me.connected);
}

static void linger(void)
{
    int64_t until_us = pl_clock_us() + LINGER_US;
    for (int64_t left_us; (left_us = until_us - pl_clock_us()) > 0;) {
        if (pl_loop_run_once(me.loop, left_us))
            break;
        bool all_sent = true;
        for (size_t i = 0; i < me.n_channels; i++)
            all_sent &= pl_data_channel_buffered_amount(me.channel[i]) == 0;
        if (all_sent)
            break;
    }
}

static void close_all(void)
{
    if (me.connected && !me.failed)
        linger(); /* what was queued still leaves */
    if (opt.stats && me.pc)
        say_stats();
    pl_media_free(me.media);
    for (size_t i = 0; i < me.n_channels; i++)
        pl_data_channel_free(me.channel[i]);
    pl_peer_connection_free(me.pc);
    pl_factory_free(me.factory);
    pl_loop_free(me.loop);
    pl_lines_clear(&me.in);
}

static int run(int n_args, char **args)
{
    (void)n_args, (void)args;
    int code = check_options();
    if (code)
        return code;
    if (pl_loop_new(&me.loop, NULL))
        return PL_EXIT_FAILED;
    me.in = (pl_lines){ .fd = STDIN_FILENO, .line = take_line, .overlong = overlong };
    me.stats_us = pl_clock_us() + PL_SEC(1);
    me.end_us = opt.duration_s > 0 ? pl_clock_us() + (int64_t)(opt.duration_s * 1e6) : PL_NEVER;
    code = open_media();
    if (!code)
        code = open_connection();
    while (!code && !me.done) {
        int64_t next_us = opt.stats ? pl_min_us(me.stats_us, me.end_us) : me.end_us;
        int64_t left_us = next_us == PL_NEVER ? PL_SEC(3600) : pl_max_us(next_us - pl_clock_us(), 0);
        if (!pl_lines_wait(&me.in, me.loop, left_us)) {
            code = PL_EXIT_FAILED;
            break;
        }
        check_clock();
        if (me.in.ended)
            finish(false);
    }
    close_all();
    if (code)
        return code;
    say(json_pack("{ss}", "type", "closed"));
    return me.failed ? PL_EXIT_FAILED : PL_EXIT_OK;
}

static const pl_opt options[] = {
    { "offer", PL_OPT_FLAG, &opt.offer, NULL, "Make the first offer.", 0, 0 },
    { "answer", PL_OPT_FLAG, &opt.answer, NULL, "Wait for an offer on standard input.", 0, 0 },
    { "audio", PL_OPT_TEXT, &opt.audio, "SOURCE", "What to say: a WAV file, tone[:HZ] or none (the default).",
      0, 0 },
    { "video", PL_OPT_TEXT, &opt.video, "SOURCE",
      "What to show: a Y4M or IVF (VP8) file, pattern or none (the default).", 0, 0 },
    { "data", PL_OPT_TEXT, &opt.data, "LABEL",
      "Open a data channel with this label. An offer without media opens one named data.", 0, 0 },
    { "echo", PL_OPT_FLAG, &opt.echo, NULL, "Send every message straight back.", 0, 0 },
    { "record-audio", PL_OPT_TEXT, &opt.record_audio, "OUT.wav", "Write what is heard.", 0, 0 },
    { "record-video", PL_OPT_TEXT, &opt.record_video, "OUT.ivf",
      "Write what is seen: .ivf as received, .y4m decoded.", 0, 0 },
    PL_ICE_OPTIONS(opt.ice),
    { "no-trickle", PL_OPT_FLAG, &opt.no_trickle, NULL,
      "Put all candidates into the description instead of lines of their own.", 0, 0 },
    { "dtls-setup", PL_OPT_CHOICE, &opt.setup, "actpass|active|passive",
      "The DTLS role to ask for. Default: actpass.", 0, 0 },
    { "video-codec", PL_OPT_CHOICE, &opt.video_codec, "VP8|VP9|H264|AV1", "Default: VP8.", 0, 0 },
    { "audio-codec", PL_OPT_CHOICE, &opt.audio_codec, "opus|PCMU|PCMA|G722", "Default: opus.", 0, 0 },
    { "duration", PL_OPT_REAL, &opt.duration_s, "SECONDS", "End after this time. Default: when told to.", 0,
      1e6 },
    { "stats", PL_OPT_FLAG, &opt.stats, NULL, "Print a line of statistics every second.", 0, 0 },
    { "no-loopback", PL_OPT_FLAG, &opt.no_loopback, NULL,
      "Do not gather 127.0.0.1 and ::1 beside the other addresses.", 0, 0 },
    { NULL, PL_OPT_FLAG, NULL, NULL, NULL, 0, 0 },
};

const pl_command pl_cmd_peer = {
    .name = "peer",
    .summary = "one end of a call for scripts: JSON Lines on standard input and output",
    .args = "",
    .opts = options,
    .run = run,
    .details = "Prints offers, answers, candidates, states, channels and messages, one JSON object a line, "
               "and reads the "
               "remote side's in the same form:\n"
               "{\"type\":\"offer\"|\"answer\",\"sdp\":…}\n"
               "{\"type\":\"candidate\",\"candidate\":\"candidate:…\",\"sdpMid\":\"0\",\"sdpMLineIndex\":0}, "
               "an empty candidate "
               "ends them\n"
               "{\"type\":\"candidate-error\",\"url\":…,\"errorCode\":…,\"errorText\":…}, of a server that "
               "gave none\n"
               "{\"type\":\"state\",\"ice\":…,\"connection\":…}\n"
               "{\"type\":\"channel\",\"label\":…,\"state\":\"open\"|\"closed\"}\n"
               "{\"type\":\"message\",\"label\":…,\"data\":…}, or \"base64\" for binary\n"
               "{\"type\":\"stats\",\"stats\":[…]} with the W3C's objects\n"
               "{\"type\":\"error\",\"message\":…}\n"
               "{\"type\":\"closed\"}, the last line\n\n"
               "It also reads {\"type\":\"send\",\"label\":…,\"data\":…|\"base64\":…}, "
               "{\"type\":\"restart-ice\"} and "
               "{\"type\":\"close\"}. A wrong line gets an error line and the call goes on.\n\n"
               "Exit status: 0 after close, the end of --duration, the end of input or when the peer hung "
               "up; 1 when the "
               "call failed; 2 for a wrong option.",
};
