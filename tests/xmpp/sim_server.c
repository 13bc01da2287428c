#include "xmpp/sim_server.h"

#include "pl_test.h"

#define NS_SM     "urn:xmpp:sm:3"
#define NS_SASL   "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_BIND   "urn:ietf:params:xml:ns:xmpp-bind"
#define NS_STREAM "http://etherx.jabber.org/streams"

void sim_server_init(sim_server *s)
{
    *s = (sim_server){ .out = pl_buf_init(16 << 20) };
}

void sim_server_cut(sim_server *s)
{
    pl_xml_reader_free(s->reader);
    s->reader = NULL;
    s->attached = false;
    pl_buf_clear(&s->out);
}

static void forget_session(sim_server *s)
{
    for (uint32_t i = 0; i < s->n_out; i++) {
        free(s->queue[i]);
        s->queue[i] = NULL;
    }
    s->bound = s->sm_on = s->attached = false;
    s->in_h = s->out_acked = s->n_out = 0;
}

void sim_server_clear(sim_server *s)
{
    sim_server_cut(s);
    forget_session(s);
}

void sim_server_connect(sim_server *s)
{
    sim_server_cut(s);
    s->tls = s->authed = s->ended = false;
    PL_EQ(pl_xml_reader_new(&s->reader, PL_XML_STREAM, 0), PL_OK);
}

static void header(sim_server *s)
{
    pl_buf_addf(&s->out, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAM
                         "' from='example.org' id='x' version='1.0'><stream:features>");
    if (!s->tls)
        pl_buf_addf(&s->out, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>");
    else if (!s->authed)
        pl_buf_addf(&s->out, "<mechanisms xmlns='" NS_SASL "'><mechanism>PLAIN</mechanism></mechanisms>");
    else
        pl_buf_addf(&s->out, "<bind xmlns='" NS_BIND "'/>%s", s->no_sm ? "" : "<sm xmlns='" NS_SM "'/>");
    pl_buf_addf(&s->out, "</stream:features>");
}

static void transmit(sim_server *s, const char *text)
{
    if (s->attached)
        pl_buf_add(&s->out, text, strlen(text));
}

void sim_server_say(sim_server *s, int number)
{
    char text[120];
    if (!s->bound || s->n_out == SIM_QUEUE_MAX)
        return;
    snprintf(text, sizeof text,
             "<message from='juliet@example.org/b' to='romeo@example.org/r'><body>%d</body></message>",
             number);
    s->queue[s->n_out++] = strdup(text);
    transmit(s, text);
}

void sim_server_ask_ack(sim_server *s)
{
    if (s->sm_on)
        transmit(s, "<r xmlns='" NS_SM "'/>");
}

static void on_iq(sim_server *s, const pl_xml *iq)
{
    const char *id = pl_xml_attr_of(iq, "id");
    if (pl_xml_child(iq, NS_BIND, "bind")) {
        forget_session(s);
        s->bound = s->attached = true;
        s->n_sessions++;
        pl_buf_addf(&s->out,
                    "<iq type='result' id='%s'><bind xmlns='" NS_BIND
                    "'><jid>romeo@example.org/r</jid></bind></iq>",
                    id);
        return;
    }
    if (!pl_xml_child(iq, "urn:xmpp:ping", "ping"))
        return;
    char text[120];
    snprintf(text, sizeof text, "<iq type='result' from='example.org' id='%.60s'/>", id);
    if (s->n_out < SIM_QUEUE_MAX)
        s->queue[s->n_out++] = strdup(text);
    transmit(s, text);
}

static void on_resume(sim_server *s, const pl_xml *e)
{
    uint64_t h;
    PL_OKAY(pl_xml_attr_u64(e, "h", UINT32_MAX, &h));
    if (!s->sm_on || s->forgets) {
        pl_buf_addf(&s->out, "<failed xmlns='" NS_SM "' h='%u'><item-not-found xmlns='urn:x'/></failed>",
                    s->in_h);
        return;
    }
    PL_OKAY(h >= s->out_acked && h <= s->n_out); /* the client counts as we do */
    s->out_acked = (uint32_t)h;
    s->attached = true;
    s->n_resumed++;
    pl_buf_addf(&s->out, "<resumed xmlns='" NS_SM "' h='%u' previd='session'/>", s->in_h);
    for (uint32_t i = s->out_acked; i < s->n_out; i++)
        transmit(s, s->queue[i]);
}

static void on_sm(sim_server *s, const pl_xml *e)
{
    uint64_t h;
    if (strcmp(e->name, "enable") == 0) {
        s->sm_on = true;
        s->in_h = 0;
        pl_buf_addf(&s->out, "<enabled xmlns='" NS_SM "' id='session' resume='true' max='300'/>");
    } else if (strcmp(e->name, "r") == 0) {
        pl_buf_addf(&s->out, "<a xmlns='" NS_SM "' h='%u'/>", s->in_h);
    } else if (strcmp(e->name, "resume") == 0) {
        on_resume(s, e);
    } else if (pl_xml_attr_u64(e, "h", UINT32_MAX, &h)) {
        PL_OKAY(h >= s->out_acked && h <= s->n_out);
        s->out_acked = (uint32_t)h;
    }
}

static void on_element(sim_server *s, const pl_xml *e)
{
    if (pl_xml_is(e, "urn:ietf:params:xml:ns:xmpp-tls", "starttls")) {
        pl_buf_addf(&s->out, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        s->tls = true;
        pl_xml_reader_reset(s->reader);
    } else if (pl_xml_is(e, NS_SASL, "auth")) {
        PL_STREQ(e->text, "AHJvbWVvAHNlY3JldA=="); /* \0romeo\0secret */
        pl_buf_addf(&s->out, "<success xmlns='" NS_SASL "'/>");
        s->authed = true;
        pl_xml_reader_reset(s->reader);
    } else if (pl_xml_is(e, NS_SM, NULL)) {
        on_sm(s, e);
    } else {
        s->in_h++;
        if (pl_xml_is(e, NULL, "iq"))
            on_iq(s, e);
        const char *body = pl_xml_child_text(e, NULL, "body");
        if (body && s->n_texts < SIM_QUEUE_MAX)
            s->texts[s->n_texts++] = (int)strtol(body, NULL, 10);
    }
}

void sim_server_input(sim_server *s, const char *data, size_t len)
{
    pl_xml_read read;
    if (!s->reader || s->ended)
        return;
    PL_EQ(pl_xml_reader_input(s->reader, data, len), PL_OK);
    while (s->reader && pl_xml_reader_poll(s->reader, &read)) {
        if (read.type == PL_XML_OPENED)
            header(s);
        else if (read.type == PL_XML_ELEMENT)
            on_element(s, read.element);
        else
            s->ended = true;
        pl_xml_free(read.element);
        if (s->ended) {
            pl_buf_addf(&s->out, "</stream:stream>");
            forget_session(s);
            break;
        }
    }
}
