/* peerline relay - a STUN and TURN server until somebody says stop. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/process.h"
#include "peerline/log.h"
#include "peerline/loop.h"
#include "server/relay_server.h"

/* ---- options: the settings' keys, and what only a command line has ---- */

enum { N_KEYS = 35 };
static pl_opt_list given[N_KEYS];
static bool flagged[N_KEYS];
static const char *config_file, *hash_user;
static bool check_only, json, quiet, verbose;

#define KEY(i, name, arg, help)                                                                              \
    {                                                                                                        \
        name, PL_OPT_LIST, &given[i], arg, help                                                              \
    }
#define FLAG(i, name, help)                                                                                  \
    {                                                                                                        \
        name, PL_OPT_FLAG, &flagged[i], NULL, help                                                           \
    }

static const pl_opt opts[] = {
    { "config", PL_OPT_TEXT, &config_file, "FILE",
      "Read settings from this file: lines 'key value' or 'key = value' with the names of the options below, "
      "'#' begins a comment. Options on the command line come after it." },
    KEY(0, "listen", "ADDR:PORT",
        "Where clients are served, over UDP and TCP. Several times; port 0 takes any. Default: 0.0.0.0:3478 "
        "and "
        "[::]:3478."),
    KEY(1, "tls", "ADDR:PORT",
        "Where they are served over TLS (on TCP) and DTLS (on UDP). Needs --cert and --key."),
    KEY(2, "cert", "FILE", "PEM certificate chain."),
    KEY(3, "key", "FILE", "PEM key of the certificate."),
    KEY(4, "primary", "ADDR:PORT",
        "With --alternate: offer NAT behaviour discovery (RFC 5780) on both addresses, each with both "
        "ports."),
    KEY(5, "alternate", "ADDR:PORT", "The second address and port; both must differ from the primary's."),
    KEY(6, "realm", "NAME", "Realm of the credentials. Default: peerline."),
    KEY(7, "user", "NAME:PASSWORD", "A user; instead of the password also what --hash-user prints."),
    KEY(8, "user-file", "FILE", "Users, one NAME:PASSWORD or NAME:{MD5}...{SHA256}... a line."),
    KEY(9, "rest-secret-file", "FILE",
        "Shared secrets, one a line: names are END[:ID] (seconds since 1970), passwords "
        "base64(HMAC-SHA1(secret, "
        "name)), so any number of relays stand behind one name and share nothing else."),
    KEY(33, "token-key-file", "FILE",
        "Keys shared with authorization servers, one KID:KEY a line, the key 16 or 32 bytes in base64: "
        "clients then "
        "come with the access tokens of RFC 7635."),
    KEY(34, "server-name", "NAME", "The name that access tokens are made for. Default: the realm."),
    FLAG(10, "no-auth", "Relay for anybody without credentials. Only for closed networks."),
    KEY(11, "relay-address", "ADDR",
        "Address of this machine for relayed addresses. Several times. Default: what is listened on."),
    KEY(12, "external", "ADDR[/LOCAL]",
        "The address the world sees, when a 1:1 NAT stands before this machine; for one local address, or "
        "all."),
    KEY(13, "ports", "LO-HI", "Ports of relayed addresses. Default: 49152-65535."),
    KEY(14, "allow-peer", "CIDR",
        "Peers that may be reached although they would not by default: loopback, link-local, private, "
        "multicast and "
        "this server's own addresses. Several times."),
    KEY(15, "deny-peer", "CIDR", "Peers that may not be reached. Several times; the longest prefix decides."),
    FLAG(16, "no-udp", "Do not serve clients over UDP on --listen."),
    FLAG(17, "no-tcp", "Do not serve clients over TCP on --listen."),
    FLAG(18, "no-tcp-relay", "No TCP allocations (RFC 6062)."),
    FLAG(19, "no-mobility", "No mobility (RFC 8016)."),
    FLAG(20, "no-software", "Do not tell clients what this is."),
    KEY(21, "user-quota", "N", "Allocations of one user at once. Default: unlimited."),
    KEY(22, "client-quota", "N",
        "Allocations of one address (IPv4, or IPv6 /64) at once. Default: unlimited."),
    KEY(23, "total-quota", "N", "Allocations at once. Default: 65536."),
    KEY(24, "bandwidth", "BITS",
        "Bits per second of one allocation in each direction; k, M and G multiply. Default: unlimited."),
    KEY(25, "unauthenticated-rate", "N",
        "Answers per second to one address that has not shown credentials. Default: 1000."),
    KEY(26, "max-connections", "N", "TCP, TLS and DTLS clients at once. Default: 20000."),
    KEY(27, "drain-seconds", "N", "After SIGTERM allocations may last this long. Default: 300."),
    KEY(28, "alternate-server", "ADDR:PORT", "While draining, send new clients there."),
    KEY(29, "threads", "N", "Loops that serve clients. Default: one a processor."),
    KEY(30, "metrics", "ADDR:PORT",
        "Serve /metrics (Prometheus) and /health by HTTP; a port alone means 127.0.0.1. Default: nowhere."),
    KEY(31, "run-as", "USER[:GROUP]", "Become that user once the ports are open."),
    FLAG(32, "log-addresses", "Show addresses in the log, not hashes of them."),
    { "check", PL_OPT_FLAG, &check_only, NULL, "Say whether configuration and files are right, and end." },
    { "hash-user", PL_OPT_TEXT, &hash_user, "NAME",
      "Read a password from standard input and print a line for a user file that does not tell it; belongs "
      "to the "
      "realm." },
    { "json", PL_OPT_FLAG, &json, NULL,
      "Print JSON Lines: {\"type\":\"ready\",...} first, one a beginning and end of an allocation, last "
      "{\"type\":\"closed\",...}." },
    { "quiet", PL_OPT_FLAG, &quiet, NULL, "Only warnings." },
    { "verbose", PL_OPT_FLAG, &verbose, NULL, "Every change of state." },
    { NULL },
};

