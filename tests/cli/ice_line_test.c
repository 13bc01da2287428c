/* The line that people paste: what chats do to it, and every way to damage it. */
#include "pl_test.h"

#include "cli/ice_line.h"

static pl_ice_words words, back;
static char line[PL_ICE_LINE_MAX];

static void make_words(void)
{
    static const char text[] =
        "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n"
        "a=candidate:10 1 udp 2130706431 192.0.2.7 4000 typ host\r\n"
        "a=candidate:11 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active\r\n"
        "a=candidate:12 1 udp 2130706175 2001:db8::7 4001 typ host\r\n"
        "a=candidate:13 1 udp 1694498815 203.0.113.9 50000 typ srflx raddr 192.0.2.7 rport 4000\r\n"
        "a=candidate:10 1 udp 2130706430 192.0.2.8 4002 typ host\r\n"
        "a=candidate:14 1 udp 2130706429 5c3b9b5e-7a5c-4b0e-9d0e-0a1b2c3d4e5f.local 4003 typ host\r\n"
        "a=candidate:15 1 udp 16777215 198.51.100.1 60000 typ relay raddr 203.0.113.9 rport 1\r\n"
        "a=end-of-candidates\r\n";
    PL_EQ(pl_ice_line_read(&words, text), PL_OK);
    PL_EQ(words.n, 7);
    PL_OKAY(pl_ice_line_write(&words, line));
}

static void check_same(void)
{
    PL_STREQ(back.ufrag, words.ufrag);
    PL_STREQ(back.pwd, words.pwd);
    PL_EQ(back.complete, words.complete);
    PL_EQ(back.lite, words.lite);
    PL_EQ(back.n, words.n);
    for (size_t i = 0; i < words.n; i++) {
        const pl_ice_cand *w = &words.cand[i], *b = &back.cand[i];
        PL_OKAY(pl_addr_eq(&w->addr, &b->addr));
        PL_STREQ(b->name, w->name);
        PL_EQ(b->priority, w->priority);
        PL_EQ(b->type, w->type);
        PL_EQ(b->proto, w->proto);
        PL_EQ(b->tcptype, w->tcptype);
        PL_EQ(b->component, 1);
        for (size_t k = 0; k < i; k++) /* equal foundations stay equal, and others apart */
            PL_EQ(strcmp(b->foundation, back.cand[k].foundation) == 0,
                  strcmp(w->foundation, words.cand[k].foundation) == 0);
    }
}

PL_TEST(there_and_back)
{
    make_words();
    PL_EQ(pl_ice_line_read(&back, line), PL_OK);
    check_same();
    PL_LE(strlen(line), 300);
    words.lite = true;
    words.complete = false;
    words.n = 0;
    PL_OKAY(pl_ice_line_write(&words, line));
    PL_EQ(pl_ice_line_read(&back, line), PL_OK);
    check_same();
}

PL_TEST(what_chats_do_to_it)
{
    char text[2 * PL_ICE_LINE_MAX] = "Bob wrote:\n> “";
    make_words();
    size_t n = strlen(text);
    for (size_t i = 0; line[i]; i++) {
        text[n++] = line[i];
        if (i > 20 && i % 60 == 0)
            n += (size_t)snprintf(text + n, 8, "\r\n >  ");
    }
    snprintf(text + n, 64, "”\nSee you there!");
    PL_EQ(pl_ice_line_read(&back, text), PL_OK);
    check_same();
    snprintf(text, sizeof text,
             "{\"event\":\"local\",\"ms\":12.5,\"line\":\"%s\",\"sdp\":\"a=ice-ufrag:other\"}", line);
    PL_EQ(pl_ice_line_read(&back, text), PL_OK);
    check_same();
}

PL_TEST(parts_wait_for_more)
{
    char part[PL_ICE_LINE_MAX];
    make_words();
    for (size_t n = 0; n < strlen(line); n++) {
        memcpy(part, line, n);
        part[n] = 0;
        PL_EQ(pl_ice_line_read(&back, part), PL_EAGAIN);
    }
    PL_EQ(pl_ice_line_read(&back, "a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\n"), PL_EAGAIN);
}

/* No single letter can be wrong without being noticed. */
PL_TEST(damage_is_noticed)
{
    make_words();
    for (size_t i = strlen("peerline1:"); line[i]; i++) {
        char was = line[i];
        line[i] = was == 'A' ? 'B' : 'A';
        pl_err err = pl_ice_line_read(&back, line);
        PL_OKAY(err == PL_EPROTO || (err == PL_EAGAIN && i < strlen("peerline1:") + 3)); /* the length */
        line[i] = was;
    }
    PL_EQ(pl_ice_line_read(&back, "peerline1:AAAAAAAAAAAA"), PL_EPROTO);
    PL_EQ(pl_ice_line_read(&back, "peerline1://////////////"), PL_EPROTO);
    PL_EQ(pl_ice_line_read(&back, "a=candidate:1 1 udp broken\na=end-of-candidates\n"), PL_EPROTO);
}

/* All that an agent takes, with the longest addresses, fits; names of the longest do not, and that is said. */
PL_TEST(the_largest)
{
    make_words();
    pl_ice_cand one = words.cand[2];
    words.n = PL_ICE_REMOTES_MAX;
    for (size_t i = 0; i < words.n; i++) {
        words.cand[i] = one;
        snprintf(words.cand[i].foundation, sizeof words.cand[i].foundation, "f%u", (unsigned)i);
    }
    PL_OKAY(pl_ice_line_write(&words, line));
    PL_EQ(pl_ice_line_read(&back, line), PL_OK);
    check_same();
    for (size_t i = 0; i < words.n; i++) {
        words.cand[i].addr = (pl_addr){ .port = 4000 };
        memset(words.cand[i].name, 'x', PL_ICE_NAME_MAX - 6);
        memcpy(words.cand[i].name + PL_ICE_NAME_MAX - 6, ".local", 7);
    }
    PL_OKAY(!pl_ice_line_write(&words, line));
}

PL_TESTS(t(there_and_back), t(what_chats_do_to_it), t(parts_wait_for_more), t(damage_is_noticed),
         t(the_largest))
