/* jingle_call_internal.h - what the files of a call share. Private to signal/.
 *   jingle_call.c          life, the first offer and answer, candidates, events
 *   jingle_call_out.c      our offers: what changes in them becomes requests, and the answers to these one answer
 *   jingle_call_in.c       the peer's changes: they become offers
 *   jingle_call_trickle.c  its candidates, and its credentials
 *   jingle_call_answer.c   what follows from our answers
 *   jingle_call_desc.c     descriptions by sections
 * The sections of local and remote belong together by their index, as in SDP; to Jingle they are named by their mids.
 * At most one negotiation is under way: `offer` (ours) or `asked` (theirs). */
#ifndef PL_SIGNAL_JINGLE_CALL_INTERNAL_H
#define PL_SIGNAL_JINGLE_CALL_INTERNAL_H

#include "base/list.h"
#include "desc/rules.h"
#include "jingle/parse.h"
#include "jingle/write.h"
#include "signal/jingle_call.h"

#define CALL_PAY_US PL_SEC(2)
enum { CALL_OLD_UFRAGS = 4, CALL_TIES_MAX = 8 };

typedef struct call_later { /* a change of the peer's that waits */
    pl_node node;
    pl_jingle_action action;
    pl_xml *jingle;
} call_later;

typedef struct call_wish { /* what our side last asked for by content-modify */
    uint8_t direction;     /* pl_direction; not asked: PL_SENDRECV */
    bool countered;        /* the peer has said since that it wants less */
} call_wish;

struct pl_jingle_call {
    pl_jingle_call_conf conf;
    char *peer, *sid;
    pl_jingle_session *session;
    bool we_called, over;
    int64_t now_us;
    uint64_t version;
    pl_desc *local, *remote; /* what both sides said last */
    pl_desc *first;          /* what the peer said first: whose fingerprints it is held to */
    call_wish wish[PL_DESC_MEDIA_MAX];
    uint8_t peer_setup; /* pl_desc_setup: the peer's part in DTLS, once it is settled */

    /* ours */
    pl_desc *offer, *reply; /* reply: what the peer has said to it so far, in its order */
    bool sent;              /* offer has been said: it waits until what was asked for before is answered */
    bool awaits[PL_DESC_MEDIA_MAX]; /* content-accept or -reject is to come */
    bool restart_due, restarting;   /* it is to be asked for; the peer's new credentials are to come */
    bool again;                     /* some of it was a tie, and is to be asked for once more */
    unsigned n_ties;
    int64_t deadline_us;
    uint32_t acknowledged; /* bits of pl_jingle_action: which of its requests */
    unsigned n_out;        /* requests that change something, and have no answer */
    bool withdrawn;        /* some of them belong to an offer that has given way */

    /* theirs */
    pl_desc *asked; /* an offer that our side has not answered */
    pl_jingle_action asked_by;
    bool added[PL_DESC_MEDIA_MAX]; /* sections of it that are new */
    pl_xml *asked_xml;             /* of content-add and transport-replace */
    pl_list later, merged;         /* merged: changes that are part of the answer to our offer */
    size_t n_later, n_merged;
    bool running;

    bool owes_credentials; /* those of our answer to a restart go with its first candidate */
    int64_t pay_by_us;     /* or without one */
    char old_ufrag[CALL_OLD_UFRAGS][PL_DESC_UFRAG_MAX + 1]; /* the peer's, of before its restarts */
    unsigned next_old;
};

/* --- jingle_call.c --- */
/* Says a description to our side. */
void call_say(pl_jingle_call *c, pl_sdp_type type, pl_desc *d);
void call_note(pl_jingle_call *c, const char *text);
/* The call cannot go on; the peer is told why in its words. */
void call_give_up(pl_jingle_call *c, pl_jingle_reason r, const char *condition, const char *why);
/* Both sides have agreed on a description without media. */
void call_end_if_void(pl_jingle_call *c);
/* The event that it is over may be on its way. */
bool call_is_ending(const pl_jingle_call *c);
/* A request that changes something; takes body. */
PL_NODISCARD pl_err call_request(pl_jingle_call *c, pl_jingle_action action, pl_xml *body);
/* The same where there is nobody to tell of an error: it ends the call. A body without contents is nothing. */
void call_must(pl_jingle_call *c, pl_jingle_action action, pl_xml *body);
/* Says candidates of the peer's to our side. */
void call_say_candidates(pl_jingle_call *c, const pl_desc_media *m, int index);
/* Ours to the peer, of a section of d. */
PL_NODISCARD pl_err call_trickle(pl_jingle_call *c, const pl_desc *d, int i, const char *line);
void call_trickle_all(pl_jingle_call *c, const pl_desc *d);
/* Those of sections whose content the peer has removed while it added others, which have their transport now. */
void call_trickle_orphans(pl_jingle_call *c, const pl_desc *d);
/* The session has such a content. */
bool call_has_content(const pl_jingle_call *c, const char *name, pl_jingle_content *out);

