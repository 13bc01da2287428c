/* message.h - asking all devices of somebody whether they want a call, before a session is opened with one of them.
 * Source   XEP-0353 0.6 (propose, ringing, proceed, reject, retract, finish; "accept" of 0.3 to one's own devices), XEP-0280
 *          (what one's other devices sent), XEP-0334 (these are stored).
 * Shape    sans-I/O. A proposal is named by its id, which becomes the id of the Jingle session. A caller proposes, waits
 *          for PROCEED, which names the device, and calls that one (pl_jingle_initiate with the id). Whoever is called
 *          gets INCOMING on every device, decides by policy whether it rings at all, and proceeds or rejects; the others
 *          get TAKEN and stop ringing.
 * Units    microseconds.
 * Limits   PL_JMI_MAX proposals at a time; further ones that come are not looked at.
 * Errors   PL_ESTATE: no such proposal, or not in this state; PL_ENOSPC; PL_ENOMEM; PL_EINVAL.
 * Thread   its owner's. */
#ifndef PL_JINGLE_MESSAGE_H
#define PL_JINGLE_MESSAGE_H

#include <stdint.h>

#include "base/rand.h"
#include "base/time.h"
#include "jingle/names.h"
#include "xml/element.h"

enum {
    PL_JMI_MAX = 32,
    PL_JMI_STRANGERS_MAX = 4 /* of one account, ringing */,
    PL_JMI_ID_MAX = 127,
    PL_JMI_JID_MAX = 3071
};
#define PL_JMI_RING_US                                                                                       \
    PL_SEC(60) /* a proposal of ours that nobody answers is retracted; one of theirs is over */
#define PL_JMI_START_US PL_SEC(30) /* so long after we have proceeded the session may take to come */

typedef struct pl_jmi pl_jmi;

typedef struct pl_jmi_conf {
    const char *self; /* full address; copied */
    pl_rand rand;
    int64_t ring_us; /* 0: PL_JMI_RING_US */
} pl_jmi_conf;

typedef enum pl_jmi_event_kind {
    PL_JMI_INCOMING, /* somebody proposes */
    PL_JMI_RINGING,  /* a device of whom we proposed to rings */
    PL_JMI_PROCEED,  /* that device takes it: call `from` with this id */
    PL_JMI_REJECTED, /* they do not want it; or, tie_break, they call us at this moment and theirs goes first */
    PL_JMI_RETRACTED, /* the caller does not want it any more; stop ringing. Also in the moment in which we proceeded */
    PL_JMI_TAKEN,    /* another device of ours took or rejected it; stop ringing */
    PL_JMI_FINISHED, /* the call that came of it is over, they say */
    PL_JMI_EXPIRED,  /* nobody answered in time; or no session followed what we proceeded to */
    PL_JMI_FAILED    /* the proposal came back as an error */
} pl_jmi_event_kind;

typedef struct pl_jmi_event { /* texts are lent until the next poll */
    pl_jmi_event_kind kind;
    const char *id, *from;   /* from: full address of who said it, "" where nobody did */
    bool audio, video, data; /* INCOMING: what is proposed */
    bool tie_break;          /* REJECTED */
    pl_jingle_reason reason;
    const char *text; /* of the reason, "" */
} pl_jmi_event;

PL_NODISCARD pl_err pl_jmi_new(pl_jmi **out, const pl_jmi_conf *conf, int64_t now_us);
void pl_jmi_free(pl_jmi *m); /* NULL is fine; tells nobody */
/* A message that came. True: it was one of these (it has no body that somebody should read). Carbons are opened, and only
 * believed when our own server sends them. */
bool pl_jmi_input(pl_jmi *m, int64_t now_us, const pl_xml *stanza);
void pl_jmi_tick(pl_jmi *m, int64_t now_us);
int64_t pl_jmi_next_us(const pl_jmi *m); /* or PL_NEVER */
pl_xml *pl_jmi_poll_output(pl_jmi *m);   /* a root, the caller's; NULL: none */
bool pl_jmi_poll_event(pl_jmi *m, pl_jmi_event *out);
void pl_jmi_check(const pl_jmi *m);

/* To all devices of `to`, a bare address. id gets the new proposal's. */
PL_NODISCARD pl_err pl_jmi_propose(pl_jmi *m, int64_t now_us, const char *to, bool audio, bool video,
                                   bool data, char id[PL_JMI_ID_MAX + 1]);
PL_NODISCARD pl_err pl_jmi_retract(pl_jmi *m, const char *id, pl_jingle_reason reason);
/* To the caller: this device rings. Tells him that it is there, so by policy alone. */
PL_NODISCARD pl_err pl_jmi_ring(pl_jmi *m, const char *id);
/* This device takes it; the caller's session-initiate with this id follows, and is to be told by pl_jmi_started. */
PL_NODISCARD pl_err pl_jmi_proceed(pl_jmi *m, int64_t now_us, const char *id);
PL_NODISCARD pl_err pl_jmi_started(pl_jmi *m, const char *id);
PL_NODISCARD pl_err pl_jmi_reject(pl_jmi *m, const char *id, pl_jingle_reason reason);
/* As if it had not come: nobody is told. */
PL_NODISCARD pl_err pl_jmi_ignore(pl_jmi *m, const char *id);
/* The call is over: for the archives of both sides. The proposal is forgotten. */
PL_NODISCARD pl_err pl_jmi_finish(pl_jmi *m, const char *id, pl_jingle_reason reason);

#endif
