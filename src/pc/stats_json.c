/* stats_json.c - a report as JSON: one table says for each type which member of the struct has which of the
 * W3C's names, so that the writer is a loop. */
#include "peerline/stats.h"

#include <stdlib.h>

#include "base/slice.h"

enum { JSON_MAX = 4 << 20 };

typedef enum field_kind { F_TEXT, F_U8, F_U16, F_U32, F_U64, F_I32, F_I64, F_DOUBLE, F_BOOL } field_kind;
typedef struct field {
    const char *name;
    field_kind kind;
    size_t at;
} field;

#define AT(member) offsetof(pl_stats, u.member)
#define END                                                                                                  \
    {                                                                                                        \
        NULL, F_TEXT, 0                                                                                      \
    }

static const field peer_connection_fields[] = {
    { "dataChannelsOpened", F_U32, AT(peer_connection.data_channels_opened) },
    { "dataChannelsClosed", F_U32, AT(peer_connection.data_channels_closed) },
    END,
};
static const field transport_fields[] = {
    { "packetsSent", F_U64, AT(transport.packets_sent) },
    { "packetsReceived", F_U64, AT(transport.packets_received) },
    { "bytesSent", F_U64, AT(transport.bytes_sent) },
    { "bytesReceived", F_U64, AT(transport.bytes_received) },
    { "dtlsState", F_TEXT, AT(transport.dtls_state) },
    { "iceState", F_TEXT, AT(transport.ice_state) },
    { "iceRole", F_TEXT, AT(transport.ice_role) },
    { "dtlsRole", F_TEXT, AT(transport.dtls_role) },
    { "selectedCandidatePairId", F_TEXT, AT(transport.selected_candidate_pair_id) },
    { "selectedCandidatePairChanges", F_U32, AT(transport.selected_candidate_pair_changes) },
    { "tlsVersion", F_TEXT, AT(transport.tls_version) },
    { "dtlsCipher", F_TEXT, AT(transport.dtls_cipher) },
    { "srtpCipher", F_TEXT, AT(transport.srtp_cipher) },
    { "iceLocalUsernameFragment", F_TEXT, AT(transport.ice_local_username_fragment) },
    END,
};
static const field pair_fields[] = {
    { "localCandidateId", F_TEXT, AT(candidate_pair.local_candidate_id) },
    { "remoteCandidateId", F_TEXT, AT(candidate_pair.remote_candidate_id) },
    { "state", F_TEXT, AT(candidate_pair.state) },
    { "nominated", F_BOOL, AT(candidate_pair.nominated) },
    { "selected", F_BOOL, AT(candidate_pair.selected) },
    { "packetsSent", F_U64, AT(candidate_pair.packets_sent) },
    { "packetsReceived", F_U64, AT(candidate_pair.packets_received) },
    { "bytesSent", F_U64, AT(candidate_pair.bytes_sent) },
    { "bytesReceived", F_U64, AT(candidate_pair.bytes_received) },
    { "currentRoundTripTime", F_DOUBLE, AT(candidate_pair.current_round_trip_time) },
    { "totalRoundTripTime", F_DOUBLE, AT(candidate_pair.total_round_trip_time) },
    { "availableOutgoingBitrate", F_DOUBLE, AT(candidate_pair.available_outgoing_bitrate) },
    { "requestsSent", F_U64, AT(candidate_pair.requests_sent) },
    { "requestsReceived", F_U64, AT(candidate_pair.requests_received) },
    { "responsesSent", F_U64, AT(candidate_pair.responses_sent) },
    { "responsesReceived", F_U64, AT(candidate_pair.responses_received) },
    { "consentRequestsSent", F_U64, AT(candidate_pair.consent_requests_sent) },
    END,
};
static const field candidate_fields[] = {
    { "address", F_TEXT, AT(candidate.address) },
    { "port", F_U16, AT(candidate.port) },
    { "protocol", F_TEXT, AT(candidate.protocol) },
    { "candidateType", F_TEXT, AT(candidate.candidate_type) },
    { "priority", F_U32, AT(candidate.priority) },
    { "foundation", F_TEXT, AT(candidate.foundation) },
    { "tcpType", F_TEXT, AT(candidate.tcp_type) },
    { "relayProtocol", F_TEXT, AT(candidate.relay_protocol) },
    { "url", F_TEXT, AT(candidate.url) },
    { "relatedAddress", F_TEXT, AT(candidate.related_address) },
    { "relatedPort", F_U16, AT(candidate.related_port) },
    END,
};
static const field certificate_fields[] = {
    { "fingerprint", F_TEXT, AT(certificate.fingerprint) },
    { "fingerprintAlgorithm", F_TEXT, AT(certificate.fingerprint_algorithm) },
    END,
};
static const field codec_fields[] = {
    { "payloadType", F_U8, AT(codec.payload_type) },    { "mimeType", F_TEXT, AT(codec.mime_type) },
    { "clockRate", F_U32, AT(codec.clock_rate) },       { "channels", F_U32, AT(codec.channels) },
    { "sdpFmtpLine", F_TEXT, AT(codec.sdp_fmtp_line) }, END,
};
static const field inbound_fields[] = {
    { "ssrc", F_U32, AT(inbound_rtp.ssrc) },
    { "kind", F_TEXT, AT(inbound_rtp.kind) },
    { "mid", F_TEXT, AT(inbound_rtp.mid) },
    { "codecId", F_TEXT, AT(inbound_rtp.codec_id) },
    { "remoteId", F_TEXT, AT(inbound_rtp.remote_id) },
    { "packetsReceived", F_U64, AT(inbound_rtp.packets_received) },
    { "bytesReceived", F_U64, AT(inbound_rtp.bytes_received) },
    { "headerBytesReceived", F_U64, AT(inbound_rtp.header_bytes_received) },
    { "packetsDiscarded", F_U64, AT(inbound_rtp.packets_discarded) },
    { "retransmittedPacketsReceived", F_U64, AT(inbound_rtp.retransmitted_packets_received) },
    { "retransmittedBytesReceived", F_U64, AT(inbound_rtp.retransmitted_bytes_received) },
    { "packetsLost", F_I64, AT(inbound_rtp.packets_lost) },
    { "jitter", F_DOUBLE, AT(inbound_rtp.jitter) },
    { "lastPacketReceivedTimestamp", F_DOUBLE, AT(inbound_rtp.last_packet_received_timestamp) },
    { "nackCount", F_U64, AT(inbound_rtp.nack_count) },
    { "pliCount", F_U64, AT(inbound_rtp.pli_count) },
    { "firCount", F_U64, AT(inbound_rtp.fir_count) },
    { "framesDecoded", F_U64, AT(inbound_rtp.frames_decoded) },
    { "keyFramesDecoded", F_U64, AT(inbound_rtp.key_frames_decoded) },
    { "framesDropped", F_U64, AT(inbound_rtp.frames_dropped) },
    { "freezeCount", F_U64, AT(inbound_rtp.freeze_count) },
    { "totalFreezesDuration", F_DOUBLE, AT(inbound_rtp.total_freezes_duration) },
    { "totalDecodeTime", F_DOUBLE, AT(inbound_rtp.total_decode_time) },
    { "framesPerSecond", F_DOUBLE, AT(inbound_rtp.frames_per_second) },
    { "frameWidth", F_U32, AT(inbound_rtp.frame_width) },
    { "frameHeight", F_U32, AT(inbound_rtp.frame_height) },
    { "totalSamplesReceived", F_U64, AT(inbound_rtp.total_samples_received) },
    { "concealedSamples", F_U64, AT(inbound_rtp.concealed_samples) },
    { "silentConcealedSamples", F_U64, AT(inbound_rtp.silent_concealed_samples) },
    { "concealmentEvents", F_U64, AT(inbound_rtp.concealment_events) },
    { "insertedSamplesForDeceleration", F_U64, AT(inbound_rtp.inserted_samples_for_deceleration) },
    { "removedSamplesForAcceleration", F_U64, AT(inbound_rtp.removed_samples_for_acceleration) },
    { "jitterBufferDelay", F_DOUBLE, AT(inbound_rtp.jitter_buffer_delay) },
    { "jitterBufferTargetDelay", F_DOUBLE, AT(inbound_rtp.jitter_buffer_target_delay) },
    { "jitterBufferEmittedCount", F_U64, AT(inbound_rtp.jitter_buffer_emitted_count) },
    { "audioLevel", F_DOUBLE, AT(inbound_rtp.audio_level) },
    { "totalAudioEnergy", F_DOUBLE, AT(inbound_rtp.total_audio_energy) },
    END,
};
static const field outbound_fields[] = {
    { "ssrc", F_U32, AT(outbound_rtp.ssrc) },
    { "rtxSsrc", F_U32, AT(outbound_rtp.rtx_ssrc) },
    { "kind", F_TEXT, AT(outbound_rtp.kind) },
    { "mid", F_TEXT, AT(outbound_rtp.mid) },
    { "codecId", F_TEXT, AT(outbound_rtp.codec_id) },
    { "remoteId", F_TEXT, AT(outbound_rtp.remote_id) },
    { "packetsSent", F_U64, AT(outbound_rtp.packets_sent) },
    { "bytesSent", F_U64, AT(outbound_rtp.bytes_sent) },
    { "headerBytesSent", F_U64, AT(outbound_rtp.header_bytes_sent) },
    { "retransmittedPacketsSent", F_U64, AT(outbound_rtp.retransmitted_packets_sent) },
    { "retransmittedBytesSent", F_U64, AT(outbound_rtp.retransmitted_bytes_sent) },
    { "nackCount", F_U64, AT(outbound_rtp.nack_count) },
    { "pliCount", F_U64, AT(outbound_rtp.pli_count) },
    { "firCount", F_U64, AT(outbound_rtp.fir_count) },
    { "targetBitrate", F_DOUBLE, AT(outbound_rtp.target_bitrate) },
    { "totalEncodeTime", F_DOUBLE, AT(outbound_rtp.total_encode_time) },
    { "framesPerSecond", F_DOUBLE, AT(outbound_rtp.frames_per_second) },
    { "framesEncoded", F_U64, AT(outbound_rtp.frames_encoded) },
    { "keyFramesEncoded", F_U64, AT(outbound_rtp.key_frames_encoded) },
    { "frameWidth", F_U32, AT(outbound_rtp.frame_width) },
    { "frameHeight", F_U32, AT(outbound_rtp.frame_height) },
    END,
};
static const field remote_inbound_fields[] = {
    { "ssrc", F_U32, AT(remote_inbound_rtp.ssrc) },
    { "kind", F_TEXT, AT(remote_inbound_rtp.kind) },
    { "localId", F_TEXT, AT(remote_inbound_rtp.local_id) },
    { "packetsLost", F_I64, AT(remote_inbound_rtp.packets_lost) },
    { "jitter", F_DOUBLE, AT(remote_inbound_rtp.jitter) },
    { "roundTripTime", F_DOUBLE, AT(remote_inbound_rtp.round_trip_time) },
    { "totalRoundTripTime", F_DOUBLE, AT(remote_inbound_rtp.total_round_trip_time) },
    { "roundTripTimeMeasurements", F_U64, AT(remote_inbound_rtp.round_trip_time_measurements) },
    { "fractionLost", F_DOUBLE, AT(remote_inbound_rtp.fraction_lost) },
    END,
};
static const field remote_outbound_fields[] = {
    { "ssrc", F_U32, AT(remote_outbound_rtp.ssrc) },
    { "kind", F_TEXT, AT(remote_outbound_rtp.kind) },
    { "localId", F_TEXT, AT(remote_outbound_rtp.local_id) },
    { "packetsSent", F_U64, AT(remote_outbound_rtp.packets_sent) },
    { "bytesSent", F_U64, AT(remote_outbound_rtp.bytes_sent) },
    { "reportsSent", F_U64, AT(remote_outbound_rtp.reports_sent) },
    { "remoteTimestamp", F_DOUBLE, AT(remote_outbound_rtp.remote_timestamp) },
    END,
};
static const field channel_fields[] = {
    { "label", F_TEXT, AT(data_channel.label) },
    { "protocol", F_TEXT, AT(data_channel.protocol) },
    { "state", F_TEXT, AT(data_channel.state) },
    { "dataChannelIdentifier", F_I32, AT(data_channel.data_channel_identifier) },
    { "messagesSent", F_U64, AT(data_channel.messages_sent) },
    { "bytesSent", F_U64, AT(data_channel.bytes_sent) },
    { "messagesReceived", F_U64, AT(data_channel.messages_received) },
    { "bytesReceived", F_U64, AT(data_channel.bytes_received) },
    END,
};

