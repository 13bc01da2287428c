#include "signal/client_peers.h"

#include <stdlib.h>
#include <string.h>

void client_peers_clear(client_peers *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->at[i].name);
    free(p->at);
    *p = (client_peers){ 0 };
}

/* Where id is, or would be. */
static size_t place_of(const client_peers *p, pl_peer_id id)
{
    size_t low = 0, high = p->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (p->at[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool client_peers_has(const client_peers *p, pl_peer_id id)
{
    size_t i = place_of(p, id);
    return i < p->n && p->at[i].id == id;
}

static bool has_space(client_peers *p)
{
    if (p->n < p->cap)
        return true;
    size_t cap = p->cap ? 2 * p->cap : 16;
    client_peer *at = p->n < PL_ROOMS_PEERS_MAX ? realloc(p->at, cap * sizeof *at) : NULL;
    if (!at)
        return false;
    p->at = at;
    p->cap = cap;
    return true;
}

void client_peers_add(client_peers *p, pl_peer_id id, const char *name)
{
    size_t i = place_of(p, id);
    char *copy = client_peers_has(p, id) || !has_space(p) ? NULL : strdup(name);
    if (!copy)
        return;
    memmove(p->at + i + 1, p->at + i, (p->n - i) * sizeof *p->at);
    p->at[i] = (client_peer){ id, copy };
    p->n++;
}

void client_peers_remove(client_peers *p, pl_peer_id id)
{
    size_t i = place_of(p, id);
    if (i == p->n || p->at[i].id != id)
        return;
    free(p->at[i].name);
    p->n--;
    memmove(p->at + i, p->at + i + 1, (p->n - i) * sizeof *p->at);
}
