/* rawpeer.h - a peer made of packets: it says what a test writes, and the association's answers are read chunk by
 * chunk. For rules that no honest peer would ever show. */
#ifndef TESTS_SCTP_RAWPEER_H
#define TESTS_SCTP_RAWPEER_H

#include "base/time.h"
#include "sctp/association_internal.h"

typedef struct rawpeer {
    pl_sctp *sctp;
    pl_rand_seeded state;
    int64_t now_us;
    uint32_t tag, its_tag; /* the peer's own, and the association's */
    uint32_t tsn, its_tsn; /* the next of each */
    uint8_t in[2048], out[2048], cookie[512];
    size_t cookie_len;
    uint8_t extensions; /* that the peer offers */
    pl_wr w;            /* the packet being made */
    uint32_t heard_tag; /* of the packet in which raw_hears found its chunk */
} rawpeer;

/* An INIT that everybody can live with. */
extern const pl_sctp_init raw_good_init;

void raw_init(rawpeer *r, const pl_sctp_conf *conf);
void raw_clear(rawpeer *r);
/* The peer begins, and the association is up. */
void raw_up(rawpeer *r, const pl_sctp_conf *conf);
/* The same, with other extensions than FORWARD TSN and RE-CONFIG. */
void raw_up_with(rawpeer *r, const pl_sctp_conf *conf, uint8_t extensions);
/* In that state, with nothing left to say. Where it waits for an acknowledgement, that is one of a message of a byte. */
void raw_in_state(rawpeer *r, pl_sctp_state state);
/* Up to the INIT ACK, whose cookie and tag are kept. */
void raw_get_cookie(rawpeer *r);

/* A packet: begun, chunks, given. */
void raw_begin(rawpeer *r, uint32_t tag);
void raw_chunk(rawpeer *r, uint8_t type, uint8_t flags, const void *body, size_t len);
void raw_data(rawpeer *r, uint32_t tsn, uint16_t sid, uint16_t ssn, uint8_t flags, size_t len);
void raw_give(rawpeer *r);
/* The common case: one chunk, the right tag. */
void raw_say(rawpeer *r, uint8_t type, uint8_t flags, const void *body, size_t len);
/* ... of a header alone, under any tag. */
void raw_say_plain(rawpeer *r, uint32_t tag, uint8_t type, uint8_t flags);
void raw_say_shutdown(rawpeer *r, uint32_t cumulative_tsn);
void raw_say_init(rawpeer *r, const pl_sctp_init *init);
void raw_say_data(rawpeer *r, uint32_t ahead);
void raw_say_sack(rawpeer *r, uint32_t cumulative_tsn, uint32_t rwnd);

/* Looks through all that the association sends, until a chunk of that type. */
bool raw_hears(rawpeer *r, uint8_t type, pl_sctp_chunk *out);
/* ... and in it a parameter or cause. */
bool raw_hears_cause(rawpeer *r, uint8_t type, uint16_t cause);
/* ... of exactly that value. */
void raw_hears_value(rawpeer *r, uint8_t type, uint16_t cause, const void *value, size_t len);
/* Packets that it has thrown away. */
uint64_t raw_bad(const rawpeer *r);
/* Drops what it has to say. Returns how many packets. */
unsigned raw_hush(rawpeer *r);
void raw_wait(rawpeer *r, int64_t us);
#endif
