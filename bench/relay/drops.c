#include "drops.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct inodes {
    unsigned long *at;
    size_t n, cap;
} inodes;

static void add(inodes *set, unsigned long inode)
{
    if (set->n == set->cap) {
        size_t cap = set->cap ? set->cap * 2 : 1024;
        unsigned long *at = realloc(set->at, cap * sizeof *at);
        if (!at)
            return;
        set->at = at;
        set->cap = cap;
    }
    set->at[set->n++] = inode;
}

static void add_sockets_of(inodes *set, pid_t pid)
{
    char path[64], link[320], target[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));) {
        snprintf(link, sizeof link, "%s/%s", path, e->d_name);
        ssize_t n = readlink(link, target, sizeof target - 1);
        if (n > 8 && strncmp(target, "socket:[", 8) == 0) {
            target[n] = 0;
            add(set, strtoul(target + 8, NULL, 10));
        }
    }
    closedir(dir);
}

static int by_number(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;
    return x < y ? -1 : x > y;
}

/* The inode is the tenth word of a line, the drops are the last one. */
static bool read_line(char *line, unsigned long *inode, uint64_t *drops)
{
    char *save = NULL, *word = strtok_r(line, " \n", &save), *last = NULL;
    for (int i = 0; word; i++, word = strtok_r(NULL, " \n", &save)) {
        if (i == 9)
            *inode = strtoul(word, NULL, 10);
        last = word;
    }
    if (last)
        *drops = strtoull(last, NULL, 10);
    return last != NULL;
}

static uint64_t sum_of(const inodes *set, const char *path)
{
    char line[512];
    uint64_t sum = 0, drops = 0;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        unsigned long inode = 0;
        if (read_line(line, &inode, &drops) && bsearch(&inode, set->at, set->n, sizeof inode, by_number))
            sum += drops;
    }
    if (file)
        fclose(file);
    return sum;
}

uint64_t load_drops(const pid_t *pid, int n_pids)
{
    inodes set = { 0 };
    for (int i = 0; i < n_pids; i++)
        add_sockets_of(&set, pid[i]);
    qsort(set.at, set.n, sizeof *set.at, by_number);
    uint64_t sum = set.n ? sum_of(&set, "/proc/net/udp") + sum_of(&set, "/proc/net/udp6") : 0;
    free(set.at);
    return sum;
}
