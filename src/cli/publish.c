/* publish - sends files, a tone, a picture to a WHIP endpoint. */
#include <string.h>

#include "cli/whip_command.h"

static pl_whip_options opt = { .patience_s = 30 };
static const char *audio = "tone", *video = "pattern";
static bool once;

static bool named(const char *source)
{
    return strcmp(source, "none") != 0;
}

static int run(int n_args, char **args)
{
    (void)n_args;
    const pl_whip_command c = { .cmd = &pl_cmd_publish,
                                .url = args[0],
                                .media = { .audio_source = audio, .video_source = video, .play_once = once },
                                .kind = { [PL_AUDIO] = named(audio), [PL_VIDEO] = named(video) },
                                .opt = &opt };
    if (!c.kind[0] && !c.kind[1]) {
        pl_complain(&pl_cmd_publish, "there is nothing to publish: --audio or --video has to name something");
        return PL_EXIT_USAGE;
    }
    return pl_whip_command_run(&c);
}

static const pl_opt options[] = {
    { "audio", PL_OPT_TEXT, &audio, "SOURCE", "What to say: a WAV file, tone[:HZ] or none. Default: tone.", 0,
      0 },
    { "video", PL_OPT_TEXT, &video, "SOURCE",
      "What to show: a Y4M or IVF (VP8) file, pattern or none. Default: pattern.", 0, 0 },
    { "play-once", PL_OPT_FLAG, &once, NULL,
      "Files end, and silence or the last picture follows. By default they begin again.", 0, 0 },
    PL_WHIP_OPTIONS(opt),
    PL_ICE_OPTIONS(opt.ice),
    { NULL, PL_OPT_FLAG, NULL, NULL, NULL, 0, 0 },
};

const pl_command pl_cmd_publish = {
    .name = "publish",
    .summary = "send audio and video to a WHIP endpoint",
    .args = "URL",
    .min_args = 1,
    .max_args = 1,
    .opts = options,
    .run = run,
    .details =
        "Publishes by WHIP (RFC 9725): to 'peerline serve' at http://HOST:8888/whip/NAME, or to any other "
        "server. "
        "STUN and TURN servers that the endpoint names are used. A path that is lost is looked for again by "
        "an ICE "
        "restart. /restart on standard input asks for one, /quit ends; so does SIGINT, and the server is "
        "told.\n\n"
        "Exit status: 0 when the session was set up and did not break, 1 otherwise, 2 for a wrong option.",
};
