#include "sctp/hystart.h"

#include "base/time.h"

enum { RTT_SAMPLES = 8, CSS_GROWTH_DIVISOR = 4, CSS_ROUNDS = 5 };
#define THRESH_LEAST_US PL_MS(4)
#define THRESH_MOST_US  PL_MS(16)

void pl_sctp_hystart_init(pl_sctp_hystart *h)
{
    *h = (pl_sctp_hystart){ .last_min_us = PL_NEVER, .now_min_us = PL_NEVER, .baseline_us = PL_NEVER };
}

static void begin_round(pl_sctp_hystart *h, bool *done)
{
    h->last_min_us = h->now_min_us;
    h->now_min_us = PL_NEVER;
    h->n_samples = 0;
    if (h->in_css && ++h->css_rounds >= CSS_ROUNDS)
        *done = true;
}

size_t pl_sctp_hystart_growth(pl_sctp_hystart *h, const pl_sctp_cc_ack *ack, bool round_began, bool *done)
{
    *done = false;
    if (round_began)
        begin_round(h, done);
    if (ack->rtt_us >= 0) {
        h->now_min_us = pl_min_us(h->now_min_us, ack->rtt_us);
        h->n_samples++;
    }
    bool known = h->n_samples >= RTT_SAMPLES && h->now_min_us != PL_NEVER && h->last_min_us != PL_NEVER;
    if (known && h->in_css && h->now_min_us < h->baseline_us) { /* it was jitter */
        h->in_css = false;
        h->baseline_us = PL_NEVER;
    } else if (known && !h->in_css) {
        int64_t thresh_us = pl_max_us(THRESH_LEAST_US, pl_min_us(h->last_min_us / 8, THRESH_MOST_US));
        if (h->now_min_us >= h->last_min_us + thresh_us) {
            h->in_css = true;
            h->baseline_us = h->now_min_us;
            h->css_rounds = 0;
        }
    }
    return h->in_css ? ack->acked / CSS_GROWTH_DIVISOR : ack->acked;
}
