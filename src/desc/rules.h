/* rules.h - the small rules of offer and answer.
 * Source   RFC 3264 (direction, payload types), RFC 8842 5 (setup), RFC 9143 7 (bundle), RFC 8285 6
 *          (extensions), RFC 4585 4.2 (feedback).
 * Shape    pure functions. */
#ifndef PL_DESC_RULES_H
#define PL_DESC_RULES_H

#include "desc/codec.h"
#include "desc/description.h"

/* --- direction (pl_direction without PL_STOPPED; PL_STOPPED counts as inactive) ------------------------- */
bool pl_direction_sends(pl_direction d);
bool pl_direction_receives(pl_direction d);
pl_direction pl_direction_make(bool send, bool receive);
pl_direction pl_direction_reverse(pl_direction d); /* seen from the other side */
pl_direction pl_direction_and(pl_direction a, pl_direction b);

/* --- DTLS role (pl_desc_role, since pl_dtls_role is the name in dtls/session.h, which pc/ includes too) --- */
typedef enum pl_desc_role { PL_DESC_ROLE_NONE, PL_DESC_ROLE_CLIENT, PL_DESC_ROLE_SERVER } pl_desc_role;
/* What an answer says to an offer. ours: what we would like (ACTPASS or NONE: active). kept: the role of an
 * association that goes on, which has precedence over an actpass offer. NONE when the offer's word is not
 * allowed (holdconn). A missing word counts as actpass: offers before RFC 8842 left it out. */
pl_desc_setup pl_setup_answer(pl_desc_setup offer, pl_desc_setup ours, pl_desc_role kept);
/* Our role after an answer. The answer's word alone decides, even where it does not fit the offer: a peer
 * that answers "active" will send the ClientHello whatever we offered, and we can be either. A missing word
 * counts as active (RFC 4145 4). NONE for actpass and holdconn, which no answer may say. */
pl_desc_role pl_setup_role(pl_desc_setup answer, bool we_answered);

/* --- bundle --------------------------------------------------------------------------------------------- */
/* Index of the section whose transport the section i uses in d: the first of its BUNDLE group that is not
 * rejected, or i itself. */
int pl_bundle_transport_of(const pl_desc *d, int i);
/* Every mid in every BUNDLE group is a section's, in one group only. */
bool pl_bundle_valid(const pl_desc *d);

/* --- what both support ---------------------------------------------------------------------------------- */
/* Adds to `answer` (a section of d) the codecs of the offer that are also in `ours`, under the offerer's
 * payload types, each with the feedback both have and our format parameters (those that must be equal are).
 * Order: the offer's, or with our_order that of `ours`. rtx goes with its codec, red and other helpers only
 * beside a codec they can carry. Returns how many codecs that are not helpers were agreed on. */
size_t pl_answer_codecs(pl_desc *d, pl_desc_media *answer, const pl_desc_media *offer,
                        const pl_desc_media *ours, bool our_order);
/* Adds the extensions both know, under the offerer's ids, with reversed directions. Two-byte ids (15 and up)
 * only when the offer allows to mix them. */
void pl_answer_exts(pl_desc *d, pl_desc_media *answer, const pl_desc_media *offer, const pl_desc_media *ours);

/* --- what a section pair means once it is answered ------------------------------------------------------ */
enum { PL_NEGOTIATED_CODECS_MAX = 32 };
typedef struct pl_negotiated_codec {
    const pl_desc_codec *codec; /* of the section that names the payload type; lent */
    uint8_t pt;                 /* = codec->pt */
    int16_t rtx_pt;             /* or -1 */
} pl_negotiated_codec;
/* Codecs we may send: those of `remote` that `local` also has, under the remote's payload types, in the order
 * of the answer, which is `local` when we_answered; rtx folded into rtx_pt, other helpers listed. The first
 * that is not a helper is the one to use. Returns how many (at most PL_NEGOTIATED_CODECS_MAX). */
size_t pl_negotiated_send(const pl_desc_media *local, const pl_desc_media *remote, bool we_answered,
                          pl_negotiated_codec out[PL_NEGOTIATED_CODECS_MAX]);
/* Codecs we must be ready to receive: all of `local`, under its payload types. */
size_t pl_negotiated_recv(const pl_desc_media *local, pl_negotiated_codec out[PL_NEGOTIATED_CODECS_MAX]);

#endif
