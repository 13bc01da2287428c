/* own_net.h - a network of the test's own: a namespace with a loopback interface, in which ports are free, interfaces
 * come and go as the test likes, and nothing reaches the machine's network. Needs root, or a kernel that lets everybody
 * make user namespaces. Threads and children made afterwards live in it, too. */
#ifndef OWN_NET_H
#define OWN_NET_H

#include "pl_test.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <unistd.h>

static inline void own_net_write(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    PL_GE(fd, 0);
    PL_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* A command of iproute2, which must succeed. */
static inline void own_net_ip(const char *args)
{
    char command[300];
    snprintf(command, sizeof command, "ip %s", args);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

/* Once a process; more often is fine. mounts: a mount namespace, too, to put other files over those of /etc. */
static inline void own_net_enter(bool mounts)
{
    static bool inside;
    char map[40];
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (inside)
        return;
    inside = true;
    int flags = CLONE_NEWNET | (mounts ? CLONE_NEWNS : 0) | (uid ? CLONE_NEWUSER : 0);
    if (unshare(flags) != 0)
        fail_msg("no network namespace: run as root");
    if (uid) {
        own_net_write("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", uid);
        own_net_write("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", gid);
        own_net_write("/proc/self/gid_map", map);
    }
    own_net_ip("link set lo up");
}

/* An interface that is up, with an IPv4 address and its prefix length; a veth, because every kernel has those. It makes
 * itself no IPv6 address, which would come a second later than all else. */
static inline void own_net_add(const char *name, const char *address)
{
    char args[200];
    snprintf(args, sizeof args, "link add %s type veth peer name %s_", name, name);
    own_net_ip(args);
    snprintf(args, sizeof args, "link set %s addrgenmode none", name);
    own_net_ip(args);
    snprintf(args, sizeof args, "link set %s_ addrgenmode none up", name);
    own_net_ip(args);
    snprintf(args, sizeof args, "addr add %s dev %s", address, name);
    own_net_ip(args);
    snprintf(args, sizeof args, "link set %s up", name);
    own_net_ip(args);
}

static inline void own_net_remove(const char *name)
{
    char args[200];
    snprintf(args, sizeof args, "link del %s", name);
    own_net_ip(args);
}

#endif
