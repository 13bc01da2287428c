/* Who we are and who others are: interfaces, the resolver, multicast DNS. Nothing here needs more network
 * than a loopback interface. */
#include "net_help.h"

#include "net/ifaddr.h"
#include "net/mdns.h"
#include "net/resolve.h"

/* --- interfaces --- */

PL_TEST(the_machine_has_loopback_and_says_everything_once)
{
    pl_ifaddr list[PL_IFADDR_MAX];
    size_t n = pl_ifaddr_list(list, PL_IFADDR_MAX, PL_IFADDR_LOOPBACK | PL_IFADDR_LINK_LOCAL);
    bool lo4 = false;
    for (size_t i = 0; i < n; i++) {
        lo4 = lo4 || (list[i].addr.family == PL_AF_IP4 && pl_addr_is_loopback(&list[i].addr));
        PL_EQ(list[i].addr.port, 0);
        PL_OKAY(list[i].name[0] && list[i].index > 0);
        PL_OKAY(list[i].prefix > 0 && list[i].prefix <= (list[i].addr.family == PL_AF_IP4 ? 32 : 128));
        PL_OKAY(!pl_addr_is_any(&list[i].addr));
        PL_OKAY(strcmp(pl_if_type_str((pl_if_type)list[i].type), "") != 0);
        if (pl_addr_is_loopback(&list[i].addr))
            PL_EQ(list[i].type, PL_IF_LOOPBACK);
        for (size_t k = 0; k < i; k++)
            PL_OKAY(!pl_addr_eq(&list[k].addr, &list[i].addr));
    }
    PL_OKAY(lo4);
    PL_EQ(pl_ifaddr_list(list, 1, PL_IFADDR_LOOPBACK), 1); /* no more than asked */
}

PL_TEST(only_asked_for_kinds_are_told)
{
    pl_ifaddr list[PL_IFADDR_MAX];
    size_t n = pl_ifaddr_list(list, PL_IFADDR_MAX, 0);
    for (size_t i = 0; i < n; i++) {
        PL_OKAY(!pl_addr_is_loopback(&list[i].addr) && list[i].type != PL_IF_LOOPBACK);
        PL_OKAY(!pl_addr_is_link_local(&list[i].addr));
        if (list[i].addr.family == PL_AF_IP6)
            PL_EQ(list[i].addr.scope, 0);
    }
    PL_GE(pl_ifaddr_list(list, PL_IFADDR_MAX, PL_IFADDR_STABLE), n);
}

/* --- the resolver --- */

struct asked {
    int n_answers;
    pl_err err;
    size_t n;
    pl_addr addr[PL_RESOLVE_ADDR_MAX];
};

static void on_answer(void *user, pl_err err, const pl_addr *addr, size_t n)
{
    struct asked *a = user;
    a->n_answers++;
    a->err = err;
    a->n = n;
    if (n > 0)
        memcpy(a->addr, addr, n * sizeof *addr);
}

static struct asked ask(const char *host, pl_family family)
{
    struct asked a = { 0 };
    pl_loop *loop = help_loop();
    pl_resolve *q;
    PL_EQ(pl_resolve_start(&q, loop, host, 3478, family, on_answer, &a), PL_OK);
    PL_EQ(a.n_answers, 0); /* never inside the call */
    HELP_UNTIL(loop, a.n_answers == 1);
    PL_EQ(pl_loop_run_once(loop, 0), PL_OK);
    PL_EQ(a.n_answers, 1);
    pl_loop_free(loop);
    return a;
}

PL_TEST(localhost_is_here)
{
    struct asked a = ask("localhost", PL_AF_NONE);
    PL_EQ(a.err, PL_OK);
    PL_GE(a.n, 1);
    for (size_t i = 0; i < a.n; i++) {
        PL_OKAY(pl_addr_is_loopback(&a.addr[i]));
        PL_EQ(a.addr[i].port, 3478);
    }
    a = ask("localhost", PL_AF_IP4);
    PL_EQ(a.err, PL_OK);
    PL_EQ(a.n, 1);
    PL_EQ(a.addr[0].family, PL_AF_IP4);
    a = ask("a.page.LocalHost.", PL_AF_IP6);
    PL_EQ(a.err, PL_OK);
    PL_EQ(a.n, 1);
    PL_EQ(a.addr[0].family, PL_AF_IP6);
}

