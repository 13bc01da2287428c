/* natbox.h - the shared insides of natbox: nodes, links, mappings, and who does what.
 *     util.c        numbers, addresses, random generators, the log
 *     packet.c      reading and rewriting IP packets
 *     events.c      what happens when: the queue of events, and the statistics
 *     link.c        one direction of an access link: rate, queue, loss, delay
 *     nat.c         mapping, filtering, hairpinning; the routing between nodes
 *     host.c        TUN devices and the addresses of the hosts
 *     statements.c  the language of natbox.conf (README.md)
 *     main.c        the loop
 * One thread, one box: what it is made of is global. Times are nanoseconds of the monotonic clock. */
#ifndef NATBOX_H
#define NATBOX_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    MAXNODES = 40,
    MAXADDR = 4,
    MAXPKT = 9216,
    NBUCKETS = 4096,
    NFRAGS = 64,
    MAXPORTS = 16, /* tcp-ports of a NAT */
    MAXATS = 256,  /* statements to run later */
    MAXDROPLOG = 2000
};
#define SEC  1000000000ull
#define MSEC 1000000ull

enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58 };

typedef uint64_t ns_t;
struct addr {
    uint8_t b[16];
}; /* IPv6, or IPv4-mapped */
struct ep {
    struct addr ip;
    uint16_t port;
}; /* port: host byte order */
struct rng {
    uint64_t s;
};
struct pkt {
    struct pkt *next;
    ns_t t_in;
    int len;
    uint8_t d[];
};

enum { DIST_UNIFORM, DIST_NORMAL, DIST_EXP, DIST_PARETO };
enum { Q_NS, Q_BYTES, Q_PKTS };
enum { UP, DOWN };

struct stats {
    uint64_t in_p, in_b, out_p, out_b, dq, dl, dm, dup, reord, ce;
    uint64_t qn;
    ns_t qsum, qmax;
};

struct link { /* one direction of one node's uplink */
    struct node *node;
    int dir;
    double rate;  /* bit/s; 0: stalled; <0: unlimited */
    double qrate; /* last non-zero rate, for a queue in ms */
    int qmode;
    double qlimit;
    ns_t delay, jitter;
    int dist;
    double loss, ge_p, ge_r, ge_good, ge_bad; /* ge_good/bad: loss rates */
    double reorder;
    ns_t reorder_by;
    double dup;
    int mtu, overhead;
    ns_t ecn;
    struct {
        ns_t t;
        double rate;
    } * tr;
    int ntr, tri;
    ns_t tbase;
    bool tloop;
    /* state */
    struct pkt *qh, *qt;
    int64_t qbytes;
    int qpkts;
    double head_bits;
    ns_t served_at;
    uint64_t gen, tgen;
    ns_t last_out;
    bool ge_lossy;
    struct rng r_loss, r_jit, r_reord, r_dup;
    struct stats st;
};

enum { M_NONE, M_EI, M_AD, M_APD }; /* mapping and filtering */
enum { A_PRESERVE, A_SEQ, A_RANDOM };
enum { V6_OFF, V6_PASS, V6_FW };

struct perm {
    struct perm *next;
    struct ep rem;
    ns_t exp;
};
struct key {
    struct ep in, dst;
    uint16_t proto;
};
struct map {
    struct map *nk, *ne;
    struct key k;
    struct ep ext;
    ns_t exp;
    struct perm *perms;
};
struct frag {
    struct addr src, dst, to;
    uint16_t id;
    int proto;
    bool out;
    ns_t exp;
};

enum { K_NET, K_NAT, K_HOST };
struct node {
    char name[16];
    int kind;
    struct node *parent;
    struct addr addr[MAXADDR];
    int plen[MAXADDR], naddr; /* host: own; NAT: public */
    struct link link[2];
    /* host: one node an interface; a host with several has a node for each, in one namespace */
    char dev[16];
    bool up;
    int fd, netns, statfd, pcap, mtu, metric;
    uint64_t noroute;
    /* NAT */
    struct addr gw;
    int map, filt, alloc, v6;
    bool hairpin, isolate, refresh_in, arbitrary, udp, tcp, icmp;
    int tports[MAXPORTS], ntports, port_lo, port_hi, next_port;
    ns_t to_udp, to_tcp, to_icmp;
    struct rng r_port;
    struct map *bk[NBUCKETS], *be[NBUCKETS];
    struct frag frags[NFRAGS];
    int nfrag;
    int nmaps;
};

