/* Ada calls Bob. The way is "paste:", texts that people copy, and here a call of a function carries them; with
 * "http://host:8888/#bob" or "xmpp:bob@example.org" the rest stays as it is. No threads: main() turns the loop. */
#include <peerline/session.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(call) ((call) == PL_OK ? (void)0 : abort())
static struct party {
    const char *name;
    pl_signaling *way;
    pl_session *session;
    pl_data_channel *chat;
} ada = { .name = "Ada" }, bob = { .name = "Bob" };
static pl_factory *factory;
static int n_heard;

static void on_message(void *user, pl_data_channel *channel, const uint8_t *data, size_t len, bool binary)
{
    struct party *p = user;
    printf("%s %s: %.*s\n", p->name, binary ? "got" : "reads", (int)len, (const char *)data);
    if (n_heard++ == 0)
        MUST(pl_data_channel_send_text(channel, "and hello to you"));
}
static void on_open(void *user, pl_data_channel *channel)
{
    if (user == &ada)
        MUST(pl_data_channel_send_text(channel, "hello"));
}
static void on_channel(void *user, pl_data_channel *channel)
{
    pl_data_channel_observer talk = { .user = user, .on_message = on_message };
    pl_data_channel_set_observer(((struct party *)user)->chat = channel, &talk);
}
static void on_connect(void *user) /* the other side is there: on either side the time for a connection */
{
    struct party *p = user;
    pl_peer_connection *pc;
    pl_peer_connection_observer watch = { .user = p, .on_data_channel = on_channel };
    pl_data_channel_observer talk = { .user = p, .on_open = on_open, .on_message = on_message };
    MUST(pl_session_open_connection(p->session, &pc, factory, NULL, &watch));
    if (pl_session_is_outgoing(p->session))
        MUST(pl_peer_connection_create_data_channel(pc, "chat", NULL, &talk, &p->chat));
}
static void on_call(void *user, pl_session *session) /* somebody calls: Bob takes it */
{
    pl_session_observer watch = { .user = user, .on_connect = on_connect };
    ((struct party *)user)->session = session;
    pl_session_set_observer(session, &watch);
    MUST(pl_session_accept(session));
}
static void on_text(void *user, const char *text) /* to be carried to the other one */
{
    MUST(pl_signaling_paste(user == &ada ? bob.way : ada.way, text));
}
int main(void)
{
    pl_loop *loop;
    MUST(pl_loop_new(&loop, NULL));
    MUST(pl_factory_new(&factory, &(pl_factory_conf){ .loop = loop, .loopback = true }));
    for (struct party *p = &ada; p; p = p == &ada ? &bob : NULL) {
        pl_signaling_observer watch = { .user = p, .on_call = on_call, .on_text = on_text };
        MUST(pl_signaling_open(&p->way, loop, &(pl_signaling_conf){ .url = "paste:" }, &watch, NULL, 0));
    }
    pl_session_observer watch = { .user = &ada, .on_connect = on_connect };
    MUST(pl_session_call(&ada.session, ada.way, &(pl_session_conf){ .data = true }, &watch));
    while (n_heard < 2)
        MUST(pl_loop_run_once(loop, -1));
    for (struct party *p = &ada; p; p = p == &ada ? &bob : NULL) {
        pl_data_channel_free(p->chat);
        pl_session_free(p->session);
        pl_signaling_free(p->way);
    }
    pl_factory_free(factory);
    pl_loop_free(loop);
}