static const struct {
    const char *name;
    const field *fields;
} type_of[] = {
    [PL_STATS_PEER_CONNECTION] = { "peer-connection", peer_connection_fields },
    [PL_STATS_TRANSPORT] = { "transport", transport_fields },
    [PL_STATS_CANDIDATE_PAIR] = { "candidate-pair", pair_fields },
    [PL_STATS_LOCAL_CANDIDATE] = { "local-candidate", candidate_fields },
    [PL_STATS_REMOTE_CANDIDATE] = { "remote-candidate", candidate_fields },
    [PL_STATS_CERTIFICATE] = { "certificate", certificate_fields },
    [PL_STATS_CODEC] = { "codec", codec_fields },
    [PL_STATS_INBOUND_RTP] = { "inbound-rtp", inbound_fields },
    [PL_STATS_OUTBOUND_RTP] = { "outbound-rtp", outbound_fields },
    [PL_STATS_REMOTE_INBOUND_RTP] = { "remote-inbound-rtp", remote_inbound_fields },
    [PL_STATS_REMOTE_OUTBOUND_RTP] = { "remote-outbound-rtp", remote_outbound_fields },
    [PL_STATS_DATA_CHANNEL] = { "data-channel", channel_fields },
};

const char *pl_stats_type_str(pl_stats_type type)
{
    return type_of[type].name;
}

