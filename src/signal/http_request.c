#include "signal/http_request.h"

enum stage { AT_HEAD, AT_BODY, AT_CHUNK_SIZE, AT_CHUNK_EXT, AT_CHUNK, AT_CHUNK_END, AT_TRAILER, AT_END };
enum { TRAILER_MAX = 4096, BLANK_LINES_MAX = 4 };

/* ---- small grammar ---- */

static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(pl_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_token_char(s.p[i]))
            return false;
    }
    return s.n > 0;
}

static bool is_control(char c)
{
    return ((uint8_t)c < ' ' && c != '\t') || c == 0x7f;
}

static bool has_control(pl_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_control(s.p[i]))
            return true;
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- the head ---- */

static pl_http_method method_of(pl_str s)
{
    static const char *const name[] = { "GET", "HEAD", "POST", "OPTIONS", "PATCH", "DELETE" };
    for (int i = 0; i < PL_HTTP_OTHER; i++) {
        if (pl_str_is(s, name[i]))
            return (pl_http_method)i;
    }
    return PL_HTTP_OTHER;
}

/* RFC 9112 3.2: origin form, absolute form as proxies send it, and the asterisk of OPTIONS. */
static int parse_target(pl_http_request *req, pl_str target)
{
    if (pl_str_starts(target, "http://") || pl_str_starts(target, "https://")) {
        size_t at = target.p[4] == ':' ? 7 : 8;
        while (at < target.n && target.p[at] != '/' && target.p[at] != '?')
            at++;
        target = (pl_str){ target.p + at, target.n - at };
        if (target.n == 0 || target.p[0] == '?') {
            req->path = PL_STR("/");
            req->query = target.n ? (pl_str){ target.p + 1, target.n - 1 } : (pl_str){ 0 };
            return 0;
        }
    }
    if (target.n == 0 || (target.p[0] != '/' && !(req->method == PL_HTTP_OPTIONS && pl_str_is(target, "*"))))
        return 400;
    req->path = pl_str_cut(&target, '?');
    req->query = target;
    return 0;
}

/* The target reaches to the last space of the line: a user called "John Smith" signs in with an old client
 * that puts the name into the line as it is. */
static int parse_request_line(pl_http_request *req, pl_str line)
{
    pl_str method = pl_str_cut(&line, ' ');
    size_t space = line.n;
    while (space > 0 && line.p[space - 1] != ' ')
        space--;
    if (!is_token(method) || space == 0 || has_control(line))
        return 400;
    pl_str version = { line.p + space, line.n - space };
    if (version.n != 8 || !pl_str_starts(version, "HTTP/") || version.p[6] != '.')
        return 400;
    int major = version.p[5] - '0', minor = version.p[7] - '0';
    if (major < 0 || major > 9 || minor < 0 || minor > 9)
        return 400;
    if (major != 1)
        return 505;
    req->minor = minor > 0;
    req->method = method_of(method);
    return parse_target(req, pl_str_trim((pl_str){ line.p, space - 1 }));
}

static int parse_header(pl_http_request *req, pl_str line)
{
    if (req->n_headers == PL_HTTP_HEADERS_MAX)
        return 431;
    pl_str name = pl_str_cut(&line, ':');
    if (!line.p || !is_token(name) || has_control(line)) /* a folded line has no token before its colon */
        return 400;
    req->header[req->n_headers++] = (pl_http_header){ name, pl_str_trim(line) };
    return 0;
}

static pl_str next_line(pl_str *head)
{
    pl_str line = pl_str_cut(head, '\n');
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

/* Returns 0 or the status that refuses it. */
static int parse_head(pl_http_request *req, pl_str head)
{
    *req = (pl_http_request){ 0 };
    int status = parse_request_line(req, next_line(&head));
    while (!status && head.p && head.n > 0) {
        pl_str line = next_line(&head);
        if (line.n == 0)
            break;
        status = parse_header(req, line);
    }
    return status;
}

static size_t count_header(const pl_http_request *req, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < req->n_headers; i++)
        n += pl_str_ieq(req->header[i].name, pl_str_of(name));
    return n;
}

pl_str pl_http_header_get(const pl_http_request *req, const char *name)
{
    for (size_t i = 0; i < req->n_headers; i++) {
        if (pl_str_ieq(req->header[i].name, pl_str_of(name)))
            return req->header[i].value;
    }
    return (pl_str){ 0 };
}

bool pl_http_header_has(const pl_http_request *req, const char *name, const char *word)
{
    for (size_t i = 0; i < req->n_headers; i++) {
        pl_str rest = req->header[i].value;
        if (!pl_str_ieq(req->header[i].name, pl_str_of(name)))
            continue;
        while (rest.p) {
            if (pl_str_ieq(pl_str_trim(pl_str_cut(&rest, ',')), pl_str_of(word)))
                return true;
        }
    }
    return false;
}

