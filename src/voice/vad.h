/* vad.h - is somebody speaking? Level against a noise floor that follows the quiet parts.
 * Shape    plain data, nothing to free. */
#ifndef PL_VOICE_VAD_H
#define PL_VOICE_VAD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pl_vad {
    float floor_db; /* dBov of what is taken for noise */
    int hangover;   /* 10 ms steps that still count as speech */
} pl_vad;

void pl_vad_init(pl_vad *v);
/* level: of the last 10 ms, -dBov 0..127. */
bool pl_vad_10ms(pl_vad *v, uint8_t level);

#endif
