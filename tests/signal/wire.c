#include "signal/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "net/loop.h"
#include "net/sockaddr.h"

enum { DEADLINE_SEC = 20, IN_MAX = 1 << 20 };

wire wire_open(pl_loop *loop, const pl_addr *to)
{
    struct sockaddr_storage sa;
    socklen_t len = pl_sockaddr_from(&sa, to, false);
    wire w = { .loop = loop, .fd = socket(sa.ss_family, SOCK_STREAM, 0), .in = calloc(1, IN_MAX + 1) };
    if (w.fd < 0 || !w.in || connect(w.fd, (struct sockaddr *)&sa, len)) {
        perror("connect");
        abort();
    }
    fcntl(w.fd, F_SETFL, O_NONBLOCK);
    return w;
}

void wire_close(wire *w)
{
    close(w->fd);
    free(w->in);
}

static void receive(wire *w)
{
    while (w->n < IN_MAX) {
        ssize_t n = recv(w->fd, w->in + w->n, IN_MAX - w->n, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            w->ended = true;
        if (n <= 0)
            return;
        w->n += (size_t)n;
    }
}

static void step(wire *w)
{
    (void)pl_loop_run_once(w->loop, 5000);
    receive(w);
}

void wire_send(wire *w, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0 && !w->ended) {
        ssize_t n = send(w->fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return;
        p += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
        if (len > 0)
            step(w);
    }
}

bool wire_wait_for(wire *w, const char *text)
{
    int64_t until = pl_clock_us() + PL_SEC(DEADLINE_SEC);
    receive(w);
    while (!memmem(w->in, w->n, text, strlen(text)) && !w->ended && pl_clock_us() < until)
        step(w);
    return memmem(w->in, w->n, text, strlen(text)) != NULL;
}

const char *wire_wait_end(wire *w)
{
    int64_t until = pl_clock_us() + PL_SEC(DEADLINE_SEC);
    while (!w->ended && pl_clock_us() < until)
        step(w);
    return w->in;
}

bool wire_turn(pl_loop *loop, const bool *until)
{
    int64_t end = pl_clock_us() + PL_SEC(DEADLINE_SEC);
    while (!*until && pl_clock_us() < end)
        (void)pl_loop_run_once(loop, 5000);
    return *until;
}

void wire_turn_us(pl_loop *loop, long us)
{
    int64_t end = pl_clock_us() + us;
    while (pl_clock_us() < end)
        (void)pl_loop_run_once(loop, 1000);
}

int wire_status(pl_loop *loop, const pl_addr *to, const char *request)
{
    wire w = wire_open(loop, to);
    int status = 0;
    wire_send(&w, request, strlen(request));
    if (wire_wait_for(&w, "\r\n\r\n"))
        status = strncmp(w.in, "HTTP/1.1 ", 9) == 0 ? (int)strtol(w.in + 9, NULL, 10) : -1;
    wire_close(&w);
    return status;
}
