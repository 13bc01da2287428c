/* Hostile stanzas from a hostile server and hostile peers into all features at once: a byte chooses a well-formed stanza at any
 * moment, an answer to what was asked, raw bytes, or a call of the application's. */
#include <stdio.h>
#include <stdlib.h>

#include "xmpp/caps.h"
#include "xmpp/driver.h"
#include "xmpp/message.h"
#include "xmpp/muc.h"
#include "xmpp/presence.h"
#include "xmpp/registration.h"

#define USER_X "<x xmlns='http://jabber.org/protocol/muc#user'>"
#define ROOM   "q@rooms.example.org"
#define INFO   "<query xmlns='http://jabber.org/protocol/disco#info'>"

#define HEADER                                                                                               \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "                                             \
    "xmlns:stream='http://etherx.jabber.org/streams' from='example.org' version='1.0'>"
#define LOG_IN_1                                                                                             \
    HEADER "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN"          \
           "</mechanism></mechanisms></stream:features>"
#define LOG_IN_2                                                                                             \
    HEADER "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><ver "                          \
           "xmlns='urn:xmpp:features:rosterver'/></stream:features>"
#define BOUND                                                                                                \
    "<iq type='result' id='login-1'><bind "                                                                  \
    "xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>romeo@example.org/r</jid></bind></iq>"

static const char *const log_in[] = { LOG_IN_1, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
                                      LOG_IN_2, BOUND };

static const char *const words[] = {
    "<iq type='set' id='p'><query xmlns='jabber:iq:roster' ver='1'><item jid='a@b' subscription='both' "
    "name='n'><group>g</group></item></query></iq>",
    "<iq type='set' id='p'><query xmlns='jabber:iq:roster'><item jid='a@b' "
    "subscription='remove'/></query></iq>",
    "<iq type='set' id='p' from='x@y'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>",
    "<presence from='a@b/c'><priority>5</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
    "node='n' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>",
    "<presence from='a@b/d'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' "
    "ver='QgayPKawpkPSDYmwT/WM94uAlu1='/></presence>",
    "<presence from='a@b/c' type='unavailable'/>",
    "<presence from='a@b' type='unavailable'/>",
    "<presence from='a@b' type='subscribe'/>",
    "<presence from='a@b' type='unsubscribe'/>",
    "<presence from='a@b/c' type='error'/>",
    "<presence from='" ROOM "/R'>" USER_X "<item role='moderator'/><status code='110'/><status "
    "code='201'/></x></presence>",
    "<presence from='" ROOM "/N'>" USER_X "<item role='none' jid='a@b/c'/></x></presence>",
    "<presence type='unavailable' from='" ROOM "/N'>" USER_X
    "<item nick='R'/><status code='303'/></x></presence>",
    "<presence type='unavailable' from='" ROOM "/R'>" USER_X
    "<item nick='N'/><status code='303'/></x></presence>",
    "<presence type='unavailable' from='" ROOM "/R'>" USER_X
    "<item><actor nick='N'/></item><status code='307'/><status code='110'/></x></presence>",
    "<presence type='unavailable' from='" ROOM "/N'>" USER_X "<item/></x></presence>",
    "<presence type='unavailable' from='" ROOM "'>" USER_X "<destroy/></x></presence>",
    "<presence type='error' from='" ROOM "/R'/>",
    "<message type='groupchat' from='" ROOM "/N'><body>b</body></message>",
    "<message type='groupchat' from='" ROOM "'><subject>s</subject></message>",
    "<message type='chat' from='" ROOM "/N'><body>b</body></message>",
    "<message from='a@b/c' id='i'><body>b</body><request xmlns='urn:xmpp:receipts'/></message>",
    "<message from='a@b/c'><received xmlns='urn:xmpp:receipts' id='i'/></message>",
    "<message from='romeo@example.org'><sent xmlns='urn:xmpp:carbons:2'><forwarded "
    "xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='romeo@example.org/z' "
    "to='a@b'><body>b</body></message></forwarded></sent></message>",
    "<iq type='get' id='i' from='a@b/c'>" INFO "</query></iq>",
    "<iq type='get' id='i' from='a@b/c'><query xmlns='http://jabber.org/protocol/disco#items' "
    "node='n'/></iq>",
};
enum { WORDS = sizeof words / sizeof *words };

