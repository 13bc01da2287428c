/* The search for a proxy: the server's services, what they are, and where the proxy listens. */
#include "signal/byte_proxy.h"

#include <stdlib.h>
#include <string.h>

struct pl_byte_proxy_search {
    pl_xmpp_client *client;
    pl_disco *disco;
    pl_byte_proxy found;
    size_t waiting; /* answers */
};

static void on_address(void *user, const pl_xml *answer)
{
    pl_byte_proxy_search *s = user;
    const pl_xml *query = answer && pl_xml_attr_is(answer, "type", "result")
                              ? pl_xml_child(answer, PL_NS_BYTESTREAMS, "query")
                              : NULL;
    const pl_xml *host = pl_xml_child(query, PL_NS_BYTESTREAMS, "streamhost");
    const char *at = pl_xml_attr_of(host, "host"), *jid = pl_xml_attr_of(host, "jid");
    uint64_t port = 0;
    s->waiting--;
    if (s->found.host[0] || !at || !at[0] || !jid || !pl_xml_attr_u64(host, "port", 65535, &port) || !port)
        return;
    if (!pl_str_copy(pl_str_of(jid), s->found.jid, sizeof s->found.jid) ||
        !pl_str_copy(pl_str_of(at), s->found.host, sizeof s->found.host))
        s->found.host[0] = '\0';
    s->found.port = (uint16_t)port;
}

static void on_service(void *user, const char *jid, const pl_xml *info, const char *error)
{
    pl_byte_proxy_search *s = user;
    (void)error;
    s->waiting--;
    if (!info || s->found.host[0] || !pl_disco_is(info, "proxy", "bytestreams"))
        return;
    pl_xml *iq = pl_xmpp_iq("get", jid);
    pl_xml_add(iq, PL_NS_BYTESTREAMS, "query");
    s->waiting += pl_xmpp_ask(s->client, iq, 0, on_address, s) == PL_OK;
}

static void on_services(void *user, const char *jid, const pl_xml *items, const char *error)
{
    pl_byte_proxy_search *s = user;
    const pl_xml *item = NULL;
    (void)jid, (void)error;
    s->waiting--;
    for (int i = 0; i < PL_BYTE_PROXY_ASKED && items && (item = pl_disco_next_item(items, item)); i++)
        s->waiting += pl_disco_ask_info(s->disco, pl_xml_attr_of(item, "jid"), NULL, on_service, s) == PL_OK;
}

pl_err pl_byte_proxy_search_new(pl_byte_proxy_search **out, pl_xmpp_client *client, pl_disco *disco)
{
    pl_byte_proxy_search *s = *out = calloc(1, sizeof *s);
    char domain[PL_JID_MAX + 1];
    if (!s)
        return PL_ENOMEM;
    s->client = client;
    s->disco = disco;
    (void)pl_str_copy(pl_jid_domain(pl_xmpp_client_jid(client)), domain, sizeof domain);
    s->waiting = pl_disco_ask_items(disco, domain, NULL, on_services, s) == PL_OK;
    return PL_OK;
}

void pl_byte_proxy_search_free(pl_byte_proxy_search *s)
{
    if (!s)
        return;
    pl_disco_forget(s->disco, s);
    pl_xmpp_forget(s->client, s);
    free(s);
}

bool pl_byte_proxy_search_done(const pl_byte_proxy_search *s)
{
    return s->found.host[0] || s->waiting == 0;
}

const pl_byte_proxy *pl_byte_proxy_found(const pl_byte_proxy_search *s)
{
    return &s->found;
}
