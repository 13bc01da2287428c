/* fail.h - a scenario once more for each allocation it makes, with that one failing: alone, and with the five after it.
 *     static void scenario(void) { ... }     PL_TEST(name) { fail_each(scenario); }
 * Shape    the scenario must run to its end whatever is refused, and free what it got; the objects' own checks, the
 *          sanitizers and a comparison of the heap before and after say whether it did. Up to 300 allocations each
 *          has its turn, beyond that every k-th. PL_ALLOC_N replays one: the n that a failure prints.
 * Limits   under a sanitizer only our own allocations fail, else also those of libraries. */
#ifndef TESTS_ALLOC_FAIL_H
#define TESTS_ALLOC_FAIL_H

#include <stdbool.h>

void fail_each(void (*scenario)(void));
/* The same without counting what is left: for code of a library that loses memory when it finds none. Under the
 * sanitizers, where only our own allocations fail, leaks are still found. */
void fail_each_but_leaks(void (*scenario)(void));
/* What the harness allocates in between does not count and does not fail. Calls nest. */
void fail_shield(bool inside);
/* True while one of a scenario's allocations is to fail or has failed; false in the run that counts them. */
bool fail_is_on(void);
long fail_at_n(void); /* which one, for messages */

#endif
