/* level.h - the loudness figures of webrtc-stats: audioLevel, totalAudioEnergy.
 * Shape    plain data, zero state legal. */
#ifndef PL_VOICE_LEVEL_H
#define PL_VOICE_LEVEL_H

#include "rtp/media_packet.h"

typedef struct pl_level {
    double sum; /* of 10 ms powers since the second began */
    int n;
    double level;  /* 0..1, root mean square of the last whole second (or of what there is) */
    double energy; /* sum of power times seconds */
} pl_level;

void pl_level_10ms(pl_level *l, double power); /* of pl_dsp_power */
void pl_level_stats(const pl_level *l, pl_media_stats *out);

#endif
