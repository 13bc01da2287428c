/* DNS answers of whoever sits between us and the name server. */
#include "net/srv.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_srv list[PL_SRV_MAX];
    size_t n;
    pl_rand_seeded seed;
    pl_rand rand = pl_rand_seed(&seed, size);
    if (pl_srv_parse(data, size, list, &n))
        return 0;
    assert(n <= PL_SRV_MAX);
    for (size_t i = 0; i < n; i++)
        assert(strlen(list[i].target) <= PL_SRV_TARGET_MAX);
    pl_srv_order(list, n, &rand);
    for (size_t i = 1; i < n; i++)
        assert(list[i - 1].priority <= list[i].priority);
    return 0;
}
