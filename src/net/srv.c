#include "net/srv.h"

#include <netinet/in.h>

#include <arpa/nameser.h>
#include <resolv.h>
#include <string.h>

#include "base/bytes.h"

enum { TYPE_SRV = 33, CLASS_IN = 1, POINTER = 0xc0 /* RFC 1035 4.1.4 */ };

/* Past a name, which may end in a pointer. */
static void skip_name(pl_rd *r)
{
    for (uint8_t len; (len = pl_rd_u8(r)) != 0 && pl_rd_ok(r);) {
        if ((len & POINTER) == POINTER) {
            pl_rd_skip(r, 1);
            return;
        }
        if (len & POINTER)
            r->bad = true; /* kinds of labels that were never used */
        pl_rd_skip(r, len);
    }
}

/* The target is not compressed by RFC 2782, but some servers do it. */
static bool read_record(pl_rd rdata, const uint8_t *msg, size_t len, pl_srv *out)
{
    out->priority = pl_rd_u16(&rdata);
    out->weight = pl_rd_u16(&rdata);
    out->port = pl_rd_u16(&rdata);
    return pl_rd_ok(&rdata) && pl_rd_left(&rdata) > 0 &&
           dn_expand(msg, msg + len, rdata.p, out->target, sizeof out->target) >= 0;
}

pl_err pl_srv_parse(const uint8_t *msg, size_t len, pl_srv out[PL_SRV_MAX], size_t *n)
{
    pl_rd r = pl_rd_init(msg, len);
    *n = 0;
    pl_rd_skip(&r, 4); /* ID and flags */
    uint16_t n_questions = pl_rd_u16(&r), n_answers = pl_rd_u16(&r);
    pl_rd_skip(&r, 4);
    for (uint16_t i = 0; i < n_questions && pl_rd_ok(&r); i++) {
        skip_name(&r);
        pl_rd_skip(&r, 4);
    }
    for (uint16_t i = 0; i < n_answers && pl_rd_ok(&r); i++) {
        skip_name(&r);
        uint16_t type = pl_rd_u16(&r), class = pl_rd_u16(&r);
        pl_rd_skip(&r, 4); /* time to live */
        pl_rd rdata = pl_rd_sub(&r, pl_rd_u16(&r));
        if (!pl_rd_ok(&rdata) || type != TYPE_SRV || class != CLASS_IN || *n == PL_SRV_MAX)
            continue; /* such as a CNAME on the way */
        if (!read_record(rdata, msg, len, &out[*n]))
            return PL_EPROTO;
        ++*n;
    }
    return pl_rd_ok(&r) ? PL_OK : PL_EPROTO;
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
