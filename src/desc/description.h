/* description.h - what two peers tell each other about a session, without a notation: SDP and Jingle are
 * both read into it and written from it.
 * Source   the model of RFC 9429 (JSEP), RFC 8866, 9143 (BUNDLE), 8839 (ICE), 8842 (DTLS), 8841 (SCTP), 8285
 *          (header extensions), 5576 (SSRCs), 8830 (msid), 8851 and 8853 (rids, simulcast).
 * Shape    one owned tree in one arena: everything in it lives until pl_desc_free, every pointer inside is
 *          lent. Texts end in zero; an absent text is NULL. What SDP lets stand at session level (ICE,
 *          fingerprints, setup, direction) stands here in each media section.
 * Errors   building sticks: after a limit or without memory the adders return NULL and pl_desc_err says why,
 *          so a builder checks where it must write and asks once at the end.
 * Thread   belongs to its owner's. */
#ifndef PL_DESC_DESCRIPTION_H
#define PL_DESC_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peerline/error.h"
#include "peerline/rtp.h" /* pl_direction, pl_media_type */

enum {
    PL_DESC_MEDIA_MAX = 64,
    PL_DESC_GROUPS_MAX = 16,
    PL_DESC_CODECS_MAX = 128, /* per section: one a payload type */
    PL_DESC_EXTS_MAX = 64,
    PL_DESC_SSRCS_MAX = 64,
    PL_DESC_SSRC_GROUPS_MAX = 32,
    PL_DESC_SSRC_GROUP_LEN_MAX = 16,
    PL_DESC_MSIDS_MAX = 16,
    PL_DESC_RIDS_MAX = 32,
    PL_DESC_CANDIDATES_MAX = 256,
    PL_DESC_FINGERPRINTS_MAX = 8,
    PL_DESC_MID_MAX = 64,                 /* characters */
    PL_DESC_UFRAG_MAX = 256,              /* RFC 8839 5.4 */
    PL_DESC_TEXT_MAX = 4096,              /* characters of any text */
    PL_DESC_BYTES_MAX = 4 << 20,          /* of one description, all in all */
    PL_DESC_DEFAULT_MESSAGE_SIZE = 65536, /* RFC 8841 6: when max-message-size is absent */
};

/* A growing array in the arena: `list.at[i]`, i < list.n. */
#define PL_DESC_LIST(type)                                                                                   \
    struct {                                                                                                 \
        type *at;                                                                                            \
        uint16_t n, cap;                                                                                     \
    }

typedef enum pl_desc_kind {
    PL_DESC_AUDIO = PL_AUDIO,
    PL_DESC_VIDEO = PL_VIDEO,
    PL_DESC_APPLICATION,
    PL_DESC_OTHER /* text, image, message: always answered rejected */
} pl_desc_kind;

/* The transport protocol of a section, RFC 8866 "proto". */
typedef enum pl_desc_proto {
    PL_DESC_PROTO_OTHER,   /* in media->proto_text alone */
    PL_DESC_UDP_TLS_SAVPF, /* UDP/TLS/RTP/SAVPF, and what means the same: TCP/TLS/RTP/SAVPF, RTP/SAVPF */
    PL_DESC_UDP_DTLS_SCTP, /* UDP/DTLS/SCTP or TCP/DTLS/SCTP (RFC 8841) */
    PL_DESC_OLD_DTLS_SCTP, /* DTLS/SCTP with a=sctpmap, the draft before RFC 8841 */
} pl_desc_proto;

typedef enum pl_desc_setup {
    PL_DESC_SETUP_NONE, /* not said */
    PL_DESC_SETUP_ACTPASS,
    PL_DESC_SETUP_ACTIVE,
    PL_DESC_SETUP_PASSIVE,
    PL_DESC_SETUP_HOLDCONN /* RFC 4145; never used by WebRTC: refused */
} pl_desc_setup;

/* RTCP feedback of a codec: a set of bits. Kinds not in this list are dropped when reading. */
enum {
    PL_FB_NACK = 1 << 0,         /* "nack" */
    PL_FB_NACK_PLI = 1 << 1,     /* "nack pli" */
    PL_FB_CCM_FIR = 1 << 2,      /* "ccm fir" */
    PL_FB_TRANSPORT_CC = 1 << 3, /* "transport-cc" */
    PL_FB_GOOG_REMB = 1 << 4,    /* "goog-remb" */
    PL_FB_CCM_TMMBR = 1 << 5,
    PL_FB_NACK_SLI = 1 << 6,
    PL_FB_NACK_RPSI = 1 << 7,
    PL_FB_RRTR = 1 << 8, /* "rrtr" */
    PL_FB_LNTF = 1 << 9, /* "goog-lntf" */
};
enum { PL_FB_N = 10 };

/* ICE options, a set of bits. */
enum { PL_ICE_OPT_TRICKLE = 1, PL_ICE_OPT_ICE2 = 2, PL_ICE_OPT_RENOMINATION = 4 };

