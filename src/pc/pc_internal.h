/* pc_internal.h - the shared insides of pc/: what the rooms of one connection hold together.
 * Where to read: inbound.c (wire to track), outbound.c (track to wire), negotiate.c (words to state),
 * state.c (what the application is told), clock.c (deadlines). Only files of pc/ include this. */
#ifndef PL_PC_PC_INTERNAL_H
#define PL_PC_PC_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "base/pool.h"
#include "congestion/controller.h"
#include "congestion/pacer.h"
#include "congestion/share.h"
#include "crypto/hmac.h"
#include "desc/jsep.h"
#include "pc/pc.h"
#include "rtp/dup.h"
#include "rtp/ext.h"
#include "rtp/header.h"
#include "rtp/history.h"
#include "rtp/nack.h"
#include "rtp/report.h"
#include "rtp/rtx.h"
#include "rtp/source.h"
#include "rtp/twcc.h"
#include "srtp/context.h"

enum {
    PC_STREAMS_MAX = 16,   /* SSRCs received on one transceiver, RTX included */
    PC_PACKETS_MAX = 1024, /* RTP packets waiting for the pacer */
    PC_PACKET_CAP =
        1400, /* bytes of one, with room for its tag; ours have 1200, forwarded ones may have more */
    /* An SCTP packet, on paths that carry more than Ethernet (loopback, jumbo). A datagram above 2048 bytes, be it a
     * probe, ends DTLS at Chromium; other stacks have buffers of 2 to 8 KiB. */
    PC_DATA_PACKET_MAX = 1984,
    PC_PACKET_ETHERNET = 1432, /* one that an Ethernet packet holds in a record over IPv4 */
    PC_PACKET_CUT =
        1440, /* one that none holds over IPv6, in any record, though 1500 bytes hold the datagram */
    PC_RTCP_MAX = 1150, /* bytes of one compound packet */
    PC_RECV_CODECS_MAX = 8
};

/* One SSRC that the peer sends. */
typedef struct pc_stream {
    struct pc_stream *next;
    uint32_t ssrc;
    bool is_rtx;
    uint8_t pt;          /* of the last packet, RTX undone */
    uint32_t media_ssrc; /* of an RTX stream: what it repeats; 0 unknown */
    pl_rtp_source source;
    pl_nack nack;
    pl_rtp_dup dup;
    bool pli_wanted;
    uint64_t pli_count, fir_count, nack_count, discarded;
} pc_stream;

typedef struct pc_transceiver {
    int index;
    pl_jsep_transceiver *j; /* NULL once it is gone for good */
    pl_media_type kind;
    uint32_t ssrc; /* ours, as jsep made it */
    pl_pc_rings rings;
    pl_pc_media_info info;

    /* sending */
    pl_rtp_ext_map send_ext;
    uint16_t feedback; /* PL_FB_ bits of the codec we send */
    int16_t rtx_pt;
    uint16_t seq;
    pl_rtx_stream rtx;
    pl_rtp_sender sender;
    pl_rtp_history history;
    uint8_t fir_seq;
    bool has_fir_seq;
    int64_t rate_told_bps;
    int64_t limit_bps; /* what the peer takes of it at most (b=TIAS, b=AS), 0: not said */
    uint64_t nack_count, pli_count, fir_count; /* received */

    /* receiving */
    int16_t recv_rtx_of[128]; /* rtx payload type to the payload type it repeats, else -1 */
    uint8_t recv_clock_khz[128];
    bool recv_nack;
    bool recv_fir;    /* the peer takes FIR for key frames, but not PLI */
    uint8_t fir_sent; /* number of our last command */
    pc_stream *streams;
    uint32_t n_streams;

    pl_media_stats recv_stats, send_stats; /* as the engines told them last */
} pc_transceiver;

/* A packet between engine and pacer. */
typedef struct pc_packet {
    pl_pacer_pkt paced;
    pc_transceiver *t;
    bool is_rtx;
    bool is_protected; /* SRTP already: a repetition without RTX */
    int64_t sample_us;
    size_t len;
    uint8_t data[PC_PACKET_CAP];
} pc_packet;

/* Everything RTP; made with the first agreed media section. */
typedef struct pc_media {
    pl_rtp_ext_map recv_ext;
    bool send_twcc;
    bool rsize;
    pl_twcc_rx twcc_rx;
    pl_twcc_tx twcc_tx;
    pl_cc cc;
    pl_cc_share share; /* of the channels */
    pl_pacer pacer;
    pl_pool packets;
    pl_rtcp_timer timer;
    char cname[PL_JSEP_ID_MAX + 1];
    int64_t rtt_us;     /* by report blocks; 0 unknown */
    int64_t ice_rtt_us; /* as told last while those are not there */
    int64_t rate_bps;
    int64_t max_bps; /* by configuration; the controller's is less where the peer takes less */
    bool bye_wanted;
} pc_media;