/* --- jingle_call_out.c --- */
PL_NODISCARD pl_err call_change(pl_jingle_call *c, pl_desc *offer); /* takes it */
void call_send_offer(pl_jingle_call *c);
/* An answer to a request of ours. */
void call_answered(pl_jingle_call *c, const pl_jingle_event *e);
void call_on_content_accept(pl_jingle_call *c, const pl_xml *jingle);
void call_on_content_reject(pl_jingle_call *c, const pl_xml *jingle);
/* The peer's credentials in answer to our restart. */
void call_restarted(pl_jingle_call *c, const pl_desc *part);
/* New credentials, of every section of d, and candidates with them. */
void call_take_credentials(pl_jingle_call *c, pl_desc *d, const pl_desc *said);
/* What said adds to d has credentials of its own, since all that the peer had before goes: those of the group follow. */
void call_follow_transport(pl_jingle_call *c, pl_desc *d, const pl_desc *said);
/* The peer's change goes before our offer, which our side rolls back by itself. */
void call_give_way(pl_jingle_call *c);
void call_overdue(pl_jingle_call *c);

/* --- jingle_call_in.c --- */
/* A request of the peer's that our side is to be asked about: now or later. */
void call_incoming(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle);
/* The next of those that wait, while nothing is under way. */
void call_next(pl_jingle_call *c);
void call_later_clear(pl_jingle_call *c);
void call_merged_clear(pl_jingle_call *c);
void call_unmerge(pl_jingle_call *c);
void call_keep_for_later(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle);
/* NULL: the peer's contents break a rule, which stands in fault. */
pl_desc *call_parse(pl_jingle_call *c, const pl_xml *jingle, pl_jingle_fault *fault);
/* The peer begins ICE anew, by transport-info or transport-replace. */
void call_on_restart(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle);
/* Accepts what our side took of the contents that the peer adds, and rejects the others. */
void call_accept_added(pl_jingle_call *c);

/* --- jingle_call_trickle.c --- */
void call_transport_info(pl_jingle_call *c, const pl_xml *jingle);
bool call_is_old(const pl_jingle_call *c, const char *ufrag); /* of before the peer's last restart */

/* --- jingle_call_answer.c --- */
PL_NODISCARD pl_err call_answer(pl_jingle_call *c, pl_desc *answer); /* takes it */

/* --- jingle_call_desc.c: NULL without memory, or beyond a limit of desc/ --- */
bool call_alive(const pl_desc *d, int i);         /* there is such a section, and it is not rejected */
int call_find(const pl_desc *d, const char *mid); /* among those that are alive, or -1 */
pl_desc *call_copy(const pl_desc *d);
/* RFC 3264 6: an answer has a section for each of the offer, in its order; `said` has those that were taken. */
pl_desc *call_in_order(const pl_desc *offer, const pl_desc *said);
/* As it can be said to our side: with `setup`, and groups of what is alive. */
pl_desc *call_finish(const pl_desc *d, uint8_t setup);
/* Puts a copy of m at i, which may be one beyond the last. */
pl_desc_media *call_put(pl_desc *d, int i, const pl_desc_media *m);
void call_reject(pl_desc_media *m);
/* A content that was added to d says less of its transport when it shares that of the others. */
void call_share_transport(pl_desc *d, pl_desc_media *m, bool grouped);
void call_set_credentials(pl_desc *d, pl_desc_media *m, const char *ufrag, const char *pwd);
/* Every fingerprint of m stands in d already. */
bool call_knows_key(const pl_desc *d, const pl_desc_media *m);
/* Keeps what the peer says first. */
void call_hold_to(pl_jingle_call *c, const pl_desc *said);
bool call_same_sources(const pl_desc_media *a, const pl_desc_media *b);
pl_jingle_senders call_senders(uint8_t direction, bool by_initiator);
/* Contents that say one thing, for requests. The body is NULL without memory. */
void call_write_transport(const pl_jingle_call *c, const pl_desc *d, const pl_desc_media *m, const char *line,
                          bool end, pl_xml *body);
void call_write_description(const pl_jingle_call *c, const pl_desc *d, const pl_desc_media *m, pl_xml *body);
void call_write_senders(const pl_jingle_call *c, const pl_desc_media *m, pl_xml *body);

#endif
