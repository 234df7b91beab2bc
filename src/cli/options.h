/* options.h - a command's arguments: one table gives the values and the help text.
 *
 *     int json = 0;
 *     const char *key = NULL;
 *     struct rf_arguments args;
 *     const struct rf_option table[] = {
 *         {.letter = 'k', .name = "key", .value = "FILE", .text = &key, .help = "public key"},
 *         {.name = "json", .flag = &json, .help = "print one JSON document"},
 *         {0}};
 *     const struct rf_command_line line = {
 *         .usage = "audit LEDGER...", .about = "Replays a ledger and judges its pledges.",
 *         .options = table, .min = 1, .max = -1};
 *
 *     st = rf_options_parse(&line, argc, argv, &args, err);
 *     if (st != RF_OK || args.help)
 *         return st;
 *
 * Every command also takes --quiet, --color and --help, which are not in its table: they are obeyed
 * here. Options may stand anywhere among the other arguments; "--" ends them. */
#ifndef RF_CLI_OPTIONS_H
#define RF_CLI_OPTIONS_H

#include <stdint.h>

#include "base/error.h"

/* What a repeated option collected; the texts belong to argv, the array to the list. */
struct rf_text_list {
    const char **items; /* owned */
    int n;
};
void rf_text_list_clear(struct rf_text_list *list);

/* One option. Exactly one of flag, text, integer, number and list is set and
 * says of which kind it is; its target keeps its value when the option is not given. */
struct rf_option {
    char letter;       /* short form, or 0 */
    const char *name;  /* long form, without the dashes */
    const char *value; /* what the help calls the value: "FILE"; NULL for a flag */
    const char *help;  /* small letters, no full stop; the text is wrapped */
    int *flag;         /* set to 1 */
    const char **text; /* points into argv */
    int64_t *integer;
    double *number;
    struct rf_text_list *list; /* given any number of times; must start zeroed, ended with
                                  rf_text_list_clear() whatever rf_options_parse() returned */
    double min, max;           /* of integer or number, both ends allowed; 0, 0: no limit */
    const char *choices;       /* of text: the words that it may be, where they are few, in
                                  blanks; completions offer them */
};

/* What an argument may be, for the help: printed in two columns, wrapped. */
struct rf_topic {
    const char *name, *help;
};

struct rf_command_line {
    const char *usage;               /* "audit LEDGER..."; several forms separated by LF */
    const char *about;               /* what the command does: a few sentences, wrapped */
    const char *more;                /* printed as it is at the end of the help; may be NULL */
    const struct rf_option *options; /* ended by a row without a name; may be NULL */
    const char *heading;             /* over the topics: "Measurements" */
    const struct rf_topic *topics;   /* ended by a row without a name; may be NULL */
    int min, max;                    /* how many arguments that are no options; max -1: any */
};

struct rf_arguments {
    int help;    /* --help was given and has been answered: the command returns RF_OK at once */
    int n;       /* arguments that are no options... */
    char **text; /* ...and what they are; points into argv */
};

/* Which process answers --help; main calls it once with rank == 0. */
void rf_options_start(int speak);

/* From here on --help hands the command's line to `describe`, in place of printing it: so manual pages and
 * completions are made of the tables that read the arguments. NULL: prints again. */
void rf_options_describe(void (*describe)(const struct rf_command_line *line, void *to),
                         void *to);

/* Reads argv[1 ..] (argv[0] is the command), reordering argv so that options come first.
 * RF_ERR_ARG otherwise, in one sentence that ends with where to find help. */
enum rf_status rf_options_parse(const struct rf_command_line *line, int argc, char **argv,
                                struct rf_arguments *args, struct rf_error *err);

#endif
