/* jsep.h - offer and answer: the signaling core of a peer connection.
 * Source   RFC 9429 (JSEP), RFC 3264, W3C "WebRTC: Real-Time Communication in Browsers" 4.4 and 4.7.
 *          docs/rfc/jsep.md lists what we chose.
 * Shape    sans-I/O without time. Verbs: new, create_offer, create_answer, set_local, set_remote,
 *          poll_event, check, free. A call that fails changes nothing. What a call changed is read with
 *          poll_event: events are differences between the state and what was told before, so none can be
 *          lost, and a rollback that undoes an untold change tells nothing. Poll until false after every call
 *          that succeeded. Pointers in an event are lent until the next call that is not const, except
 *          transceivers, which live until the PL_JSEP_REMOVED event that names them (and then until the next
 *          call that is neither const nor poll_event).
 * Limits   one transport: sections that cannot share the first accepted section's are answered rejected, and
 *          rtcp-mux is required. We offer everything in one BUNDLE group.
 * Errors   PL_ESTATE the signaling state does not allow it; PL_EPROTO the description breaks a rule, and
 *          pl_jsep_error() says which and where; PL_EINVAL an argument; PL_ENOSPC a maximum; PL_ENOMEM.
 * Thread   its owner's. */
#ifndef PL_DESC_JSEP_H
#define PL_DESC_JSEP_H

#include "base/rand.h"
#include "desc/description.h"
#include "desc/rules.h"
#include "peerline/peer_connection.h" /* pl_signaling_state, pl_sdp_type, pl_dtls_setup */

enum {
    PL_JSEP_TRANSCEIVERS_MAX = PL_DESC_MEDIA_MAX - 1, /* and one data section */
    PL_JSEP_STREAMS_MAX = 4,                          /* msid streams of one sender */
    PL_JSEP_ID_MAX = PL_STREAM_ID_MAX,                /* characters of a stream or track id, RFC 8830 */
    PL_JSEP_PREFERENCES_MAX = 8,
    PL_JSEP_ERROR_MAX = 160,
};

/* What we can do for one kind of media. A table that is constant for the program and lent for the life of
 * every connection that uses it. Codecs name their usual payload type and feedback; rtx codecs their apt and
 * stand behind the codec they repeat. */
typedef struct pl_jsep_kind_conf {
    const pl_desc_codec *codec; /* in order of preference */
    size_t n_codecs;
    const pl_desc_ext *ext; /* uri and usual id (1..14), the same id for the same uri in all kinds */
    size_t n_exts;
} pl_jsep_kind_conf;

typedef struct pl_jsep_conf {
    pl_rand rand;                            /* credentials, SSRCs, session id, cname */
    pl_jsep_kind_conf kind[2];               /* [PL_AUDIO], [PL_VIDEO]; lent for the life of the jsep */
    const pl_desc_fingerprint *fingerprints; /* of our certificate; copied */
    size_t n_fingerprints;                   /* 1..PL_DESC_FINGERPRINTS_MAX */
    pl_dtls_setup setup;       /* what our offers say; other than ACTPASS also the role we take in answers */
    uint16_t sctp_port;        /* 0: 5000 */
    uint64_t max_message_size; /* what we take in one message; 0: 262144, UINT64_MAX: any */
    bool no_trickle;           /* do not announce trickle (the caller sends complete descriptions) */
    bool ice_lite;             /* say that we only answer checks; a full peer is then controlling */
    char mid_prefix;           /* a letter before the numbers in the mids that we give; 0: none */
} pl_jsep_conf;

