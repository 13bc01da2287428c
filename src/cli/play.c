/* play - watches what a WHEP endpoint sends, and records it. */
#include <string.h>

#include "cli/whip_command.h"

static pl_whip_options opt = { .patience_s = 30 };
static const char *record_audio, *record_video;
static bool no_audio, no_video;

static int run(int n_args, char **args)
{
    (void)n_args;
    const pl_whip_command c = { .cmd = &pl_cmd_play,
                                .play = true,
                                .url = args[0],
                                .media = { .record_audio = record_audio, .record_video = record_video },
                                .kind = { [PL_AUDIO] = !no_audio, [PL_VIDEO] = !no_video },
                                .opt = &opt };
    if (no_audio && no_video) {
        pl_complain(&pl_cmd_play, "there is nothing to play with --no-audio and --no-video");
        return PL_EXIT_USAGE;
    }
    return pl_whip_command_run(&c);
}

static const pl_opt options[] = {
    { "record-audio", PL_OPT_TEXT, &record_audio, "OUT.wav", "Write what is heard.", 0, 0 },
    { "record-video", PL_OPT_TEXT, &record_video, "OUT.ivf",
      "Write what is seen: .ivf as received, .y4m decoded.", 0, 0 },
    { "no-audio", PL_OPT_FLAG, &no_audio, NULL, "Video alone.", 0, 0 },
    { "no-video", PL_OPT_FLAG, &no_video, NULL, "Audio alone.", 0, 0 },
    PL_WHIP_OPTIONS(opt),
    PL_ICE_OPTIONS(opt.ice),
    { NULL, PL_OPT_FLAG, NULL, NULL, NULL, 0, 0 },
};

const pl_command pl_cmd_play = {
    .name = "play",
    .summary = "watch and record what a WHEP endpoint sends",
    .args = "URL",
    .min_args = 1,
    .max_args = 1,
    .opts = options,
    .run = run,
    .details =
        "Plays by WHEP (draft-ietf-wish-whep): from 'peerline serve' at http://HOST:8888/whep/NAME, or from "
        "any other "
        "server. Nothing is shown: what comes is decoded, measured, recorded when asked for, and reported at "
        "the end "
        "as 'peerline call' does. Before anybody publishes there it is asked again, as often as the server "
        "says. "
        "/restart on standard input asks for an ICE restart, /quit ends; so does SIGINT, and the server is "
        "told.\n\n"
        "Exit status: 0 when what was announced came, most of it whole, 1 otherwise, 2 for a wrong option.",
};
