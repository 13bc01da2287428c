/* words.c - the W3C's words for states, as the public interface gives them. */
#include "peerline/peer_connection.h"

const char *pl_signaling_state_str(pl_signaling_state state)
{
    switch (state) {
    case PL_SIGNALING_STABLE: return "stable";
    case PL_SIGNALING_HAVE_LOCAL_OFFER: return "have-local-offer";
    case PL_SIGNALING_HAVE_REMOTE_OFFER: return "have-remote-offer";
    case PL_SIGNALING_HAVE_LOCAL_PRANSWER: return "have-local-pranswer";
    case PL_SIGNALING_HAVE_REMOTE_PRANSWER: return "have-remote-pranswer";
    case PL_SIGNALING_CLOSED: return "closed";
    }
    return "?";
}

const char *pl_ice_gathering_state_str(pl_ice_gathering_state state)
{
    switch (state) {
    case PL_ICE_GATHERING_NEW: return "new";
    case PL_ICE_GATHERING_GATHERING: return "gathering";
    case PL_ICE_GATHERING_COMPLETE: return "complete";
    }
    return "?";
}

const char *pl_ice_connection_state_str(pl_ice_connection_state state)
{
    switch (state) {
    case PL_ICE_CONNECTION_NEW: return "new";
    case PL_ICE_CONNECTION_CHECKING: return "checking";
    case PL_ICE_CONNECTION_CONNECTED: return "connected";
    case PL_ICE_CONNECTION_COMPLETED: return "completed";
    case PL_ICE_CONNECTION_DISCONNECTED: return "disconnected";
    case PL_ICE_CONNECTION_FAILED: return "failed";
    case PL_ICE_CONNECTION_CLOSED: return "closed";
    }
    return "?";
}

const char *pl_peer_connection_state_str(pl_peer_connection_state state)
{
    switch (state) {
    case PL_CONNECTION_NEW: return "new";
    case PL_CONNECTION_CONNECTING: return "connecting";
    case PL_CONNECTION_CONNECTED: return "connected";
    case PL_CONNECTION_DISCONNECTED: return "disconnected";
    case PL_CONNECTION_FAILED: return "failed";
    case PL_CONNECTION_CLOSED: return "closed";
    }
    return "?";
}

const char *pl_sdp_type_str(pl_sdp_type type)
{
    switch (type) {
    case PL_SDP_OFFER: return "offer";
    case PL_SDP_PRANSWER: return "pranswer";
    case PL_SDP_ANSWER: return "answer";
    case PL_SDP_ROLLBACK: return "rollback";
    }
    return "?";
}

const char *pl_direction_str(pl_direction direction)
{
    switch (direction) {
    case PL_SENDRECV: return "sendrecv";
    case PL_SENDONLY: return "sendonly";
    case PL_RECVONLY: return "recvonly";
    case PL_INACTIVE: return "inactive";
    case PL_STOPPED: return "stopped";
    }
    return "?";
}

const char *pl_data_channel_state_str(pl_data_channel_state state)
{
    switch (state) {
    case PL_CHANNEL_CONNECTING: return "connecting";
    case PL_CHANNEL_OPEN: return "open";
    case PL_CHANNEL_CLOSING: return "closing";
    case PL_CHANNEL_CLOSED: return "closed";
    }
    return "?";
}
