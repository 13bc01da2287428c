/* jid.h - XMPP addresses: local@domain/resource.
 * Source   RFC 7622; what it asks of local parts and resources (PRECIS) is applied by preparing them with the profiles of
 *          RFC 6122 where they are not ASCII.
 * Shape    plain values, prepared when parsed, so that equal ones compare equal.
 * Errors   PL_EPROTO: no address. */
#ifndef PL_XMPP_JID_H
#define PL_XMPP_JID_H

#include "base/slice.h"
#include "peerline/error.h"

enum { PL_JID_PART_MAX = 1023, PL_JID_MAX = 3 * PL_JID_PART_MAX + 2 };

/* One block of text with three ends; local and resource may be empty. text has a final zero. */
typedef struct pl_jid {
    char text[PL_JID_MAX + 1];
    uint16_t local_n, domain_n, resource_n;
} pl_jid;

PL_NODISCARD pl_err pl_jid_parse(pl_jid *out, pl_str text);
pl_str pl_jid_local(const pl_jid *j);
pl_str pl_jid_domain(const pl_jid *j);
pl_str pl_jid_resource(const pl_jid *j);
/* local@domain, or domain. */
pl_str pl_jid_bare(const pl_jid *j);
/* The domain as DNS and certificates write it ("xn--..."). False: it cannot be, or is longer than DNS allows. */
enum { PL_JID_DNS_MAX = 253 };
bool pl_jid_dns(const pl_jid *j, char out[PL_JID_DNS_MAX + 1]);
bool pl_jid_eq(const pl_jid *a, const pl_jid *b);
/* Without looking at resources. */
bool pl_jid_bare_eq(const pl_jid *a, const pl_jid *b);

#endif
