/* What users do, against a scripted server: rosters, presence, carbons, capabilities and rooms, by those who may and by
 * those who pretend. */
#include "pl_test.h"

#include "xmpp/caps.h"
#include "xmpp/driver.h"
#include "xmpp/message.h"
#include "xmpp/muc.h"
#include "xmpp/presence.h"

#define HEADER                                                                                               \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/"      \
    "streams' from='example.org' id='x' version='1.0'>"
#define PLAIN                                                                                                \
    "<stream:features><mechanisms "                                                                          \
    "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
#define BIND                                                                                                 \
    "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><ver "                                 \
    "xmlns='urn:xmpp:features:rosterver'/></stream:features>"
#define MUC_X "<x xmlns='http://jabber.org/protocol/muc#user'>"

typedef struct world {
    pl_xmpp_client *c;
    pl_roster *roster;
    pl_presence *presence;
    pl_disco *disco;
    pl_caps *caps;
    pl_messages *messages;
    pl_muc *muc;
    int64_t now_us;
    pl_buf out; /* since the last look */
    unsigned n_loaded, n_changed, n_gone, n_devices, n_asked, n_messages, n_known;
    pl_muc_event last; /* texts not to be looked at */
    unsigned n_muc[PL_MUC_ASKED + 1], n_invited;
    char text[100];
} world;

static int64_t clock_of(void *user)
{
    return ((world *)user)->now_us;
}

static void on_loaded(void *user, const char *error)
{
    PL_OKAY(!error);
    ((world *)user)->n_loaded++;
}

static void on_changed(void *user, const pl_contact *c, bool gone)
{
    world *w = user;
    PL_OKAY(*c->jid);
    w->n_changed++;
    w->n_gone += gone;
}

static void on_device(void *user, const pl_device *d)
{
    (void)d;
    ((world *)user)->n_devices++;
}

static void on_asked(void *user, const char *jid, const char *status)
{
    (void)status;
    snprintf(((world *)user)->text, 100, "%s", jid);
    ((world *)user)->n_asked++;
}

static void on_message(void *user, const pl_message *m)
{
    world *w = user;
    w->n_messages++;
    snprintf(w->text, sizeof w->text, "%s %d %s", m->from, m->carbon, m->body ? m->body : "");
}

static void on_invited(void *user, const pl_invitation *i)
{
    world *w = user;
    w->n_invited++;
    snprintf(w->text, sizeof w->text, "%.30s by %.30s, %s, %s%s", i->room, i->by,
             i->password ? i->password : "-", i->reason ? i->reason : "-", i->direct ? ", directly" : "");
}

static void on_known(void *user, const char *jid)
{
    (void)jid;
    ((world *)user)->n_known++;
}

static void on_muc(void *user, const pl_muc_event *e)
{
    world *w = user;
    w->last = *e;
    w->n_muc[e->type]++;
    snprintf(w->text, sizeof w->text, "%s", e->message ? e->message->body : e->error ? e->error : "");
}

static void obey(world *w)
{
    pl_xmpp_order o;
    while (pl_xmpp_client_poll_order(w->c, w->now_us, &o)) {
        if (o.type == PL_XMPP_CONNECT)
            pl_xmpp_client_connected(w->c, w->now_us, PL_XMPP_FRAMED_TCP, true, NULL);
        else if (o.type == PL_XMPP_WRITE)
            pl_buf_add(&w->out, o.output.text.p, o.output.text.n);
    }
    pl_xmpp_client_check(w->c);
}

static void hear(world *w, const char *text)
{
    pl_buf_clear(&w->out);
    w->out = pl_buf_init(1 << 20);
    pl_xmpp_client_input(w->c, w->now_us, text, strlen(text));
    obey(w);
}

static bool said(world *w, const char *text)
{
    const char *all = pl_buf_z(&w->out);
    return all && strstr(all, text);
}

/* The id of the first stanza said that holds this. */
static const char *id_of(world *w, const char *mark)
{
    static char id[64];
    const char *all = pl_buf_z(&w->out), *at = all ? strstr(all, mark) : NULL;
    PL_OKAY(at);
    if (!at)
        return "";
    while (at > all && strncmp(at, "<iq", 3) != 0)
        at--;
    const char *found = strstr(at, " id='");
    PL_OKAY(found);
    if (!found)
        return "";
    snprintf(id, sizeof id, "%.*s", (int)strcspn(found + 5, "'"), found + 5);
    return id;
}

