/* getopt_long does the reading; this file turns a table into what it wants, checks
 * the values, and prints the same table as help. */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/terminal.h"

enum { OPTIONS_MAX = 40, FIRST_LONG = 256, HELP_COLUMN = 26, HELP_WIDTH = 80 };

static int options_speak = 1;
static void (*options_describe)(const struct rf_command_line *line, void *to);
static void *options_describe_to;

void rf_options_start(int speak)
{
    options_speak = speak;
}

void rf_options_describe(void (*describe)(const struct rf_command_line *line, void *to),
                         void *to)
{
    options_describe = describe;
    options_describe_to = to;
}

void rf_text_list_clear(struct rf_text_list *list)
{
    free(list->items);
    list->items = NULL;
    list->n = 0;
}

/* What every command takes; quiet is decided when it is read, colour when all are. */
struct common {
    int quiet;
    const char *colour;
};

enum { NCOMMON = 2 };

static void list_common(struct rf_option common[NCOMMON], struct common *to)
{
    common[0] = (struct rf_option){.letter = 'q',
                                   .name = "quiet",
                                   .flag = &to->quiet,
                                   .help = "no progress and no notes on stderr"};
    common[1] = (struct rf_option){.name = "color",
                                   .value = "WHEN",
                                   .text = &to->colour,
                                   .choices = "auto always never",
                                   .help = "auto, always or never; auto: on a terminal, unless "
                                           "NO_COLOR is set"};
}

static enum rf_status obey_common(const char *command, const struct common *common,
                                  struct rf_error *err)
{
    enum rf_colour_wish wish;

    if (common->quiet)
        rf_log_hush();
    if (common->colour == NULL)
        return RF_OK;
    if (!rf_terminal_colour_parse(common->colour, &wish))
        return rf_fail(err, RF_ERR_ARG,
                       "option '--color' is auto, always or never, not '%s'; see 'ringfence "
                       "%s --help'",
                       common->colour, command);
    rf_terminal_colour(wish);
    return RF_OK;
}

static int count_options(const struct rf_option *options)
{
    int n = 0;

    while (options != NULL && options[n].name != NULL)
        n++;
    return n;
}

/* Prints words from `column` on, so that lines end before HELP_WIDTH and further lines
 * start at `indent`. */
static void print_wrapped(const char *text, int column, int indent)
{
    int at = column;

    while (*text != '\0') {
        int word = (int)strcspn(text, " \n");

        if (at > indent && at + 1 + word > HELP_WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            putchar(' ');
            at++;
        }
        printf("%.*s", word, text);
        at += word;
        text += word;
        text += strspn(text, " \n");
    }
    putchar('\n');
}

static void print_row(const char *left, const char *help)
{
    if ((int)strlen(left) < HELP_COLUMN - 1)
        printf("%-*s", HELP_COLUMN, left);
    else
        printf("%s\n%*s", left, HELP_COLUMN, "");
    print_wrapped(help, HELP_COLUMN, HELP_COLUMN);
}

static void print_option(char letter, const char *name, const char *value, const char *help)
{
    char left[96];
    int length;

    if (letter != 0)
        length = snprintf(left, sizeof left, "  -%c, --%s", letter, name);
    else
        length = snprintf(left, sizeof left, "      --%s", name);
    if (value != NULL && length < (int)sizeof left)
        snprintf(left + length, sizeof left - (size_t)length, "=%s", value);
    print_row(left, help);
}

static void print_topics(const struct rf_command_line *line)
{
    char left[96];

    printf("\n%s:\n", line->heading);
    for (const struct rf_topic *topic = line->topics; topic->name != NULL; topic++) {
        snprintf(left, sizeof left, "  %s", topic->name);
        print_row(left, topic->help);
    }
}

static void print_options(const struct rf_option *options, int n)
{
    for (int i = 0; i < n; i++)
        print_option(options[i].letter, options[i].name, options[i].value, options[i].help);
}

