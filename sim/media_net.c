#include "sim/media_net.h"

#include <assert.h>
#include <stdlib.h>

struct sim_media {
    sim_media_conf conf;
    pl_rand_seeded state;
    pl_rand rand;
    int64_t next_seq, dark_until_us;
    uint64_t n_sent, n_lost;
    int n;
    pl_media_packet flight[SIM_MEDIA_FLIGHT_MAX]; /* unordered; arrival_us tells when */
};

sim_media *sim_media_new(const sim_media_conf *conf, uint64_t seed)
{
    sim_media *m = calloc(1, sizeof *m);
    assert(m);
    m->conf = *conf;
    m->rand = pl_rand_seed(&m->state, seed);
    m->next_seq = 1 + pl_rand_below(&m->rand, 65536);
    return m;
}

void sim_media_free(sim_media *m)
{
    free(m);
}

void sim_media_set(sim_media *m, const sim_media_conf *conf)
{
    m->conf = *conf;
}

void sim_media_blackout(sim_media *m, int64_t until_us)
{
    m->dark_until_us = until_us;
}

static bool chance(sim_media *m, double p)
{
    return pl_rand_below(&m->rand, 1000000) < p * 1000000;
}

static void fly(sim_media *m, const pl_media_packet *p, int64_t at_us)
{
    assert(m->n < SIM_MEDIA_FLIGHT_MAX);
    pl_media_packet *slot = &m->flight[m->n++];
    *slot = *p;
    slot->ext_seq = m->next_seq;
    slot->arrival_us = at_us + m->conf.delay_us +
                       (m->conf.jitter_us ? pl_rand_below(&m->rand, (uint32_t)m->conf.jitter_us + 1) : 0);
}

void sim_media_send(sim_media *m, int64_t now_us, const pl_media_packet *p)
{
    int64_t at_us = now_us;
    int tries = m->conf.retransmit_us ? m->conf.retransmits : 0;
    bool lost = now_us < m->dark_until_us || chance(m, m->conf.loss);
    m->n_sent++;
    while (lost && tries-- > 0) {
        at_us += m->conf.retransmit_us;
        lost =
            at_us < m->dark_until_us || (chance(m, m->conf.loss) && !(tries == 0 && m->conf.last_one_comes));
    }
    if (lost)
        m->n_lost++;
    else
        fly(m, p, at_us);
    if (!lost && chance(m, m->conf.duplicate))
        fly(m, p, at_us);
    m->next_seq++;
}

bool sim_media_recv(sim_media *m, int64_t now_us, pl_media_packet *out)
{
    int first = -1;
    for (int i = 0; i < m->n; i++)
        if (m->flight[i].arrival_us <= now_us &&
            (first < 0 || m->flight[i].arrival_us < m->flight[first].arrival_us))
            first = i;
    if (first < 0)
        return false;
    *out = m->flight[first];
    m->flight[first] = m->flight[--m->n];
    return true;
}

pl_rand *sim_media_rand(sim_media *m)
{
    return &m->rand;
}

uint64_t sim_media_lost(const sim_media *m)
{
    return m->n_lost;
}

uint64_t sim_media_sent(const sim_media *m)
{
    return m->n_sent;
}
