#include "peerline/error.h"

const char *pl_err_str(pl_err err)
{
    switch (err) {
    case PL_OK: return "ok";
    case PL_EPROTO: return "protocol: the peer or a text breaks its specification";
    case PL_ENOSPC: return "limit reached: make room, or ask for less";
    case PL_EAGAIN: return "not now: an event will say when";
    case PL_ESTATE: return "invalid state for this call";
    case PL_ENOMEM: return "out of memory";
    case PL_EIO: return "the operating system refused";
    case PL_EINVAL: return "invalid argument";
    case PL_ENOTSUP: return "not supported";
    }
    return "unknown error";
}
