/* ice_transport.h - the insides of the public pl_ice_transport: an agent, its driver, and the two threads.
 *     ice_transport.c         life, calls carried to the network thread, the pump
 *     ice_transport_data.c    datagrams in and out
 *     ice_transport_events.c  what the observer hears, on the signaling thread
 *     ice_words.c             lines of SDP */
#ifndef PL_PEER_ICE_TRANSPORT_H
#define PL_PEER_ICE_TRANSPORT_H

#include "peer/ice_io.h"
#include "peer/ice_words.h"
#include "peer/peer_internal.h"
#include "peerline/ice.h"

enum { ICE_NOTES_MAX = 1 << 16 }; /* events the application has not taken */

typedef enum ice_note_kind {
    ICE_NOTE_STATE,
    ICE_NOTE_GATHERING,
    ICE_NOTE_CANDIDATE, /* data: the line, zero-terminated */
    ICE_NOTE_SERVER,    /* data: its URL, zero-terminated */
    ICE_NOTE_SELECTED,
    ICE_NOTE_DATA
} ice_note_kind;

/* An event on its way to the observer. */
typedef struct ice_note {
    pl_node node;
    ice_note_kind kind;
    union {
        pl_ice_state state;
        pl_ice_gathering gathering;
        pl_ice_transport_pair pair;
        pl_ice_server_trouble server;
    } u;
    size_t len;
    uint8_t data[];
} ice_note;

/* A datagram on its way to the network thread. */
typedef struct ice_send {
    pl_node node;
    size_t len;
    uint8_t data[];
} ice_send;

struct pl_ice_transport {
    pl_factory *factory;
    pl_log log;
    _Atomic unsigned refs; /* the handle, a delivery or pump under way */
    pl_ice_transport_observer observer;

    /* net */
    pl_ice *agent; /* NULL once freed */
    pl_ice_io *io;
    pl_buf candidates; /* lines told so far, of this generation */
    bool gathering, pumping, again;
    pl_timer timer;
    pl_wake kick;   /* sends are waiting */
    uint64_t stray; /* data from addresses that are not the peer's */
    pl_rate stray_said;

    /* both, under lock */
    pl_mutex lock;
    pl_list notes; /* net to signaling */
    unsigned n_notes;
    size_t note_bytes; /* of data alone */
    pl_list sends;     /* any thread to net */
    size_t send_bytes;
    bool has_path; /* for those who send from elsewhere */

    pl_wake bell; /* signaling: notes are there */
    bool muted;   /* signaling: no callback any more */
};

/* ice_transport.c */
void ice_transport_ref(pl_ice_transport *t);
void ice_transport_unref(pl_ice_transport *t);
void ice_transport_pump(pl_ice_transport *t); /* net: ends everything that touched the agent */
/* ice_transport_data.c (net) */
void ice_transport_input(void *transport, int64_t now_us, const pl_path *path, uint8_t *pkt, size_t len);
void ice_transport_send_queued(void *transport);
void ice_transport_drop_sends(pl_ice_transport *t);
/* ice_transport_events.c */
void ice_transport_take_events(pl_ice_transport *t, int64_t now_us);                /* net */
void ice_transport_note_data(pl_ice_transport *t, const uint8_t *data, size_t len); /* net */
void ice_transport_deliver(void *transport);                                        /* signaling */
void ice_transport_drop_notes(pl_ice_transport *t);
void ice_transport_pair_of(const pl_ice *agent, const pl_ice_pair_info *info, pl_ice_transport_pair *out);

#endif
