/* What strangers may say: names that lead elsewhere, sizes that lie, too much of everything, messages out of turn and cut
 * anywhere. Each is refused with a reason, and nothing was asked of the caller. Besides the words people type. */
#include "pl_test.h"
#include "transfer/path.h"
#include "transfer/receiver.h"
#include "transfer/sender.h"
#include "transfer/words.h"

static uint8_t message[PL_TRANSFER_MESSAGE_MAX];

static bool is_fine(const char *path)
{
    return pl_transfer_path_check(pl_str_of(path)) == NULL;
}

PL_TEST(names_that_may_travel)
{
    static const char *const fine[] = { "a",        "a/b",        "photo 2024-01-01 12:30.png",
                                        ".profile", "Äpfel/日本", "...a",
                                        "a..b",     "part",       "x.parts" };
    static const char *const bad[] = { "",
                                       "/",
                                       "/etc/passwd",
                                       "..",
                                       "../a",
                                       "a/../b",
                                       "a/..",
                                       ".",
                                       "./a",
                                       "a//b",
                                       "a/",
                                       "a\\b",
                                       "a\nb",
                                       "a\x1b[2J",
                                       "a\x7f",
                                       "a\xc2\x80",
                                       "a\xe2\x80\xaegpj.exe",
                                       "a\xe2\x80\xa8",
                                       "a\xff",
                                       "\xc0\xae\xc0\xae/a",
                                       " a",
                                       "a ",
                                       "a.",
                                       "a/b./c",
                                       "movie.part",
                                       "movie.PART",
                                       "movie.part/a",
                                       ".part" };
    char deep[2 * 70] = "a", longest[PL_TRANSFER_PATH_MAX + 2];
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        PL_OKAY(is_fine(fine[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        PL_OKAY(!is_fine(bad[i]));
    PL_OKAY(pl_transfer_path_check((pl_str){ "a\0b", 3 }) != NULL);
    for (int i = 1; i < PL_TRANSFER_DEPTH_MAX; i++)
        memcpy(deep + 2 * i - 1, "/a", 3);
    PL_OKAY(is_fine(deep));
    memcpy(deep + strlen(deep), "/a", 3);
    PL_OKAY(!is_fine(deep));
    memset(longest, 'a', sizeof longest);
    longest[PL_TRANSFER_PART_MAX] = 0;
    PL_OKAY(is_fine(longest));
    longest[PL_TRANSFER_PART_MAX] = 'a';
    longest[PL_TRANSFER_PART_MAX + 1] = 0;
    PL_OKAY(!is_fine(longest));
    for (size_t i = 100; i < sizeof longest; i += 100)
        longest[i] = '/';
    longest[PL_TRANSFER_PART_MAX + 1] = 'a';
    longest[PL_TRANSFER_PATH_MAX + 1] = 0;
    PL_OKAY(!is_fine(longest));
    longest[PL_TRANSFER_PATH_MAX] = 0;
    PL_OKAY(is_fine(longest));
}

static pl_transfer_receiver *new_receiver(void)
{
    pl_transfer_receiver *r;
    pl_transfer_receiver_conf conf = { .max_entries = 100, .window = PL_TRANSFER_BLOCK };
    PL_EQ(pl_transfer_receiver_new(&r, &conf), PL_OK);
    PL_EQ(pl_transfer_receiver_start(r, 65536), PL_OK);
    return r;
}

/* The kind of the event that follows, FAILED with its code besides; 0: none. */
static int hear(pl_transfer_receiver *r, const pl_wr *w, unsigned *code)
{
    pl_transfer_receiver_event e;
    pl_transfer_receiver_input(r, w->start, pl_wr_len(w));
    pl_transfer_receiver_check(r);
    bool any = pl_transfer_receiver_poll_event(r, &e);
    *code = any ? e.code : 0;
    return any ? (int)e.kind : 0;
}

static int offer(pl_transfer_receiver *r, const pl_transfer_entry *e, uint32_t n, uint64_t total,
                 unsigned *code)
{
    pl_transfer_offer o = { .id = "fifteen letters", .n_entries = n, .total = total };
    pl_wr w = pl_wr_init(message, sizeof message);
    pl_transfer_write_offer(&w, &o);
    int kind = hear(r, &w, code);
    if (kind)
        return kind;
    w = pl_wr_init(message, sizeof message);
    pl_wr_u8(&w, PL_TRANSFER_ENTRIES);
    for (uint32_t i = 0; i < n; i++)
        pl_transfer_write_entry(&w, &e[i]);
    return hear(r, &w, code);
}

static void refused(const pl_transfer_entry *e, uint32_t n, uint64_t total, unsigned why)
{
    unsigned code;
    pl_transfer_receiver *r = new_receiver();
    pl_transfer_output o;
    PL_EQ(offer(r, e, n, total, &code), PL_TRANSFER_RECEIVER_FAILED);
    PL_EQ(code, why);
    PL_OKAY(pl_transfer_receiver_poll_output(r, &o)); /* the other side hears why */
    PL_EQ(o.data[0], PL_TRANSFER_CANCEL);
    PL_EQ(o.data[1], why);
    PL_OKAY(pl_transfer_receiver_accept(r) == PL_ESTATE);
    pl_transfer_receiver_free(r);
}

static pl_transfer_entry file(const char *path, uint64_t size)
{
    return (pl_transfer_entry){ .path = pl_str_of(path), .size = size, .mode = 0644 };
}

PL_TEST(offers_that_are_refused)
{
    const pl_transfer_entry up = file("../../.ssh/authorized_keys", 3),
                            big = file("a", PL_TRANSFER_SIZE_MAX + 1);
    const pl_transfer_entry twice[] = { file("a", 1), file("a", 1) },
                            sum[] = { file("a", PL_TRANSFER_SIZE_MAX), file("b", 1) };
    const pl_transfer_entry below[] = { file("a", 1), file("a/b", 1) },
                            above[] = { file("a/b/c", 1), file("a/b", 1) };
    pl_transfer_entry odd = file("a", 1), folder = file("a", 1), stream = file("a", 5);
    odd.kind = (pl_transfer_kind)3;
    folder.kind = PL_TRANSFER_FOLDER;
    stream.kind = PL_TRANSFER_STREAM;
    refused(&up, 1, 3, PL_TRANSFER_REFUSED);
    refused(&big, 1, PL_TRANSFER_SIZE_MAX + 1, PL_TRANSFER_REFUSED);
    refused(twice, 2, 2, PL_TRANSFER_REFUSED);
    refused(sum, 2, PL_TRANSFER_SIZE_MAX + 1, PL_TRANSFER_REFUSED);
    refused(below, 2, 2, PL_TRANSFER_REFUSED);
    refused(above, 2, 2, PL_TRANSFER_REFUSED);
    refused(&odd, 1, 1, PL_TRANSFER_REFUSED);
    refused(&folder, 1, 0, PL_TRANSFER_REFUSED);
    refused(&stream, 1, 0, PL_TRANSFER_REFUSED);
    refused(twice, 1, 7, PL_TRANSFER_REFUSED);   /* the sum is another */
    refused(twice, 101, 1, PL_TRANSFER_REFUSED); /* more than conf.max_entries: before any entry is read */
    stream.size = PL_TRANSFER_SIZE_UNKNOWN;
    const pl_transfer_entry not_alone[] = { stream, file("b", 1) };
    refused(not_alone, 2, 1, PL_TRANSFER_REFUSED);
}

/* Every prefix of every message is refused, or, where items may follow, is another message. */
PL_TEST(messages_cut_anywhere)
{
    const pl_transfer_entry e = file("name", 100);
    pl_wr w = pl_wr_init(message, sizeof message);
    pl_transfer_write_entry(&w, &e);
    for (size_t cut = 0; cut < pl_wr_len(&w); cut++) {
        pl_transfer_entry out;
        pl_rd body = pl_rd_init(message, cut);
        PL_EQ(pl_transfer_read_entry(&out, &body), PL_EPROTO);
    }
    pl_transfer_note n = { .index = 7, .code = 2, .text = PL_STR("because") }, back;
    w = pl_wr_init(message, sizeof message);
    pl_transfer_write_note(&w, PL_TRANSFER_STORED, &n);
    for (size_t cut = 1; cut < pl_wr_len(&w); cut++)
        PL_EQ(pl_transfer_read_note(&back, PL_TRANSFER_STORED, pl_rd_init(message + 1, cut - 1)), PL_EPROTO);
    PL_EQ(pl_transfer_read_note(&back, PL_TRANSFER_STORED, pl_rd_init(message + 1, pl_wr_len(&w) - 1)),
          PL_OK);
    PL_EQ(back.index, 7);
    PL_OKAY(pl_str_is(back.text, "because"));
    PL_EQ(pl_transfer_read_note(&back, PL_TRANSFER_STORED, pl_rd_init(message + 1, pl_wr_len(&w))),
          PL_EPROTO);
    pl_transfer_end end = { .index = 1, .size = 2 }, end_back;
    w = pl_wr_init(message, sizeof message);
    pl_transfer_write_end(&w, &end);
    for (size_t cut = 0; cut + 1 < pl_wr_len(&w); cut++)
        PL_EQ(pl_transfer_read_end(&end_back, pl_rd_init(message + 1, cut)), PL_EPROTO);
}

/* A reason that would paint on the terminal is not shown, and one of ours that is too long is cut between characters. */
PL_TEST(reasons)
{
    pl_transfer_note n = { .text = PL_STR("\x1b[31mred") }, back;
    pl_wr w = pl_wr_init(message, sizeof message);
    pl_transfer_write_note(&w, PL_TRANSFER_CANCEL, &n);
    PL_EQ(pl_transfer_read_note(&back, PL_TRANSFER_CANCEL, pl_rd_init(message + 1, pl_wr_len(&w) - 1)),
          PL_OK);
    PL_EQ(back.text.n, 0);
    const uint8_t raw[] = { 0, 0, 2, 0x1b, '[' };
    PL_EQ(pl_transfer_read_note(&back, PL_TRANSFER_CANCEL, pl_rd_init(raw, sizeof raw)), PL_EPROTO);
    char longer[600] = "x";
    for (int i = 0; i < 200; i++)
        memcpy(longer + 1 + 2 * i, "\xc3\xa4", 3);
    n.text = pl_str_of(longer);
    w = pl_wr_init(message, sizeof message);
    pl_transfer_write_note(&w, PL_TRANSFER_CANCEL, &n);
    PL_EQ(pl_transfer_read_note(&back, PL_TRANSFER_CANCEL, pl_rd_init(message + 1, pl_wr_len(&w) - 1)),
          PL_OK);
    PL_EQ(back.text.n, PL_TRANSFER_TEXT_MAX - 1);
}

/* One file of 100 bytes is offered and accepted; then each of these must end it. */
static void out_of_turn(const uint8_t *bytes, size_t len, bool begun)
{
    unsigned code;
    pl_transfer_output o;
    const pl_transfer_entry e = file("a", 100);
    pl_transfer_receiver *r = new_receiver();
    PL_EQ(offer(r, &e, 1, 100, &code), PL_TRANSFER_RECEIVER_OFFER);
    PL_EQ(pl_transfer_receiver_accept(r), PL_OK);
    while (pl_transfer_receiver_poll_output(r, &o))
        pl_transfer_receiver_sent(r);
    if (begun) {
        pl_wr w = pl_wr_init(message, sizeof message);
        pl_transfer_write_spot(&w, PL_TRANSFER_BEGIN, &(pl_transfer_spot){ 0, 0 });
        PL_EQ(hear(r, &w, &code), PL_TRANSFER_RECEIVER_BEGINS);
    }
    memcpy(message, bytes, len);
    pl_wr w = pl_wr_init(message, sizeof message);
    (void)pl_wr_make(&w, len);
    PL_EQ(hear(r, &w, &code), PL_TRANSFER_RECEIVER_FAILED);
    PL_OKAY(code == PL_TRANSFER_BROKEN || code == PL_TRANSFER_REFUSED);
    pl_transfer_receiver_input(r, message, 5); /* and what comes after it is nobody's */
    pl_transfer_receiver_free(r);
}

PL_TEST(messages_out_of_turn)
{
    static uint8_t data[PL_TRANSFER_DATA_HEADER + 101] = { PL_TRANSFER_DATA };
    static const uint8_t begin_1[13] = { PL_TRANSFER_BEGIN, 0, 0, 0, 1 },
                         begin_at[13] = { PL_TRANSFER_BEGIN, [12] = 9 };
    static const uint8_t end[45] = { PL_TRANSFER_END }, done[] = { PL_TRANSFER_DONE },
                         offer_again[32] = { PL_TRANSFER_OFFER, 1 };
    static const uint8_t accept[9] = { PL_TRANSFER_ACCEPT }, unknown[] = { 77 },
                         missing[8] = { PL_TRANSFER_MISSING, 0, 0, 0, 1, 3 };
    out_of_turn(data, PL_TRANSFER_DATA_HEADER + 10, false);
    out_of_turn(data, PL_TRANSFER_DATA_HEADER + 101, true); /* more than its size */
    out_of_turn(data, PL_TRANSFER_DATA_HEADER, true);       /* no bytes */
    out_of_turn(begin_1, sizeof begin_1, false);
    out_of_turn(begin_at, sizeof begin_at, false);
    out_of_turn(begin_at, sizeof begin_at, true);
    out_of_turn(end, sizeof end, false);
    out_of_turn(end, sizeof end, true);
    out_of_turn(done, sizeof done, false);
    out_of_turn(offer_again, sizeof offer_again, false);
    out_of_turn(accept, sizeof accept, false);
    out_of_turn(unknown, sizeof unknown, false);
    out_of_turn(missing, sizeof missing, true);
    data[15] = 1; /* its offset */
    out_of_turn(data, PL_TRANSFER_DATA_HEADER + 10, true);
    data[15] = 0;
}

/* A sender that does not heed the window is cut off: no more than that is ever held. */
PL_TEST(a_flood)
{
    unsigned code;
    const pl_transfer_entry e = file("a", 1 << 30);
    pl_transfer_receiver *r = new_receiver();
    PL_EQ(offer(r, &e, 1, 1 << 30, &code), PL_TRANSFER_RECEIVER_OFFER);
    PL_EQ(pl_transfer_receiver_accept(r), PL_OK);
    pl_wr w = pl_wr_init(message, sizeof message);
    pl_transfer_write_spot(&w, PL_TRANSFER_BEGIN, &(pl_transfer_spot){ 0, 0 });
    PL_EQ(hear(r, &w, &code), PL_TRANSFER_RECEIVER_BEGINS);
    uint64_t at = 0;
    for (int kind = PL_TRANSFER_RECEIVER_DATA; kind == PL_TRANSFER_RECEIVER_DATA; at += 65536) {
        w = pl_wr_init(message, sizeof message);
        pl_transfer_write_spot(&w, PL_TRANSFER_DATA, &(pl_transfer_spot){ 0, at });
        pl_wr_zeros(&w, 65536);
        kind = hear(r, &w, &code);
    }
    PL_EQ(code, PL_TRANSFER_BROKEN);
    PL_EQ(at, PL_TRANSFER_BLOCK + 65536);
    pl_transfer_receiver_free(r);
}

/* And the sender's side: answers about what was not offered. */
PL_TEST(answers_that_make_no_sense)
{
    static const uint8_t stored[8] = { PL_TRANSFER_STORED }, received[9] = { PL_TRANSFER_RECEIVED, [8] = 1 };
    static const uint8_t small[9] = { PL_TRANSFER_ACCEPT, [8] = 9 },
                         have_1[45] = { PL_TRANSFER_HAVE, 0, 0, 0, 1, [12] = 1 };
    static const uint8_t have_more[45] = { PL_TRANSFER_HAVE, [12] = 101 },
                         have_none[45] = { PL_TRANSFER_HAVE };
    static const struct {
        const uint8_t *bytes;
        size_t len;
        bool accepted;
    } answer[] = { { stored, 8, true },      { received, 9, true },    { small, 9, false },
                   { have_1, 45, false },    { have_more, 45, false }, { have_none, 45, false },
                   { have_more, 20, false }, { have_more, 0, false } };
    for (size_t i = 0; i < sizeof answer / sizeof answer[0]; i++) {
        static const uint8_t accept[9] = { PL_TRANSFER_ACCEPT, [6] = 0x10 };
        const char *why;
        pl_transfer_sender *s;
        pl_transfer_sender_event e;
        pl_transfer_output o;
        pl_transfer_entry f = file("a", 100);
        PL_EQ(pl_transfer_sender_new(&s, &(pl_transfer_sender_conf){ .rand = { NULL } }), PL_OK);
        PL_EQ(pl_transfer_sender_start(s, 65536), PL_EINVAL); /* nothing in it */
        PL_EQ(pl_transfer_sender_add(s, &f, &why), PL_OK);
        PL_EQ(pl_transfer_sender_add(s, &f, &why), PL_EINVAL);
        PL_EQ(pl_transfer_sender_start(s, 4095), PL_EINVAL);
        PL_EQ(pl_transfer_sender_start(s, 4096), PL_OK);
        while (pl_transfer_sender_poll_output(s, &o))
            pl_transfer_sender_sent(s);
        if (answer[i].accepted) {
            pl_transfer_sender_input(s, accept, sizeof accept);
            PL_OKAY(pl_transfer_sender_poll_event(s, &e) && e.kind == PL_TRANSFER_SENDER_ACCEPTED);
        }
        pl_transfer_sender_input(s, answer[i].bytes, answer[i].len);
        PL_OKAY(pl_transfer_sender_poll_event(s, &e));
        PL_EQ(e.kind, PL_TRANSFER_SENDER_FAILED);
        PL_EQ(e.code, PL_TRANSFER_BROKEN);
        PL_OKAY(pl_transfer_sender_poll_output(s, &o) && o.data[0] == PL_TRANSFER_CANCEL);
        pl_transfer_sender_free(s);
    }
}

PL_TEST(codes_and_digits)
{
    char code[PL_TRANSFER_CODE_MAX], back[PL_TRANSFER_CODE_MAX], a[PL_TRANSFER_DIGITS_LEN + 1],
        b[PL_TRANSFER_DIGITS_LEN + 1];
    pl_rand_seeded seed;
    pl_rand rand = pl_rand_seed(&seed, pl_test_seed(1));
    for (int i = 0; i < 1000; i++) {
        pl_transfer_code_make(code, &rand);
        PL_OKAY(pl_transfer_code_read(back, pl_str_of(code)));
        PL_STREQ(code, back);
    }
    PL_OKAY(pl_transfer_code_read(back, PL_STR("  7 Crossover  CLOCK-table ")));
    PL_STREQ(back, "7-crossover-clock-table");
    static const char *const no[] = { "",       "7",       "7-a",   "a-b-c",     "7-a-b-",
                                      "-7-a-b", "7-a-b_c", "7-a-8", "7/../x-a-b" };
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        PL_OKAY(!pl_transfer_code_read(back, pl_str_of(no[i])));
    const uint8_t one[PL_SHA256_LEN] = { 1 }, other[PL_SHA256_LEN] = { 2 },
                  third[PL_SHA256_LEN] = { 1, [31] = 1 };
    pl_transfer_digits(a, one, other);
    pl_transfer_digits(b, other, one);
    PL_STREQ(a, b);
    PL_STREQ(a, "50656 52529 78049 39407");
    pl_transfer_digits(b, third, other);
    PL_OKAY(strcmp(a, b) != 0);
}

PL_TESTS(t(names_that_may_travel), t(offers_that_are_refused), t(messages_cut_anywhere), t(reasons),
         t(messages_out_of_turn), t(a_flood), t(answers_that_make_no_sense), t(codes_and_digits))
