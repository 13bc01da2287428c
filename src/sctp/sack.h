/* sack.h - which TSNs have arrived, and when and how to say so.
 * Source   RFC 9260 6.2 (every second packet, or a delay), 6.2.1, 6.7 (gaps at once), 3.3.4; RFC 7053
 *          (I bit).
 * Shape    init/clear inside an association. A cumulative point and a ring of bits for what lies beyond it;
 *          without losses no bit is touched. Gap blocks are read off the bits a word at a time.
 * Errors   PL_ENOMEM from reserve. */
#ifndef PL_SCTP_SACK_H
#define PL_SCTP_SACK_H

#include "sctp/chunk_sack.h"

enum {
    PL_SCTP_AHEAD_MAX = 32768, /* TSNs beyond the cumulative one that we take */
    PL_SCTP_DUPLICATES_MAX = 16,
    PL_SCTP_SACK_EVERY = 2 /* packets with DATA */
};

typedef enum pl_sctp_tsn_is { PL_SCTP_TSN_NEW, PL_SCTP_TSN_DUPLICATE, PL_SCTP_TSN_TOO_FAR } pl_sctp_tsn_is;

typedef struct pl_sctp_sack {
    uint32_t cumulative_tsn, highest_tsn;
    uint64_t *bits;  /* TSN t at bit t mod n_bits, only for t beyond the cumulative one */
    uint32_t n_bits; /* a power of two, or 0 */
    uint32_t duplicate[PL_SCTP_DUPLICATES_MAX];
    uint32_t n_duplicates;
    uint32_t n_packets; /* with DATA, since the last SACK */
    bool had_gaps;      /* the last SACK told of gaps */
    int64_t delay_us;
    int64_t due_us; /* when a SACK must go; PL_NEVER: none is owed */
} pl_sctp_sack;

void pl_sctp_sack_init(pl_sctp_sack *s, uint32_t initial_tsn, int64_t delay_us);
void pl_sctp_sack_clear(pl_sctp_sack *s);

/* Looks, and notes a duplicate for the next SACK. */
pl_sctp_tsn_is pl_sctp_sack_look(pl_sctp_sack *s, uint32_t tsn);
/* Room to add a TSN that is new. */
PL_NODISCARD pl_err pl_sctp_sack_reserve(pl_sctp_sack *s, uint32_t tsn);
/* A new TSN has been taken; the cumulative point moves over all that follows without a gap. */
void pl_sctp_sack_add(pl_sctp_sack *s, uint32_t tsn);
/* Takes a TSN beyond the cumulative one back (RFC 9260 6.2: data not yet delivered may be dropped). */
void pl_sctp_sack_renege(pl_sctp_sack *s, uint32_t tsn);
/* RFC 3758: everything up to tsn counts as arrived. */
void pl_sctp_sack_forward(pl_sctp_sack *s, uint32_t tsn);
bool pl_sctp_sack_has(const pl_sctp_sack *s, uint32_t tsn);

/* A packet with DATA (or FORWARD TSN) has been worked through. at_once: I bit, duplicate, or
 * shutting down. */
void pl_sctp_sack_packet(pl_sctp_sack *s, int64_t now_us, bool at_once);
static inline void pl_sctp_sack_at_once(pl_sctp_sack *s, int64_t now_us)
{
    s->due_us = now_us;
}
/* Writes the chunk with as many gaps and duplicates as fit; nothing is owed any more. The writer must have
 * room for PL_SCTP_SACK_HEADER. */
void pl_sctp_sack_write(pl_sctp_sack *s, pl_wr *w, uint32_t a_rwnd);
/* Bytes that a SACK written now would like. */
size_t pl_sctp_sack_size(const pl_sctp_sack *s);
void pl_sctp_sack_check(const pl_sctp_sack *s);

#endif
