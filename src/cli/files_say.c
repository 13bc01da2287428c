#include "cli/files_say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/lines.h"
#include "net/loop.h"

enum {
    BAR_US = 100000,    /* between two bars on a terminal */
    LINE_US = 10000000, /* between two lines elsewhere */
    EVENT_US = 500000,
    NAME_COLUMNS = 28
};

void pl_files_say_init(pl_files_say *s, bool json, bool quiet)
{
    *s = (pl_files_say){ .json = json, .quiet = quiet, .terminal = isatty(STDERR_FILENO) };
}

static void clear_bar(pl_files_say *s)
{
    if (s->bar_shown)
        fputs("\r\033[K", stderr);
    s->bar_shown = false;
}

__attribute__((format(printf, 2, 0))) static void say(pl_files_say *s, const char *fmt, va_list args)
{
    clear_bar(s);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    fflush(stderr);
}

void pl_files_note(pl_files_say *s, const char *fmt, ...)
{
    va_list args;
    if (s->json || s->quiet)
        return;
    va_start(args, fmt);
    say(s, fmt, args);
    va_end(args);
}

void pl_files_tell(pl_files_say *s, const char *fmt, ...)
{
    va_list args;
    if (s->json)
        return;
    va_start(args, fmt);
    say(s, fmt, args);
    va_end(args);
}

void pl_files_event(pl_files_say *s, const char *name, json_t *more)
{
    json_t *o = s->json ? json_pack("{ss}", "event", name) : NULL;
    if (o && more)
        json_object_update(o, more);
    if (o)
        pl_lines_print(o);
    json_decref(more);
}

const char *pl_files_amount(uint64_t bytes, char out[PL_FILES_AMOUNT_MAX])
{
    static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    double v = (double)bytes;
    size_t i = 0;
    for (; v >= 1023.95 && i + 1 < sizeof unit / sizeof unit[0]; i++)
        v /= 1024;
    snprintf(out, PL_FILES_AMOUNT_MAX, i && v < 99.95 ? "%.1f %s" : "%.0f %s", v, unit[i]);
    return out;
}

const char *pl_files_hex(const uint8_t *bytes, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return out;
}

void pl_files_rate_start(pl_files_say *s, const pl_transfer_progress *p)
{
    s->last_us = pl_clock_us();
    s->last_done = p->done;
    s->rate = 0;
    if (!s->start_us)
        s->start_us = s->last_us;
}

double pl_files_seconds(const pl_files_say *s)
{
    return s->start_us ? (double)(pl_clock_us() - s->start_us) / 1e6 : 0;
}

/* About the last two seconds. */
static void measure(pl_files_say *s, const pl_transfer_progress *p, int64_t now_us)
{
    double passed = (double)(now_us - s->last_us) / 1e6, weight = passed > 2 ? 1 : passed / 2;
    if (passed < 0.05)
        return;
    double rate = p->done > s->last_done ? (double)(p->done - s->last_done) / passed : 0;
    s->rate = s->rate > 0 ? s->rate + (rate - s->rate) * weight : rate;
    s->last_us = now_us;
    s->last_done = p->done;
}

/* "0:42", "1:02:03". */
static void write_time(char out[24], double seconds)
{
    uint64_t t = seconds > 0 && seconds < 359999 ? (uint64_t)(seconds + 0.5) : 359999;
    unsigned h = (unsigned)(t / 3600), min = (unsigned)(t / 60 % 60), sec = (unsigned)(t % 60);
    if (h)
        snprintf(out, 24, "%u:%02u:%02u", h, min, sec);
    else
        snprintf(out, 24, "%u:%02u", min, sec);
}

static int columns(void)
{
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col : 80;
}

/* What fits of a name, its end rather than its start; on the border of characters. */
static pl_str tail(pl_str name, size_t max)
{
    while (name.n > max || (name.n && ((uint8_t)name.p[0] & 0xc0) == 0x80)) {
        name.p++;
        name.n--;
    }
    return name;
}

static void draw(pl_files_say *s, const pl_transfer_progress *p, pl_str name)
{
    char done[PL_FILES_AMOUNT_MAX], total[PL_FILES_AMOUNT_MAX], rate[PL_FILES_AMOUNT_MAX], left[24] = "",
                                                                                           text[256];
    double part = p->total ? (double)p->done / (double)p->total : 0;
    pl_files_amount(p->done, done);
    pl_files_amount((uint64_t)s->rate, rate);
    if (p->total && s->rate > 0)
        write_time(left, (double)(p->total - p->done) / s->rate);
    if (p->total)
        snprintf(text, sizeof text, "%3d%% %s of %s, %s/s %s", (int)(part * 100), done,
                 pl_files_amount(p->total, total), rate, left);
    else
        snprintf(text, sizeof text, "%s, %s/s", done, rate);
    name = tail(name, NAME_COLUMNS);
    int room = columns() - (int)strlen(text) - (int)name.n - 6;
    fprintf(stderr, "\r%.*s ", (int)name.n, name.p);
    if (room >= 8 && p->total) {
        int full = (int)(part * room + 0.5);
        fputc('[', stderr);
        for (int i = 0; i < room; i++)
            fputc(i < full ? '=' : i == full ? '>' : ' ', stderr);
        fputs("] ", stderr);
    }
    fprintf(stderr, "%s\033[K", text);
    fflush(stderr);
    s->bar_shown = true;
}

static void print(pl_files_say *s, const pl_transfer_progress *p)
{
    char done[PL_FILES_AMOUNT_MAX], total[PL_FILES_AMOUNT_MAX], rate[PL_FILES_AMOUNT_MAX];
    pl_files_note(s, "%s of %s, %s/s", pl_files_amount(p->done, done),
                  p->total ? pl_files_amount(p->total, total) : "a stream",
                  pl_files_amount((uint64_t)s->rate, rate));
}

int64_t pl_files_progress(pl_files_say *s, const pl_transfer_progress *p, pl_str name)
{
    int64_t now_us = pl_clock_us();
    if (s->quiet && !s->json)
        return PL_NEVER;
    if (now_us < s->next_us)
        return s->next_us;
    measure(s, p, now_us);
    bool first = s->next_us == 0;
    s->next_us = now_us + (s->json ? EVENT_US : s->terminal ? BAR_US : LINE_US);
    if (s->json)
        pl_files_event(s, "progress",
                       json_pack("{sI sI sI sf si}", "done", (json_int_t)p->done, "total",
                                 (json_int_t)p->total, "carried", (json_int_t)p->carried, "bytes_per_second",
                                 s->rate, "index", (int)p->index));
    else if (s->terminal)
        draw(s, p, name);
    else if (!first)
        print(s, p);
    return s->next_us;
}
