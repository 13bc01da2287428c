#include "peer/turnserver.h"

#include "own_net.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "net/loop.h"

static void add_names(X509 *cert)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    PL_OKAY(e && X509_add_ext(cert, e, -1));
    X509_EXTENSION_free(e);
}

/* Key and certificate in one file. */
static void write_cert(char name[40])
{
    snprintf(name, 40, "/tmp/pl-turn-XXXXXX");
    int fd = mkstemp(name);
    FILE *f = fdopen(fd, "w");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    PL_OKAY(f && key && cert);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    add_names(cert);
    PL_OKAY(X509_sign(cert, key, EVP_sha256()) > 0);
    PL_OKAY(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) && PEM_write_X509(f, cert));
    fclose(f);
    chmod(name, 0644); /* coturn may drop privileges */
    X509_free(cert);
    EVP_PKEY_free(key);
}

static bool listens(const char *address, uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, address, &to.sin_addr);
    bool ok = connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
    close(fd);
    return ok;
}

void turnserver_start(turnserver *t)
{
    turnserver_start_at(t, "127.0.0.1", false);
}

void turnserver_start_at(turnserver *t, const char *address, bool without_udp)
{
    own_net_enter(false);
    write_cert(t->cert_file);
    t->pid = fork();
    PL_GE(t->pid, 0);
    if (t->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails stops nothing */
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 1);
        dup2(null, 2);
        execlp("turnserver", "turnserver", "-c", "/dev/null", "--log-file", "/dev/null", "--pidfile",
               "/dev/null", "--no-cli", "-a", "-u", "u:p", "-r", "test", "-L", address, "-E", address, "-p",
               "3478", "--tls-listening-port", "5349", "--cert", t->cert_file, "--pkey", t->cert_file,
               "--allow-loopback-peers", "--relay-threads", "1", "--no-rfc5780",
               without_udp ? "--no-udp" : (char *)NULL, (char *)NULL);
        _exit(127);
    }
    for (int64_t end_us = pl_clock_us() + PL_SEC(10); pl_clock_us() < end_us;) {
        if (listens(address, TURN_PORT) && listens(address, TURN_TLS_PORT))
            return;
        PL_EQ(waitpid(t->pid, NULL, WNOHANG), 0); /* it still runs */
        usleep(20000);
    }
    fail_msg("turnserver does not listen");
}

void turnserver_stop(turnserver *t)
{
    kill(t->pid, SIGKILL);
    waitpid(t->pid, NULL, 0);
    unlink(t->cert_file);
}
