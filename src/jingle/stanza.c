/* iq stanzas with Jingle in them. */
#include "jingle/stanza.h"

#include <string.h>

pl_xml *pl_jingle_iq(const char *to, const char *id, pl_jingle_action action, const char *sid,
                     pl_xml **jingle)
{
    pl_xml *iq = pl_xml_new(PL_NS_CLIENT, "iq");
    pl_xml_set(iq, "to", to);
    pl_xml_set(iq, "id", id);
    pl_xml_set(iq, "type", "set");
    *jingle = pl_xml_add(iq, PL_NS_JINGLE, "jingle");
    pl_xml_set(*jingle, "action", pl_jingle_action_str(action));
    pl_xml_set(*jingle, "sid", sid);
    return iq;
}

static pl_xml *answer(const char *to, const char *id, const char *type)
{
    pl_xml *iq = pl_xml_new(PL_NS_CLIENT, "iq");
    pl_xml_set(iq, "to", to);
    pl_xml_set(iq, "id", id);
    pl_xml_set(iq, "type", type);
    return iq;
}

pl_xml *pl_jingle_answer_result(const char *to, const char *id)
{
    return answer(to, id, "result");
}

/* XEP-0166 10, table 3, and RFC 6120 8.3.3. */
static const struct {
    const char *type, *condition, *jingle;
} errors[] = {
    [PL_JINGLE_BAD_REQUEST] = { "cancel", "bad-request", NULL },
    [PL_JINGLE_OUT_OF_ORDER] = { "wait", "unexpected-request", "out-of-order" },
    [PL_JINGLE_TIE_BREAK] = { "cancel", "conflict", "tie-break" },
    [PL_JINGLE_UNKNOWN_SESSION] = { "cancel", "item-not-found", "unknown-session" },
    [PL_JINGLE_UNSUPPORTED_INFO] = { "modify", "feature-not-implemented", "unsupported-info" },
    [PL_JINGLE_SECURITY_REQUIRED] = { "cancel", "not-acceptable", "security-required" },
    [PL_JINGLE_BUSY_NOW] = { "wait", "resource-constraint", NULL },
    [PL_JINGLE_UNAVAILABLE] = { "cancel", "service-unavailable", NULL },
    [PL_JINGLE_REDIRECT] = { "modify", "redirect", NULL },
    [PL_JINGLE_UNSUPPORTED_CONTENT] = { "cancel", "feature-not-implemented", "unsupported-content" },
    [PL_JINGLE_UNSUPPORTED_TRANSPORT] = { "cancel", "feature-not-implemented", "unsupported-transports" },
};
enum { N_ERRORS = sizeof errors / sizeof *errors };

pl_xml *pl_jingle_answer_error(const char *to, const char *id, pl_jingle_error e, const char *uri)
{
    pl_xml *iq = answer(to, id, "error"), *error = pl_xml_add(iq, NULL, "error");
    pl_xml_set(error, "type", errors[e].type);
    pl_xml *condition = pl_xml_add(error, PL_NS_STANZAS, errors[e].condition);
    if (uri)
        pl_xml_say(condition, pl_str_of(uri));
    if (errors[e].jingle)
        pl_xml_add(error, PL_NS_JINGLE_ERRORS, errors[e].jingle);
    return iq;
}

static pl_jingle_error error_of(const char *condition, const pl_xml *jingle)
{
    for (int e = PL_JINGLE_BAD_REQUEST; e < N_ERRORS; e++) {
        if (jingle ? errors[e].jingle && strcmp(jingle->name, errors[e].jingle) == 0
                   : !errors[e].jingle && strcmp(condition, errors[e].condition) == 0)
            return (pl_jingle_error)e;
    }
    return PL_JINGLE_FINE;
}

pl_jingle_error pl_jingle_error_in(const pl_xml *iq, const char **condition, const char **text)
{
    const pl_xml *error = pl_xml_child(iq, NULL, "error"),
                 *jingle = pl_xml_child(error, PL_NS_JINGLE_ERRORS, NULL);
    *condition = *text = "";
    for (const pl_xml *c = pl_xml_child(error, PL_NS_STANZAS, NULL); c;
         c = pl_xml_next(c, PL_NS_STANZAS, NULL)) {
        if (strcmp(c->name, "text") != 0) {
            *condition = c->name;
            if (strcmp(c->name, "redirect") == 0)
                *text = c->text;
        } else if (!(*text)[0]) {
            *text = c->text;
        }
    }
    return error_of(*condition, jingle);
}

