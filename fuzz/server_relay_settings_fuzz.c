/* Configuration as somebody may have written it: every line of the input is a key and its value. Whatever stands
 * there, the settings stay within their bounds, and a refusal has a sentence. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "server/relay_settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pl_relay_settings s, other;
    char say[PL_RELAY_SAY_MAX], key[64], value[512];
    pl_str rest = { (const char *)data, size };
    pl_relay_settings_init(&s);
    other = s;
    while (rest.n > 0) {
        pl_str line = pl_str_cut(&rest, '\n'), name = pl_str_cut(&line, ' ');
        if (!pl_str_copy(name, key, sizeof key) || !pl_str_copy(line, value, sizeof value))
            continue;
        say[0] = 0;
        if (!pl_relay_settings_set(&s, key, value, say))
            assert(say[0] && strlen(say) < sizeof say);
        assert(s.n_listen <= PL_RELAY_LISTEN_MAX && s.n_users <= PL_RELAY_USERS_MAX &&
               s.n_allow <= PL_RELAY_RANGES_MAX && s.n_externals <= PL_RELAY_ADDRS_MAX &&
               s.port_lo <= s.port_hi && s.threads <= PL_RELAY_THREADS_MAX);
    }
    say[0] = 0;
    if (!pl_relay_settings_finish(&s, say))
        assert(say[0]);
    const char *which = NULL;
    if (!pl_relay_settings_reloadable(&s, &other, &which))
        assert(which);
    assert(pl_relay_settings_reloadable(&s, &s, &which));
    return 0;
}
