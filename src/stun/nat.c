/* Every question to the server is a probe: a small transaction of its own. A stage starts its probes, waits until
 * they are settled, draws its conclusion, and enters the next one. */
#include "stun/nat_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "stun/integrity.h"

enum {
    PADDING_LEN = 1500, /* longer than any usual MTU with its headers */
    HAIRPIN_ROUNDS = 4,
    N_STAGES = PL_NAT_STAGE_DONE
};

static const int64_t PACE_US = PL_MS(100); /* at most ten new transactions a second (RFC 5780 5) */

/* ---- probes ---- */

static bool is_settled(const probe *p)
{
    return p->state != ASKING && p->state != IDLE;
}

/* The first question waits as long as anybody would; later ones know the round trip. Loss of one datagram in
 * ten makes four transmissions fail once in a thousand times. */
static pl_stun_tx_conf pace_of(const pl_stun_nat *n, probe_id id)
{
    int64_t rto_us = n->conf.rto_us;
    if (id == BIND_PP)
        return (pl_stun_tx_conf){ .rto_us = rto_us, .rto_max_us = 3 * rto_us, .rc = 7, .rm = 3 };
    rto_us = pl_min_us(rto_us, pl_max_us(2 * n->result.rtt_us + PL_MS(100), PL_MS(150)));
    return (pl_stun_tx_conf){ .rto_us = rto_us, .rto_max_us = 2 * rto_us, .rc = n->conf.rc, .rm = 2 };
}

static void start(pl_stun_nat *n, int64_t now_us, probe_id id, probe how)
{
    pl_stun_tx_conf pace = pace_of(n, id);
    int64_t at_us = pl_max_us(now_us, n->next_start_us);
    probe *p = &n->probes[id];
    *p = how;
    p->state = ASKING;
    if (p->answers_from.family == PL_AF_NONE)
        p->answers_from = p->to;
    pl_stun_tx_start(&p->tx, &pace, &n->conf.rand, at_us);
    n->next_start_us = at_us + PACE_US;
}

/* The server's address with the other IP, the other port, or both. */
static pl_addr server_at(const pl_stun_nat *n, uint32_t change)
{
    pl_addr a = change & PL_STUN_CHANGE_IP ? n->result.other : n->conf.server;
    a.port = change & PL_STUN_CHANGE_PORT ? n->result.other.port : n->conf.server.port;
    return a;
}

static void start_bind(pl_stun_nat *n, int64_t now_us, probe_id id, uint8_t socket, uint32_t change)
{
    start(n, now_us, id, (probe){ .socket = socket, .to = server_at(n, change) });
}

static void start_change(pl_stun_nat *n, int64_t now_us, probe_id id, uint32_t change)
{
    start(n, now_us, id,
          (probe){ .socket = PL_STUN_NAT_FILTERING,
                   .to = n->conf.server,
                   .answers_from = server_at(n, change),
                   .change = change });
}

static size_t build(const probe *p, uint8_t *out, size_t cap)
{
    static const uint8_t zeros[PADDING_LEN];
    pl_stun_wr s = pl_stun_begin(out, cap, PL_STUN_REQUEST, PL_STUN_BINDING, p->tx.id);
    if (p->change)
        pl_stun_put_u32(&s, PL_STUN_CHANGE_REQUEST, p->change);
    if (p->response_port)
        pl_stun_put_u16(&s, PL_STUN_RESPONSE_PORT, p->response_port);
    if (p->padding)
        pl_stun_put(&s, PL_STUN_PADDING, zeros, p->padding);
    return pl_stun_end(&s);
}

/* ---- lifetime ---- */

static void life_begin(pl_stun_nat *n, int64_t now_us)
{
    n->life = (lifetime){ .ask_at_us = PL_NEVER, .end_us = now_us + n->conf.lifetime_total_us };
    start_bind(n, now_us, BIND_LIFETIME, PL_STUN_NAT_LIFETIME, 0);
}

