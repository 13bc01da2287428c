/* ice_words.h - what two ICE agents must know of each other, as lines of SDP.
 * Source   RFC 8839 5 (ice-ufrag, ice-pwd, ice-lite, candidate), RFC 8838 8 (end-of-candidates).
 * Shape    pl_ice_words is large: it lives on the heap. Lines that mean nothing here are skipped, so a whole SDP will
 *          do; of several sections the first with credentials counts.
 * Errors   PL_EPROTO: no credentials, or a line that breaks its grammar; PL_ENOSPC: more candidates than an agent
 *          takes. */
#ifndef PL_PEER_ICE_WORDS_H
#define PL_PEER_ICE_WORDS_H

#include "ice/agent.h"

typedef struct pl_ice_words {
    char ufrag[PL_ICE_UFRAG_MAX + 1], pwd[PL_ICE_PWD_MAX + 1];
    bool lite, complete; /* complete: end-of-candidates was there */
    size_t n;
    pl_ice_cand cand[PL_ICE_REMOTES_MAX];
} pl_ice_words;

PL_NODISCARD pl_err pl_ice_words_read(pl_ice_words *out, const char *text);
/* candidates: lines of "a=candidate:…", each with its end. */
void pl_ice_words_write(pl_buf *out, const char *ufrag, const char *pwd, bool lite, pl_str candidates,
                        bool complete);

#endif
