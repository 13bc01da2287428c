#include "hostile.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SENT_MAX = 1400 };

/* What is being made. Begins as a copy of the client, so that nothing here changes the client itself. */
typedef struct forgery {
    load_hostile *h;
    load_client who;
    const uint8_t *recorded;
    size_t recorded_len;
    int fd; /* by which it leaves; the client's own socket unless changed */
    uint8_t bytes[SENT_MAX];
    size_t len;
} forgery;

static uint32_t dice(forgery *f, uint32_t below)
{
    return pl_rand_below(&f->h->fleet->rand, below);
}

static int a_stranger(forgery *f)
{
    return f->h->to_server[dice(f, HOSTILE_STRANGERS)];
}

/* A sound request of the client with a transaction of its own: what the others are made of. */
static void sound(forgery *f, uint16_t method, uint32_t lifetime)
{
    load_order o = { .method = method, .lifetime = lifetime };
    pl_rand_bytes(&f->h->fleet->rand, f->who.id, sizeof f->who.id);
    f->len = load_build(f->h->fleet, &f->who, &o, f->bytes);
}

static void marked_payload(uint8_t *at, size_t len)
{
    for (size_t i = 0; i + 4 <= len; i += 4)
        pl_put32(at + i, HOSTILE_MARK);
}

static void channel_data(forgery *f, uint16_t channel, size_t told_len, size_t len)
{
    pl_put16(f->bytes, channel);
    pl_put16(f->bytes + 2, (uint16_t)told_len);
    marked_payload(f->bytes + 4, len);
    f->len = 4 + len;
}

/* --- the kinds --- */

static void noise(forgery *f)
{
    f->len = 1 + dice(f, SENT_MAX - 1);
    pl_rand_bytes(&f->h->fleet->rand, f->bytes, f->len);
    if (f->len >= 4 && pl_get16(f->bytes) == f->who.channel)
        f->bytes[0] = 0xff; /* that would be sound ChannelData */
}

static void cut_request(forgery *f)
{
    sound(f, PL_STUN_REFRESH, 0);
    f->len = 1 + dice(f, (uint32_t)f->len - 1);
}

static void wrong_length(forgery *f)
{
    sound(f, PL_STUN_REFRESH, 0);
    pl_put16(f->bytes + 2, (uint16_t)(pl_get16(f->bytes + 2) + 1 + dice(f, 60000)));
}

static void flipped_bit(forgery *f)
{
    sound(f, PL_STUN_REFRESH, 0);
    f->bytes[dice(f, (uint32_t)f->len)] ^= (uint8_t)(1u << dice(f, 8));
}

static void cut_data(forgery *f)
{
    size_t len = 16 + dice(f, 200) * 4;
    channel_data(f, f->who.channel, len + 1 + dice(f, 1000), len);
}

static void no_such_channel(forgery *f)
{
    size_t len = 16 + dice(f, 200) * 4;
    channel_data(f, (uint16_t)(f->who.channel ^ (1u + dice(f, 255))), len, len);
}

static void no_credentials(forgery *f)
{
    f->who.nonce_len = 0;
    sound(f, PL_STUN_REFRESH, 0);
}

static void wrong_password(forgery *f)
{
    load_fleet *fleet = f->h->fleet;
    fleet->key[0] ^= 0x55;
    sound(f, PL_STUN_REFRESH, 0);
    fleet->key[0] ^= 0x55;
}

static void invented_nonce(forgery *f)
{
    f->who.nonce[f->who.nonce_len - 1] ^= 1;
    sound(f, PL_STUN_REFRESH, 0);
}

static void replay(forgery *f)
{
    if (f->recorded_len == 0) { /* nothing was answered yet */
        cut_request(f);
        return;
    }
    memcpy(f->bytes, f->recorded, f->recorded_len);
    f->len = f->recorded_len;
}

static void replay_by_stranger(forgery *f)
{
    replay(f);
    f->fd = a_stranger(f);
}

static void stolen_refresh(forgery *f)
{
    sound(f, PL_STUN_REFRESH, 0);
    f->fd = a_stranger(f);
}

