/* room.h - being in a server's room, as `call`, `send` and `receive` are: under which name, who else is there, leaving.
 * Shape    plain data inside its owner; zero state legal. Lives on the loop. */
#ifndef PL_CLI_ROOM_H
#define PL_CLI_ROOM_H

#include "signal/client.h"

enum { PL_ROOM_KNOWN_MAX = 128, PL_ROOM_NAME_LEN = 128 };

/* Who has been seen in the room; in a crowd the oldest are forgotten. */
typedef struct pl_room_known {
    struct {
        pl_peer_id id;
        char name[PL_ROOM_NAME_LEN];
    } peer[PL_ROOM_KNOWN_MAX];
    size_t n;
} pl_room_known;

void pl_room_known_add(pl_room_known *k, const pl_room_peer *p);
/* "somebody" when it was not seen. */
const char *pl_room_known_name(const pl_room_known *k, pl_peer_id id);

/* wanted, or peerline@HOST when that is NULL. */
void pl_room_choose_name(char out[PL_ROOM_NAME_LEN], const char *wanted);
/* Signs out, for at most half a second as long as *signed_in (which the client's `closed` clears), and frees. */
void pl_room_leave(pl_loop *loop, pl_room_client *room, const bool *signed_in);

#endif
