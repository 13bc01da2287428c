/* share.h - what data channels may take of a path that media uses too.
 * Source   ours. The law is that of LEDBAT (RFC 6817 2.4: approach a small target of queueing delay), with the media
 *          controller's own finding of a growing queue (draft-ietf-rmcat-gcc-02 5.4) as its stop sign.
 * Why      A transfer that is governed by losses fills the queue of a home router; the media's controller, which watches
 *          delay, then backs off until the call is a slide show. So beside media the transfer watches delay as well,
 *          and more strictly: it leaves the queue nearly empty, and media takes what it needs.
 * Shape    plain data, nothing to free. pl_cc_share_update each time next_us has come, and at once when media begins.
 * Units    microseconds, bits per second.
 * Thread   belongs to its connection's thread. */
#ifndef PL_CONGESTION_SHARE_H
#define PL_CONGESTION_SHARE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pl_cc_share {
    int64_t rate_bps; /* 0: no limit */
    int64_t next_us;  /* PL_NEVER while nothing has to be shared */
    int64_t eased_us; /* last time that a growing queue halved it */
    uint64_t delivered;
    int64_t at_us;  /* when `delivered` was read */
    bool gives_way; /* data has more than it insists on: media need not shrink */
    bool queued;    /* a queue was seen: growth is careful from now on */
} pl_cc_share;

/* What is known at an update. */
typedef struct pl_cc_share_in {
    bool media;                 /* was sent in the last second */
    bool data;                  /* is queued or under way */
    bool low;                   /* all of it in channels below normal priority */
    bool overuse;               /* the media's controller sees its queue grow */
    int64_t media_bps;          /* its target */
    int64_t rtt_us, min_rtt_us; /* of the data: least since the last update, least ever; 0: not known */
    uint64_t delivered;         /* bytes of data acknowledged, in all */
} pl_cc_share_in;

void pl_cc_share_init(pl_cc_share *s);
/* True when rate_bps has changed. */
bool pl_cc_share_update(pl_cc_share *s, int64_t now_us, const pl_cc_share_in *in);

#endif