static void life_ask(pl_stun_nat *n, int64_t now_us)
{
    n->life.ask_at_us = PL_NEVER;
    start(n, now_us, ASK_LIFETIME,
          (probe){ .socket = PL_STUN_NAT_LIFETIME2,
                   .to = n->conf.server,
                   .response_port = n->probes[BIND_LIFETIME].mapped.port });
}

/* The next silence to try, or 0: it is known well enough, to five seconds or a tenth. */
static int64_t life_next(const pl_stun_nat *n)
{
    int64_t min = n->result.lifetime_min_us, max = n->result.lifetime_max_us;
    if (max == PL_NEVER) {
        int64_t limit_us = n->conf.lifetime_limit_us;
        return min >= limit_us ? 0
               : min == 0      ? pl_min_us(PL_SEC(25), limit_us)
                               : pl_min_us(2 * min, limit_us);
    }
    return max - min <= pl_max_us(PL_SEC(5), max / 10) ? 0 : min + (max - min) / 2;
}

/* Whether the binding outlived the silence; the very first question, without one, only shows that the server can
 * do it. */
static void life_conclude(pl_stun_nat *n, bool alive)
{
    pl_nat_result *r = &n->result;
    if (!n->life.works) {
        n->life.works = alive;
        r->lifetime_why = alive ? PL_NAT_KNOWN : PL_NAT_NO_RESPONSE_PORT;
        r->lifetime_max_us = PL_NEVER;
    } else if (alive) {
        r->lifetime_min_us = n->life.silence_us;
    } else {
        r->lifetime_max_us = n->life.silence_us;
    }
}

/* False: the search is over. */
static bool life_go_on(pl_stun_nat *n, int64_t now_us)
{
    const probe *bind = &n->probes[BIND_LIFETIME];
    probe *ask = &n->probes[ASK_LIFETIME];
    if (n->life.ask_at_us != PL_NEVER || !is_settled(bind) || ask->state == ASKING)
        return true;
    if (bind->state != ANSWERED) {
        n->result.lifetime_why = n->life.works ? PL_NAT_OUT_OF_TIME : PL_NAT_NO_ANSWER;
        return false;
    }
    if (ask->state == IDLE) { /* the binding has just been made: wait, then ask */
        n->life.ask_at_us = now_us + n->life.silence_us;
        return true;
    }
    life_conclude(n, ask->state == ANSWERED && ask->answered_on == PL_STUN_NAT_LIFETIME);
    if (!n->life.works)
        return false;
    n->life.silence_us = life_next(n);
    if (n->life.silence_us == 0)
        return false;
    if (now_us + n->life.silence_us > n->life.end_us) {
        n->result.lifetime_why = PL_NAT_OUT_OF_TIME;
        return false;
    }
    ask->state = IDLE;
    start_bind(n, now_us, BIND_LIFETIME, PL_STUN_NAT_LIFETIME, 0);
    return true;
}

/* ---- hairpin ---- */

static void hairpin_begin(pl_stun_nat *n, int64_t now_us)
{
    pl_rand_bytes(&n->conf.rand, n->hairpin.id, sizeof n->hairpin.id);
    n->hairpin.at_us = now_us;
}

static bool hairpin_is_over(const pl_stun_nat *n, int64_t now_us)
{
    return n->hairpin.heard || (n->hairpin.sent == 2 * HAIRPIN_ROUNDS && n->hairpin.at_us <= now_us);
}

static void hairpin_send(pl_stun_nat *n, int64_t now_us, pl_dgram *out, unsigned *socket)
{
    hairpin *h = &n->hairpin;
    bool odd = h->sent & 1;
    pl_stun_wr s = pl_stun_begin(out->data, out->cap, PL_STUN_REQUEST, PL_STUN_BINDING, h->id);
    out->len = pl_stun_end(&s);
    *socket = odd ? PL_STUN_NAT_MAPPING : PL_STUN_NAT_HAIRPIN;
    out->path.remote = odd ? n->probes[BIND_HAIRPIN].mapped : n->result.mapped;
    h->sent++;
    if (odd) /* a round is done; the last one gets its time, too */
        h->at_us = now_us + pace_of(n, BIND_HAIRPIN).rto_us;
}

