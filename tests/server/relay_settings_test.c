/* Configuration of the relay: every key by file and by option, and every mistake named with its place. */
#include "pl_test.h"

#include <unistd.h>

#include "server/relay_server.h"
#include "server/relay_settings.h"

static char file_name[64];

static const char *write_file(const char *text)
{
    snprintf(file_name, sizeof file_name, "/tmp/relay_settings_XXXXXX");
    int fd = mkstemp(file_name);
    PL_GE(fd, 0);
    PL_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return file_name;
}

/* "" or what was said. */
static const char *read_text(pl_relay_settings *s, const char *text)
{
    static char say[PL_RELAY_SAY_MAX], said[PL_RELAY_SAY_MAX];
    const char *name = write_file(text);
    pl_relay_settings_init(s);
    bool ok = pl_relay_settings_read(s, name, say) && pl_relay_settings_finish(s, say);
    unlink(name);
    size_t prefix = strncmp(say, name, strlen(name)) == 0 ? strlen(name) : 0;
    snprintf(said, sizeof said, "%s", ok ? "" : say + prefix);
    return said;
}

PL_TEST(every_key_is_understood)
{
    static pl_relay_settings s;
    PL_STREQ(read_text(&s, "# a relay\n"
                           "listen 192.0.2.1:3478\n"
                           "listen = [2001:db8::1]\n"
                           "\ttls=192.0.2.1   # the usual port\n"
                           "primary 192.0.2.1:3478\nalternate 192.0.2.2:3479\n"
                           "cert /etc/a.pem\r\nkey /etc/b.pem\n"
                           "realm example.org\n"
                           "user alice:se#cret\nuser = bob:x:y z\n"
                           "user-file /u\nrest-secret-file /r\n"
                           "relay-address 192.0.2.3\nexternal 203.0.113.1/192.0.2.3\nexternal 2001:db8::5\n"
                           "ports 50000-50010\n"
                           "no-tcp\nno-tcp-relay yes\nno-mobility no\nno-software on\n"
                           "allow-peer 10.1.0.0/16\nallow-peer 2001:db8::/32\ndeny-peer 198.51.100.7\n"
                           "user-quota 5\nclient-quota 6\ntotal-quota 700\nbandwidth 2M\n"
                           "unauthenticated-rate 9\nmax-connections 10\ndrain-seconds 0\nthreads 3\n"
                           "metrics 9100\nrun-as nobody:nogroup\nlog-addresses\n"
                           "alternate-server 192.0.2.9\nalternate-server [2001:db8::9]:1\n"),
             "");
    PL_EQ(s.n_listen, 2);
    PL_EQ(s.listen[1].port, 3478);
    PL_EQ(s.tls[0].port, 5349);
    PL_EQ(s.alternate.port, 3479);
    PL_STREQ(s.cert, "/etc/a.pem");
    PL_STREQ(s.realm, "example.org");
    PL_EQ(s.n_users, 2);
    PL_STREQ(s.user[0].secret, "se#cret");
    PL_STREQ(s.user[1].name, "bob");
    PL_STREQ(s.user[1].secret, "x:y z");
    PL_EQ(s.external[0].local.ip[3], 3);
    PL_EQ(s.external[1].local.family, PL_AF_NONE);
    PL_EQ(s.port_lo, 50000);
    PL_EQ(s.port_hi, 50010);
    PL_OKAY(s.no_tcp && s.no_tcp_relay && !s.no_mobility && s.no_software && s.log_addresses);
    PL_EQ(s.n_allow, 2);
    PL_EQ(s.allow[0].bits, 16);
    PL_EQ(s.deny[0].bits, 32);
    PL_EQ(s.bandwidth, 2000000);
    PL_EQ(s.total_quota, 700);
    PL_EQ(s.drain_seconds, 0);
    PL_EQ(s.threads, 3);
    PL_OKAY(pl_addr_is_loopback(&s.metrics));
    PL_EQ(s.metrics.port, 9100);
    PL_STREQ(s.alternate_server[1], "[2001:db8::9]:1");
    PL_OKAY(pl_relay_settings_relays(&s));
}

PL_TEST(nothing_said_is_a_stun_server)
{
    static pl_relay_settings s;
    PL_STREQ(read_text(&s, "\n   \n# only a comment"), "");
    PL_EQ(s.n_listen, 2);
    PL_EQ(s.listen[0].port, 3478);
    PL_OKAY(s.listen_is_default && !pl_relay_settings_relays(&s));
    PL_EQ(s.port_lo, 49152);
    PL_STREQ(read_text(&s, "no-auth"), "");
    PL_OKAY(pl_relay_settings_relays(&s));
}

