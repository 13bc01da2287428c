#include "signal/whip_link.h"

/* ---- reading ---- */

static void skip_blanks(pl_str *s)
{
    while (s->n && (s->p[0] == ' ' || s->p[0] == '\t'))
        *s = (pl_str){ s->p + 1, s->n - 1 };
}

static char take(pl_str *s)
{
    char c = s->n ? s->p[0] : '\0';
    if (s->n)
        *s = (pl_str){ s->p + 1, s->n - 1 };
    return c;
}

static pl_str take_name(pl_str *s)
{
    size_t n = 0;
    while (n < s->n && !strchr(" \t=;,\"<>", s->p[n]))
        n++;
    pl_str name = { s->p, n };
    *s = (pl_str){ s->p + n, s->n - n };
    return name;
}

/* RFC 9110 5.6.4: in quotes, with backslashes before what stands for itself. False: too long or never closed. */
static bool take_quoted(pl_str *s, char *out, size_t cap)
{
    size_t n = 0;
    (void)take(s);
    while (s->n) {
        char c = take(s);
        if (c == '"') {
            out[n] = '\0';
            return true;
        }
        if (c == '\\')
            c = take(s);
        if (n + 1 >= cap || c == '\0')
            return false;
        out[n++] = c;
    }
    return false;
}

typedef struct link_reader {
    pl_whip_link link;
    char rel[PL_WHIP_LINK_TEXT_MAX], type[PL_WHIP_LINK_TEXT_MAX];
    bool fits;
} link_reader;

static char *place_of(link_reader *r, pl_str name, char *elsewhere)
{
    if (pl_str_ieq(name, PL_STR("rel")))
        return r->rel;
    if (pl_str_ieq(name, PL_STR("username")))
        return r->link.username;
    if (pl_str_ieq(name, PL_STR("credential")))
        return r->link.credential;
    return pl_str_ieq(name, PL_STR("credential-type")) ? r->type : elsewhere;
}

static void take_parameter(link_reader *r, pl_str *s)
{
    char nowhere[PL_WHIP_LINK_TEXT_MAX];
    skip_blanks(s);
    pl_str name = take_name(s);
    skip_blanks(s);
    if (!s->n || s->p[0] != '=')
        return;
    (void)take(s);
    skip_blanks(s);
    char *to = place_of(r, name, nowhere);
    if (s->n && s->p[0] == '"')
        r->fits &= take_quoted(s, to, PL_WHIP_LINK_TEXT_MAX) || to == nowhere;
    else
        r->fits &= pl_str_copy(take_name(s), to, PL_WHIP_LINK_TEXT_MAX) || to == nowhere;
}

/* rel is a list of words. */
static bool has_word(const char *list, const char *word)
{
    pl_str rest = pl_str_of(list);
    while (rest.p) {
        if (pl_str_ieq(pl_str_cut(&rest, ' '), pl_str_of(word)))
            return true;
    }
    return false;
}

static bool is_ice_server(const link_reader *r)
{
    pl_str url = pl_str_of(r->link.url);
    return r->fits && has_word(r->rel, "ice-server") && (!r->type[0] || strcmp(r->type, "password") == 0) &&
           (pl_str_starts(url, "stun:") || pl_str_starts(url, "stuns:") || pl_str_starts(url, "turn:") ||
            pl_str_starts(url, "turns:"));
}

/* False at what is no link; the rest cannot be understood either. */
static bool take_link(link_reader *r, pl_str *s)
{
    *r = (link_reader){ .fits = true };
    skip_blanks(s);
    if (take(s) != '<')
        return false;
    pl_str rest = *s, url = pl_str_cut(&rest, '>');
    if (!rest.p)
        return false;
    *s = rest;
    r->fits = pl_str_copy(pl_str_trim(url), r->link.url, sizeof r->link.url);
    for (;;) {
        skip_blanks(s);
        if (!s->n || s->p[0] != ';')
            return true;
        (void)take(s);
        take_parameter(r, s);
    }
}

void pl_whip_links_read(pl_whip_links *out, pl_str value)
{
    link_reader r;
    while (value.n && take_link(&r, &value)) {
        if (is_ice_server(&r) && out->n < PL_WHIP_LINKS_MAX)
            out->link[out->n++] = r.link;
        skip_blanks(&value);
        if (value.n && take(&value) != ',')
            return;
    }
}

/* ---- writing ---- */

static void put_safe(pl_buf *out, const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text > ' ' && *text != 0x7f && !strchr("\"\\<>", *text))
            pl_buf_add(out, text, 1);
    }
}

void pl_whip_link_write(pl_buf *out, const pl_whip_link *link)
{
    pl_buf_addf(out, "Link: <");
    put_safe(out, link->url);
    pl_buf_addf(out, ">; rel=\"ice-server\"");
    if (link->username[0]) {
        pl_buf_addf(out, "; username=\"");
        put_safe(out, link->username);
        pl_buf_addf(out, "\"; credential=\"");
        put_safe(out, link->credential);
        pl_buf_addf(out, "\"; credential-type=\"password\"");
    }
    pl_buf_addf(out, "\r\n");
}
