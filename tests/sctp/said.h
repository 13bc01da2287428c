/* said.h - packets made by hand for one end of a pair, and chunks looked for in what it says. */
#ifndef TESTS_SCTP_SAID_H
#define TESTS_SCTP_SAID_H

#include "pair.h"
#include "sctp/association_internal.h"

/* The packet made last. */
extern uint8_t raw[2048];

pl_wr begin_raw(uint32_t tag);
void feed(pair *p, int at, pl_wr *w);
bool says(pair *p, int at, uint8_t type, pl_sctp_chunk *out, uint32_t *tag);
size_t one_packet(pair *p, int at, uint8_t *out, size_t cap);
void up(pair *p, const pl_sctp_conf *conf);
void say(pair *p, int from, uint16_t sid, const char *text);
void hear(pair *p, int at, const char *text);
void feed_data(pair *p, uint32_t ahead, uint16_t sid, uint16_t ssn, uint8_t flags, const void *data,
               size_t len);

#endif
