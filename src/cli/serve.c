/* peerline serve - rooms, page, STUN, WHIP and WHEP until somebody says stop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "cli/process.h"
#include "crypto/hmac.h"
#include "peerline/log.h"
#include "peerline/loop.h"
#include "server/server.h"
#include "stun/uri.h"

static pl_opt_list listen_at, stun_at, turn_urls;
static const char *turn_secret_file;
static const char *web_dir, *tls_cert, *tls_key;
static int64_t max_peers = 10000, max_room = 1000, rate = 100, max_per_address = 1000;
static bool relay, json, quiet, verbose, whip_open;
static int64_t whip_sessions = 1000, whip_viewers = 500, whip_port;
static const char *whip_tokens, *whip_bind;
static const char *relay_config, *redis_url, *redis_password_file, *redis_prefix;
static pl_relay_settings relay_settings;
static pl_whip_access whip_access;
static pl_whip_conf whip_conf;

static const pl_opt opts[] = {
    { "listen", PL_OPT_LIST, &listen_at, "ADDR:PORT",
      "Where the rooms and the page are served. May be given several times; port 0 takes any. "
      "Default: 0.0.0.0:8888 and [::]:8888." },
    { "stun", PL_OPT_LIST, &stun_at, "ADDR:PORT|none",
      "Where STUN binding requests are answered, over UDP. Default: 0.0.0.0:3478 and [::]:3478." },
    { "relay", PL_OPT_FLAG, &relay, NULL,
      "Relay for pages that cannot reach each other: TURN where STUN is, over UDP and TCP, with credentials "
      "that "
      "the page is handed and that end after a day." },
    { "relay-config", PL_OPT_TEXT, &relay_config, "FILE",
      "Settings of that relay (external, ports, allow-peer, user-file ...) as 'peerline relay --help' lists "
      "them; implies --relay." },
    { "turn", PL_OPT_LIST, &turn_urls, "URL",
      "Tell clients of this relay elsewhere, such as turn:relay.example.org:3478 or turns:relay.example.org, "
      "with "
      "credentials that end after a day. May be given several times. Needs --turn-secret-file." },
    { "turn-secret-file", PL_OPT_TEXT, &turn_secret_file, "FILE",
      "The secret that those relays share with us, its first line: 'peerline relay' takes the same file as "
      "--rest-secret-file, coturn as static-auth-secret." },
    { "whip-token-file", PL_OPT_TEXT, &whip_tokens, "FILE",
      "Who may publish at /whip/NAME and watch at /whep/NAME: lines 'publish|play|both NAME|* TOKEN', with - "
      "as a "
      "token for everybody. Without it only clients of this machine may." },
    { "whip-open", PL_OPT_FLAG, &whip_open, NULL, "Without tokens, let everybody publish and watch." },
    { "whip-sessions", PL_OPT_INT, &whip_sessions, "N",
      "Publishers and viewers at once, in all. Default: 1000.", 1, PL_WHIP_SESSIONS_MAX },
    { "whip-viewers", PL_OPT_INT, &whip_viewers, "N", "Viewers of one name. Default: 500.", 1,
      PL_WHIP_SESSIONS_MAX },
    { "whip-port", PL_OPT_INT, &whip_port, "PORT",
      "One UDP port for the media of all publishers and viewers, for firewalls. Default: a port each.", 1,
      65535 },
    { "whip-bind", PL_OPT_TEXT, &whip_bind, "ADDR",
      "The one address media is sent and received at. Default: all of them." },
    { "redis", PL_OPT_TEXT, &redis_url, "URL",
      "Share the rooms with all nodes that use this Redis (6.2 or later): "
      "redis://[USER@]HOST[:PORT][/DATABASE]. "
      "A password may stand in PEERLINE_REDIS_PASSWORD." },
    { "redis-password-file", PL_OPT_TEXT, &redis_password_file, "FILE",
      "The password of that Redis, its first line." },
    { "redis-prefix", PL_OPT_TEXT, &redis_prefix, "TEXT",
      "What the names of all keys begin with. Nodes that share have the same. Default: peerline:" },
    { "web", PL_OPT_TEXT, &web_dir, "DIR", "Serve the page from this directory, not the one built in." },
    { "tls-cert", PL_OPT_TEXT, &tls_cert, "FILE", "PEM certificate chain: serve HTTPS. Needs --tls-key." },
    { "tls-key", PL_OPT_TEXT, &tls_key, "FILE", "PEM key of the certificate." },
    { "max-peers", PL_OPT_INT, &max_peers, "N", "Peers signed in at once. Default: 10000.", 1, 1000000 },
    { "max-room", PL_OPT_INT, &max_room, "N",
      "Peers in one room; each hears of each other one's coming and going. Default: 1000.", 1, 1000000 },
    { "max-per-address", PL_OPT_INT, &max_per_address, "N",
      "Connections that one address may hold open. Default: 1000.", 1, 1000000 },
    { "rate", PL_OPT_INT, &rate, "N",
      "Requests and messages per second that one address may make, four seconds' worth at once. "
      "Default: 100.",
      1, 250000 },
    { "json", PL_OPT_FLAG, &json, NULL,
      "Print JSON Lines: {\"type\":\"ready\",\"http\":[...],\"stun\":[...]} first, then "
      "{\"type\":\"log\",...}, last {\"type\":\"closed\",...}." },
    { "quiet", PL_OPT_FLAG, &quiet, NULL, "Only warnings." },
    { "verbose", PL_OPT_FLAG, &verbose, NULL, "Every change of state." },
    { NULL },
};

typedef struct serving {
    pl_loop *loop;
    pl_server *server;
    bool draining, done;
} serving;

/* ---- arguments ---- */

