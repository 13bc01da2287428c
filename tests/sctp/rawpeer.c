#include "rawpeer.h"

#include "pl_test.h"

const pl_sctp_init raw_good_init = {
    .tag = 77, .a_rwnd = 100000, .streams_out = 10, .streams_in = 10, .tsn = 5
};

void raw_init(rawpeer *r, const pl_sctp_conf *conf)
{
    pl_sctp_conf c = conf ? *conf : (pl_sctp_conf){ 0 };
    *r = (rawpeer){ .now_us = PL_SEC(1), .tag = 0x11223344, .tsn = 1000 };
    r->extensions = PL_SCTP_EXT_FORWARD_TSN | PL_SCTP_EXT_RECONFIG;
    c.rand = pl_rand_seed(&r->state, 77);
    PL_EQ(pl_sctp_new(&r->sctp, &c, r->now_us), PL_OK);
}

void raw_clear(rawpeer *r)
{
    pl_sctp_free(r->sctp);
}

void raw_begin(rawpeer *r, uint32_t tag)
{
    r->w = pl_wr_init(r->out, sizeof r->out);
    pl_sctp_packet_begin(&r->w, &(pl_sctp_header){ PL_SCTP_PORT, PL_SCTP_PORT, tag });
}

void raw_chunk(rawpeer *r, uint8_t type, uint8_t flags, const void *body, size_t len)
{
    size_t chunk = pl_sctp_chunk_begin(&r->w, type, flags);
    pl_wr_bytes(&r->w, body, len);
    pl_sctp_chunk_end(&r->w, chunk);
}

void raw_data(rawpeer *r, uint32_t tsn, uint16_t sid, uint16_t ssn, uint8_t flags, size_t len)
{
    static const uint8_t bytes[1024];
    pl_sctp_data d = {
        .tsn = tsn, .sid = sid, .mid = ssn, .ppid = 51, .flags = flags, .payload = bytes, .len = len
    };
    pl_sctp_data_write(&r->w, &d);
}

void raw_give(rawpeer *r)
{
    PL_OKAY(pl_wr_ok(&r->w));
    pl_sctp_packet_end(&r->w);
    pl_sctp_input(r->sctp, r->now_us, r->out, pl_wr_len(&r->w));
    pl_sctp_check(r->sctp);
}

void raw_say(rawpeer *r, uint8_t type, uint8_t flags, const void *body, size_t len)
{
    raw_begin(r, r->its_tag);
    raw_chunk(r, type, flags, body, len);
    raw_give(r);
}

void raw_say_plain(rawpeer *r, uint32_t tag, uint8_t type, uint8_t flags)
{
    raw_begin(r, tag);
    raw_chunk(r, type, flags, NULL, 0);
    raw_give(r);
}

void raw_say_shutdown(rawpeer *r, uint32_t cumulative_tsn)
{
    uint8_t tsn[4];
    pl_put32(tsn, cumulative_tsn);
    raw_say(r, PL_SCTP_SHUTDOWN, 0, tsn, sizeof tsn);
}

void raw_say_init(rawpeer *r, const pl_sctp_init *init)
{
    raw_begin(r, 0);
    pl_sctp_init_write(&r->w, PL_SCTP_INIT, init);
    raw_give(r);
}

void raw_say_data(rawpeer *r, uint32_t ahead)
{
    raw_begin(r, r->its_tag);
    raw_data(r, r->tsn + ahead, 0, 0, PL_SCTP_DATA_B | PL_SCTP_DATA_E | PL_SCTP_DATA_U, 4);
    raw_give(r);
}

void raw_say_sack(rawpeer *r, uint32_t cumulative_tsn, uint32_t rwnd)
{
    uint8_t body[12];
    pl_wr w = pl_wr_init(body, sizeof body);
    pl_wr_u32(&w, cumulative_tsn);
    pl_wr_u32(&w, rwnd);
    pl_wr_u32(&w, 0);
    raw_say(r, PL_SCTP_SACK, 0, body, sizeof body);
}

bool raw_hears(rawpeer *r, uint8_t type, pl_sctp_chunk *out)
{
    size_t len;
    while (pl_sctp_poll_output(r->sctp, r->now_us, r->in, sizeof r->in, &len)) {
        pl_sctp_header h;
        pl_rd chunks;
        PL_EQ(pl_sctp_packet_open(&h, &chunks, r->in, len), PL_OK);
        while (pl_sctp_chunk_next(&chunks, out)) {
            r->heard_tag = h.tag;
            if (out->type == type)
                return true;
        }
    }
    return false;
}

static bool hears_cause(rawpeer *r, uint8_t type, uint16_t cause, pl_rd *value)
{
    pl_sctp_chunk c;
    while (raw_hears(r, type, &c)) {
        for (pl_sctp_param p; pl_sctp_param_next(&c.body, &p);) {
            *value = p.value;
            if (p.type == cause)
                return true;
        }
    }
    return false;
}

