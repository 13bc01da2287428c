/* Memory runs out while objects are made, which leaves the old ones whole; and nothing is allocated later. */
#include "pl_alloc.h"
#include "pl_test.h"

#include "base/time.h"
#include "stun/auth.h"
#include "stun/client.h"
#include "stun/credentials.h"
#include "stun/nat.h"
#include "stun/server.h"

static const int64_t wall_us = INT64_C(1800000000) * 1000000;
static const pl_addr here = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 7 }, .port = 4711 };
static const pl_addr there = { .family = PL_AF_IP4, .ip = { 198, 51, 100, 1 }, .port = 3478 };

/* Three users and a secret; users whom no memory could be had for are tried again. */
static pl_err fill(pl_stun_auth *a)
{
    static const char *const name[] = { "alice", "bob", "carol" };
    for (int i = 0; i < 3; i++) {
        size_t before = pl_stun_auth_n_users(a);
        pl_err err = pl_stun_auth_add_password(a, pl_str_of(name[i]), PL_STR("secret"));
        if (err) {
            PL_EQ(err, PL_ENOMEM);
            PL_EQ(pl_stun_auth_n_users(a), before);
            err = pl_stun_auth_add_password(a, pl_str_of(name[i]), PL_STR("secret"));
        }
        if (err)
            return err;
    }
    return pl_stun_auth_add_secret(a, PL_STR("shared"));
}

PL_TEST(credentials_survive_every_failure)
{
    for (long n = 0; n == 0 || pl_alloc_has_failed(); n++) {
        pl_stun_auth *a;
        pl_stun_auth_conf conf = { .realm = PL_STR("example.org") };
        pl_alloc_fail_after(n);
        pl_err err = pl_stun_auth_new(&a, &conf);
        if (err) {
            PL_EQ(err, PL_ENOMEM);
            PL_OKAY(!a);
            continue;
        }
        PL_EQ(fill(a), PL_OK);
        PL_EQ(pl_stun_auth_n_users(a), 3);
        pl_stun_auth_free(a);
    }
    pl_alloc_fail_after(-1);
}

PL_TEST(clients_survive_every_failure)
{
    pl_stun_client *c;
    pl_stun_nat *nat;
    pl_stun_client_conf client = { .server = there };
    pl_stun_nat_conf conf = { .server = there };
    for (int i = 0; i < PL_STUN_NAT_N_SOCKETS; i++)
        conf.local[i] = here;
    pl_alloc_fail_after(0);
    PL_EQ(pl_stun_client_new(&c, &client, 0), PL_ENOMEM);
    pl_alloc_fail_after(0);
    PL_EQ(pl_stun_nat_new(&nat, &conf, 0), PL_ENOMEM);
    PL_OKAY(pl_alloc_has_failed());
    PL_OKAY(!c && !nat);
}

/* A challenge, the request it leads to, its check and its signed answer. */
static void one_round(const pl_stun_auth *a, pl_stun_cred *c)
{
    static const uint8_t id[PL_STUN_ID_LEN];
    uint8_t wire[1024];
    pl_stun_msg m;
    pl_stun_cred_try try = { 0 };
    pl_stun_auth_result got;
    pl_stun_wr s = pl_stun_begin(wire, sizeof wire, PL_STUN_ERROR, PL_STUN_REFRESH, id);
    pl_stun_put_error(&s, 401, NULL);
    pl_stun_auth_challenge(a, wall_us, &here, &s);
    PL_EQ(pl_stun_parse(&m, wire, pl_stun_end(&s)), PL_OK);
    PL_EQ(pl_stun_cred_on_error(c, &m, &try), PL_STUN_CRED_RETRY);
    s = pl_stun_begin(wire, sizeof wire, PL_STUN_REQUEST, PL_STUN_REFRESH, id);
    pl_stun_cred_put(c, &s, &try);
    PL_EQ(pl_stun_parse(&m, wire, pl_stun_end(&s)), PL_OK);
    PL_EQ(pl_stun_auth_check(a, wall_us, &m, &here, NULL, &got), 0);
    s = pl_stun_begin(wire, sizeof wire, PL_STUN_SUCCESS, PL_STUN_REFRESH, id);
    pl_stun_auth_sign(&got, &s);
    PL_EQ(pl_stun_parse(&m, wire, pl_stun_end(&s)), PL_OK);
    PL_EQ(pl_stun_cred_check(c, &m), PL_OK);
}

PL_TEST(requests_allocate_nothing)
{
    pl_stun_auth *a;
    pl_stun_cred c = { 0 };
    pl_stun_server server;
    pl_stun_server_conf conf = { .software = "peerline", .primary = there };
    uint8_t wire[64], out[PL_STUN_SERVE_MAX] = { 0 };
    pl_stun_reply reply;
    PL_EQ(pl_stun_auth_new(&a, &(pl_stun_auth_conf){ .realm = PL_STR("example.org") }), PL_OK);
    PL_EQ(fill(a), PL_OK);
    PL_EQ(pl_stun_cred_set(&c, PL_STR("alice"), PL_STR("secret")), PL_OK);
    size_t before = pl_allocs();
    for (int i = 0; i < 100; i++)
        one_round(a, &c);
    pl_stun_server_init(&server, &conf);
    pl_stun_wr s = pl_stun_begin(wire, sizeof wire, PL_STUN_REQUEST, PL_STUN_BINDING, out);
    pl_stun_query q = { .pkt = wire, .len = pl_stun_end(&s), .source = &here };
    PL_OKAY(pl_stun_serve(&server, NULL, &q, out, sizeof out, &reply) > 0);
    PL_OKAY(pl_stun_serve(&server, NULL, &q, out, PL_STUN_RESPOND_MAX - 1, &reply) > 0); /* the long way */
    PL_EQ(pl_allocs() - before, 0);
    pl_stun_auth_free(a);
}

PL_TESTS(t(credentials_survive_every_failure), t(clients_survive_every_failure), t(requests_allocate_nothing))
