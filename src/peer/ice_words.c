#include "peer/ice_words.h"

#include <string.h>

/* "a=name:value" with or without "a=": true when the name is `name`, and *value is what stands behind it. */
static bool is_line(pl_str line, const char *name, pl_str *value)
{
    if (pl_str_starts(line, "a="))
        line = (pl_str){ line.p + 2, line.n - 2 };
    *value = line;
    return pl_str_eq(pl_str_cut(value, ':'), pl_str_of(name));
}

static pl_err read_candidate(pl_ice_words *w, pl_str line)
{
    pl_ice_cand c;
    pl_err err = pl_ice_cand_parse(&c, line.p, line.n);
    if (err == PL_ENOTSUP) /* a type or transport we do not know is to be ignored (RFC 8839 5.1) */
        return PL_OK;
    if (err)
        return err;
    if (w->n == PL_ICE_REMOTES_MAX)
        return PL_ENOSPC;
    w->cand[w->n++] = c;
    return PL_OK;
}

static pl_err read_line(pl_ice_words *w, pl_str line)
{
    pl_str value;
    if (is_line(line, "ice-ufrag", &value))
        return w->ufrag[0] || pl_str_copy(value, w->ufrag, sizeof w->ufrag) ? PL_OK : PL_EPROTO;
    if (is_line(line, "ice-pwd", &value))
        return w->pwd[0] || pl_str_copy(value, w->pwd, sizeof w->pwd) ? PL_OK : PL_EPROTO;
    if (is_line(line, "candidate", &value))
        return read_candidate(w, line);
    if (is_line(line, "ice-lite", &value))
        w->lite = true;
    else if (is_line(line, "end-of-candidates", &value))
        w->complete = true;
    return PL_OK;
}

pl_err pl_ice_words_read(pl_ice_words *out, const char *text)
{
    pl_str rest = pl_str_of(text);
    *out = (pl_ice_words){ .n = 0 };
    while (rest.p) {
        pl_str line = pl_str_cut(&rest, '\n');
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        pl_err err = read_line(out, pl_str_trim(line));
        if (err)
            return err;
    }
    return out->ufrag[0] && out->pwd[0] ? PL_OK : PL_EPROTO;
}

void pl_ice_words_write(pl_buf *out, const char *ufrag, const char *pwd, bool lite, pl_str candidates,
                        bool complete)
{
    pl_buf_addf(out, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", ufrag, pwd);
    if (lite)
        pl_buf_addf(out, "a=ice-lite\r\n");
    pl_buf_add(out, candidates.p, candidates.n);
    if (complete)
        pl_buf_addf(out, "a=end-of-candidates\r\n");
}
