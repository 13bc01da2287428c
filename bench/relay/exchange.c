#include "exchange.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"

enum { REQUEST_EVERY_US = 1500000, RTO_US = 500000, TRIES_MAX = 8, BUFFER = 2048 };

void load_talk_open(load_talk *t, load_fleet *f, size_t nth)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    load_client *c = &f->client[nth];
    struct sockaddr_in relayed = load_sockaddr(&c->relayed);
    *t = (load_talk){ .fleet = f, .client = c, .id = pl_rand_u32(&f->rand), .indications = nth % 4 == 3 };
    t->peer = load_socket(&at, &relayed, false);
    t->next_request_us = load_now_us() + pl_rand_below(&f->rand, REQUEST_EVERY_US);
    c->peer = load_bound(t->peer);
}

void load_talk_close(load_talk *t)
{
    close(t->peer);
}

/* --- payloads: whose, which, and bytes that follow from both --- */

static uint8_t filling(uint32_t id, uint32_t number, size_t i)
{
    return (uint8_t)(id + number * 7 + i);
}

static size_t write_payload(const load_talk *t, uint8_t *out, uint32_t number)
{
    size_t len = TALK_BYTES_MIN + pl_rand_below(&t->fleet->rand, TALK_BYTES_MAX - TALK_BYTES_MIN + 1);
    pl_put32(out, t->id);
    pl_put32(out + 4, number);
    for (size_t i = TALK_BYTES_MIN; i < len; i++)
        out[i] = filling(t->id, number, i);
    return len;
}

static bool is_sound(const load_talk *t, const uint8_t *data, size_t len)
{
    if (len < TALK_BYTES_MIN || len > TALK_BYTES_MAX || pl_get32(data) != t->id)
        return false;
    for (size_t i = TALK_BYTES_MIN; i < len; i++)
        if (data[i] != filling(t->id, pl_get32(data + 4), i))
            return false;
    return true;
}

/* A datagram has come to its end of the way. */
static bool take(const load_talk *t, load_way *way, const uint8_t *data, size_t len, load_talk_count *count)
{
    bool marked = len >= 4 && pl_get32(data) == HOSTILE_MARK;
    bool sound = !marked && is_sound(t, data, len);
    count->n_marked += marked;
    if (sound && pl_get32(data + 4) >= way->next && pl_get32(data + 4) < way->n_sent) {
        way->next = pl_get32(data + 4) + 1;
        way->n_arrived++;
        return true;
    }
    count->n_wrong += !marked;
    return false;
}

/* --- data --- */

void load_talk_say(load_talk *t)
{
    uint8_t pkt[BUFFER], payload[TALK_BYTES_MAX];
    size_t len = write_payload(t, payload, t->up.n_sent++);
    if (t->indications) {
        uint8_t id[PL_STUN_ID_LEN];
        pl_rand_bytes(&t->fleet->rand, id, sizeof id);
        pl_stun_wr w = pl_stun_begin(pkt, sizeof pkt, PL_STUN_INDICATION, PL_STUN_SEND, id);
        pl_stun_put_xor_addr(&w, PL_STUN_XOR_PEER_ADDRESS, &t->client->peer);
        pl_stun_put(&w, PL_STUN_DATA_ATTR, payload, len);
        len = pl_stun_end(&w);
    } else {
        pl_put16(pkt, t->client->channel);
        pl_put16(pkt + 2, (uint16_t)len);
        memcpy(pkt + 4, payload, len);
        len += 4;
    }
    if (send(t->client->fd, pkt, len, 0) < 0)
        t->up.n_sent--; /* an ICMP error's turn to be told: nothing has left */
}

size_t load_talk_at_peer(load_talk *t, load_talk_count *count)
{
    uint8_t buf[BUFFER], answer[TALK_BYTES_MAX];
    size_t n = 0;
    for (ssize_t len; (len = recv(t->peer, buf, sizeof buf, 0)) >= 0;) {
        if (!take(t, &t->up, buf, (size_t)len, count))
            continue;
        size_t size = write_payload(t, answer, t->down.n_sent++);
        if (send(t->peer, answer, size, 0) < 0)
            t->down.n_sent--;
        n++;
    }
    return n;
}