static void answer(world *w, const char *id, const char *from, const char *inside)
{
    char text[4096];
    snprintf(text, sizeof text, "<iq type='result' id='%s' from='%s'>%s</iq>", id, from, inside);
    hear(w, text);
}

static void world_new(world *w)
{
    static const pl_disco_identity self = { "client", "console", "test" };
    *w = (world){ .now_us = PL_SEC(5), .out = pl_buf_init(1 << 20) };
    pl_xmpp_client_conf conf = {
        .jid = "romeo@example.org/orchard", .password = "secret", .plain = true, .clock = clock_of, .user = w
    };
    PL_EQ(pl_xmpp_client_new(&w->c, &conf, w->now_us), PL_OK);
    PL_EQ(pl_disco_new(&w->disco, w->c, &self), PL_OK);
    pl_caps_conf caps = { .disco = w->disco, .node = "urn:test", .known = on_known, .user = w };
    PL_EQ(pl_caps_new(&w->caps, w->c, &caps), PL_OK);
    pl_roster_conf roster = { .loaded = on_loaded, .changed = on_changed, .user = w };
    PL_EQ(pl_roster_new(&w->roster, w->c, &roster), PL_OK);
    pl_presence_conf presence = {
        .roster = w->roster, .caps = w->caps, .changed = on_device, .asked = on_asked, .user = w
    };
    PL_EQ(pl_presence_new(&w->presence, w->c, &presence), PL_OK);
    pl_messages_conf messages = {
        .roster = w->roster, .message = on_message, .invited = on_invited, .user = w
    };
    PL_EQ(pl_messages_new(&w->messages, w->c, &messages), PL_OK);
    pl_muc_conf muc = {
        .room = "square@rooms.example.org", .nick = "Romeo", .history = 5, .event = on_muc, .user = w
    };
    PL_EQ(pl_muc_new(&w->muc, w->c, &muc), PL_OK);
    pl_xmpp_client_open(w->c, w->now_us);
    pl_xmpp_client_tick(w->c, w->now_us);
    obey(w);
    hear(w, HEADER PLAIN);
    hear(w, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    hear(w, HEADER BIND);
    hear(w, "<iq type='result' id='login-1'><bind "
            "xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>romeo@example.org/orchard</jid></bind></iq>");
    PL_EQ(pl_xmpp_client_state(w->c), PL_XMPP_OPENED);
    PL_OKAY(said(w, "ver=''"));
    PL_OKAY(said(w, "<presence"));
    answer(w, id_of(w, "jabber:iq:roster"), "romeo@example.org",
           "<query xmlns='jabber:iq:roster' ver='7'><item jid='juliet@example.org' name='Juliet' "
           "subscription='both'><group>Friends</group></item><item jid='juliet@example.org'/></query>");
    PL_EQ(w->n_loaded, 1);
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
    pl_buf_clear(&w->out);
}

#define PUSH(from, item)                                                                                     \
    "<iq type='set' id='p' " from "><query xmlns='jabber:iq:roster' ver='8'>" item "</query></iq>"

PL_TEST(roster_is_pushed_by_the_account_alone)
{
    world w;
    world_new(&w);
    PL_EQ(pl_roster_count(w.roster), 1); /* who was told twice is there once */
    PL_EQ(pl_roster_counted(w.roster)->malformed, 1);
    const pl_contact *c = pl_roster_find(w.roster, "juliet@example.org/balcony");
    PL_OKAY(c && c->subscription == PL_SUBSCRIPTION_BOTH && c->n_groups == 1);
    hear(&w, PUSH("from='tybalt@example.org'", "<item jid='tybalt@example.org' subscription='both'/>"));
    PL_OKAY(said(&w, "service-unavailable"));
    hear(&w, PUSH("from='romeo@example.org/other'", "<item jid='tybalt@example.org' subscription='both'/>"));
    PL_EQ(pl_roster_counted(w.roster)->spoofed, 2);
    PL_EQ(pl_roster_count(w.roster), 1);
    hear(&w, PUSH("from='romeo@example.org'", "<item jid='nurse@example.org' subscription='to'/>"));
    PL_OKAY(said(&w, "type='result'"));
    hear(&w, PUSH("", "<item jid='juliet@example.org' subscription='from'/>"));
    PL_EQ(pl_roster_find(w.roster, "juliet@example.org")->subscription, PL_SUBSCRIPTION_FROM);
    hear(&w, PUSH("", "<item jid='nurse@example.org' subscription='remove'/>"));
    PL_EQ(w.n_changed, 3);
    PL_EQ(w.n_gone, 1);
    hear(&w, PUSH("", "<item jid='a@b'/><item jid='c@d'/>"));
    PL_OKAY(said(&w, "bad-request"));
    world_free(&w);
}

PL_TEST(presence_is_ordered_and_bounded)
{
    world w;
    world_new(&w);
    hear(&w, "<presence from='juliet@example.org/a'><priority>1</priority></presence>"
             "<presence from='juliet@example.org/b'><priority>9</priority><show>dnd</show></presence>"
             "<presence from='juliet@example.org/c'><priority>700</priority></presence>");
    const pl_device *d = pl_presence_next(w.presence, "juliet@example.org", NULL);
    PL_STREQ(d->jid, "juliet@example.org/b");
    PL_EQ(d->show, PL_SHOW_DND);
    PL_EQ(pl_presence_counted(w.presence)->malformed, 1);
    hear(&w, "<presence from='juliet@example.org/b' type='unavailable'/>");
    PL_STREQ(pl_presence_next(w.presence, "juliet@example.org", NULL)->jid, "juliet@example.org/a");
    for (int i = 0; i < PL_PRESENCE_STRANGERS_MAX + 50; i++) {
        char text[100];
        snprintf(text, sizeof text, "<presence from='s%d@evil.example/x'/>", i);
        hear(&w, text);
    }
    PL_EQ(pl_presence_counted(w.presence)->strangers_left_out, 50);
    for (int i = 0; i < 2; i++)
        hear(&w, "<presence from='paris@example.org' type='subscribe'/>");
    PL_EQ(w.n_asked, 1);
    PL_STREQ(w.text, "paris@example.org");
    PL_EQ(pl_presence_refuse(w.presence, "paris@example.org"), PL_OK);
    PL_OKAY(!pl_presence_next_request(w.presence, NULL));
    world_free(&w);
}

#define CARBON(from)                                                                                         \
    "<message from='" from "'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"   \
    "<message xmlns='jabber:client' from='juliet@example.org/b' to='romeo@example.org/other' type='chat'>"   \
    "<body>hi</body></message></forwarded></received></message>"

PL_TEST(carbons_and_receipts_are_for_whom_they_are)
{
    world w;
    char id[PL_MESSAGE_ID_MAX], text[200];
    world_new(&w);
    hear(&w, CARBON("tybalt@example.org") CARBON("romeo@example.org/other"));
    PL_EQ(w.n_messages, 0);
    PL_EQ(pl_messages_counted(w.messages)->spoofed_carbons, 2);
    hear(&w, CARBON("romeo@example.org"));
    PL_STREQ(w.text, "juliet@example.org/b 1 hi");
    hear(&w, "<message from='juliet@example.org/b' id='m1' type='chat'><body>x</body><request "
             "xmlns='urn:xmpp:receipts'/></message>");
    PL_OKAY(said(&w, "id='m1'"));
    hear(&w, "<message from='tybalt@example.org/b' id='m2' type='chat'><body>x</body><request "
             "xmlns='urn:xmpp:receipts'/></message>");
    PL_OKAY(!said(&w, "m2"));
    pl_message_out m = { .type = PL_MESSAGE_CHAT, .to = "juliet@example.org", .body = "y", .receipt = true };
    PL_EQ(pl_messages_send(w.messages, &m, id), PL_OK);
    snprintf(text, sizeof text,
             "<message from='tybalt@example.org/b'><received xmlns='urn:xmpp:receipts' id='%s'/></message>",
             id);
    hear(&w, text);
    PL_EQ(pl_messages_counted(w.messages)->stray_receipts, 1);
    hear(&w, "<message from='nowhere@rooms.example.org/x' type='groupchat'><body>x</body></message>");
    PL_EQ(pl_messages_counted(w.messages)->stray_groupchat, 1);
    world_free(&w);
}

/* The two examples of XEP-0115 5.2 and 5.3, and what 5.4 refuses. */
PL_TEST(capabilities_hash_as_the_standard_does)
{
    static const char simple[] =
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc' "
        "name='Exodus 0.9.1'/><feature var='http://jabber.org/protocol/muc'/><feature "
        "var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/disco#items'/>"
        "<feature var='http://jabber.org/protocol/caps'/></query>";
    static const char forms[] =
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity xml:lang='en' category='client' "
        "name='Psi 0.11' type='pc'/><identity xml:lang='el' category='client' name='\xce\xa8 0.11' "
        "type='pc'/>"
        "<feature var='http://jabber.org/protocol/caps'/><feature "
        "var='http://jabber.org/protocol/disco#info'/>"
        "<feature var='http://jabber.org/protocol/disco#items'/><feature "
        "var='http://jabber.org/protocol/muc'/><x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' "
        "type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field><field "
        "var='ip_version'><value>ipv4</value><value>ipv6</value></field><field "
        "var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field><field "
        "var='software'><value>Psi</value></field><field "
        "var='software_version'><value>0.11</value></field></x></query>";
    static const char twice[] =
        "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='a'/><feature "
        "var='a'/></query>";
    static const char mark[] =
        "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='a&lt;b'/></query>";
    char ver[PL_CAPS_VER_LEN + 1];
    static const struct {
        const char *text, *ver;
    } row[] = { { simple, "QgayPKawpkPSDYmwT/WM94uAlu0=" },
                { forms, "q07IKJEyjvHSyhy//CH0CxmKi8w=" },
                { twice, NULL },
                { mark, NULL } };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        pl_xml *info;
        PL_EQ(pl_xml_parse(&info, pl_str_of(row[i].text)), PL_OK);
        PL_EQ(pl_caps_ver(info, ver), row[i].ver ? PL_OK : PL_EPROTO);
        if (row[i].ver)
            PL_STREQ(ver, row[i].ver);
        pl_xml_free(info);
    }
}

