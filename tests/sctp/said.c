#include "said.h"

#include "pl_test.h"

uint8_t raw[2048]; /* a packet made by hand */
static size_t raw_len;

pl_wr begin_raw(uint32_t tag)
{
    pl_wr w = pl_wr_init(raw, sizeof raw);
    pl_sctp_packet_begin(&w, &(pl_sctp_header){ 5000, 5000, tag });
    return w;
}

void feed(pair *p, int at, pl_wr *w)
{
    pl_sctp_packet_end(w);
    PL_OKAY(pl_wr_ok(w));
    raw_len = pl_wr_len(w);
    pl_sctp_input(p->end[at], p->now_us, raw, raw_len);
    pl_sctp_check(p->end[at]);
}

/* The first chunk of that type among all that `at` wants to send; its body in *body. Packets are used up. */
bool says(pair *p, int at, uint8_t type, pl_sctp_chunk *out, uint32_t *tag)
{
    static uint8_t packet[2048];
    size_t len;
    while (pl_sctp_poll_output(p->end[at], p->now_us, packet, sizeof packet, &len)) {
        pl_sctp_header h;
        pl_rd chunks;
        PL_EQ(pl_sctp_packet_open(&h, &chunks, packet, len), PL_OK);
        while (pl_sctp_chunk_next(&chunks, out)) {
            if (out->type != type)
                continue;
            if (tag)
                *tag = h.tag;
            return true;
        }
    }
    return false;
}

size_t one_packet(pair *p, int at, uint8_t *out, size_t cap)
{
    size_t len;
    PL_OKAY(pl_sctp_poll_output(p->end[at], p->now_us, out, cap, &len));
    return len;
}

void up(pair *p, const pl_sctp_conf *conf)
{
    pl_sctp_conf c = conf ? *conf : (pl_sctp_conf){ 0 };
    c.no_interleaving = true; /* the tests write plain DATA by hand */
    pair_init(p, &c, &c, NULL, 1);
    pair_connect(p);
    pair_shuttle(p);
}

void say(pair *p, int from, uint16_t sid, const char *text)
{
    PL_EQ(pl_sctp_send(p->end[from], p->now_us, sid, 51, text, strlen(text), NULL), PL_OK);
}

void hear(pair *p, int at, const char *text)
{
    pl_sctp_msg m;
    PL_OKAY(pl_sctp_recv(p->end[at], &m));
    PL_EQ(m.len, strlen(text));
    PL_MEMEQ(m.data, text, m.len);
    pl_sctp_msg_free(&m);
}

void feed_data(pair *p, uint32_t ahead, uint16_t sid, uint16_t ssn, uint8_t flags, const void *data,
               size_t len)
{
    pl_wr w = begin_raw(p->end[1]->my_tag);
    pl_sctp_data d = { .tsn = p->end[1]->in.cumulative_tsn + ahead,
                       .sid = sid,
                       .mid = ssn,
                       .ppid = 51,
                       .flags = flags,
                       .payload = data,
                       .len = len };
    pl_sctp_data_write(&w, &d);
    feed(p, 1, &w);
}
