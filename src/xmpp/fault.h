/* fault.h - why a session with an XMPP server did not come about, or ended.
 * Shape    plain values. Any thread. */
#ifndef PL_XMPP_FAULT_H
#define PL_XMPP_FAULT_H

#include <stdbool.h>

typedef enum pl_xmpp_fault {
    PL_XMPP_FINE,            /* ended as asked */
    PL_XMPP_UNREACHABLE,     /* no such host, no answer, or the link broke */
    PL_XMPP_BAD_CERTIFICATE, /* for another name, by nobody we trust, or expired */
    PL_XMPP_NO_TLS,          /* the server offers none, and nothing is said in the clear */
    PL_XMPP_NOT_AUTHORIZED,  /* wrong password, or no such account */
    PL_XMPP_NO_MECHANISM,    /* no way to log in that both have and that is safe */
    PL_XMPP_UNPROVEN,        /* the server does not know the password either, or somebody stands between */
    PL_XMPP_REPLACED,        /* another session took the resource */
    PL_XMPP_REFUSED,         /* the server does not want this account, domain or resource */
    PL_XMPP_BROKEN,          /* what came was no XMPP, or the server says so of us */
    PL_XMPP_LIMIT,           /* out of memory or over a limit on this side */
} pl_xmpp_fault;

/* A short word ("bad-certificate"), for scripts; constant. */
const char *pl_xmpp_fault_str(pl_xmpp_fault f);
/* Trying again may help without anybody changing anything. */
bool pl_xmpp_fault_may_pass(pl_xmpp_fault f);

#endif