static const char *const insides[] = {
    "",
    "<query xmlns='jabber:iq:roster' ver='2'><item jid='a@b' subscription='to'/><item jid='c@d'/></query>",
    INFO
    "<identity category='client' type='pc' name='Exodus 0.9.1'/><feature "
    "var='http://jabber.org/protocol/muc'/><feature var='http://jabber.org/protocol/disco#info'/><feature "
    "var='http://jabber.org/protocol/disco#items'/><feature "
    "var='http://jabber.org/protocol/caps'/></query>",
    INFO "<feature var='a'/><feature var='a'/><x xmlns='jabber:x:data'><field var='FORM_TYPE' "
         "type='hidden'><value>t</value></field><field var='v'><value>w</value></field></x></query>",
};

typedef struct world {
    pl_xmpp_client *c;
    pl_roster *roster;
    pl_presence *presence;
    pl_disco *disco;
    pl_caps *caps;
    pl_messages *messages;
    pl_muc *muc;
    pl_registration registration;
    int64_t now_us;
    char id[4][64], to[4][128]; /* of the last requests that were said */
    unsigned n_ids;
} world;

/* ---- what the client says: ids to answer ---- */

static void attribute(const char *text, size_t len, const char *name, char *out, size_t cap)
{
    const char *at = memmem(text, len, name, strlen(name));
    const char *end = at ? memchr(at + strlen(name), '\'', len - (size_t)(at - text) - strlen(name)) : NULL;
    snprintf(out, cap, "%.*s", end ? (int)(end - at - (ptrdiff_t)strlen(name)) : 0,
             end ? at + strlen(name) : "");
}

static void note(world *w, pl_str text)
{
    const char *end = memchr(text.p, '>', text.n);
    if (!pl_str_starts(text, "<iq") || !end)
        return;
    size_t n = (size_t)(end - text.p);
    attribute(text.p, n, " id='", w->id[w->n_ids % 4], sizeof w->id[0]);
    attribute(text.p, n, " to='", w->to[w->n_ids % 4], sizeof w->to[0]);
    w->n_ids++;
}

static void obey(world *w)
{
    pl_xmpp_order o;
    while (pl_xmpp_client_poll_order(w->c, w->now_us, &o)) {
        if (o.type == PL_XMPP_CONNECT)
            pl_xmpp_client_connected(w->c, w->now_us, PL_XMPP_FRAMED_TCP, true, NULL);
        else if (o.type == PL_XMPP_WRITE)
            note(w, o.output.text);
    }
    pl_xmpp_client_check(w->c);
}

static void hear(world *w, const char *text, size_t len)
{
    pl_xmpp_client_input(w->c, w->now_us, text, len);
    obey(w);
}

static void answer(world *w, uint8_t which)
{
    char text[2048];
    unsigned i = which % 4;
    int n = snprintf(text, sizeof text, "<iq type='%s' id='%s'%s%s%s>%s</iq>",
                     which & 64 ? "error" : "result", w->id[i], w->to[i][0] ? " from='" : "", w->to[i],
                     w->to[i][0] ? "'" : "", insides[which / 4 % 4]);
    if (w->n_ids)
        hear(w, text, (size_t)n);
}

/* ---- the application ---- */

static int64_t clock_of(void *user)
{
    return ((world *)user)->now_us;
}

static void on_muc(void *user, const pl_muc_event *e)
{
    world *w = user;
    for (const pl_occupant *o = NULL; (o = pl_muc_next(w->muc, o));)
        (void)strlen(o->nick);
    if (e->occupant && !e->occupant->nick)
        abort();
}

static void on_device(void *user, const pl_device *d)
{
    world *w = user;
    (void)pl_caps_can(w->caps, d->jid, "f");
    for (const pl_device *x = NULL; (x = pl_presence_next(w->presence, d->jid, x));)
        (void)strlen(x->status);
}

