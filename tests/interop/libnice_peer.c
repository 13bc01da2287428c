/* libnice_peer.c - libnice's agent as the other end: an offer or an answer in files, then datagrams both ways.
 *     libnice_peer offer|answer [option]...
 *         dir=DIR            where offer.sdp and answer.sdp are written and read; default: $NATLAB_DIR
 *         stun=IP:PORT
 *         turn=KIND:IP:PORT:USER:PASSWORD   KIND: udp, tcp, tls
 *         relay-only, no-tcp
 *         connect=SECONDS    to wait for the other's words and for a connection; default 20
 *         call=SECONDS       to send and receive after that; default 1
 * Prints JSON Lines: "gathered", "state", "connected" with milliseconds since both sides' words were known, and "end"
 * with the selected pair and how many datagrams came. Exit status 0: connected and heard of the other. */
#include <nice/agent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    bool offer, relay_only, no_tcp;
    const char *dir, *stun, *turn;
    double connect_s, call_s;
} opt = { .connect_s = 20, .call_s = 1 };

static struct {
    NiceAgent *agent;
    GMainLoop *loop;
    guint stream;
    bool told, asked, connected, failed;
    gint64 started_us, asked_us;
    unsigned sent, received;
} me;

static double ms_since(gint64 us)
{
    return (double)(g_get_monotonic_time() - us) / 1e3;
}

/* ---- words ---- */

static char *path_of(bool offer)
{
    return g_build_filename(opt.dir, offer ? "offer.sdp" : "answer.sdp", NULL);
}

/* Under another name first: who waits for the file must never see half of it. */
static void write_words(void)
{
    gchar *ufrag = NULL, *pwd = NULL, *path = path_of(opt.offer), *tmp = g_strconcat(path, ".tmp", NULL);
    GString *text = g_string_new(NULL);
    nice_agent_get_local_credentials(me.agent, me.stream, &ufrag, &pwd);
    g_string_append_printf(text, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", ufrag, pwd);
    GSList *cands = nice_agent_get_local_candidates(me.agent, me.stream, NICE_COMPONENT_TYPE_RTP);
    for (GSList *i = cands; i; i = i->next) {
        NiceCandidate *c = i->data;
        if (opt.relay_only && c->type != NICE_CANDIDATE_TYPE_RELAYED)
            continue;
        gchar *line = nice_agent_generate_local_candidate_sdp(me.agent, c);
        g_string_append_printf(text, "%s\r\n", line);
        g_free(line);
    }
    g_string_append(text, "a=end-of-candidates\r\n");
    if (!g_file_set_contents(tmp, text->str, -1, NULL) || rename(tmp, path))
        g_error("cannot write %s", path);
    g_slist_free_full(cands, (GDestroyNotify)nice_candidate_free);
    g_string_free(text, TRUE);
    g_free(tmp);
    g_free(path);
    g_free(ufrag);
    g_free(pwd);
}

static void read_words(char *text)
{
    char *ufrag = NULL, *pwd = NULL, *rest = NULL;
    GSList *cands = NULL;
    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        if (g_str_has_prefix(line, "a=ice-ufrag:"))
            ufrag = line + strlen("a=ice-ufrag:");
        else if (g_str_has_prefix(line, "a=ice-pwd:"))
            pwd = line + strlen("a=ice-pwd:");
        else if (g_str_has_prefix(line, "a=candidate:")) {
            NiceCandidate *c = nice_agent_parse_remote_candidate_sdp(me.agent, me.stream, line);
            if (c)
                cands = g_slist_append(cands, c);
        }
    }
    if (!ufrag || !pwd || !nice_agent_set_remote_credentials(me.agent, me.stream, ufrag, pwd))
        g_error("the other side's words have no credentials");
    me.asked = true;
    me.asked_us = g_get_monotonic_time();
    nice_agent_set_remote_candidates(me.agent, me.stream, NICE_COMPONENT_TYPE_RTP, cands);
    nice_agent_peer_candidate_gathering_done(me.agent, me.stream);
    g_slist_free_full(cands, (GDestroyNotify)nice_candidate_free);
}