static bool parse_addrs(const pl_opt_list *list, const char *option, uint16_t port, pl_addr *out, size_t max,
                        size_t *n)
{
    *n = 0;
    if (list->n == 0) { /* both families, everywhere */
        out[0] = (pl_addr){ .family = PL_AF_IP4, .port = port };
        out[1] = (pl_addr){ .family = PL_AF_IP6, .port = port };
        *n = 2;
        return true;
    }
    for (size_t i = 0; i < list->n; i++) {
        if (*n == max || pl_addr_parse(&out[*n], list->item[i], strlen(list->item[i]))) {
            pl_complain(&pl_cmd_serve,
                        "--%s wants ADDR:PORT, %zu at most, such as 0.0.0.0:%u or [::1]:0, not '%s'", option,
                        max, port, list->item[i]);
            return false;
        }
        ++*n;
    }
    return true;
}

static bool read_relay(pl_server_conf *conf)
{
    char say[PL_RELAY_SAY_MAX];
    if (!relay && !relay_config)
        return true;
    pl_relay_settings_init(&relay_settings);
    if (relay_config && !pl_relay_settings_read(&relay_settings, relay_config, say)) {
        pl_complain(&pl_cmd_serve, "%s", say);
        return false;
    }
    conf->relay = &relay_settings;
    return true;
}

static char redis_password[256], turn_secret[256], turn_text[PL_SERVER_TURN_MAX][PL_STUN_URI_TEXT_MAX];

/* The first line of a file. */
static bool read_secret(const char *option, const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "r");
    bool well = f && fgets(out, (int)cap, f);
    if (f)
        fclose(f);
    if (well)
        out[strcspn(out, "\r\n")] = '\0';
    if (!well || !out[0])
        pl_complain(&pl_cmd_serve, "--%s %s cannot be read, or is empty", option, path);
    return well && out[0];
}

static bool read_redis_password(pl_server_conf *conf)
{
    const char *said = getenv("PEERLINE_REDIS_PASSWORD");
    if (redis_password_file &&
        !read_secret("redis-password-file", redis_password_file, redis_password, sizeof redis_password))
        return false;
    if (!redis_password_file && said)
        snprintf(redis_password, sizeof redis_password, "%s", said);
    conf->redis_password = redis_password[0] ? redis_password : NULL;
    return true;
}

static bool read_turn(pl_server_conf *conf)
{
    if (!turn_urls.n != !turn_secret_file) {
        pl_complain(&pl_cmd_serve, "--turn and --turn-secret-file go together");
        return false;
    }
    for (size_t i = 0; i < turn_urls.n; i++) {
        const char *url = turn_urls.item[i];
        pl_stun_uri uri;
        if (i == PL_SERVER_TURN_MAX || pl_stun_uri_parse(&uri, url, strlen(url)) || !uri.turn ||
            uri.username[0]) {
            pl_complain(&pl_cmd_serve,
                        "--turn wants turn:HOST[:PORT] or turns:HOST[:PORT], %d at most, not '%s'",
                        PL_SERVER_TURN_MAX, url);
            return false;
        }
        conf->turn_url[i] = pl_stun_uri_str(&uri, turn_text[i]);
        conf->n_turn++;
    }
    conf->turn_secret = turn_secret;
    return !turn_secret_file ||
           read_secret("turn-secret-file", turn_secret_file, turn_secret, sizeof turn_secret);
}

enum { TOKEN_FILE_MAX = 1 << 20 };

