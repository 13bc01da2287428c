/* script.h - a TURN client and, by hand, its server: each request is taken out, looked at and answered.
 *     script s; script_up(&s, NULL);
 *     script_expect(&s, PL_STUN_ALLOCATE);  script_challenge(&s, 401, "nonce1");
 *     script_expect(&s, PL_STUN_ALLOCATE);  script_allocated(&s, 600);
 * Every step checks the client's invariants. Requests with credentials must be signed with the right key. */
#ifndef TESTS_TURN_SCRIPT_H
#define TESTS_TURN_SCRIPT_H

#include "pl_test.h"
#include "stun/message.h"
#include "turn/client.h"

typedef struct script {
    pl_turn *t;
    pl_turn_conf conf;
    int64_t now_us;
    pl_rand_seeded state;
    uint8_t req_bytes[2048], reply[2048];
    pl_stun_msg req; /* the last request */
    pl_path path;    /* and where it went */
    bool signed_req;
    pl_stun_wr wr;
} script;

/* Fills what conf leaves out: 10.0.0.1:5000 to 192.0.2.1:3478 over UDP, alice and secret. NULL: all of it. */
void script_up(script *s, const pl_turn_conf *conf);
void script_down(script *s);
/* As script_up, then allocated: relayed 192.0.2.1:50000 (and [2001:db8::1]:50000), mapped 203.0.113.9:6000. */
void script_ready(script *s, const pl_turn_conf *conf);

/* The next message must be a request of that method, now. */
void script_expect(script *s, uint16_t method);
/* Nothing is due now. */
void script_quiet(script *s);
/* Lets time pass to the client's next deadline and ticks; that must come within `limit_us`. */
void script_wait(script *s, int64_t limit_us);
/* Lets all this time pass, answering nothing and throwing away what comes out. */
void script_pass(script *s, int64_t for_us);

/* An answer to the last request: begin, put, then send, which signs it if `sign` and feeds it. */
void script_begin(script *s, pl_stun_class cls);
void script_send(script *s, bool sign);
void script_challenge(script *s, uint16_t code, const char *nonce);
void script_error(script *s, uint16_t code, bool sign);
void script_ok(script *s); /* success without attributes */
void script_allocated(script *s, uint32_t lifetime_s);
void script_refreshed(script *s, uint32_t lifetime_s);
/* The next event must be of that kind; returned for a closer look (valid until the next call). */
const pl_turn_event *script_event(script *s, pl_turn_event_kind kind);
void script_no_event(script *s);
pl_turn_got script_input(script *s, const void *pkt, size_t len, pl_turn_data *data);

pl_addr script_addr(const char *text);               /* with port */
uint32_t script_u32(const script *s, uint16_t type); /* of the last request; 0xffffffff: absent */
size_t script_peers(const script *s);                /* XOR-PEER-ADDRESS attributes in the last request */
/* Permission for 198.51.100.7 asked and granted; for the same peer a channel bound. */
void script_permit(script *s, const char *ip_and_port);
void script_bind(script *s, const char *peer);

#endif
