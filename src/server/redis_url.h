/* redis_url.h - where a Redis is: redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE].
 * Shape    plain data; a password in it is the owner's to wipe. */
#ifndef PL_SERVER_REDIS_URL_H
#define PL_SERVER_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

enum { PL_REDIS_TEXT_MAX = 256, PL_REDIS_PORT = 6379 };

typedef struct pl_redis_url {
    char host[PL_REDIS_TEXT_MAX];
    char name[PL_REDIS_TEXT_MAX], password[PL_REDIS_TEXT_MAX]; /* "": none */
    uint16_t port;
    unsigned database;
} pl_redis_url;

/* False when it is none, or its texts are too long. */
bool pl_redis_url_parse(pl_redis_url *out, const char *url);

#endif