static bool apply_options(pl_relay_settings *s, char *say)
{
    for (const pl_opt *o = opts; o->name; o++) {
        const pl_opt_list *list = o->to;
        if (o->kind == PL_OPT_FLAG && o->to >= (void *)flagged && o->to < (void *)(flagged + N_KEYS)) {
            if (*(const bool *)o->to && !pl_relay_settings_set(s, o->name, "", say))
                return false;
        } else if (o->kind == PL_OPT_LIST) {
            for (size_t i = 0; i < list->n; i++) {
                if (!pl_relay_settings_set(s, o->name, list->item[i], say))
                    return false;
            }
        }
    }
    return true;
}

/* File, then command line. */
static bool read_settings(pl_relay_settings *s)
{
    char say[PL_RELAY_SAY_MAX];
    pl_relay_settings_init(s);
    if ((!config_file || pl_relay_settings_read(s, config_file, say)) && apply_options(s, say) &&
        pl_relay_settings_finish(s, say))
        return true;
    pl_complain(&pl_cmd_relay, "%s", say);
    return false;
}

/* ---- the process ---- */

/* For all threads: the C library carries these calls to each of them. */
static bool become(const char *who)
{
    char name[PL_RELAY_TEXT_MAX];
    snprintf(name, sizeof name, "%s", who);
    char *group = strchr(name, ':');
    if (group)
        *group++ = 0;
    struct passwd *user = getpwnam(name);
    struct group *gr = user && group ? getgrnam(group) : NULL;
    if (!user || (group && !gr)) {
        pl_complain(&pl_cmd_relay, "run-as: there is no %s '%s'", user ? "group" : "user",
                    user ? group : name);
        return false;
    }
    gid_t gid = gr ? gr->gr_gid : user->pw_gid;
    uid_t uid = user->pw_uid;
    if (initgroups(name, gid) != 0 || setgid(gid) != 0 || setuid(uid) != 0 || (uid != 0 && setuid(0) == 0)) {
        pl_complain(&pl_cmd_relay, "run-as %s: %s", who, strerror(errno));
        return false;
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return true;
}

/* ---- what is printed ---- */

/* On any thread. */
static void on_line(void *user, const char *text)
{
    (void)user;
    pl_say_line(json ? "%s" : "relay: %s", text);
}

static const char *transport_of(const pl_relay_place *p)
{
    return p->secure ? p->tcp ? "tls" : "dtls" : p->tcp ? "tcp" : "udp";
}

static void print_ready_json(const pl_relay_server *s, const pl_relay_settings *set,
                             const pl_relay_http *http)
{
    char text[PL_ADDR_TEXT_MAX];
    printf("{\"type\":\"ready\",\"turn\":%s,\"threads\":%u,\"listen\":[",
           pl_relay_settings_relays(set) ? "true" : "false", pl_relay_server_n_threads(s));
    for (size_t i = 0; i < pl_relay_server_n_places(s); i++) {
        const pl_relay_place *p = pl_relay_server_place(s, i);
        printf("%s{\"address\":\"%s\",\"transport\":\"%s\"}", i ? "," : "", pl_addr_str(&p->addr, text),
               transport_of(p));
    }
    printf("]");
    if (http)
        printf(",\"metrics\":\"http://%s/metrics\"", pl_addr_str(pl_relay_http_addr(http), text));
    printf("}\n");
}

static void print_ready(const pl_relay_server *s, const pl_relay_settings *set, const pl_relay_http *http)
{
    char text[PL_ADDR_TEXT_MAX];
    pl_say_begin();
    if (json) {
        print_ready_json(s, set, http);
    } else if (!quiet) {
        bool relays = pl_relay_settings_relays(set);
        for (size_t i = 0; i < pl_relay_server_n_places(s); i++) {
            const pl_relay_place *p = pl_relay_server_place(s, i);
            printf("peerline: %s on %s (%s)\n", relays ? "STUN and TURN" : "STUN",
                   pl_addr_str(&p->addr, text), transport_of(p));
        }
        if (!relays)
            printf("peerline: no credentials are configured, so nobody can relay: --user, --user-file or "
                   "--rest-secret-file\n");
        if (http)
            printf("peerline: metrics on http://%s/metrics\n", pl_addr_str(pl_relay_http_addr(http), text));
        printf("peerline: ready, %u threads\n", pl_relay_server_n_threads(s));
    }
    pl_say_end();
}

static void print_bye(pl_relay_server *s)
{
    pl_relay_counters c;
    unsigned long long n = 0;
    pl_relay_server_count(s, &c);
    for (int i = 0; i < PL_RELAY_TRANSPORTS; i++)
        n += c.allocations[i];
    unsigned long long up = c.data.up_packets, down = c.data.down_packets, binding = c.binding.requests;
    pl_say_begin();
    if (json)
        printf("{\"type\":\"closed\",\"allocations\":%llu,\"up_packets\":%llu,\"down_packets\":%llu,"
               "\"binding_requests\":%llu}\n",
               n, up, down, binding);
    else if (!quiet)
        printf("peerline: served %llu allocations, %llu packets up, %llu down, %llu binding requests\n", n,
               up, down, binding);
    pl_say_end();
}

/* ---- running ---- */

typedef struct running {
    pl_loop *loop;
    pl_relay_server *server;
    pl_relay_http *http;
    pl_relay_settings settings;
    bool draining, done;
} running;

static void on_drained(void *user)
{
    running *r = user;
    r->done = true;
}

static void reload(running *r)
{
    static pl_relay_settings fresh;
    char say[PL_RELAY_SAY_MAX];
    if (!read_settings(&fresh))
        return;
    if (pl_relay_server_reload(r->server, &fresh, say) != PL_OK) {
        pl_complain(&pl_cmd_relay, "not reloaded: %s", say);
        return;
    }
    r->settings = fresh;
    pl_log_show_private(fresh.log_addresses);
    if (json)
        on_line(NULL, "{\"type\":\"reloaded\"}");
    else if (!quiet)
        on_line(NULL, "configuration reloaded");
}

static void serve(running *r)
{
    while (!r->done && pl_told_to_stop() < 2) {
        if (pl_told_to_reload())
            reload(r);
        if (pl_told_to_stop() && !r->draining) {
            r->draining = true;
            pl_relay_server_drain(r->server, on_drained, r);
        }
        (void)pl_loop_run_once(r->loop, 500000);
    }
}

static pl_err start(running *r, char *say)
{
    pl_relay_server_conf conf = {
        .settings = &r->settings, .own_threads = true, .line = quiet ? NULL : on_line, .json = json
    };
    pl_err err = pl_loop_new(&r->loop, NULL);
    if (err != PL_OK) {
        snprintf(say, PL_RELAY_SAY_MAX, "%s", pl_err_str(err));
        return err;
    }
    if ((err = pl_relay_server_new(&r->server, r->loop, &conf, say)) != PL_OK)
        return err;
    if (r->settings.metrics.family != PL_AF_NONE) {
        err = pl_relay_http_open(&r->http, r->loop, &r->settings.metrics, r->server);
        if (err != PL_OK)
            snprintf(say, PL_RELAY_SAY_MAX, "cannot listen for metrics");
    }
    return err;
}

static int run_server(running *r)
{
    char say[PL_RELAY_SAY_MAX] = "";
    pl_say_log(json, verbose ? PL_LOG_DEBUG : PL_LOG_WARN);
    pl_log_show_private(r->settings.log_addresses);
    pl_block_signals(true);
    pl_catch_signals(true);
    pl_raise_file_limit();
    pl_err err = start(r, say);
    bool ok = err == PL_OK && (!r->settings.run_as[0] || become(r->settings.run_as));
    pl_block_signals(false);
    if (err != PL_OK)
        pl_complain(&pl_cmd_relay, "%s", say);
    if (ok) {
        print_ready(r->server, &r->settings, r->http);
        serve(r);
        print_bye(r->server);
    }
    pl_relay_http_close(r->http);
    pl_relay_server_free(r->server);
    pl_loop_free(r->loop);
    pl_log_to(NULL, NULL, PL_LOG_WARN);
    return ok ? PL_EXIT_OK : PL_EXIT_FAILED;
}

/* ---- the two that do not serve ---- */

static bool read_password(char *out, size_t cap)
{
    struct termios was, silent;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0;
    if (terminal) {
        fprintf(stderr, "Password: ");
        silent = was;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    bool ok = fgets(out, (int)cap, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        fputc('\n', stderr);
    }
    if (ok)
        out[strcspn(out, "\r\n")] = 0;
    return ok && out[0];
}

static int print_hash(const pl_relay_settings *s)
{
    char password[PL_RELAY_TEXT_MAX], line[4 * PL_RELAY_TEXT_MAX];
    if (!hash_user[0] || strchr(hash_user, ':') || !read_password(password, sizeof password)) {
        pl_complain(&pl_cmd_relay,
                    "--hash-user wants a name without colon, and a password on standard input");
        return PL_EXIT_USAGE;
    }
    pl_relay_hash_user(hash_user, s->realm, password, line, sizeof line);
    printf("%s\n", line);
    return line[0] ? PL_EXIT_OK : PL_EXIT_FAILED;
}

static int check(const pl_relay_settings *s)
{
    char say[PL_RELAY_SAY_MAX];
    pl_stun_auth *auth;
    if (!pl_relay_auth_read(&auth, s, NULL, say)) {
        pl_complain(&pl_cmd_relay, "%s", say);
        return PL_EXIT_USAGE;
    }
    printf("peerline: the configuration is right, %zu users\n", pl_stun_auth_n_users(auth));
    pl_stun_auth_free(auth);
    return PL_EXIT_OK;
}

static int run(int n_args, char **args)
{
    static running r;
    (void)n_args, (void)args;
    if (!read_settings(&r.settings))
        return PL_EXIT_USAGE;
    if (hash_user)
        return print_hash(&r.settings);
    return check_only ? check(&r.settings) : run_server(&r);
}

const pl_command pl_cmd_relay = {
    .name = "relay",
    .summary = "STUN and TURN server: shows clients their address, and relays for them",
    .args = "",
    .details =
        "Speaks RFC 8489 and RFC 8656 over UDP, TCP, TLS and DTLS, relays UDP and TCP (RFC 6062) over IPv4 "
        "and IPv6, "
        "with mobility (RFC 8016) and behaviour discovery (RFC 5780). Without credentials it is a STUN "
        "server.\n\n"
        "SIGHUP reads configuration, users, secrets and certificate again; allocations stand. SIGTERM takes "
        "no new "
        "allocation and ends when the last one has, or after --drain-seconds; a second one ends at once. One "
        "line "
        "is printed when an allocation begins and ends; addresses in it are hashes unless --log-addresses.",
    .opts = opts,
    .run = run,
};
