#include "signal/whip_url.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

/* NULL: not an address of ours. */
static CURLU *parse(const char *base, const char *ref)
{
    CURLU *u = curl_url();
    char *scheme = NULL;
    if (!u)
        return NULL;
    CURLUcode bad = curl_url_set(u, CURLUPART_URL, base, CURLU_DISALLOW_USER);
    if (!bad && ref)
        bad = curl_url_set(u, CURLUPART_URL, ref, CURLU_DISALLOW_USER);
    if (!bad)
        bad = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    if (!bad && strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0)
        bad = CURLUE_UNSUPPORTED_SCHEME;
    curl_free(scheme);
    if (!bad)
        return u;
    curl_url_cleanup(u);
    return NULL;
}

bool pl_whip_url_ok(const char *url)
{
    CURLU *u = strlen(url) < PL_WHIP_URL_MAX ? parse(url, NULL) : NULL;
    if (u)
        curl_url_cleanup(u);
    return u != NULL;
}

pl_err pl_whip_url_resolve(const char *base, const char *ref, char out[PL_WHIP_URL_MAX])
{
    CURLU *u = parse(base, ref);
    char *text = NULL;
    out[0] = '\0';
    bool ok = u && curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK && strlen(text) < PL_WHIP_URL_MAX;
    if (ok)
        memcpy(out, text, strlen(text) + 1);
    curl_free(text);
    if (u)
        curl_url_cleanup(u);
    return ok ? PL_OK : PL_EPROTO;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *x = NULL, *y = NULL;
    bool same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK && strcasecmp(x, y) == 0;
    curl_free(x);
    curl_free(y);
    return same;
}

bool pl_whip_url_same_origin(const char *a, const char *b)
{
    CURLU *u = parse(a, NULL), *v = parse(b, NULL);
    bool same = u && v && same_part(u, v, CURLUPART_SCHEME) && same_part(u, v, CURLUPART_HOST) &&
                same_part(u, v, CURLUPART_PORT);
    if (u)
        curl_url_cleanup(u);
    if (v)
        curl_url_cleanup(v);
    return same;
}

bool pl_whip_url_is_secure(const char *url)
{
    return strncasecmp(url, "https:", 6) == 0;
}