const pl_stats *pl_stats_find(const pl_stats_report *report, pl_stats_type type, size_t from)
{
    for (size_t i = from; i < report->n; i++) {
        if (report->stats[i].type == type)
            return &report->stats[i];
    }
    return NULL;
}

static void write_text(pl_buf *b, const char *text)
{
    pl_buf_add(b, "\"", 1);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            pl_buf_addf(b, "\\%c", *p);
        else if (*p < 0x20)
            pl_buf_addf(b, "\\u%04x", *p);
        else
            pl_buf_add(b, p, 1);
    }
    pl_buf_add(b, "\"", 1);
}

static void write_value(pl_buf *b, field_kind kind, const void *at)
{
    switch (kind) {
    case F_TEXT: write_text(b, at); break;
    case F_U8: pl_buf_addf(b, "%u", *(const uint8_t *)at); break;
    case F_U16: pl_buf_addf(b, "%u", *(const uint16_t *)at); break;
    case F_U32: pl_buf_addf(b, "%u", *(const uint32_t *)at); break;
    case F_U64: pl_buf_addf(b, "%llu", (unsigned long long)*(const uint64_t *)at); break;
    case F_I32: pl_buf_addf(b, "%d", *(const int32_t *)at); break;
    case F_I64: pl_buf_addf(b, "%lld", (long long)*(const int64_t *)at); break;
    case F_DOUBLE: pl_buf_addf(b, "%.10g", *(const double *)at); break;
    case F_BOOL: pl_buf_addf(b, "%s", *(const bool *)at ? "true" : "false"); break;
    }
}

static void write_object(pl_buf *b, const pl_stats *s)
{
    pl_buf_addf(b, "{\"type\":\"%s\",\"id\":", type_of[s->type].name);
    write_text(b, s->id);
    pl_buf_addf(b, ",\"timestamp\":%.3f", s->timestamp);
    for (const field *f = type_of[s->type].fields; f->name; f++) {
        pl_buf_addf(b, ",\"%s\":", f->name);
        write_value(b, f->kind, (const char *)s + f->at);
    }
    pl_buf_add(b, "}", 1);
}

char *pl_stats_report_json(const pl_stats_report *report)
{
    pl_buf b = pl_buf_init(JSON_MAX);
    pl_buf_add(&b, "[", 1);
    for (size_t i = 0; i < report->n; i++) {
        if (i)
            pl_buf_add(&b, ",", 1);
        write_object(&b, &report->stats[i]);
    }
    pl_buf_add(&b, "]", 1);
    return pl_buf_take(&b);
}

void pl_stats_report_free(pl_stats_report *report)
{
    if (!report)
        return;
    free(report->stats);
    free(report);
}