bool pl_http_keeps(const pl_http_request *req)
{
    if (pl_http_header_has(req, "Connection", "close"))
        return false;
    return req->minor >= 1 || pl_http_header_has(req, "Connection", "keep-alive");
}

/* ---- bodies ---- */

/* RFC 9112 6.3. Exactly one way to know the length, or none: whoever says two things may mean to be
 * understood differently by two machines. */
static int plan_body(pl_http_reader *rd)
{
    const pl_http_request *req = &rd->req;
    size_t n_lengths = count_header(req, "Content-Length"),
           n_codings = count_header(req, "Transfer-Encoding");
    uint64_t len = 0;
    if (n_lengths + n_codings > 1 || count_header(req, "Host") > 1)
        return 400;
    if (n_codings) {
        if (req->minor == 0)
            return 400;
        if (!pl_str_ieq(pl_http_header_get(req, "Transfer-Encoding"), PL_STR("chunked")))
            return 501;
        rd->chunked = true;
        rd->stage = AT_CHUNK_SIZE;
        return 0;
    }
    if (!n_lengths && (req->method == PL_HTTP_POST || req->method == PL_HTTP_PATCH))
        return 411;
    pl_str text = pl_http_header_get(req, "Content-Length");
    if (n_lengths && !pl_str_u64(text, PL_HTTP_BODY_MAX, &len)) {
        for (size_t i = 0; i < text.n; i++) {
            if (text.p[i] < '0' || text.p[i] > '9')
                return 400;
        }
        return text.n ? 413 : 400;
    }
    rd->left = (size_t)len;
    rd->stage = len ? AT_BODY : AT_END;
    return 0;
}

static pl_http_progress fail(pl_http_reader *rd, int status)
{
    rd->status = status;
    return PL_HTTP_BAD;
}

static pl_http_progress finish(pl_http_reader *rd)
{
    pl_str head = { rd->buf.p, rd->head_len };
    if (rd->buf.bad)
        return fail(rd, 413);
    (void)parse_head(&rd->req, head); /* once more: the buffer may have moved since */
    rd->req.body = (pl_str){ rd->buf.p + rd->head_len, rd->buf.n - rd->head_len };
    return PL_HTTP_DONE;
}

/* ---- reading ---- */

static int check_head_size(const pl_http_reader *rd)
{
    bool first_line = rd->line_at == 0;
    if (first_line && rd->buf.n > PL_HTTP_LINE_MAX)
        return 414;
    return rd->buf.n > PL_HTTP_HEAD_MAX || rd->buf.bad ? 431 : 0;
}

/* One line, or what there is of it. A first byte that begins no method is refused at once: something else
 * than HTTP (a TLS hello, say) would make us wait for a line that never ends. */
static int feed_head(pl_http_reader *rd, const uint8_t *data, size_t len, size_t *used)
{
    const uint8_t *newline = memchr(data, '\n', len);
    size_t n = newline ? (size_t)(newline - data) + 1 : len;
    if (rd->buf.n == 0 && !is_token_char((char)data[0]) && data[0] != '\r' && data[0] != '\n')
        return 400;
    size_t space = PL_HTTP_HEAD_MAX + 1 - rd->buf.n;
    pl_buf_add(&rd->buf, data, n < space ? n : space);
    *used += n;
    int status = check_head_size(rd);
    if (status || !newline)
        return status;
    size_t line_len = rd->buf.n - rd->line_at - 1;
    bool blank = line_len == 0 || (line_len == 1 && rd->buf.p[rd->line_at] == '\r');
    if (blank && rd->line_at == 0) { /* RFC 9112 2.2: an empty line before the request is skipped */
        rd->buf.n = 0;
        return ++rd->digits > BLANK_LINES_MAX ? 400 : 0;
    }
    rd->line_at = rd->buf.n;
    if (!blank)
        return 0;
    rd->head_len = rd->buf.n;
    rd->digits = 0;
    status = parse_head(&rd->req, (pl_str){ rd->buf.p, rd->head_len });
    return status ? status : plan_body(rd);
}

static void feed_bytes(pl_http_reader *rd, const uint8_t *data, size_t len, size_t *used, uint8_t next)
{
    size_t n = len < rd->left ? len : rd->left;
    pl_buf_add(&rd->buf, data, n);
    *used += n;
    rd->left -= n;
    if (rd->left == 0)
        rd->stage = next;
}

