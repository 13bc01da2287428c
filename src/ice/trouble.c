/* Servers that gave no candidate, and why: W3C's icecandidateerror. */
#include <stdio.h>

#include "ice/agent_internal.h"

/* What does not fit is not told: an application that heard of eight failures knows enough. */
void pl_ice_trouble(pl_ice *ice, const pl_addr *local, const char *url, uint16_t code, const char *reason)
{
    if (ice->n_troubles == ICE_TROUBLES_MAX || ice->closed)
        return;
    pl_ice_server_trouble *t = &ice->trouble[ice->n_troubles++];
    *t = (pl_ice_server_trouble){ .url = url, .code = code ? code : PL_ICE_SERVER_SILENT };
    if (local)
        t->local = *local;
    snprintf(t->reason, sizeof t->reason, "%s", reason);
}

void pl_ice_server_failed(pl_ice *ice, int64_t now_us, const char *url, const char *reason)
{
    ice->now_us = now_us;
    pl_ice_trouble(ice, NULL, url, 0, reason);
}

bool pl_ice_tell_trouble(pl_ice *ice, pl_ice_event *out)
{
    if (ice->n_troubles == 0)
        return false;
    *out = (pl_ice_event){ .kind = PL_ICE_EV_SERVER, .u.server = ice->trouble[0] };
    ice->n_troubles--;
    memmove(ice->trouble, ice->trouble + 1, ice->n_troubles * sizeof ice->trouble[0]);
    return true;
}
