/* What strangers say of files and their streams: each line of the input is an element, or a letter for what we do. It goes to
 * a file's description, an in-band stream, candidates of SOCKS5, proposals by message; and the bytes of it all to SOCKS5. */
#include <stdlib.h>
#include <string.h>

#include "jingle/file.h"
#include "jingle/ibb.h"
#include "jingle/message.h"
#include "jingle/s5b.h"
#include "jingle/socks5.h"
#include "xml/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SELF "juliet@example.com/balcony"
#define PEER "romeo@example.net/orchard"

static void must(int truth)
{
    if (!truth)
        abort();
}

typedef struct ends {
    pl_ibb *ibb;
    pl_s5b *s5b;
    pl_jmi *jmi;
    char id[PL_JMI_ID_MAX + 1], cid[PL_S5B_ID_MAX + 1];
    int64_t now_us;
} ends;

static void drain(ends *e)
{
    pl_ibb_event i;
    pl_s5b_event s;
    pl_jmi_event m;
    uint8_t block[512];
    for (pl_xml *x; (x = pl_ibb_poll_output(e->ibb, e->now_us)); pl_xml_free(x))
        must(pl_xml_attr_of(x, "id") != NULL);
    for (pl_xml *x; (x = pl_jmi_poll_output(e->jmi)); pl_xml_free(x))
        must(pl_xml_child(x, PL_NS_HINTS, "store") != NULL);
    while (pl_ibb_poll_event(e->ibb, &i))
        (void)pl_ibb_read(e->ibb, block, sizeof block);
    while (pl_s5b_poll_event(e->s5b, &s)) {
        must((s.kind == PL_S5B_FAILED_NOW) == (s.candidate == NULL));
        if (s.kind == PL_S5B_CONNECT)
            memcpy(e->cid, s.candidate->cid, sizeof e->cid);
    }
    while (pl_jmi_poll_event(e->jmi, &m)) {
        must(m.id && m.from && m.text && strlen(m.id) <= PL_JMI_ID_MAX);
        memcpy(e->id, m.id, strlen(m.id) + 1);
    }
    pl_xml *content = pl_xml_new(PL_NS_JINGLE, "content");
    while (pl_s5b_poll_output(e->s5b, content))
        ;
    pl_xml_free(content);
}

static void a_file(const pl_xml *x)
{
    pl_jingle_file f, back;
    uint64_t offset, length;
    if (pl_jingle_file_checksum_parse(x, &f) == PL_OK)
        must(f.n_hashes > 0);
    if (pl_jingle_file_parse(x, &f))
        return;
    must(!strpbrk(f.name, "/\\\r\n") && strcmp(f.name, "..") != 0);
    if (pl_jingle_file_part(&f, &offset, &length) && f.has_size)
        must(offset <= f.size && length <= f.size - offset);
    pl_xml *content = pl_xml_new(PL_NS_JINGLE, "content");
    if (pl_jingle_file_write(content, &f))
        must(pl_jingle_file_parse(content->first, &back) == PL_OK && strcmp(back.name, f.name) == 0);
    pl_xml_free(content);
}

static void hear(ends *e, pl_str line)
{
    pl_xml *x;
    const char *sid;
    uint16_t block;
    if (pl_xml_parse(&x, line))
        return;
    a_file(x);
    pl_xml_free(pl_jingle_file_answer_si(x));
    if (pl_ibb_parse_transport(x, &sid, &block) == PL_OK)
        must(sid[0] && block);
    (void)pl_ibb_input(e->ibb, e->now_us, x);
    (void)pl_jmi_input(e->jmi, e->now_us, x);
    if (pl_s5b_offered(e->s5b, e->now_us, x) == PL_ESTATE && pl_s5b_told(e->s5b, e->now_us, x))
        pl_s5b_check(e->s5b);
    pl_xml_free(x);
}

static void act(ends *e, pl_str line)
{
    pl_err err = PL_OK;
    switch (line.p[0]) {
    case 'w': (void)pl_ibb_write(e->ibb, line.p, line.n); break;
    case 'x': pl_ibb_close(e->ibb); break;
    case 'c': pl_s5b_connected(e->s5b, e->now_us, e->cid); break;
    case 'f': pl_s5b_failed(e->s5b, e->now_us, e->cid); break;
    case 'a': pl_s5b_activated(e->s5b, e->now_us, line.n % 2); break;
    case 'p': err = pl_jmi_propose(e->jmi, e->now_us, "romeo@example.net", true, false, false, e->id); break;
    case 'r': err = pl_jmi_ring(e->jmi, e->id); break;
    case 'y': err = pl_jmi_proceed(e->jmi, e->now_us, e->id); break;
    case 's': err = pl_jmi_started(e->jmi, e->id); break;
    case 'n': err = pl_jmi_reject(e->jmi, e->id, PL_JINGLE_BUSY); break;
    case 'e': err = pl_jmi_finish(e->jmi, e->id, PL_JINGLE_SUCCESS); break;
    case 't':
        e->now_us += PL_SEC(10);
        pl_ibb_tick(e->ibb, e->now_us);
        pl_s5b_tick(e->s5b, e->now_us);
        pl_jmi_tick(e->jmi, e->now_us);
        break;
    default: break;
    }
    must(err == PL_OK || err == PL_ESTATE || err == PL_ENOSPC);
}

static void socks(const uint8_t *data, size_t size)
{
    pl_socks5 s;
    uint8_t out[300];
    if (size % 2)
        pl_socks5_server(&s);
    else
        pl_socks5_client(&s, "0123456789012345678901234567890123456789");
    must(pl_socks5_input(&s, data, size) <= size);
    pl_socks5_answer(&s, true);
    must(pl_socks5_output(&s, out, sizeof out) <= sizeof s.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const pl_s5b_candidate ours = {
        .cid = "j0", .host = "192.0.2.1", .port = 1, .type = PL_S5B_PROXY, .priority = 9
    };
    pl_rand_seeded state;
    ends e = { .now_us = 1 };
    must(!pl_ibb_new(&e.ibb, &(pl_ibb_conf){ .peer = PEER, .sid = "s", .opens = size % 2 }, e.now_us));
    must(!pl_s5b_new(
        &e.s5b,
        &(pl_s5b_conf){
            .self = SELF, .peer = PEER, .sid = "s", .initiator = size % 2, .ours = &ours, .n_ours = 1 }));
    must(!pl_jmi_new(&e.jmi, &(pl_jmi_conf){ .self = SELF, .rand = pl_rand_seed(&state, 1) }, e.now_us));
    for (pl_str rest = { (const char *)data, size }; rest.p;) {
        pl_str line = pl_str_cut(&rest, '\n');
        if (line.n && line.p[0] == '<')
            hear(&e, line);
        else if (line.n)
            act(&e, line);
        drain(&e);
        pl_ibb_check(e.ibb);
        pl_s5b_check(e.s5b);
        pl_jmi_check(e.jmi);
    }
    socks(data, size);
    pl_ibb_free(e.ibb);
    pl_s5b_free(e.s5b);
    pl_jmi_free(e.jmi);
    return 0;
}