static void know_hairpin(pl_stun_nat *n)
{
    n->hairpin.at_us = PL_NEVER;
    n->result.hairpin = n->hairpin.heard ? PL_NAT_YES : PL_NAT_NO;
    n->result.hairpin_why = PL_NAT_KNOWN;
}

/* ---- stages ---- */

static void enter(pl_stun_nat *n, int64_t now_us, pl_nat_stage stage);

/* Nobody answered, or not as one would wish: nothing else can be asked. */
static void give_up(pl_stun_nat *n, int64_t now_us)
{
    pl_nat_result *r = &n->result;
    pl_nat_why why = n->probes[BIND_PP].state == REFUSED ? PL_NAT_REFUSED : PL_NAT_NO_ANSWER;
    r->classic = why == PL_NAT_REFUSED ? PL_NAT_CLASSIC_UNKNOWN : PL_NAT_UDP_BLOCKED;
    r->mapping_why = r->filtering_why = r->hairpin_why = r->fragments_why = why;
    r->lifetime_why = n->conf.lifetime ? why : PL_NAT_NOT_ASKED;
    enter(n, now_us, PL_NAT_STAGE_DONE);
}

static bool has_other(const pl_stun_nat *n)
{
    const pl_addr *o = &n->result.other;
    return o->family == n->conf.server.family && o->port && o->port != n->conf.server.port &&
           !pl_addr_ip_eq(o, &n->conf.server);
}

static void skip_other(pl_stun_nat *n)
{
    pl_nat_result *r = &n->result;
    r->mapping_why = r->filtering_why = PL_NAT_ONE_ADDRESS;
    if (!r->translated) {
        r->mapping = PL_NAT_NONE;
        r->mapping_why = PL_NAT_KNOWN;
    }
}

/* The only place where the stage changes; what a stage needs is started here. */
static void enter(pl_stun_nat *n, int64_t now_us, pl_nat_stage stage)
{
    pl_nat_result *r = &n->result;
    n->stage = stage;
    switch (stage) {
    case PL_NAT_STAGE_BINDING: start_bind(n, now_us, BIND_PP, PL_STUN_NAT_MAPPING, 0); break;
    case PL_NAT_STAGE_FILTERING:
        start_change(n, now_us, CHANGE_BOTH, PL_STUN_CHANGE_IP | PL_STUN_CHANGE_PORT);
        start_change(n, now_us, CHANGE_PORT, PL_STUN_CHANGE_PORT);
        break;
    case PL_NAT_STAGE_MAPPING:
        start_bind(n, now_us, BIND_OP, PL_STUN_NAT_MAPPING, PL_STUN_CHANGE_IP);
        start_bind(n, now_us, BIND_OO, PL_STUN_NAT_MAPPING, PL_STUN_CHANGE_IP | PL_STUN_CHANGE_PORT);
        start_bind(n, now_us, BIND_PO, PL_STUN_NAT_MAPPING, PL_STUN_CHANGE_PORT);
        break;
    case PL_NAT_STAGE_HAIRPIN:
        r->classic = pl_nat_classic_of(r->mapping, r->filtering);
        start_bind(n, now_us, BIND_HAIRPIN, PL_STUN_NAT_HAIRPIN, 0);
        break;
    case PL_NAT_STAGE_FRAGMENTS:
        start(n, now_us, BIND_PADDING,
              (probe){ .socket = PL_STUN_NAT_HAIRPIN, .to = n->conf.server, .padding = PADDING_LEN });
        break;
    case PL_NAT_STAGE_LIFETIME: life_begin(n, now_us); break;
    case PL_NAT_STAGE_DONE: pl_stun_nat_know_pooling(n); break;
    }
}

