/* jsep_internal.h - what the files of the JSEP engine share. Private to desc/.
 *   jsep.c            the object and its transceivers
 *   jsep_make.c       descriptions of ours: the parts offers and answers have in common
 *   jsep_offer.c      createOffer, negotiation needed
 *   jsep_answer.c     createAnswer
 *   jsep_verify.c     what a description of the peer must keep to
 *   jsep_apply.c      setLocal, setRemote, rollback
 *   jsep_candidate.c  trickled candidates of both sides
 *   jsep_event.c      differences, and what was negotiated */
#ifndef PL_DESC_JSEP_INTERNAL_H
#define PL_DESC_JSEP_INTERNAL_H

#include "desc/jsep.h"

enum {
    PL_JSEP_UFRAG_LEN = 4, /* RFC 8445 5.3: 24 bits at least */
    PL_JSEP_PWD_LEN = 24,  /* 128 bits at least */
    PL_JSEP_CNAME_LEN = 16,
};

typedef struct pl_jsep_slot {
    /* As of the last time the state was stable: what a rollback goes back to. */
    struct {
        bool associated, has_current, receiving;
        uint8_t current;
    } saved;
    int offer_index; /* its section in last_offer when it has no mid yet, else -1 */
    bool has_track;  /* a sender with a track: addTrack may not take it */
    bool ever_sent;  /* was negotiated to send once */
    bool refused;    /* we offered to send and the peer did not want it: asked once, not for ever */
    bool known;      /* the owner has heard of it, so its end must be told */
    bool told_receiving;
    bool told_gone;
    uint32_t applied, told_applied;                  /* answers that touched it */
    const char *preference[PL_JSEP_PREFERENCES_MAX]; /* codec names within the configuration */
    size_t n_preferences;
    pl_jsep_transceiver *next; /* in the list of those that are gone */
} pl_jsep_slot;

typedef struct pl_jsep_creds {
    char ufrag[PL_JSEP_UFRAG_LEN + 1], pwd[PL_JSEP_PWD_LEN + 1];
} pl_jsep_creds;

typedef struct pl_jsep_told_data {
    bool accepted;
    uint16_t remote_port;
    uint64_t max_message_size;
} pl_jsep_told_data;

struct pl_jsep {
    pl_jsep_conf conf; /* fingerprints moved to self */
    pl_desc *self;     /* one section that holds our fingerprints */
    pl_signaling_state state;
    pl_jsep_transceiver **t;
    size_t n_t, cap_t;
    pl_jsep_transceiver *gone; /* removed, to be told, then freed */
    uint32_t next_id, next_mid;
    uint64_t session_id, version; /* version of the last local description */
    char cname[PL_JSEP_CNAME_LEN + 1];
    pl_jsep_creds first;                       /* of the first local description */
    pl_jsep_creds next;                        /* of the next restart, once made; pl_jsep_next_creds */
    char restart_ufrag[PL_JSEP_UFRAG_LEN + 1]; /* W3C [[LocalIceCredentialsToReplace]]; "" none */
    bool want_data;
    int data_mline, saved_data_mline; /* index of the data section, or -1 */

    pl_desc *current_local, *current_remote, *pending_local, *pending_remote;
    pl_desc *last_offer, *last_answer; /* made and not yet outdated by a stable state */
    uint32_t changes, last_offer_changes, last_answer_changes; /* is what was made last still good? */
    pl_desc *spare; /* local offer that was rolled back: its candidates are still good */
    bool answered;  /* of the current pair: the local description is the answer */
    bool controlling, has_controlling;
    pl_desc_role role; /* of the running DTLS association */

    /* What poll_event has told. Texts by their keyed hash. */
    uint8_t hash_key[16];
    pl_signaling_state told_state;
    uint64_t told_gather, told_ice, told_dtls; /* 0: nothing yet */
    pl_jsep_told_data told_data;
    uint16_t told_candidates[PL_DESC_MEDIA_MAX];
    bool told_end;
    char error[PL_JSEP_ERROR_MAX];
};

/* Every public verb that changes something begins here: frees what was told to be gone. PL_ESTATE when
 * closed. */
PL_NODISCARD pl_err pl_jsep_enter(pl_jsep *j);
/* Writes the error text (section -1: none) and returns err. */
pl_err pl_jsep_fail(pl_jsep *j, pl_err err, const pl_desc *d, int section, const char *fmt, ...)
    PL_PRINTF(5, 6);

