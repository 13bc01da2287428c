#include "cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMNS = 96, MAN_COLUMNS = 60, OPTIONS_MAX = 96 };

void pl_complain(const pl_command *cmd, const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "peerline %s: ", cmd->name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

static const pl_opt *find_opt(const pl_command *cmd, const char *name, size_t len)
{
    for (const pl_opt *o = cmd->opts; o && o->name; o++) {
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    }
    return NULL;
}

/* ---- verbs ---- */

const pl_verb *pl_command_verb(const pl_command *cmd, const char *name)
{
    for (const pl_verb *v = cmd->verbs; v && v->name; v++) {
        if (strcmp(v->name, name) == 0)
            return v;
    }
    return NULL;
}

static bool names(const pl_verb *v, const pl_opt *o)
{
    size_t len = strlen(o->name);
    for (const char *p = v->opts; p && *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (n == len && memcmp(p, o->name, n) == 0)
            return true;
        p += n;
    }
    return false;
}

/* The first verb that takes the option; NULL: all do. */
static const pl_verb *owner(const pl_command *cmd, const pl_opt *o)
{
    for (const pl_verb *v = cmd->verbs; v && v->name; v++) {
        if (names(v, o))
            return v;
    }
    return NULL;
}

static int check_verb(const pl_command *cmd, int n_args, char **args, const bool *given)
{
    const pl_verb *v = pl_command_verb(cmd, args[0]);
    if (!v) {
        pl_complain(cmd, "'%s' is none of its verbs; 'peerline %s --help' lists them", args[0], cmd->name);
        return PL_EXIT_USAGE;
    }
    if (n_args - 1 < v->min_args || n_args - 1 > v->max_args) {
        pl_complain(cmd, "usage: peerline %s %s [options] %s", cmd->name, v->name, v->args);
        return PL_EXIT_USAGE;
    }
    for (const pl_opt *o = cmd->opts; o && o->name; o++) {
        const pl_verb *other = o - cmd->opts < OPTIONS_MAX && given[o - cmd->opts] ? owner(cmd, o) : NULL;
        if (!other || names(v, o))
            continue;
        pl_complain(cmd, "--%s is for '%s', not for '%s'; 'peerline %s %s --help' lists what is", o->name,
                    other->name, v->name, cmd->name, v->name);
        return PL_EXIT_USAGE;
    }
    return PL_EXIT_OK;
}

/* ---- parsing ---- */

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
        size_t n = strcspn(p, "|");
        if (n == len && memcmp(p, value, n) == 0)
            return true;
    }
    return false;
}

static bool set_number(const pl_command *cmd, const pl_opt *o, const char *value)
{
    char *end = NULL;
    errno = 0;
    double v = o->kind == PL_OPT_INT ? (double)strtoll(value, &end, 10) : strtod(value, &end);
    if (errno || end == value || *end || !(v >= o->min && v <= o->max)) {
        pl_complain(cmd, "--%s wants a number from %.15g to %.15g, not '%s'", o->name, o->min, o->max, value);
        return false;
    }
    if (o->kind == PL_OPT_INT)
        *(int64_t *)o->to = (int64_t)v;
    else
        *(double *)o->to = v;
    return true;
}

static bool set_value(const pl_command *cmd, const pl_opt *o, const char *value)
{
    pl_opt_list *list = o->to;
    switch (o->kind) {
    case PL_OPT_FLAG: *(bool *)o->to = true; return true;
    case PL_OPT_TEXT: *(const char **)o->to = value; return true;
    case PL_OPT_INT:
    case PL_OPT_REAL: return set_number(cmd, o, value);
    case PL_OPT_CHOICE:
        if (!is_choice(o->arg, value)) {
            pl_complain(cmd, "--%s wants one of %s, not '%s'", o->name, o->arg, value);
            return false;
        }
        *(const char **)o->to = value;
        return true;
    case PL_OPT_LIST:
        if (list->n == PL_OPT_LIST_MAX) {
            pl_complain(cmd, "--%s may be given %d times at most", o->name, PL_OPT_LIST_MAX);
            return false;
        }
        list->item[list->n++] = value;
        return true;
    }
    return false;
}

