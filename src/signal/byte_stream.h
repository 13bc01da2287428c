/* byte_stream.h - the bytes of one Jingle content, by SOCKS5 or inside XMPP, whichever gets through.
 * Source   XEP-0260 and 0065 (candidates, our listeners, our server's proxy), XEP-0261 and 0047 (in-band).
 * Shape    sockets for jingle/s5b.h, stanzas for jingle/ibb.h. Begins as SOCKS5 or in-band; when SOCKS5 has FAILED the
 *          owner may agree with the peer on in-band and go on with the same object. Transports go in and out as elements;
 *          the owner says them in its session.
 * Units    bytes.
 * Limits   PL_BYTE_LISTENERS_MAX addresses are offered, PL_BYTE_GUESTS_MAX strangers may knock at once; a write takes what
 *          its queue holds. What comes is told at once and kept nowhere.
 * Errors   PL_EPROTO, PL_ENOMEM, PL_ESTATE; what happens later is an event.
 * Thread   the loop's owner. Events come from the loop, from stanzas, and within told; in them verbs may be called, and
 *          free not. */
#ifndef PL_SIGNAL_BYTE_STREAM_H
#define PL_SIGNAL_BYTE_STREAM_H

#include "jingle/ibb.h"
#include "jingle/s5b.h"
#include "peerline/loop.h"
#include "xmpp/client.h"

enum { PL_BYTE_LISTENERS_MAX = 6, PL_BYTE_GUESTS_MAX = 8, PL_BYTE_BLOCK = 8192 };

typedef struct pl_byte_stream pl_byte_stream;

typedef enum pl_byte_event {
    PL_BYTE_OPEN,
    PL_BYTE_WRITABLE, /* after a write that took less than it was given */
    PL_BYTE_ENDED,    /* the peer has closed it in order */
    PL_BYTE_UNMADE,   /* no way by SOCKS5; in-band may follow */
    PL_BYTE_BROKEN,   /* it stood, or was in-band, and is no more */
} pl_byte_event;

typedef struct pl_byte_proxy { /* of the server; host "": none */
    char jid[PL_S5B_JID_MAX + 1], host[PL_S5B_HOST_MAX + 1];
    uint16_t port;
} pl_byte_proxy;

typedef struct pl_byte_stream_conf {
    pl_loop *loop;
    pl_xmpp_client *client;
    const char *peer, *sid;     /* full address; id of the stream. Copied */
    bool initiator;             /* of the Jingle session */
    bool in_band;               /* from the beginning */
    bool proxy_only;            /* our addresses are told to nobody */
    const pl_byte_proxy *proxy; /* NULL: none; lent for new */
    void *user;
    void (*event)(void *user, pl_byte_event e);
    void (*data)(void *user, const uint8_t *data, size_t len);
    void (*say)(void *user, const pl_xml *transport); /* in a transport-info; lent for the call */
} pl_byte_stream_conf;

PL_NODISCARD pl_err pl_byte_stream_new(pl_byte_stream **out, const pl_byte_stream_conf *conf);
void pl_byte_stream_free(pl_byte_stream *b); /* NULL is fine; tells nobody */
/* Our transport, as the content of a session-initiate, -accept, transport-replace or -accept has it. */
pl_xml *pl_byte_stream_write(const pl_byte_stream *b, pl_xml *content);
/* The peer's in its own of these. SOCKS5: tries begin. In-band: the initiator opens. */
PL_NODISCARD pl_err pl_byte_stream_offered(pl_byte_stream *b, const pl_xml *transport);
/* That of a transport-info. */
PL_NODISCARD pl_err pl_byte_stream_told(pl_byte_stream *b, const pl_xml *transport);
/* SOCKS5 is given up: from now on it is in-band; write and offered follow. */
PL_NODISCARD pl_err pl_byte_stream_go_in_band(pl_byte_stream *b);
bool pl_byte_stream_is_in_band(const pl_byte_stream *b);
bool pl_byte_stream_is_open(const pl_byte_stream *b);
/* How much was taken. */
size_t pl_byte_stream_write_bytes(pl_byte_stream *b, const void *data, size_t len);
/* What was written goes out first. */
void pl_byte_stream_close(pl_byte_stream *b);

#endif
