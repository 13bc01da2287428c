/* ifwatch.h - says when the addresses of this machine may have changed.
 * Source   Linux rtnetlink(7): RTM_NEWADDR, RTM_DELADDR, RTM_NEWLINK, RTM_DELLINK. Elsewhere, and where netlink is
 *          refused, the list of net/ifaddr.h is compared every two seconds.
 * Shape    pl_ifwatch_open gives, pl_ifwatch_close takes. One call for many changes: it comes when nothing has
 *          changed for PL_IFWATCH_QUIET_US, and at the latest after PL_IFWATCH_LATEST_US. The owner lists again and
 *          compares: links that come up say so in several steps, most of which change no address.
 * Units    microseconds.
 * Thread   the loop's owner. */
#ifndef PL_NET_IFWATCH_H
#define PL_NET_IFWATCH_H

#include "base/shared.h"
#include "base/time.h"
#include "peerline/error.h"
#include "peerline/loop.h"

PL_SHARED_BEGIN

#define PL_IFWATCH_QUIET_US  PL_MS(100)
#define PL_IFWATCH_LATEST_US PL_MS(300)
#define PL_IFWATCH_POLL_US   PL_SEC(2)

typedef struct pl_ifwatch pl_ifwatch;

/* Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_ifwatch_open(pl_ifwatch **out, pl_loop *loop, void (*changed)(void *user), void *user);
/* Compares every PL_IFWATCH_POLL_US instead, as on systems without netlink. */
PL_NODISCARD pl_err pl_ifwatch_open_polling(pl_ifwatch **out, pl_loop *loop, void (*changed)(void *user),
                                            void *user);
void pl_ifwatch_close(pl_ifwatch *w); /* NULL is fine; also from its own callback */

PL_SHARED_END

#endif