/* One "--name value" or "--name=value" at argv[*i]; moves *i over the value. */
static bool take_option(const pl_command *cmd, int argc, char **argv, int *i, bool *given)
{
    const char *name = argv[*i] + 2, *eq = strchr(name, '=');
    const pl_opt *o = find_opt(cmd, name, eq ? (size_t)(eq - name) : strlen(name));
    if (!o) {
        pl_complain(cmd, "there is no option '%s'; 'peerline %s --help' lists them", argv[*i], cmd->name);
        return false;
    }
    if (o - cmd->opts < OPTIONS_MAX)
        given[o - cmd->opts] = true;
    if (o->kind == PL_OPT_FLAG) {
        if (eq) {
            pl_complain(cmd, "--%s takes no value", o->name);
            return false;
        }
        return set_value(cmd, o, NULL);
    }
    if (!eq && *i + 1 >= argc) {
        pl_complain(cmd, "--%s wants a value: --%s %s", o->name, o->name, o->arg);
        return false;
    }
    return set_value(cmd, o, eq ? eq + 1 : argv[++*i]);
}

static void verb_help(const pl_command *cmd, const pl_verb *v);

/* Of the verb that was said before, or is said next. */
static void help(const pl_command *cmd, const char *before, const char *next)
{
    const pl_verb *v = before ? pl_command_verb(cmd, before) : next ? pl_command_verb(cmd, next) : NULL;
    if (v)
        verb_help(cmd, v);
    else
        pl_command_help(cmd);
}

int pl_command_main(const pl_command *cmd, int argc, char **argv)
{
    int n_args = 0;
    bool only_args = false, given[OPTIONS_MAX] = { false };
    for (int i = 0; i < argc; i++) {
        if (!only_args && strcmp(argv[i], "--") == 0) {
            only_args = true;
        } else if (!only_args && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            help(cmd, n_args ? argv[0] : NULL, i + 1 < argc ? argv[i + 1] : NULL);
            return PL_EXIT_OK;
        } else if (!only_args && strncmp(argv[i], "--", 2) == 0) {
            if (!take_option(cmd, argc, argv, &i, given))
                return PL_EXIT_USAGE;
        } else {
            argv[n_args++] = argv[i];
        }
    }
    if (n_args < cmd->min_args || n_args > cmd->max_args) {
        pl_complain(cmd,
                    n_args < cmd->min_args ? "something is missing; usage: peerline %s [options] %s"
                                           : "too many arguments; usage: peerline %s [options] %s",
                    cmd->name, cmd->args);
        return PL_EXIT_USAGE;
    }
    int code = cmd->verbs ? check_verb(cmd, n_args, argv, given) : PL_EXIT_OK;
    return code ? code : cmd->run(n_args, argv);
}

/* ---- help ---- */

/* Words of `text` from column `at` on, broken before column HELP_COLUMNS. */
static void print_wrapped(const char *text, int at, int indent)
{
    int col = at;
    for (const char *p = text; *p;) {
        int n = (int)strcspn(p, " \n");
        bool first = col == indent;
        if (*p == '\n' || (!first && col + 1 + n > HELP_COLUMNS)) {
            printf("\n%*s", *p == '\n' && p[1] == '\n' ? 0 : indent, "");
            col = indent;
            p += *p == '\n';
            continue;
        }
        col += printf("%s%.*s", first ? "" : " ", n, p);
        p += n;
        p += *p == ' ';
    }
    putchar('\n');
}

static void print_row(const char *name, const char *arg, const char *text)
{
    int n = printf("  %s%s%s", name, arg ? " " : "", arg ? arg : "");
    if (n > 28) {
        putchar('\n');
        n = 0;
    }
    printf("%*s", 30 - n, "");
    print_wrapped(text, 30, 30);
}

/* Those of a verb, or those that all verbs take. */
static void print_options(const pl_command *cmd, const pl_verb *v)
{
    char name[64];
    for (const pl_opt *o = cmd->opts; o && o->name; o++) {
        if (v ? !names(v, o) : owner(cmd, o) != NULL)
            continue;
        snprintf(name, sizeof name, "--%s", o->name);
        print_row(name, o->kind == PL_OPT_FLAG ? NULL : o->arg, o->help);
    }
}

static void print_details(const char *details)
{
    if (!details)
        return;
    putchar('\n');
    print_wrapped(details, 0, 0);
}

void pl_command_help(const pl_command *cmd)
{
    printf("peerline %s - %s\n\nUsage: peerline %s%s%s%s\n", cmd->name, cmd->summary, cmd->name,
           cmd->opts ? " [options]" : "", cmd->args[0] ? " " : "", cmd->args);
    if (cmd->verbs)
        putchar('\n');
    for (const pl_verb *v = cmd->verbs; v && v->name; v++)
        print_row(v->name, v->args, v->summary);
    if (cmd->verbs)
        printf("\n'peerline %s VERB --help' tells more of each, and has its options.\n", cmd->name);
    if (cmd->opts)
        printf("\n%s:\n", cmd->verbs ? "Options of all" : "Options");
    print_options(cmd, NULL);
    print_row("--help", NULL, "show this text");
    print_details(cmd->details);
}

