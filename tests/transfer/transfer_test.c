/* Two sides of a transfer over a wire: everything arrives, whatever the order of turns, wherever the wire is cut and
 * whoever is started again; nothing is sent twice that need not be; what is damaged is found. */
#include "pl_test.h"
#include "transfer/rig.h"

enum { EVER = 1000000 };

static void add_some(rig *r)
{
    rig_add(r, "photos", 0, PL_TRANSFER_FOLDER);
    rig_add(r, "photos/empty", 0, PL_TRANSFER_FILE);
    rig_add(r, "photos/one byte", 1, PL_TRANSFER_FILE);
    rig_add(r, "photos/big", 3 * PL_TRANSFER_BLOCK + 12345, PL_TRANSFER_FILE);
    rig_add(r, "photos/deep/er/file", 70000, PL_TRANSFER_FILE);
    rig_add(r, "photos/block", PL_TRANSFER_BLOCK, PL_TRANSFER_FILE);
}

PL_TEST(everything_arrives)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        rig *r = rig_new(pl_test_seed(seed));
        r->message_max = seed % 2 ? 65536 : PL_TRANSFER_MESSAGE_MIN;
        r->window = PL_TRANSFER_BLOCK;
        r->slow_disk = seed % 3 == 0;
        add_some(r);
        rig_connect(r);
        rig_run(r, EVER);
        PL_OKAY(r->sender_done && r->receiver_done);
        PL_OKAY(rig_is_whole(r));
        PL_EQ(r->n_answers[PL_TRANSFER_WHOLE], 5);
        pl_transfer_progress p, q;
        pl_transfer_sender_progress(r->sender, &p);
        pl_transfer_receiver_progress(r->receiver, &q);
        PL_EQ(p.carried, p.total);
        PL_EQ(q.done, p.total);
        PL_EQ(p.n_whole, 5);
        PL_EQ(q.n_whole, 5);
        rig_free(r);
    }
}

PL_TEST(the_window_bounds_what_is_under_way)
{
    rig *r = rig_new(pl_test_seed(3));
    r->window = PL_TRANSFER_BLOCK;
    rig_add(r, "big", 5 * PL_TRANSFER_BLOCK, PL_TRANSFER_FILE);
    rig_connect(r);
    pl_transfer_want w;
    pl_transfer_output o;
    while (rig_run(r, 1) && r->n_accepted == 0)
        ;
    uint64_t sent = 0; /* the receiver is silent from now on */
    for (int i = 0; i < 10000; i++) {
        if (pl_transfer_sender_want(r->sender, &w))
            pl_transfer_sender_read(r->sender, r->block + PL_TRANSFER_HEADROOM, w.max);
        if (!pl_transfer_sender_poll_output(r->sender, &o))
            break;
        sent += o.data[0] == PL_TRANSFER_DATA ? o.len - PL_TRANSFER_DATA_HEADER : 0;
        pl_transfer_sender_sent(r->sender);
    }
    PL_LE(sent, PL_TRANSFER_BLOCK);
    PL_GE(sent, PL_TRANSFER_BLOCK - 65536);
    rig_free(r);
}

PL_TEST(a_stream_of_unknown_length)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        rig *r = rig_new(pl_test_seed(seed));
        r->slow_disk = true;
        r->window = 2 * PL_TRANSFER_BLOCK;
        rig_add(r, "stdin", seed == 1 ? 0 : seed * 3000001, PL_TRANSFER_STREAM);
        rig_connect(r);
        rig_run(r, EVER);
        PL_OKAY(r->sender_done && r->receiver_done);
        PL_OKAY(rig_is_whole(r));
        rig_free(r);
    }
}

/* The wire is cut after every number of messages, once or again and again. */
static void cut_at(uint64_t cut, bool often, bool stream)
{
    rig *r = rig_new(pl_test_seed(cut + 1));
    r->message_max = 32768;
    r->window = PL_TRANSFER_BLOCK;
    r->slow_disk = cut % 2;
    if (stream)
        rig_add(r, "stdin", 2 * PL_TRANSFER_BLOCK + 7, PL_TRANSFER_STREAM);
    else
        add_some(r);
    rig_connect(r);
    for (int i = 0; i < (often ? 40 : 1); i++) {
        rig_run(r, cut);
        if (r->sender_done || r->receiver_done)
            break;
        rig_connect(r);
    }
    if (!r->receiver_done && !r->sender_done)
        rig_run(r, EVER);
    PL_OKAY(!r->sender_failed && !r->receiver_failed);
    PL_OKAY(r->sender_done);
    PL_OKAY(rig_is_whole(r));
    rig_free(r);
}

