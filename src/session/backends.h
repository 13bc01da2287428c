/* backends.h - the one table of the ways that there are.
 * Shape    static. Any thread. */
#ifndef PL_SESSION_BACKENDS_H
#define PL_SESSION_BACKENDS_H

#include "session/backend.h"

/* NULL: no such kind of URL. */
const pl_backend *pl_backend_for(const char *url);

#endif
