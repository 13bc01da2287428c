/* What the server says to our requests: is it the server's, does it challenge us, and whose business is it. */
#include "turn/turn_internal.h"

/* These come before the server knows who we are, so they cannot be signed (RFC 8489 9.2.4, 10). */
static bool may_be_unsigned(uint16_t code)
{
    return code == 300 || code == 400 || code == 401 || code == 438;
}

/* Whether the answer counts. One that is not signed as our request was is dropped, since anybody on the path may
 * have made it; an error's code is kept, to be told if nothing better ever comes. */
static bool is_genuine(pl_turn *t, turn_ask *a, const pl_stun_msg *m, uint16_t code)
{
    if (!a->tries.authed)
        return true;
    pl_err err = pl_stun_cred_check(&t->cred, m);
    if (err == PL_OK || (err == PL_ENOTSUP && may_be_unsigned(code)))
        return true;
    if (err == PL_ENOTSUP && code)
        a->hint_code = code;
    t->count.bad_messages++;
    return false;
}

/* RFC 6298 2, of answers to requests that were sent once. */
static void sample_rtt(pl_turn *t, const turn_ask *a)
{
    int64_t rtt_us;
    if (!pl_stun_tx_rtt(&a->tx, t->now_us, &rtt_us))
        return;
    if (!t->srtt_us) {
        t->srtt_us = rtt_us + 1; /* never 0: that is "unknown" */
        t->rttvar_us = rtt_us / 2;
        return;
    }
    int64_t off_us = rtt_us > t->srtt_us ? rtt_us - t->srtt_us : t->srtt_us - rtt_us;
    t->rttvar_us += (off_us - t->rttvar_us) / 4;
    t->srtt_us += (rtt_us - t->srtt_us) / 8;
}

static void on_success(pl_turn *t, turn_ask *a, const pl_stun_msg *m)
{
    switch (a->kind) {
    case ASK_ALLOCATE: pl_turn_on_allocated(t, a, m); break;
    case ASK_REFRESH: pl_turn_on_refreshed(t, a, m); break;
    case ASK_PERMIT: pl_turn_on_permitted(t, a); break;
    case ASK_BIND: pl_turn_on_bound(t, a); break;
    default: break;
    }
}

/* An allocation that stands is not given up for one refusal that anybody on the path may have made, or that a request
 * damaged on its way has earned. */
static bool is_doubtful(const pl_turn *t, const turn_ask *a, const pl_stun_msg *m)
{
    return pl_turn_is_up(t) && a->tries.authed && !m->integrity_at && !m->integrity256_at;
}

static void on_refusal(pl_turn *t, turn_ask *a, const pl_stun_msg *m, uint16_t code, const char *why)
{
    pl_log_debug(&t->log, "%s refused with %u: %s", pl_stun_method_str(m->method), code, why);
    if ((code == 500 || is_doubtful(t, a, m)) && a->n_errors < ERRORS_MAX) {
        a->n_errors++;
        a->tries = (pl_stun_cred_try){ 0 };
        pl_turn_ask_again(t, a, t->now_us + ERROR_PAUSE_US);
    } else if (a->kind == ASK_ALLOCATE || a->kind == ASK_REFRESH) {
        pl_turn_on_allocation_error(t, a, m, code, why);
    } else if (code == 437) {
        pl_turn_end(t, PL_TURN_LOST, code, "the server does not know the allocation any more");
    } else {
        pl_turn_on_peer_error(t, a, code);
    }
}

static void on_error(pl_turn *t, turn_ask *a, const pl_stun_msg *m, uint16_t code)
{
    switch (pl_stun_cred_on_error(&t->cred, m, &a->tries)) {
    case PL_STUN_CRED_RETRY:
        t->count.challenges++;
        t->count.stale_nonces += code == 438;
        pl_turn_ask_again(t, a, t->now_us);
        break;
    case PL_STUN_CRED_OTHER: on_refusal(t, a, m, code, pl_stun_reason(code)); break;
    case PL_STUN_CRED_REFUSED: on_refusal(t, a, m, code, "the server does not take our credentials"); break;
    case PL_STUN_CRED_BROKEN: on_refusal(t, a, m, code, "the server's challenge cannot be trusted"); break;
    }
}

static bool is_ours(uint16_t method)
{
    return method == PL_STUN_ALLOCATE || method == PL_STUN_REFRESH || method == PL_STUN_CREATE_PERMISSION ||
           method == PL_STUN_CHANNEL_BIND;
}

bool pl_turn_on_answer(pl_turn *t, const pl_stun_msg *m)
{
    turn_ask *a = NULL;
    for (size_t i = 0; i < ASKS_MAX && !a; i++)
        if (pl_turn_ask_is(&t->asks[i], m))
            a = &t->asks[i];
    if (!a)
        return is_ours(m->method); /* a late one, or a second copy */
    uint16_t code = 0;
    pl_str reason;
    if (m->cls == PL_STUN_ERROR && pl_stun_get_error(m, &code, &reason)) {
        t->count.bad_messages++;
        return true;
    }
    if (!is_genuine(t, a, m, code))
        return true;
    t->count.responses++;
    sample_rtt(t, a);
    if (code)
        on_error(t, a, m, code);
    else
        on_success(t, a, m);
    return true;
}

/* Nobody has answered for as long as we are patient. */
void pl_turn_on_silence(pl_turn *t, turn_ask *a)
{
    t->count.timeouts++;
    switch (a->kind) {
    case ASK_ALLOCATE:
        pl_turn_end(t, PL_TURN_FAILED, a->hint_code, a->hint_code ? "only unsigned refusals" : "no answer");
        break;
    case ASK_REFRESH:
        if (t->state == PL_TURN_CLOSING)
            pl_turn_end(t, PL_TURN_CLOSED, 0, "no answer");
        else if (t->state == PL_TURN_MOVING || a->probing)
            pl_turn_end(t, PL_TURN_LOST, a->hint_code, "no answer");
        else
            pl_turn_ask_start(t, a); /* until the lifetime runs out */
        break;
    case ASK_PERMIT:
    case ASK_BIND:
        if (a->hint_code) {
            pl_turn_on_peer_error(t, a, a->hint_code);
        } else { /* they are asked for again, but is there anybody? */
            pl_turn_ask_done(t, a);
            t->probe_wanted = true;
        }
        break;
    default: break;
    }
}