PL_TEST(cut_once_at_every_point)
{
    for (uint64_t cut = 0; cut < 170; cut++) {
        cut_at(cut, false, false);
        cut_at(cut, false, true);
    }
}

PL_TEST(cut_again_and_again)
{
    for (uint64_t cut = 20; cut < 60; cut++) {
        cut_at(cut, true, false);
        cut_at(cut, true, true);
    }
}

PL_TEST(little_is_sent_twice)
{
    rig *r = rig_new(pl_test_seed(5));
    uint64_t size = 20 * (uint64_t)PL_TRANSFER_BLOCK;
    rig_file *f = rig_add(r, "big", size, PL_TRANSFER_FILE);
    rig_connect(r);
    int n_cuts = 0;
    for (uint64_t had = 0; rig_run(r, 150) == 150 && !r->sender_done; had = f->on_disk) {
        PL_GE(f->on_disk, had);
        rig_connect(r);
        n_cuts++;
    }
    PL_GE(n_cuts, 2);
    PL_OKAY(rig_is_whole(r));
    pl_transfer_progress p;
    pl_transfer_sender_progress(r->sender, &p);
    PL_LE(p.carried, size + (uint64_t)n_cuts * 10 * 65536); /* what was on the wire */
    PL_LE(r->read_bytes,
          size + (uint64_t)n_cuts * 3 * PL_TRANSFER_BLOCK); /* hashes are kept, not made anew */
    rig_free(r);
}

/* Either side's process is started again; what lies on the disk is hashed and taken. */
PL_TEST(started_again)
{
    for (uint64_t cut = 5; cut < 170; cut += 3) {
        rig *r = rig_new(pl_test_seed(cut));
        r->message_max = 32768;
        add_some(r);
        rig_connect(r);
        rig_run(r, cut);
        if (!rig_over(r) && !r->sender_done) {
            if (cut % 3 != 0)
                rig_new_sender(r);
            if (cut % 3 != 1)
                rig_new_receiver(r);
            rig_connect(r);
            rig_run(r, EVER);
        }
        PL_OKAY(r->sender_done);
        PL_OKAY(rig_is_whole(r));
        rig_free(r);
    }
}

PL_TEST(a_damaged_part_is_not_continued)
{
    rig *r = rig_new(pl_test_seed(8));
    rig_file *f = rig_add(r, "big", 4 * PL_TRANSFER_BLOCK, PL_TRANSFER_FILE);
    rig_file *g = rig_add(r, "sound", 4 * PL_TRANSFER_BLOCK, PL_TRANSFER_FILE);
    for (int i = 0; i < 2; i++) {
        rig_file *h = i ? g : f;
        h->on_disk = 3 * PL_TRANSFER_BLOCK + 5;
        memcpy(h->disk, h->source, h->on_disk);
    }
    f->disk[1234567] ^= 1;
    rig_connect(r);
    rig_run(r, EVER);
    PL_OKAY(r->sender_done && r->receiver_done && rig_is_whole(r));
    PL_EQ(f->n_resumed, 0);
    PL_EQ(g->n_resumed, 1);
    pl_transfer_progress p;
    pl_transfer_sender_progress(r->sender, &p);
    PL_EQ(p.carried, 4 * PL_TRANSFER_BLOCK + PL_TRANSFER_BLOCK - 5);
    rig_free(r);
}

PL_TEST(what_is_there_already_costs_no_byte)
{
    rig *r = rig_new(pl_test_seed(9));
    rig_file *f = rig_add(r, "big", 2 * PL_TRANSFER_BLOCK + 1, PL_TRANSFER_FILE);
    f->on_disk = f->size;
    memcpy(f->disk, f->source, f->size);
    rig_connect(r);
    rig_run(r, EVER);
    pl_transfer_progress p;
    pl_transfer_sender_progress(r->sender, &p);
    PL_OKAY(r->sender_done && r->receiver_done && rig_is_whole(r));
    PL_EQ(p.carried, 0);
    PL_EQ(p.done, f->size);
    rig_free(r);
}

