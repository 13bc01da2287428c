/* Seeded journeys of two associations over bad links (sim/sctp_journey.h says what is promised). PL_SEED=n runs that one,
 * checked after every packet; PL_SEEDS=n so many, from PL_SEED on, checked as well with PL_CHECK; PL_WITHOUT=mask leaves
 * features out, to find what a failure needs; PL_ALL tells every failure.
 * Together the two tests run 10,000, fewer under a sanitizer, every fourth checked after every packet. */
#include "pl_test.h"

#include "sim/sctp_journey.h"

#ifdef __SANITIZE_ADDRESS__
enum { SEEDS = 500 };
#else
enum { SEEDS = 5000 };
#endif

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void print_totals(const sim_journey_totals *s)
{
#define P(field) print_message("%s %llu  ", #field, (unsigned long long)s->field)
    P(journeys), P(messages), P(bytes), P(arrived), P(partial), P(abandoned), P(broken), P(parts), P(lent),
        P(pieces);
    P(resets), P(adds), P(restarts), P(path_changes), P(blackouts), P(packets), P(retransmitted), P(timeouts);
    P(undone), P(no_checksum), P(refused_full), P(refused_sid), P(shutdowns), P(aborts);
#undef P
    print_message("virtual hours %.1f\n", (double)s->virtual_us / 3.6e9);
}

static void journeys(unsigned without)
{
    bool one = getenv("PL_SEED") && !getenv("PL_SEEDS");
    uint64_t first = pl_test_seed(1), n = one ? 1 : number_of("PL_SEEDS", SEEDS);
    sim_journey_totals sum = { 0 };
    for (uint64_t seed = first; seed < first + n; seed++) {
        sim_journey_conf conf = { .seed = seed,
                                  .without = (unsigned)number_of("PL_WITHOUT", without),
                                  .check = one || seed % 4 == 0 || getenv("PL_CHECK") };
        const char *wrong = sim_journey(&conf, &sum);
        if (wrong && getenv("PL_ALL"))
            print_error("%s\n", wrong);
        else if (wrong)
            fail_msg("%s", wrong);
    }
    print_totals(&sum);
    if (getenv("PL_SEED") || getenv("PL_WITHOUT"))
        return;
    /* What was to be tried was tried. */
    PL_GE(sum.messages, 50 * n);
    PL_GE(sum.abandoned, n);
    PL_GE(sum.timeouts, n);
    PL_GE(sum.undone, n / 10);
    PL_GE(sum.resets, n / 4);
    PL_GE(sum.restarts, n / 20);
    PL_GE(sum.blackouts, n / 4);
    PL_GE(sum.refused_full, n / 10);
}

PL_TEST(journeys_over_bad_links)
{
    journeys(SIM_WITHOUT_INTERLEAVING);
}

PL_TEST(interleaved_journeys_over_bad_links)
{
    journeys(0);
}

/* Seeds that went wrong once, each checked after every packet. */
PL_TEST(journeys_that_once_failed)
{
    static const sim_journey_conf once[] = {
        { .seed = 220 }, /* pieces that were not filled: more was held than the window and a tenth */
        { .seed = 3440,
          .without = SIM_WITHOUT_INTERLEAVING }, /* … and one made long in advance when a gap was filled */
        { .seed = 7513, .without = SIM_WITHOUT_INTERLEAVING }, /* … or a message's buffer */
        { .seed = 3740, .without = SIM_WITHOUT_RESTARTS },
        { .seed = 4430, .without = SIM_WITHOUT_RESTARTS },
    };
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        sim_journey_conf conf = once[i];
        sim_journey_totals sum = { 0 };
        conf.check = true;
        const char *wrong = sim_journey(&conf, &sum);
        if (wrong)
            fail_msg("%s", wrong);
    }
}

PL_TESTS(t(journeys_that_once_failed), t(journeys_over_bad_links), t(interleaved_journeys_over_bad_links))
