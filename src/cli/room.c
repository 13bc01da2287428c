#include "cli/room.h"

#include <stdio.h>
#include <unistd.h>

#include "net/loop.h"

void pl_room_known_add(pl_room_known *k, const pl_room_peer *p)
{
    size_t at = k->n++ % PL_ROOM_KNOWN_MAX;
    k->peer[at].id = p->id;
    snprintf(k->peer[at].name, sizeof k->peer[at].name, "%s", p->name);
}

const char *pl_room_known_name(const pl_room_known *k, pl_peer_id id)
{
    for (size_t i = 0; i < PL_ROOM_KNOWN_MAX; i++) {
        if (k->peer[i].id == id && k->peer[i].name[0])
            return k->peer[i].name;
    }
    return "somebody";
}

void pl_room_choose_name(char out[PL_ROOM_NAME_LEN], const char *wanted)
{
    char host[64] = "peerline";
    (void)gethostname(host, sizeof host - 1);
    if (wanted)
        snprintf(out, PL_ROOM_NAME_LEN, "%s", wanted);
    else
        snprintf(out, PL_ROOM_NAME_LEN, "peerline@%s", host);
}

void pl_room_leave(pl_loop *loop, pl_room_client *room, const bool *signed_in)
{
    int64_t until_us = pl_clock_us() + PL_MS(500);
    if (!room)
        return;
    if (*signed_in) {
        pl_room_client_sign_out(room);
        while (*signed_in && pl_clock_us() < until_us)
            pl_loop_run_once(loop, until_us - pl_clock_us());
    }
    pl_room_client_free(room);
}
