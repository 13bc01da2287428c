/* stream_map.h - forwarding as arithmetic: how the packets of one sender are numbered anew for one receiver, when
 * they were captured, and how often a key frame may be asked for.
 * Source   RFC 3550 (sequence numbers, timestamps), RFC 7667 3.7 (a forwarding middlebox), RFC 4585 6.3.1 (PLI).
 * Shape    plain data, zero state legal, nothing to free: a pl_stream_origin for each kind of a publisher, a
 *          pl_stream_map for each kind of a viewer, a pl_stream_keys for each publisher's video.
 * Units    microseconds; RTP ticks where it says ts.
 * Errors   packets that cannot be forwarded are told by false. */
#ifndef PL_SERVER_STREAM_MAP_H
#define PL_SERVER_STREAM_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "rtp/media_packet.h"

enum {
    PL_STREAM_SILENT_US = 500000, /* a source may be replaced by another of the same sender after so long */
    PL_STREAM_KEY_US = 500000     /* between two key frames asked of a publisher */
};

/* What comes from a sender, of one kind: one source at a time, and the clock that its timestamps run by. */
typedef struct pl_stream_origin {
    uint32_t epoch; /* counts sources; 0: none yet */
    uint32_t ssrc, clock_hz;
    int64_t heard_us;
    uint32_t last_ts;
    int64_t ts_us;   /* last_ts as time, from the source's first packet on */
    int64_t base_us; /* ts_us + base_us: when it was captured, as far as the shortest way tells */
} pl_stream_origin;

/* Another publisher, or a codec with another clock: the next packet begins a new epoch. */
void pl_stream_origin_renew(pl_stream_origin *o, uint32_t clock_hz);
/* A packet has come. False: of a source beside the one that is forwarded. *captured_us: a smooth estimate on our
 * clock, for sender reports. */
bool pl_stream_origin_packet(pl_stream_origin *o, const pl_media_packet *p, int64_t *captured_us);

/* How the packets go on to one receiver. */
typedef struct pl_stream_map {
    uint32_t epoch;    /* of the origin; 0: nothing was forwarded yet */
    int64_t first;     /* of this epoch; what is older does not go on */
    int64_t seq_shift; /* added to ext_seq */
    uint32_t ts_shift;
    int64_t top;     /* the highest number given */
    uint32_t top_ts; /* and its timestamp */
    int64_t top_us;
} pl_stream_map;

/* The number and timestamp of a packet of o for this receiver. random: where the first epoch begins. False: it is from
 * before this receiver's time. */
bool pl_stream_map_packet(pl_stream_map *m, const pl_stream_origin *o, const pl_media_packet *p,
                          uint32_t random, int64_t *ext_seq, uint32_t *ts);

/* Wishes for key frames, of however many viewers. */
typedef struct pl_stream_keys {
    int64_t asked_us; /* 0: never */
    bool wanted;      /* since then */
    uint64_t n_wanted, n_asked;
} pl_stream_keys;

void pl_stream_keys_want(pl_stream_keys *k);
/* True when the publisher is to be asked now. */
bool pl_stream_keys_due(pl_stream_keys *k, int64_t now_us);
int64_t pl_stream_keys_next_us(const pl_stream_keys *k); /* or PL_NEVER */

#endif
