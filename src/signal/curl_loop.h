/* curl_loop.h - libcurl's transfers on our loop.
 * Source   libcurl's multi_socket interface; sockets are watched by libuv, its one timer is ours.
 * Shape    one object for an owner and its transfers. `done` is called from the loop for each transfer that
 *          has ended; it may start others and may not free the object.
 * Thread   the loop's owner. */
#ifndef PL_SIGNAL_CURL_LOOP_H
#define PL_SIGNAL_CURL_LOOP_H

#include <curl/curl.h>

#include "peerline/error.h"
#include "peerline/loop.h"

typedef struct pl_curl pl_curl;
typedef void (*pl_curl_fn)(void *user, CURL *easy, CURLcode result);

PL_NODISCARD pl_err pl_curl_new(pl_curl **out, pl_loop *loop, pl_curl_fn done, void *user);
/* Transfers must have been removed. NULL is fine. */
void pl_curl_free(pl_curl *c);
PL_NODISCARD pl_err pl_curl_start(pl_curl *c, CURL *easy);
void pl_curl_stop(pl_curl *c, CURL *easy); /* not running is fine */

#endif
