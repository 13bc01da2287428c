/* Addresses, prepared. */
#include "xmpp/jid.h"

#include <ctype.h>
#include <idn-free.h>
#include <idna.h>
#include <stringprep.h>

enum { ROOM = 4 * PL_JID_PART_MAX }; /* for what preparing makes longer before it is measured */

typedef enum part { LOCAL, DOMAIN, RESOURCE } part;

static bool is_ascii(pl_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    }
    return true;
}

static bool ascii_fits(part which, char c)
{
    switch (which) {
    case LOCAL: return c > ' ' && c < 0x7f && !strchr("\"&'/:<>@", c); /* RFC 7622 3.3.1 */
    case DOMAIN: return isalnum((unsigned char)c) || strchr("-._[]:", c);
    case RESOURCE: return c >= ' ' && c < 0x7f;
    }
    return false;
}

/* Nearly all addresses are of this kind, and libidn is slow. */
static bool prepare_ascii(part which, pl_str in, char *out)
{
    for (size_t i = 0; i < in.n; i++) {
        if (!ascii_fits(which, in.p[i]))
            return false;
        out[i] = which == RESOURCE ? in.p[i] : (char)tolower((unsigned char)in.p[i]);
    }
    out[in.n] = 0;
    return true;
}

/* What Unicode 3.2 did not know is let through, or nobody could have a nickname with a face in it. */
static bool prepare_unicode(part which, pl_str in, char *out)
{
    const Stringprep_profile *profile = which == LOCAL    ? stringprep_xmpp_nodeprep
                                        : which == DOMAIN ? stringprep_nameprep
                                                          : stringprep_xmpp_resourceprep;
    if (!pl_utf8_valid(in.p, in.n) || !pl_str_copy(in, out, ROOM))
        return false;
    return stringprep(out, ROOM, 0, profile) == STRINGPREP_OK;
}

/* Appends the part to what is in *at bytes of out. */
static bool add_part(pl_jid *out, size_t *at, part which, pl_str in, uint16_t *n)
{
    char prepared[ROOM];
    if (in.n > PL_JID_PART_MAX ||
        !(is_ascii(in) ? prepare_ascii(which, in, prepared) : prepare_unicode(which, in, prepared)))
        return false;
    size_t len = strlen(prepared);
    if (len == 0 || len > PL_JID_PART_MAX)
        return false;
    memcpy(out->text + *at, prepared, len);
    *at += len;
    *n = (uint16_t)len;
    return true;
}

static bool parse(pl_jid *out, pl_str text)
{
    pl_str rest = text, bare = pl_str_cut(&rest, '/'), domain = bare, local = pl_str_cut(&domain, '@');
    bool has_local = domain.p != NULL, has_resource = rest.p != NULL;
    size_t at = 0;
    if (!has_local)
        domain = bare;
    if (domain.n && domain.p[domain.n - 1] == '.') /* RFC 7622 3.2: the root is not part of it */
        domain.n--;
    if (has_local) {
        if (!add_part(out, &at, LOCAL, local, &out->local_n))
            return false;
        out->text[at++] = '@';
    }
    if (!add_part(out, &at, DOMAIN, domain, &out->domain_n))
        return false;
    if (!has_resource)
        return true;
    out->text[at++] = '/';
    return add_part(out, &at, RESOURCE, rest, &out->resource_n);
}

pl_err pl_jid_parse(pl_jid *out, pl_str text)
{
    memset(out, 0, sizeof *out);
    if (text.n && text.n <= PL_JID_MAX && parse(out, text))
        return PL_OK;
    memset(out, 0, sizeof *out);
    return PL_EPROTO;
}

pl_str pl_jid_local(const pl_jid *j)
{
    return (pl_str){ j->text, j->local_n };
}

pl_str pl_jid_domain(const pl_jid *j)
{
    return (pl_str){ j->text + (j->local_n ? j->local_n + 1 : 0), j->domain_n };
}

pl_str pl_jid_bare(const pl_jid *j)
{
    return (pl_str){ j->text, (j->local_n ? j->local_n + 1u : 0u) + j->domain_n };
}

pl_str pl_jid_resource(const pl_jid *j)
{
    pl_str bare = pl_jid_bare(j);
    return (pl_str){ j->text + bare.n + (j->resource_n ? 1 : 0), j->resource_n };
}

bool pl_jid_dns(const pl_jid *j, char out[PL_JID_DNS_MAX + 1])
{
    char domain[PL_JID_PART_MAX + 1], *ascii = NULL;
    if (is_ascii(pl_jid_domain(j)))
        return pl_str_copy(pl_jid_domain(j), out, PL_JID_DNS_MAX + 1);
    (void)pl_str_copy(pl_jid_domain(j), domain, sizeof domain);
    if (idna_to_ascii_8z(domain, &ascii, 0) != IDNA_SUCCESS)
        return false;
    bool fits = pl_str_copy(pl_str_of(ascii), out, PL_JID_DNS_MAX + 1);
    idn_free(ascii);
    return fits;
}

bool pl_jid_eq(const pl_jid *a, const pl_jid *b)
{
    return strcmp(a->text, b->text) == 0;
}

bool pl_jid_bare_eq(const pl_jid *a, const pl_jid *b)
{
    return pl_str_eq(pl_jid_bare(a), pl_jid_bare(b));
}
