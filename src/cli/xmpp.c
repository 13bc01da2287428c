/* peerline xmpp - a terminal client for an XMPP account. */
#include <string.h>

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
    { "nick", PL_OPT_TEXT, &xmpp_opt.nick, "NAME", "muc: the nickname. Default: the account's name." },
    { "room-password-file", PL_OPT_TEXT, &xmpp_opt.room_password_file, "FILE",
      "muc: the password of the room is this file's first line." },
    { "history", PL_OPT_INT, &xmpp_opt.history, "N",
      "muc: so many messages of before. Default: as many as the room likes.", 0, 1000 },
    { "register", PL_OPT_FLAG, &xmpp_opt.create, NULL,
      "login: make the account first, where the server lets anybody." },
    { "unregister", PL_OPT_FLAG, &xmpp_opt.remove, NULL, "login: remove the account." },
    { "new-password-file", PL_OPT_TEXT, &xmpp_opt.new_password_file, "FILE",
      "login: change the password to this file's first line." },
    { "timeout", PL_OPT_REAL, &xmpp_opt.timeout_s, "SECONDS", "For the log-in. Default: 30.", 0.1, 3600 },
    { "audio", PL_OPT_TEXT, &xmpp_opt.audio, "SOURCE",
      "call: what to say: a WAV file, tone[:HZ] or none. Default: tone." },
    { "video", PL_OPT_TEXT, &xmpp_opt.video, "SOURCE",
      "call: what to show: a Y4M or IVF (VP8) file, pattern or none. Default: pattern." },
    { "record-audio", PL_OPT_TEXT, &xmpp_opt.record_audio, "OUT.wav", "call: write what is heard." },
    { "record-video", PL_OPT_TEXT, &xmpp_opt.record_video, "OUT.ivf",
      "call: write what is seen: .ivf as received, .y4m decoded." },
    { "answer", PL_OPT_FLAG, &xmpp_opt.answer, NULL, "call: take calls without being asked." },
    { "anybody", PL_OPT_FLAG, &xmpp_opt.anybody, NULL,
      "call, receive: whoever calls may ring, whoever offers is heard. Default: contacts alone; others learn "
      "nothing." },
    { "duration", PL_OPT_REAL, &xmpp_opt.duration_s, "SECONDS",
      "call: hang up after so long in the call. Default: never.", 0, 1e6 },
    { "patience", PL_OPT_REAL, &xmpp_opt.patience_s, "SECONDS",
      "call, send-file: give up without a connection after so long. Default: 60.", 1, 1e5 },
    { "once", PL_OPT_FLAG, &xmpp_opt.once, NULL, "call, receive: end after the first call or file." },
    { "into", PL_OPT_TEXT, &xmpp_opt.into, "FOLDER", "receive: where files go. Default: here." },
    { "yes", PL_OPT_FLAG, &xmpp_opt.yes, NULL, "receive: take files without being asked." },
    { "overwrite", PL_OPT_FLAG, &xmpp_opt.overwrite, NULL,
      "receive: replace files of the same name. By default the new one becomes NAME (1)." },
    { "max-size", PL_OPT_INT, &xmpp_opt.max_size, "BYTES",
      "receive: larger files are declined, and one of unknown size ends there. Default: any that fits.", 0,
      1e15 },
    { "in-band", PL_OPT_FLAG, &xmpp_opt.in_band, NULL,
      "send-file, receive: tell nobody our addresses; files go through the servers, in their stanzas." },
    { "proxy-only", PL_OPT_FLAG, &xmpp_opt.proxy_only, NULL,
      "send-file, receive: tell nobody our addresses; files go through the server's proxy where it has "
      "one." },
    PL_ICE_PATHS(xmpp_opt.ice),
    { "json", PL_OPT_FLAG, &xmpp_opt.json, NULL,
      "JSON Lines: {\"event\":...} on standard output, {\"do\":...} on standard input." },
    { NULL },
};

static const struct {
    const char *name;
    const xmpp_action *action;
    int min, max; /* arguments behind the account */
} actions[] = {
    { "login", &xmpp_login, 0, 0 },
    { "roster", &xmpp_roster, 0, 0 },
    { "chat", &xmpp_chat, 1, 1 },
    { "send", &xmpp_send, 2, 2 },
    { "muc", &xmpp_muc, 1, 1 },
    { "call", &xmpp_call, 0, 1 },
    { "send-file", &xmpp_send_file, 2, FILES_MAX + 1 },
    { "receive", &xmpp_receive, 0, 0 },
};

