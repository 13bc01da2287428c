/* channels.h - all data channels of one connection: manager over one SCTP association.
 * Source   RFC 8831 (channels), RFC 8832 (DCEP); states and errors as W3C webrtc-pc section 6.
 * Shape    the eight verbs; input and poll_output carry SCTP packets, to go through DTLS. The association
 *          inside is made by pl_data_start, so an object that never starts costs a few hundred bytes.
 *          Channels may be made before; they open when the association is up.
 * Order    start needs the role (pl_data_set_role) and may come as soon as DTLS is connected.
 * Units    microseconds, bytes.
 * Thread   belongs to its connection's thread. */
#ifndef PL_DATA_CHANNELS_H
#define PL_DATA_CHANNELS_H

#include "peerline/data_channel.h"
#include "sctp/association.h"

enum {
    PL_DATA_CHANNELS_MAX = 65535,    /* ids 0 to 65534 */
    PL_DATA_LABEL_MAX = 65535,       /* bytes, as of protocol; W3C */
    PL_DATA_SEND_MAX = 16 << 20,     /* default limit of bytes queued and unacknowledged, whole connection */
    PL_DATA_MESSAGE_DEFAULT = 65536, /* the peer's maximum when its SDP does not say (RFC 8841) */
    PL_DATA_NAMES_MAX =
        4 << 20, /* bytes of all labels and protocols of the peer's channels; an OPEN above is refused */
    PL_DATA_OPEN_MAX = 12 + 65535 + 65535 /* bytes of the longest OPEN: taken whatever our maximum is */
};

typedef struct pl_data pl_data;
typedef struct pl_channel pl_channel;

typedef struct pl_data_conf {
    pl_sctp_conf
        sctp; /* sctp.max_message_size is what our SDP announces; send_buffer_max: PL_DATA_SEND_MAX */
    uint16_t max_channels; /* open at once, of both sides; 0: PL_DATA_CHANNELS_MAX */
    bool pieces;           /* every channel begins as after pl_channel_set_pieces(c, true) */
} pl_data_conf;

typedef enum pl_data_event_kind {
    PL_DATA_EVENT_CONNECTED, /* the association is up */
    PL_DATA_EVENT_CHANNEL,   /* the peer has opened `channel`; it is ours to release. OPEN follows */
    PL_DATA_EVENT_OPEN,      /* `channel` is open */
    PL_DATA_EVENT_MESSAGE,   /* a whole message has arrived; text is valid UTF-8 */
    PL_DATA_EVENT_PIECE,     /* a piece of one, after pl_channel_set_pieces: `first` and `last` say which */
    PL_DATA_EVENT_BUFFERED_LOW, /* its buffered amount fell to the threshold */
    PL_DATA_EVENT_WRITABLE, /* after PL_EAGAIN: a quarter of the connection's buffer is free again; channel NULL */
    PL_DATA_EVENT_CLOSING, /* the peer began closing it */
    PL_DATA_EVENT_CLOSED,  /* `channel` is closed: error PL_OK, or why. Last event of a channel */
    PL_DATA_EVENT_FAILED   /* the association is over with error and reason (PL_OK: the peer shut it down),
                                   and not by pl_data_close; the channels' CLOSED came before */
} pl_data_event_kind;

/* With MESSAGE and PIECE the bytes belong to the taker: pl_data_event_clear frees them. Clearing any event is fine. */
typedef struct pl_data_event {
    pl_data_event_kind kind;
    pl_channel *channel;
    bool binary, first, last;
    const uint8_t *data; /* len bytes; not NULL for an empty message */
    size_t len;
    pl_err error;
    const char *reason; /* FAILED: text for people, valid until pl_data_free */
    pl_sctp_msg msg;    /* owner of data */
} pl_data_event;

typedef struct pl_channel_stats {
    uint32_t number; /* the channels of a connection in order of their making, from 1: ids are used again */
    uint64_t messages_sent, messages_received, bytes_sent, bytes_received;
} pl_channel_stats;

typedef struct pl_data_stats {
    uint64_t channels_opened, channels_closed;
    uint64_t bad_messages; /* unknown channel, PPID or DCEP form, text that is not UTF-8 */
    bool has_sctp;         /* the association exists */
    pl_sctp_stats sctp;
} pl_data_stats;

PL_NODISCARD pl_err pl_data_new(pl_data **out, const pl_data_conf *conf, int64_t now_us);
void pl_data_free(pl_data *d); /* frees every channel too; NULL is fine */

/* DTLS client: even ids; server: odd (RFC 8832 6). Gives ids to the channels that wait for one; those that
 * find none close. Only the first call counts. */
void pl_data_set_role(pl_data *d, bool dtls_client);
/* From the peer's SDP: sctp-port, and max-message-size with 0 for "any size". Default 5000, 65536. The port
 * must be told before start. */
void pl_data_set_remote(pl_data *d, uint16_t port, uint64_t max_message_size);
/* DTLS is up: makes the association and connects it. Twice does nothing. Errors: PL_ENOMEM, PL_ESTATE (no
 * role). */
PL_NODISCARD pl_err pl_data_start(pl_data *d, int64_t now_us);
/* The connection ends: ABORT is the last packet, every channel becomes closed. Drain output and
 * events after. */
