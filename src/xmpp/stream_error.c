/* What a server's stream errors mean to us. RFC 6120 4.9.3. */
#include <stdio.h>

#include "xmpp/stream_internal.h"

static const struct {
    const char *condition;
    pl_xmpp_fault fault;
} meanings[] = {
    { "bad-format", PL_XMPP_BROKEN },
    { "bad-namespace-prefix", PL_XMPP_BROKEN },
    { "conflict", PL_XMPP_REPLACED },
    { "connection-timeout", PL_XMPP_UNREACHABLE },
    { "host-gone", PL_XMPP_REFUSED },
    { "host-unknown", PL_XMPP_REFUSED },
    { "internal-server-error", PL_XMPP_UNREACHABLE },
    { "invalid-from", PL_XMPP_BROKEN },
    { "not-authorized", PL_XMPP_REFUSED },
    { "policy-violation", PL_XMPP_REFUSED },
    { "remote-connection-failed", PL_XMPP_UNREACHABLE },
    { "reset", PL_XMPP_UNREACHABLE },
    { "resource-constraint", PL_XMPP_UNREACHABLE },
    { "see-other-host", PL_XMPP_UNREACHABLE },
    { "system-shutdown", PL_XMPP_UNREACHABLE },
};

static pl_xmpp_fault meaning(const char *condition)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (strcmp(meanings[i].condition, condition) == 0)
            return meanings[i].fault;
    }
    return PL_XMPP_BROKEN;
}

/* Texts of the server's go into a log and to the user: only what is printable. */
static void printable(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

void stream_error(pl_xmpp_stream *s, const pl_xml *e)
{
    const pl_xml *c = pl_xml_child(e, NS_STREAMS, NULL);
    while (c && strcmp(c->name, "text") == 0)
        c = pl_xml_next(c, NS_STREAMS, NULL);
    const char *condition = c ? c->name : "undefined-condition";
    const char *text = pl_xml_child_text(e, NS_STREAMS, "text");
    char said[121];
    snprintf(said, sizeof said, "%s", text ? text : "");
    printable(said);
    if (strcmp(condition, "see-other-host") == 0 && strlen(c->text) < sizeof s->other)
        snprintf(s->other, sizeof s->other, "%s", c->text);
    stream_fail(s, meaning(condition), NULL, "the server ended the stream: %.40s%s%s", condition,
                *said ? ", " : "", said);
}