static int run(int n, char **args)
{
    static const char *const usage[] = { "login ACCOUNT",
                                         "roster ACCOUNT",
                                         "chat ACCOUNT JID",
                                         "send ACCOUNT JID TEXT|-",
                                         "muc ACCOUNT ROOM@SERVICE",
                                         "call ACCOUNT [JID]",
                                         "send-file ACCOUNT JID FILE...",
                                         "receive ACCOUNT" };
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(args[0], actions[i].name) != 0)
            continue;
        if (n - 2 < actions[i].min || n - 2 > actions[i].max) {
            pl_complain(&pl_cmd_xmpp, "usage: peerline xmpp [options] %s", usage[i]);
            return PL_EXIT_USAGE;
        }
        return xmpp_session_run(&pl_cmd_xmpp, actions[i].action, n - 1, args + 1);
    }
    pl_complain(&pl_cmd_xmpp, "'%s' is none of login, roster, chat, send, muc, call, send-file and receive",
                args[0]);
    return PL_EXIT_USAGE;
}

const pl_command pl_cmd_xmpp = {
    .name = "xmpp",
    .summary = "sign in to an XMPP account: contacts, messages, chat rooms, calls, files",
    .args = "login|roster|chat|send|muc|call|send-file|receive ACCOUNT [JID [TEXT|FILE...]]",
    .min_args = 2,
    .max_args = FILES_MAX + 3,
    .details =
        "login ACCOUNT tells whether signing in works and how it is secured, and makes or removes the "
        "account.\n"
        "roster ACCOUNT shows the contacts and who of them is there, until it is told to quit. On "
        "standard input: "
        "add JID [NAME], remove JID, accept JID, deny JID, quit.\n"
        "chat ACCOUNT JID sends each line and shows what comes back; /quit ends it.\n"
        "send ACCOUNT JID TEXT sends one message; the text - is standard input. It ends with 0 once "
        "the server has "
        "taken it.\n"
        "muc ACCOUNT ROOM@SERVICE enters a chat room. Lines are said; /nick NAME, /kick NICK "
        "[REASON], /ban JID "
        "[REASON], /topic TEXT, /whisper NICK TEXT, /role NICK ROLE, /affiliation JID AFFILIATION, /invite "
        "JID "
        "[REASON], /invite-directly JID [REASON] (with the room's password, past the room), /voice (asks the "
        "moderators), /configure KEY VALUE (an owner: muc#roomconfig_roomname ...) and /quit do what they "
        "say.\n\n"
        "call ACCOUNT JID calls: all devices of JID ring, and the one that takes it is spoken with. "
        "call ACCOUNT waits for calls of contacts. Lines are chat; /accept, /decline, /bye and /quit do "
        "what they say. At the end of a call its report is printed.\n\n"
        "send-file ACCOUNT JID FILE... sends files by Jingle to the device of a contact that takes them, or "
        "to a full "
        "address: over SOCKS5 directly or by the server's proxy, else in-band. After a break it goes on "
        "where it "
        "was.\n"
        "receive ACCOUNT takes files that contacts offer: asked for on a terminal, with --yes without. A "
        "file is "
        "NAME.part until it is whole and its SHA-256 is the sender's.\n\n"
        "With --json, events are online, trouble, error, contact, contact-removed, roster, presence, "
        "request, "
        "accepted, denied, invitation, message, sent, delivered, joined, not-in, out, came, changed, "
        "renamed, "
        "went, said, "
        "whispered, topic, refused, asked, calling, ringing, missed, progress, chat and report; of files "
        "offer, "
        "accepted, file, progress, stored and lost. Commands are "
        "{\"do\":\"add\",\"jid\":...,\"name\":...}, "
        "remove, accept, deny; "
        "{\"do\":\"presence\",\"show\":...}; {\"do\":\"say\",\"body\":...}; nick and kick with "
        "\"nick\", ban with "
        "\"jid\", topic with \"topic\", whisper with \"nick\" and \"body\", role with \"nick\" and "
        "\"role\", affiliation with \"jid\" and \"affiliation\", invite and invite-directly with \"jid\", "
        "voice, configure with \"key\" "
        "and "
        "\"value\", leave; accept, decline, "
        "hang-up, and say in a call; and quit.",
    .opts = opts,
    .run = run,
};
