/* error.h - errors as values.
 * Every call that can fail returns a pl_err. PL_OK is 0, all errors are negative. */
#ifndef PEERLINE_ERROR_H
#define PEERLINE_ERROR_H

#include "peerline/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pl_err {
    PL_OK = 0,
    PL_EPROTO = -1, /* the peer, or a text it sent, breaks its RFC; nothing was changed            */
    PL_ENOSPC = -2, /* a limit that the header declares; make room, or ask for less                 */
    PL_EAGAIN = -3, /* not now; an event will say when                                              */
    PL_ESTATE = -4, /* a right call at the wrong moment (W3C: InvalidStateError)                    */
    PL_ENOMEM = -5, /* no memory; the object is as it was before the call                           */
    PL_EIO = -6,    /* the machine refused: a socket, a file, a device                              */
    PL_EINVAL = -7, /* an argument out of its documented range (W3C: TypeError, SyntaxError)        */
    PL_ENOTSUP = -8 /* understood, but not built in, or not spoken by the peer                      */
} pl_err;

/* The name and a short sentence about an error; a constant string, never NULL. Any thread. */
PL_API const char *pl_err_str(pl_err err);

#ifdef __cplusplus
}
#endif
#endif
