/* data_journey.h - the seeded life of two managers of data channels over bad links, beside a model of every channel.
 * Promise  every reliable message of a channel that its receiver did not close arrives once, whole, in order, as what it
 *          was (text or binary, empty ones too); the others at most once; OPEN, CLOSING and CLOSED come once and in that
 *          order; ids have the parity of their opener and are used again; at the end nothing is left.
 * Shape    data_journey.c is the rig, data_ledger.c the model of channels. */
#ifndef SIM_DATA_JOURNEY_H
#define SIM_DATA_JOURNEY_H

#include "data/channels.h"
#include "sim/link.h"

typedef struct sim_data_totals {
    uint64_t journeys, channels, negotiated, reused, messages, empty, arrived, given_up, pieces, parts, lent,
        closes, releases, full, no_id, pauses;
} sim_data_totals;

/* NULL, or what went wrong: valid until the next call. check: pl_data_check after every packet. */
const char *sim_data_journey(uint64_t seed, bool check, sim_data_totals *sum);

/* --- between the two files --- */

enum { SIM_CHANNELS_MAX = 64, SIM_CHANNEL_MESSAGES = 48, SIM_CHANNEL_MESSAGE_MAX = 60000 };

typedef struct sim_channel_message {
    uint32_t len;
    bool binary, open, arrived;
} sim_channel_message;

/* One direction of a channel. */
typedef struct sim_channel_way {
    sim_channel_message m[SIM_CHANNEL_MESSAGES];
    unsigned n, n_arrived;
    int next;            /* ordered: the least number that may come */
    int piece_of;        /* whose pieces are coming, or -1 */
    uint32_t piece_at;   /* bytes of it that have come */
    uint32_t part_total; /* of the message given in parts, its length in the end; 0: none */
} sim_channel_way;

typedef struct sim_channel {
    int opener;
    pl_data_channel_init init;
    char label[64], protocol[32];
    pl_channel *handle[2];
    bool made[2], opened[2], closing[2], closed[2], shut[2]; /* shut: this end has closed or released it */
    bool pieces[2];
    sim_channel_way way[2]; /* what each end sends */
} sim_channel;

/* Bytes of a message: letters that follow from channel, sender and number, which stands in front. */
void sim_channel_fill(uint8_t *out, unsigned channel, int from, unsigned number, uint32_t len);
bool sim_channel_is_reliable(const sim_channel *c);
/* What arrives at the other end: a message, or a piece. NULL, or what is wrong with it. */
const char *sim_channel_arrived(sim_channel *c, unsigned channel, int from, const pl_data_event *e);
/* All that must have come has. */
bool sim_channel_complete(const sim_channel *c, int from);

#endif