bool raw_hears_cause(rawpeer *r, uint8_t type, uint16_t cause)
{
    pl_rd value = { 0 };
    return hears_cause(r, type, cause, &value);
}

void raw_hears_value(rawpeer *r, uint8_t type, uint16_t cause, const void *value, size_t len)
{
    pl_rd heard = { 0 };
    PL_OKAY(hears_cause(r, type, cause, &heard));
    PL_EQ(pl_rd_left(&heard), len);
    PL_MEMEQ(heard.p, value, len);
}

uint64_t raw_bad(const rawpeer *r)
{
    return r->sctp->stats.bad_packets;
}

unsigned raw_hush(rawpeer *r)
{
    unsigned n = 0;
    for (size_t len; pl_sctp_poll_output(r->sctp, r->now_us, r->in, sizeof r->in, &len);)
        n++;
    return n;
}

void raw_wait(rawpeer *r, int64_t us)
{
    int64_t until_us = r->now_us + us;
    for (int64_t at_us; (at_us = pl_sctp_next_us(r->sctp)) <= until_us;) {
        r->now_us = at_us > r->now_us ? at_us : r->now_us + 1;
        pl_sctp_tick(r->sctp, r->now_us);
        if (pl_sctp_next_us(r->sctp) <= r->now_us)
            break; /* it has something to say first */
    }
    r->now_us = until_us;
    pl_sctp_tick(r->sctp, r->now_us);
    pl_sctp_check(r->sctp);
}

void raw_get_cookie(rawpeer *r)
{
    pl_sctp_init init = { .tag = r->tag,
                          .a_rwnd = 100000,
                          .streams_out = 10,
                          .streams_in = 10,
                          .tsn = r->tsn,
                          .extensions = r->extensions };
    pl_sctp_chunk c = { 0 };
    pl_sctp_init ack;
    raw_say_init(r, &init);
    PL_OKAY(raw_hears(r, PL_SCTP_INIT_ACK, &c));
    PL_EQ(pl_sctp_init_parse(&ack, c.body), PL_OK);
    PL_OKAY(ack.cookie && ack.cookie_len <= sizeof r->cookie);
    memcpy(r->cookie, ack.cookie, ack.cookie_len);
    r->cookie_len = ack.cookie_len;
    r->its_tag = ack.tag;
    r->its_tsn = ack.tsn;
}

void raw_up(rawpeer *r, const pl_sctp_conf *conf)
{
    raw_up_with(r, conf, PL_SCTP_EXT_FORWARD_TSN | PL_SCTP_EXT_RECONFIG);
}

void raw_up_with(rawpeer *r, const pl_sctp_conf *conf, uint8_t extensions)
{
    pl_sctp_chunk c;
    raw_init(r, conf);
    r->extensions = extensions;
    raw_get_cookie(r);
    raw_say(r, PL_SCTP_COOKIE_ECHO, 0, r->cookie, r->cookie_len);
    PL_OKAY(raw_hears(r, PL_SCTP_COOKIE_ACK, &c));
    PL_EQ(pl_sctp_get_state(r->sctp), PL_SCTP_ESTABLISHED);
    raw_hush(r);
}

static void begin_itself(rawpeer *r)
{
    pl_sctp_chunk c = { 0 };
    raw_init(r, NULL);
    pl_sctp_connect(r->sctp, r->now_us);
    PL_OKAY(raw_hears(r, PL_SCTP_INIT, &c));
    r->its_tag = pl_rd_u32(&c.body);
}

static void answer_init(rawpeer *r)
{
    pl_sctp_init ack = raw_good_init;
    ack.tag = r->tag;
    ack.cookie = r->cookie;
    ack.cookie_len = 20;
    raw_begin(r, r->its_tag);
    pl_sctp_init_write(&r->w, PL_SCTP_INIT_ACK, &ack);
    raw_give(r);
}

void raw_in_state(rawpeer *r, pl_sctp_state state)
{
    bool busy = state == PL_SCTP_SHUTDOWN_PENDING || state == PL_SCTP_SHUTDOWN_RECEIVED;
    if (state == PL_SCTP_CLOSED)
        raw_init(r, NULL);
    else if (state <= PL_SCTP_COOKIE_ECHOED)
        begin_itself(r);
    else
        raw_up(r, NULL);
    if (state == PL_SCTP_COOKIE_ECHOED)
        answer_init(r);
    if (busy)
        PL_EQ(pl_sctp_send(r->sctp, r->now_us, 0, 51, "x", 1, NULL), PL_OK);
    if (state == PL_SCTP_SHUTDOWN_PENDING || state == PL_SCTP_SHUTDOWN_SENT)
        pl_sctp_shutdown(r->sctp, r->now_us);
    raw_hush(r);
    if (state == PL_SCTP_SHUTDOWN_RECEIVED || state == PL_SCTP_SHUTDOWN_ACK_SENT)
        raw_say_shutdown(r, r->its_tsn - 1);
    raw_hush(r);
    PL_EQ(pl_sctp_get_state(r->sctp), state);
}
