/* relay_worker.h - the inside of the relay's driver: one loop with one core (relay/relay.h), its sockets, streams
 * and sessions.
 * Shape    private to relay_*.c: relay_worker.c (loop, listeners, what the core asks for), relay_port.c (relayed
 *          addresses), relay_conn.c (clients' connections), relay_stream.c (TCP, TLS), relay_dtls.c, relay_link.c
 *          (RFC 6062), relay_move.c (between threads), relay_server.c (all of them), relay_report.c (log, metrics).
 * Entering Whatever the loop calls gives its input to the core, calls rs_pump, and ends with rs_leave, where
 *          objects that are over are freed: so nothing vanishes under a caller.
 * Thread   a worker is its loop's; rs_server fields marked so may be touched by all. */
#ifndef PL_SERVER_RELAY_WORKER_H
#define PL_SERVER_RELAY_WORKER_H

#include <stdatomic.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/tcp.h"
#include "net/thread.h"
#include "net/tls.h"
#include "net/tls_dgram.h"
#include "net/udp.h"
#include "relay/relay.h"
#include "server/relay_server.h"

enum {
    RS_STREAM_QUEUE_MAX = 1024 * 1024, /* written to a client and not taken by the kernel: then it is cut */
    RS_STREAM_DATA_MAX = 256 * 1024,   /* beyond it data is dropped and answers still pass */
    RS_SPLICE_PAUSE = 64 * 1024,       /* beyond it the other end of a splice is not read */
    RS_ROWS_MAX = 32,                  /* messages of a stream in one input */
    RS_BIND_TRIES = 24,                /* taken ports in a row before a client hears 508 */
    RS_SCRATCH = 72 * 1024
};
#define RS_SOFTWARE "peerline"
/* While many datagrams come they may gather this long: fewer wake-ups, more that leave together. */
#define RS_REST_US   200
#define RS_SWEEP_US  PL_SEC(5)
#define RS_GREET_US  PL_SEC(15) /* a connection's first request must have come by then */
#define RS_IDLE_US   PL_SEC(60) /* and this much later than the last one, unless it carries something */
#define RS_LINGER_US PL_SEC(10) /* what was written last may take this long */

typedef struct rs_worker rs_worker;
typedef struct rs_conn rs_conn;
typedef struct rs_link rs_link;

typedef struct rs_listener {
    rs_worker *w;
    pl_udp *udp; /* one of udp and tcp */
    pl_tcp_listener *tcp;
    bool secure;           /* DTLS or TLS */
    pl_tls_listener *dtls; /* secure udp */
    bool discovers;        /* one of the four of RFC 5780... */
    uint8_t at;            /* ...PL_STUN_AT_* */
} rs_listener;

/* A relayed address. */
typedef struct rs_sock {
    rs_worker *w;
    pl_node in_worker;
    pl_relay_port *port;
    pl_udp *udp;
    pl_tcp_listener *tcp;
    pl_addr local;
    int fd; /* on its way to another loop */
} rs_sock;

/* Which ports this worker may take. Those of other workers are tried last: the kernel says if they are free. */
typedef struct rs_ports {
    uint16_t lo, hi;
    unsigned index, n; /* of n workers */
    uint8_t *busy;     /* a bit a port, for each family */
} rs_ports;

struct rs_conn {
    rs_worker *w;
    pl_node in_worker, in_doomed;
    pl_relay_conn *core; /* NULL: told of its end */
    uint8_t transport;   /* pl_relay_transport */
    bool greeted;        /* a whole message has come */
    bool ending;         /* not read any more; what was written may leave */
    pl_path path;
    int64_t heard_us;
    /* TCP and TLS */
    pl_tcp *tcp;
    pl_tls *tls;
    uint8_t *rest; /* the beginning of a message that is not whole */
    size_t n_rest, rest_cap;
    rs_link *link; /* spliced with it */
    /* DTLS */
    rs_listener *via;
    pl_tls_dgram *dtls;
    pl_hash_node in_table;
    pl_timer timer;
};

/* A peer's TCP connection. */
struct rs_link {
    rs_worker *w;
    pl_node in_worker, in_doomed;
    pl_relay_link *core; /* NULL: told of its end, or it told us */
    pl_tcp *tcp;
    rs_conn *conn; /* spliced with it */
    bool ending;
    int64_t ending_us;
};

/* The driver's own figures, beside the core's. */
typedef struct rs_figures {
    uint64_t conns[PL_RELAY_TRANSPORTS], conns_refused, tls_failures, idle_closed, slow_dropped, slow_cut;
    uint64_t links, bind_failures, udp_dropped, udp_received, udp_sent;
} rs_figures;

struct rs_worker {
    pl_relay_server *server;
    unsigned index;
    pl_loop *loop;
    bool own_loop; /* a thread of ours runs it */
    pl_log log;
    pl_relay *core;
    pl_timer timer, sweep;
    int64_t timer_us;
    bool pumping;

    rs_listener *listener;
    size_t n_listeners;
    rs_listener *set[PL_STUN_N_SOCKETS]; /* of RFC 5780 */
    rs_ports ports;
    pl_tls_ctx *tls, *dtls; /* lent by the server */
    pl_hash dtls_table;
    pl_list socks, closed_socks, conns, links, doomed_conns, doomed_links;
    struct rs_errand *errands; /* to other workers, not back yet */
    rs_figures figures;
    pl_rate complain;
    uint8_t scratch[RS_SCRATCH];
};

