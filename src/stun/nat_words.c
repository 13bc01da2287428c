/* The words of nat.h: behaviours, names and reasons as text, and RFC 3489's name for a pair of behaviours. */
#include "stun/nat.h"

pl_nat_classic pl_nat_classic_of(pl_nat_behaviour mapping, pl_nat_behaviour filtering)
{
    bool closed = filtering == PL_NAT_ADDRESS_DEPENDENT || filtering == PL_NAT_ADDRESS_PORT_DEPENDENT;
    switch (mapping) {
    case PL_NAT_ADDRESS_DEPENDENT:
    case PL_NAT_ADDRESS_PORT_DEPENDENT: return PL_NAT_SYMMETRIC; /* whatever it lets in */
    case PL_NAT_NONE:
        return closed                        ? PL_NAT_SYMMETRIC_FIREWALL
               : filtering == PL_NAT_UNKNOWN ? PL_NAT_CLASSIC_UNKNOWN
                                             : PL_NAT_OPEN;
    case PL_NAT_ENDPOINT_INDEPENDENT: break;
    case PL_NAT_UNKNOWN: return PL_NAT_CLASSIC_UNKNOWN;
    }
    switch (filtering) {
    case PL_NAT_NONE:
    case PL_NAT_ENDPOINT_INDEPENDENT: return PL_NAT_FULL_CONE;
    case PL_NAT_ADDRESS_DEPENDENT: return PL_NAT_RESTRICTED_CONE;
    case PL_NAT_ADDRESS_PORT_DEPENDENT: return PL_NAT_PORT_RESTRICTED_CONE;
    case PL_NAT_UNKNOWN: break;
    }
    return PL_NAT_CLASSIC_UNKNOWN;
}

const char *pl_nat_behaviour_str(pl_nat_behaviour b)
{
    switch (b) {
    case PL_NAT_UNKNOWN: return "unknown";
    case PL_NAT_NONE: return "none";
    case PL_NAT_ENDPOINT_INDEPENDENT: return "endpoint-independent";
    case PL_NAT_ADDRESS_DEPENDENT: return "address-dependent";
    case PL_NAT_ADDRESS_PORT_DEPENDENT: return "address-and-port-dependent";
    }
    return "?";
}

const char *pl_nat_classic_str(pl_nat_classic c)
{
    switch (c) {
    case PL_NAT_CLASSIC_UNKNOWN: return "unknown";
    case PL_NAT_OPEN: return "open internet";
    case PL_NAT_FULL_CONE: return "full cone";
    case PL_NAT_RESTRICTED_CONE: return "restricted cone";
    case PL_NAT_PORT_RESTRICTED_CONE: return "port-restricted cone";
    case PL_NAT_SYMMETRIC: return "symmetric";
    case PL_NAT_SYMMETRIC_FIREWALL: return "symmetric firewall";
    case PL_NAT_UDP_BLOCKED: return "UDP blocked";
    }
    return "?";
}

const char *pl_nat_why_str(pl_nat_why w)
{
    switch (w) {
    case PL_NAT_KNOWN: return "";
    case PL_NAT_NOT_ASKED: return "it was not asked";
    case PL_NAT_NO_ANSWER: return "the server did not answer";
    case PL_NAT_REFUSED: return "the server refuses";
    case PL_NAT_ONE_ADDRESS: return "the server has no second address";
    case PL_NAT_NO_CHANGE: return "the server does not answer from elsewhere (CHANGE-REQUEST)";
    case PL_NAT_NO_RESPONSE_PORT: return "the server does not answer to another port (RESPONSE-PORT)";
    case PL_NAT_NO_PADDING: return "the server does not send PADDING";
    case PL_NAT_OTHER_SILENT: return "the server's second address does not answer";
    case PL_NAT_NO_NAT: return "there is no address translation";
    case PL_NAT_UNSTABLE: return "the answers contradict each other";
    case PL_NAT_OUT_OF_TIME: return "the time was over";
    }
    return "?";
}

const char *pl_nat_stage_str(pl_nat_stage s)
{
    switch (s) {
    case PL_NAT_STAGE_BINDING: return "asking the server";
    case PL_NAT_STAGE_FILTERING: return "filtering";
    case PL_NAT_STAGE_MAPPING: return "mapping";
    case PL_NAT_STAGE_HAIRPIN: return "hairpinning";
    case PL_NAT_STAGE_FRAGMENTS: return "fragments";
    case PL_NAT_STAGE_LIFETIME: return "binding lifetime";
    case PL_NAT_STAGE_DONE: return "done";
    }
    return "?";
}