static gboolean look_for_words(gpointer data)
{
    (void)data;
    gchar *path = path_of(!opt.offer), *text = NULL;
    if (me.told && g_file_get_contents(path, &text, NULL, NULL)) {
        read_words(text);
        g_free(text);
    }
    g_free(path);
    return !me.asked;
}

/* ---- what happens ---- */

static const char *type_str(const NiceCandidate *c)
{
    static const char *const name[] = { "host", "srflx", "prflx", "relay" };
    return name[c->type];
}

static gboolean on_end(gpointer data)
{
    (void)data;
    g_main_loop_quit(me.loop);
    return FALSE;
}

static gboolean on_beat(gpointer data)
{
    char text[32];
    int len = snprintf(text, sizeof text, "libnice %u", me.sent);
    (void)data;
    if (nice_agent_send(me.agent, me.stream, NICE_COMPONENT_TYPE_RTP, (guint)len, text) == len)
        me.sent++;
    return TRUE;
}

static void on_gathered(NiceAgent *agent, guint stream, gpointer data)
{
    (void)agent, (void)stream, (void)data;
    printf("{\"event\":\"gathered\",\"ms\":%.1f}\n", ms_since(me.started_us));
    write_words();
    me.told = true;
    g_timeout_add(1, look_for_words, NULL);
}

static void on_state(NiceAgent *agent, guint stream, guint component, guint state, gpointer data)
{
    (void)agent, (void)stream, (void)component, (void)data;
    printf("{\"event\":\"state\",\"state\":\"%s\",\"ms\":%.1f}\n", nice_component_state_to_string(state),
           ms_since(me.asked_us));
    if (state == NICE_COMPONENT_STATE_FAILED) {
        me.failed = true;
        g_main_loop_quit(me.loop);
    }
    if (me.connected || (state != NICE_COMPONENT_STATE_CONNECTED && state != NICE_COMPONENT_STATE_READY))
        return;
    me.connected = true;
    printf("{\"event\":\"connected\",\"ms\":%.1f}\n", ms_since(me.asked_us));
    g_timeout_add(20, on_beat, NULL);
    g_timeout_add((guint)(opt.call_s * 1000), on_end, NULL);
}

static void on_data(NiceAgent *agent, guint stream, guint component, guint len, gchar *buf, gpointer data)
{
    (void)agent, (void)stream, (void)component, (void)len, (void)buf, (void)data;
    me.received++;
}

static gboolean on_too_late(gpointer data)
{
    (void)data;
    if (!me.connected)
        g_main_loop_quit(me.loop);
    return FALSE;
}

static void on_closed(GObject *agent, GAsyncResult *result, gpointer data)
{
    (void)agent, (void)result, (void)data;
    g_main_loop_quit(me.loop);
}

/* ---- set up ---- */

static guint port_of(const char *text)
{
    guint64 port = 0;
    if (!g_ascii_string_to_unsigned(text, 10, 1, 65535, &port, NULL))
        g_error("%s is no port", text);
    return (guint)port;
}

static void set_stun(void)
{
    gchar **part = g_strsplit(opt.stun, ":", 2);
    if (!part[0] || !part[1])
        g_error("stun=IP:PORT");
    g_object_set(me.agent, "stun-server", part[0], "stun-server-port", port_of(part[1]), NULL);
    g_strfreev(part);
}

static void set_turn(void)
{
    gchar **part = g_strsplit(opt.turn, ":", 5);
    if (g_strv_length(part) != 5)
        g_error("turn=KIND:IP:PORT:USER:PASSWORD");
    NiceRelayType kind = !strcmp(part[0], "tls")   ? NICE_RELAY_TYPE_TURN_TLS
                         : !strcmp(part[0], "tcp") ? NICE_RELAY_TYPE_TURN_TCP
                                                   : NICE_RELAY_TYPE_TURN_UDP;
    if (!nice_agent_set_relay_info(me.agent, me.stream, NICE_COMPONENT_TYPE_RTP, part[1], port_of(part[2]),
                                   part[3], part[4], kind))
        g_error("libnice does not take %s", opt.turn);
    g_strfreev(part);
}

