/* Rooms shared by two nodes over a real Redis: seen and called across nodes; a node that dies, and its peer that comes
 * back at the next one; Redis stopped, and Redis that has forgotten everything. */
#include "pl_test.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "net/loop.h"
#include "server/server.h"
#include "signal/client.h"
#include "signal/rooms_share.h"

enum { NODES = 2, HEARD_MAX = 1000 };

typedef struct person {
    pl_room_client *client;
    pl_peer_id id, other; /* other: the newest that came */
    size_t n_signed_in, n_closed, n_joined, n_left, n_heard;
    unsigned heard[HEARD_MAX]; /* the numbers that were said, in order */
} person;

static pl_loop *loop;
static pl_server *node[NODES];
static pl_addr at[NODES];
static pid_t redis;
static uint16_t redis_port;

/* ---- Redis ---- */

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    PL_OKAY(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 &&
            getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void redis_up(void)
{
    char port[8];
    snprintf(port, sizeof port, "%u", redis_port);
    redis = fork();
    PL_OKAY(redis >= 0);
    if (redis == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(126);
        execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
               "--loglevel", "warning", (char *)NULL);
        _exit(127);
    }
}

static void redis_down(void)
{
    kill(redis, SIGKILL);
    waitpid(redis, NULL, 0);
    redis = 0;
}

/* ---- nodes ---- */

static void node_up(int i)
{
    char url[64];
    snprintf(url, sizeof url, "redis://127.0.0.1:%u/1", redis_port);
    pl_server_conf conf = { .redis_url = url };
    conf.http.listen[0] = (pl_addr){ .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 }, .port = at[i].port };
    conf.http.n_listen = 1;
    conf.http.rate = conf.http.burst = 100000;
    PL_EQ(pl_server_new(&node[i], loop, &conf), PL_OK);
    at[i] = *pl_server_addr(node[i], 0);
}

static bool all_connected(void)
{
    for (int i = 0; i < NODES; i++) {
        pl_server_stats st;
        pl_server_get_stats(node[i], &st);
        if (!st.share.connected)
            return false;
    }
    return true;
}

/* Until it is so, for a minute of this machine's time at most. */
static void turn_while(bool (*not_yet)(const void *), const void *arg)
{
    for (int64_t end_us = pl_clock_us() + PL_SEC(60); not_yet(arg) && pl_clock_us() < end_us;)
        (void)pl_loop_run_once(loop, 20000);
    PL_OKAY(!not_yet(arg));
}

static bool is_apart(const void *arg)
{
    (void)arg;
    return !all_connected();
}

static void world_up(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    redis_port = free_port();
    memset(at, 0, sizeof at);
    redis_up();
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    for (int i = 0; i < NODES; i++)
        node_up(i);
    turn_while(is_apart, NULL);
}

static void world_down(void)
{
    for (int i = 0; i < NODES; i++)
        pl_server_free(node[i]);
    pl_loop_free(loop);
    redis_down();
}

/* ---- people ---- */

static void on_signed_in(void *user, pl_peer_id id, const pl_room_peer *peers, size_t n)
{
    person *p = user;
    p->id = id;
    p->n_signed_in++;
    if (n)
        p->other = peers[n - 1].id;
}

static void on_joined(void *user, const pl_room_peer *peer)
{
    person *p = user;
    p->n_joined++;
    p->other = peer->id;
}

static void on_left(void *user, const pl_room_peer *peer)
{
    person *p = user;
    (void)peer;
    p->n_left++;
}

static void on_message(void *user, pl_peer_id from, const char *text, size_t len)
{
    person *p = user;
    (void)from, (void)len;
    PL_OKAY(p->n_heard < HEARD_MAX);
    p->heard[p->n_heard++] = (unsigned)strtoul(text, NULL, 10);
}

static void on_closed(void *user, pl_err err, const char *why, bool again)
{
    person *p = user;
    (void)err, (void)why, (void)again;
    p->n_closed++;
}

static bool is_away(const void *arg)
{
    return ((const person *)arg)->n_signed_in == 0;
}

static void join(person *p, int i, const char *scheme, const char *name)
{
    char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u", scheme, at[i].port);
    *p = (person){ 0 };
    pl_room_client_conf conf = {
        .url = url, .name = name, .on = { on_signed_in, on_joined, on_left, on_message, on_closed }, .user = p
    };
    PL_EQ(pl_room_client_new(&p->client, loop, &conf), PL_OK);
    turn_while(is_away, p);
}

static bool is_alone(const void *arg)
{
    return ((const person *)arg)->other == 0;
}

