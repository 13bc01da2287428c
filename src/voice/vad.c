#include "voice/vad.h"

enum { HANGOVER_STEPS = 20 };           /* 200 ms: the pauses inside a word */
static const float ABOVE_FLOOR_DB = 9;  /* speech stands this far above the noise */
static const float SPEECH_MIN_DB = -60; /* below this nobody speaks to us */
static const float FLOOR_START_DB = -70;
static const float FLOOR_MAX_DB = -35; /* louder steady sound is taken for speech after all */
static const float FALL = 0.2f;        /* the floor follows quieter parts at once... */
static const float RISE_DB = 0.05f;    /* ...and louder ones at 5 dB a second */

void pl_vad_init(pl_vad *v)
{
    *v = (pl_vad){ .floor_db = FLOOR_START_DB };
}

bool pl_vad_10ms(pl_vad *v, uint8_t level)
{
    float db = -(float)level;
    if (db < v->floor_db)
        v->floor_db += (db - v->floor_db) * FALL;
    else if (v->floor_db < FLOOR_MAX_DB)
        v->floor_db += RISE_DB;
    if (db > SPEECH_MIN_DB && db > v->floor_db + ABOVE_FLOOR_DB)
        v->hangover = HANGOVER_STEPS;
    else if (v->hangover > 0)
        v->hangover--;
    return v->hangover > 0;
}