/* One transceiver. Read by everybody, written by jsep alone, except `user`. */
typedef struct pl_jsep_transceiver {
    void *user;                    /* the owner's; NULL at first */
    uint32_t id;                   /* 1, 2, …: never used twice in a connection */
    uint8_t kind;                  /* PL_AUDIO, PL_VIDEO */
    uint8_t direction;             /* pl_direction: what is wanted; PL_STOPPED once stopping */
    uint8_t current;               /* pl_direction as answered; PL_INACTIVE before. See has_current */
    bool has_current;              /* false: W3C's currentDirection is null */
    bool stopping, stopped;        /* stop() was called; both sides have agreed on it */
    bool by_add_track;             /* made or used by addTrack: a remote offer may take it */
    bool by_remote;                /* made by a remote offer */
    bool receiving;                /* the track event was told and its end was not (W3C [[FiredDirection]]) */
    int mline;                     /* index of its section, -1 before it has one */
    char mid[PL_DESC_MID_MAX + 1]; /* "" before it has one */
    /* The sender. SSRCs never change; rtx_ssrc is used only when rtx was agreed on. */
    uint32_t ssrc, rtx_ssrc;
    char track_id[PL_JSEP_ID_MAX + 1];
    char *stream_id[PL_JSEP_STREAMS_MAX];
    uint8_t n_streams;
    struct pl_jsep_slot *slot; /* private */
} pl_jsep_transceiver;

typedef struct pl_jsep pl_jsep;

PL_NODISCARD pl_err pl_jsep_new(pl_jsep **out, const pl_jsep_conf *conf);
void pl_jsep_free(pl_jsep *j); /* NULL is fine */
/* signalingState becomes closed; every later call gives PL_ESTATE. */
void pl_jsep_close(pl_jsep *j);
/* Asserts every invariant. */
void pl_jsep_check(const pl_jsep *j);
/* What the last call that failed had to say, with the section it was about: "section 1 (mid \"1\"): no
 * fingerprint". "" after a success. */
const char *pl_jsep_error(const pl_jsep *j);

/* --- transceivers and data ------------------------------------------------------------------------------ */

typedef struct pl_jsep_track { /* what a sender says of its track; all texts are copied */
    const char *track_id;      /* NULL: a random one */
    const char *stream_id[PL_JSEP_STREAMS_MAX];
    size_t n_streams; /* 0: no stream, msid "-" */
} pl_jsep_track;

/* addTransceiver. direction: not PL_STOPPED. track may be NULL. Errors: PL_ESTATE closed, PL_ENOSPC,
 * PL_EINVAL an id too long or with a blank. */
PL_NODISCARD pl_err pl_jsep_add_transceiver(pl_jsep *j, pl_media_type kind, pl_direction direction,
                                            const pl_jsep_track *track, pl_jsep_transceiver **out);
/* addTrack: takes the first transceiver of the kind that has never sent and is not stopping, else makes one
 * (W3C 5.1). Its direction becomes sendrecv or sendonly. */
PL_NODISCARD pl_err pl_jsep_add_track(pl_jsep *j, pl_media_type kind, const pl_jsep_track *track,
                                      pl_jsep_transceiver **out);
/* removeTrack: sendrecv becomes recvonly, sendonly inactive. */
PL_NODISCARD pl_err pl_jsep_remove_track(pl_jsep *j, pl_jsep_transceiver *t);
/* Errors: PL_ESTATE stopping, PL_EINVAL PL_STOPPED. */
PL_NODISCARD pl_err pl_jsep_set_direction(pl_jsep *j, pl_jsep_transceiver *t, pl_direction direction);
/* stop(): the section is rejected by the next negotiation, and its place used again by a later one. */
PL_NODISCARD pl_err pl_jsep_stop(pl_jsep *j, pl_jsep_transceiver *t);
/* setCodecPreferences: names ("VP8", "opus") of the codecs to offer and answer with, best first; each brings
 * all its configurations and their rtx. n 0: all again. Errors: PL_EINVAL a name that is not in the
 * configuration. */
PL_NODISCARD pl_err pl_jsep_set_codec_preferences(pl_jsep *j, pl_jsep_transceiver *t,
                                                  const char *const *names, size_t n);
/* The application has made its first data channel: offers hold a data section from now on. */
void pl_jsep_want_data(pl_jsep *j);
/* restartIce(): the next offer has new credentials. */
void pl_jsep_restart_ice(pl_jsep *j);
/* In the order of their creation. */
size_t pl_jsep_n_transceivers(const pl_jsep *j);
pl_jsep_transceiver *pl_jsep_transceiver_at(const pl_jsep *j, size_t i);
/* By the mid of its section, or NULL. */
pl_jsep_transceiver *pl_jsep_transceiver_of_mid(const pl_jsep *j, const char *mid);

