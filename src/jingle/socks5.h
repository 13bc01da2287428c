/* socks5.h - the few words of SOCKS5 that are said before bytes flow.
 * Source   RFC 1928 as XEP-0065 7.1 uses it: no authentication, CONNECT to a name that is the hash of a session, port 0.
 * Shape    a plain value, sans-I/O: bytes in, bytes out. One side asks (client), the other is asked (server) and decides.
 * Errors   the state PL_SOCKS5_BROKEN, which stays.
 * Thread   its owner's. */
#ifndef PL_JINGLE_SOCKS5_H
#define PL_JINGLE_SOCKS5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum pl_socks5_state {
    PL_SOCKS5_TALKING,
    PL_SOCKS5_ASKED, /* server: `dst` is wanted; pl_socks5_answer */
    PL_SOCKS5_OPEN,  /* what follows is the stream */
    PL_SOCKS5_BROKEN /* no SOCKS5, or refused */
} pl_socks5_state;

typedef struct pl_socks5 {
    uint8_t state; /* pl_socks5_state */
    bool server, greeted;
    char dst[256];
    uint8_t in[262], out[272]; /* the longest message; one, and a greeting that nobody took yet */
    uint16_t n_in, n_out;
} pl_socks5;

/* dst: at most 255 characters. */
void pl_socks5_client(pl_socks5 *s, const char *dst);
void pl_socks5_server(pl_socks5 *s);
/* How many bytes were of the talk; what is left over belongs to the stream. */
size_t pl_socks5_input(pl_socks5 *s, const uint8_t *data, size_t len);
/* What is to be sent; gone from here afterwards. */
size_t pl_socks5_output(pl_socks5 *s, uint8_t *out, size_t cap);
/* Of PL_SOCKS5_ASKED. */
void pl_socks5_answer(pl_socks5 *s, bool yes);

#endif