static void print_help(const struct rf_command_line *line)
{

    const char *usage = line->usage;
    const char *lead = "Usage:";

    while (*usage != '\0') {
        int length = (int)strcspn(usage, "\n");

        printf("%s ringfence %.*s\n", lead, length, usage);
        lead = "      ";
        usage += length;
        usage += *usage == '\n';
    }
    putchar('\n');
    print_wrapped(line->about, 0, 0);
    if (line->topics != NULL)
        print_topics(line);
    printf("\nOptions:\n");
    print_options(line->options, count_options(line->options));
    print_option('h', "help", NULL, "print this help");
    if (line->more != NULL)
        printf("\n%s", line->more);
}

static enum rf_status refuse_range(const char *command, const struct rf_option *o,
                                   const char *text, const char *kind, struct rf_error *err)
{
    if (o->min < o->max)
        return rf_fail(
            err, RF_ERR_ARG,
            "option '--%s' wants %s from %.15g to %.15g, not '%s'; see 'ringfence %s --help'",
            o->name, kind, o->min, o->max, text, command);
    return rf_fail(err, RF_ERR_ARG,
                   "option '--%s' wants %s, not '%s'; see 'ringfence %s --help'", o->name, kind,
                   text, command);
}

static enum rf_status read_integer(const char *command, const struct rf_option *o,
                                   const char *text, struct rf_error *err)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return refuse_range(command, o, text, "a whole number", err);
    if (o->min < o->max && ((double)value < o->min || (double)value > o->max))
        return refuse_range(command, o, text, "a whole number", err);
    *o->integer = value;
    return RF_OK;
}

static enum rf_status read_number(const char *command, const struct rf_option *o,
                                  const char *text, struct rf_error *err)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(value))
        return refuse_range(command, o, text, "a number", err);
    if (o->min < o->max && (value < o->min || value > o->max))
        return refuse_range(command, o, text, "a number", err);
    *o->number = value;
    return RF_OK;
}

static enum rf_status add_to_list(struct rf_text_list *list, const char *text,
                                  struct rf_error *err)
{
    const char **items = realloc(list->items, ((size_t)list->n + 1) * sizeof *items);

    if (items == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    items[list->n] = text;
    list->items = items;
    list->n++;
    return RF_OK;
}

static enum rf_status take(const char *command, const struct rf_option *o, const char *text,
                           struct rf_error *err)
{
    if (o->flag != NULL)
        *o->flag = 1;
    else if (o->text != NULL)
        *o->text = text;
    else if (o->integer != NULL)
        return read_integer(command, o, text, err);
    else if (o->number != NULL)
        return read_number(command, o, text, err);
    else
        return add_to_list(o->list, text, err);
    return RF_OK;
}

/* Words for what getopt_long could not read: `told` is ':' for a missing value. */
static enum rf_status refuse(const char *command, int told, char **argv, int before,
                             struct rf_error *err)
{
    const char *word = argv[optind > before ? optind - 1 : before];

