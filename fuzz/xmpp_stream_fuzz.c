/* A hostile server in every state: each byte chooses what it says next, well-formed and at a wrong moment, or raw bytes;
 * time passes, links are cut, and the client under it asks, sends and closes. */
#include <stdio.h>

#include "xmpp/bosh.h"
#include "xmpp/driver.h"

static const char *const words[] = {
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams' "
    "from='example.org' version='1.0'>",
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism>"
    "</mechanisms></stream:features>",
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism>"
    "</mechanisms></stream:features>",
    "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><session "
    "xmlns='urn:ietf:params:xml:ns:xmpp-session'/><sm xmlns='urn:xmpp:sm:3'/></stream:features>",
    "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj14LHM9QUFBQSxpPTQwOTY=</challenge>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><temporary-auth-failure/></failure>",
    "<iq type='result' id='login-1'><bind "
    "xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>romeo@example.org/r</jid></bind></iq>",
    "<iq type='result' id='login-2'/>",
    "<iq type='error' id='login-1'><error type='cancel'><conflict "
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    "<enabled xmlns='urn:xmpp:sm:3' id='s' resume='true' max='60'/>",
    "<resumed xmlns='urn:xmpp:sm:3' h='1' previd='s'/>",
    "<resumed xmlns='urn:xmpp:sm:3' h='0' previd='s'/>",
    "<failed xmlns='urn:xmpp:sm:3' h='0'/>",
    "<a xmlns='urn:xmpp:sm:3' h='1'/>",
    "<a xmlns='urn:xmpp:sm:3' h='4294967295'/>",
    "<r xmlns='urn:xmpp:sm:3'/>",
    "<message from='a@b'><body>x</body></message>",
    "<iq type='get' id='x'><ping xmlns='urn:xmpp:ping'/></iq>",
    "<iq type='set' id='x'><y/><z/></iq>",
    "<presence from='@'/>",
    "<stream:error><see-other-host "
    "xmlns='urn:ietf:params:xml:ns:xmpp-streams'>h:1</see-other-host></stream:error>",
    "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "</stream:stream>",
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='example.org' version='1.0'/>",
    "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>",
};
enum { WORDS = sizeof words / sizeof *words };

typedef struct world {
    pl_xmpp_client *c;
    int64_t now_us;
    pl_xmpp_framing framing;
    bool want_tls;
} world;

static int64_t clock_of(void *user)
{
    return ((world *)user)->now_us;
}

static void on_answer(void *user, const pl_xml *answer)
{
    (void)user, (void)answer;
}

static void obey(world *w, bool secure)
{
    pl_xmpp_order o;
    while (pl_xmpp_client_poll_order(w->c, w->now_us, &o)) {
        if (o.type == PL_XMPP_CONNECT)
            pl_xmpp_client_connected(w->c, w->now_us, w->framing, secure, NULL);
        w->want_tls |= o.type == PL_XMPP_START_TLS;
    }
    pl_xmpp_client_check(w->c);
}

static void act(world *w, uint8_t what)
{
    pl_xml *e;
    switch (what % 8) {
    case 0: w->now_us += PL_MS(400); break;
    case 1:
        w->now_us = pl_max_us(w->now_us, pl_min_us(pl_xmpp_client_next_us(w->c), w->now_us + PL_SEC(1000)));
        break;
    case 2: pl_xmpp_client_lost(w->c, w->now_us, PL_XMPP_UNREACHABLE, "cut"); break;
    case 3:
        if (w->want_tls)
            pl_xmpp_client_secured(w->c, w->now_us, NULL);
        w->want_tls = false;
        break;
    case 4: (void)!pl_xmpp_send(w->c, pl_xml_new(PL_NS_CLIENT, "message")); break;
    case 5:
        e = pl_xmpp_iq("get", NULL);
        pl_xml_add(e, "urn:q", "q");
        (void)!pl_xmpp_ask(w->c, e, 0, on_answer, w);
        break;
    case 6: pl_xmpp_client_close(w->c, w->now_us); break;
    case 7: pl_xmpp_client_open(w->c, w->now_us); break;
    }
    pl_xmpp_client_tick(w->c, w->now_us);
}

/* The same words in bodies, as answers to requests that may be none. */
static void fuzz_bosh(const uint8_t *data, size_t size)
{
    pl_bosh *b;
    pl_bosh_request r;
    pl_xml_read read;
    pl_rand_seeded seeded;
    pl_rand rand = pl_rand_seed(&seeded, 1);
    int64_t now_us = 0;
    if (pl_bosh_new(&b, "example.org", &rand, now_us))
        return;
    for (size_t i = 0; i + 1 < size; i += 2) {
        uint8_t what = data[i], which = data[i + 1];
        char text[1200];
        now_us += PL_MS(what);
        pl_xmpp_output out = { (pl_xmpp_frame)(which % 4), PL_STR("<message xmlns='jabber:client'/>") };
        int n = snprintf(text, sizeof text,
                         "<body xmlns='" PL_NS_BOSH "' xmlns:stream='" PL_NS_STREAM "' %s>%s</body>",
                         which & 1    ? "sid='s'"
                         : which & 64 ? "type='terminate'"
                                      : "",
                         which & 2 ? words[(which >> 2) % WORDS] : "");
        switch (what % 5) {
        case 0: pl_bosh_put(b, now_us, &out); break;
        case 1: (void)pl_bosh_poll_request(b, now_us, &r); break;
        case 2: pl_bosh_answered(b, now_us, which >> 7, (pl_str){ text, (size_t)n }); break;
        case 3: pl_bosh_failed(b, now_us, which >> 7, which & 1 ? 404 : 0); break;
        case 4: pl_bosh_answered(b, now_us, which >> 7, (pl_str){ (const char *)data, size }); break;
        }
        while (pl_bosh_poll_read(b, &read))
            pl_xml_free(read.element);
        pl_bosh_check(b);
    }
    pl_bosh_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_rand_seeded seeded;
    world w = { .now_us = PL_SEC(1) };
    if (size < 2)
        return 0;
    if (data[0] % 4 == 3) {
        fuzz_bosh(data + 1, size - 1);
        return 0;
    }
    w.framing = data[0] % 4 == 2 ? PL_XMPP_FRAMED_WEBSOCKET : PL_XMPP_FRAMED_TCP;
    pl_xmpp_client_conf conf = { .jid = "romeo@example.org/r",
                                 .password = "x",
                                 .plain = true,
                                 .insecure = data[0] & 8,
                                 .create_account = data[0] & 16,
                                 .rand = pl_rand_seed(&seeded, 1),
                                 .clock = clock_of,
                                 .user = &w };
    if (pl_xmpp_client_new(&w.c, &conf, w.now_us))
        return 0;
    pl_xmpp_client_open(w.c, w.now_us);
    pl_xmpp_client_tick(w.c, w.now_us);
    for (size_t i = 1; i < size; i++) {
        obey(&w, data[0] & 4);
        if (data[i] < 128) {
            const char *word = words[data[i] % WORDS];
            pl_xmpp_client_input(w.c, w.now_us, word, strlen(word));
        } else if (data[i] < 224) {
            act(&w, data[i]);
        } else {
            size_t n = data[i] - 223u < size - i - 1 ? data[i] - 223u : size - i - 1;
            pl_xmpp_client_input(w.c, w.now_us, data + i + 1, n);
            i += n;
        }
    }
    obey(&w, true);
    pl_xmpp_client_free(w.c);
    return 0;
}