typedef struct pl_desc_codec {
    const char *name;  /* "opus", "VP8", "rtx", "red", "telephone-event": as the peer wrote it */
    const char *fmtp;  /* format parameters as one text, without rtx's apt, or NULL; see pl_desc_fmtp() */
    uint32_t clock_hz; /* 48000, 90000 */
    uint16_t feedback; /* PL_FB_ bits */
    uint8_t pt;        /* payload type, 0..127 */
    uint8_t channels;  /* 1 when not said */
    int16_t apt;       /* rtx (RFC 4588): payload type it repeats; else -1 */
} pl_desc_codec;

typedef struct pl_desc_ext { /* RFC 8285 a=extmap */
    const char *uri;
    const char *attributes; /* or NULL */
    uint16_t id;            /* 1..14 one-byte form, up to 255 two-byte form, above 4095 a question */
    uint8_t direction;      /* pl_direction */
} pl_desc_ext;

typedef struct pl_desc_ssrc { /* RFC 5576 */
    uint32_t ssrc;
    const char *cname;  /* or NULL */
    const char *stream; /* msid of the ssrc-level form, or NULL */
    const char *track;
} pl_desc_ssrc;

typedef struct pl_desc_ssrc_group {
    const char *semantics; /* "FID": media then its rtx; "SIM", "FEC-FR" */
    PL_DESC_LIST(uint32_t) ssrcs;
} pl_desc_ssrc_group;

typedef struct pl_desc_msid { /* RFC 8830 */
    const char *stream;       /* "-" for none */
    const char *track;        /* or NULL */
} pl_desc_msid;

typedef struct pl_desc_rid { /* RFC 8851 */
    const char *id;
    const char *params; /* "pt=97,98;max-width=1280", or NULL */
    bool send;          /* the writer of the description sends it; else it receives it */
} pl_desc_rid;

typedef struct pl_desc_layer { /* one rid within a=simulcast, RFC 8853 */
    const char *rid;
    bool paused;      /* "~" */
    bool alternative; /* "," to the one before; else ";" */
} pl_desc_layer;

typedef struct pl_desc_fingerprint { /* RFC 8122 */
    const char *hash;                /* "sha-256", lower case */
    const char *value;               /* "AB:CD:…", upper case */
} pl_desc_fingerprint;

typedef struct pl_desc_media {
    const char *mid;        /* RFC 5888; NULL when not said (before BUNDLE) */
    const char *kind_text;  /* PL_DESC_OTHER: the word; else NULL */
    const char *proto_text; /* as written; NULL: the usual form of `proto` */
    const char *formats;    /* PL_DESC_OTHER and unknown protocols: rest of the m= line, so that it can be
                             * answered rejected; else NULL */
    const char *address;    /* of c=, "0.0.0.0" when NULL. Says nothing once ICE runs */
    uint16_t port;          /* 9 when trickling; 0: rejected, or bundle-only */
    uint16_t rtcp_port;     /* of a=rtcp, 0: not said */
    uint8_t kind;           /* pl_desc_kind */
    uint8_t proto;          /* pl_desc_proto */
    uint8_t direction;      /* pl_direction, never PL_STOPPED */
    uint8_t setup;          /* pl_desc_setup */
    uint8_t ice_options;    /* PL_ICE_OPT_ bits */
    bool bundle_only, rtcp_mux, rtcp_rsize, end_of_candidates;
    bool extmap_allow_mixed;            /* said for this section or for the session */
    uint16_t ptime_ms, maxptime_ms;     /* 0: not said */
    uint32_t bandwidth_as_kbps;         /* b=AS, 0: not said */
    uint32_t bandwidth_tias_bps;        /* b=TIAS */
    PL_DESC_LIST(pl_desc_codec) codecs; /* in order of preference */
    PL_DESC_LIST(pl_desc_ext) exts;
    PL_DESC_LIST(pl_desc_ssrc) ssrcs;
    PL_DESC_LIST(pl_desc_ssrc_group) ssrc_groups;
    PL_DESC_LIST(pl_desc_msid) msids;
    PL_DESC_LIST(pl_desc_rid) rids;
    PL_DESC_LIST(pl_desc_layer) simulcast_send, simulcast_recv; /* directions of the writer */
    const char *ufrag, *pwd;
    PL_DESC_LIST(pl_desc_fingerprint) fingerprints;
    PL_DESC_LIST(const char *) candidates; /* "candidate:…" without "a=", unparsed: ice/ reads them */
    uint16_t sctp_port;                    /* 0: not said */
    uint16_t sctp_streams;                 /* of a=sctpmap, 0: not said */
    bool has_max_message_size;
    uint64_t max_message_size; /* bytes; 0: no limit. pl_desc_message_size() applies the default */
} pl_desc_media;

typedef struct pl_desc_group { /* RFC 5888 */
    const char *semantics;     /* "BUNDLE", "LS" */
    PL_DESC_LIST(const char *) mids;
} pl_desc_group;

typedef struct pl_desc {
    const char *username; /* of o=, "-" when NULL */
    uint64_t session_id, session_version;
    const char *msid_semantic; /* "WMS *" or NULL */
    bool ice_lite;
    bool extmap_allow_mixed; /* for the whole session */
    PL_DESC_LIST(pl_desc_group) groups;
    PL_DESC_LIST(pl_desc_media) media;
    struct pl_desc_arena *arena; /* private */
} pl_desc;

