#include "net/rest.h"

static void judge(pl_rest *r, int64_t now_us)
{
    int64_t span_us = now_us - r->since_us;
    if (span_us < PL_REST_WINDOW_US)
        return;
    /* A quiet thread sleeps through many windows: what came is spread over all of them. */
    r->many = (int64_t)r->n_window * PL_REST_WINDOW_US >= PL_REST_MANY * span_us;
    r->n_window = 0;
    r->since_us = now_us;
}

int64_t pl_rest_take(pl_rest *r, int64_t now_us)
{
    uint32_t n = r->n_round;
    r->n_round = 0;
    if (r->rest_us == 0)
        return 0;
    r->n_window += n;
    judge(r, now_us);
    return r->many && n > 0 && n < PL_REST_PLENTY ? r->rest_us : 0;
}
