/* peerline xmpp - a terminal client for an XMPP account. */
#include "cli/options.h"
#include "cli/xmpp_session.h"

enum { FILES_MAX = 1000 }; /* of one send-file */

xmpp_options xmpp_opt = {
    .history = -1, .timeout_s = 30, .audio = "tone", .video = "pattern", .patience_s = 60
};

static const pl_opt opts[] = {
    { "password-file", PL_OPT_TEXT, &xmpp_opt.password_file, "FILE",
      "The password is this file's first line. Else it is in PEERLINE_XMPP_PASSWORD, or asked for." },
    { "ca-file", PL_OPT_TEXT, &xmpp_opt.ca_file, "FILE",
      "PEM file of the authorities to trust. Default: the system's." },
    { "host", PL_OPT_TEXT, &xmpp_opt.host, "HOST",
      "Where the server is. Its certificate is still the domain's. Default: what DNS says of the domain." },
    { "port", PL_OPT_INT, &xmpp_opt.port, "PORT", "Its port. Default: 5222, or 5223 with --direct-tls.", 1,
      65535 },
    { "direct-tls", PL_OPT_FLAG, &xmpp_opt.direct_tls, NULL, "TLS from the first byte, not STARTTLS." },
    { "websocket", PL_OPT_TEXT, &xmpp_opt.websocket, "URL|auto",
      "Over a WebSocket (ws:// or wss://); auto: where the domain says." },
    { "bosh", PL_OPT_TEXT, &xmpp_opt.bosh, "URL|auto",
      "Over HTTP (http:// or https://); auto: where the domain says." },
    { "insecure", PL_OPT_FLAG, &xmpp_opt.insecure, NULL,
      "Go on when the server has no TLS. For servers on this machine." },
    { "resource", PL_OPT_TEXT, &xmpp_opt.resource, "NAME",
      "What this device is called. Default: the server chooses." },
    { "priority", PL_OPT_INT, &xmpp_opt.priority, "N",
      "Messages to the account go to the device with the highest; below 0: none. Default: 0.", -128, 127 },
    { "show", PL_OPT_CHOICE, &xmpp_opt.show, "online|chat|away|xa|dnd",
      "How one is there. Default: online." },
    { "status", PL_OPT_TEXT, &xmpp_opt.status, "TEXT", "What contacts read beside it." },
    { "nick", PL_OPT_TEXT, &xmpp_opt.nick, "NAME", "The nickname. Default: the account's name." },
    { "room-password-file", PL_OPT_TEXT, &xmpp_opt.room_password_file, "FILE",
      "The password of the room is this file's first line." },
    { "history", PL_OPT_INT, &xmpp_opt.history, "N",
      "So many messages of before. Default: as many as the room likes.", 0, 1000 },
    { "register", PL_OPT_FLAG, &xmpp_opt.create, NULL,
      "Make the account first, where the server lets anybody." },
    { "unregister", PL_OPT_FLAG, &xmpp_opt.remove, NULL, "Remove the account." },
    { "new-password-file", PL_OPT_TEXT, &xmpp_opt.new_password_file, "FILE",
      "Change the password to this file's first line." },
    { "timeout", PL_OPT_REAL, &xmpp_opt.timeout_s, "SECONDS", "For the log-in. Default: 30.", 0.1, 3600 },
    { "audio", PL_OPT_TEXT, &xmpp_opt.audio, "SOURCE",
      "What to say: a WAV file, tone[:HZ] or none. Default: tone." },
    { "video", PL_OPT_TEXT, &xmpp_opt.video, "SOURCE",
      "What to show: a Y4M or IVF (VP8) file, pattern or none. Default: pattern." },
    { "record-audio", PL_OPT_TEXT, &xmpp_opt.record_audio, "OUT.wav", "Write what is heard." },
    { "record-video", PL_OPT_TEXT, &xmpp_opt.record_video, "OUT.ivf",
      "Write what is seen: .ivf as received, .y4m decoded." },
    { "answer", PL_OPT_FLAG, &xmpp_opt.answer, NULL, "Take calls without being asked." },
    { "anybody", PL_OPT_FLAG, &xmpp_opt.anybody, NULL,
      "Whoever calls may ring, whoever offers is heard. Default: contacts alone; others learn "
      "nothing." },
    { "duration", PL_OPT_REAL, &xmpp_opt.duration_s, "SECONDS",
      "Hang up after so long in the call. Default: never.", 0, 1e6 },
    { "patience", PL_OPT_REAL, &xmpp_opt.patience_s, "SECONDS",
      "Give up without a connection after so long. Default: 60.", 1, 1e5 },
    { "once", PL_OPT_FLAG, &xmpp_opt.once, NULL, "End after the first call or file." },
    { "into", PL_OPT_TEXT, &xmpp_opt.into, "FOLDER", "Where files go. Default: here." },
    { "yes", PL_OPT_FLAG, &xmpp_opt.yes, NULL, "Take files without being asked." },
    { "overwrite", PL_OPT_FLAG, &xmpp_opt.overwrite, NULL,
      "Replace files of the same name. By default the new one becomes NAME (1)." },
    { "max-size", PL_OPT_INT, &xmpp_opt.max_size, "BYTES",
      "Larger files are declined, and one of unknown size ends there. Default: any that fits.", 0, 1e15 },
    { "in-band", PL_OPT_FLAG, &xmpp_opt.in_band, NULL,
      "Tell nobody our addresses; files go through the servers, in their stanzas." },
    { "proxy-only", PL_OPT_FLAG, &xmpp_opt.proxy_only, NULL,
      "Tell nobody our addresses; files go through the server's proxy where it has "
      "one." },
    PL_ICE_PATHS(xmpp_opt.ice),
    { "json", PL_OPT_FLAG, &xmpp_opt.json, NULL,
      "JSON Lines: {\"event\":...} on standard output, {\"do\":...} on standard input." },
    { NULL },
};

