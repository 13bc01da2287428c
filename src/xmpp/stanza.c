/* Stanzas as every feature builds them. */
#include "xmpp/client.h"

#define PL_NS_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"

pl_xml *pl_xmpp_iq(const char *type, const char *to)
{
    pl_xml *iq = pl_xml_new(PL_NS_CLIENT, "iq");
    pl_xml_set(iq, "type", type);
    pl_xml_set(iq, "to", to);
    return iq;
}

static pl_xml *back(const pl_xml *stanza, const char *type)
{
    pl_xml *answer = pl_xml_new(PL_NS_CLIENT, stanza->name);
    pl_xml_set(answer, "type", type);
    pl_xml_set(answer, "id", pl_xml_attr_of(stanza, "id"));
    pl_xml_set(answer, "to", pl_xml_attr_of(stanza, "from"));
    return answer;
}

pl_xml *pl_xmpp_result(const pl_xml *iq)
{
    return back(iq, "result");
}

pl_xml *pl_xmpp_error(const pl_xml *stanza, const char *type, const char *condition)
{
    pl_xml *answer = back(stanza, "error");
    pl_xml *error = pl_xml_add(answer, NULL, "error");
    pl_xml_set(error, "type", type);
    pl_xml_add(error, PL_NS_STANZAS, condition);
    return answer;
}

const char *pl_xmpp_condition(const pl_xml *stanza)
{
    const pl_xml *error = pl_xml_child(stanza, NULL, "error");
    for (const pl_xml *e = pl_xml_child(error, PL_NS_STANZAS, NULL); e;
         e = pl_xml_next(e, PL_NS_STANZAS, NULL)) {
        if (strcmp(e->name, "text") != 0)
            return e->name;
    }
    return "undefined-condition";
}
