/* HTTP/1.x requests from bytes: what is read, what is refused and with which status, at every split. */
#include "pl_test.h"

#include "signal/http_request.h"

static pl_http_progress feed(pl_http_reader *rd, const char *text, size_t len, size_t *used)
{
    return pl_http_reader_feed(rd, (const uint8_t *)text, len, used);
}

/* The status a whole text is refused with; 0: a request was read; -1: it waits for more. */
static int status_of_n(const char *text, size_t len)
{
    pl_http_reader rd;
    size_t used;
    pl_http_reader_init(&rd);
    pl_http_progress p = feed(&rd, text, len, &used);
    if (p == PL_HTTP_CONTINUE)
        p = feed(&rd, text + used, len - used, &used);
    int status = p == PL_HTTP_BAD ? rd.status : p == PL_HTTP_DONE ? 0 : -1;
    pl_http_reader_clear(&rd);
    return status;
}

static int status_of(const char *text)
{
    return status_of_n(text, strlen(text));
}

PL_TEST(reads_the_old_clients_requests)
{
    static const char text[] = "POST /message?peer_id=3&to=5 HTTP/1.0\r\nContent-Length: 5\r\n"
                               "Content-Type: text/plain\r\n\r\nhello";
    for (size_t split = 0; split < sizeof text; split++) { /* however the bytes arrive */
        pl_http_reader rd;
        size_t used;
        pl_http_reader_init(&rd);
        if (split > 0 && split < sizeof text - 1) {
            PL_EQ(feed(&rd, text, split, &used), PL_HTTP_MORE);
            PL_EQ(used, split);
            PL_EQ(feed(&rd, text + split, sizeof text - 1 - split, &used), PL_HTTP_DONE);
        } else {
            PL_EQ(feed(&rd, text, sizeof text - 1, &used), PL_HTTP_DONE);
        }
        PL_EQ(rd.req.method, PL_HTTP_POST);
        PL_EQ(rd.req.minor, 0);
        PL_OKAY(pl_str_is(rd.req.path, "/message"));
        PL_OKAY(pl_str_is(pl_http_query_get(rd.req.query, "to"), "5"));
        PL_OKAY(pl_str_is(pl_http_query_get(rd.req.query, "peer_id"), "3"));
        PL_OKAY(!pl_http_query_get(rd.req.query, "o").p);
        PL_OKAY(pl_str_is(pl_http_header_get(&rd.req, "content-TYPE"), "text/plain"));
        PL_OKAY(pl_str_is(rd.req.body, "hello"));
        PL_OKAY(!pl_http_keeps(&rd.req));
        pl_http_reader_clear(&rd);
    }
}

PL_TEST(a_name_with_spaces_reaches_to_the_version)
{
    static const char text[] = "GET /sign_in?John Smith@pc HTTP/1.0\r\n\r\n";
    pl_http_reader rd;
    size_t used;
    pl_http_reader_init(&rd);
    PL_EQ(feed(&rd, text, sizeof text - 1, &used), PL_HTTP_DONE);
    PL_OKAY(pl_str_is(rd.req.query, "John Smith@pc"));
    pl_http_reader_clear(&rd);
}

PL_TEST(requests_follow_each_other)
{
    static const char text[] = "\r\nGET /a HTTP/1.1\nHost: x\n\nGET http://host:80/b?c "
                               "HTTP/1.1\r\nConnection: Foo, CLOSE\r\n\r\nrest";
    pl_http_reader rd;
    size_t used, at;
    pl_http_reader_init(&rd);
    PL_EQ(feed(&rd, text, sizeof text - 1, &at), PL_HTTP_DONE);
    PL_OKAY(pl_str_is(rd.req.path, "/a"));
    PL_OKAY(!rd.req.query.p);
    PL_OKAY(pl_http_keeps(&rd.req));
    pl_http_reader_next(&rd);
    PL_EQ(feed(&rd, text + at, sizeof text - 1 - at, &used), PL_HTTP_DONE);
    PL_OKAY(pl_str_is(rd.req.path, "/b"));
    PL_OKAY(pl_str_is(rd.req.query, "c"));
    PL_OKAY(!pl_http_keeps(&rd.req));
    PL_STREQ(text + at + used, "rest");
    pl_http_reader_clear(&rd);
}

PL_TEST(chunks_are_put_together)
{
    static const char text[] = "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5;a=b\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nnext";
    for (size_t step = 1; step < 7; step++) {
        pl_http_reader rd;
        size_t used, at = 0;
        pl_http_progress p = PL_HTTP_MORE;
        pl_http_reader_init(&rd);
        while (p == PL_HTTP_MORE) {
            p = feed(&rd, text + at, step < sizeof text - 1 - at ? step : sizeof text - 1 - at, &used);
            at += used;
        }
        PL_EQ(p, PL_HTTP_DONE);
        PL_OKAY(pl_str_is(rd.req.body, "hello 0123456789"));
        PL_STREQ(text + at, "next");
        pl_http_reader_clear(&rd);
    }
}