typedef struct pc_note { /* an event that is no difference of states */
    pl_node node;
    pl_pc_event event;
} pc_note;

struct pl_pc {
    pl_pc_conf conf;
    pl_log log;
    int64_t now_us, start_us;
    bool closed, dtls_closed;

    pl_jsep *jsep;
    pl_ice *ice;
    pl_dtls *dtls;
    pl_srtp *srtp_in, *srtp_out;
    pl_srtp_profile srtp_profile;
    pl_data *data;
    pc_media *media;
    pc_transceiver *t[PL_TRANSCEIVERS_MAX];
    int n_t;
    uint64_t posted;
    uint32_t media_version;

    /* what negotiation said of the transport */
    bool gather_wanted, has_transport, dtls_started, has_role, data_agreed;
    pl_dtls_role role;
    char gather_ufrag[PL_ICE_UFRAG_MAX + 1];
    pl_addr leaves_by; /* our end of the selected pair; none before the first */

    uint8_t *waiting; /* an SCTP packet for the next batch */
    int64_t yield_us; /* whether channels should yield is asked next */
    size_t waiting_len, waiting_cap;
    uint8_t waiting_kind; /* pl_sctp_packet_kind */

    /* told to the application */
    pl_signaling_state told_signaling;
    pl_ice_gathering_state told_gathering;
    pl_ice_connection_state told_ice;
    pl_peer_connection_state told_connection;
    bool negotiation_needed, needed_told;
    pl_list notes;
    uint32_t n_notes;
    char failure[PL_PC_ERROR_MAX]; /* why the connection failed */
    char error[PL_PC_ERROR_MAX];   /* why the last call failed */

    pl_setup_times times;
    uint64_t bytes_sent, bytes_received, packets_sent, packets_received;
    struct {
        uint64_t junk, srtp_failed, rtp_unrouted, rtcp_bad, early, inbox_full, outbox_bad, turn, not_kept,
            ext_clash;
    } count;
    pl_rate bad_packet;
};

/* api.c */
pl_err pc_data_make(pl_pc *pc); /* the manager of channels, when there is none yet */
/* negotiate.c */
void pc_apply_jsep(pl_pc *pc);
/* inbound.c */
void pc_settle(
    pl_pc *pc); /* lets ICE, DTLS and data draw their conclusions; ends every input, call and tick */
/* share.c */
void pc_share_wake(pl_pc *pc);   /* channels have sent: they may have to share now, or to yield */
void pc_share_update(pl_pc *pc); /* when share.next_us has come */
/* state.c */
pl_peer_connection_state pc_connection_now(const pl_pc *pc);
pl_ice_gathering_state pc_gathering_now(const pl_pc *pc);
void pc_note_add(pl_pc *pc, const pl_pc_event *e);
/* Counts a packet that the peer, or a stranger, should not have sent; says so at most once a second. */
void pc_bad_packet(pl_pc *pc, uint64_t *count, const char *what);
void pc_check_negotiation(pl_pc *pc);
void pc_fail(pl_pc *pc, const char *fmt, ...) PL_PRINTF(2, 3); /* keeps the first reason */
pl_err pc_error(pl_pc *pc, pl_err err, const char *fmt, ...) PL_PRINTF(3, 4);
/* transceiver.c */
pc_transceiver *pc_transceiver_of(pl_pc *pc,
                                  pl_jsep_transceiver *j); /* finds or makes; NULL without memory */
void pc_transceiver_apply(pl_pc *pc, pc_transceiver *t);
void pc_transceiver_free(pc_transceiver *t);
void pc_media_refresh(pl_pc *pc); /* after the transport or SRTP came up or went */
/* media_in.c */
void pc_media_rtp(pl_pc *pc, uint8_t *pkt, size_t len);
void pc_stream_free(pc_stream *s);
bool pc_post(pl_pc *pc, pl_ring *ring,
             const pl_media_msg *msg); /* a small message to an engine; NULL: nobody */
/* media_out.c */
bool pc_media_poll(pl_pc *pc, uint8_t *out, size_t cap, size_t *len, uint8_t *dscp);
void pc_media_resend(pl_pc *pc, pc_transceiver *t, uint16_t seq);
void pc_media_limit(pl_pc *pc);  /* anew: who sends, and what the peer takes */
void pc_media_target(pl_pc *pc); /* hands new rates of the controller to pacer and engines */
void pc_media_drop_queue(pl_pc *pc);
/* rtcp_in.c */
void pc_rtcp_input(pl_pc *pc, uint8_t *pkt, size_t len);
void pc_rtt_from_ice(pl_pc *pc); /* with each regular report */
/* rtcp_out.c */
bool pc_rtcp_poll(pl_pc *pc, uint8_t *out, size_t cap, size_t *len);
int64_t pc_rtcp_next_us(const pl_pc *pc);
/* codecs.c */
extern const pl_jsep_kind_conf pc_kind_conf[2];

#endif