static bool read_tokens(void)
{
    char say[PL_WHIP_SAY_MAX] = "";
    pl_buf text = pl_buf_init(TOKEN_FILE_MAX);
    char some[4096];
    FILE *f = fopen(whip_tokens, "r");
    for (size_t n; f && (n = fread(some, 1, sizeof some, f)) > 0;)
        pl_buf_add(&text, some, n);
    bool whole = f && !ferror(f) && !text.bad;
    if (f)
        fclose(f);
    if (!whole)
        pl_complain(&pl_cmd_serve, "--whip-token-file %s cannot be read", whip_tokens);
    else if (pl_whip_access_read(&whip_access, (pl_str){ text.p, text.n }, say))
        pl_complain(&pl_cmd_serve, "--whip-token-file %s: %s", whip_tokens, say);
    else if (whip_access.n == 0)
        pl_complain(&pl_cmd_serve, "--whip-token-file %s has no line", whip_tokens);
    whole &= !say[0] && whip_access.n > 0;
    pl_wipe(some, sizeof some);
    if (text.p)
        pl_wipe(text.p, text.n);
    pl_buf_clear(&text);
    return whole;
}

static bool read_whip(pl_server_conf *conf)
{
    if (whip_tokens && whip_open) {
        pl_complain(&pl_cmd_serve, "--whip-open is for servers without --whip-token-file");
        return false;
    }
    if (whip_tokens && !read_tokens())
        return false;
    whip_conf = (pl_whip_conf){ .access = whip_tokens ? &whip_access : NULL,
                                .open = whip_open,
                                .max_sessions = (uint32_t)whip_sessions,
                                .max_viewers = (uint32_t)whip_viewers,
                                .udp_port = (uint16_t)whip_port,
                                .bind_address = whip_bind };
    conf->whip = &whip_conf;
    return true;
}

static bool make_conf(pl_server_conf *conf)
{
    bool no_stun = stun_at.n == 1 && strcmp(stun_at.item[0], "none") == 0;
    *conf = (pl_server_conf){ .web_dir = web_dir };
    conf->http.rooms.max_peers = (uint32_t)max_peers;
    conf->http.rooms.max_room = (uint32_t)max_room;
    conf->http.max_connections = (uint32_t)(max_peers + max_peers / 4 + 64); /* some only fetch the page */
    conf->http.max_per_address = (uint32_t)max_per_address;
    conf->http.rate = (uint32_t)rate;
    conf->http.burst = (uint32_t)rate * 4;
    conf->http.tls_cert = tls_cert;
    conf->http.tls_key = tls_key;
    conf->redis_url = redis_url;
    conf->redis_prefix = redis_prefix;
    if (!tls_cert != !tls_key) {
        pl_complain(&pl_cmd_serve, "--tls-cert and --tls-key go together");
        return false;
    }
    if (no_stun && (relay || relay_config)) {
        pl_complain(&pl_cmd_serve, "--relay needs --stun");
        return false;
    }
    return read_relay(conf) && read_redis_password(conf) && read_turn(conf) && read_whip(conf) &&
           parse_addrs(&listen_at, "listen", PL_SERVER_PORT, conf->http.listen, PL_HTTP_LISTEN_MAX,
                       &conf->http.n_listen) &&
           (no_stun || parse_addrs(&stun_at, "stun", PL_SERVER_STUN_PORT, conf->stun, PL_SERVER_STUN_MAX,
                                   &conf->n_stun));
}

/* A machine without IPv6 refuses the second default address; that alone must not stop us. */
static pl_err start(serving *sv, pl_server_conf *conf)
{
    pl_err err = pl_server_new(&sv->server, sv->loop, conf);
    if (err != PL_EIO || listen_at.n + stun_at.n > 0)
        return err;
    conf->http.n_listen = conf->n_stun = 1;
    return pl_server_new(&sv->server, sv->loop, conf);
}

/* ---- what is printed ---- */

/* http://127.0.0.1:8888 is what a person can open; 0.0.0.0 is not. */
static const char *url_of(const pl_addr *bound, char out[PL_ADDR_TEXT_MAX + 10])
{
    char text[PL_ADDR_TEXT_MAX];
    const char *scheme = tls_cert ? "https" : "http";
    if (pl_addr_is_any(bound))
        snprintf(out, PL_ADDR_TEXT_MAX + 10, "%s://localhost:%u", scheme, bound->port);
    else
        snprintf(out, PL_ADDR_TEXT_MAX + 10, "%s://%s", scheme, pl_addr_str(bound, text));
    return out;
}

