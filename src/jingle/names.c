/* The words of Jingle. */
#include "jingle/names.h"

#include <string.h>

static const char *const action[PL_JINGLE_ACTIONS] = {
    [PL_JINGLE_CONTENT_ACCEPT] = "content-accept",       [PL_JINGLE_CONTENT_ADD] = "content-add",
    [PL_JINGLE_CONTENT_MODIFY] = "content-modify",       [PL_JINGLE_CONTENT_REJECT] = "content-reject",
    [PL_JINGLE_CONTENT_REMOVE] = "content-remove",       [PL_JINGLE_DESCRIPTION_INFO] = "description-info",
    [PL_JINGLE_SECURITY_INFO] = "security-info",         [PL_JINGLE_SESSION_ACCEPT] = "session-accept",
    [PL_JINGLE_SESSION_INFO] = "session-info",           [PL_JINGLE_SESSION_INITIATE] = "session-initiate",
    [PL_JINGLE_SESSION_TERMINATE] = "session-terminate", [PL_JINGLE_TRANSPORT_ACCEPT] = "transport-accept",
    [PL_JINGLE_TRANSPORT_INFO] = "transport-info",       [PL_JINGLE_TRANSPORT_REJECT] = "transport-reject",
    [PL_JINGLE_TRANSPORT_REPLACE] = "transport-replace",
};

static const char *const reason[PL_JINGLE_REASONS] = {
    [PL_JINGLE_NO_REASON] = "",
    [PL_JINGLE_ALTERNATIVE_SESSION] = "alternative-session",
    [PL_JINGLE_BUSY] = "busy",
    [PL_JINGLE_CANCEL] = "cancel",
    [PL_JINGLE_CONNECTIVITY_ERROR] = "connectivity-error",
    [PL_JINGLE_DECLINE] = "decline",
    [PL_JINGLE_EXPIRED] = "expired",
    [PL_JINGLE_FAILED_APPLICATION] = "failed-application",
    [PL_JINGLE_FAILED_TRANSPORT] = "failed-transport",
    [PL_JINGLE_GENERAL_ERROR] = "general-error",
    [PL_JINGLE_GONE] = "gone",
    [PL_JINGLE_INCOMPATIBLE_PARAMETERS] = "incompatible-parameters",
    [PL_JINGLE_MEDIA_ERROR] = "media-error",
    [PL_JINGLE_SECURITY_ERROR] = "security-error",
    [PL_JINGLE_SUCCESS] = "success",
    [PL_JINGLE_TIMEOUT] = "timeout",
    [PL_JINGLE_UNSUPPORTED_APPLICATIONS] = "unsupported-applications",
    [PL_JINGLE_UNSUPPORTED_TRANSPORTS] = "unsupported-transports",
};

static const char *const senders[] = { "both", "initiator", "responder", "none" };

const char *pl_jingle_action_str(pl_jingle_action a)
{
    return a < PL_JINGLE_ACTIONS ? action[a] : "";
}

pl_jingle_action pl_jingle_action_of(const char *word)
{
    int a = 0;
    while (a < PL_JINGLE_ACTIONS && !(word && strcmp(word, action[a]) == 0))
        a++;
    return (pl_jingle_action)a;
}

const char *pl_jingle_reason_str(pl_jingle_reason r)
{
    return r < PL_JINGLE_REASONS ? reason[r] : "";
}

pl_jingle_reason pl_jingle_reason_of(const char *word)
{
    int r = PL_JINGLE_NO_REASON + 1;
    while (r < PL_JINGLE_REASONS && !(word && strcmp(word, reason[r]) == 0))
        r++;
    return (pl_jingle_reason)r;
}

const char *pl_jingle_senders_str(pl_jingle_senders s)
{
    return senders[s];
}

bool pl_jingle_senders_of(const char *word, pl_jingle_senders *out)
{
    *out = PL_JINGLE_BOTH;
    for (int s = 0; word && s <= PL_JINGLE_BY_NONE; s++) {
        if (strcmp(word, senders[s]) == 0) {
            *out = (pl_jingle_senders)s;
            return true;
        }
    }
    return !word;
}
