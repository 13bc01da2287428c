/* message.h - the messages of a transfer: binary, one type byte first, big endian.
 * Source   ours; docs/transfer.md is the specification.
 * Shape    plain values; texts and bytes are lent from the message. Readers take what stood behind the type byte.
 * Errors   PL_EPROTO: too short, trailing bytes, a value out of range. */
#ifndef PL_TRANSFER_MESSAGE_H
#define PL_TRANSFER_MESSAGE_H

#include "base/bytes.h"
#include "transfer/manifest.h"

#define PL_TRANSFER_LABEL    "peerline-files"   /* of the data channel */
#define PL_TRANSFER_PROTOCOL "peerline-files.1" /* and its protocol */

enum {
    PL_TRANSFER_ID_LEN = 16,
    PL_TRANSFER_DATA_HEADER = 16,     /* in front of the bytes of a DATA message */
    PL_TRANSFER_MESSAGE_MIN = 4096,   /* a channel must carry at least this */
    PL_TRANSFER_MESSAGE_MAX = 262144, /* and is not asked for more */
    PL_TRANSFER_TEXT_MAX = 256,       /* bytes of a reason */
    PL_TRANSFER_HAVE_LEN = 44         /* of one item of HAVE */
};

typedef enum pl_transfer_type {
    PL_TRANSFER_OFFER = 1,    /* sender: a transfer begins, or comes back                     */
    PL_TRANSFER_ENTRIES = 2,  /* sender: some of what is offered, in order                    */
    PL_TRANSFER_HAVE = 3,     /* receiver: of these files I have so much, hashed              */
    PL_TRANSFER_ACCEPT = 4,   /* receiver: go on, with so much unacknowledged                 */
    PL_TRANSFER_BEGIN = 5,    /* sender: a file, from this offset                             */
    PL_TRANSFER_DATA = 6,     /* sender: bytes of it                                          */
    PL_TRANSFER_END = 7,      /* sender: that was all of it; its size and SHA-256             */
    PL_TRANSFER_MISSING = 8,  /* sender: this file cannot be read (to its end)                */
    PL_TRANSFER_RECEIVED = 9, /* receiver: so many bytes are stored                           */
    PL_TRANSFER_STORED = 10,  /* receiver: this file is whole and in its place, or is not     */
    PL_TRANSFER_DONE = 11,    /* sender: every file has been answered for                     */
    PL_TRANSFER_CANCEL = 12   /* either: the end, and why                                     */
} pl_transfer_type;

/* Why a transfer ends early. */
typedef enum pl_transfer_code {
    PL_TRANSFER_DECLINED = 1, /* the receiver does not want it                         */
    PL_TRANSFER_STOPPED = 2,  /* somebody has had enough                               */
    PL_TRANSFER_REFUSED = 3,  /* a name, a size, or how many there are                 */
    PL_TRANSFER_NO_SPACE = 4, /* the receiver's disk                                   */
    PL_TRANSFER_BROKEN = 5,   /* the other side breaks the protocol                    */
    PL_TRANSFER_FAILED = 6,   /* this side cannot go on                                */
    PL_TRANSFER_BUSY = 7      /* another transfer goes on                              */
} pl_transfer_code;
const char *pl_transfer_code_str(unsigned code); /* "declined" ...; never NULL */

/* How a file has ended at the receiver. */
typedef enum pl_transfer_status {
    PL_TRANSFER_WHOLE = 0,     /* stored, its hash is the sender's          */
    PL_TRANSFER_DAMAGED = 1,   /* the hash is another: it was thrown away   */
    PL_TRANSFER_UNWRITTEN = 2, /* it could not be written                   */
    PL_TRANSFER_UNREAD = 3     /* it could not be read by its sender        */
} pl_transfer_status;

typedef struct pl_transfer_offer {
    uint8_t id[PL_TRANSFER_ID_LEN];
    uint32_t n_entries;
    uint64_t total;
} pl_transfer_offer;
typedef struct pl_transfer_have {
    uint32_t index;
    uint64_t offset;
    uint8_t sha256[PL_SHA256_LEN];
} pl_transfer_have;
typedef struct pl_transfer_spot { /* BEGIN; DATA in front of its bytes */
    uint32_t index;
    uint64_t offset;
} pl_transfer_spot;
typedef struct pl_transfer_end {
    uint32_t index;
    uint64_t size;
    uint8_t sha256[PL_SHA256_LEN];
} pl_transfer_end;
typedef struct pl_transfer_note { /* MISSING, STORED, CANCEL: a number and a sentence */
    uint32_t index;               /* of MISSING and STORED */
    uint8_t code;
    pl_str text; /* UTF-8 without control characters */
} pl_transfer_note;

PL_NODISCARD pl_err pl_transfer_read_offer(pl_transfer_offer *out, pl_rd body);
/* One item from the front of *body; ask while bytes are left. */
PL_NODISCARD pl_err pl_transfer_read_entry(pl_transfer_entry *out, pl_rd *body);
PL_NODISCARD pl_err pl_transfer_read_have(pl_transfer_have *out, pl_rd *body);
PL_NODISCARD pl_err pl_transfer_read_accept(uint64_t *window, pl_rd body);
PL_NODISCARD pl_err pl_transfer_read_begin(pl_transfer_spot *out, pl_rd body);
PL_NODISCARD pl_err pl_transfer_read_data(pl_transfer_spot *out, pl_rd *body); /* the bytes stay in *body */
PL_NODISCARD pl_err pl_transfer_read_end(pl_transfer_end *out, pl_rd body);
PL_NODISCARD pl_err pl_transfer_read_received(uint64_t *bytes, pl_rd body);
PL_NODISCARD pl_err pl_transfer_read_note(pl_transfer_note *out, pl_transfer_type type, pl_rd body);

/* Writers put the type byte, too. */
void pl_transfer_write_offer(pl_wr *w, const pl_transfer_offer *o);
void pl_transfer_write_entry(pl_wr *w, const pl_transfer_entry *e); /* an item, behind the type byte */
void pl_transfer_write_have(pl_wr *w, const pl_transfer_have *h);   /* the same */
void pl_transfer_write_accept(pl_wr *w, uint64_t window);
void pl_transfer_write_spot(pl_wr *w, pl_transfer_type type, const pl_transfer_spot *s); /* BEGIN and DATA */
void pl_transfer_write_end(pl_wr *w, const pl_transfer_end *e);
void pl_transfer_write_received(pl_wr *w, uint64_t bytes);
/* The text is cut to PL_TRANSFER_TEXT_MAX between two characters. */
void pl_transfer_write_note(pl_wr *w, pl_transfer_type type, const pl_transfer_note *n);

#endif
