#include "voice/level.h"

#include <math.h>

enum { STEPS_PER_SECOND = 100 };

void pl_level_10ms(pl_level *l, double power)
{
    l->energy += power / STEPS_PER_SECOND;
    l->sum += power;
    if (++l->n < STEPS_PER_SECOND)
        return;
    l->level = sqrt(l->sum / l->n);
    l->sum = 0;
    l->n = 0;
}

void pl_level_stats(const pl_level *l, pl_media_stats *out)
{
    out->audio_level = l->level;
    out->total_audio_energy = l->energy;
}