static void verb_help(const pl_command *cmd, const pl_verb *v)
{
    printf("peerline %s %s - %s\n\nUsage: peerline %s %s [options] %s\n", cmd->name, v->name, v->summary,
           cmd->name, v->name, v->args);
    print_details(v->details);
    if (v->opts)
        printf("\nOptions of %s:\n", v->name);
    print_options(cmd, v);
    printf("\nOptions of all of 'peerline %s':\n", cmd->name);
    print_options(cmd, NULL);
    print_row("--help", NULL, "show this text");
    print_details(cmd->details);
}

/* One word of running text. roff takes a leading dot or quote and every backslash as its own; new sentences
 * begin new lines, as mdoc wants them. */
static int man_word(const char *word, int n, int col)
{
    if (col && col + 1 + n > MAN_COLUMNS) {
        putchar('\n');
        col = 0;
    }
    if (col) {
        putchar(' ');
        col++;
    } else if (*word == '.' || *word == '\'') {
        printf("\\&");
    }
    for (int i = 0; i < n; i++) {
        if (word[i] == '\\')
            printf("\\e");
        else
            putchar(word[i]);
    }
    return col + n;
}

static void man_text(const char *text)
{
    int col = 0;
    for (const char *p = text; *p;) {
        int n = (int)strcspn(p, " \n");
        if (n)
            col = man_word(p, n, col);
        p += n;
        bool ends_sentence = n && p[-1] == '.' && *p == ' ';
        int breaks = (int)strspn(p, "\n");
        if (breaks)
            printf(breaks > 1 ? "\n.Pp\n" : "\n.br\n"); /* a paragraph, or a line of its own */
        else if (ends_sentence)
            putchar('\n');
        col = breaks || ends_sentence ? 0 : col;
        p += breaks ? breaks : (int)strspn(p, " ");
    }
    putchar('\n');
}

static void man_options(const pl_command *cmd, const pl_verb *v)
{
    printf(".Bl -tag -width Ds\n");
    for (const pl_opt *o = cmd->opts; o && o->name; o++) {
        if (v ? !names(v, o) : owner(cmd, o) != NULL)
            continue;
        printf(".It Fl -%s", o->name);
        if (o->kind != PL_OPT_FLAG)
            printf(" Ar %s", o->arg);
        putchar('\n');
        man_text(o->help);
    }
    printf(".El\n");
}

static void man_verb(const pl_command *cmd, const pl_verb *v)
{
    printf(".Ss %s %s: %s\n.Nm\n.Cm %s %s\n.Op Ar options\n", cmd->name, v->name, v->summary, cmd->name,
           v->name);
    man_text(v->args);
    if (v->details) {
        printf(".Pp\n");
        man_text(v->details);
    }
    if (v->opts)
        man_options(cmd, v);
}

void pl_commands_man(const pl_command *const *cmds, size_t n)
{
    printf(".Dd November 22, 2026\n.Dt PEERLINE 1\n.Os\n.Sh NAME\n.Nm peerline\n"
           ".Nd audio, video and data between peers, and with browsers\n.Sh SYNOPSIS\n");
    for (size_t i = 0; i < n; i++) {
        printf(".Nm\n.Cm %s\n", cmds[i]->name);
        if (cmds[i]->opts)
            printf(".Op Ar options\n");
        if (cmds[i]->args[0])
            man_text(cmds[i]->args);
    }
    printf(".Sh DESCRIPTION\nOne program with a subcommand for each thing it does.\n"
           "The environment variable\n.Ev PEERLINE_LOG\n(debug, info, warn or off) sets what is logged to "
           "standard error.\n");
    for (size_t i = 0; i < n; i++) {
        printf(".Ss %s: %s\n", cmds[i]->name, cmds[i]->summary);
        if (cmds[i]->details)
            man_text(cmds[i]->details);
        if (!cmds[i]->opts)
            continue;
        man_options(cmds[i], NULL);
        for (const pl_verb *v = cmds[i]->verbs; v && v->name; v++)
            man_verb(cmds[i], v);
    }
    printf(".Sh EXIT STATUS\n0 when all went well, 1 when the call or the work failed,\n2 when the command "
           "line was wrong.\n");
}
