/* strophe_peer.c - libstrophe as another XMPP client: strophe_peer JID HOST PORT CA-FILE, the password in PASSWORD.
 * It signs in with TLS and the certificate checked, and prints <online jid="…"/>. Then each line of standard input is a
 * stanza that goes out, each stanza that comes is a line of standard output. The end of input signs it out.
 * Exit status 0: it was signed in, and left because it was told to. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strophe.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 65536, WAIT_MS = 20 };

static struct {
    xmpp_conn_t *conn;
    bool online, over, leaving;
    char in[LINE_MAX_BYTES];
    size_t n_in;
} me;

/* A line each: new lines within a text go as references. */
static void say(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            fputs("&#10;", stdout);
        else
            putchar(*text);
    }
    putchar('\n');
    fflush(stdout);
}

static int on_stanza(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *user)
{
    char *text;
    size_t n;
    (void)user;
    if (xmpp_stanza_to_text(stanza, &text, &n) == XMPP_EOK) {
        say(text);
        xmpp_free(xmpp_conn_get_context(conn), text);
    }
    return 1;
}

static void on_state(xmpp_conn_t *conn, xmpp_conn_event_t event, int error, xmpp_stream_error_t *stream_error,
                     void *user)
{
    (void)error, (void)stream_error, (void)user;
    if (event != XMPP_CONN_CONNECT) {
        me.over = true;
        return;
    }
    me.online = xmpp_conn_is_secured(conn);
    xmpp_handler_add(conn, on_stanza, NULL, NULL, NULL, NULL);
    printf("<online jid=\"%s\"/>\n", xmpp_conn_get_bound_jid(conn));
    fflush(stdout);
}

static void send_line(const char *line)
{
    xmpp_stanza_t *stanza = xmpp_stanza_new_from_string(xmpp_conn_get_context(me.conn), line);
    if (!stanza) {
        fprintf(stderr, "strophe_peer: no stanza: %s\n", line);
        exit(2);
    }
    xmpp_send(me.conn, stanza);
    xmpp_stanza_release(stanza);
}

static void send_lines(void)
{
    char *end;
    me.in[me.n_in] = '\0';
    while ((end = strchr(me.in, '\n'))) {
        *end++ = '\0';
        send_line(me.in);
        me.n_in -= (size_t)(end - me.in);
        memmove(me.in, end, me.n_in + 1);
    }
}

static void take_input(void)
{
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    if (me.leaving || poll(&in, 1, 0) <= 0)
        return;
    ssize_t n = read(STDIN_FILENO, me.in + me.n_in, sizeof me.in - 1 - me.n_in);
    if (n <= 0) {
        me.leaving = true;
        xmpp_disconnect(me.conn);
        return;
    }
    me.n_in += (size_t)n;
    send_lines();
}

int main(int argc, char **argv)
{
    const char *password = getenv("PASSWORD");
    if (argc != 5 || !password) {
        fprintf(stderr, "usage: PASSWORD=... strophe_peer JID HOST PORT CA-FILE\n");
        return 2;
    }
    xmpp_initialize();
    xmpp_ctx_t *ctx = xmpp_ctx_new(NULL, xmpp_get_default_logger(XMPP_LEVEL_ERROR));
    me.conn = xmpp_conn_new(ctx);
    xmpp_conn_set_jid(me.conn, argv[1]);
    xmpp_conn_set_pass(me.conn, password);
    xmpp_conn_set_cafile(me.conn, argv[4]);
    (void)xmpp_conn_set_flags(me.conn, XMPP_CONN_FLAG_MANDATORY_TLS);
    unsigned short port = (unsigned short)strtoul(argv[3], NULL, 10);
    if (xmpp_connect_client(me.conn, argv[2], port, on_state, NULL) != XMPP_EOK)
        return 1;
    while (!me.over) {
        if (me.online)
            take_input();
        xmpp_run_once(ctx, WAIT_MS);
    }
    xmpp_conn_release(me.conn);
    xmpp_ctx_free(ctx);
    xmpp_shutdown();
    return me.online && me.leaving ? 0 : 1;
}
