#include "data/pair.h"

void pair_setup(pair *p, const pl_data_conf *conf, const sim_net *net, uint64_t seed)
{
    static const sim_net quick = { .delay_us = 1000 };
    *p = (pair){ .now_us = PL_SEC(1) };
    for (int i = 0; i < 2; i++) {
        pl_data_conf c = conf ? *conf : (pl_data_conf){ 0 };
        c.sctp.rand = pl_rand_seed(&p->state[i], seed * 2 + (uint64_t)i);
        PL_EQ(pl_data_new(&p->end[i], &c, p->now_us), PL_OK);
        p->link[i] = sim_link_new(net ? net : &quick, seed * 2 + 5 + (uint64_t)i);
        pl_data_set_remote(p->end[i], 5000, 262144);
    }
}

void pair_teardown(pair *p)
{
    for (int i = 0; i < 2; i++) {
        pl_data_free(p->end[i]);
        sim_link_free(p->link[i]);
    }
}

void pair_note(pair *p, int at, const pl_data_event *e)
{
    p->n_messages[at] += e->kind == PL_DATA_EVENT_MESSAGE;
    p->message_bytes[at] += e->len;
    p->n_low[at] += e->kind == PL_DATA_EVENT_BUFFERED_LOW;
    p->n_writable[at] += e->kind == PL_DATA_EVENT_WRITABLE;
    if (e->kind == PL_DATA_EVENT_CHANNEL)
        p->incoming[at] = e->channel;
    if (p->n_told[at] == PAIR_TOLD_MAX || e->kind == PL_DATA_EVENT_BUFFERED_LOW)
        return;
    told *t = &p->told[at][p->n_told[at]++];
    *t = (told){ e->kind, e->channel, e->binary, e->len, { 0 }, e->error };
    if (e->kind == PL_DATA_EVENT_MESSAGE) {
        PL_OKAY(e->data != NULL);
        memcpy(t->first, e->data, e->len < sizeof t->first ? e->len : sizeof t->first);
    }
}

static void pair_step(pair *p)
{
    uint8_t packet[PAIR_PACKET_MAX];
    size_t len;
    for (int i = 0; i < 2; i++) {
        pl_data_event e;
        while (sim_link_recv(p->link[1 - i], p->now_us, NULL, packet, sizeof packet, &len))
            pl_data_input(p->end[i], p->now_us, packet, len);
        if (p->now_us >= pl_data_next_us(p->end[i]))
            pl_data_tick(p->end[i], p->now_us);
        while (pl_data_poll_event(p->end[i], &e)) {
            pair_note(p, i, &e);
            pl_data_event_clear(&e);
        }
        while (pl_data_poll_output(p->end[i], p->now_us, packet, sizeof packet, &len))
            sim_link_send(p->link[i], p->now_us, NULL, packet, len);
        while (pl_data_poll_event(p->end[i], &e)) {
            pair_note(p, i, &e);
            pl_data_event_clear(&e);
        }
        pl_data_check(p->end[i]);
    }
}

void pair_run(pair *p, int64_t us)
{
    int64_t until_us = p->now_us + us;
    for (;;) {
        pair_step(p);
        int64_t next_us = PL_NEVER;
        for (int i = 0; i < 2; i++)
            next_us = pl_min_us(next_us, pl_min_us(sim_link_next_us(p->link[i]), pl_data_next_us(p->end[i])));
        if (next_us > until_us)
            break;
        p->now_us = pl_max_us(next_us, p->now_us + (next_us <= p->now_us));
    }
    p->now_us = until_us;
}

void pair_connect(pair *p)
{
    for (int i = 0; i < 2; i++) {
        pl_data_set_role(p->end[i], i == 0);
        PL_EQ(pl_data_start(p->end[i], p->now_us), PL_OK);
    }
    pair_run(p, PL_SEC(1));
    PL_OKAY(pl_data_connected(p->end[0]) && pl_data_connected(p->end[1]));
}

pl_channel *pair_make(pair *p, int at, const char *label, pl_data_channel_init init)
{
    pl_channel *c = NULL;
    PL_EQ(pl_channel_new(&c, p->end[at], p->now_us, label, strlen(label), &init, NULL), PL_OK);
    return c;
}

bool pair_was_told(const pair *p, int at, pl_data_event_kind kind, const pl_channel *c)
{
    for (unsigned i = 0; i < p->n_told[at]; i++) {
        if (p->told[at][i].kind == kind && p->told[at][i].channel == c)
            return true;
    }
    return false;
}

void pair_forget(pair *p)
{
    p->n_told[0] = p->n_told[1] = p->n_messages[0] = p->n_messages[1] = 0;
}