static void make_agent(void)
{
    me.agent =
        nice_agent_new_full(g_main_loop_get_context(me.loop), NICE_COMPATIBILITY_RFC5245,
                            NICE_AGENT_OPTION_REGULAR_NOMINATION | NICE_AGENT_OPTION_CONSENT_FRESHNESS);
    g_object_set(me.agent, "controlling-mode", (gboolean)opt.offer, "upnp", FALSE, "ice-tcp",
                 (gboolean)!opt.no_tcp, "force-relay", (gboolean)opt.relay_only, NULL);
    if (opt.stun)
        set_stun();
    g_signal_connect(me.agent, "candidate-gathering-done", G_CALLBACK(on_gathered), NULL);
    g_signal_connect(me.agent, "component-state-changed", G_CALLBACK(on_state), NULL);
    me.stream = nice_agent_add_stream(me.agent, 1);
    if (opt.turn)
        set_turn();
    nice_agent_attach_recv(me.agent, me.stream, NICE_COMPONENT_TYPE_RTP, g_main_loop_get_context(me.loop),
                           on_data, NULL);
}

static bool take_option(char *arg)
{
    char *value = strchr(arg, '=');
    if (value)
        *value++ = 0;
    if (!strcmp(arg, "relay-only") && !value)
        opt.relay_only = true;
    else if (!strcmp(arg, "no-tcp") && !value)
        opt.no_tcp = true;
    else if (!value)
        return false;
    else if (!strcmp(arg, "dir"))
        opt.dir = value;
    else if (!strcmp(arg, "stun"))
        opt.stun = value;
    else if (!strcmp(arg, "turn"))
        opt.turn = value;
    else if (!strcmp(arg, "connect"))
        opt.connect_s = g_ascii_strtod(value, NULL);
    else if (!strcmp(arg, "call"))
        opt.call_s = g_ascii_strtod(value, NULL);
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    opt.dir = getenv("NATLAB_DIR");
    bool usage = argc < 2 || (strcmp(argv[1], "offer") != 0 && strcmp(argv[1], "answer") != 0);
    for (int i = 2; i < argc && !usage; i++)
        usage = !take_option(argv[i]);
    if (usage || !opt.dir) {
        fprintf(stderr, "libnice_peer: see the head of libnice_peer.c\n");
        return 2;
    }
    opt.offer = !strcmp(argv[1], "offer");
    setvbuf(stdout, NULL, _IOLBF, 0);
    me.loop = g_main_loop_new(NULL, FALSE);
    make_agent();
    me.started_us = g_get_monotonic_time();
    if (!nice_agent_gather_candidates(me.agent, me.stream))
        g_error("libnice cannot gather");
    g_timeout_add((guint)(opt.connect_s * 1000), on_too_late, NULL);
    g_main_loop_run(me.loop);

    NiceCandidate *local = NULL, *remote = NULL;
    bool pair = nice_agent_get_selected_pair(me.agent, me.stream, NICE_COMPONENT_TYPE_RTP, &local, &remote);
    printf("{\"event\":\"end\",\"local\":\"%s\",\"remote\":\"%s\",\"sent\":%u,\"received\":%u}\n",
           pair ? type_str(local) : "", pair ? type_str(remote) : "", me.sent, me.received);
    nice_agent_close_async(me.agent, on_closed, NULL); /* gives its allocations back */
    g_main_loop_run(me.loop);
    g_object_unref(me.agent);
    g_main_loop_unref(me.loop);
    return me.connected && !me.failed && me.received ? 0 : 1;
}
