/* What the features share. */
#include "xmpp/feature.h"

char *feature_cut(const char *text, size_t max)
{
    size_t n = text ? strlen(text) : 0;
    if (n > max) {
        n = max;
        while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    char *copy = malloc(n + 1);
    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, text, n);
    copy[n] = 0;
    return copy;
}

char *feature_dup(const char *text, bool *ok)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        *ok = false;
    return copy;
}

bool feature_bare(pl_jid *out, const char *text)
{
    if (!text || pl_jid_parse(out, pl_str_of(text)))
        return false;
    out->text[pl_jid_bare(out).n] = 0;
    out->resource_n = 0;
    return true;
}

void feature_key(pl_xmpp_client *c, uint8_t key[16])
{
    char token[17];
    pl_xmpp_client_token(c, token, 16);
    memcpy(key, token, 16);
}

const char *feature_error(const pl_xml *answer)
{
    if (!answer)
        return "";
    return feature_is_error(answer) ? pl_xmpp_condition(answer) : NULL;
}
