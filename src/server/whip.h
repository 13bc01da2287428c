/* whip.h - WHIP and WHEP with their connections: what the table of sessions (whip_server.h) asks for is done by peer/, and
 * what comes from publishers is forwarded to viewers (stream.h).
 * Shape    lives on a loop; pl_whip_new gives, pl_whip_free takes. Answers have all their candidates: they are made
 *          at once.
 * Limits   those of whip_server.h.
 * Thread   the loop's owner. */
#ifndef PL_SERVER_WHIP_H
#define PL_SERVER_WHIP_H

#include "server/stream.h"
#include "server/whip_server.h"

typedef struct pl_whip_conf {
    const pl_whip_access *access; /* as in whip_server.h, to `linger_us` */
    bool open;
    uint32_t max_sessions, max_viewers;
    int64_t connect_us, linger_us;
    uint16_t udp_port;        /* one UDP port for all media; 0: one of its own a connection */
    const char *bind_address; /* this one IP address alone for media; NULL: every interface */
} pl_whip_conf;

typedef struct pl_whip pl_whip;

/* links: as in whip_server.h. Errors: PL_EINVAL, PL_EIO, PL_ENOMEM. */
PL_NODISCARD pl_err pl_whip_new(pl_whip **out, pl_loop *loop, const pl_whip_conf *conf,
                                void (*links)(void *user, const pl_http_request *req, pl_buf *head),
                                void *user);
/* Ends every session. NULL is fine. */
void pl_whip_free(pl_whip *w);
/* As pl_http_server_conf.answer. */
bool pl_whip_answer(pl_whip *w, const pl_http_request *req, const pl_addr *from, int64_t now_us,
                    pl_http_reply *reply);

typedef struct pl_whip_stats {
    pl_whip_server_stats sessions;
    pl_stream_stats packets; /* of the streams that there are and those that were */
} pl_whip_stats;
void pl_whip_get_stats(const pl_whip *w, pl_whip_stats *out);

#endif
