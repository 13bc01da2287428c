/* message.h - STUN messages: reading them from a datagram and building them into a buffer.
 * Source   RFC 8489 5, 6, 14; RFC 5780 7; RFC 8445 16; RFC 8656 18; RFC 3489 for messages without cookie.
 * Shape    pl_stun_msg is a view of lent bytes, pl_stun_wr fills lent bytes; neither owns anything.
 * Errors   a short buffer or value makes the writer go bad and stay so; pl_stun_end then gives 0. */
#ifndef PL_STUN_MESSAGE_H
#define PL_STUN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/slice.h"

#define PL_STUN_COOKIE UINT32_C(0x2112A442)

enum {
    PL_STUN_HEADER_LEN = 20,
    PL_STUN_ID_LEN = 12,
    PL_STUN_ATTRS_MAX = 64,  /* more attributes in one message are refused: PL_ENOSPC */
    PL_STUN_UNKNOWN_MAX = 16 /* unknown types remembered; further ones are only counted */
};

typedef enum pl_stun_class {
    PL_STUN_REQUEST = 0,
    PL_STUN_INDICATION = 1,
    PL_STUN_SUCCESS = 2,
    PL_STUN_ERROR = 3
} pl_stun_class;

enum { /* methods */
       PL_STUN_BINDING = 0x001,
       PL_STUN_SHARED_SECRET = 0x002, /* RFC 3489 only */
       PL_STUN_ALLOCATE = 0x003,
       PL_STUN_REFRESH = 0x004,
       PL_STUN_SEND = 0x006,
       PL_STUN_DATA = 0x007,
       PL_STUN_CREATE_PERMISSION = 0x008,
       PL_STUN_CHANNEL_BIND = 0x009,
       PL_STUN_CONNECT = 0x00a, /* RFC 6062 */
       PL_STUN_CONNECTION_BIND = 0x00b,
       PL_STUN_CONNECTION_ATTEMPT = 0x00c
};

enum { /* attributes; under 0x8000 the reader must understand them */
       PL_STUN_MAPPED_ADDRESS = 0x0001,
       PL_STUN_RESPONSE_ADDRESS = 0x0002, /* RFC 3489 */
       PL_STUN_CHANGE_REQUEST = 0x0003,   /* RFC 5780 */
       PL_STUN_SOURCE_ADDRESS = 0x0004,   /* RFC 3489 */
       PL_STUN_CHANGED_ADDRESS = 0x0005,  /* RFC 3489 */
       PL_STUN_USERNAME = 0x0006,
       PL_STUN_PASSWORD = 0x0007, /* RFC 3489 */
       PL_STUN_MESSAGE_INTEGRITY = 0x0008,
       PL_STUN_ERROR_CODE = 0x0009,
       PL_STUN_UNKNOWN_ATTRIBUTES = 0x000a,
       PL_STUN_REFLECTED_FROM = 0x000b,   /* RFC 3489 */
       PL_STUN_CHANNEL_NUMBER = 0x000c,   /* RFC 8656 */
       PL_STUN_LIFETIME = 0x000d,         /* RFC 8656 */
       PL_STUN_XOR_PEER_ADDRESS = 0x0012, /* RFC 8656 */
       PL_STUN_DATA_ATTR = 0x0013,        /* RFC 8656 */
       PL_STUN_REALM = 0x0014,
       PL_STUN_NONCE = 0x0015,
       PL_STUN_XOR_RELAYED_ADDRESS = 0x0016,      /* RFC 8656 */
       PL_STUN_REQUESTED_ADDRESS_FAMILY = 0x0017, /* RFC 8656 */
       PL_STUN_EVEN_PORT = 0x0018,                /* RFC 8656 */
       PL_STUN_REQUESTED_TRANSPORT = 0x0019,      /* RFC 8656 */
       PL_STUN_DONT_FRAGMENT = 0x001a,            /* RFC 8656 */
       PL_STUN_ACCESS_TOKEN = 0x001b,             /* RFC 7635 */
       PL_STUN_MESSAGE_INTEGRITY_SHA256 = 0x001c,
       PL_STUN_PASSWORD_ALGORITHM = 0x001d,
       PL_STUN_USERHASH = 0x001e,
       PL_STUN_XOR_MAPPED_ADDRESS = 0x0020,
       PL_STUN_RESERVATION_TOKEN = 0x0022,         /* RFC 8656 */
       PL_STUN_PRIORITY = 0x0024,                  /* RFC 8445 */
       PL_STUN_USE_CANDIDATE = 0x0025,             /* RFC 8445 */
       PL_STUN_PADDING = 0x0026,                   /* RFC 5780 */
       PL_STUN_RESPONSE_PORT = 0x0027,             /* RFC 5780 */
       PL_STUN_CONNECTION_ID = 0x002a,             /* RFC 6062 */
       PL_STUN_ADDITIONAL_ADDRESS_FAMILY = 0x8000, /* RFC 8656 */
       PL_STUN_ADDRESS_ERROR_CODE = 0x8001,        /* RFC 8656 */
       PL_STUN_PASSWORD_ALGORITHMS = 0x8002,
       PL_STUN_ALTERNATE_DOMAIN = 0x8003,
       PL_STUN_ICMP = 0x8004, /* RFC 8656 */
       PL_STUN_SOFTWARE = 0x8022,
       PL_STUN_ALTERNATE_SERVER = 0x8023,
       PL_STUN_CACHE_TIMEOUT = 0x8027, /* RFC 5780 */
       PL_STUN_FINGERPRINT = 0x8028,
       PL_STUN_ICE_CONTROLLED = 0x8029,            /* RFC 8445 */
       PL_STUN_ICE_CONTROLLING = 0x802a,           /* RFC 8445 */
       PL_STUN_RESPONSE_ORIGIN = 0x802b,           /* RFC 5780 */
       PL_STUN_OTHER_ADDRESS = 0x802c,             /* RFC 5780 */
       PL_STUN_THIRD_PARTY_AUTHORIZATION = 0x802e, /* RFC 7635 */
       PL_STUN_MOBILITY_TICKET = 0x8030            /* RFC 8016 */
};