/* RFC 9112 7.1, a byte at a time: sizes, extensions and trailers are short. */
static int feed_chunk_byte(pl_http_reader *rd, char c)
{
    switch (rd->stage) {
    case AT_CHUNK_SIZE:
        if (hex_digit(c) >= 0) {
            rd->left = rd->left * 16 + (size_t)hex_digit(c);
            return ++rd->digits > 8 ? 413 : 0;
        }
        if (rd->digits == 0)
            return 400;
        if (rd->buf.n - rd->head_len + rd->left > PL_HTTP_BODY_MAX)
            return 413;
        rd->stage = AT_CHUNK_EXT;
        rd->line_at = 0;
        return feed_chunk_byte(rd, c);
    case AT_CHUNK_EXT:
        if (c != '\n')
            return ++rd->line_at > TRAILER_MAX || (is_control(c) && c != '\r') ? 400 : 0;
        rd->stage = rd->left ? AT_CHUNK : AT_TRAILER;
        rd->digits = 0;
        rd->line_at = 0;
        return 0;
    case AT_CHUNK_END:
        if (c == '\r' && rd->digits == 0) {
            rd->digits = 1;
            return 0;
        }
        rd->stage = AT_CHUNK_SIZE;
        rd->digits = 0;
        return c == '\n' ? 0 : 400;
    case AT_TRAILER: /* read over; digits: the line so far is not empty */
        if (++rd->line_at > TRAILER_MAX)
            return 431;
        if (c == '\n') {
            rd->stage = rd->digits ? AT_TRAILER : AT_END;
            rd->digits = 0;
        } else if (c != '\r') {
            rd->digits = 1;
        }
        return 0;
    default: return 400;
    }
}

static bool wants_continue(pl_http_reader *rd)
{
    if (rd->told_continue || rd->stage == AT_HEAD || rd->stage == AT_END || rd->req.minor == 0 ||
        !pl_http_header_has(&rd->req, "Expect", "100-continue"))
        return false;
    rd->told_continue = true;
    return true;
}

pl_http_progress pl_http_reader_feed(pl_http_reader *rd, const uint8_t *data, size_t len, size_t *used)
{
    *used = 0;
    while (*used < len && rd->stage != AT_END) {
        const uint8_t *at = data + *used;
        uint8_t was = rd->stage;
        int status = 0;
        switch (rd->stage) {
        case AT_HEAD: status = feed_head(rd, at, len - *used, used); break;
        case AT_BODY: feed_bytes(rd, at, len - *used, used, AT_END); break;
        case AT_CHUNK: feed_bytes(rd, at, len - *used, used, AT_CHUNK_END); break;
        default:
            status = feed_chunk_byte(rd, (char)*at);
            ++*used;
            break;
        }
        if (status)
            return fail(rd, status);
        if (was == AT_HEAD && *used == len && wants_continue(rd))
            return PL_HTTP_CONTINUE;
    }
    return rd->stage == AT_END ? finish(rd) : PL_HTTP_MORE;
}

void pl_http_reader_init(pl_http_reader *rd)
{
    *rd = (pl_http_reader){ .buf = pl_buf_init(PL_HTTP_HEAD_MAX + PL_HTTP_BODY_MAX + 1) };
}

void pl_http_reader_clear(pl_http_reader *rd)
{
    pl_buf_clear(&rd->buf);
}

void pl_http_reader_next(pl_http_reader *rd)
{
    pl_http_reader_clear(rd);
    pl_http_reader_init(rd);
}

/* ---- pieces of a request ---- */

bool pl_http_unescape(pl_str in, char *out, size_t cap, size_t *len)
{
    size_t n = 0;
    *len = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            int high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1;
            int low = i + 2 < in.n ? hex_digit(in.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0' || n + 1 >= cap)
            return false;
        out[n++] = c;
    }
    if (cap == 0)
        return false;
    out[n] = '\0';
    *len = n;
    return true;
}

pl_str pl_http_query_get(pl_str query, const char *key)
{
    while (query.p) {
        pl_str value = pl_str_cut(&query, '&');
        pl_str name = pl_str_cut(&value, '=');
        if (value.p && pl_str_is(name, key))
            return value;
    }
    return (pl_str){ 0 };
}

const char *pl_http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = { { 101, "Switching Protocols" },
                  { 200, "OK" },
                  { 201, "Created" },
                  { 204, "No Content" },
                  { 304, "Not Modified" },
                  { 400, "Bad Request" },
                  { 401, "Unauthorized" },
                  { 403, "Forbidden" },
                  { 404, "Not Found" },
                  { 405, "Method Not Allowed" },
                  { 408, "Request Timeout" },
                  { 409, "Conflict" },
                  { 411, "Length Required" },
                  { 412, "Precondition Failed" },
                  { 413, "Content Too Large" },
                  { 414, "URI Too Long" },
                  { 415, "Unsupported Media Type" },
                  { 422, "Unprocessable Content" },
                  { 426, "Upgrade Required" },
                  { 428, "Precondition Required" },
                  { 429, "Too Many Requests" },
                  { 431, "Request Header Fields Too Large" },
                  { 500, "Internal Server Error" },
                  { 501, "Not Implemented" },
                  { 503, "Service Unavailable" },
                  { 505, "HTTP Version Not Supported" } };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].status == status)
            return known[i].text;
    }
    return "Unknown";
}