PL_TEST(mistakes_are_named_with_their_line)
{
    static const char *const wrong[][2] = {
        { "realm a\nlisen 1.2.3.4\n", ":2: there is no key 'lisen'" },
        { "\n\nlisten here\n", ":3: listen wants ADDR:PORT such as 0.0.0.0:3478 or [::]:3478, not 'here'" },
        { "listen", ":1: listen wants a value" },
        { "user alice\n", ":1: user wants NAME:PASSWORD" },
        { "user :x\n", ":1: user wants NAME:PASSWORD" },
        { "ports 60000-50000\n", ":1: ports wants LO-HI such as 49152-65535, not '60000-50000'" },
        { "ports 0-1\n", ":1: ports wants LO-HI such as 49152-65535, not '0-1'" },
        { "allow-peer 10.0.0.0/33\n",
          ":1: allow-peer wants a range such as 10.0.0.0/8 or 2001:db8::/32, not '10.0.0.0/33'" },
        { "bandwidth 7\n", ":1: bandwidth wants a number from 8000 to 32000000000, not '7'" },
        { "bandwidth 9k9\n", ":1: bandwidth wants a number from 8000 to 32000000000, not '9k9'" },
        { "bandwidth 99999999999G\n",
          ":1: bandwidth wants a number from 8000 to 32000000000, not '99999999999G'" },
        { "threads -1\n", ":1: threads wants a number from 0 to 256, not '-1'" },
        { "no-tcp perhaps\n", ":1: no-tcp is yes or no, not 'perhaps'" },
        { "external 1.2.3.4/::1\n",
          ":1: external wants ADDR or ADDR/LOCAL, both IPv4 or both IPv6, not '1.2.3.4/::1'" },
        { "relay-address 0.0.0.0\n", ":1: relay-address wants an address of this machine, not '0.0.0.0'" },
        { "metrics x\n", ":1: metrics wants ADDR:PORT or a port, not 'x'" },
        { "cert a\n", "cert and key go together" },
        { "tls 1.2.3.4\n", "tls wants a certificate: cert and key" },
        { "no-auth\nuser a:b\n", "no-auth and credentials contradict each other" },
        { "no-udp\nno-tcp\n", "with no-udp and no-tcp there is nothing left to listen on" },
        { "primary 1.2.3.4:5\nalternate 1.2.3.4:6\n",
          "primary and alternate go together, and must differ in address and in port (RFC 5780)" },
        { "primary 1.2.3.4:5\n",
          "primary and alternate go together, and must differ in address and in port (RFC 5780)" },
    };
    static pl_relay_settings s;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        PL_STREQ(read_text(&s, wrong[i][0]), wrong[i][1]);
    char say[PL_RELAY_SAY_MAX];
    PL_OKAY(!pl_relay_settings_read(&s, "/nowhere/at/all", say));
    PL_STREQ(say, "/nowhere/at/all: No such file or directory");
}

PL_TEST(lists_and_lines_have_ends)
{
    static pl_relay_settings s;
    static char text[64 * 1024];
    char say[PL_RELAY_SAY_MAX];
    memset(text, 'x', 5000);
    text[5000] = 0;
    PL_STREQ(read_text(&s, text), ":1: the line is too long");
    snprintf(text, sizeof text, "realm %0300d\n", 1);
    PL_STREQ(read_text(&s, text), ":1: realm wants 1 to 255 characters");
    pl_relay_settings_init(&s);
    for (int i = 0; i < PL_RELAY_USERS_MAX; i++)
        PL_OKAY(pl_relay_settings_set(&s, "user", "a:b", say));
    PL_OKAY(!pl_relay_settings_set(&s, "user", "a:b", say));
    for (int i = 0; i < PL_RELAY_RANGES_MAX; i++)
        PL_OKAY(pl_relay_settings_set(&s, "deny-peer", "1.2.3.4", say));
    PL_OKAY(!pl_relay_settings_set(&s, "deny-peer", "1.2.3.4", say));
    for (int i = 0; i < PL_RELAY_LISTEN_MAX; i++)
        PL_OKAY(pl_relay_settings_set(&s, "listen", "1.2.3.4", say));
    PL_OKAY(!pl_relay_settings_set(&s, "listen", "1.2.3.4", say));
    for (int i = 0; i < PL_RELAY_ADDRS_MAX; i++) {
        PL_OKAY(pl_relay_settings_set(&s, "external", "1.2.3.4", say));
        PL_OKAY(pl_relay_settings_set(&s, "relay-address", "1.2.3.4", say));
    }
    PL_OKAY(!pl_relay_settings_set(&s, "external", "1.2.3.4", say));
    PL_OKAY(!pl_relay_settings_set(&s, "relay-address", "1.2.3.4", say));
}

