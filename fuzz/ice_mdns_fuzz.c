/* Any bytes as an mDNS message. The name asked for is the fuzzer's too: everything up to the first zero byte.
 */
#include <stdlib.h>
#include <string.h>

#include "ice/mdns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
    if (!fact)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    if (!zero)
        return 0;
    const char *name = (const char *)data;
    size_t name_len = (size_t)(zero - data) + 1, n;
    pl_addr found[PL_MDNS_ANSWERS_MAX];
    uint8_t out[PL_MDNS_QUERY_MAX];
    bool unicast;
    if (pl_mdns_answer(data + name_len, size - name_len, name, found, &n) == PL_OK)
        must(n <= PL_MDNS_ANSWERS_MAX);
    else
        must(n == 0);
    pl_mdns_asks_for(data + name_len, size - name_len, name, &unicast);
    pl_addr a = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 1 } };
    size_t len = pl_mdns_query(name, true, out, sizeof out);
    if (len)
        must(pl_mdns_asks_for(out, len, name, &unicast) && unicast);
    len = pl_mdns_respond(name, &a, out, sizeof out);
    if (len)
        must(pl_mdns_answer(out, len, name, found, &n) == PL_OK && n == 1);
    return 0;
}
