/* words.h - what two ends of a call say to each other as JSON: the W3C's toJSON forms of descriptions and candidates, and bye.
 * Source   W3C webrtc 4.7 and 4.8; docs/signaling.md, "What peers say to each other".
 * Shape    a text becomes a pl_words that refers to it, until clear; and back.
 * Errors   of reading: PL_EPROTO; unknown members are passed over.
 * Thread   none of its own. */
#ifndef PL_SESSION_WORDS_H
#define PL_SESSION_WORDS_H

#include <jansson.h>

#include "peerline/session.h"

typedef enum pl_words_kind {
    PL_WORDS_OFFER,
    PL_WORDS_ANSWER,
    PL_WORDS_CANDIDATE,
    PL_WORDS_RINGING,
    PL_WORDS_BYE,
    PL_WORDS_OTHER /* an object about something else than a call (with "for"), or of a type that we do not know */
} pl_words_kind;

typedef struct pl_words {
    pl_words_kind kind;
    json_t *json;             /* owned; NULL for the classic client's BYE */
    const char *sdp;          /* OFFER, ANSWER */
    pl_ice_candidate cand;    /* CANDIDATE */
    pl_session_reason reason; /* BYE: BUSY, DECLINED or HUNG_UP */
} pl_words;

PL_NODISCARD pl_err pl_words_read(pl_words *w, const char *text, size_t len);
/* Of an object whose "for" the caller has looked at; lent, and nothing is to be cleared. */
void pl_words_of(pl_words *w, const json_t *o);
void pl_words_clear(pl_words *w);

/* Texts are freed by the caller with free(); NULL without memory. tags: members that are added, or NULL; lent. */
char *pl_words_description(pl_sdp_type type, const char *sdp, json_t *tags);
char *pl_words_candidate(const pl_ice_candidate *c, json_t *tags);
char *pl_words_ringing(json_t *tags);
char *pl_words_bye(pl_session_reason reason, json_t *tags);

#endif
