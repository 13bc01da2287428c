#include "server/whip_access.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/hmac.h"

bool pl_whip_name_ok(pl_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr("-._~", c))))
            return false;
    }
    return name.n > 0 && name.n <= PL_WHIP_NAME_MAX && name.p[0] != '.';
}

/* ---- the file ---- */

static pl_str take_word(pl_str *line)
{
    *line = pl_str_trim(*line);
    size_t n = 0;
    while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
        n++;
    pl_str word = { line->p, n };
    *line = pl_str_trim((pl_str){ line->p + n, line->n - n });
    return word;
}

static bool read_role(pl_whip_grant *g, pl_str word)
{
    bool both = pl_str_is(word, "both");
    g->role[PL_WHIP_PUBLISH] = both || pl_str_is(word, "publish");
    g->role[PL_WHIP_PLAY] = both || pl_str_is(word, "play");
    return g->role[0] || g->role[1];
}

static const char *read_grant(pl_whip_grant *g, pl_str line)
{
    pl_str role = take_word(&line), name = take_word(&line), token = take_word(&line);
    *g = (pl_whip_grant){ .anybody = pl_str_is(token, "-") };
    if (!read_role(g, role))
        return "a line begins with publish, play or both";
    if (!pl_str_is(name, "*") && !pl_whip_name_ok(name))
        return "the second word is a name of letters, digits and -._~, or *";
    if (token.n == 0 || token.n > PL_WHIP_TOKEN_MAX || line.n > 0)
        return "the third and last word is the token, or - for none";
    (void)pl_str_copy(name, g->name, sizeof g->name);
    pl_sha256(token.p, token.n, g->hash);
    return NULL;
}

static pl_err add(pl_whip_access *a, const pl_whip_grant *g)
{
    if (a->n == PL_WHIP_ACCESS_MAX)
        return PL_ENOSPC;
    if (a->n == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 16;
        pl_whip_grant *more = realloc(a->grant, cap * sizeof *more);
        if (!more)
            return PL_ENOMEM;
        a->grant = more;
        a->cap = cap;
    }
    a->grant[a->n++] = *g;
    return PL_OK;
}

pl_err pl_whip_access_read(pl_whip_access *a, pl_str text, char say[PL_WHIP_SAY_MAX])
{
    unsigned n_line = 0;
    say[0] = '\0';
    while (text.p && text.n) {
        pl_whip_grant g;
        pl_str line = pl_str_cut(&text, '\n');
        n_line++;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        line = pl_str_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        const char *why = read_grant(&g, line);
        pl_err err = why ? PL_EPROTO : add(a, &g);
        if (err) {
            snprintf(say, PL_WHIP_SAY_MAX, "line %u: %s", n_line, why ? why : pl_err_str(err));
            return err;
        }
    }
    return PL_OK;
}

void pl_whip_access_clear(pl_whip_access *a)
{
    if (a->grant)
        pl_wipe(a->grant, a->n * sizeof *a->grant);
    free(a->grant);
    *a = (pl_whip_access){ 0 };
}

/* ---- asking ---- */

pl_str pl_whip_bearer(pl_str authorization)
{
    pl_str token = authorization, scheme = pl_str_cut(&token, ' ');
    if (!pl_str_ieq(scheme, PL_STR("Bearer")) || !token.p)
        return (pl_str){ 0 };
    return pl_str_trim(token);
}

pl_whip_verdict pl_whip_access_ask(const pl_whip_access *a, pl_whip_role role, pl_str name, pl_str token)
{
    uint8_t hash[PL_SHA256_LEN];
    bool may = false, known = false;
    pl_sha256(token.p ? token.p : "", token.n, hash);
    for (size_t i = 0; i < a->n; i++) {
        const pl_whip_grant *g = &a->grant[i];
        bool here = g->role[role] && (strcmp(g->name, "*") == 0 || pl_str_is(name, g->name));
        bool same = pl_ct_eq(g->hash, hash, sizeof hash) && !g->anybody && token.n > 0;
        known |= same;
        may |= here && (same || g->anybody);
    }
    return may ? PL_WHIP_MAY : known ? PL_WHIP_MAY_NOT : PL_WHIP_WHO;
}
