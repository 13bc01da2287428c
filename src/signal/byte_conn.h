/* byte_conn.h - one TCP stream that says SOCKS5 first and is a stream of bytes afterwards.
 * Source   XEP-0065 7.1 (what is said: jingle/socks5.h).
 * Shape    private to signal/byte_*. connect and accept give, close takes, also from the events. What comes before
 *          byte_conn_use stays with the sender: the stream is not read, and at most one read's worth is kept.
 * Errors   told once to `broken`.
 * Thread   the loop's owner; no event comes inside connect, accept and use. */
#ifndef PL_SIGNAL_BYTE_CONN_H
#define PL_SIGNAL_BYTE_CONN_H

#include "base/list.h"
#include "jingle/s5b.h"
#include "jingle/socks5.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/tcp.h"

#define BYTE_CONN_TALK_US PL_SEC(10) /* for name, connection and the words of SOCKS5 */

typedef struct byte_conn byte_conn;

typedef struct byte_conn_events {
    bool (*wanted)(void *user, const char *dst); /* asked of who was called: is it this? */
    void (*open)(void *user, byte_conn *c);
    void (*data)(void *user, const uint8_t *data, size_t len); /* once in use */
    void (*drained)(void *user);
    void (*broken)(void *user, byte_conn *c, bool in_order); /* nothing comes after it; close is left to do */
} byte_conn_events;

struct byte_conn {
    pl_node in_owner;
    pl_loop *loop;
    pl_tcp *tcp;
    pl_resolve *question;
    pl_addr addr[PL_RESOLVE_ADDR_MAX]; /* those that are still to be tried follow at next */
    size_t n_addr, next;
    pl_socks5 talk;
    pl_timer deadline;
    bool is_open, in_use, ours; /* ours: it came to us, or goes to our proxy */
    uint8_t *early;             /* of the stream, come with the last words of SOCKS5 */
    size_t n_early;
    char cid[PL_S5B_ID_MAX + 1]; /* of the candidate that was connected to, else "" */
    const byte_conn_events *on;
    void *user;
};

/* on is not copied. Errors: PL_EINVAL, PL_ENOSPC, PL_ENOMEM, PL_EIO; then nothing was made. */
PL_NODISCARD pl_err byte_conn_connect(byte_conn **out, pl_list *owner, pl_loop *loop, const char *host,
                                      uint16_t port, const char *dst, const byte_conn_events *on, void *user);
/* Takes the stream, also when it fails. */
PL_NODISCARD pl_err byte_conn_accept(byte_conn **out, pl_list *owner, pl_loop *loop, pl_tcp *tcp,
                                     const byte_conn_events *on, void *user);
void byte_conn_close(byte_conn *c); /* NULL is fine */
void byte_conn_close_all(pl_list *owner);
/* This is the stream: what comes is told from now on, from the loop. */
void byte_conn_use(byte_conn *c);
/* How much was taken. */
size_t byte_conn_write(byte_conn *c, const void *data, size_t len);

#endif