/* --- descriptions --------------------------------------------------------------------------------------- */

/* *out belongs to the jsep, lent until the next call that is not const. Local candidates known so far for
 * its credentials are in it. Errors: create_offer PL_ESTATE closed; create_answer PL_ESTATE not in
 * have-remote-offer or have-local-pranswer. */
PL_NODISCARD pl_err pl_jsep_create_offer(pl_jsep *j, bool ice_restart, const pl_desc **out);
PL_NODISCARD pl_err pl_jsep_create_answer(pl_jsep *j, const pl_desc **out);
/* setLocalDescription. d NULL: what create_offer or create_answer made last if it is still good, else a new
 * one; type PL_SDP_ROLLBACK ignores d. A d that is not what create_offer or create_answer made last
 * (candidates, which may have come meanwhile, aside) is PL_EPROTO, as W3C's InvalidModificationError. d is
 * lent, copied. */
PL_NODISCARD pl_err pl_jsep_set_local(pl_jsep *j, pl_sdp_type type, const pl_desc *d);
/* The implicit form: offer in stable, have-local-offer and have-remote-pranswer, else answer. */
PL_NODISCARD pl_err pl_jsep_set_local_implicit(pl_jsep *j);
/* setRemoteDescription. An offer in have-local-offer first rolls ours back. PL_SDP_ROLLBACK ignores d. */
PL_NODISCARD pl_err pl_jsep_set_remote(pl_jsep *j, pl_sdp_type type, const pl_desc *d);

pl_signaling_state pl_jsep_state(const pl_jsep *j);
/* W3C 4.7.3 "check if negotiation is needed". True or false whatever the state; the owner fires its event
 * only in stable. */
bool pl_jsep_negotiation_needed(const pl_jsep *j);
/* Pending if there is one, else current; NULL before any. With the candidates added so far. *type (may be
 * NULL) is what the description was set as. */
const pl_desc *pl_jsep_local(const pl_jsep *j, pl_sdp_type *type);
const pl_desc *pl_jsep_remote(const pl_jsep *j, pl_sdp_type *type);
const pl_desc *pl_jsep_current_local(const pl_jsep *j);
const pl_desc *pl_jsep_pending_local(const pl_jsep *j);
const pl_desc *pl_jsep_current_remote(const pl_jsep *j);
const pl_desc *pl_jsep_pending_remote(const pl_jsep *j);

/* --- candidates ----------------------------------------------------------------------------------------- */

/* addIceCandidate. text: "candidate:…" (also with "a=" before it), "" for the end of candidates. mid or mline
 * (NULL, -1 when not given; with neither, only the end of candidates is allowed and means all sections) name
 * the section; ufrag may be NULL. The candidate is kept in the remote description and comes out as a
 * PL_JSEP_CANDIDATE event once its generation is in use. Errors: PL_ESTATE no remote description; PL_EPROTO
 * no such section, not a candidate, a ufrag that is not in the description; PL_ENOSPC. */
PL_NODISCARD pl_err pl_jsep_add_remote_candidate(pl_jsep *j, pl_str text, const char *mid, int mline,
                                                 const char *ufrag);
/* A candidate that was gathered for the credentials `ufrag`, "" when all were: kept in the local
 * description and put into later ones. Twice the same is fine. Unknown ufrag: ignored. */
PL_NODISCARD pl_err pl_jsep_add_local_candidate(pl_jsep *j, pl_str text, const char *ufrag);
/* The section whose mid and index local candidates are announced with: the one that carries the transport.
 * false before set_local. */
bool pl_jsep_transport_section(const pl_jsep *j, const char **mid, int *mline);

/* --- what a call changed -------------------------------------------------------------------------------- */

