/* load.h - what every mode of bench-relay stands on, and bench-signal: the clock, sockets on loopback, and the server that is
 * measured from outside through /proc.
 * Shape    plain data; load_die ends the program, since a benchmark that goes on after an error lies.
 * Units    microseconds, nanoseconds of CPU, KiB.
 * Thread   one. */
#ifndef BENCH_RELAY_LOAD_H
#define BENCH_RELAY_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "peerline/export.h"

typedef struct load_server {
    struct sockaddr_in at;
    pid_t pid; /* whose CPU and memory are told; 0: nobody's */
    const char *user, *password;
} load_server;

/* What the server has used until now. */
typedef struct load_usage {
    int64_t at_us, cpu_ns;
    int64_t rss_kib;
} load_usage;

_Noreturn void load_die(const char *fmt, ...) PL_PRINTF(1, 2);
int64_t load_now_us(void);
load_usage load_measure(const load_server *s);
/* CPU of all its threads since `from`. */
double load_cpu_us_since(const load_server *s, const load_usage *from);

/* CPU of this program, to be told beside the server's: it must not be the narrow place. */
int64_t load_own_cpu_us(void);

/* As many files as this user may have open; dies when that is less than `want`. */
void load_raise_files(size_t want);
/* An address of 127.0.0.0/8 for the nth client: servers count what one address may ask of them, and clients of
 * one address each are the usual case. */
struct sockaddr_in load_client_addr(size_t nth);
/* A non-blocking UDP socket bound to `at` and, unless `to` is NULL, connected. Bursts are received in one piece
 * with gro. */
int load_socket(const struct sockaddr_in *at, const struct sockaddr_in *to, bool gro);
/* Where a socket is bound. */
pl_addr load_bound(int fd);
struct sockaddr_in load_sockaddr(const pl_addr *a);
pl_addr load_addr(const struct sockaddr_in *sa);
void load_epoll_add(int epoll, int fd, uint64_t tag);

#endif
