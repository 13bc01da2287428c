/* An account's whole life against a scripted server with every allocation failing once: the stream goes on, or ends with a
 * fault; what was refused says PL_ENOMEM; nothing is lost, and nothing that pretends is let in for want of memory. */
#include "pl_test.h"

#include "crypto/base64.h"
#include "fail.h"
#include "xmpp/caps.h"
#include "xmpp/driver.h"
#include "xmpp/message.h"
#include "xmpp/muc.h"
#include "xmpp/presence.h"
#include "xmpp/sasl.h"

#define HEADER                                                                                               \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/"      \
    "streams' from='example.org' id='x' version='1.0'>"
#define PLAIN                                                                                                \
    "<stream:features><mechanisms "                                                                          \
    "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
#define BIND                                                                                                 \
    "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/>"           \
    "</stream:features>"
#define ROOM     "square@rooms.example.org"
#define MUC_X    "<x xmlns='http://jabber.org/protocol/muc#user'>"
#define CAPS_VER "QgayPKawpkPSDYmwT/WM94uAlu0="

/* What the server says, a step a line; %s is the id of the last request that came with the word of `asks`. */
static const struct {
    const char *asks, *text;
} script[] = {
    { NULL, HEADER PLAIN },
    { NULL, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>" },
    { NULL, HEADER BIND },
    { "urn:ietf:params:xml:ns:xmpp-bind",
      "<iq type='result' id='%s'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
      "<jid>romeo@example.org/orchard</jid></bind></iq>" },
    { NULL, "<enabled xmlns='urn:xmpp:sm:3' id='1' resume='true'/>" },
    { "jabber:iq:roster",
      "<iq type='result' id='%s'><query xmlns='jabber:iq:roster' ver='7'><item jid='juliet@example.org' "
      "name='Juliet' subscription='both'><group>Friends</group></item></query></iq>" },
    { NULL, "<iq type='set' id='p'><query xmlns='jabber:iq:roster' ver='8'><item jid='nurse@example.org' "
            "subscription='to'/></query></iq>" },
    { NULL, "<iq type='set' id='q' from='tybalt@example.org'><query xmlns='jabber:iq:roster' ver='9'>"
            "<item jid='tybalt@example.org' subscription='both'/></query></iq>" },
    { NULL, "<presence from='juliet@example.org/a'><priority>1</priority><show>dnd</show>"
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='" CAPS_VER "'/>"
            "</presence>" },
    { "disco#info", "<iq type='result' id='%s' from='juliet@example.org/a'><query "
                    "xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc' "
                    "name='Exodus 0.9.1'/><feature var='http://jabber.org/protocol/muc'/><feature "
                    "var='http://jabber.org/protocol/disco#info'/><feature "
                    "var='http://jabber.org/protocol/disco#items'/><feature "
                    "var='http://jabber.org/protocol/caps'/></query></iq>" },
    { NULL, "<presence from='paris@example.org' type='subscribe'><status>be mine</status></presence>" },
    { NULL, "<message from='juliet@example.org/a' id='m1' type='chat'><thread>t</thread><body>hi &amp; ho"
            "</body><request xmlns='urn:xmpp:receipts'/></message>" },
    { NULL,
      "<message from='romeo@example.org'><received xmlns='urn:xmpp:carbons:2'><forwarded "
      "xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='juliet@example.org/b' "
      "to='romeo@example.org/x' type='chat'><body>hi</body></message></forwarded></received></message>" },
    { NULL, "<iq type='get' id='i' from='a@b/c'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
            "<iq type='get' id='j' from='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq>"
            "<iq type='get' id='k' from='a@b/c'><what xmlns='urn:ever'/></iq>" },
    { NULL, "<presence from='" ROOM "/Nurse'>" MUC_X "<item role='participant'/></x></presence>"
            "<presence from='" ROOM "/Romeo'>" MUC_X
            "<item role='moderator' affiliation='owner'/><status code='110'/></x></presence>" },
    { NULL, "<message from='" ROOM "/Nurse' type='groupchat'><subject>T</subject></message>"
            "<message from='" ROOM "/Nurse' type='groupchat'><body>lo</body></message>" },
    { NULL, "<presence type='unavailable' from='" ROOM "/Nurse'>" MUC_X
            "<item nick='Angelica'/><status code='303'/></x></presence>" },
    { NULL, "<r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='3'/>" },
    { NULL, "<presence from='juliet@example.org/a' type='unavailable'/>" },
};

typedef struct world {
    pl_xmpp_client *c;
    pl_roster *roster;
    pl_presence *presence;
    pl_disco *disco;
    pl_caps *caps;
    pl_messages *messages;
    pl_muc *muc;
    int64_t now_us;
    char said[32768]; /* since the last step, as far as it fits */
    size_t n_said;
    bool opened, closed;
    unsigned n_messages;
} world;

static void expect_at(pl_err err, int line)
{
    if (err && !(fail_is_on() && (err == PL_ENOMEM || err == PL_ESTATE)))
        fail_msg("line %d: %s: PL_ALLOC_N=%ld", line, pl_err_str(err), fail_at_n());
}
#define expect(call) expect_at(call, __LINE__)

static int64_t clock_of(void *user)
{
    return ((world *)user)->now_us;
}

static void on_loaded(void *user, const char *error)
{
    (void)user;
    PL_OKAY(!error || fail_is_on());
}

static void on_asked(void *user, const char *jid, const char *status)
{
    (void)user;
    PL_STREQ(jid, "paris@example.org");
    PL_OKAY(status);
}

static void on_message(void *user, const pl_message *m)
{
    PL_OKAY(strncmp(m->from, "juliet@", 7) == 0 && m->body);
    ((world *)user)->n_messages++;
}

static void on_muc(void *user, const pl_muc_event *e)
{
    (void)user;
    PL_OKAY(!e->message || e->message->from);
}

/* Orders are obeyed until there are none; a connection that was given up is made anew, and stays silent. */
static void obey(world *w)
{
    pl_xmpp_order o;
    while (pl_xmpp_client_poll_order(w->c, w->now_us, &o)) {
        if (o.type == PL_XMPP_CONNECT && !w->opened) {
            w->opened = true;
            pl_xmpp_client_connected(w->c, w->now_us, PL_XMPP_FRAMED_TCP, true, NULL);
        } else if (o.type == PL_XMPP_WRITE && w->n_said + o.output.text.n < sizeof w->said) {
            memcpy(w->said + w->n_said, o.output.text.p, o.output.text.n);
            w->n_said += o.output.text.n;
        }
    }
    w->said[w->n_said] = 0;
    pl_xmpp_client_check(w->c);
}

/* The id of the request that holds this word, or what no request has. */
static const char *id_of(const world *w, const char *word)
{
    static char id[64];
    const char *at = strstr(w->said, word);
    snprintf(id, sizeof id, "none");
    while (at && at > w->said && strncmp(at, "<iq", 3) != 0)
        at--;
    const char *found = at ? strstr(at, " id='") : NULL;
    if (found)
        snprintf(id, sizeof id, "%.*s", (int)strcspn(found + 5, "'"), found + 5);
    return id;
}

static void hear(world *w, const char *asks, const char *format)
{
    char text[2048];
    const char *mark = strstr(format, "%s");
    if (mark)
        snprintf(text, sizeof text, "%.*s%s%s", (int)(mark - format), format, id_of(w, asks), mark + 2);
    else
        snprintf(text, sizeof text, "%s", format);
    w->n_said = 0;
    pl_xmpp_client_input(w->c, w->now_us, text, strlen(text));
    obey(w);
}

static pl_err world_new(world *w)
{
    static const pl_disco_identity self = { "client", "console", "test" };
    const pl_xmpp_client_conf conf = {
        .jid = "romeo@example.org/orchard", .password = "secret", .plain = true, .clock = clock_of, .user = w
    };
    const pl_roster_conf roster = { .loaded = on_loaded, .user = w };
    const pl_muc_conf muc = { .room = ROOM, .nick = "Romeo", .event = on_muc, .user = w };
    pl_err err = pl_xmpp_client_new(&w->c, &conf, w->now_us);
    if (!err)
        err = pl_disco_new(&w->disco, w->c, &self);
    const pl_caps_conf caps = { .disco = w->disco, .node = "urn:test", .user = w };
    if (!err)
        err = pl_caps_new(&w->caps, w->c, &caps);
    if (!err)
        err = pl_roster_new(&w->roster, w->c, &roster);
    const pl_presence_conf presence = { .roster = w->roster, .caps = w->caps, .asked = on_asked, .user = w };
    const pl_messages_conf messages = {
        .roster = w->roster, .carbons = true, .message = on_message, .user = w
    };
    if (!err)
        err = pl_presence_new(&w->presence, w->c, &presence);
    if (!err)
        err = pl_messages_new(&w->messages, w->c, &messages);
    return err ? err : pl_muc_new(&w->muc, w->c, &muc);
}

static void world_free(world *w)
{
    pl_muc_free(w->muc);
    pl_messages_free(w->messages);
    pl_presence_free(w->presence);
    pl_roster_free(w->roster);
    pl_caps_free(w->caps);
    pl_disco_free(w->disco);
    pl_xmpp_client_free(w->c);
}

/* What the user does when he is signed in. */
static void act(world *w)
{
    char id[PL_MESSAGE_ID_MAX];
    const pl_message_out chat = {
        .type = PL_MESSAGE_CHAT, .to = "juliet@example.org", .body = "y", .receipt = true
    };
    expect(pl_presence_set(w->presence, PL_SHOW_AWAY, 3, "out"));
    expect(pl_messages_send(w->messages, &chat, id));
    expect(pl_muc_join(w->muc));
}

static void scenario(void)
{
    world w = { .now_us = PL_SEC(5) };
    pl_err err = world_new(&w);
    expect(err);
    if (!err) {
        pl_xmpp_client_open(w.c, w.now_us);
        pl_xmpp_client_tick(w.c, w.now_us);
        obey(&w);
        for (size_t i = 0; i < sizeof script / sizeof script[0]; i++) {
            hear(&w, script[i].asks, script[i].text);
            if (i == 13)
                act(&w), obey(&w);
        }
        if (!fail_is_on()) { /* the script means what it says */
            PL_EQ(pl_xmpp_client_state(w.c), PL_XMPP_OPENED);
            PL_EQ(pl_roster_count(w.roster), 2);
            PL_EQ(w.n_messages, 2);
            PL_OKAY(pl_muc_is_in(w.muc) && pl_muc_find(w.muc, "Angelica"));
        }
        PL_OKAY(!pl_roster_find(w.roster, "tybalt@example.org"));
        pl_xmpp_client_close(w.c, w.now_us);
        obey(&w);
        for (int i = 0; i < 20; i++) {
            w.now_us += PL_SEC(5);
            pl_xmpp_client_tick(w.c, w.now_us);
            obey(&w);
        }
        PL_EQ(pl_xmpp_client_state(w.c), PL_XMPP_CLOSED);
    }
    world_free(&w);
}

/* A server that does not know the password is not believed, whatever fails. */
static void log_in(const pl_sasl_offer *offer)
{
    const pl_sasl_binding tls = { .exporter = { 7 }, .exporter_n = 32 };
    const pl_sasl_conf conf = { .user = PL_STR("romeo"), .password = "pencil", .tls = &tls };
    char first[512], challenge[512], text[700];
    size_t n;
    pl_sasl *s;
    pl_buf out = pl_buf_init(PL_SASL_TEXT_MAX);
    pl_err err = pl_sasl_new(&s, &conf, offer);
    expect(err);
    if (!err)
        err = pl_sasl_begin(s, &out);
    if (!err && pl_base64_decode(out.p, out.n, (uint8_t *)first, sizeof first - 1, &n)) {
        first[n] = 0;
        const char *nonce = strstr(first, "r=");
        PL_OKAY(nonce);
        snprintf(challenge, sizeof challenge, "%sserver,s=QSXCR+Q6sek8bf92,i=4096", nonce);
        pl_base64_encode(challenge, strlen(challenge), text);
        pl_buf_clear(&out);
        out = pl_buf_init(PL_SASL_TEXT_MAX);
        err = pl_sasl_challenge(s, pl_str_of(text), &out);
        PL_OKAY(err == PL_OK || fail_is_on());
    }
    if (!err) {
        err = pl_sasl_success(s, PL_STR("dj1ybUY5cHFWOFM3c3VBb1pXamE0ZEpSa0ZzS1E9"));
        PL_OKAY(err == PL_EPROTO || (fail_is_on() && err == PL_ENOMEM));
    }
    pl_sasl_free(s);
    pl_buf_clear(&out);
}

static void log_ins(void)
{
    log_in(&(pl_sasl_offer){ .sha1 = true });
    log_in(&(pl_sasl_offer){ .sha256 = true });
    log_in(&(pl_sasl_offer){ .sha256_plus = true, .says_bindings = true, .exporter = true });
}

/* libgsasl loses memory when it finds none. */
PL_TEST(an_account)
{
    fail_each_but_leaks(scenario);
}

PL_TEST(every_mechanism)
{
    fail_each_but_leaks(log_ins);
}

PL_TESTS(t(an_account), t(every_mechanism))
