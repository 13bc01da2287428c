#include "xmpp/fault.h"

const char *pl_xmpp_fault_str(pl_xmpp_fault f)
{
    switch (f) {
    case PL_XMPP_FINE: return "fine";
    case PL_XMPP_UNREACHABLE: return "unreachable";
    case PL_XMPP_BAD_CERTIFICATE: return "bad-certificate";
    case PL_XMPP_NO_TLS: return "no-tls";
    case PL_XMPP_NOT_AUTHORIZED: return "not-authorized";
    case PL_XMPP_NO_MECHANISM: return "no-mechanism";
    case PL_XMPP_UNPROVEN: return "unproven";
    case PL_XMPP_REPLACED: return "replaced";
    case PL_XMPP_REFUSED: return "refused";
    case PL_XMPP_BROKEN: return "broken";
    case PL_XMPP_LIMIT: return "limit";
    }
    return "unknown";
}

/* A server that is replaced by a new version, or a stream that a proxy garbled, may be well a minute later; a password
 * is not, and each try with a wrong one brings the account nearer to being locked. */
bool pl_xmpp_fault_may_pass(pl_xmpp_fault f)
{
    return f == PL_XMPP_UNREACHABLE || f == PL_XMPP_BROKEN || f == PL_XMPP_LIMIT;
}