enum { /* limits on text, in bytes (RFC 8489 14.3, 14.9, 14.10, 14.14) */
       PL_STUN_USERNAME_MAX = 508,
       PL_STUN_TEXT_MAX = 763,
       PL_STUN_USERHASH_LEN = 32
};

enum { PL_STUN_CHANGE_IP = 4, PL_STUN_CHANGE_PORT = 2 }; /* CHANGE-REQUEST */

/* ---- reading ---- */
typedef struct pl_stun_msg {
    const uint8_t *pkt;
    size_t len;
    uint16_t method;
    uint8_t cls;       /* pl_stun_class */
    bool classic;      /* no cookie: RFC 3489, whose transaction id is pkt[4..20) */
    const uint8_t *id; /* PL_STUN_ID_LEN bytes inside pkt */
    uint16_t n_attrs;
    uint16_t integrity_at; /* offsets of the attributes' headers in pkt; 0: absent */
    uint16_t integrity256_at;
    uint16_t fingerprint_at;
    uint16_t attrs_end; /* what stands behind it is not protected and not read */
    uint16_t n_unknown; /* comprehension-required types we do not know, in order */
    uint16_t unknown[PL_STUN_UNKNOWN_MAX];
} pl_stun_msg;

/* Cheap test for a demultiplexer: two zero bits, cookie, and a length that fits the datagram. A classic
 * message (no cookie) passes only pl_stun_parse. */
bool pl_stun_is_message(const uint8_t *pkt, size_t len);
/* The whole datagram must be one message: header, attributes inside the length, each inside its own,
 * FINGERPRINT last. Attributes behind MESSAGE-INTEGRITY other than MESSAGE-INTEGRITY-SHA256 and FINGERPRINT
 * are ignored (RFC 8489 14.5). Checks neither integrity nor fingerprint (integrity.h). Errors: PL_EPROTO,
 * PL_ENOSPC. */
PL_NODISCARD pl_err pl_stun_parse(pl_stun_msg *out, const void *pkt, size_t len);
/* Whether we know the type (or may ignore it). */
bool pl_stun_knows(uint16_t type);
/* Text for logs: "Binding", … and "request", …; never NULL. */
const char *pl_stun_method_str(uint16_t method);
const char *pl_stun_class_str(uint8_t cls);

/* The value of the first attribute of that type; further ones are ignored (RFC 8489 14). false: absent. */
bool pl_stun_find(const pl_stun_msg *m, uint16_t type, pl_rd *value);
/* The nth of its type, from 0, for those that may stand several times (XOR-PEER-ADDRESS). */
bool pl_stun_find_nth(const pl_stun_msg *m, uint16_t type, unsigned nth, pl_rd *value);
bool pl_stun_has(const pl_stun_msg *m, uint16_t type);

/* Typed getters. Absent gives PL_ENOTSUP, a value of the wrong form PL_EPROTO; out is
 * zeroed in both cases. */
PL_NODISCARD pl_err pl_stun_get_addr(const pl_stun_msg *m, uint16_t type,
                                     pl_addr *out); /* *-ADDRESS, -SERVER */
PL_NODISCARD pl_err pl_stun_get_addr_nth(const pl_stun_msg *m, uint16_t type, unsigned nth, pl_addr *out);
PL_NODISCARD pl_err pl_stun_get_xor_addr(const pl_stun_msg *m, uint16_t type,
                                         pl_addr *out); /* XOR-*-ADDRESS */
PL_NODISCARD pl_err pl_stun_get_xor_addr_nth(const pl_stun_msg *m, uint16_t type, unsigned nth, pl_addr *out);
PL_NODISCARD pl_err pl_stun_get_u32(const pl_stun_msg *m, uint16_t type,
                                    uint32_t *out); /* PRIORITY, LIFETIME, … */