/* What can be changed while running; made anew by a reload. */
typedef struct rs_rules {
    pl_relay_policy policy;
    pl_relay_range allow[PL_RELAY_RANGES_MAX], deny[PL_RELAY_RANGES_MAX];
    pl_addr own[4 * PL_RELAY_LISTEN_MAX + 4 * PL_RELAY_ADDRS_MAX];
    pl_stun_auth *auth; /* NULL: nobody has to authenticate */
    pl_tls_ctx *tls, *dtls;
} rs_rules;

struct pl_relay_server {
    pl_loop *loop;
    pl_relay_server_conf conf;
    pl_relay_settings settings; /* the caller's loop alone, once the workers run */
    bool without_ip6;
    rs_rules *rules;
    pl_relay_shared *shared;
    pl_stun_server binding;
    pl_addr relay_ip[2][PL_RELAY_ADDRS_MAX]; /* IPv4, IPv6; of this machine */
    size_t n_relay_ip[2];
    rs_worker *worker[PL_RELAY_THREADS_MAX];
    unsigned n_workers;
    pl_relay_place place[4 * PL_RELAY_LISTEN_MAX + 8];
    size_t n_places;
    uint8_t place_at[4 * PL_RELAY_LISTEN_MAX + 8]; /* of those of RFC 5780: PL_STUN_AT_..., else 0xff */
    bool place_twin[4 * PL_RELAY_LISTEN_MAX + 8];  /* takes the port that the one before was given */
    size_t failed_place;
    pl_relay_external external[PL_RELAY_ADDRS_MAX]; /* unchanging, as the addresses above */
    size_t n_externals;
    _Atomic int64_t n_conns, max_conns; /* all workers */
    _Atomic bool closing;               /* all workers: errands are dropped */
    pl_mutex line_lock;                 /* all workers: the sink */
    bool draining;
    int64_t drain_until_us, started_us;
    pl_timer drain_timer;
    void (*drained)(void *user);
    void *drained_user;
    uint64_t n_reloads;
};

/* ---- relay_server.c; by any worker ---- */
bool rs_server_take_conn(pl_relay_server *s); /* one more connection is allowed */
void rs_server_give_conn(pl_relay_server *s);
/* An address of this machine to relay from; false: none of that family. */
bool rs_server_relay_ip(const pl_relay_server *s, pl_family family, pl_addr *out);
void rs_server_map(const pl_relay_server *s, pl_addr *a); /* to what the world sees */

/* ---- relay_worker.c ---- */
PL_NODISCARD pl_err rs_worker_open(rs_worker *w, pl_relay_server *server, unsigned index, pl_loop *loop);
void rs_worker_close(rs_worker *w); /* on its loop, or after the loop has stopped */
/* Does what the core wants, until it wants nothing more. */
void rs_pump(rs_worker *w, int64_t now_us);
/* Frees what is over, tells events, sets the timer. The last thing of every call from the loop. */
void rs_leave(rs_worker *w, int64_t now_us);
int64_t rs_now_us(const rs_worker *w);

/* ---- relay_port.c ---- */
PL_NODISCARD pl_err rs_ports_init(rs_ports *p, uint16_t lo, uint16_t hi, unsigned index, unsigned n);
void rs_ports_clear(rs_ports *p);
void rs_port_open(rs_worker *w, int64_t now_us, const pl_relay_open *open);
void rs_sock_close(rs_sock *s); /* gives its port back */
/* The socket leaves this worker, or arrives at it. */
void rs_sock_pack(rs_sock *s);
PL_NODISCARD pl_err rs_sock_unpack(rs_sock *s, rs_worker *w, pl_relay_port *port);

/* ---- relay_conn.c ---- */
rs_conn *rs_conn_new(rs_worker *w, int64_t now_us, pl_relay_transport transport, const pl_path *path);
void rs_conn_send(rs_conn *c, const pl_relay_tx *tx);
void rs_conn_doom(rs_conn *c); /* freed by rs_leave */
void rs_conn_free(rs_conn *c, int64_t now_us);
void rs_conn_sweep(rs_conn *c, int64_t now_us);

/* ---- relay_stream.c ---- */
void rs_stream_accepted(void *listener, pl_tcp *tcp);
void rs_stream_send(rs_conn *c, const pl_relay_tx *tx);
void rs_stream_write(rs_conn *c, const uint8_t *data, size_t len); /* plaintext; dooms on failure */
void rs_stream_end(rs_conn *c);                                    /* once what was written is out */
void rs_stream_splice(rs_conn *c, rs_link *link);

/* ---- relay_dtls.c ---- */
void rs_dtls_input(rs_listener *l, int64_t now_us, const pl_udp_row *rows, size_t n);
void rs_dtls_send(rs_conn *c, const pl_relay_tx *tx);
void rs_dtls_free(rs_conn *c);

/* ---- relay_link.c ---- */
void rs_link_accepted(void *sock, pl_tcp *tcp);
void rs_link_connect(rs_worker *w, int64_t now_us, pl_relay_link *core, rs_sock *from, const pl_addr *peer);
void rs_link_write(rs_link *l, const uint8_t *data, size_t len);
void rs_link_end(rs_link *l); /* the core gave it up: what was written may leave */
void rs_link_doom(rs_link *l);
void rs_link_free(rs_link *l, int64_t now_us);
void rs_link_sweep(rs_link *l, int64_t now_us);

/* ---- relay_move.c ---- */
void rs_fetch(rs_worker *w, int64_t now_us, const pl_relay_out *out);
void rs_forget_conn(rs_worker *w, const rs_conn *c); /* it ends while an errand of its is out */

/* ---- relay_report.c ---- */
void rs_report_event(rs_worker *w, const pl_relay_event *e);

#endif