/* jsep.c */
PL_NODISCARD pl_err pl_jsep_transceiver_new(pl_jsep *j, pl_media_type kind, pl_jsep_transceiver **out);
void pl_jsep_transceiver_free(pl_jsep_transceiver *t);
/* Room for n more in j->t. */
PL_NODISCARD pl_err pl_jsep_reserve(pl_jsep *j, size_t n);
void pl_jsep_append(pl_jsep *j, pl_jsep_transceiver *t); /* after a reserve */
void pl_jsep_remove(pl_jsep *j, pl_jsep_transceiver *t); /* to the list of those that are gone */
pl_jsep_transceiver *pl_jsep_transceiver_of_mline(const pl_jsep *j, int mline);
void pl_jsep_make_creds(const pl_jsep *j, pl_jsep_creds *out);
/* Those of a restart that replaces `now`. A restart that is rolled back and done again has the same: its candidates
 * are out already, and a peer that knows an address with one set of credentials may refuse it with another
 * (Chromium does, within a generation). */
void pl_jsep_next_creds(pl_jsep *j, const char *now, pl_jsep_creds *out);
bool pl_jsep_in_offer(const pl_jsep *j, const pl_jsep_transceiver *t); /* last_offer has a place for it */

/* The two answered descriptions: of a pranswer, else the current ones. false: nothing was answered yet. */
bool pl_jsep_pair(const pl_jsep *j, const pl_desc **local, const pl_desc **remote, bool *we_answered);
/* The section that carries the transport of d (of an answer: of the session); -1 when all are rejected. */
int pl_jsep_tagged(const pl_desc *d);
/* The section of one of our own descriptions (d may be NULL) that carries the transport: of a pair that is
 * answered the answer decides, since it may reject what the offer put first. NULL: none. */
const pl_desc_media *pl_jsep_own_transport(const pl_jsep *j, const pl_desc *d);
/* The section i of an answer is accepted and on that transport. */
bool pl_jsep_usable(const pl_desc *answer, int i);
/* The section that describes the transport of section i: itself when it is complete (credentials and
 * fingerprint), else the one it is bundled with. */
int pl_jsep_described_by(const pl_desc *d, int i);
/* Where the peer describes the transport, given the tagged section of the answer. */
const pl_desc_media *pl_jsep_remote_transport(const pl_desc *remote, int tagged);

/* jsep_make.c */
/* Which payload types and extension ids already mean what, over a whole BUNDLE group (RFC 9143 9). */
typedef struct pl_jsep_numbers {
    struct {
        const pl_desc_media *in;
        const pl_desc_codec *codec;
    } pt[128];
    const char *ext[15];
} pl_jsep_numbers;
typedef struct pl_jsep_ours { /* our side of a section: a view with arrays of its own */
    pl_desc_media m;
    pl_desc_codec codec[PL_DESC_CODECS_MAX];
    pl_desc_ext ext[PL_DESC_EXTS_MAX];
} pl_jsep_ours;
void pl_jsep_numbers_collect(pl_jsep_numbers *n, const pl_desc *d); /* d may be NULL */
void pl_jsep_ours_of(const pl_jsep *j, uint8_t kind, const pl_jsep_transceiver *t, pl_jsep_ours *out);
PL_NODISCARD pl_err pl_jsep_begin(const pl_jsep *j, pl_desc **out);
/* Adds ours under the numbers that are settled already or free. */
void pl_jsep_put_numbered(pl_desc *d, pl_desc_media *m, const pl_jsep_ours *ours, pl_jsep_numbers *n);
void pl_jsep_put_sender(const pl_jsep *j, pl_desc *d, pl_desc_media *m, const pl_jsep_transceiver *t);
void pl_jsep_put_transport(const pl_jsep *j, pl_desc *d, pl_desc_media *m, const pl_jsep_creds *creds,
                           pl_desc_setup setup);
void pl_jsep_put_data(const pl_jsep *j, pl_desc *d, pl_desc_media *m);
/* A section that refuses what `like` is. */
void pl_jsep_put_rejected(pl_desc *d, const pl_desc_media *like, const char *mid);
/* Adds the candidates of ours that are known for the credentials in d. */
void pl_jsep_put_candidates(const pl_jsep *j, pl_desc *d);
/* Candidates known for its credentials, session version, error check; *out is a compact copy. Takes d. */
PL_NODISCARD pl_err pl_jsep_finish(pl_jsep *j, pl_desc *d, pl_desc **out);

/* jsep_verify.c */
/* Gives sections without a mid one (RFC 9429 5.10). */
PL_NODISCARD pl_err pl_jsep_name_sections(pl_jsep *j, pl_desc *d, const pl_desc *offer);
PL_NODISCARD pl_err pl_jsep_verify_offer(pl_jsep *j, const pl_desc *d);
PL_NODISCARD pl_err pl_jsep_verify_answer(pl_jsep *j, const pl_desc *d, const pl_desc *offer);

#endif