#define SAYS(who)                                                                                            \
    "<presence from='" who "'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' "         \
    "ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>"
#define INFO(features)                                                                                       \
    "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc' "            \
    "name='Exodus 0.9.1'/>" features "</query>"
#define F(name) "<feature var='http://jabber.org/protocol/" name "'/>"

PL_TEST(poisoned_capabilities_count_for_nobody)
{
    world w;
    world_new(&w);
    hear(&w, SAYS("tybalt@example.org/x"));
    const char *id = id_of(&w, "disco#info");
    hear(&w, SAYS("juliet@example.org/a"));
    PL_OKAY(!said(&w, "disco#info")); /* one question a hash */
    answer(&w, id, "tybalt@example.org/x", INFO(F("evil")));
    PL_EQ(pl_caps_counted(w.caps)->poisoned, 1);
    PL_OKAY(said(&w, "juliet@example.org/a")); /* the other is asked */
    answer(&w, id_of(&w, "disco#info"), "juliet@example.org/a",
           INFO(F("muc") F("caps") F("disco#info") F("disco#items")));
    PL_EQ(w.n_known, 2);
    PL_EQ(pl_caps_can(w.caps, "tybalt@example.org/x", "http://jabber.org/protocol/evil"), PL_CAN_NOT);
    PL_EQ(pl_caps_can(w.caps, "juliet@example.org/a", "http://jabber.org/protocol/muc"), PL_CAN);
    hear(&w, "<presence type='unavailable' from='juliet@example.org/a'/>");
    PL_EQ(pl_caps_can(w.caps, "juliet@example.org/a", "http://jabber.org/protocol/muc"), PL_CAN_UNKNOWN);
    hear(&w, "<iq type='get' id='q' from='a@b/c'><query xmlns='http://jabber.org/protocol/disco#info' "
             "node='urn:other'/></iq>");
    PL_OKAY(said(&w, "item-not-found"));
    world_free(&w);
}