PL_TEST(continue_is_asked_once)
{
    static const char head[] = "POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    pl_http_reader rd;
    size_t used;
    pl_http_reader_init(&rd);
    PL_EQ(feed(&rd, head, sizeof head - 1, &used), PL_HTTP_CONTINUE);
    PL_EQ(feed(&rd, "a", 1, &used), PL_HTTP_MORE);
    PL_EQ(feed(&rd, "b", 1, &used), PL_HTTP_DONE);
    PL_OKAY(pl_str_is(rd.req.body, "ab"));
    pl_http_reader_clear(&rd);
}

PL_TEST(what_is_refused)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        { 400, "garbage\r\n\r\n" },
        { 400, "GET\r\n\r\n" },
        { 400, "GET /\r\n\r\n" },
        { 400, "GET nothing HTTP/1.1\r\n\r\n" },
        { 400, "GET / HTTP/1.\r\n\r\n" },
        { 400, "GET / http/1.1\r\n\r\n" },
        { 505, "GET / HTTP/2.0\r\n\r\n" },
        { 400, "G@T / HTTP/1.1\r\n\r\n" },
        { 400, "\x16\x03\x01 a TLS hello" },
        { 400, "\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n" },
        { 400, "GET / HTTP/1.1\r\nno colon\r\n\r\n" },
        { 400, "GET / HTTP/1.1\r\nName : v\r\n\r\n" },
        { 400, "GET / HTTP/1.1\r\n: v\r\n\r\n" },
        { 400, "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n" },
        { 400, "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n" },
        { 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" },
        { 411, "POST / HTTP/1.1\r\n\r\n" },
        { 400, "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n" },
        { 400, "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n" },
        { 400, "POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n" },
        { 400, "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n" },
        { 400, "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" },
        { 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" },
        { 501, "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n" },
        { 413, "POST / HTTP/1.1\r\nContent-Length: 262145\r\n\r\n" },
        { 413, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n" },
        { 413, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n40001\r\n" },
        { 413, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" },
        { 400, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" },
        { 400, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc" },
        { 0, "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n" },
        { 0, "OPTIONS * HTTP/1.1\r\n\r\n" },
        { 0, "DELETE /x HTTP/1.1\r\n\r\n" },
        { 0, "GET http://host HTTP/1.1\r\n\r\n" },
        { 0, "GET http://host?q HTTP/1.1\r\n\r\n" },
        { -1, "GET / HTTP/1.1\r\nA: b\r\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = status_of(cases[i].text);
        if (status != cases[i].status)
            print_error("%s\n", cases[i].text);
        PL_EQ(status, cases[i].status);
    }
    static const char zero[] = "GET /a\0b HTTP/1.1\r\n\r\n";
    PL_EQ(status_of_n(zero, sizeof zero - 1), 400);
}

/* "GET /aaa...": no line end anywhere */
static char *endless(char *text, size_t len, const char *start)
{
    memset(text, 'a', len);
    text[len] = '\0';
    for (size_t i = 0; start[i]; i++)
        text[i] = start[i];
    return text;
}

PL_TEST(sizes_are_limited)
{
    static char text[PL_HTTP_HEAD_MAX + 100];
    PL_EQ(status_of(endless(text, PL_HTTP_LINE_MAX + 1, "GET /")), 414); /* without waiting for its end */
    PL_EQ(status_of(endless(text, PL_HTTP_LINE_MAX, "GET /")), -1);
    PL_EQ(status_of(endless(text, PL_HTTP_HEAD_MAX + 1, "GET / HTTP/1.1\r\nX: ")), 431);
    size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
    for (int i = 0; i <= PL_HTTP_HEADERS_MAX; i++)
        n += (size_t)sprintf(text + n, "X%d: y\r\n", i);
    sprintf(text + n, "\r\n");
    PL_EQ(status_of(text), 431);
}

PL_TEST(percent_encoding)
{
    char out[8];
    size_t len;
    PL_OKAY(pl_http_unescape(PL_STR("a%20b%C3%AB+"), out, sizeof out, &len));
    PL_STREQ(out, "a b\xc3\xab+");
    PL_EQ(len, 6);
    PL_OKAY(!pl_http_unescape(PL_STR("%"), out, sizeof out, &len));
    PL_OKAY(!pl_http_unescape(PL_STR("%4"), out, sizeof out, &len));
    PL_OKAY(!pl_http_unescape(PL_STR("%4x"), out, sizeof out, &len));
    PL_OKAY(!pl_http_unescape(PL_STR("%00"), out, sizeof out, &len));
    PL_OKAY(!pl_http_unescape(PL_STR("12345678"), out, sizeof out, &len));
    PL_OKAY(pl_http_unescape(PL_STR("1234567"), out, sizeof out, &len));
}

PL_TESTS(t(reads_the_old_clients_requests), t(a_name_with_spaces_reaches_to_the_version),
         t(requests_follow_each_other), t(chunks_are_put_together), t(continue_is_asked_once),
         t(what_is_refused), t(sizes_are_limited), t(percent_encoding))
