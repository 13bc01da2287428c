#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../shared/burst.h"
#include "load.h"

load_rows *load_rows_new(void)
{
    load_rows *r = calloc(1, sizeof *r);
    if (!r)
        load_die("no memory");
    for (size_t i = 0; i < ROWS_SLOTS; i++) {
        r->iov[i] = (struct iovec){ .iov_base = r->bytes[i], .iov_len = ROWS_SLOT_BYTES };
        r->msg[i].msg_hdr.msg_iov = &r->iov[i];
        r->msg[i].msg_hdr.msg_iovlen = 1;
        r->msg[i].msg_hdr.msg_name = &r->from[i];
        r->msg[i].msg_hdr.msg_control = r->control[i];
    }
    return r;
}

static size_t segment_of(struct msghdr *m, size_t len)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(c), sizeof size);
            return size > 0 ? (size_t)size : len;
        }
    return len;
}

size_t load_rows_recv(load_rows *r, int fd)
{
    for (size_t i = 0; i < ROWS_SLOTS; i++) {
        r->msg[i].msg_hdr.msg_namelen = sizeof r->from[i];
        r->msg[i].msg_hdr.msg_controllen = ROWS_CONTROL;
    }
    int n = recvmmsg(fd, r->msg, ROWS_SLOTS, MSG_DONTWAIT, NULL);
    if (n <= 0)
        return 0;
    for (int i = 0; i < n; i++) {
        size_t len = r->msg[i].msg_len;
        r->row[i] = (load_row){ .data = r->bytes[i], .len = len, .from = &r->from[i] };
        r->row[i].segment = segment_of(&r->msg[i].msg_hdr, len ? len : 1);
    }
    return (size_t)n;
}

size_t load_send(int fd, const uint8_t *data, size_t len, size_t segment, bool burst)
{
    size_t n = (len + segment - 1) / segment, sent = 0;
    if (burst && n > 1)
        return bench_send_burst(fd, data, len, segment) ? n : 0;
    for (size_t at = 0; at < len; at += segment)
        sent += send(fd, data + at, len - at < segment ? len - at : segment, 0) >= 0;
    return sent;
}
