/* Any text as a server's URI: what is taken has a host, and its canonical form means the same. */
#include <stdlib.h>
#include <string.h>

#include "stun/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
    if (!fact)
        abort();
}

static void check(const pl_stun_uri *u)
{
    pl_stun_uri again;
    char text[PL_STUN_URI_TEXT_MAX], srv[PL_STUN_SRV_MAX];
    must(u->host[0] && pl_stun_uri_port(u));
    must(pl_stun_uri_srv(u, srv) == (!u->port && !u->is_ip));
    must((u->username[0] != 0) == (u->password[0] != 0));
    pl_stun_uri_str(u, text);
    must(pl_stun_uri_parse(&again, text, strlen(text)) == PL_OK);
    must(strcmp(again.host, u->host) == 0 && again.port == u->port && again.transport == u->transport);
    must(again.turn == u->turn && again.secure == u->secure && again.is_ip == u->is_ip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_stun_uri u;
    bool strict = pl_stun_uri_parse(&u, (const char *)data, size) == PL_OK;
    if (strict)
        check(&u);
    bool loose = pl_stun_uri_parse_server(&u, (const char *)data, size) == PL_OK;
    must(loose || !strict);
    if (loose)
        check(&u);
    return 0;
}