static void after_binding(pl_stun_nat *n, int64_t now_us)
{
    if (!is_settled(&n->probes[BIND_PP]))
        return;
    if (!pl_stun_nat_answered(n, BIND_PP)) {
        give_up(n, now_us);
        return;
    }
    pl_stun_nat_know_first(n);
    if (has_other(n)) {
        enter(n, now_us, PL_NAT_STAGE_FILTERING);
    } else {
        skip_other(n);
        enter(n, now_us, PL_NAT_STAGE_HAIRPIN);
    }
}

static void after_filtering(pl_stun_nat *n, int64_t now_us)
{
    const probe *both = &n->probes[CHANGE_BOTH];
    probe *port = &n->probes[CHANGE_PORT];
    bool decided = both->state == ANSWERED || both->state == REFUSED;
    if (!decided && !(is_settled(both) && is_settled(port)))
        return;
    if (!is_settled(port))
        port->state = SILENT; /* no more need to know */
    enter(n, now_us, PL_NAT_STAGE_MAPPING);
}

static void after_mapping(pl_stun_nat *n, int64_t now_us)
{
    if (!is_settled(&n->probes[BIND_OP]) || !is_settled(&n->probes[BIND_OO]) ||
        !is_settled(&n->probes[BIND_PO]))
        return;
    pl_stun_nat_know_mapping(n);
    pl_stun_nat_know_filtering(n);
    enter(n, now_us, PL_NAT_STAGE_HAIRPIN);
}

static void after_hairpin(pl_stun_nat *n, int64_t now_us)
{
    const probe *p = &n->probes[BIND_HAIRPIN];
    if (!is_settled(p))
        return;
    if (!n->result.translated || p->state != ANSWERED) {
        n->result.hairpin_why = n->result.translated ? PL_NAT_NO_ANSWER : PL_NAT_NO_NAT;
    } else if (n->hairpin.at_us == PL_NEVER) {
        hairpin_begin(n, now_us);
        return;
    } else if (!hairpin_is_over(n, now_us)) {
        return;
    } else {
        know_hairpin(n);
    }
    enter(n, now_us, PL_NAT_STAGE_FRAGMENTS);
}

static void after_fragments(pl_stun_nat *n, int64_t now_us)
{
    if (!is_settled(&n->probes[BIND_PADDING]))
        return;
    pl_stun_nat_know_fragments(n);
    bool open = n->result.classic == PL_NAT_OPEN; /* nothing there that could forget */
    if (n->conf.lifetime && open)
        n->result.lifetime_why = PL_NAT_NO_NAT;
    enter(n, now_us, n->conf.lifetime && !open ? PL_NAT_STAGE_LIFETIME : PL_NAT_STAGE_DONE);
}

/* Goes on as far as what is known allows. */
static void advance(pl_stun_nat *n, int64_t now_us)
{
    pl_nat_stage before;
    do {
        before = n->stage;
        switch (n->stage) {
        case PL_NAT_STAGE_BINDING: after_binding(n, now_us); break;
        case PL_NAT_STAGE_FILTERING: after_filtering(n, now_us); break;
        case PL_NAT_STAGE_MAPPING: after_mapping(n, now_us); break;
        case PL_NAT_STAGE_HAIRPIN: after_hairpin(n, now_us); break;
        case PL_NAT_STAGE_FRAGMENTS: after_fragments(n, now_us); break;
        case PL_NAT_STAGE_LIFETIME:
            if (!life_go_on(n, now_us))
                enter(n, now_us, PL_NAT_STAGE_DONE);
            break;
        case PL_NAT_STAGE_DONE: break;
        }
    } while (n->stage != before);
    pl_stun_nat_check(n);
}

/* ---- input ---- */

