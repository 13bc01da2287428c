/* rows.h - datagrams by rows: received as many as wait, in bursts where the socket takes them so; sent one by
 * one or as one segmented burst.
 * Source   UDP_SEGMENT and UDP_GRO of Linux udp(7).
 * Shape    a load_rows holds the buffers, 1 MiB; what it shows is gone with the next call.
 * Thread   one. */
#ifndef BENCH_RELAY_ROWS_H
#define BENCH_RELAY_ROWS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ROWS_SLOTS = 16, ROWS_SLOT_BYTES = 65536, ROWS_CONTROL = 64 };

/* One datagram, or a burst of them, each of `segment` bytes but the last. */
typedef struct load_row {
    uint8_t *data;
    size_t len, segment;
    struct sockaddr_in *from;
} load_row;

typedef struct load_rows {
    struct mmsghdr msg[ROWS_SLOTS];
    struct iovec iov[ROWS_SLOTS];
    struct sockaddr_in from[ROWS_SLOTS];
    _Alignas(size_t) uint8_t control[ROWS_SLOTS][ROWS_CONTROL];
    load_row row[ROWS_SLOTS];
    uint8_t bytes[ROWS_SLOTS][ROWS_SLOT_BYTES];
} load_rows;

load_rows *load_rows_new(void);
/* How many rows wait on this socket, shown in r->row; 0: none. */
size_t load_rows_recv(load_rows *r, int fd);
/* Whether another call may find more. */
static inline bool load_rows_full(size_t n)
{
    return n == ROWS_SLOTS;
}
static inline size_t load_row_count(const load_row *row)
{
    return (row->len + row->segment - 1) / row->segment;
}

/* Sends data as datagrams of `segment` bytes on a connected socket: by one call when burst, else one by one.
 * Refusals by ICMP are not looked at; returns how many datagrams the kernel took. */
size_t load_send(int fd, const uint8_t *data, size_t len, size_t segment, bool burst);

#endif
