/* pc_duo.h - two connection cores, the network and the signaling between them, in virtual time.
 * Shape    nothing is asserted about results but the cores' own invariants, so that callers may let memory, network or
 *          peers fail; what happened stands in the struct. The harness allocates nothing but packets on their way (in
 *          sim/link.h), inside which `shield` is called.
 * Signal   perfect negotiation as W3C writes it: whoever hears "negotiation needed" offers, offers may cross, end[1]
 *          is the polite one. Descriptions and candidates arrive in order, signal_us later.
 * Units    microseconds. */
#ifndef SIM_PC_DUO_H
#define SIM_PC_DUO_H

#include "pc/pc.h"
#include "sim/link.h"

enum { DUO_CHANNELS = 32, DUO_SIGNALS = 256, DUO_STEPS_MAX = 400000 };

typedef struct duo_signal {
    int64_t due_us;
    char *sdp; /* owned; NULL: a candidate */
    pl_sdp_type type;
    char line[PL_ICE_CAND_TEXT_MAX], mid[PL_PC_MID_MAX + 1], ufrag[PL_ICE_UFRAG_MAX + 1];
} duo_signal;

typedef struct duo_end {
    pl_pc *pc; /* NULL: could not be made */
    pl_addr addr;
    pl_rand_seeded rand;
    pl_pc_rings rings[PL_TRANSCEIVERS_MAX];
    pl_channel *channel[DUO_CHANNELS]; /* until closed */
    int n_channels, n_open, n_closed, n_tracks, n_offers, n_ignored, n_disconnected;
    unsigned n_refused;                            /* calls of the harness that gave an error */
    uint64_t n_messages, message_bytes, n_packets; /* packets: of media */
    int64_t last_message_us, connected_us;         /* 0: never */
    int64_t last_rtt_us;                           /* as told to a receiving engine */
    int64_t target_bps;                            /* as told to a sending engine, the last */
    uint64_t media_bytes;                          /* arrived, … */
    int64_t media_delay_us,
        media_delay_max_us; /* … and how long it took, if timestamps count 90 kHz of virtual time */
    pl_peer_connection_state state;
    char reason[128];
    bool gathered, ignoring, making; /* making: an offer is due */
    duo_signal inbox[DUO_SIGNALS];   /* a ring */
    unsigned in_at, in_n;
} duo_end;

typedef struct duo {
    duo_end end[2];
    sim_link *link[2]; /* link[i] carries what end[i] sends */
    int64_t now_us, signal_us;
    uint64_t n_steps;
    bool stuck;     /* time did not pass any more: a deadline that is never met */
    bool by_hand;   /* nobody offers by himself: duo_offer */
    bool no_gather; /* end[0] and end[1] have no sockets */
    void (*shield)(bool inside);
    /* Changes a description on its way: takes it, gives what arrives instead. NULL: none is changed. */
    char *(*edit)(char *sdp);
    /* Sees each datagram on its arrival, may change it; false: it is lost. */
    bool (*on_packet)(void *user, struct duo *d, int to, uint8_t *pkt, size_t *len);
    void *user;
} duo;

/* Certificates are made once in a process, and kept. */
void duo_certificates(void);
void duo_certificates_free(void);
void duo_init(duo *d, const sim_net *net, uint64_t seed, pl_dtls_setup setup_0, pl_dtls_setup setup_1);
void duo_clear(duo *d);
/* Until `until` says so, or for_us has passed: false when `until` never did. */
bool duo_run(duo *d, int64_t for_us, bool (*until)(const duo *d));
/* end[i] makes an offer now, if its state allows it. */
void duo_offer(duo *d, int i);
/* A transceiver with all its rings; its index, or -1. */
int duo_add(duo *d, int i, pl_media_type kind, pl_direction direction);
pl_channel *duo_open(duo *d, int i, const pl_data_channel_init *init); /* or NULL */
void duo_send_packet(duo *d, int i, int transceiver, uint32_t rtp_ts, uint16_t len);
bool duo_connected(const duo *d);
bool duo_channels_open(const duo *d); /* at least one on both sides */
bool duo_agreed(const duo *d);        /* stable on both sides, and nothing under way */

#endif
