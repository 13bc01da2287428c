#include "net/srv.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <string.h>

#include "base/bytes.h"

static bool read_record(ns_msg *msg, const ns_rr *rr, pl_srv *out)
{
    pl_rd r = pl_rd_init(ns_rr_rdata(*rr), ns_rr_rdlen(*rr));
    out->priority = pl_rd_u16(&r);
    out->weight = pl_rd_u16(&r);
    out->port = pl_rd_u16(&r);
    if (!pl_rd_ok(&r))
        return false;
    /* The target is not compressed by RFC 2782, but some servers do it. */
    int used = ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), r.p, out->target, sizeof out->target);
    if (used < 0)
        return false;
    if (strcmp(out->target, ".") == 0)
        out->target[0] = 0;
    return true;
}

pl_err pl_srv_parse(const uint8_t *data, size_t len, pl_srv out[PL_SRV_MAX], size_t *n)
{
    ns_msg msg;
    ns_rr rr;
    *n = 0;
    if (len > UINT16_MAX || ns_initparse(data, (int)len, &msg) != 0)
        return PL_EPROTO;
    int n_records = ns_msg_count(msg, ns_s_an);
    for (int i = 0; i < n_records && *n < PL_SRV_MAX; i++) {
        if (ns_parserr(&msg, ns_s_an, i, &rr) != 0)
            return PL_EPROTO;
        if (ns_rr_type(rr) != ns_t_srv || ns_rr_class(rr) != ns_c_in)
            continue; /* a CNAME on the way */
        if (!read_record(&msg, &rr, &out[*n]))
            return PL_EPROTO;
        ++*n;
    }
    return PL_OK;
}

static void swap(pl_srv *a, pl_srv *b)
{
    pl_srv c = *a;
    *a = *b;
    *b = c;
}

static size_t lowest_priority(const pl_srv *list, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        best = list[i].priority < list[best].priority ? i : best;
    return best;
}

/* RFC 2782: a number between 0 and the sum of the weights; the record that reaches it is drawn. Those without weight
 * stand first in the sum, so they are drawn now and then. */
static size_t draw(const pl_srv *list, size_t n, uint16_t priority, const pl_rand *rand)
{
    uint32_t sum = 0, running = 0;
    size_t last = 0;
    for (size_t i = 0; i < n; i++)
        sum += list[i].priority == priority ? list[i].weight : 0;
    uint32_t mark = pl_rand_below(rand, sum + 1);
    for (int with_weight = 0; with_weight < 2; with_weight++) {
        for (size_t i = 0; i < n; i++) {
            if (list[i].priority != priority || (list[i].weight > 0) != with_weight)
                continue;
            last = i;
            running += list[i].weight;
            if (running >= mark)
                return i;
        }
    }
    return last;
}

void pl_srv_order(pl_srv *list, size_t n, const pl_rand *rand)
{
    for (size_t done = 0; done < n; done++) {
        pl_srv *rest = list + done;
        uint16_t priority = rest[lowest_priority(rest, n - done)].priority;
        swap(rest, &rest[draw(rest, n - done, priority, rand)]);
    }
}