PL_TEST(who_says_no_hash_is_asked_on_demand)
{
    world w;
    world_new(&w);
    hear(&w, "<presence from='juliet@example.org/old'/>");
    PL_OKAY(!said(&w, "disco#info"));
    PL_EQ(pl_caps_can(w.caps, "juliet@example.org/old", "http://jabber.org/protocol/muc"), PL_CAN_UNKNOWN);
    pl_caps_ask(w.caps, "juliet@example.org/old");
    pl_caps_ask(w.caps, "juliet@example.org/old");
    pl_caps_ask(w.caps, "juliet@example.org");
    hear(&w, "");
    PL_OKAY(said(&w, "disco#info") && !said(&w, "node="));
    PL_EQ(pl_caps_counted(w.caps)->asked, 1);
    answer(&w, id_of(&w, "disco#info"), "juliet@example.org/old", INFO(F("muc")));
    PL_EQ(pl_caps_can(w.caps, "juliet@example.org/old", "http://jabber.org/protocol/muc"), PL_CAN);
    hear(&w, SAYS("nurse@example.org/x")); /* what one says of itself is no answer for a hash */
    PL_OKAY(said(&w, "nurse@example.org/x"));
    hear(&w, "<presence type='unavailable' from='juliet@example.org/old'/>");
    PL_EQ(pl_caps_can(w.caps, "juliet@example.org/old", "http://jabber.org/protocol/muc"), PL_CAN_UNKNOWN);
    world_free(&w);
}