PL_NODISCARD pl_err pl_desc_new(pl_desc **out);
void pl_desc_free(pl_desc *d); /* NULL is fine */
/* A copy in one block of exactly the size it needs: what a connection keeps. It can still be added to.
 * Errors: PL_ENOMEM, or what pl_desc_err(d) says. */
PL_NODISCARD pl_err pl_desc_copy(pl_desc **out, const pl_desc *d);
/* PL_OK, PL_ENOSPC (a maximum above was reached) or PL_ENOMEM: sticky since pl_desc_new. */
pl_err pl_desc_err(const pl_desc *d);
/* Same content, in the same order. */
bool pl_desc_eq(const pl_desc *a, const pl_desc *b);
/* The same, but candidates and their end may differ: they come while a description is on its way. */
bool pl_desc_eq_but_candidates(const pl_desc *a, const pl_desc *b);
/* Bytes the description holds from the allocator. */
size_t pl_desc_bytes(const pl_desc *d);

/* --- building: every adder returns a zeroed element at the end of its list, or NULL --------------------- */

/* Copies a text into d and returns it; equal texts are often shared. "" with a sticky error when longer than
 * PL_DESC_TEXT_MAX, holding a zero byte, or without memory: what is built on can still be looked at. */
const char *pl_desc_text(pl_desc *d, pl_str text);
const char *pl_desc_textz(pl_desc *d, const char *text); /* NULL gives NULL */
/* The section stays where it is only until the next pl_desc_add_media. kind: pl_desc_kind; proto and
 * direction start as the kind's usual one and PL_SENDRECV, port as 9. */
pl_desc_media *pl_desc_add_media(pl_desc *d, pl_desc_kind kind);
pl_desc_codec *pl_desc_add_codec(pl_desc *d, pl_desc_media *m);
pl_desc_ext *pl_desc_add_ext(pl_desc *d, pl_desc_media *m);
pl_desc_ssrc *pl_desc_add_ssrc(pl_desc *d, pl_desc_media *m, uint32_t ssrc); /* the same one if it is there */
pl_desc_ssrc_group *pl_desc_add_ssrc_group(pl_desc *d, pl_desc_media *m);
bool pl_desc_ssrc_group_add(pl_desc *d, pl_desc_ssrc_group *g, uint32_t ssrc);
pl_desc_msid *pl_desc_add_msid(pl_desc *d, pl_desc_media *m);
pl_desc_rid *pl_desc_add_rid(pl_desc *d, pl_desc_media *m);
pl_desc_layer *pl_desc_add_layer(pl_desc *d, pl_desc_media *m, bool send);
pl_desc_fingerprint *pl_desc_add_fingerprint(pl_desc *d, pl_desc_media *m);
bool pl_desc_add_candidate(pl_desc *d, pl_desc_media *m, pl_str text); /* twice the same: kept once */
pl_desc_group *pl_desc_add_group(pl_desc *d, const char *semantics);
bool pl_desc_group_add(pl_desc *d, pl_desc_group *g, const char *mid);
/* Appends to d a section equal to m, which may belong to another description. */
pl_desc_media *pl_desc_add_media_copy(pl_desc *d, const pl_desc_media *m);

/* --- looking -------------------------------------------------------------------------------------------- */

/* Index of the section with this mid, or -1. */
int pl_desc_find_mid(const pl_desc *d, const char *mid);
/* The group of these semantics that names mid, or NULL. */
const pl_desc_group *pl_desc_group_of(const pl_desc *d, const char *semantics, const char *mid);
bool pl_desc_group_has(const pl_desc_group *g, const char *mid);
/* Port 0 and not bundle-only (RFC 9143 6): the section is not there. */
bool pl_desc_rejected(const pl_desc_media *m);
bool pl_desc_is_data(const pl_desc_media *m); /* SCTP over DTLS, either form */
bool pl_desc_is_rtp(const pl_desc_media *m);  /* audio or video over DTLS-SRTP */
const pl_desc_codec *pl_desc_codec_of_pt(const pl_desc_media *m, int pt);
const pl_desc_ext *pl_desc_ext_of_uri(const pl_desc_media *m, const char *uri);
const pl_desc_ssrc *pl_desc_ssrc_of(const pl_desc_media *m, uint32_t ssrc);
/* The rtx SSRC of a media SSRC by its FID group, or 0. */
uint32_t pl_desc_rtx_ssrc(const pl_desc_media *m, uint32_t ssrc);
/* What the peer takes: the limit or its default; UINT64_MAX when it says "no limit". */
uint64_t pl_desc_message_size(const pl_desc_media *m);
/* The usual text of a protocol; proto_text when it is set. */
const char *pl_desc_proto_str(const pl_desc_media *m);
const char *pl_desc_setup_str(pl_desc_setup s);       /* "actpass" …, "" for none */
const char *pl_desc_direction_str(uint8_t direction); /* "sendrecv" …; PL_STOPPED: "inactive" */
const char *pl_desc_feedback_str(int bit);            /* 0..PL_FB_N-1: "nack pli" … */

#endif