static void on_answer(pl_stun_nat *n, int64_t now_us, probe_id id, unsigned socket, const pl_addr *from,
                      const pl_stun_msg *m)
{
    probe *p = &n->probes[id];
    pl_nat_result *r = &n->result;
    pl_str software;
    if (m->cls == PL_STUN_ERROR || m->n_unknown) {
        p->state = REFUSED;
        if (id == BIND_PP)
            (void)!pl_stun_get_error(m, &r->refused_code, &software);
        return;
    }
    if (!pl_addr_eq(from, &p->answers_from)) {
        if (p->change && pl_addr_eq(from, &p->to))
            p->state = REFUSED; /* it answers, but does not do as it was asked */
        return;
    }
    if (pl_stun_get_xor_addr(m, PL_STUN_XOR_MAPPED_ADDRESS, &p->mapped) &&
        pl_stun_get_addr(m, PL_STUN_MAPPED_ADDRESS, &p->mapped))
        return;
    p->state = ANSWERED;
    p->answered_on = (uint8_t)socket;
    p->padded = pl_stun_has(m, PL_STUN_PADDING);
    if (id != BIND_PP)
        return;
    if (!pl_stun_tx_rtt(&p->tx, now_us, &r->rtt_us))
        r->rtt_us =
            now_us - p->tx.sent_us; /* which transmission was answered is not known: the most it can be */
    if (pl_stun_get_addr(m, PL_STUN_OTHER_ADDRESS, &r->other))
        (void)!pl_stun_get_addr(m, PL_STUN_CHANGED_ADDRESS, &r->other);
    if (!pl_stun_get_str(m, PL_STUN_SOFTWARE, &software)) {
        software.n = software.n < sizeof r->software ? software.n : sizeof r->software - 1;
        (void)pl_str_copy(software, r->software, sizeof r->software);
    }
}

/* The lifetime's answer comes to another socket than it was asked from; all others to their own. */
static bool is_expected_on(const probe *p, probe_id id, unsigned socket)
{
    return socket == p->socket || (id == ASK_LIFETIME && socket == PL_STUN_NAT_LIFETIME);
}

void pl_stun_nat_input(pl_stun_nat *n, int64_t now_us, unsigned socket, const pl_addr *from, const void *pkt,
                       size_t len)
{
    pl_stun_msg m;
    if (pl_stun_parse(&m, pkt, len) || m.method != PL_STUN_BINDING ||
        pl_stun_check_fingerprint(&m) == PL_EPROTO)
        return;
    if (m.cls == PL_STUN_REQUEST) {
        if (n->hairpin.at_us != PL_NEVER && memcmp(m.id, n->hairpin.id, sizeof n->hairpin.id) == 0)
            n->hairpin.heard = true;
    } else {
        for (probe_id id = 0; id < N_PROBES; id++) {
            probe *p = &n->probes[id];
            if (p->state == ASKING && pl_stun_tx_is(&p->tx, &m) && is_expected_on(p, id, socket))
                on_answer(n, now_us, id, socket, from, &m);
        }
    }
    advance(n, now_us);
}

/* ---- verbs ---- */

pl_err pl_stun_nat_new(pl_stun_nat **out, const pl_stun_nat_conf *conf, int64_t now_us)
{
    *out = NULL;
    if (conf->server.family == PL_AF_NONE)
        return PL_EINVAL;
    for (int i = 0; i < PL_STUN_NAT_N_SOCKETS; i++) {
        if (conf->local[i].family != conf->server.family)
            return PL_EINVAL;
    }
    pl_stun_nat *n = calloc(1, sizeof *n);
    if (!n)
        return PL_ENOMEM;
    n->conf = *conf;
    n->conf.rto_us = conf->rto_us > 0 ? conf->rto_us : PL_MS(500);
    n->conf.rc = conf->rc ? conf->rc : 4;
    n->conf.lifetime_limit_us = conf->lifetime_limit_us > 0 ? conf->lifetime_limit_us : PL_SEC(600);
    n->conf.lifetime_total_us = conf->lifetime_total_us > 0 ? conf->lifetime_total_us : PL_SEC(1200);
    n->hairpin.at_us = n->life.ask_at_us = PL_NEVER;
    n->next_start_us = now_us;
    n->result = (pl_nat_result){ .local = conf->local[PL_STUN_NAT_MAPPING],
                                 .rtt_us = -1,
                                 .lifetime_max_us = PL_NEVER,
                                 .mapping_why = PL_NAT_NOT_ASKED,
                                 .filtering_why = PL_NAT_NOT_ASKED,
                                 .hairpin_why = PL_NAT_NOT_ASKED,
                                 .lifetime_why = PL_NAT_NOT_ASKED,
                                 .fragments_why = PL_NAT_NOT_ASKED };
    enter(n, now_us, PL_NAT_STAGE_BINDING);
    *out = n;
    return PL_OK;
}