static void on_data_indication(load_talk *t, const pl_stun_msg *m, load_talk_count *count)
{
    pl_addr from;
    pl_rd data;
    if (pl_stun_get_xor_addr(m, PL_STUN_XOR_PEER_ADDRESS, &from) != PL_OK ||
        !pl_stun_find(m, PL_STUN_DATA_ATTR, &data)) {
        count->n_wrong++;
        return;
    }
    if (take(t, &t->down, data.p, pl_rd_left(&data), count) && !pl_addr_eq(&from, &t->client->peer))
        count->n_wrong++;
}

/* --- requests --- */

static void ask(load_talk *t)
{
    load_client *c = t->client;
    const load_order refresh = { .method = PL_STUN_REFRESH, .lifetime = 600 };
    const load_order bind = { .method = t->indications ? PL_STUN_CREATE_PERMISSION : PL_STUN_CHANNEL_BIND };
    pl_rand_bytes(&t->fleet->rand, c->id, sizeof c->id);
    t->asking_len = load_build(t->fleet, c, t->n_requests % 2 ? &bind : &refresh, t->asking);
    c->state = LOAD_WAITING;
    c->n_sent = 1;
    c->sent_us = load_now_us();
    (void)!send(c->fd, t->asking, t->asking_len, 0);
}

static void on_answer(load_talk *t, const pl_stun_msg *m, load_talk_count *count)
{
    load_client *c = t->client;
    uint16_t code = 0;
    pl_str reason;
    if (c->state != LOAD_WAITING || memcmp(m->id, c->id, sizeof c->id) != 0)
        return; /* to something hostile in its name */
    c->state = LOAD_DONE;
    if (m->cls == PL_STUN_SUCCESS) {
        memcpy(t->recorded, t->asking, t->asking_len);
        t->recorded_len = t->asking_len;
        return;
    }
    (void)!pl_stun_get_error(m, &code, &reason);
    if (code == 438 && load_take_nonce(t->fleet, c, m)) {
        ask(t);
        return;
    }
    count->n_refused++;
    count->refused_with = code;
}

void load_talk_tick(load_talk *t, int64_t now_us, load_talk_count *count)
{
    load_client *c = t->client;
    if (c->state == LOAD_WAITING) {
        if (now_us - c->sent_us < RTO_US)
            return;
        if (c->n_sent >= TRIES_MAX) {
            c->state = LOAD_FAILED;
            count->n_refused++;
            return;
        }
        c->n_sent++;
        c->sent_us = now_us;
        count->n_again++;
        (void)!send(c->fd, t->asking, t->asking_len, 0);
    } else if (now_us >= t->next_request_us) {
        t->next_request_us = now_us + REQUEST_EVERY_US;
        t->n_requests++;
        count->n_requests++;
        ask(t);
    }
}

void load_talk_at_client(load_talk *t, load_talk_count *count)
{
    uint8_t buf[BUFFER];
    pl_stun_msg m;
    for (ssize_t len; (len = recv(t->client->fd, buf, sizeof buf, 0)) >= 0;) {
        if (len >= 4 && buf[0] >= 0x40) {
            bool right = pl_get16(buf) == t->client->channel && pl_get16(buf + 2) <= len - 4;
            if (right)
                take(t, &t->down, buf + 4, pl_get16(buf + 2), count);
            count->n_wrong += !right;
        } else if (pl_stun_parse(&m, buf, (size_t)len) != PL_OK) {
            count->n_wrong++;
        } else if (m.cls == PL_STUN_INDICATION && m.method == PL_STUN_DATA) {
            on_data_indication(t, &m, count);
        } else {
            on_answer(t, &m, count);
        }
    }
}
