#include "video/freeze.h"

#include <stdbool.h>

enum { FREEZE_MARGIN_US = 150000 };

void pl_freeze_shown(pl_freeze *f, int64_t now_us)
{
    int64_t gap_us = now_us - f->last_us;
    bool first = f->last_us == 0;
    f->last_us = now_us;
    if (first)
        return;
    int64_t average = f->n ? f->sum_us / f->n : 0;
    int64_t margin = 3 * average > average + FREEZE_MARGIN_US ? 3 * average : average + FREEZE_MARGIN_US;
    if (f->n && gap_us >= margin) {
        f->n_freezes++;
        f->total_us += (uint64_t)gap_us;
    }
    if (f->n == PL_FREEZE_WINDOW)
        f->sum_us -= f->gap_us[f->head];
    else
        f->n++;
    f->gap_us[f->head] = gap_us;
    f->sum_us += gap_us;
    f->head = (f->head + 1) % PL_FREEZE_WINDOW;
}

double pl_freeze_fps(const pl_freeze *f)
{
    return f->sum_us > 0 ? f->n * 1e6 / (double)f->sum_us : 0;
}
