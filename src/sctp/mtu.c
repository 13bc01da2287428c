#include "sctp/mtu.h"

#include <assert.h>

#include "base/time.h"
#include "sctp/association.h"

/* RFC 8899 5.1.1: a probe is given a second at least, since a wrong verdict holds for long. */
#define PROBE_LEAST_US PL_SEC(1)
#define RAISE_US       PL_SEC(600)
#define ERROR_US       PL_SEC(10)

/* Sizes that paths have: tunnels, PPPoE and mobile networks, Ethernet (1500 less IPv4 20 or IPv6 40, UDP 8, DTLS 37,
 * and perhaps a TURN channel's 4), what libwebrtc takes in one record (2048), jumbo frames. max itself comes last. */
static const size_t usual[] = { 1332, 1404, 1432, 1992, 4032, 8908 };

void pl_sctp_mtu_init(pl_sctp_mtu *m, size_t base, size_t max)
{
    *m = (pl_sctp_mtu){ .base = base, .max = max & ~(size_t)3, .size = base, .due_us = PL_NEVER };
    if (m->max > base)
        m->state = PL_SCTP_MTU_RESTING;
    else
        m->max = base;
}

void pl_sctp_mtu_restart(pl_sctp_mtu *m)
{
    pl_sctp_mtu_init(m, m->base, m->max);
}

static void try_size(pl_sctp_mtu *m, size_t size)
{
    m->probe = size;
    m->due = true;
    m->n_tries = 0;
    m->due_us = PL_NEVER;
}

static void rest_for(pl_sctp_mtu *m, int64_t now_us)
{
    m->probe = 0;
    m->due = false;
    m->due_us = now_us + RAISE_US;
    m->state = PL_SCTP_MTU_COMPLETE;
}

/* On a slow path one long packet would hold up all others. Long ones are for jumbo frames and the loopback. */
static size_t most(const pl_sctp_mtu *m)
{
    return m->near || m->max < PL_SCTP_MTU_FAR ? m->max : PL_SCTP_MTU_FAR;
}

/* The next usual size below what has failed, then halves of what is left. */
static size_t next_size(const pl_sctp_mtu *m)
{
    size_t max = most(m);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (usual[i] > m->size && usual[i] < m->bad && usual[i] <= max)
            return usual[i];
    }
    if (m->bad > max)
        return m->size < max ? max : 0;
    return m->bad - m->size > PL_SCTP_MTU_STEP ? (m->size + m->bad) / 2 & ~(size_t)3 : 0;
}

static void search(pl_sctp_mtu *m, int64_t now_us)
{
    size_t size = next_size(m);
    m->state = PL_SCTP_MTU_SEARCHING;
    if (size)
        try_size(m, size);
    else
        rest_for(m, now_us);
}

static void confirm_base(pl_sctp_mtu *m)
{
    m->state = PL_SCTP_MTU_BASE;
    m->bad = m->max + 4;
    try_size(m, m->base);
}

void pl_sctp_mtu_full(pl_sctp_mtu *m)
{
    if (m->state != PL_SCTP_MTU_RESTING)
        return;
    if (m->size > m->base) { /* a search before was fruitful: on from there */
        m->bad = m->max + 4;
        size_t size = next_size(m);
        if (!size)
            return;
        m->state = PL_SCTP_MTU_SEARCHING;
        try_size(m, size);
    } else {
        confirm_base(m);
    }
}

void pl_sctp_mtu_doubt(pl_sctp_mtu *m)
{
    if (m->size <= m->base || m->doubted || m->state == PL_SCTP_MTU_OFF)
        return;
    m->doubted = true;
    try_size(m, m->size);
}

void pl_sctp_mtu_sent(pl_sctp_mtu *m, int64_t now_us, int64_t wait_us)
{
    m->due = m->heard = false;
    m->due_us = now_us + pl_max_us(wait_us, PROBE_LEAST_US);
}

bool pl_sctp_mtu_arrived(pl_sctp_mtu *m, size_t size, int64_t now_us)
{
    size_t before = m->size;
    if (!m->probe || size != m->probe)
        return false;
    if (m->doubted) {
        m->doubted = false;
        if (m->state != PL_SCTP_MTU_SEARCHING) {
            rest_for(m, now_us);
            return false;
        }
    } else {
        m->size = size;
    }
    search(m, now_us);
    return m->size != before;
}

/* As often as it may be tried. */
static bool given_up(pl_sctp_mtu *m, int64_t now_us)
{
    size_t before = m->size;
    if (m->doubted) {
        m->doubted = false;
        m->size = m->base;
        confirm_base(m);
    } else if (m->state == PL_SCTP_MTU_SEARCHING) {
        m->bad = m->probe;
        search(m, now_us);
    } else {
        m->state = PL_SCTP_MTU_ERROR;
        m->size = PL_SCTP_MTU_MIN < m->base ? PL_SCTP_MTU_MIN : m->base;
        m->n_tries = 0;
        m->due_us = now_us + ERROR_US;
    }
    return m->size != before;
}

bool pl_sctp_mtu_expired(pl_sctp_mtu *m, int64_t now_us)
{
    m->due_us = PL_NEVER;
    if (!m->probe) { /* the time of what was found is over; more is looked for when it would be of use */
        if (m->size < m->max)
            m->state = PL_SCTP_MTU_RESTING;
        return false;
    }
    if (m->state == PL_SCTP_MTU_ERROR) {
        m->due = true;
        return false;
    }
    m->n_tries += m->heard;
    if (m->n_tries >= PL_SCTP_MTU_PROBES)
        return given_up(m, now_us);
    m->due = true;
    return false;
}

const char *pl_sctp_mtu_state_str(pl_sctp_mtu_state state)
{
    static const char *const name[] = { "off", "resting", "base", "searching", "complete", "error" };
    return name[state];
}

void pl_sctp_mtu_check(const pl_sctp_mtu *m)
{
    assert(m->size % 4 == 0 && m->probe % 4 == 0);
    assert(m->size <= m->max && m->probe <= m->max);
    assert(m->size >= m->base || m->state == PL_SCTP_MTU_ERROR || m->doubted);
    assert(!m->due || m->probe);
    assert(!m->doubted || m->probe == m->size);
    assert(m->state != PL_SCTP_MTU_OFF || (!m->probe && m->due_us == PL_NEVER));
}