#define ROOM "square@rooms.example.org"

PL_TEST(a_room_is_entered_and_left)
{
    world w;
    world_new(&w);
    hear(&w, "<message from='" ROOM "/x' type='groupchat'><body>x</body></message>");
    PL_EQ(pl_muc_counted(w.muc)->stray, 1);
    PL_EQ(pl_muc_say(w.muc, "x"), PL_ESTATE);
    PL_EQ(pl_muc_join(w.muc), PL_OK);
    PL_EQ(pl_muc_join(w.muc), PL_ESTATE);
    hear(&w, "<presence from='" ROOM "/Nurse'>" MUC_X "<item role='participant'/></x></presence>"
             "<presence from='" ROOM "/Romeo2'>" MUC_X
             "<item role='moderator' affiliation='owner'/><status code='110'/><status code='210'/><status "
             "code='201'/></x></presence>");
    PL_EQ(w.n_muc[PL_MUC_JOINED], 1);
    PL_EQ(w.n_muc[PL_MUC_CAME], 0);
    PL_STREQ(pl_muc_nick(w.muc), "Romeo2");
    PL_OKAY(said(&w, "muc#owner"));
    hear(&w, "<message from='" ROOM "/Nurse' type='groupchat'><body>lo</body></message>"
             "<message from='square@evil.example/Nurse' type='groupchat'><body>lie</body></message>");
    PL_EQ(w.n_muc[PL_MUC_SAID], 1);
    PL_STREQ(w.text, "lo");
    hear(&w, "<message from='" ROOM "/Nurse' type='groupchat'><subject>T</subject></message>");
    PL_STREQ(pl_muc_topic(w.muc), "T");
    hear(&w, "<presence type='unavailable' from='" ROOM "/Nurse'>" MUC_X
             "<item nick='Angelica'/><status code='303'/></x></presence>");
    PL_EQ(w.n_muc[PL_MUC_RENAMED], 1);
    PL_OKAY(pl_muc_find(w.muc, "Angelica") && !pl_muc_find(w.muc, "Nurse"));
    hear(&w, "<presence type='unavailable' from='" ROOM "/Romeo2'>" MUC_X
             "<item role='none'><reason>out</reason></item><status code='307'/><status "
             "code='110'/></x></presence>");
    PL_EQ(w.n_muc[PL_MUC_OUT], 1);
    PL_EQ(w.last.why, PL_MUC_KICKED);
    PL_OKAY(!pl_muc_is_in(w.muc) && !pl_muc_next(w.muc, NULL));
    PL_EQ(pl_muc_join(w.muc), PL_OK);
    hear(&w, "<presence type='error' from='" ROOM "/Romeo2'><error type='cancel'><conflict "
             "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>");
    PL_EQ(w.n_muc[PL_MUC_NOT_IN], 1);
    PL_STREQ(w.text, "conflict");
    world_free(&w);
}