static void print_ready_json(const pl_server *s)
{
    char url[PL_ADDR_TEXT_MAX + 10], text[PL_ADDR_TEXT_MAX];
    printf("{\"type\":\"ready\",\"http\":[");
    for (size_t i = 0; i < pl_server_n_addrs(s); i++)
        printf("%s\"%s\"", i ? "," : "", url_of(pl_server_addr(s, i), url));
    printf("],\"stun\":[");
    for (size_t i = 0; i < pl_server_n_stun(s); i++)
        printf("%s\"%s\"", i ? "," : "", pl_addr_str(pl_server_stun_addr(s, i), text));
    printf("]}\n");
}

static void print_ready(const pl_server *s)
{
    char url[PL_ADDR_TEXT_MAX + 10], text[PL_ADDR_TEXT_MAX];
    if (json) {
        print_ready_json(s);
    } else if (!quiet) {
        printf("peerline: open %s\n", url_of(pl_server_addr(s, 0), url));
        for (size_t i = 0; i < pl_server_n_addrs(s); i++)
            printf("peerline: rooms and page on %s\n", pl_addr_str(pl_server_addr(s, i), text));
        for (size_t i = 0; i < pl_server_n_stun(s); i++)
            printf("peerline: %s on %s\n", relay || relay_config ? "STUN and TURN" : "STUN",
                   pl_addr_str(pl_server_stun_addr(s, i), text));
    }
    fflush(stdout);
}

/* ---- running ---- */

static void on_drained(void *user)
{
    serving *sv = user;
    sv->done = true;
}

/* The first signal lets calls being set up finish; a second one is impatient. */
static void serve(serving *sv)
{
    while (!sv->done && pl_told_to_stop() < 2) {
        if (pl_told_to_stop() && !sv->draining) {
            sv->draining = true;
            pl_server_drain(sv->server, on_drained, sv);
        }
        (void)pl_loop_run_once(sv->loop, sv->draining ? 100000 : 500000);
    }
}

static void print_bye(const pl_server *s)
{
    pl_server_stats st;
    pl_server_get_stats(s, &st);
    if (json)
        printf("{\"type\":\"closed\",\"peers\":%llu,\"messages\":%llu,\"requests\":%llu}\n",
               (unsigned long long)st.rooms.n_signed_in, (unsigned long long)st.rooms.n_messages,
               (unsigned long long)st.http.n_requests);
    else if (!quiet)
        printf("peerline: served %llu peers, %llu messages, %llu requests\n",
               (unsigned long long)st.rooms.n_signed_in, (unsigned long long)st.rooms.n_messages,
               (unsigned long long)st.http.n_requests);
    fflush(stdout);
}

static int run(int n_args, char **args)
{
    serving sv = { 0 };
    pl_server_conf conf;
    (void)n_args, (void)args;
    if (!make_conf(&conf))
        return PL_EXIT_USAGE;
    pl_say_log(json, verbose ? PL_LOG_DEBUG : quiet ? PL_LOG_WARN : PL_LOG_INFO);
    pl_catch_signals(false);
    pl_raise_file_limit();
    pl_err err = pl_loop_new(&sv.loop, NULL);
    if (!err)
        err = start(&sv, &conf);
    if (err) {
        pl_complain(&pl_cmd_serve, "cannot start: %s", pl_err_str(err));
    } else {
        print_ready(sv.server);
        serve(&sv);
        print_bye(sv.server);
    }
    pl_server_free(sv.server);
    pl_loop_free(sv.loop);
    pl_whip_access_clear(&whip_access);
    pl_wipe(redis_password, sizeof redis_password);
    pl_wipe(turn_secret, sizeof turn_secret);
    pl_log_to(NULL, NULL, PL_LOG_WARN);
    return err ? PL_EXIT_FAILED : PL_EXIT_OK;
}

const pl_command pl_cmd_serve = {
    .name = "serve",
    .summary = "rooms, web page, STUN, WHIP and WHEP for peers that want to find each other",
    .args = "",
    .details =
        "Speaks the protocol of libwebrtc's peerconnection_server on HTTP, the same rooms as JSON over "
        "WebSocket at /ws, and serves a page that calls from a browser. Answers STUN binding requests. "
        "What is published by WHIP at /whip/NAME is forwarded to whoever watches by WHEP at /whep/NAME; "
        "clients of "
        "this machine alone may do so, unless --whip-token-file or --whip-open says otherwise. "
        "SIGTERM or SIGINT lets what is open finish for up to three seconds. Counters are at /status, for "
        "clients on this machine.",
    .opts = opts,
    .run = run,
};
