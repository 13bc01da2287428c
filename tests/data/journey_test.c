/* Seeded journeys of two managers of channels over bad links (sim/data_journey.h says what is promised). PL_SEED=n runs
 * that one, checked after every packet; PL_SEEDS=n so many. */
#include "pl_test.h"

#include "sim/data_journey.h"

enum { SEEDS = 3000, CHECKED = 16 };

PL_TEST(journeys_over_bad_links)
{
    bool one = getenv("PL_SEED") != NULL;
    const char *text = getenv("PL_SEEDS");
    uint64_t first = pl_test_seed(1), n = one ? 1 : text ? strtoull(text, NULL, 0) : SEEDS;
    sim_data_totals s = { 0 };
    for (uint64_t seed = first; seed < first + n; seed++) {
        const char *wrong = sim_data_journey(seed, one || seed % CHECKED == 0, &s);
        if (wrong && getenv("PL_ALL"))
            print_error("%s\n", wrong);
        else if (wrong)
            fail_msg("%s", wrong);
    }
#define P(field) print_message("%s %llu  ", #field, (unsigned long long)s.field)
    P(journeys), P(channels), P(negotiated), P(reused), P(messages), P(empty), P(arrived), P(given_up),
        P(pieces);
    P(parts), P(lent), P(closes), P(releases), P(full), P(no_id), P(pauses);
#undef P
    print_message("\n");
    if (one)
        return;
    PL_GE(s.channels, 5 * n);
    PL_GE(s.reused, n / 4);
    PL_GE(s.messages, 20 * n);
    PL_GE(s.empty, n / 4);
    PL_GE(s.given_up, n / 4);
    PL_GE(s.closes, 2 * n);
    PL_GE(s.releases, n / 4);
}

PL_TESTS(t(journeys_over_bad_links))
