/* whip_client_internal.h - what whip_client.c (verbs and requests) and whip_client_result.c (what answers mean) share.
 * Private to them. */
#ifndef PL_SIGNAL_WHIP_CLIENT_INTERNAL_H
#define PL_SIGNAL_WHIP_CLIENT_INTERNAL_H

#include "base/time.h"
#include "signal/whip_client.h"

enum { WHIP_NOTES_MAX = 8, WHIP_ETAG_MAX = 256 };

typedef enum whip_job { JOB_NONE, JOB_OPTIONS, JOB_POST, JOB_TRICKLE, JOB_RESTART, JOB_DELETE } whip_job;

typedef enum whip_state {
    WHIP_ASKING,   /* OPTIONS is to be sent, or under way */
    WHIP_WANTING,  /* READY was told: the offer is the owner's to make */
    WHIP_OFFERING, /* POST is to be sent, or under way */
    WHIP_UP,
    WHIP_LOST, /* FAILED was told */
    WHIP_OVER  /* CLOSED was told */
} whip_state;

typedef struct whip_note {
    pl_whip_event_kind kind;
    char text[PL_WHIP_WHY_MAX];
} whip_note;

struct pl_whip_client {
    char endpoint[PL_WHIP_URL_MAX], target[PL_WHIP_URL_MAX], session[PL_WHIP_URL_MAX];
    char *token;
    whip_state state;
    whip_job job;        /* under way */
    whip_job redirected; /* the job that n_redirects is about; target is where the last one led */
    int n_redirects;
    int64_t again_us; /* nothing is asked before; 0: at once */
    int64_t give_up_us;
    bool ending, restarting, no_patch;
    int n_failed_patches;

    char *offer; /* until it is answered */
    char etag[WHIP_ETAG_MAX];
    char *ufrag, *pwd, *mid, *kind; /* of the present ICE session */
    char *candidate[PL_WHIP_CANDIDATES_MAX];
    size_t n_candidates;
    size_t n_under_way; /* of those, in the request */
    bool end_of_candidates, end_under_way;
    pl_buf body; /* of the request */

    whip_note note[WHIP_NOTES_MAX]; /* events that wait */
    size_t n_notes;
    bool ready_wanted, answer_wanted; /* told with the links, which are kept apart */
    pl_whip_links links;
    char *text; /* the answer, or the fragment of a restart */
    bool restarted_wanted;
    whip_note told; /* what the last event points at */
    char *told_text;
    pl_whip_links told_links;
};

/* whip_client.c */
void whip_note_add(pl_whip_client *c, pl_whip_event_kind kind, const char *fmt, ...) PL_PRINTF(3, 4);
void whip_fail(pl_whip_client *c, const char *fmt, ...) PL_PRINTF(2, 3);
void whip_drop_candidates(pl_whip_client *c, size_t n); /* the oldest n */

#endif