/* A file that shrinks, one that cannot be read, one that cannot be written: the others arrive. */
PL_TEST(one_bad_file_spoils_no_other)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        rig *r = rig_new(pl_test_seed(seed));
        r->window = PL_TRANSFER_BLOCK;
        r->slow_disk = seed % 2;
        rig_file *shrinks = rig_add(r, "a", 3 * PL_TRANSFER_BLOCK, PL_TRANSFER_FILE);
        rig_file *refused = rig_add(r, "b", 3 * PL_TRANSFER_BLOCK, PL_TRANSFER_FILE);
        rig_file *good = rig_add(r, "c", 100000, PL_TRANSFER_FILE);
        shrinks->shrunk_to = PL_TRANSFER_BLOCK + 77;
        refused->refuse = true;
        rig_connect(r);
        for (int i = 0; i < 10 && seed > 10; i++) { /* and the wire is cut besides */
            rig_run(r, 30);
            if (r->sender_done)
                break;
            rig_connect(r);
        }
        if (!r->sender_done)
            rig_run(r, EVER);
        PL_OKAY(r->sender_done);
        PL_OKAY(shrinks->missing && refused->unwritten && good->stored);
        PL_OKAY(!shrinks->stored && !refused->stored);
        PL_MEMEQ(good->disk, good->source, good->size);
        pl_transfer_progress p;
        pl_transfer_sender_progress(r->sender, &p);
        PL_EQ(p.n_bad, 2);
        PL_EQ(p.n_whole, 1);
        rig_free(r);
    }
}

/* What a sender reads changes while it is sent: after a cut the file is not what its first part was. */
PL_TEST(a_file_that_changes_is_sent_anew)
{
    rig *r = rig_new(pl_test_seed(10));
    rig_file *f = rig_add(r, "log", 2 * PL_TRANSFER_BLOCK, PL_TRANSFER_FILE);
    rig_connect(r);
    while (f->on_disk < PL_TRANSFER_BLOCK / 2)
        rig_run(r, 1);
    f->source[0] ^= 1;
    rig_new_sender(r);
    rig_connect(r);
    rig_run(r, EVER);
    PL_OKAY(r->sender_done && rig_is_whole(r));
    PL_EQ(f->n_resumed, 0);
    rig_free(r);
}

PL_TEST(declined_and_stopped)
{
    rig *r = rig_new(pl_test_seed(11));
    add_some(r);
    r->declines = true;
    rig_connect(r);
    rig_run(r, EVER);
    PL_OKAY(r->sender_failed && r->sender_theirs);
    PL_EQ(r->sender_code, PL_TRANSFER_DECLINED);
    PL_STREQ(r->sender_text, "no, thank you");
    rig_free(r);

    r = rig_new(pl_test_seed(12));
    add_some(r);
    rig_connect(r);
    rig_run(r, 30);
    pl_transfer_sender_cancel(r->sender, PL_TRANSFER_STOPPED, "enough");
    rig_run(r, EVER);
    PL_OKAY(r->receiver_failed && r->receiver_theirs);
    PL_EQ(r->receiver_code, PL_TRANSFER_STOPPED);
    PL_EQ(pl_transfer_sender_start(r->sender, 65536), PL_ESTATE);
    rig_free(r);
}

PL_TEST(a_stream_whose_sender_or_receiver_is_new_cannot_go_on)
{
    rig *r = rig_new(pl_test_seed(13));
    r->window = PL_TRANSFER_BLOCK;
    rig_file *f = rig_add(r, "stdin", 40 * PL_TRANSFER_BLOCK, PL_TRANSFER_STREAM);
    rig_connect(r);
    while (f->on_disk < 20 * PL_TRANSFER_BLOCK)
        rig_run(r, 1);
    rig_new_receiver(r);
    f->on_disk = 0;
    rig_connect(r);
    rig_run(r, EVER);
    PL_OKAY(r->sender_failed && r->receiver_failed);
    PL_EQ(r->receiver_code, PL_TRANSFER_FAILED);
    rig_free(r);
}

PL_TEST(more_than_is_taken_is_refused)
{
    for (int i = 0; i < 2; i++) {
        rig *r = rig_new(pl_test_seed(14));
        add_some(r);
        r->max_bytes = i ? 1000 : 0;
        r->max_entries = i ? 0 : 3;
        rig_connect(r);
        rig_run(r, EVER);
        PL_EQ(r->n_offers, 0);
        PL_OKAY(r->sender_failed && r->sender_theirs);
        PL_EQ(r->sender_code, PL_TRANSFER_REFUSED);
        rig_free(r);
    }
}

PL_TESTS(t(everything_arrives), t(the_window_bounds_what_is_under_way), t(a_stream_of_unknown_length),
         t(cut_once_at_every_point), t(cut_again_and_again), t(little_is_sent_twice), t(started_again),
         t(a_damaged_part_is_not_continued), t(what_is_there_already_costs_no_byte),
         t(one_bad_file_spoils_no_other), t(a_file_that_changes_is_sent_anew), t(declined_and_stopped),
         t(a_stream_whose_sender_or_receiver_is_new_cannot_go_on), t(more_than_is_taken_is_refused))
