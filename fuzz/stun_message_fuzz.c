/* Any bytes as a STUN message: parse it, ask it everything, answer it as a server, and build what was read
 * again. The first byte chooses the source's address family. */
#include <stdlib.h>

#include "stun/integrity.h"
#include "stun/message.h"
#include "stun/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
    if (!fact)
        abort();
}

/* Every attribute under every getter: results must be of the form the getter promises. */
static void ask_everything(const pl_stun_msg *m)
{
    for (uint32_t type = 0; type < 0x10000; type = type == 0x30     ? 0x8000
                                                   : type == 0x8030 ? 0x10000
                                                                    : type + 1) {
        pl_addr a;
        pl_str text;
        uint64_t u64;
        uint32_t u32;
        uint16_t u16;
        uint8_t u8;
        uint16_t id = (uint16_t)type;
        bool present = pl_stun_has(m, id);
        must(present == (pl_stun_get_addr(m, id, &a) != PL_ENOTSUP));
        must(present == (pl_stun_get_xor_addr(m, id, &a) != PL_ENOTSUP));
        must(present == (pl_stun_get_u64(m, id, &u64) != PL_ENOTSUP));
        must(present == (pl_stun_get_u32(m, id, &u32) != PL_ENOTSUP));
        must(present == (pl_stun_get_u16(m, id, &u16) != PL_ENOTSUP));
        must(present == (pl_stun_get_u8(m, id, &u8) != PL_ENOTSUP));
        must(present == (pl_stun_get_flag(m, id) != PL_ENOTSUP));
        must(present == (pl_stun_get_str(m, id, &text) != PL_ENOTSUP));
    }
    uint16_t code = 0, types[4];
    uint32_t set;
    size_t n;
    pl_str reason;
    pl_family family;
    pl_stun_icmp icmp;
    if (!pl_stun_get_error(m, &code, &reason))
        must(code >= 300 && code <= 699);
    (void)!pl_stun_get_unknown(m, types, 4, &n);
    (void)!pl_stun_get_address_error(m, &family, &code, &reason);
    (void)!pl_stun_get_icmp(m, &icmp);
    (void)!pl_stun_get_algorithm(m, &code);
    (void)!pl_stun_get_algorithms(m, &set);
    (void)!pl_stun_check_integrity(m, "password", 8);
    (void)!pl_stun_check_integrity256(m, "password", 8);
    (void)!pl_stun_check_fingerprint(m);
}

/* The same attributes under our own integrity must be read back as they were. */
static void copy_and_sign(const pl_stun_msg *m)
{
    static uint8_t out[70000];
    pl_stun_msg again;
    pl_stun_wr s = pl_stun_begin(out, sizeof out, (pl_stun_class)m->cls, m->method, m->id);
    for (uint32_t type = 0; type < 0x40; type++) {
        pl_rd v;
        if (type != PL_STUN_MESSAGE_INTEGRITY && type != PL_STUN_MESSAGE_INTEGRITY_SHA256 &&
            pl_stun_find(m, (uint16_t)type, &v))
            pl_stun_put(&s, (uint16_t)type, v.p, pl_rd_left(&v));
    }
    pl_stun_put_integrity(&s, "password", 8);
    pl_stun_put_integrity256(&s, "password", 8, 32);
    pl_stun_put_fingerprint(&s);
    size_t len = pl_stun_end(&s);
    if (!len || m->n_attrs > PL_STUN_ATTRS_MAX - 3)
        return;
    must(pl_stun_is_message(out, len));
    must(pl_stun_parse(&again, out, len) == PL_OK);
    must(pl_stun_check_integrity(&again, "password", 8) == PL_OK);
    must(pl_stun_check_integrity256(&again, "password", 8) == PL_OK);
    must(pl_stun_check_fingerprint(&again) == PL_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    pl_addr source = { .family = data[0] & 1 ? PL_AF_IP6 : PL_AF_IP4, .ip = { 192, 0, 2, 1 }, .port = 4711 };
    uint8_t out[PL_STUN_RESPOND_MAX];
    pl_stun_msg m;
    data++;
    size--;
    if (pl_stun_parse(&m, data, size) == PL_OK) {
        must(m.classic || pl_stun_is_message(data, size));
        ask_everything(&m);
        copy_and_sign(&m);
    } else {
        must(!m.pkt && !pl_stun_has(&m, PL_STUN_USERNAME));
    }
    size_t n = pl_stun_respond(NULL, NULL, data, size, &source, out, sizeof out);
    must(n <= 52 || n * 2 <= size * 3);
    return 0;
}
