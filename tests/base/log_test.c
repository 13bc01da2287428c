/* The diary: who gets lines, what strangers can do to it, and what is kept out of it. */
#include "pl_test.h"

#include "base/addr.h"
#include "base/log.h"

static char last[600];
static int n_lines;

static void keep(void *user, pl_log_level level, const char *line)
{
    PL_OKAY(user == last && level <= PL_LOG_WARN);
    snprintf(last, sizeof last, "%s", line);
    n_lines++;
}

PL_TEST(lines_have_names_and_levels)
{
    pl_log log = { 0 };
    pl_log_to(keep, last, PL_LOG_INFO);
    n_lines = 0;
    pl_log_name(&log, "ice", 0x3f);
    pl_log_info(&log, "pair %d", 7);
    PL_STREQ(last, "ice[3f]: pair 7");
    pl_log_debug(&log, "not wanted at this level");
    PL_EQ(n_lines, 1);
    pl_log_warn(NULL, "no object");
    PL_STREQ(last, "peerline: no object");
    pl_log_to(keep, last, PL_LOG_OFF);
    pl_log_warn(&log, "nobody listens");
    PL_EQ(n_lines, 2);
}

PL_TEST(a_peers_text_forges_no_line_and_is_cut)
{
    char longest[2000];
    pl_log_to(keep, last, PL_LOG_INFO);
    n_lines = 0;
    pl_log_info(NULL, "name %s", "a\nice[1]: all is well\x1b[2J");
    PL_STREQ(last, "peerline: name a?ice[1]: all is well?[2J");
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    pl_log_info(NULL, "%s", longest);
    PL_EQ(n_lines, 2);
    PL_LE(strlen(last), 512);
}

PL_TEST(private_matters_stay_out)
{
    char text[PL_ADDR_TEXT_MAX], again[PL_ADDR_TEXT_MAX];
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, "192.0.2.77:4711", 15), PL_OK);
    PL_OKAY(!strstr(pl_log_addr(&a, text), "192.0.2.77"));
    PL_OKAY(strstr(text, ":4711"));         /* the port helps and tells nothing of who */
    PL_STREQ(pl_log_addr(&a, again), text); /* one address is one word, so that a log can be followed */
    PL_STREQ(pl_log_private("secret"), "(hidden)");
    pl_log_show_private(true);
    PL_STREQ(pl_log_addr(&a, text), "192.0.2.77:4711");
    PL_STREQ(pl_log_private("secret"), "secret");
    pl_log_show_private(false);
    PL_STREQ(pl_log_private("secret"), "(hidden)");
}

PL_TEST(strangers_cause_one_line_a_second)
{
    pl_rate rate = { 0 };
    int n_passed = 0;
    for (int64_t now_us = 5000000; now_us < 8000000; now_us += 1000)
        n_passed += pl_rate_pass(&rate, now_us);
    PL_EQ(n_passed, 3);
    PL_EQ(pl_rate_missed(&rate), 2997);
    PL_EQ(pl_rate_missed(&rate), 0);
}

PL_TESTS(t(lines_have_names_and_levels), t(a_peers_text_forges_no_line_and_is_cut),
         t(private_matters_stay_out), t(strangers_cause_one_line_a_second))
