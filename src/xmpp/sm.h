/* sm.h - stream management: what was sent and is not acknowledged, and whether a session can be resumed.
 * Source   XEP-0198 1.6.
 * Shape    lives in the client and outlives streams; init and clear. Counters are those of the XEP, modulo 2^32.
 * Errors   PL_ENOSPC at PL_XMPP_SM_MAX stanzas or PL_XMPP_SM_BYTES_MAX, PL_ENOMEM.
 * Thread   its owner's. */
#ifndef PL_XMPP_SM_H
#define PL_XMPP_SM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"
#include "base/time.h"
#include "peerline/error.h"
#include "xmpp/jid.h"

enum {
    PL_XMPP_SM_MAX = 1024,
    PL_XMPP_SM_BYTES_MAX = 4 << 20,
    PL_XMPP_SM_ID_MAX = 1024,
    PL_XMPP_SM_RESUME_S = 300
};

#define PL_NS_SM "urn:xmpp:sm:3"

typedef struct pl_xmpp_unacked {
    pl_node in_queue;
    bool
        message; /* sent again also when the session is lost: an answer to an iq would mean nothing any more */
    size_t len;
    char text[]; /* as it was written, in jabber:client; zero-terminated */
} pl_xmpp_unacked;

typedef struct pl_xmpp_sm {
    bool enabled, resumable;
    char id[PL_XMPP_SM_ID_MAX + 1];
    pl_jid jid;                      /* that was bound */
    int64_t resume_us;               /* for how long after a loss the server keeps it */
    uint32_t in_h;                   /* stanzas of the server's that we have handled */
    uint32_t acked;                  /* ours that the server has */
    pl_list unacked;                 /* after those, in order */
    pl_list left;                    /* messages of a session that was lost: for the next one */
    size_t n_unacked, n_left, bytes; /* bytes: of both */
} pl_xmpp_sm;

void pl_xmpp_sm_init(pl_xmpp_sm *sm);
void pl_xmpp_sm_clear(pl_xmpp_sm *sm);
/* A new session: counters begin at 0. Of what waits, the messages go to `left`. */
void pl_xmpp_sm_begin(pl_xmpp_sm *sm);
/* The session cannot be resumed; what waits stays in the queue until begin. */
void pl_xmpp_sm_end(pl_xmpp_sm *sm);
/* Keeps a copy of what is, or will be, sent. Errors: PL_ENOSPC, PL_ENOMEM. */
PL_NODISCARD pl_err pl_xmpp_sm_keep(pl_xmpp_sm *sm, pl_str text, bool message);
/* The server has h of ours. PL_EPROTO: more than we sent, or fewer than it had. */
PL_NODISCARD pl_err pl_xmpp_sm_ack(pl_xmpp_sm *sm, uint32_t h);
void pl_xmpp_sm_check(const pl_xmpp_sm *sm);

#endif
