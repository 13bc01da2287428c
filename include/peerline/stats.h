/* stats.h - getStats under the names of the W3C's "Identifiers for WebRTC's Statistics API".
 * Units    those of the W3C: seconds for times and round trips, bytes, packets, bits per second. */
#ifndef PEERLINE_STATS_H
#define PEERLINE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pl_stats_type {
    PL_STATS_PEER_CONNECTION,
    PL_STATS_TRANSPORT,
    PL_STATS_CANDIDATE_PAIR,
    PL_STATS_LOCAL_CANDIDATE,
    PL_STATS_REMOTE_CANDIDATE,
    PL_STATS_CERTIFICATE,
    PL_STATS_CODEC,
    PL_STATS_INBOUND_RTP,
    PL_STATS_OUTBOUND_RTP,
    PL_STATS_REMOTE_INBOUND_RTP,
    PL_STATS_REMOTE_OUTBOUND_RTP,
    PL_STATS_DATA_CHANNEL
} pl_stats_type;

enum { PL_STATS_ID_MAX = 40, PL_STATS_TEXT_MAX = 64 };

/* One object of the report; which member of `u` holds follows from `type`. */
typedef struct pl_stats {
    pl_stats_type type;
    char id[PL_STATS_ID_MAX];
    double timestamp; /* milliseconds since 1970 */
    union {
        struct {
            uint32_t data_channels_opened, data_channels_closed;
        } peer_connection;
        struct {
            uint64_t packets_sent, packets_received, bytes_sent, bytes_received;
            char dtls_state[16], ice_state[16], ice_role[16], dtls_role[16];
            char selected_candidate_pair_id[PL_STATS_ID_MAX];
            char tls_version[16], dtls_cipher[PL_STATS_TEXT_MAX], srtp_cipher[PL_STATS_TEXT_MAX];
            char ice_local_username_fragment[PL_STATS_TEXT_MAX];
            uint32_t selected_candidate_pair_changes;
        } transport;
        struct {
            char local_candidate_id[PL_STATS_ID_MAX], remote_candidate_id[PL_STATS_ID_MAX];
            char state[16]; /* frozen waiting in-progress failed succeeded */
            bool nominated, selected;
            uint64_t packets_sent, packets_received, bytes_sent, bytes_received;
            double current_round_trip_time, total_round_trip_time;
            uint64_t requests_sent, requests_received, responses_sent, responses_received,
                consent_requests_sent;
            double available_outgoing_bitrate;
        } candidate_pair;
        struct {
            char address[PL_STATS_TEXT_MAX], protocol[8], candidate_type[8];
            uint16_t port;
            uint32_t priority;
            char foundation[36];
            char tcp_type[16];                       /* active, passive, so; "" on UDP */
            char relay_protocol[8];                  /* of local relays: udp, tcp, tls */
            char url[256];                           /* of the server that gave a local one */
            char related_address[PL_STATS_TEXT_MAX]; /* the base of a local one */
            uint16_t related_port;
        } candidate;
        struct {
            char fingerprint[100], fingerprint_algorithm[16];
        } certificate;
        struct {
            uint8_t payload_type;
            char mime_type[32], sdp_fmtp_line[128];
            uint32_t clock_rate, channels;
        } codec;
        struct {
            uint32_t ssrc;
            char kind[8], mid[20], codec_id[PL_STATS_ID_MAX], remote_id[PL_STATS_ID_MAX];
            uint64_t packets_received, bytes_received, header_bytes_received, packets_discarded;
            uint64_t retransmitted_packets_received, retransmitted_bytes_received;
            int64_t packets_lost;
            double jitter, last_packet_received_timestamp;
            uint64_t nack_count, pli_count, fir_count;
            uint64_t frames_decoded, key_frames_decoded, frames_dropped, freeze_count;
            double total_freezes_duration, total_decode_time, frames_per_second;
            uint32_t frame_width, frame_height;
            uint64_t total_samples_received, concealed_samples, silent_concealed_samples, concealment_events;
            uint64_t inserted_samples_for_deceleration, removed_samples_for_acceleration;
            double jitter_buffer_delay, jitter_buffer_target_delay;
            uint64_t jitter_buffer_emitted_count;
            double audio_level, total_audio_energy;
        } inbound_rtp;
        struct {
            uint32_t ssrc, rtx_ssrc;
            char kind[8], mid[20], codec_id[PL_STATS_ID_MAX], remote_id[PL_STATS_ID_MAX];
            uint64_t packets_sent, bytes_sent, header_bytes_sent;
            uint64_t retransmitted_packets_sent, retransmitted_bytes_sent;
            uint64_t nack_count, pli_count, fir_count;
            double target_bitrate, total_encode_time, frames_per_second;
            uint64_t frames_encoded, key_frames_encoded;
            uint32_t frame_width, frame_height;
        } outbound_rtp;
        struct {
            uint32_t ssrc;
            char kind[8], local_id[PL_STATS_ID_MAX];
            int64_t packets_lost;
            double jitter, round_trip_time, total_round_trip_time, fraction_lost;
            uint64_t round_trip_time_measurements;
        } remote_inbound_rtp;
        struct {
            uint32_t ssrc;
            char kind[8], local_id[PL_STATS_ID_MAX];
            uint64_t packets_sent, bytes_sent, reports_sent;
            double remote_timestamp;
        } remote_outbound_rtp;
        struct {
            char label[PL_STATS_TEXT_MAX], protocol[PL_STATS_TEXT_MAX], state[16];
            int32_t data_channel_identifier;
            uint64_t messages_sent, bytes_sent, messages_received, bytes_received;
        } data_channel;
    } u;
} pl_stats;

typedef struct pl_stats_report {
    size_t n;
    pl_stats *stats;
} pl_stats_report;

PL_API const char *pl_stats_type_str(pl_stats_type type); /* "candidate-pair" … */
/* The first object of a type at or after index `from`, or NULL. */
PL_API const pl_stats *pl_stats_find(const pl_stats_report *report, pl_stats_type type, size_t from);
/* The report as a JSON array of objects with the W3C's camelCase names; freed with pl_free; NULL without
 * memory. */
PL_API char *pl_stats_report_json(const pl_stats_report *report);
/* NULL is fine. */
PL_API void pl_stats_report_free(pl_stats_report *report);

#ifdef __cplusplus
}
#endif
#endif