PL_TEST(addresses_in_text_need_no_network)
{
    struct asked a = ask("192.0.2.7", PL_AF_NONE);
    pl_addr want = help_addr("192.0.2.7:3478");
    PL_EQ(a.n, 1);
    PL_OKAY(pl_addr_eq(&a.addr[0], &want));
    a = ask("2001:db8::1", PL_AF_IP6);
    want = help_addr("[2001:db8::1]:3478");
    PL_EQ(a.n, 1);
    PL_OKAY(pl_addr_eq(&a.addr[0], &want));
    a = ask("192.0.2.7", PL_AF_IP6); /* the wrong family: the system will say no */
    PL_EQ(a.n_answers, 1);
}

PL_TEST(names_that_are_none)
{
    pl_loop *loop = help_loop();
    struct asked a = { 0 };
    char big[300];
    pl_resolve *q;
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = 0;
    PL_EQ(pl_resolve_start(&q, loop, "", 1, PL_AF_NONE, on_answer, &a), PL_EINVAL);
    PL_EQ(pl_resolve_start(&q, loop, big, 1, PL_AF_NONE, on_answer, &a), PL_EINVAL);
    pl_resolve_cancel(NULL);
    pl_loop_free(loop);
    a = ask("not localhost", PL_AF_NONE); /* and no name at all, so nobody is asked */
    PL_EQ(a.err, PL_EIO);
    PL_EQ(a.err, PL_EIO);
    PL_EQ(a.n, 0);
}

PL_TEST(a_cancelled_question_is_not_answered)
{
    struct asked a = { 0 };
    pl_loop *loop = help_loop();
    for (int i = 0; i < 20; i++) {
        pl_resolve *q;
        PL_EQ(pl_resolve_start(&q, loop, i % 2 ? "no.such.name.invalid" : "127.0.0.1", 1, PL_AF_NONE,
                               on_answer, &a),
              PL_OK);
        if (i % 3 == 0)
            PL_EQ(pl_loop_run_once(loop, 0), PL_OK);
        if (a.n_answers == 0)
            pl_resolve_cancel(q);
        a.n_answers = 0;
    }
    pl_loop_free(loop); /* waits for none of them */
    PL_EQ(a.n_answers, 0);
}

/* --- multicast --- */

struct heard {
    pl_mdns *m;
    int n;
    bool close_inside;
};

static const char question[] = "peerline test: no DNS, so others ignore it";

static void on_mdns(void *user, int64_t now_us, const pl_udp_rx *rx)
{
    struct heard *h = user;
    (void)now_us;
    if (rx->len != sizeof question || memcmp(rx->data, question, rx->len) != 0)
        return; /* others are on this port, too */
    h->n++;
    if (h->close_inside) {
        pl_mdns_close(h->m);
        h->m = NULL;
    }
}

PL_TEST(two_on_one_machine_hear_each_other)
{
    pl_loop *loop = help_loop();
    struct heard a = { 0 }, b = { 0 };
    PL_EQ(pl_mdns_open(&a.m, loop, on_mdns, &a), PL_OK);
    PL_EQ(pl_mdns_open(&b.m, loop, on_mdns, &b), PL_OK);
    PL_OKAY(pl_mdns_is_shared(a.m) && pl_mdns_is_shared(b.m));
    PL_EQ(pl_mdns_send(a.m, question, sizeof question), PL_OK);
    HELP_UNTIL(loop, a.n > 0 && b.n > 0);
    b.close_inside = true;
    PL_EQ(pl_mdns_send(a.m, question, sizeof question), PL_OK);
    HELP_UNTIL(loop, b.m == NULL);
    pl_mdns_close(a.m);
    pl_mdns_close(NULL);
    pl_loop_free(loop);
}

PL_TESTS(t(the_machine_has_loopback_and_says_everything_once), t(only_asked_for_kinds_are_told),
         t(localhost_is_here), t(addresses_in_text_need_no_network), t(names_that_are_none),
         t(a_cancelled_question_is_not_answered), t(two_on_one_machine_hear_each_other))
