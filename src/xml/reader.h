/* reader.h - XML as it arrives in pieces, to elements: a stream of stanzas, or one whole document.
 * Source   RFC 6120 4 and 11 (what XML a stream may not hold), RFC 7395 (one element a frame). expat parses.
 * Shape    sans-I/O: pl_xml_reader_input takes bytes, pl_xml_reader_poll gives what they amounted to.
 * Errors   PL_EPROTO: not well-formed, or forbidden (declarations of types and entities, references to entities but the
 *          five, processing instructions, comments, text between stanzas but white space, encodings but UTF-8);
 *          PL_ENOSPC: deeper, longer or more than the limits. Both stick; pl_xml_reader_why says more.
 * Thread   its owner's. */
#ifndef PL_XML_READER_H
#define PL_XML_READER_H

#include "xml/element.h"

typedef struct pl_xml_reader pl_xml_reader;

typedef enum pl_xml_reader_kind {
    PL_XML_STREAM,   /* the first tag opens a stream; its children are the stanzas */
    PL_XML_DOCUMENT, /* one element with all that is in it */
} pl_xml_reader_kind;

typedef enum pl_xml_read_type {
    PL_XML_OPENED,  /* PL_XML_STREAM: element is the opening tag, without children */
    PL_XML_ELEMENT, /* element is a stanza, or the document */
    PL_XML_CLOSED,  /* PL_XML_STREAM: the closing tag; element is NULL */
} pl_xml_read_type;

typedef struct pl_xml_read {
    pl_xml_read_type type;
    pl_xml *element; /* a root; the caller's to free */
} pl_xml_read;

/* stanza_max: bytes of one stanza as text, the opening tag too; 0: 256 KiB. Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_xml_reader_new(pl_xml_reader **out, pl_xml_reader_kind kind, size_t stanza_max);
void pl_xml_reader_free(pl_xml_reader *r);
/* Errors: PL_EPROTO, PL_ENOSPC, PL_ENOMEM; all stick until reset. What was whole before the fault can still be polled. */
PL_NODISCARD pl_err pl_xml_reader_input(pl_xml_reader *r, const void *data, size_t len);
bool pl_xml_reader_poll(pl_xml_reader *r, pl_xml_read *out);
/* Forgets all: a new stream begins (after STARTTLS and SASL, RFC 6120 4.3.3). May not fail after new. */
void pl_xml_reader_reset(pl_xml_reader *r);
/* PL_XML_STREAM: the stream is open, and no stanza or tag has begun that has not ended. */
bool pl_xml_reader_is_between(const pl_xml_reader *r);
const char *pl_xml_reader_why(const pl_xml_reader *r); /* "" when well; lent */
/* A whole document at once. Errors as of input; PL_EPROTO also when something is missing or follows. */
PL_NODISCARD pl_err pl_xml_parse(pl_xml **out, pl_str text);

#endif