/* --- reasons ---------------------------------------------------------------------------------------------- */

pl_jingle_reason pl_jingle_reason_in(const pl_xml *jingle, const char **text)
{
    const pl_xml *reason = pl_xml_child(jingle, PL_NS_JINGLE, "reason");
    const char *said = pl_xml_child_text(reason, PL_NS_JINGLE, "text");
    *text = said ? said : "";
    for (const pl_xml *c = pl_xml_child(reason, PL_NS_JINGLE, NULL); c;
         c = pl_xml_next(c, PL_NS_JINGLE, NULL)) {
        pl_jingle_reason r = pl_jingle_reason_of(c->name);
        if (r != PL_JINGLE_REASONS)
            return r;
    }
    return reason ? PL_JINGLE_GENERAL_ERROR : PL_JINGLE_NO_REASON;
}

void pl_jingle_write_reason(pl_xml *jingle, pl_jingle_reason r, const char *text, const char *condition)
{
    if (r == PL_JINGLE_NO_REASON)
        return;
    pl_xml *reason = pl_xml_add(jingle, PL_NS_JINGLE, "reason");
    pl_xml_add(reason, NULL, pl_jingle_reason_str(r));
    if (condition)
        pl_xml_add(reason, PL_NS_JINGLE_RTP_ERRORS, condition);
    if (text && text[0])
        pl_xml_add_text(reason, NULL, "text", text);
}

/* --- infos -------------------------------------------------------------------------------------------------- */

static const struct {
    const char *ns, *name;
} infos[PL_JINGLE_INFOS] = {
    [PL_JINGLE_PING] = { "", "" },
    [PL_JINGLE_RINGING] = { PL_NS_JINGLE_RTP_INFO, "ringing" },
    [PL_JINGLE_ACTIVE_AGAIN] = { PL_NS_JINGLE_RTP_INFO, "active" },
    [PL_JINGLE_HOLD] = { PL_NS_JINGLE_RTP_INFO, "hold" },
    [PL_JINGLE_UNHOLD] = { PL_NS_JINGLE_RTP_INFO, "unhold" },
    [PL_JINGLE_MUTE] = { PL_NS_JINGLE_RTP_INFO, "mute" },
    [PL_JINGLE_UNMUTE] = { PL_NS_JINGLE_RTP_INFO, "unmute" },
    [PL_JINGLE_DTMF] = { PL_NS_JINGLE_DTMF, "dtmf" },
    [PL_JINGLE_RECEIVED] = { PL_NS_JINGLE_FILE, "received" },
    [PL_JINGLE_CHECKSUM] = { PL_NS_JINGLE_FILE, "checksum" },
};

pl_jingle_info pl_jingle_info_in(const pl_xml *jingle, const pl_xml **payload)
{
    *payload = jingle->first;
    if (!jingle->first)
        return PL_JINGLE_PING;
    for (const pl_xml *c = jingle->first; c; c = c->next) {
        bool file = strcmp(c->ns, PL_NS_JINGLE_FILE_4) == 0; /* its infos are those of version 5 */
        for (int i = PL_JINGLE_RINGING; i < PL_JINGLE_INFOS; i++) {
            if (strcmp(c->name, infos[i].name) == 0 &&
                strcmp(file ? PL_NS_JINGLE_FILE : c->ns, infos[i].ns) == 0) {
                *payload = c;
                return (pl_jingle_info)i;
            }
        }
    }
    return PL_JINGLE_INFOS;
}

void pl_jingle_write_info(pl_xml *jingle, pl_jingle_info info, const char *creator, const char *content)
{
    if (info == PL_JINGLE_PING)
        return;
    pl_xml *e = pl_xml_add(jingle, infos[info].ns, infos[info].name);
    if (content) {
        pl_xml_set(e, "creator", creator);
        pl_xml_set(e, "name", content);
    }
}
