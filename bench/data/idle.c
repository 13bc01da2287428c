/* What connections cost that carry nothing: their making, their memory, their silence. */
#include <stdio.h>
#include <stdlib.h>

#include "pair.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void bench_setup(int n)
{
    double *ms = calloc((size_t)n, sizeof *ms), cpu_all = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    if (!ms)
        bench_die("out of memory");
    for (int i = 0; i < n; i++) {
        pair p;
        double cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
        bench_open_pair(&p);
        bench_wait_open(&p);
        ms[i] = (bench_clock_s(CLOCK_MONOTONIC) - p.offered_s) * 1e3;
        printf("{\"bench\":\"setup\",\"lib\":\"peerline\",\"from_offer_ms\":%.3f,\"cpu_ms\":%.3f}\n", ms[i],
               (bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3);
        bench_close_pair(&p);
    }
    cpu_all = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_all;
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    printf("{\"bench\":\"setup-summary\",\"lib\":\"peerline\",\"n\":%d,\"median_ms\":%.3f,\"p95_ms\":%.3f,"
           "\"max_ms\":%.3f,\"cpu_ms_per_pair\":%.3f}\n",
           n, ms[n / 2], ms[n * 95 / 100], ms[n - 1], cpu_all * 1e3 / n);
    free(ms);
}

static long rss_kib(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2)
        bench_die("no /proc/self/statm");
    fclose(f);
    return resident * 4;
}

static pair *open_many(int n)
{
    pair *p = calloc((size_t)n, sizeof *p);
    if (!p)
        bench_die("out of memory");
    for (int i = 0; i < n; i++) {
        bench_open_pair(&p[i]);
        bench_wait_open(&p[i]);
    }
    return p;
}

static void run_for(double seconds)
{
    double until = bench_clock_s(CLOCK_MONOTONIC) + seconds, now;
    while ((now = bench_clock_s(CLOCK_MONOTONIC)) < until)
        bench_wait(until - now);
}

void bench_rss(int n)
{
    pair warm;
    bench_open_pair(&warm); /* what is shared is paid for once */
    bench_wait_open(&warm);
    long before = rss_kib();
    pair *p = open_many(n);
    run_for(1);
    printf("{\"bench\":\"rss\",\"lib\":\"peerline\",\"pairs\":%d,\"kib_per_pair\":%.1f}\n", n,
           (double)(rss_kib() - before) / n);
    for (int i = 0; i < n; i++)
        bench_close_pair(&p[i]);
    bench_close_pair(&warm);
    free(p);
}

void bench_idle(int n, double seconds)
{
    pair *p = open_many(n);
    run_for(1);
    double cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    run_for(seconds);
    printf("{\"bench\":\"idle\",\"lib\":\"peerline\",\"pairs\":%d,\"cpu_ms_per_s\":%.3f}\n", n,
           (bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3 / seconds);
    for (int i = 0; i < n; i++)
        bench_close_pair(&p[i]);
    free(p);
}