void pl_stun_nat_tick(pl_stun_nat *n, int64_t now_us)
{
    for (probe_id id = 0; id < N_PROBES; id++) {
        probe *p = &n->probes[id];
        if (p->state == ASKING && pl_stun_tx_dead(&p->tx, now_us))
            p->state = SILENT;
    }
    if (n->life.ask_at_us <= now_us)
        life_ask(n, now_us);
    advance(n, now_us);
}

int64_t pl_stun_nat_next_us(const pl_stun_nat *n)
{
    int64_t at_us = pl_min_us(n->hairpin.at_us, n->life.ask_at_us);
    for (probe_id id = 0; id < N_PROBES; id++) {
        if (n->probes[id].state == ASKING)
            at_us = pl_min_us(at_us, pl_stun_tx_next_us(&n->probes[id].tx));
    }
    return n->stage == PL_NAT_STAGE_DONE ? PL_NEVER : at_us;
}

bool pl_stun_nat_poll_output(pl_stun_nat *n, int64_t now_us, pl_dgram *out, unsigned *socket)
{
    if (n->stage == PL_NAT_STAGE_DONE || out->cap < PL_STUN_NAT_DGRAM_MAX)
        return false;
    out->len = out->segment = 0;
    out->path.proto = PL_UDP;
    for (probe_id id = 0; id < N_PROBES && !out->len; id++) {
        probe *p = &n->probes[id];
        if (p->state != ASKING || !pl_stun_tx_due(&p->tx, now_us))
            continue;
        out->len = build(p, out->data, out->cap);
        out->path.remote = p->to;
        *socket = p->socket;
        pl_stun_tx_sent(&p->tx, now_us);
    }
    if (!out->len && n->hairpin.at_us <= now_us && n->hairpin.sent < 2 * HAIRPIN_ROUNDS)
        hairpin_send(n, now_us, out, socket);
    if (!out->len)
        return false;
    out->path.local = n->conf.local[*socket];
    return true;
}

bool pl_stun_nat_poll_event(pl_stun_nat *n, pl_stun_nat_event *out)
{
    if (n->told_any && n->told == n->stage)
        return false;
    n->told_any = true;
    n->told = n->stage;
    *out = (pl_stun_nat_event){ .stage = n->stage, .step = (uint8_t)n->stage, .n_steps = N_STAGES };
    return true;
}

void pl_stun_nat_check(const pl_stun_nat *n)
{
    const pl_nat_result *r = &n->result;
    assert(n->stage <= PL_NAT_STAGE_DONE);
    assert(n->stage == PL_NAT_STAGE_DONE || pl_stun_nat_next_us(n) != PL_NEVER);
    assert((r->mapping != PL_NAT_UNKNOWN) == (r->mapping_why == PL_NAT_KNOWN));
    assert((r->filtering != PL_NAT_UNKNOWN) == (r->filtering_why == PL_NAT_KNOWN));
    assert((r->hairpin != PL_NAT_MAYBE) == (r->hairpin_why == PL_NAT_KNOWN));
    assert((r->fragments != PL_NAT_MAYBE) == (r->fragments_why == PL_NAT_KNOWN));
    assert(r->lifetime_min_us <= r->lifetime_max_us);
    assert(n->hairpin.sent <= 2 * HAIRPIN_ROUNDS);
}

void pl_stun_nat_free(pl_stun_nat *n)
{
    free(n);
}

const pl_nat_result *pl_stun_nat_get_result(const pl_stun_nat *n)
{
    return &n->result;
}
