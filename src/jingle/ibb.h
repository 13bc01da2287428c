/* ibb.h - a stream of bytes inside XMPP itself, for when nothing else gets through.
 * Source   XEP-0047 2.0 (the stream), XEP-0261 1.0 (as a transport of Jingle).
 * Shape    sans-I/O. One side opens; then both write. Blocks are acknowledged, some are on their way at a time (as many
 *          as pass within a second or two), and the acknowledgements wait while nobody reads: so a slow reader slows the
 *          writer, and no server's queue grows.
 * Units    microseconds, bytes.
 * Limits   PL_IBB_BUFFER each way; blocks of at most PL_IBB_BLOCK_MAX.
 * Errors   PL_ESTATE; PL_EINVAL; PL_ENOMEM.
 * Thread   its owner's. */
#ifndef PL_JINGLE_IBB_H
#define PL_JINGLE_IBB_H

#include <stdint.h>

#include "base/time.h"
#include "jingle/names.h"
#include "xml/element.h"

enum {
    PL_IBB_BLOCK =
        5632, /* what we propose: in base64 its stanza fits one read, and one TLS record, of 8 KiB (Prosody's) */
    PL_IBB_BLOCK_TAKEN =
        32768,                /* what we agree to: such a stanza stays under the 64 KiB that servers carry */
    PL_IBB_BLOCK_MAX = 65535, /* of the format */
    PL_IBB_BLOCK_MIN = 256,   /* smaller is not tried */
    PL_IBB_WINDOW_FIRST = 4,  /* blocks on their way, at first */
    PL_IBB_WINDOW = 32,       /* and at most, where answers are quick */
    PL_IBB_UNDER_WAY =
        192 * 1024, /* bytes in them: less than the half of a buffer that acknowledgements wait behind */
    PL_IBB_BUFFER = 512 * 1024,
    PL_IBB_SID_MAX = 127,
};
#define PL_IBB_ACK_US  PL_SEC(60)
#define PL_IBB_FAST_US PL_SEC(1) /* an answer in this time widens the window by a block */
#define PL_IBB_SLOW_US PL_SEC(2) /* a later one narrows it: other stanzas wait behind our blocks */

typedef struct pl_ibb pl_ibb;

typedef struct pl_ibb_conf {
    const char *peer, *sid; /* full address; the stream's id, of the transport element. Copied */
    uint16_t block;         /* at most so many bytes in one; 0: PL_IBB_BLOCK */
    bool opens;             /* the initiator of the Jingle session does */
} pl_ibb_conf;

typedef enum pl_ibb_event {
    PL_IBB_OPENED,
    PL_IBB_READABLE, /* there is more to read than was told */
    PL_IBB_WRITABLE, /* after a write that took less than it was given */
    PL_IBB_CLOSED,   /* in order; what was received can still be read */
    PL_IBB_FAILED,   /* refused, broken, or no answer */
} pl_ibb_event;

PL_NODISCARD pl_err pl_ibb_new(pl_ibb **out, const pl_ibb_conf *conf, int64_t now_us);
void pl_ibb_free(pl_ibb *b); /* NULL is fine; tells nobody */
/* A stanza that came. True: it is this stream's. */
bool pl_ibb_input(pl_ibb *b, int64_t now_us, const pl_xml *stanza);
void pl_ibb_tick(pl_ibb *b, int64_t now_us);
int64_t pl_ibb_next_us(const pl_ibb *b);
pl_xml *pl_ibb_poll_output(pl_ibb *b, int64_t now_us); /* a root, the caller's; NULL: none */
bool pl_ibb_poll_event(pl_ibb *b, pl_ibb_event *out);
void pl_ibb_check(const pl_ibb *b);

/* How much was taken: nothing after close or the end. */
size_t pl_ibb_write(pl_ibb *b, const void *data, size_t len);
size_t pl_ibb_read(pl_ibb *b, void *out, size_t cap);
/* What was written goes out first. */
void pl_ibb_close(pl_ibb *b);
/* Bytes that were written and whose arrival nobody has confirmed. */
size_t pl_ibb_unsent(const pl_ibb *b);

/* The element of a content. A sid is the stream's. */
pl_xml *pl_ibb_write_transport(pl_xml *content, const char *sid, uint16_t block);
/* sid is lent. Errors: PL_EPROTO. */
PL_NODISCARD pl_err pl_ibb_parse_transport(const pl_xml *transport, const char **sid, uint16_t *block);

#endif