static void data_of_stranger(forgery *f)
{
    size_t len = 16 + dice(f, 200) * 4;
    channel_data(f, f->who.channel, len, len);
    f->fd = a_stranger(f);
}

static void send_of_stranger(forgery *f)
{
    uint8_t payload[64], id[PL_STUN_ID_LEN];
    marked_payload(payload, sizeof payload);
    pl_rand_bytes(&f->h->fleet->rand, id, sizeof id);
    pl_stun_wr w = pl_stun_begin(f->bytes, sizeof f->bytes, PL_STUN_INDICATION, PL_STUN_SEND, id);
    pl_stun_put_xor_addr(&w, PL_STUN_XOR_PEER_ADDRESS, &f->who.peer);
    pl_stun_put(&w, PL_STUN_DATA_ATTR, payload, sizeof payload);
    f->len = pl_stun_end(&w);
    f->fd = a_stranger(f);
}

static void allocate_of_stranger(forgery *f)
{
    f->who.nonce_len = 0;
    sound(f, PL_STUN_ALLOCATE, 0);
    f->fd = a_stranger(f);
}

static void unpermitted_peer(forgery *f)
{
    f->len = 16 + dice(f, 200) * 4;
    marked_payload(f->bytes, f->len);
    f->fd = f->h->to_relayed;
}

static const struct {
    const char *name;
    void (*make)(forgery *f);
} kind[HOSTILE_KINDS] = {
    { "noise", noise },
    { "cut request", cut_request },
    { "wrong length", wrong_length },
    { "flipped bit", flipped_bit },
    { "cut data", cut_data },
    { "unbound channel", no_such_channel },
    { "no credentials", no_credentials },
    { "wrong password", wrong_password },
    { "invented nonce", invented_nonce },
    { "replay", replay },
    { "replay by a stranger", replay_by_stranger },
    { "stolen refresh", stolen_refresh },
    { "data of a stranger", data_of_stranger },
    { "Send of a stranger", send_of_stranger },
    { "Allocate of a stranger", allocate_of_stranger },
    { "peer without permission", unpermitted_peer },
};

/* --- life --- */

void load_hostile_open(load_hostile *h, load_fleet *f)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    *h = (load_hostile){ .fleet = f };
    for (uint32_t i = 0; i < HOSTILE_STRANGERS; i++) {
        at.sin_addr.s_addr = htonl(UINT32_C(0x7f620001) + i); /* 127.98.0.1 and on */
        h->to_server[i] = load_socket(&at, &f->server->at, false);
    }
    h->to_relayed = load_socket(&at, NULL, false);
}

void load_hostile_close(load_hostile *h)
{
    for (size_t i = 0; i < HOSTILE_STRANGERS; i++)
        close(h->to_server[i]);
    close(h->to_relayed);
}

void load_hostile_send(load_hostile *h, const load_client *c, const uint8_t *recorded, size_t recorded_len)
{
    forgery f = { .h = h, .who = *c, .recorded = recorded, .recorded_len = recorded_len, .fd = c->fd };
    unsigned which = pl_rand_below(&h->fleet->rand, HOSTILE_KINDS);
    kind[which].make(&f);
    h->n_sent[which]++;
    if (f.fd == h->to_relayed) {
        struct sockaddr_in to = load_sockaddr(&c->relayed);
        (void)!sendto(f.fd, f.bytes, f.len, 0, (struct sockaddr *)&to, sizeof to);
        return;
    }
    (void)!send(f.fd, f.bytes, f.len, 0);
    if (f.fd != c->fd)
        h->bytes_sent += f.len;
}

uint64_t load_hostile_receive(load_hostile *h)
{
    uint8_t buf[2048];
    uint64_t n_marked = 0;
    for (size_t i = 0; i < HOSTILE_STRANGERS; i++)
        for (ssize_t len; (len = recv(h->to_server[i], buf, sizeof buf, 0)) > 0;) {
            h->bytes_back += (uint64_t)len;
            n_marked += len >= 4 && pl_get32(buf + len - 4) == HOSTILE_MARK;
        }
    return n_marked;
}

const char *load_hostile_str(unsigned which)
{
    return which < HOSTILE_KINDS ? kind[which].name : "";
}
