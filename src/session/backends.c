#include "session/backends.h"

/* A way that there is has a line here. */
static const pl_backend *const backends[] = {
    &pl_backend_rooms, &pl_backend_paste, &pl_backend_xmpp, &pl_backend_whip, &pl_backend_whep,
};

const pl_backend *pl_backend_for(const char *url)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        for (const char *const *scheme = backends[i]->scheme; *scheme; scheme++) {
            if (pl_str_starts(pl_str_of(url), *scheme))
                return backends[i];
        }
    }
    return NULL;
}
