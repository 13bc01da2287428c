/* dtls.h - DTLS 1.2 by OpenSSL with memory BIOs, the way the stacks around usrsctp use it: one record a packet. Both ends
 * are in this process. */
#ifndef PEER_USRSCTP_DTLS_H
#define PEER_USRSCTP_DTLS_H

#include <stddef.h>

/* Ends 0 (client) and 1 are connected; whatever fails ends the program. */
void dtls_connect(void);
/* The record's length. */
size_t dtls_seal(int end, const void *plain, size_t len, void *record, size_t cap);
/* 0: nothing for us in it. */
size_t dtls_open(int end, const void *record, size_t len, void *plain, size_t cap);

#endif