static bool sees_nobody_leave(const void *arg)
{
    return ((const person *)arg)->n_left == 0;
}

static bool is_in(const void *arg)
{
    return ((const person *)arg)->n_closed == 0;
}

static bool is_crowded(const void *arg)
{
    uint32_t n = 0;
    (void)arg;
    for (int i = 0; i < NODES; i++) {
        pl_server_stats st;
        pl_server_get_stats(node[i], &st);
        n += st.rooms.n_peers + st.rooms.n_remote;
    }
    return n > 0;
}

static size_t wanted;

static bool has_not_heard(const void *arg)
{
    return ((const person *)arg)->n_heard < wanted;
}

static void say(person *from, pl_peer_id to, unsigned first, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char text[16];
        int len = snprintf(text, sizeof text, "%u", first + i);
        while (pl_room_client_send(from->client, to, text, (size_t)len) == PL_ENOSPC)
            (void)pl_loop_run_once(loop, 10000);
    }
}

/* All of 1 to n, once and in order. */
static void hears_all(const person *p, size_t n)
{
    wanted = n;
    turn_while(has_not_heard, p);
    for (int i = 0; i < 10; i++)
        (void)pl_loop_run_once(loop, 10000);
    PL_EQ(p->n_heard, n);
    for (size_t i = 0; i < n; i++)
        PL_EQ(p->heard[i], i + 1);
}

/* ---- tests ---- */

PL_TEST(people_of_two_nodes_hear_each_other)
{
    static const char *const schemes[][2] = {
        { "ws", "ws" }, { "http", "ws" }, { "ws", "http" }, { "http", "http" }
    };
    world_up();
    for (size_t k = 0; k < sizeof schemes / sizeof schemes[0]; k++) {
        person ann, bob;
        join(&ann, 0, schemes[k][0], "ann");
        join(&bob, 1, schemes[k][1], "bob");
        turn_while(is_alone, &ann);
        turn_while(is_alone, &bob);
        PL_EQ(ann.other, bob.id);
        PL_EQ(bob.other, ann.id);
        PL_OKAY(ann.id != bob.id);
        say(&ann, bob.id, 1, 100);
        say(&bob, ann.id, 1, 100);
        hears_all(&ann, 100);
        hears_all(&bob, 100);
        pl_room_client_sign_out(bob.client);
        turn_while(sees_nobody_leave, &ann);
        pl_room_client_sign_out(ann.client);
        turn_while(is_in, &ann);
        pl_room_client_free(ann.client);
        pl_room_client_free(bob.client);
        turn_while(is_crowded, NULL);
    }
    world_down();
}

PL_TEST(a_node_dies_and_its_peer_comes_back_at_the_next)
{
    person ann, bob;
    world_up();
    join(&ann, 0, "ws", "ann");
    join(&bob, 1, "ws", "bob");
    turn_while(is_alone, &ann);
    turn_while(is_alone, &bob);
    say(&bob, ann.id, 1, 20);
    hears_all(&ann, 20);
    for (unsigned round = 0; round < 3; round++) {
        say(&ann, bob.id, 1 + 10 * round, 10); /* on its way, and lost with the node: she says it again */
        pl_server_free(node[0]);               /* with all that it knew */
        node[0] = NULL;
        say(&bob, ann.id, 21 + 30 * round, 30);
        for (int i = 0; i < 10; i++)
            (void)pl_loop_run_once(loop, 10000);
        node_up(0); /* another node, at the address where the first was */
        hears_all(&ann, 50 + 30 * (size_t)round);
        hears_all(&bob, 10 + 10 * (size_t)round);
    }
    PL_EQ(ann.n_signed_in, 1); /* she has noticed nothing, and nobody has seen her leave */
    PL_EQ(ann.n_closed, 0);
    PL_EQ(bob.n_left, 0);
    say(&ann, bob.id, 31, 10);
    hears_all(&bob, 40);
    pl_server_stats st;
    pl_server_get_stats(node[0], &st);
    PL_EQ(st.rooms.n_resumed, 1);
    pl_room_client_free(ann.client);
    pl_room_client_free(bob.client);
    world_down();
}

static void turn_for(int64_t us)
{
    for (int64_t end_us = pl_clock_us() + us; pl_clock_us() < end_us;)
        (void)pl_loop_run_once(loop, 20000);
}