/* XEP-0249's example 1, XEP-0045's 58 in our names, and what only looks like one. */
PL_TEST(invitations_to_rooms)
{
    world w;
    world_new(&w);
    hear(&w,
         "<message from='juliet@example.org/a'><x xmlns='jabber:x:conference' jid='darkcave@r.example.org/n' "
         "password='cauldronburn' reason='Hey'/></message>");
    PL_STREQ(w.text, "darkcave@r.example.org by juliet@example.org/a, cauldronburn, Hey, directly");
    hear(&w,
         "<message from='" ROOM "'>" MUC_X "<invite from='nurse@example.org/x'><reason>Come</reason></invite>"
         "<password>pw</password></x><body>an invitation for old clients</body>"
         "<x xmlns='jabber:x:conference' jid='" ROOM "'/></message>");
    PL_STREQ(w.text, ROOM " by nurse@example.org/x, pw, Come");
    hear(&w,
         "<message from='" ROOM "/Nurse'>" MUC_X "<invite from='a@b'/></x></message>"
         "<message from='juliet@example.org/a'><x xmlns='jabber:x:conference' jid='r.example.org'/></message>"
         "<message from='juliet@example.org/a'><x xmlns='jabber:x:conference'/></message>"
         "<message from='juliet@example.org/a' type='error'><x xmlns='jabber:x:conference' jid='" ROOM
         "'/><error type='cancel'/></message>");
    PL_EQ(w.n_invited, 2);
    world_free(&w);
}

PL_TEST(voice_is_asked_for)
{
    world w;
    world_new(&w);
    PL_EQ(pl_muc_ask_for_voice(w.muc), PL_ESTATE);
    PL_EQ(pl_muc_invite_directly(w.muc, "nurse@example.org", NULL), PL_ESTATE);
    PL_EQ(pl_muc_join(w.muc), PL_OK);
    hear(&w, "<presence from='" ROOM "/Nurse'>" MUC_X "<item role='visitor'/></x></presence>"
             "<presence from='" ROOM "/Romeo'>" MUC_X
             "<item role='moderator'/><status code='110'/></x></presence>");
    PL_EQ(pl_muc_ask_for_voice(w.muc), PL_OK);
    hear(&w, "");
    PL_OKAY(said(&w, "muc#request") && said(&w, "participant"));
    PL_EQ(pl_muc_invite_directly(w.muc, "nurse@example.org", "Come"), PL_OK);
    PL_EQ(pl_muc_invite_directly(w.muc, "@", NULL), PL_EINVAL);
    hear(&w, "");
    PL_OKAY(said(&w, "jabber:x:conference") && said(&w, "jid='" ROOM "'") && said(&w, "reason='Come'"));
#define ASKS(from, nick)                                                                                     \
    "<message from='" from "'><x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE'><value>"           \
    "http://jabber.org/protocol/muc#request</value></field><field var='muc#roomnick'><value>" nick           \
    "</value></field></x></message>"
    hear(&w, ASKS(ROOM "/Nurse", "Nurse") ASKS(ROOM, "nobody"));
    PL_EQ(w.n_muc[PL_MUC_ASKED], 0);
    hear(&w, ASKS(ROOM, "Nurse"));
    PL_EQ(w.n_muc[PL_MUC_ASKED], 1);
    PL_STREQ(w.last.nick, "Nurse");
    world_free(&w);
}

PL_TESTS(t(roster_is_pushed_by_the_account_alone), t(presence_is_ordered_and_bounded),
         t(carbons_and_receipts_are_for_whom_they_are), t(capabilities_hash_as_the_standard_does),
         t(poisoned_capabilities_count_for_nobody), t(a_room_is_entered_and_left), t(invitations_to_rooms),
         t(voice_is_asked_for), t(who_says_no_hash_is_asked_on_demand))
