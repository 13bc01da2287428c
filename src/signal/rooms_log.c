#include <stdlib.h>

#include "signal/rooms_internal.h"

enum { LOG_KEEP = 64 }; /* a ring no larger than this is kept while its room lives */

static void drop_oldest(pl_rooms *r, pl_room *room)
{
    pl_note *note = &room->log[room->log_start++ & (room->log_cap - 1)];
    r->stats.log_bytes -= pl_note_size(note);
    pl_name_unref(note->name);
    note->name = NULL;
}

void pl_room_log_clear(pl_rooms *r, pl_room *room)
{
    while (room->log_start != room->log_end)
        drop_oldest(r, room);
}

static bool grow(pl_room *room)
{
    size_t cap = room->log_cap ? room->log_cap * 2 : 8;
    pl_note *log = malloc(cap * sizeof *log);
    if (!log)
        return false;
    for (uint64_t i = room->log_start; i != room->log_end; i++)
        log[i & (cap - 1)] = *pl_room_log_at(room, i);
    free(room->log);
    room->log = log;
    room->log_cap = cap;
    return true;
}

/* A free place in the ring; false only where there never was one. */
static bool make_space(pl_rooms *r, pl_room *room, size_t size)
{
    while (room->log_start != room->log_end && (room->log_end - room->log_start == PL_ROOMS_LOG_MAX ||
                                                r->stats.log_bytes + size > r->conf.max_total_bytes))
        drop_oldest(r, room);
    if (room->log_end - room->log_start < room->log_cap || grow(room))
        return true;
    if (room->log_start == room->log_end)
        return false;
    drop_oldest(r, room); /* could not grow */
    return true;
}

void pl_room_log_add(pl_rooms *r, pl_room *room, const pl_peer *about, bool joined)
{
    pl_note note = { .id = about->id, .joined = joined, .name = about->name };
    room->n_caught = 0;
    if (room->n_own == 0) /* nobody here hears it */
        pl_room_log_clear(r, room);
    if (room->n_own == 0 || !make_space(r, room, pl_note_size(&note))) {
        room->log_start = ++room->log_end; /* never had a ring: nothing to drop */
        goto wake;
    }
    room->log[room->log_end++ & (room->log_cap - 1)] = note;
    note.name->refs++;
    r->stats.log_bytes += pl_note_size(&note);
wake:
    PL_EACH (n, &room->peers)
        pl_peer_wake(r, pl_of(n, pl_peer, in_room));
}

void pl_room_caught_up(pl_rooms *r, pl_room *room)
{
    if (++room->n_caught < room->n_own)
        return;
    pl_room_log_clear(r, room);
    if (room->log_cap > LOG_KEEP) {
        free(room->log);
        room->log = NULL;
        room->log_cap = 0;
    }
}
