/* The few words of SOCKS5. */
#include "jingle/socks5.h"

#include <stdio.h>
#include <string.h>

enum { VERSION = 5, NO_AUTHENTICATION = 0, NONE_ACCEPTABLE = 0xff, CONNECT = 1, NAME = 3, IP4 = 1, IP6 = 4 };

static void put(pl_socks5 *s, const void *data, size_t n)
{
    memcpy(s->out + s->n_out, data, n);
    s->n_out = (uint16_t)(s->n_out + n);
}

/* Request and reply have one form: version, command or result, 0, address, port. */
static void put_message(pl_socks5 *s, uint8_t code)
{
    uint8_t head[5] = { VERSION, code, 0, NAME, (uint8_t)strlen(s->dst) };
    put(s, head, sizeof head);
    put(s, s->dst, head[4]);
    put(s, (uint8_t[2]){ 0, 0 }, 2);
}

void pl_socks5_client(pl_socks5 *s, const char *dst)
{
    *s = (pl_socks5){ 0 };
    snprintf(s->dst, sizeof s->dst, "%s", dst);
    put(s, (uint8_t[3]){ VERSION, 1, NO_AUTHENTICATION }, 3);
}

void pl_socks5_server(pl_socks5 *s)
{
    *s = (pl_socks5){ .server = true };
}

/* How many bytes the message that begins in s->in has: at least one more than are there, while that is not known. */
static size_t wanted(const pl_socks5 *s)
{
    if (!s->greeted)
        return !s->server ? 2 : s->n_in < 2 ? 2u : 2u + s->in[1];
    if (s->n_in < 5)
        return 5;
    return s->in[3] == NAME ? 7u + s->in[4] : s->in[3] == IP4 ? 10u : s->in[3] == IP6 ? 22u : 5u;
}

static void on_greeting(pl_socks5 *s)
{
    s->greeted = true;
    if (s->in[0] != VERSION) {
        s->state = PL_SOCKS5_BROKEN;
    } else if (s->server) {
        bool free_entry = memchr(s->in + 2, NO_AUTHENTICATION, s->in[1]) != NULL;
        put(s, (uint8_t[2]){ VERSION, free_entry ? NO_AUTHENTICATION : NONE_ACCEPTABLE }, 2);
        s->state = free_entry ? PL_SOCKS5_TALKING : PL_SOCKS5_BROKEN;
    } else if (s->in[1] != NO_AUTHENTICATION) {
        s->state = PL_SOCKS5_BROKEN;
    } else {
        put_message(s, CONNECT);
    }
}

static void on_message(pl_socks5 *s)
{
    bool named = s->in[0] == VERSION && s->in[3] == NAME;
    if (!s->server) { /* some answer with an address of theirs: that they say yes is enough */
        bool known = s->in[3] == NAME || s->in[3] == IP4 || s->in[3] == IP6;
        s->state = s->in[0] == VERSION && s->in[1] == 0 && known ? PL_SOCKS5_OPEN : PL_SOCKS5_BROKEN;
    } else if (!named || s->in[1] != CONNECT || s->in[4] == 0 || memchr(s->in + 5, 0, s->in[4])) {
        s->state = PL_SOCKS5_BROKEN;
    } else {
        memcpy(s->dst, s->in + 5, s->in[4]);
        s->dst[s->in[4]] = 0;
        s->state = PL_SOCKS5_ASKED;
    }
}

size_t pl_socks5_input(pl_socks5 *s, const uint8_t *data, size_t len)
{
    size_t used = 0;
    while (used < len && s->state == PL_SOCKS5_TALKING) {
        s->in[s->n_in++] = data[used++];
        if (s->n_in < wanted(s))
            continue;
        if (s->greeted)
            on_message(s);
        else
            on_greeting(s);
        s->n_in = 0;
    }
    return used;
}

size_t pl_socks5_output(pl_socks5 *s, uint8_t *out, size_t cap)
{
    size_t n = s->n_out < cap ? s->n_out : cap;
    memcpy(out, s->out, n);
    memmove(s->out, s->out + n, s->n_out - n);
    s->n_out = (uint16_t)(s->n_out - n);
    return n;
}

void pl_socks5_answer(pl_socks5 *s, bool yes)
{
    if (s->state != PL_SOCKS5_ASKED)
        return;
    put_message(s, yes ? 0 : 2); /* 2: not allowed */
    s->state = yes ? PL_SOCKS5_OPEN : PL_SOCKS5_BROKEN;
}
