#include "load.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../shared/burst.h"

void load_die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

int64_t load_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* --- the server, seen from outside --- */

static long long first_number(const char *path)
{
    char text[128];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0; /* a thread that has just ended */
    text[n] = 0;
    return strtoll(text, NULL, 10);
}

static int64_t cpu_of_threads_ns(pid_t pid)
{
    char path[64], file[384];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        load_die("the server (process %d) has ended", (int)pid);
    int64_t sum = 0;
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.') {
            snprintf(file, sizeof file, "%s/%s/schedstat", path, e->d_name);
            sum += first_number(file);
        }
    closedir(dir);
    return sum;
}

static int64_t resident_kib(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    long long all, resident = 0;
    if (file && fscanf(file, "%lld %lld", &all, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

load_usage load_measure(const load_server *s)
{
    load_usage u = { .at_us = load_now_us() };
    if (s->pid) {
        u.cpu_ns = cpu_of_threads_ns(s->pid);
        u.rss_kib = resident_kib(s->pid);
    }
    return u;
}

double load_cpu_us_since(const load_server *s, const load_usage *from)
{
    return s->pid ? (double)(cpu_of_threads_ns(s->pid) - from->cpu_ns) / 1e3 : 0;
}

int64_t load_own_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* --- sockets --- */

void load_raise_files(size_t want)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        load_die("getrlimit: %s", strerror(errno));
    if (limit.rlim_cur >= want)
        return;
    struct rlimit more = { .rlim_cur = want, .rlim_max = limit.rlim_max > want ? limit.rlim_max : want };
    if (setrlimit(RLIMIT_NOFILE, &more) != 0)
        load_die("%zu open files are needed, the limit is %llu", want, (unsigned long long)limit.rlim_max);
}

struct sockaddr_in load_client_addr(size_t nth)
{
    uint32_t host =
        UINT32_C(0x7f100000) + (uint32_t)(nth / 250 * 256 + nth % 250 + 1); /* 127.16.0.1 and on */
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(host) };
}

int load_socket(const struct sockaddr_in *at, const struct sockaddr_in *to, bool gro)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = 4 << 20, on = 1;
    if (fd < 0)
        load_die("socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (gro && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) != 0)
        load_die("this kernel has no UDP_GRO: %s", strerror(errno));
    if (bind(fd, (const struct sockaddr *)at, sizeof *at) != 0)
        load_die("bind: %s", strerror(errno));
    if (to && connect(fd, (const struct sockaddr *)to, sizeof *to) != 0)
        load_die("connect: %s", strerror(errno));
    return fd;
}

pl_addr load_bound(int fd)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        load_die("getsockname: %s", strerror(errno));
    return load_addr(&sa);
}

struct sockaddr_in load_sockaddr(const pl_addr *a)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(a->port) };
    memcpy(&sa.sin_addr, a->ip, 4);
    return sa;
}

pl_addr load_addr(const struct sockaddr_in *sa)
{
    pl_addr a = { .family = PL_AF_IP4, .port = ntohs(sa->sin_port) };
    memcpy(a.ip, &sa->sin_addr, 4);
    return a;
}

void load_epoll_add(int epoll, int fd, uint64_t tag)
{
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = tag };
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0)
        load_die("epoll: %s", strerror(errno));
}