void pl_data_close(pl_data *d, int64_t now_us);
/* DTLS is gone: as pl_data_close with an error, and no packet. */
void pl_data_transport_closed(pl_data *d, int64_t now_us);

void pl_data_input(pl_data *d, int64_t now_us, const uint8_t *pkt, size_t len);
void pl_data_tick(pl_data *d, int64_t now_us);
int64_t pl_data_next_us(const pl_data *d);
/* One SCTP packet at a time, at most conf.sctp.mtu_max long; nothing while cap is less than the MTU of the moment. */
bool pl_data_poll_output(pl_data *d, int64_t now_us, uint8_t *out, size_t cap, size_t *len);
/* How that packet is to be sent. */
pl_sctp_packet_kind pl_data_last_packet(const pl_data *d);
/* The packets take another path now. */
void pl_data_path_changed(pl_data *d, int64_t now_us);
/* pl_sctp_set_cut; may be called before start. */
void pl_data_set_cut(pl_data *d, size_t len);
/* Messages not polled keep the peer's window closed: that is the back-pressure of receiving. */
bool pl_data_poll_event(pl_data *d, pl_data_event *out);
/* Of the messages polled, so many bytes wait still for the application: they count in the window as if not polled. */
void pl_data_set_held(pl_data *d, int64_t now_us, size_t bytes);
void pl_data_event_clear(pl_data_event *e);
void pl_data_check(const pl_data *d);
void pl_data_get_stats(const pl_data *d, pl_data_stats *out);
/* The association, for who shares its path; NULL before start. */
pl_sctp *pl_data_association(const pl_data *d);
/* The channels that are not freed, in order of their making: the first for NULL, NULL at the end. */
const pl_channel *pl_data_next(const pl_data *d, const pl_channel *c);
/* True between CONNECTED and the end. */
bool pl_data_connected(const pl_data *d);
/* W3C RTCSctpTransport: largest message one may send now (SIZE_MAX: any), and channels both ways allow
 * (0 before the association is up). */
size_t pl_data_max_message_size(const pl_data *d);
uint16_t pl_data_max_channels(const pl_data *d);

/* Makes a channel; `user` comes back from pl_channel_user. Label and protocol are UTF-8 of label_len bytes
 * and zero-terminated. It is the caller's to release. Errors: PL_EINVAL (not UTF-8, too long, both limits, id
 * out of range or in use), PL_ENOSPC (no id or too many channels), PL_ESTATE (closed), PL_ENOMEM. */
PL_NODISCARD pl_err pl_channel_new(pl_channel **out, pl_data *d, int64_t now_us, const char *label,
                                   size_t label_len, const pl_data_channel_init *init, void *user);
/* Gives the handle back: an open channel is closed, no further event names it. NULL is fine. */
void pl_channel_release(pl_channel *c, int64_t now_us);
void pl_channel_set_user(pl_channel *c, void *user);
void *pl_channel_user(const pl_channel *c);

/* Takes one copy; len 0 is a message. Text is UTF-8, which the caller has checked. Errors: PL_ESTATE (not open, or a
 * message in parts is under way), PL_EINVAL (above pl_data_max_message_size), PL_EAGAIN (the connection's buffer is
 * full, nothing was queued: WRITABLE follows, and BUFFERED_LOW when this channel's amount falls), PL_ENOSPC (larger
 * than the whole buffer), PL_ENOMEM. */
PL_NODISCARD pl_err pl_channel_send(pl_channel *c, int64_t now_us, const void *data, size_t len, bool binary);
/* The same without a copy; at least one byte. age_us: how long the message has waited above already, for its
 * lifetime. On an error release is not called. */
PL_NODISCARD pl_err pl_channel_send_lent(pl_channel *c, int64_t now_us, const pl_sctp_lent *bytes,
                                         bool binary, int64_t age_us);
/* One message given in parts, each copied; the last may be of 0 bytes when it is not the first. Errors as
 * pl_channel_send; what was given before stays. */
PL_NODISCARD pl_err pl_channel_send_part(pl_channel *c, int64_t now_us, const void *data, size_t len,
                                         bool last, bool binary);
/* True between the first part and the last. */
bool pl_channel_in_parts(const pl_channel *c);
/* Bytes of user data that no packet has carried yet, exact (an empty message counts 0). */
size_t pl_channel_buffered_amount(const pl_channel *c);
void pl_channel_set_buffered_low(pl_channel *c, size_t bytes);
/* Messages come as PIECE events while they arrive, of any length, or whole again from the next one on.
 * Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_channel_set_pieces(pl_channel *c, bool on);
/* While paused, messages wait here and count in the window that the peer sees; CLOSING and CLOSED wait behind them. */
void pl_channel_pause(pl_channel *c, bool paused);
/* Queued messages are sent first, then both sides reset their stream; CLOSED tells the end. A message of which
 * the last part is missing is given up. */
void pl_channel_close(pl_channel *c, int64_t now_us);
pl_data_channel_state pl_channel_state(const pl_channel *c);
int pl_channel_id(const pl_channel *c); /* -1 before it is known */
/* The parameters in W3C form: protocol points into the channel. */
const pl_data_channel_init *pl_channel_params(const pl_channel *c);
const char *pl_channel_label(const pl_channel *c, size_t *len); /* len may be NULL */
void pl_channel_get_stats(const pl_channel *c, pl_channel_stats *out);

#endif
