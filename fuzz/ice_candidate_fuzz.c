/* Any text as a candidate line: what parses must print, and print to a line that parses to the same. */
#include <stdlib.h>
#include <string.h>

#include "ice/candidate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
    if (!fact)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_ice_cand c, again;
    char out[PL_ICE_CAND_TEXT_MAX], out2[PL_ICE_CAND_TEXT_MAX];
    if (pl_ice_cand_parse(&c, (const char *)data, size)) {
        must(c.component == 0 && c.foundation[0] == 0);
        return 0;
    }
    size_t n = pl_ice_cand_print(&c, out, sizeof out);
    must(n > 0 && n < sizeof out && out[n] == 0);
    must(pl_ice_cand_parse(&again, out, n) == PL_OK);
    must(pl_ice_cand_print(&again, out2, sizeof out2) == n && memcmp(out, out2, n) == 0);
    must(pl_ice_cand_usable(&c) == pl_ice_cand_usable(&again));
    return 0;
}