PL_NODISCARD pl_err pl_stun_get_u64(const pl_stun_msg *m, uint16_t type,
                                    uint64_t *out); /* ICE-CONTROLLED, … */
PL_NODISCARD pl_err pl_stun_get_str(const pl_stun_msg *m, uint16_t type,
                                    pl_str *out);                          /* USERNAME, REALM, … */
PL_NODISCARD pl_err pl_stun_get_flag(const pl_stun_msg *m, uint16_t type); /* USE-CANDIDATE, DONT-FRAGMENT */
/* RESPONSE-PORT, CHANNEL-NUMBER: 16 bits and two reserved bytes. */
PL_NODISCARD pl_err pl_stun_get_u16(const pl_stun_msg *m, uint16_t type, uint16_t *out);
/* REQUESTED-TRANSPORT, REQUESTED-ADDRESS-FAMILY, ADDITIONAL-ADDRESS-FAMILY, EVEN-PORT: the first byte. */
PL_NODISCARD pl_err pl_stun_get_u8(const pl_stun_msg *m, uint16_t type, uint8_t *out);
/* ERROR-CODE: code 300..699; the reason phrase may be empty. */
PL_NODISCARD pl_err pl_stun_get_error(const pl_stun_msg *m, uint16_t *code, pl_str *reason);
/* UNKNOWN-ATTRIBUTES: up to cap types, *n how many there are. */
PL_NODISCARD pl_err pl_stun_get_unknown(const pl_stun_msg *m, uint16_t *types, size_t cap, size_t *n);
/* ADDRESS-ERROR-CODE (RFC 8656 18.12) and ICMP (18.13). */
PL_NODISCARD pl_err pl_stun_get_address_error(const pl_stun_msg *m, pl_family *family, uint16_t *code,
                                              pl_str *reason);
typedef struct pl_stun_icmp {
    uint8_t type;  /* 7 bits */
    uint16_t code; /* 9 bits */
    uint32_t data;
} pl_stun_icmp;
PL_NODISCARD pl_err pl_stun_get_icmp(const pl_stun_msg *m, pl_stun_icmp *out);
/* PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS: bit 1 << n is set for each algorithm n < 32 (1 MD5,
 * 2 SHA-256). */
enum { PL_STUN_ALG_MD5 = 1, PL_STUN_ALG_SHA256 = 2 };
PL_NODISCARD pl_err pl_stun_get_algorithm(const pl_stun_msg *m, uint16_t *out);
PL_NODISCARD pl_err pl_stun_get_algorithms(const pl_stun_msg *m, uint32_t *set);

/* ---- building ---- */
typedef struct pl_stun_wr {
    pl_wr w;
} pl_stun_wr;

/* id: PL_STUN_ID_LEN bytes. */
pl_stun_wr pl_stun_begin(void *buf, size_t cap, pl_stun_class cls, uint16_t method, const uint8_t *id);
/* The answer to a request: its method and its whole transaction id, with or without cookie. */
pl_stun_wr pl_stun_begin_reply(void *buf, size_t cap, pl_stun_class cls, const pl_stun_msg *request);
void pl_stun_put(pl_stun_wr *s, uint16_t type, const void *value, size_t len);
void pl_stun_put_str(pl_stun_wr *s, uint16_t type, pl_str text);
void pl_stun_put_flag(pl_stun_wr *s, uint16_t type);
void pl_stun_put_u8(pl_stun_wr *s, uint16_t type, uint8_t v);   /* and three reserved bytes */
void pl_stun_put_even_port(pl_stun_wr *s, bool reserve);        /* one byte, RFC 8656 18.6 */
void pl_stun_put_u16(pl_stun_wr *s, uint16_t type, uint16_t v); /* and two reserved bytes */
void pl_stun_put_u32(pl_stun_wr *s, uint16_t type, uint32_t v);
void pl_stun_put_u64(pl_stun_wr *s, uint16_t type, uint64_t v);
void pl_stun_put_addr(pl_stun_wr *s, uint16_t type, const pl_addr *a);
void pl_stun_put_xor_addr(pl_stun_wr *s, uint16_t type, const pl_addr *a);
void pl_stun_put_error(pl_stun_wr *s, uint16_t code, const char *reason); /* NULL: the standard phrase */
void pl_stun_put_unknown(pl_stun_wr *s, const uint16_t *types, size_t n);
void pl_stun_put_address_error(pl_stun_wr *s, pl_family family, uint16_t code, const char *reason);
void pl_stun_put_icmp(pl_stun_wr *s, const pl_stun_icmp *icmp);
void pl_stun_put_algorithm(pl_stun_wr *s, uint16_t algorithm);
void pl_stun_put_algorithms(pl_stun_wr *s, const uint16_t *algorithms, size_t n);
/* The message's length, or 0 when something did not fit. Integrity and fingerprint go before it. */
size_t pl_stun_end(pl_stun_wr *s);
/* RFC 8489 14.8, 8445, 8656: "Unauthenticated" for 401 and so on; "Error" for others. */
const char *pl_stun_reason(uint16_t code);

#endif
