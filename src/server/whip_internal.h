/* whip_internal.h - what whip_server.c (requests) and whip_table.c (sessions and names) share. Private to them. */
#ifndef PL_SERVER_WHIP_INTERNAL_H
#define PL_SERVER_WHIP_INTERNAL_H

#include "base/time.h"
#include "server/whip_server.h"

struct pl_whip_server {
    pl_whip_server_conf conf;
    pl_hash by_id, by_name;
    pl_list waiting; /* sessions that are not connected yet, the oldest first */
    pl_list orphans; /* names with viewers alone, the longest first */
    pl_whip_server_stats stats;
};

/* whip_table.c */
pl_whip_name *whip_find_name(const pl_whip_server *w, pl_str text);
pl_whip_session *whip_find_session(const pl_whip_server *w, pl_whip_role role, pl_str name, pl_str id);
/* NULL: a table is full, or there is no memory. */
pl_whip_session *whip_session_new(pl_whip_server *w, int64_t now_us, pl_whip_role role, pl_str name);

#endif