PL_TEST(a_reload_may_change_rules_but_not_sockets)
{
    static pl_relay_settings a, b;
    const char *key = NULL;
    read_text(&a, "listen 127.0.0.1:1\nuser a:b\n");
    read_text(&b, "listen 127.0.0.1:1\nuser c:d\nrealm x\ndeny-peer 1.2.3.4\nuser-quota 1\nbandwidth 1M\n");
    PL_OKAY(pl_relay_settings_reloadable(&a, &b, &key));
    read_text(&b, "listen 127.0.0.1:2\n");
    PL_OKAY(!pl_relay_settings_reloadable(&a, &b, &key));
    PL_STREQ(key, "listen");
    read_text(&b, "listen 127.0.0.1:1\nuser a:b\nthreads 2\n");
    PL_OKAY(!pl_relay_settings_reloadable(&a, &b, &key));
    PL_STREQ(key, "threads");
    read_text(&b, "listen 127.0.0.1:1\nuser a:b\nrun-as nobody\n");
    PL_OKAY(!pl_relay_settings_reloadable(&a, &b, &key));
    PL_STREQ(key, "run-as");
    read_text(&b, "listen 127.0.0.1:1\nuser a:b\nno-mobility\n");
    PL_OKAY(!pl_relay_settings_reloadable(&a, &b, &key));
    PL_STREQ(key, "no-mobility");
}

/* ---- credentials ---- */

static const char *auth_of_users(const char *users, size_t *n)
{
    static pl_relay_settings s;
    static char say[PL_RELAY_SAY_MAX];
    pl_stun_auth *auth;
    const char *name = write_file(users);
    pl_relay_settings_init(&s);
    snprintf(s.user_file, sizeof s.user_file, "%s", name);
    bool ok = pl_relay_auth_read(&auth, &s, NULL, say);
    unlink(name);
    *n = ok ? pl_stun_auth_n_users(auth) : 0;
    if (ok)
        pl_stun_auth_free(auth);
    return ok ? "" : say + strlen(name);
}

PL_TEST(user_files)
{
    size_t n;
    PL_STREQ(
        auth_of_users(
            "# people\n\nalice:secret\nbob:se:cret\r\ncarol:{MD5}0123456789abcdef0123456789ABCDEF\n", &n),
        "");
    PL_EQ(n, 3);
    PL_STREQ(auth_of_users("alice:a\nalice:b\n", &n),
             ":2: the name is empty, too long, or there already, or the password is empty or too long");
    PL_STREQ(auth_of_users("alice\n", &n),
             ":1: the name is empty, too long, or there already, or the password is empty or too long");
    PL_STREQ(auth_of_users("\nbob:{MD5}12\n", &n),
             ":2: hashes are {MD5} with 32 and {SHA256} with 64 hexadecimal digits");
    PL_STREQ(auth_of_users("bob:{MD5}0123456789abcdef0123456789abcdef!\n", &n),
             ":1: hashes are {MD5} with 32 and {SHA256} with 64 hexadecimal digits");
}

/* RFC 8489 9.2.2: MD5 of user:realm:password, as md5sum has it. */
PL_TEST(a_hashed_line_is_what_the_file_takes)
{
    char line[1024];
    size_t n;
    pl_relay_hash_user("user", "realm", "pass", line, sizeof line);
    PL_OKAY(strncmp(line, "user:{MD5}8493fbc53ba582fb4c044c456bdc40eb{SHA256}", 50) == 0);
    PL_EQ(strlen(line), 50 + 64);
    PL_STREQ(auth_of_users(line, &n), "");
    PL_EQ(n, 1);
    pl_relay_hash_user("user", "realm", "pass", line, 20);
    PL_STREQ(line, "");
}

/* Known answer, from openssl's command line. */
PL_TEST(time_limited_credentials)
{
    char name[PL_RELAY_TEXT_MAX], password[PL_RELAY_TEXT_MAX];
    pl_relay_make_credentials("north", "alice", 1700000000, name, password);
    PL_STREQ(name, "1700000000:alice");
    PL_STREQ(password, "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
}

PL_TESTS(t(every_key_is_understood), t(nothing_said_is_a_stun_server), t(mistakes_are_named_with_their_line),
         t(lists_and_lines_have_ends), t(a_reload_may_change_rules_but_not_sockets), t(user_files),
         t(a_hashed_line_is_what_the_file_takes), t(time_limited_credentials))