struct view {
    int v, proto, hl, tlen, frag; /* frag: 0 whole, 1 first, 2 later */
    struct addr src, dst;
    uint16_t sp, dp, id;
    uint8_t *th, flags; /* transport header; TCP flags */
    bool icmp_err;
};

extern struct node nodes[MAXNODES]; /* 0: the internet */
extern int nnodes;
extern ns_t now, t0, stats_every;
extern uint64_t seed;
extern FILE *statf, *logf_;
extern char pcapdir[512];
extern int ctlfd;
extern bool hold, started;

/* ---- util.c ---- */
ns_t clock_ns(void);
_Noreturn void die(const char *f, ...) __attribute__((format(printf, 1, 2)));
void note(const char *f, ...) __attribute__((format(printf, 1, 2))); /* to nat.log */
uint64_t rnd(struct rng *r);
double rndu(struct rng *r); /* 0 to 1 */
uint64_t fnv(uint64_t h, const void *p, size_t n);
struct rng mkrng(const char *name, const char *use, int dir);
bool aeq(const struct addr *a, const struct addr *b);
bool is4(const struct addr *a);
struct addr a4(const uint8_t *p);
struct addr a6(const uint8_t *p);
const char *ips(const struct addr *a); /* one of four buffers */
struct addr parse_ip(const char *s, int *plen);
double num(const char *s, const char **unit); /* *unit receives the suffix */
ns_t p_time(const char *s);
double p_rate(const char *s);
double p_prob(const char *s);
int p_int(const char *s, int lo, int hi);
int p_enum(const char *v, const char *names); /* "a b c" -> 0 1 2 */
bool p_bool(const char *v);
FILE *open_lines(const char *path); /* for writing, by the line */

/* ---- packet.c ---- */
uint16_t g16(const uint8_t *p);
void s16(uint8_t *p, unsigned v);
bool parse(uint8_t *d, int len, struct view *v, bool embedded);
void csum_adj(uint8_t *c, const uint8_t *old, const uint8_t *new, int n);
uint16_t csum(const uint8_t *p, int n);
/* rewrite source or destination of an IPv4 packet; port < 0: address only */
void rewrite(uint8_t *d, const struct view *v, bool src, const struct addr *ip, int port, bool embedded);
struct pkt *pkt_new(const uint8_t *d, size_t len);
struct pkt *pkt_clone(const struct pkt *p);

/* ---- events.c ---- */
enum event { E_SERVE, E_DELIVER, E_TRACE, E_STMT, E_STATS };
void ev_push(ns_t t, enum event type, void *p, void *q, uint64_t gen);
ns_t ev_next(void); /* UINT64_MAX: none */
void run_events(void);
void stats_open(const char *path);
void stats_row(ns_t t);

/* ---- link.c ---- */
void link_init(struct link *l, struct node *n, int dir);
void link_send(struct link *l, struct pkt *p); /* takes p */
void deliver(struct link *l, struct pkt *p);   /* takes p */
void serve_done(struct link *l, ns_t t);
void set_rate(struct link *l, double rate);
void trace_step(struct link *l);
void trace_start(struct link *l);

/* ---- nat.c: both take p ---- */
void arrive_up(struct node *from, struct pkt *p);
void arrive_down(struct node *n, struct pkt *p);
void maps_expire(struct node *n, bool all);

/* ---- host.c ---- */
void host_open(struct node *n);
void host_set_up(struct node *n, bool up);
void host_set_addr(struct node *n, const struct addr *addr, int plen); /* in place of those of its family */
struct node *host_uplink(struct node *n, struct pkt *p);
void pcap_write(int fd, const struct pkt *p);
uint64_t tun_drops(const struct node *n);

/* ---- statements.c ---- */
struct node *mknode(const char *name, int kind);
void stmt(char *line);
void start(void);

#endif
