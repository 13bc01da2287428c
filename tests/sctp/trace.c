#include "trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "sctp/chunk.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_forward.h"
#include "sctp/chunk_sack.h"

static void print_data(const pl_sctp_chunk *c)
{
    pl_sctp_data d;
    if (pl_sctp_data_parse(&d, c) != PL_OK)
        printf("DATA of bad form");
    else
        printf("%s tsn %u sid %u mid %u fsn %u ppid %u len %zu%s%s%s%s", d.interleaved ? "I-DATA" : "DATA",
               d.tsn, d.sid, d.mid, d.fsn, d.ppid, d.len, d.flags & PL_SCTP_DATA_B ? " B" : "",
               d.flags & PL_SCTP_DATA_E ? " E" : "", d.flags & PL_SCTP_DATA_U ? " U" : "",
               d.flags & PL_SCTP_DATA_I ? " I" : "");
}

static void print_sack(const pl_sctp_chunk *c)
{
    pl_rd r = c->body;
    uint32_t cumulative = pl_rd_u32(&r), window = pl_rd_u32(&r);
    unsigned n_gaps = pl_rd_u16(&r), n_duplicates = pl_rd_u16(&r);
    printf("SACK %u window %u", cumulative, window);
    for (unsigned i = 0; i < n_gaps; i++) {
        unsigned from = pl_rd_u16(&r), to = pl_rd_u16(&r);
        printf(" gap %u-%u", cumulative + from, cumulative + to);
    }
    for (unsigned i = 0; i < n_duplicates; i++)
        printf(" twice %u", pl_rd_u32(&r));
}

static void print_forward(const pl_sctp_chunk *c)
{
    pl_sctp_forward f;
    bool interleaved = c->type == PL_SCTP_I_FORWARD_TSN;
    if (pl_sctp_forward_parse(&f, c->body, interleaved) != PL_OK) {
        printf("FORWARD-TSN of bad form");
        return;
    }
    printf("%sFORWARD-TSN %u", interleaved ? "I-" : "", f.cumulative_tsn);
    for (size_t i = 0; i < f.n_skips; i++) {
        pl_sctp_skip skip = pl_sctp_forward_skip(&f, i);
        printf(" sid %u mid %u%s", skip.sid, skip.mid, skip.unordered ? " U" : "");
    }
}

static void print_rest(const pl_sctp_chunk *c)
{
    pl_rd r = c->body;
    printf("chunk %u flags %u len %zu:", c->type, c->flags, pl_rd_left(&r));
    for (int i = 0; i < 200 && pl_rd_left(&r) > 0; i++)
        printf("%s%02x", i % 4 ? "" : " ", pl_rd_u8(&r));
}

void trace_packet(int64_t now_us, const char *who, const uint8_t *packet, size_t len)
{
    static int wanted = -1;
    if (wanted < 0)
        wanted = getenv("PL_TRACE") != NULL;
    if (!wanted)
        return;
    pl_rd chunks = pl_rd_init(packet, len);
    pl_sctp_chunk c;
    pl_rd_skip(&chunks, PL_SCTP_HEADER);
    while (pl_sctp_chunk_next(&chunks, &c)) {
        printf("%.6f %s ", (double)now_us * 1e-6, who);
        switch (c.type) {
        case PL_SCTP_DATA:
        case PL_SCTP_I_DATA: print_data(&c); break;
        case PL_SCTP_SACK: print_sack(&c); break;
        case PL_SCTP_FORWARD_TSN:
        case PL_SCTP_I_FORWARD_TSN: print_forward(&c); break;
        default: print_rest(&c); break;
        }
        printf("\n");
    }
}