    if (optopt > 0 && optopt < FIRST_LONG && strncmp(word, "--", 2) != 0)
        return rf_fail(err, RF_ERR_ARG, "%s '-%c'; see 'ringfence %s --help'",
                       told == ':' ? "a value is missing after" : "unknown option", optopt,
                       command);
    if (told == ':')
        return rf_fail(err, RF_ERR_ARG,
                       "a value is missing after '%s'; see 'ringfence %s --help'", word,
                       command);
    if (optopt >= FIRST_LONG || optopt == 'h')
        return rf_fail(err, RF_ERR_ARG,
                       "option '%.*s' takes no value; see 'ringfence %s --help'",
                       (int)strcspn(word, "="), word, command);
    return rf_fail(err, RF_ERR_ARG, "unknown option '%s'; see 'ringfence %s --help'", word,
                   command);
}

static enum rf_status check_count(const struct rf_command_line *line, const char *command,
                                  const struct rf_arguments *args, struct rf_error *err)
{
    if (args->n < line->min)
        return rf_fail(
            err, RF_ERR_ARG,
            "an argument is missing: usage is 'ringfence %.*s'; see 'ringfence %s --help'",
            (int)strcspn(line->usage, "\n"), line->usage, command);
    if (line->max >= 0 && args->n > line->max)
        return rf_fail(err, RF_ERR_ARG,
                       "argument '%s' is one too many; see 'ringfence %s --help'",
                       args->text[line->max], command);
    return RF_OK;
}

/* A table and what every command takes, as getopt_long wants them. */
struct reader {
    struct rf_option options[OPTIONS_MAX + 1]; /* ended by a row without a name */
    struct option longs[OPTIONS_MAX + 1];
    char letters[2 * OPTIONS_MAX + 4];
    int n;
};

static void make_reader(struct reader *reader, const struct rf_option *own, int n,
                        const struct rf_option *common)
{
    size_t at = 2;

    memset(reader, 0, sizeof *reader);
    memcpy(reader->letters, ":h", at);
    if (n > 0)
        memcpy(reader->options, own, (size_t)n * sizeof *own);
    memcpy(reader->options + n, common, NCOMMON * sizeof *common);
    reader->n = n + NCOMMON;
    for (int i = 0; i < reader->n; i++) {
        const struct rf_option *o = &reader->options[i];

        reader->longs[i] =
            (struct option){.name = o->name,
                            .has_arg = o->flag != NULL ? no_argument : required_argument,
                            .val = FIRST_LONG + i};
        if (o->letter != 0) {
            reader->letters[at++] = o->letter;
            if (o->flag == NULL)
                reader->letters[at++] = ':';
        }
    }
    reader->longs[reader->n] = (struct option){.name = "help", .val = 'h'};
}

static const struct rf_option *find_option(const struct reader *reader, int got)
{
    for (int i = 0; i < reader->n; i++)
        if (got == FIRST_LONG + i ||
            (reader->options[i].letter != 0 && got == reader->options[i].letter))
            return &reader->options[i];
    return NULL;
}

/* The help, or the page of the manual: both of everything that the command takes. */
static void explain(const struct rf_command_line *line, const struct reader *reader)
{
    struct rf_command_line whole = *line;

    whole.options = reader->options;
    if (options_describe != NULL)
        options_describe(&whole, options_describe_to);
    else if (options_speak)
        print_help(&whole);
}

enum rf_status rf_options_parse(const struct rf_command_line *line, int argc, char **argv,
                                struct rf_arguments *args, struct rf_error *err)
{
    struct rf_option common[NCOMMON];
    struct common wishes = {0, NULL};
    struct reader reader;
    int n = count_options(line->options), got, before;
    enum rf_status st = RF_OK;

    memset(args, 0, sizeof *args);
    if (n + NCOMMON > OPTIONS_MAX)
        return rf_fail(err, RF_ERR_INTERNAL, "'%s' has more options than the table holds",
                       argv[0]);
    list_common(common, &wishes);
    make_reader(&reader, line->options, n, common);
    opterr = 0;
    optind = 0; /* glibc: start afresh */
    for (before = 1; st == RF_OK; before = optind > 0 ? optind : 1) {
        const struct rf_option *o;

        got = getopt_long(argc, argv, reader.letters, reader.longs, NULL);
        if (got == -1)
            break;
        if (got == ':' || got == '?')
            return refuse(argv[0], got, argv, before, err);
        if (got == 'h') {
            args->help = 1;
            explain(line, &reader);
            return RF_OK;
        }
        o = find_option(&reader, got);
        if (o != NULL)
            st = take(argv[0], o, optarg, err);
    }
    args->n = argc - optind;
    args->text = argv + optind;
    if (st == RF_OK)
        st = obey_common(argv[0], &wishes, err);
    if (st == RF_OK)
        st = check_count(line, argv[0], args, err);
    return st;
}
