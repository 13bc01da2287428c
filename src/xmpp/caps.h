/* caps.h - what the devices of others can do, from a hash in their presence: asked once for each hash, not for each device.
 * Source   XEP-0115 1.6: 5.1 makes the hash, 5.4 verifies it, 9.1 is the attack that this is for: an answer that does not
 *          hash to what was said ("poisoned") is kept for nobody, and another device with the hash is asked.
 * Shape    two handlers on a client (presence is only looked at). Says ours in the presence that pl_caps_decorate is
 *          given, and answers who asks for the node. SHA-1 is what everybody has; other hashes and the form before 1.4
 *          (no hash said) are not believed.
 *          A device that says no hash is asked on demand, pl_caps_ask, and its answer counts for it alone (0030).
 * Limits   below; a device beyond them has unknown capabilities, a hash beyond them displaces the one that was not needed
 *          for the longest time.
 * Thread   the client's. Not to be freed from its own callbacks. */
#ifndef PL_XMPP_CAPS_H
#define PL_XMPP_CAPS_H

#include "xmpp/disco.h"

#define PL_NS_CAPS "http://jabber.org/protocol/caps"

enum {
    PL_CAPS_DEVICES_MAX = 20000,
    PL_CAPS_HASHES_MAX = 256,          /* answers kept */
    PL_CAPS_HASH_BYTES_MAX = 64 << 10, /* of one answer: more is as if it were poisoned */
    PL_CAPS_ASKED_MAX = 16,            /* hashes asked for at once */
    PL_CAPS_TRIES_MAX = 4,             /* devices asked for one hash, until all are forgotten */
    PL_CAPS_VER_LEN = 28,              /* base64 of SHA-1 */
};

typedef struct pl_caps pl_caps;

typedef struct pl_caps_conf {
    pl_disco *disco;  /* lent as long as the caps live */
    const char *node; /* a URI that names the software; copied */
    /* What this device can became known. May be NULL. */
    void (*known)(void *user, const char *jid);
    /* Ours became another: say presence again (pl_presence_repeat). May be NULL. */
    void (*changed)(void *user);
    void *user;
} pl_caps_conf;

PL_NODISCARD pl_err pl_caps_new(pl_caps **out, pl_xmpp_client *client, const pl_caps_conf *conf);
void pl_caps_free(pl_caps *c); /* NULL is fine */
/* Adds ours to a presence. */
void pl_caps_decorate(pl_caps *c, pl_xml *presence);

typedef enum pl_can { PL_CAN_NOT, PL_CAN, PL_CAN_UNKNOWN } pl_can;
/* Whether the device of this full address has the feature. UNKNOWN: it said no hash and was not asked, or the answer is still to come, or was
 * poisoned. */
pl_can pl_caps_can(pl_caps *c, const char *jid, const char *feature);
/* Whoever says no hash is asked what it can do, once while it is there; nobody else is. */
void pl_caps_ask(pl_caps *c, const char *jid);
/* All it said: the verified <query/>, lent until the client's next stanza; NULL: unknown. */
const pl_xml *pl_caps_of(pl_caps *c, const char *jid);

/* The hash of an info answer. Errors: PL_EPROTO: 5.4 calls it ill-formed (an identity, a feature or a form twice);
 * PL_ENOMEM. */
PL_NODISCARD pl_err pl_caps_ver(const pl_xml *info, char out[PL_CAPS_VER_LEN + 1]);

typedef struct pl_caps_counts {
    uint64_t asked, verified, poisoned, left_out;
} pl_caps_counts;
const pl_caps_counts *pl_caps_counted(const pl_caps *c);

#endif
