/* sctp_ledger.h - what one side of an association has sent, and whether what arrives at the other may: the model that
 * seeded journeys and hostile tests compare with.
 * Source   RFC 9260 6.5 to 6.7 (order, once), RFC 3758 3.6 (skipped messages), RFC 6525 5.2.2 (streams begin anew),
 *          RFC 9260 5.2.4 A (a restart loses what was under way).
 * Shape    plain data, zero state legal, sim_ledger_clear frees. A message is known by its number, which travels as its
 *          PPID; its bytes follow from the number, so none are kept.
 * Errors   a text that says what is wrong, NULL when all is well. */
#ifndef SIM_SCTP_LEDGER_H
#define SIM_SCTP_LEDGER_H

#include "sctp/association.h"

enum {
    SIM_LEDGER_SLOTS = 8, /* streams in use */
    SIM_LEDGER_MESSAGE_MAX = 2 << 20
};

typedef struct sim_ledger_message {
    uint32_t len;    /* so far */
    uint32_t n_here; /* bytes that have arrived in pieces */
    uint8_t slot;
    bool unordered;
    bool open;    /* more parts follow */
    bool partial; /* may be given up */
    bool excused; /* a restart came between */
    bool arrived, broken;
    uint16_t life, generation; /* of the association; of the stream within it */
} sim_ledger_message;

typedef struct sim_ledger {
    sim_ledger_message *m;
    uint32_t n, cap;
    uint32_t n_partial, n_arrived, n_broken;
    uint16_t sid[SIM_LEDGER_SLOTS];
    int64_t last_ordered[SIM_LEDGER_SLOTS]; /* number of the last that came, +1 */
    int64_t piece_of[SIM_LEDGER_SLOTS]
                    [2]; /* number of the message whose pieces are coming, +1: ordered, not */
    uint16_t sent_generation[SIM_LEDGER_SLOTS], here_generation[SIM_LEDGER_SLOTS];
    uint16_t sent_life, here_life;
} sim_ledger;

void sim_ledger_clear(sim_ledger *l);
/* The bytes of message `number`, SIM_LEDGER_MESSAGE_MAX of them. */
const uint8_t *sim_ledger_bytes(uint32_t number);
/* The next message was accepted: its number is l->n before the call. */
void sim_ledger_sent(sim_ledger *l, unsigned slot, uint32_t len, bool open, const pl_sctp_send_opts *opts);
/* Another part of it. */
void sim_ledger_part(sim_ledger *l, uint32_t number, uint32_t len, bool last);
/* The sender knows that its stream was reset; the receiver does. */
void sim_ledger_reset_out(sim_ledger *l, uint16_t sid);
const char *sim_ledger_reset_in(sim_ledger *l, uint16_t sid);
/* From here on nothing sent before must arrive. `new_life`: what the sender sends now belongs to the next one. */
void sim_ledger_excuse(sim_ledger *l, bool new_life);
/* The receiver is of the next life. */
void sim_ledger_next_life(sim_ledger *l);
const char *sim_ledger_arrived(sim_ledger *l, const pl_sctp_msg *m);
/* Reliable messages that are still to come. */
uint32_t sim_ledger_missing(const sim_ledger *l);
/* Messages that have neither come nor must. */
uint32_t sim_ledger_lost(const sim_ledger *l);

#endif
