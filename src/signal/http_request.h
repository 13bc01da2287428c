/* http_request.h - one HTTP/1.x request from a byte stream.
 * Source   RFC 9112 (and RFC 1945 for clients that speak 1.0); bodies with Content-Length or chunked.
 * Shape    pl_http_reader lives inside a connection, init and clear; feed it bytes, it says when a request
 *          is whole. What is behind the request (pipelined, or WebSocket frames after an upgrade) stays
 *          unread and is the caller's. Memory: one buffer, freed between requests.
 * Errors   PL_HTTP_BAD with the status to answer, after which only clear is left: 400 syntax, 411 and
 *          413 bodies, 414 and 431 sizes, 501 transfer codings, 505 version. Request smuggling's tools (two
 *          lengths, a length beside chunked, spaces before colons, bare CR) are refused. */
#ifndef PL_SIGNAL_HTTP_REQUEST_H
#define PL_SIGNAL_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    PL_HTTP_LINE_MAX = 4096,      /* the request line */
    PL_HTTP_HEAD_MAX = 16 * 1024, /* line and headers together */
    PL_HTTP_HEADERS_MAX = 64,
    PL_HTTP_BODY_MAX = 256 * 1024 /* the largest message of a room */
};

typedef enum pl_http_method {
    PL_HTTP_GET,
    PL_HTTP_HEAD,
    PL_HTTP_POST,
    PL_HTTP_OPTIONS,
    PL_HTTP_PATCH,
    PL_HTTP_DELETE,
    PL_HTTP_OTHER /* not for us: 405 */
} pl_http_method;

typedef struct pl_http_header {
    pl_str name, value;
} pl_http_header;

typedef struct pl_http_request {
    pl_http_method method;
    uint8_t minor;      /* HTTP/1.minor; 0 or 1 */
    pl_str path, query; /* as sent, still percent-encoded; the query without '?', p NULL when there is none */
    pl_http_header header[PL_HTTP_HEADERS_MAX];
    size_t n_headers;
    pl_str body;
} pl_http_request;

/* The first header of that name, case ignored; p NULL when there is none. */
pl_str pl_http_header_get(const pl_http_request *req, const char *name);
/* Whether a comma-separated header (Connection, Upgrade) has this word, case ignored. */
bool pl_http_header_has(const pl_http_request *req, const char *name, const char *word);
/* Whether the client wants the connection kept after the answer. */
bool pl_http_keeps(const pl_http_request *req);
/* Percent-decodes into a zero-terminated array. False when it does not fit or is no valid encoding, or a
 * zero byte comes out. '+' stays '+'. */
bool pl_http_unescape(pl_str in, char *out, size_t cap, size_t *len);
/* The value of `key` in a query "a=1&b=2", as sent. p NULL when there is none. */
pl_str pl_http_query_get(pl_str query, const char *key);
const char *pl_http_status_text(int status);

typedef enum pl_http_progress { PL_HTTP_MORE, PL_HTTP_CONTINUE, PL_HTTP_DONE, PL_HTTP_BAD } pl_http_progress;

typedef struct pl_http_reader {
    pl_http_request req; /* whole after PL_HTTP_DONE; lent until the next pl_http_reader_next or clear */
    int status;          /* after PL_HTTP_BAD */
    pl_buf buf;          /* head, then body; private from here on */
    size_t line_at, head_len, left;
    uint8_t stage;
    bool chunked, told_continue;
    uint8_t digits;
} pl_http_reader;

void pl_http_reader_init(pl_http_reader *rd);
void pl_http_reader_clear(pl_http_reader *rd);
/* Reads up to len bytes, sets *used. MORE: all were used. CONTINUE: the client waits for "100 Continue"
 * before its body; go on feeding after it was sent. DONE: rd->req is whole. */
pl_http_progress pl_http_reader_feed(pl_http_reader *rd, const uint8_t *data, size_t len, size_t *used);
/* Forgets the finished request and gives its memory back. */
void pl_http_reader_next(pl_http_reader *rd);

#endif
