/* file.h - what is said of a file that is offered or asked for.
 * Source   XEP-0234 0.19 (the application, versions 4 and 5 of its namespace), XEP-0300 (hashes), XEP-0261 and 0260 (the
 *          transports' elements are in ibb.h and s5b.h), XEP-0096 (what came before, answered by pointing here).
 * Shape    a plain value; functions over elements.
 * Errors   PL_EPROTO: malformed; PL_ENOSPC: longer than the fields.
 * Thread   any. */
#ifndef PL_JINGLE_FILE_H
#define PL_JINGLE_FILE_H

#include "jingle/names.h"
#include "xml/element.h"

enum { PL_JINGLE_FILE_NAME_MAX = 255, PL_JINGLE_FILE_HASHES_MAX = 4, PL_JINGLE_FILE_HASH_MAX = 64 };

typedef struct pl_jingle_hash {
    char algo[24];  /* "sha-256" */
    bool used_only; /* it will be known when the file has been sent ("hash-used") */
    uint8_t len;
    uint8_t value[PL_JINGLE_FILE_HASH_MAX];
} pl_jingle_hash;

typedef struct pl_jingle_file {
    char name[PL_JINGLE_FILE_NAME_MAX +
              1]; /* no path: what stood before the last / or \ is gone; "" not said */
    char media_type[128], desc[512], date[40];
    bool has_size, has_range;
    uint64_t size;                       /* bytes */
    uint64_t range_offset, range_length; /* length 0: to the end */
    pl_jingle_hash hash[PL_JINGLE_FILE_HASHES_MAX];
    size_t n_hashes;
} pl_jingle_file;

/* A <description/> with the file in a content; with `range` also the part that is meant: an offer says by an empty one that
 * it can begin anywhere, an acceptance says where. */
pl_xml *pl_jingle_file_write(pl_xml *content, const pl_jingle_file *f);
PL_NODISCARD pl_err pl_jingle_file_parse(const pl_xml *description, pl_jingle_file *out);
/* The hash by this algorithm, or NULL. */
const pl_jingle_hash *pl_jingle_file_hash(const pl_jingle_file *f, const char *algo);
/* False without memory of it: PL_JINGLE_FILE_HASHES_MAX are there already, or too long. */
bool pl_jingle_file_add_hash(pl_jingle_file *f, const char *algo, const uint8_t *value, size_t len);
/* From where on and how much of the file a session carries, given what was agreed to. False: outside of the file. */
bool pl_jingle_file_part(const pl_jingle_file *f, uint64_t *offset, uint64_t *length);

/* Payloads of session-infos, roots: the whole file is here; its hashes, known at last. */
pl_xml *pl_jingle_file_received(const char *creator, const char *content);
pl_xml *pl_jingle_file_checksum(const char *creator, const char *content, const pl_jingle_file *f);
/* The hashes of a checksum, in out->hash. */
PL_NODISCARD pl_err pl_jingle_file_checksum_parse(const pl_xml *checksum, pl_jingle_file *out);

/* The answer to a stream initiation of XEP-0096: not spoken, its successor is. NULL: it is none, or no memory. */
pl_xml *pl_jingle_file_answer_si(const pl_xml *iq);

#endif