PL_TEST(redis_is_gone_for_a_while)
{
    person ann, bob;
    unsigned said = 0;
    world_up();
    join(&ann, 0, "ws", "ann");
    join(&bob, 1, "ws", "bob");
    turn_while(is_alone, &ann);
    say(&ann, bob.id, 1, 5);
    hears_all(&bob, 5);
    said = 5;
    kill(redis, SIGSTOP); /* it answers nothing, and then all at once */
    say(&ann, bob.id, said + 1, 30);
    turn_for(PL_SEC(10));
    kill(redis, SIGCONT);
    hears_all(&bob, said += 30);
    redis_down(); /* and it forgets everything */
    turn_for(PL_MS(300));
    say(&ann, bob.id, said + 1, 30);
    redis_up();
    turn_while(is_apart, NULL);
    hears_all(&bob, said += 30);
    turn_for(PL_SEC(12)); /* nobody is taken for dead afterwards */
    say(&ann, bob.id, said + 1, 5);
    hears_all(&bob, said + 5);
    PL_EQ(ann.n_closed + bob.n_closed + ann.n_left + bob.n_left, 0);
    PL_EQ(ann.n_joined, 1);
    person cid; /* whose id nobody has */
    join(&cid, 0, "ws", "cid");
    PL_OKAY(cid.id != ann.id && cid.id != bob.id);
    pl_room_client_free(ann.client);
    pl_room_client_free(bob.client);
    pl_room_client_free(cid.client);
    world_down();
}

PL_TEST(a_node_that_stays_away_takes_its_peers_with_it)
{
    person ann, bob;
    world_up();
    join(&ann, 0, "ws", "ann");
    join(&bob, 1, "ws", "bob");
    turn_while(is_alone, &ann);
    pl_room_client_free(bob.client);
    pl_server_free(node[1]);
    node[1] = NULL;
    turn_while(sees_nobody_leave, &ann);
    pl_room_client_free(ann.client);
    world_down();
}

/* A command in plain text, on a connection of its own; redis-cli is not everywhere. */
static void tell_redis(const char *command)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(redis_port) };
    char ok[3] = "";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    PL_OKAY(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    PL_EQ(send(fd, command, strlen(command), 0), strlen(command));
    PL_EQ(recv(fd, ok, sizeof ok, MSG_WAITALL), sizeof ok);
    PL_EQ(memcmp(ok, "+OK", 3), 0);
    close(fd);
}

PL_TEST(redis_is_emptied_while_nodes_run)
{
    person ann, bob, cid;
    world_up();
    join(&ann, 0, "ws", "ann");
    pl_server_free(node[1]);
    tell_redis("FLUSHALL\r\n");
    node_up(1); /* it knows of nobody, and may be the first to greet what is empty now */
    turn_while(is_apart, NULL);
    join(&bob, 1, "ws", "bob");
    turn_while(is_alone, &ann);
    turn_while(is_alone, &bob);
    PL_OKAY(bob.id != ann.id && ann.other == bob.id && bob.other == ann.id);
    say(&ann, bob.id, 1, 10);
    hears_all(&bob, 10);
    tell_redis("FLUSHALL\r\n");
    say(&bob, ann.id, 1, 10); /* before any node has noticed */
    hears_all(&ann, 10);
    join(&cid, 0, "ws", "cid");
    PL_OKAY(cid.id != ann.id && cid.id != bob.id);
    PL_EQ(ann.n_closed, 0);
    PL_EQ(bob.n_closed, 0);
    PL_EQ(ann.n_left, 0);
    PL_EQ(bob.n_left, 0);
    pl_room_client_free(ann.client);
    pl_room_client_free(bob.client);
    pl_room_client_free(cid.client);
    world_down();
}

PL_TEST(redis_that_cannot_be_used)
{
    static const char *const wrong[] = { "redis:/x",          "http://host",    "redis://",
                                         "redis://host:0",    "redis://host:x", "redis://host/x",
                                         "redis://host:70000" };
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    pl_rooms *rooms;
    PL_EQ(pl_rooms_new(&rooms, &(pl_rooms_conf){ .shared = true }), PL_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        pl_redis *r;
        char say_why[PL_REDIS_SAY_MAX];
        PL_EQ(pl_redis_new(&r, loop, &(pl_redis_conf){ .url = wrong[i], .rooms = rooms }, say_why),
              PL_EINVAL);
        PL_OKAY(say_why[0] && !r);
    }
    pl_rooms_free(rooms);
    pl_loop_free(loop);
}

PL_TESTS(t(people_of_two_nodes_hear_each_other), t(a_node_dies_and_its_peer_comes_back_at_the_next),
         t(redis_is_gone_for_a_while), t(a_node_that_stays_away_takes_its_peers_with_it),
         t(redis_is_emptied_while_nodes_run), t(redis_that_cannot_be_used))