typedef enum pl_jsep_event_kind {
    PL_JSEP_STATE,       /* signalingState is another: .state */
    PL_JSEP_GATHER,      /* the local description has other ICE credentials than last told: .gather. Gather
                          * with them. After a rollback they may be those of the generation before */
    PL_JSEP_TRANSPORT,   /* both sides have described the transport (an answer or pranswer is set), or
                          * something of it changed: .transport */
    PL_JSEP_CANDIDATE,   /* one remote candidate of the generation last told by PL_JSEP_TRANSPORT, or with
                          * text NULL the end of them: .candidate */
    PL_JSEP_TRANSCEIVER, /* apply pl_jsep_negotiated(.transceiver): told for every transceiver of an answer */
    PL_JSEP_TRACK,   /* W3C track event: the peer sends on .transceiver (streams: pl_jsep_remote_streams) */
    PL_JSEP_MUTE,    /* the peer stopped sending on .transceiver: its track is muted */
    PL_JSEP_REMOVED, /* .transceiver is stopped for good, or a rollback took it back: drop your handle */
    PL_JSEP_DATA,    /* the data section is agreed on or was changed or rejected: .data */
} pl_jsep_event_kind;

typedef struct pl_jsep_event {
    pl_jsep_event_kind kind;
    union {
        pl_signaling_state state;
        struct {
            const char *ufrag, *pwd;
            const char *mid; /* section to announce candidates with */
            int mline;
            bool restart; /* there were others before */
        } gather;
        struct {
            const char *ufrag, *pwd; /* the peer's */
            const char *local_ufrag, *local_pwd;
            bool lite;         /* the peer is ICE lite: we are controlling */
            bool controlling;  /* RFC 8445 6.1.1 from who offered first; ours to give to a new ICE agent */
            bool trickle;      /* the peer announced trickle; without it all candidates are in the text */
            bool ice_restart;  /* ufrag or pwd are others than told before */
            pl_desc_role role; /* ours */
            const pl_desc_fingerprint *fingerprints; /* the peer's: one of them must be its certificate's */
            size_t n_fingerprints;
            bool dtls_changed; /* fingerprints or role are others than told before: a new association */
        } transport;
        struct {
            const char *text; /* "candidate:…" or NULL */
            const char *mid;
        } candidate;
        pl_jsep_transceiver *transceiver;
        struct {
            bool accepted; /* false: the peer rejected or removed the section */
            uint16_t local_port, remote_port;
            uint64_t max_message_size; /* what the peer takes; UINT64_MAX: no limit */
        } data;
    } u;
} pl_jsep_event;

/* The next difference, or false. Order: state, gather, transport, data, transceivers (each: its TRANSCEIVER,
 * then MUTE or TRACK), removed ones, candidates. */
PL_NODISCARD bool pl_jsep_poll_event(pl_jsep *j, pl_jsep_event *out);

/* What a transceiver's section has agreed on. */
typedef struct pl_jsep_media {
    bool send, receive;                                       /* both false: keep the streams silent */
    pl_negotiated_codec send_codec[PL_NEGOTIATED_CODECS_MAX]; /* the first that is no helper is the one */
    pl_negotiated_codec recv_codec[PL_NEGOTIATED_CODECS_MAX];
    size_t n_send, n_recv;
    uint8_t send_ext[PL_DESC_EXT_KINDS]; /* id to stamp, 0: not agreed on or not in this direction */
    uint8_t recv_ext[PL_DESC_EXT_KINDS]; /* id to expect */
    bool rtcp_rsize;                     /* reduced-size RTCP may be sent (RFC 5506) */
    uint32_t ssrc, rtx_ssrc;             /* ours; rtx 0 without rtx */
    const char *cname;                   /* ours */
    uint32_t bandwidth_bps;              /* the peer's limit by b=TIAS or b=AS, 0: none */
    const pl_desc_media *local, *remote; /* all else: remote->ssrcs (pl_desc_rtx_ssrc), remote->rids, … */
} pl_jsep_media;
/* false: no answer has been set for it, or it is rejected; *out is zero then. Lent as in an event. */
bool pl_jsep_negotiated(const pl_jsep *j, const pl_jsep_transceiver *t, pl_jsep_media *out);
/* msid of what the peer sends on t: its streams' ids, at most max, and the track's id (NULL when the peer
 * gave none). Returns how many streams. */
size_t pl_jsep_remote_streams(const pl_jsep *j, const pl_jsep_transceiver *t, const char **stream_ids,
                              size_t max, const char **track_id);

#endif
