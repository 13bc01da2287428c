/* s5b.h - which of many addresses a stream of SOCKS5 goes over: both sides offer some, each tries those of the other, and
 * the best that worked is used.
 * Source   XEP-0260 1.0.3 (negotiation), XEP-0065 1.8 (what is said in SOCKS5: socks5.h; proxies).
 * Shape    sans-I/O, and without sockets: events say where to connect and when to stop, verbs say what came of it. Elements
 *          of the transport go in and out; the session puts them into its requests.
 *          A stream that cannot be made is FAILED: the session may replace the transport by IBB (XEP-0260 3).
 * Units    microseconds.
 * Limits   PL_S5B_CANDIDATES_MAX of each side.
 * Errors   PL_EPROTO, PL_EINVAL, PL_ESTATE, PL_ENOMEM.
 * Thread   its owner's. */
#ifndef PL_JINGLE_S5B_H
#define PL_JINGLE_S5B_H

#include <stdint.h>

#include "base/time.h"
#include "jingle/names.h"
#include "xml/element.h"

enum {
    PL_S5B_CANDIDATES_MAX = 16,
    PL_S5B_ID_MAX = 63,
    PL_S5B_HOST_MAX = 255,
    PL_S5B_JID_MAX = 1023,
    PL_S5B_DST_LEN = 40, /* hexadecimal SHA-1 */
};
#define PL_S5B_WAIT_US PL_SEC(30) /* for the other side's word */

typedef enum pl_s5b_type { PL_S5B_DIRECT, PL_S5B_ASSISTED, PL_S5B_TUNNEL, PL_S5B_PROXY } pl_s5b_type;

typedef struct pl_s5b_candidate {
    char cid[PL_S5B_ID_MAX + 1], host[PL_S5B_HOST_MAX + 1], jid[PL_S5B_JID_MAX + 1];
    uint16_t port; /* 0: 1080 (XEP-0260) */
    uint8_t type;  /* pl_s5b_type */
    uint32_t priority;
} pl_s5b_candidate;

/* XEP-0260 2.2: the type counts most. preference: of ours among those of one type. */
uint32_t pl_s5b_priority(pl_s5b_type type, uint16_t preference);

typedef struct pl_s5b pl_s5b;

typedef struct pl_s5b_conf {
    const char *self, *peer, *sid; /* full addresses; copied */
    bool initiator;                /* of the Jingle session */
    const pl_s5b_candidate *ours;  /* copied */
    size_t n_ours;
} pl_s5b_conf;

typedef enum pl_s5b_event_kind {
    PL_S5B_CONNECT, /* to the candidate, asking SOCKS5 for `dst`; then pl_s5b_connected or pl_s5b_failed, within a time of the
                     * caller's */
    PL_S5B_STOP, /* an attempt, or a connection of this candidate, is of no use any more */
    PL_S5B_ACTIVATE, /* our proxy was chosen: connect to it, activate it (XEP-0065 6.3.5), then pl_s5b_activated */
    PL_S5B_USE,      /* this is the stream: `ours`: a connection that came to us, or our proxy's */
    PL_S5B_FAILED_NOW
} pl_s5b_event_kind;

typedef struct pl_s5b_event {
    pl_s5b_event_kind kind;
    const pl_s5b_candidate *candidate; /* lent until free; NULL for FAILED_NOW */
    bool ours;
    const char *dst; /* PL_S5B_DST_LEN characters, lent */
} pl_s5b_event;

PL_NODISCARD pl_err pl_s5b_new(pl_s5b **out, const pl_s5b_conf *conf);
void pl_s5b_free(pl_s5b *s); /* NULL is fine */
/* The peer's transport with its candidates, of its session-initiate or -accept: now it begins. Once (else PL_ESTATE). */
PL_NODISCARD pl_err pl_s5b_offered(pl_s5b *s, int64_t now_us, const pl_xml *transport);
/* The transport of a transport-info. PL_EPROTO: malformed, or of a candidate that nobody has. */
PL_NODISCARD pl_err pl_s5b_told(pl_s5b *s, int64_t now_us, const pl_xml *transport);
/* Of a CONNECT: SOCKS5 said yes; or it did not work. Others are ignored. */
void pl_s5b_connected(pl_s5b *s, int64_t now_us, const char *cid);
void pl_s5b_failed(pl_s5b *s, int64_t now_us, const char *cid);
void pl_s5b_activated(pl_s5b *s, int64_t now_us, bool worked);
void pl_s5b_tick(pl_s5b *s, int64_t now_us);
int64_t pl_s5b_next_us(const pl_s5b *s);
bool pl_s5b_poll_event(pl_s5b *s, pl_s5b_event *out);
/* What the next transport-info says: adds a transport to `content` and returns it; NULL: nothing (or no memory, then
 * pl_xml_err says so). */
pl_xml *pl_s5b_poll_output(pl_s5b *s, pl_xml *content);
void pl_s5b_check(const pl_s5b *s);

/* The transport of our session-initiate or -accept, with our candidates. */
pl_xml *pl_s5b_write_transport(const pl_s5b *s, pl_xml *content);
/* What both ask SOCKS5 for: the peer that connects to our candidates, and we of its. */
const char *pl_s5b_dst_in(const pl_s5b *s);
const char *pl_s5b_dst_out(const pl_s5b *s);
/* XEP-0065 5.3.2: hexadecimal SHA-1 of id, requester and target. */
void pl_s5b_dst(const char *sid, const char *requester, const char *target, char out[PL_S5B_DST_LEN + 1]);

#endif