#define PATHS                                                                                                \
    "ice-server ice-transport-policy no-tcp listen-tcp hide-addresses interfaces ports udp-port "            \
    "no-continual-gathering"

static const pl_verb verbs[] = {
    { "login", "does signing in work, and how is it secured; make, change or remove the account", "ACCOUNT",
      1, 1, NULL, "register unregister new-password-file", &xmpp_login },
    { "roster", "the contacts, and who of them is there, until it is told to quit", "ACCOUNT", 1, 1,
      "On standard input: add JID [NAME], remove JID, accept JID, deny JID, quit.\n\n"
      "With --json, events are contact, contact-removed, roster, presence, request, accepted and denied. "
      "Commands: "
      "{\"do\":\"add\",\"jid\":...,\"name\":...}, remove, accept, deny; "
      "{\"do\":\"presence\",\"show\":...}; quit.",
      NULL, &xmpp_roster },
    { "chat", "send each line, and show what comes back", "ACCOUNT JID", 2, 2,
      "/quit ends it.\n\n"
      "With --json, events are message, sent and delivered. Commands: {\"do\":\"say\",\"body\":...}, quit.",
      NULL, &xmpp_chat },
    { "send", "send one message", "ACCOUNT JID TEXT|-", 3, 3,
      "The text - is standard input. It ends with 0 once the server has taken it.", NULL, &xmpp_send },
    { "muc", "enter a chat room", "ACCOUNT ROOM@SERVICE", 2, 2,
      "Lines are said; /nick NAME, /kick NICK [REASON], /ban JID [REASON], /topic TEXT, /whisper NICK TEXT, "
      "/role NICK ROLE, "
      "/affiliation JID AFFILIATION, /invite JID [REASON], /invite-directly JID [REASON] (with the room's "
      "password, past the "
      "room), /voice (asks the moderators), /configure KEY VALUE (an owner: muc#roomconfig_roomname ...) and "
      "/quit do what they "
      "say.\n\n"
      "With --json, events are joined, not-in, out, came, changed, renamed, went, said, whispered, topic, "
      "invitation, asked and "
      "refused. Commands: {\"do\":\"say\",\"body\":...}; nick and kick with \"nick\", ban with \"jid\", "
      "topic with "
      "\"topic\", whisper with \"nick\" and \"body\", role with \"nick\" and \"role\", affiliation with "
      "\"jid\" and "
      "\"affiliation\", invite and invite-directly with \"jid\", voice, configure with \"key\" and "
      "\"value\", leave; quit.",
      "nick room-password-file history", &xmpp_muc },
    { "call", "call a contact, or wait for calls", "ACCOUNT [JID]", 1, 2,
      "With a JID all its devices ring, and the one that takes the call is spoken with. Without, contacts "
      "may call. Lines are "
      "chat; /accept, /decline, /bye and /quit do what they say. At the end of a call its report is "
      "printed.\n\n"
      "With --json, events are asked, calling, ringing, missed, refused, progress, chat and report. "
      "Commands: accept, decline, "
      "hang-up, {\"do\":\"say\",\"body\":...}, quit.",
      "audio video record-audio record-video answer anybody duration patience once " PATHS, &xmpp_call },
    { "send-file", "send files to a contact, by Jingle", "ACCOUNT JID FILE...", 3, FILES_MAX + 2,
      "To the device of a contact that takes them, or to a full address: over SOCKS5 directly or by the "
      "server's proxy, else "
      "in-band. After a break it goes on where it was.\n\n"
      "With --json, events are offer, accepted, file, progress, stored and lost.",
      "in-band proxy-only patience", &xmpp_send_file },
    { "receive", "take files that contacts offer", "ACCOUNT", 1, 1,
      "Asked for on a terminal, with --yes without. A file is NAME.part until it is whole and its SHA-256 is "
      "the sender's. The exit code is 1 when something that was taken could not be stored.\n\n"
      "With --json, events are offer, accepted, file, progress, stored and lost. Commands: accept, decline, "
      "quit.",
      "into yes overwrite max-size in-band proxy-only anybody once", &xmpp_receive },
    { NULL },
};

static int run(int n, char **args)
{
    return xmpp_session_run(&pl_cmd_xmpp, pl_command_verb(&pl_cmd_xmpp, args[0])->user, n - 1, args + 1);
}

const pl_command pl_cmd_xmpp = {
    .name = "xmpp",
    .summary = "sign in to an XMPP account: contacts, messages, chat rooms, calls, files",
    .args = "VERB ACCOUNT [JID [TEXT|FILE...]]",
    .min_args = 2,
    .max_args = FILES_MAX + 3,
    .details =
        "With --json every line is an object. Whatever the verb, events are online, trouble and error.",
    .opts = opts,
    .verbs = verbs,
    .run = run,
};