static void on_done(void *user, const pl_xml *answered, const char *error)
{
    (void)user, (void)answered, (void)error;
}

static void call(world *w, uint8_t which)
{
    pl_message_out m = { .type = PL_MESSAGE_CHAT, .to = "a@b", .body = "x", .receipt = true };
    pl_err err = PL_OK;
    switch (which % 12) {
    case 0: err = pl_muc_join(w->muc); break;
    case 1: err = pl_muc_leave(w->muc, "bye"); break;
    case 2: err = pl_muc_set_nick(w->muc, "N"); break;
    case 3: err = pl_muc_kick(w->muc, "N", NULL); break;
    case 4: err = pl_roster_set(w->roster, "a@b", "x", NULL, 0, NULL, NULL); break;
    case 5: err = pl_presence_allow(w->presence, "a@b"); break;
    case 6: err = pl_messages_send(w->messages, &m, NULL); break;
    case 7: err = pl_disco_add(w->disco, "f"); break;
    case 8: pl_disco_remove(w->disco, "f"); break;
    case 9: err = pl_registration_ask_fields(&w->registration, NULL, on_done, NULL); break;
    case 10: err = pl_muc_say(w->muc, "x"); break;
    default: w->now_us += PL_SEC(25); pl_xmpp_client_tick(w->c, w->now_us);
    }
    (void)err;
    obey(w);
}

/* ---- life ---- */

static void need(pl_err err)
{
    if (err)
        abort();
}

static void world_new(world *w, pl_rand_seeded *seed)
{
    static const pl_disco_identity self = { "client", "pc", "x" };
    *w = (world){ .now_us = PL_SEC(1) };
    pl_xmpp_client_conf conf = { .jid = "romeo@example.org",
                                 .password = "x",
                                 .plain = true,
                                 .rand = pl_rand_seed(seed, 1),
                                 .clock = clock_of,
                                 .user = w };
    need(pl_xmpp_client_new(&w->c, &conf, w->now_us));
    need(pl_disco_new(&w->disco, w->c, &self));
    pl_caps_conf caps = { .disco = w->disco, .node = "n" };
    need(pl_caps_new(&w->caps, w->c, &caps));
    need(pl_roster_new(&w->roster, w->c, &(pl_roster_conf){ 0 }));
    pl_presence_conf presence = { .roster = w->roster, .caps = w->caps, .changed = on_device, .user = w };
    need(pl_presence_new(&w->presence, w->c, &presence));
    pl_messages_conf messages = { .roster = w->roster, .carbons = true };
    need(pl_messages_new(&w->messages, w->c, &messages));
    pl_muc_conf muc = {
        .room = ROOM, .nick = "R", .history = -1, .caps = w->caps, .event = on_muc, .user = w
    };
    need(pl_muc_new(&w->muc, w->c, &muc));
    pl_registration_init(&w->registration, w->c);
    pl_xmpp_client_open(w->c, w->now_us);
    pl_xmpp_client_tick(w->c, w->now_us);
    obey(w);
    for (size_t i = 0; i < sizeof log_in / sizeof *log_in; i++)
        hear(w, log_in[i], strlen(log_in[i]));
}

static void world_free(world *w)
{
    pl_registration_clear(&w->registration);
    pl_muc_free(w->muc);
    pl_messages_free(w->messages);
    pl_presence_free(w->presence);
    pl_roster_free(w->roster);
    pl_caps_free(w->caps);
    pl_disco_free(w->disco);
    pl_xmpp_client_free(w->c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_rand_seeded seed;
    world w;
    world_new(&w, &seed);
    for (size_t i = 0; i + 1 < size && i < 400; i += 2) {
        uint8_t what = data[i], which = data[i + 1];
        if (what < 128)
            hear(&w, words[which % WORDS], strlen(words[which % WORDS]));
        else if (what < 180)
            answer(&w, which);
        else if (what < 230)
            call(&w, which);
        else { /* the rest is the server's own words */
            hear(&w, (const char *)data + i + 1, size - i - 1);
            break;
        }
    }
    world_free(&w);
    return 0;
}
