/* Jingle of 2007, to today's words and back. */
#include "jingle/ancient.h"

#include <string.h>

#include "jingle/stanza.h"

#define OLD(number, what) "http://www.xmpp.org/extensions/xep-" number ".html#ns" what

static const struct {
    const char *then, *now;
} spaces[] = {
    { OLD("0166", ""), PL_NS_JINGLE },         { OLD("0166", "-errors"), PL_NS_JINGLE_ERRORS },
    { OLD("0167", ""), PL_NS_JINGLE_RTP },     { OLD("0167", "-info"), PL_NS_JINGLE_RTP_INFO },
    { OLD("0180", ""), PL_NS_JINGLE_RTP },     { OLD("0180", "-info"), PL_NS_JINGLE_RTP_INFO },
    { OLD("0176", ""), PL_NS_JINGLE_ICE_UDP }, { OLD("0177", ""), PL_NS_JINGLE_RAW_UDP },
    { OLD("0181", ""), PL_NS_JINGLE_DTMF },
};
enum { N_SPACES = sizeof spaces / sizeof *spaces };

bool pl_jingle_stanza_is_2007(const pl_xml *iq)
{
    return pl_xml_child(iq, PL_NS_JINGLE_2007, "jingle") ||
           pl_xml_child(pl_xml_child(iq, NULL, "error"), OLD("0166", "-errors"), NULL);
}

bool pl_jingle_action_in_2007(pl_jingle_action a)
{
    return a <= PL_JINGLE_CONTENT_MODIFY || a == PL_JINGLE_CONTENT_REMOVE || a == PL_JINGLE_TRANSPORT_INFO ||
           (a >= PL_JINGLE_SESSION_ACCEPT && a <= PL_JINGLE_SESSION_TERMINATE);
}

/* --- to today's ----------------------------------------------------------------------------------------------- */

static void new_space(pl_xml *e)
{
    for (size_t i = 0; i < N_SPACES; i++) {
        if (strcmp(e->ns, spaces[i].then) != 0)
            continue;
        if (strcmp(e->name, "description") == 0 && strcmp(spaces[i].now, PL_NS_JINGLE_RTP) == 0)
            pl_xml_set(e, "media", strcmp(e->ns, OLD("0180", "")) == 0 ? "video" : "audio");
        e->ns = spaces[i].now;
        return;
    }
}

/* Credentials stood with each candidate. */
static void lift_credentials(pl_xml *transport)
{
    const pl_xml *c = pl_xml_child(transport, PL_NS_JINGLE_ICE_UDP, "candidate");
    const char *ufrag = c ? pl_xml_attr_of(c, "ufrag") : NULL, *pwd = c ? pl_xml_attr_of(c, "pwd") : NULL;
    if (ufrag && pwd && !pl_xml_attr_of(transport, "ufrag")) {
        pl_xml_set(transport, "ufrag", ufrag);
        pl_xml_set(transport, "pwd", pwd);
    }
}

static void modernise(pl_xml *e)
{
    new_space(e);
    for (pl_xml *c = e->first; c; c = c->next)
        modernise(c);
    if (pl_xml_is(e, PL_NS_JINGLE_ICE_UDP, "transport"))
        lift_credentials(e);
    if (pl_xml_is(e, PL_NS_JINGLE, "content") && pl_xml_attr_is(e, "senders", "recipient"))
        pl_xml_set(e, "senders", "responder");
}

static void reason_from_attributes(pl_xml *jingle)
{
    const char *code = pl_xml_attr_of(jingle, "reasoncode"), *text = pl_xml_attr_of(jingle, "reasontext");
    if (!text)
        text = pl_xml_attr_of(jingle, "reason"); /* as the text of 2007 itself has it once */
    if (!code && !text)
        return;
    pl_jingle_reason r = code ? pl_jingle_reason_of(code) : PL_JINGLE_SUCCESS;
    pl_jingle_write_reason(jingle, r == PL_JINGLE_REASONS ? PL_JINGLE_GENERAL_ERROR : r, text, NULL);
    pl_xml_set(jingle, "reasoncode", NULL);
    pl_xml_set(jingle, "reasontext", NULL);
    pl_xml_set(jingle, "reason", NULL);
}

pl_xml *pl_jingle_from_2007(const pl_xml *iq)
{
    pl_xml *copy = pl_xml_copy(iq);
    if (!copy)
        return NULL;
    modernise(copy);
    for (pl_xml *j = pl_xml_child(copy, PL_NS_JINGLE, "jingle"); j;
         j = pl_xml_next(j, PL_NS_JINGLE, "jingle"))
        reason_from_attributes(j);
    if (pl_xml_err(copy)) {
        pl_xml_free(copy);
        return NULL;
    }
    return copy;
}

/* --- and back ------------------------------------------------------------------------------------------------- */

static void old_space(pl_xml *e, bool video)
{
    for (size_t i = 0; i < N_SPACES; i++) {
        bool of_video = strstr(spaces[i].then, "0180") != NULL;
        if (strcmp(e->ns, spaces[i].now) == 0 &&
            (strcmp(e->ns, PL_NS_JINGLE_RTP) != 0 || of_video == video)) {
            e->ns = spaces[i].then;
            return;
        }
    }
}

static void sink_credentials(pl_xml *transport)
{
    const char *ufrag = pl_xml_attr_of(transport, "ufrag"), *pwd = pl_xml_attr_of(transport, "pwd");
    for (pl_xml *c = transport->first; c && ufrag && pwd; c = c->next) {
        if (pl_xml_is(c, PL_NS_JINGLE_ICE_UDP, "candidate")) {
            pl_xml_set(c, "ufrag", ufrag);
            pl_xml_set(c, "pwd", pwd);
        }
    }
}

static void age(pl_xml *e, bool video)
{
    if (pl_xml_is(e, PL_NS_JINGLE_RTP, "description")) {
        video = pl_xml_attr_is(e, "media", "video");
        pl_xml_set(e, "media", NULL);
    }
    if (pl_xml_is(e, PL_NS_JINGLE_ICE_UDP, "transport"))
        sink_credentials(e);
    if (pl_xml_is(e, PL_NS_JINGLE, "content") && pl_xml_attr_is(e, "senders", "responder"))
        pl_xml_set(e, "senders", "recipient");
    for (pl_xml *c = e->first; c; c = c->next)
        age(c, video);
    old_space(e, video);
}

static void reason_to_attributes(pl_xml *jingle)
{
    pl_xml *reason = pl_xml_child(jingle, PL_NS_JINGLE, "reason");
    const char *text;
    pl_jingle_reason r = pl_jingle_reason_in(jingle, &text);
    if (r == PL_JINGLE_NO_REASON)
        return;
    pl_xml_set(jingle, "reasoncode", pl_jingle_reason_str(r));
    if (text[0])
        pl_xml_set(jingle, "reasontext", text);
    pl_xml_remove(reason);
}

/* A session that nobody knows was a bad request then. */
static void age_error(pl_xml *error)
{
    if (!pl_xml_child(error, PL_NS_JINGLE_ERRORS, "unknown-session"))
        return;
    pl_xml *condition = pl_xml_child(error, PL_NS_STANZAS, "item-not-found");
    if (condition)
        condition->name = "bad-request";
}

void pl_jingle_to_2007(pl_xml *iq)
{
    if (!iq)
        return;
    for (pl_xml *c = iq->first; c; c = c->next) {
        if (pl_xml_is(c, PL_NS_JINGLE, "jingle"))
            reason_to_attributes(c);
        else if (pl_xml_is(c, NULL, "error"))
            age_error(c);
        age(c, false);
    }
}
