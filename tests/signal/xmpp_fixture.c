#include "signal/xmpp_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pl_test.h"

enum { OPTIONS_MAX = 16, LINE_MAX = 8192, START_S = 200 };

/* ---- the server ---- */

static void run_script(const char *kind, const char *const *options, int in, int out)
{
    char script[512];
    const char *argv[OPTIONS_MAX + 4] = { "python3", script, kind };
    snprintf(script, sizeof script, "%s/../interop/xmpp_server.py", PL_TEST_DATA);
    for (int i = 0; options && options[i] && i < OPTIONS_MAX; i++)
        argv[3 + i] = options[i];
    dup2(in, 0);
    dup2(out, 1);
    execvp("python3", (char *const *)(uintptr_t)argv);
    _exit(127);
}

/* One line, or what there is when the script ends. */
static void read_line(int fd, char *line)
{
    size_t n = 0;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (n < LINE_MAX - 1 && poll(&p, 1, START_S * 1000) > 0) {
        ssize_t got = read(fd, line + n, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || line[n] == '\n')
            break;
        n++;
    }
    line[n] = 0;
}

static void take_text(const json_t *all, const char *key, char *out, size_t cap)
{
    const char *text = json_string_value(json_object_get(all, key));
    PL_OKAY(text && pl_str_copy(pl_str_of(text), out, cap));
}

void xmpp_server_start(xmpp_server *s, const char *kind, const char *const *options)
{
    int in[2], out[2];
    char line[LINE_MAX];
    *s = (xmpp_server){ .to = -1 };
    PL_EQ(pipe2(in, O_CLOEXEC), 0);
    PL_EQ(pipe2(out, O_CLOEXEC), 0);
    s->pid = fork();
    if (s->pid == 0)
        run_script(kind, options, in[0], out[1]);
    PL_OKAY(s->pid > 0);
    close(in[0]);
    close(out[1]);
    s->to = in[1];
    read_line(out[0], line);
    close(out[0]);
    json_t *all = json_loads(line, 0, NULL);
    if (!all)
        print_error("%s did not start: %s\n", kind, line);
    PL_OKAY(all);
    s->c2s = (unsigned)json_integer_value(json_object_get(all, "c2s"));
    s->c2s_tls = (unsigned)json_integer_value(json_object_get(all, "c2s_tls"));
    take_text(all, "domain", s->domain, sizeof s->domain);
    take_text(all, "websocket", s->websocket, sizeof s->websocket);
    take_text(all, "websocket_tls", s->websocket_tls, sizeof s->websocket_tls);
    take_text(all, "bosh", s->bosh, sizeof s->bosh);
    take_text(all, "bosh_tls", s->bosh_tls, sizeof s->bosh_tls);
    take_text(all, "ca", s->ca, sizeof s->ca);
    take_text(all, "other_ca", s->other_ca, sizeof s->other_ca);
    json_decref(all);
}

void xmpp_server_stop(xmpp_server *s)
{
    int status;
    if (s->pid <= 0)
        return;
    close(s->to);
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR) {
    }
    s->pid = 0;
}

/* ---- accounts ---- */

pl_xmpp_connection_conf xmpp_user_conf(const xmpp_server *s, const char *jid, pl_xmpp_via via)
{
    pl_xmpp_connection_conf c = { .jid = jid, .password = "secret", .via = via, .ca_file = s->ca };
    if (via == PL_XMPP_VIA_WEBSOCKET)
        c.url = s->websocket_tls;
    else if (via == PL_XMPP_VIA_BOSH)
        c.url = s->bosh_tls;
    else
        c.host = "127.0.0.1";
    c.port = (uint16_t)(via == PL_XMPP_VIA_TLS ? s->c2s_tls : s->c2s);
    return c;
}

static bool on_stanza(void *user, const pl_xml *stanza)
{
    xmpp_user *u = user;
    const char *body = pl_xml_child_text(stanza, PL_NS_CLIENT, "body");
    if (!pl_xml_is(stanza, PL_NS_CLIENT, "message") || !body || u->n_texts == USER_TEXTS_MAX)
        return false;
    u->texts[u->n_texts++] = strdup(body);
    return true;
}

static void on_state(void *user, pl_xmpp_state state, bool resumed)
{
    xmpp_user *u = user;
    u->state = state;
    u->n_lost += state == PL_XMPP_LOST;
    u->n_opened += state == PL_XMPP_OPENED;
    u->n_resumed += state == PL_XMPP_OPENED && resumed;
    if (state == PL_XMPP_OPENED && !resumed)
        PL_EQ(pl_xmpp_send(u->client, pl_xml_new(PL_NS_CLIENT, "presence")), PL_OK);
}

static void on_trouble(void *user, pl_xmpp_fault fault, const char *why, bool again, int64_t in_us)
{
    xmpp_user *u = user;
    PL_GE(in_us, 0);
    u->n_troubles++;
    u->fault = fault;
    u->again = again;
    snprintf(u->why, sizeof u->why, "%s", why);
}

void xmpp_user_new(xmpp_user *u, pl_loop *loop, const pl_xmpp_connection_conf *conf)
{
    pl_xmpp_connection_conf own = *conf;
    *u = (xmpp_user){ .loop = loop };
    own.trouble = on_trouble;
    own.user = u;
    PL_EQ(pl_xmpp_connection_new(&u->x, loop, &own), PL_OK);
    u->client = pl_xmpp_connection_client(u->x);
    u->handler = (pl_xmpp_handler){ .stanza = on_stanza, .state = on_state, .user = u };
    pl_xmpp_add_handler(u->client, PL_XMPP_TYPE, &u->handler);
    pl_xmpp_connection_open(u->x);
}

void xmpp_user_free(xmpp_user *u)
{
    pl_xmpp_connection_free(u->x);
    for (unsigned i = 0; i < u->n_texts; i++)
        free(u->texts[i]);
    *u = (xmpp_user){ .loop = NULL };
}

void xmpp_user_say(xmpp_user *u, const char *to, const char *text)
{
    pl_xml *m = pl_xml_new(PL_NS_CLIENT, "message");
    pl_xml_set(m, "to", to);
    pl_xml_set(m, "type", "chat");
    pl_xml_add_text(m, NULL, "body", text);
    PL_EQ(pl_xmpp_send(u->client, m), PL_OK);
}

static void on_answer(void *user, const pl_xml *answer)
{
    xmpp_user *u = user;
    u->n_answers += answer && pl_xml_attr_is(answer, "type", "result");
    u->n_silent += !answer;
}

void xmpp_user_ask_ping(xmpp_user *u)
{
    char domain[PL_JID_PART_MAX + 1];
    (void)pl_str_copy(pl_jid_domain(pl_xmpp_client_jid(u->client)), domain, sizeof domain);
    pl_xml *iq = pl_xmpp_iq("get", domain);
    pl_xml_add(iq, "urn:xmpp:ping", "ping");
    PL_EQ(pl_xmpp_ask(u->client, iq, 0, on_answer, u), PL_OK);
}
