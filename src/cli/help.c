/* A command's table of options lives while the command reads its arguments. So pages are made by
 * asking each command for its help, and taking the table that it would have printed. */
#include "cli/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/completion.h"
#include "cli/manual.h"
#include "cli/options.h"

static const struct rf_command *const *commands;

void rf_help_start(const struct rf_command *const *table)
{
    commands = table;
}

static int smallest(int a, int b, int c)
{
    int ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Letters to insert, drop or replace on the way from a to b (short words only). */
static int distance(const char *a, const char *b)
{
    enum { LONGEST = 24 };
    int row[LONGEST + 1];
    int na = (int)strlen(a), nb = (int)strlen(b);

    if (na > LONGEST || nb > LONGEST)
        return LONGEST;
    for (int j = 0; j <= nb; j++)
        row[j] = j;
    for (int i = 1; i <= na; i++) {
        int diagonal = row[0];

        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            int above = row[j];

            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[nb];
}

enum rf_status rf_help_find(const char *name, const struct rf_command **found,
                            struct rf_error *err)
{
    const struct rf_command *near = NULL;
    int best = 3; /* letters; further away is no near miss */

    for (int i = 0; commands[i] != NULL; i++) {
        int d = distance(name, commands[i]->name);

        if (d < best) {
            best = d;
            near = commands[i];
        }
    }
    *found = best == 0 ? near : NULL;
    if (best == 0)
        return RF_OK;
    if (near != NULL)
        return rf_fail(err, RF_ERR_ARG,
                       "unknown command '%s', did you mean '%s'? See 'ringfence --help'", name,
                       near->name);
    return rf_fail(err, RF_ERR_ARG, "unknown command '%s'; see 'ringfence --help'", name);
}

void rf_help_overview(void)
{
    printf("Usage: ringfence [-q|-v] COMMAND [ARGUMENT]...\n\n"
           "Keeps a fixed share of compute for alignment work, and proves it.\n\nCommands:\n");
    for (int i = 0; commands[i] != NULL; i++)
        printf("  %-12s%s\n", commands[i]->name, commands[i]->summary);
    printf("\n'ringfence COMMAND --help' says what a command takes.\n\n"
           "Options:\n"
           "  -q, --quiet   warnings and notes are not printed, errors are\n"
           "  -v, --verbose more notes on stderr\n"
           "  -h, --help    print this help\n"
           "      --version print the version, and what it was built with\n\n"
           "Exit codes: 0 done; 1 done, and the answer is no (broken pledge, failed\n"
           "verification); 2 wrong arguments, configuration or input; 3 files, memory or a\n"
           "peer failed; 4 a defect of ringfence; 85 checkpointed, run me again.\n");
}

/* What is made of a command's table, and where it goes. */
struct making {
    FILE *to;
    const struct rf_command *command;
    int page; /* a manual page; otherwise its part of a completion */
    enum rf_shell shell;
};

static void make(const struct rf_command_line *line, void *to)
{
    struct making *making = to;

    if (making->page)
        rf_manual_command(making->to, making->command, line);
    else
        rf_completion_command(making->to, making->shell, making->command, line);
}

static enum rf_status ask(struct making *making, const struct rf_command *command,
                          struct rf_error *err)
{
    const struct rf_group nobody = {.rank = 0, .size = 1};
    char name[32], option[] = "--help";
    char *argv[] = {name, option, NULL};
    enum rf_status st;

    snprintf(name, sizeof name, "%s", command->name);
    making->command = command;
    rf_options_describe(make, making);
    st = command->run(&nobody, 2, argv, err);
    rf_options_describe(NULL, NULL);
    return st;
}

static enum rf_status completion(FILE *to, enum rf_shell shell, struct rf_error *err)
{
    struct making making = {.to = to, .shell = shell};
    enum rf_status st = RF_OK;

    rf_completion_begin(to, shell, commands);
    for (int i = 0; st == RF_OK && commands[i] != NULL; i++)
        st = ask(&making, commands[i], err);
    rf_completion_end(to, shell);
    return st;
}

/* The page of a command, or of the program: which is NULL. */
static enum rf_status page(FILE *to, const struct rf_command *which, struct rf_error *err)
{
    struct making making = {.to = to, .page = 1};

    if (which != NULL)
        return ask(&making, which, err);
    rf_manual_program(to, commands);
    return RF_OK;
}

/* Everything that --write makes is a page, or a completion of one of the shells. */
struct document {
    const char *name;
    const struct rf_command *command;
    int page;
    enum rf_shell shell;
};

static enum rf_status write_one(const char *dir, const struct document *document,
                                struct rf_error *err)
{
    char path[RF_PATH_BYTES], *text = NULL;
    size_t size_bytes = 0;
    FILE *to = open_memstream(&text, &size_bytes);
    enum rf_status st = RF_OK;

    if (to == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    if (document->page)
        st = page(to, document->command, err);
    else
        st = completion(to, document->shell, err);
    if (fclose(to) != 0 && st == RF_OK)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory");
    if (st == RF_OK)
        st = rf_file_join(path, dir, document->name, err);
    if (st == RF_OK)
        st = rf_file_replace(path, text, size_bytes, err);
    free(text);
    return st;
}

static enum rf_status write_all(const char *dir, struct rf_error *err)
{
    const struct document others[] = {{.name = "ringfence.1", .page = 1},
                                      {.name = "ringfence.bash", .shell = RF_SHELL_BASH},
                                      {.name = "_ringfence", .shell = RF_SHELL_ZSH}};
    enum rf_status st = rf_file_mkdir(dir, err);

    for (size_t i = 0; st == RF_OK && i < sizeof others / sizeof others[0]; i++)
        st = write_one(dir, &others[i], err);
    for (int i = 0; st == RF_OK && commands[i] != NULL; i++) {
        char name[64];
        const struct document document = {.name = name, .command = commands[i], .page = 1};

        snprintf(name, sizeof name, "ringfence-%s.1", commands[i]->name);
        st = write_one(dir, &document, err);
    }
    return st;
}

/* Plain help of one command: what it prints itself. */
static enum rf_status print_one(const struct rf_group *world, const struct rf_command *command,
                                struct rf_error *err)
{
    char name[32], option[] = "--help";
    char *argv[] = {name, option, NULL};

    snprintf(name, sizeof name, "%s", command->name);
    return command->run(world, 2, argv, err);
}

static enum rf_status help(const struct rf_group *world, int argc, char **argv,
                           struct rf_error *err)
{
    int man = 0;
    const char *shell = NULL, *dir = NULL;
    const struct rf_command *command = NULL;
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.name = "man", .flag = &man, .help = "as a manual page, for 'man -l -' or mandoc"},
        {.name = "completion",
         .value = "SHELL",
         .text = &shell,
         .choices = "bash zsh",
         .help = "what the shell offers after 'ringfence': bash or zsh"},
        {.name = "write",
         .value = "DIR",
         .text = &dir,
         .help = "all manual pages and completions, as files"},
        {0}};
    const struct rf_command_line line = {
        .usage = "help [--man] [COMMAND]\nhelp --completion=SHELL\nhelp --write=DIR",
        .about = "Prints the help of a command, or what commands there are.",
        .more = "Where ringfence is not installed:\n"
                "  eval \"$(ringfence help --completion=bash)\"\n"
                "  ringfence help --man run | man -l -\n",
        .options = table,
        .min = 0,
        .max = 1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    if (st != RF_OK || args.help)
        return st;
    if ((dir != NULL) + (shell != NULL) + (man || args.n > 0) > 1)
        return rf_fail(err, RF_ERR_ARG,
                       "--write, --completion and a command exclude each other; see 'ringfence "
                       "help --help'");
    if (shell != NULL && strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0)
        return rf_fail(err, RF_ERR_ARG, "no completion for '%s'; there are bash and zsh",
                       shell);
    if (args.n > 0)
        st = rf_help_find(args.text[0], &command, err);
    if (st != RF_OK || world->rank != 0)
        return st;
    if (dir != NULL)
        return write_all(dir, err);
    if (shell != NULL)
        return completion(stdout, shell[0] == 'z' ? RF_SHELL_ZSH : RF_SHELL_BASH, err);
    if (man)
        return page(stdout, command, err);
    if (command != NULL)
        return print_one(world, command, err);
    rf_help_overview();
    return RF_OK;
}

const struct rf_command rf_command_help = {
    .name = "help",
    .summary = "how a command is used; manual pages and completions",
    .run = help};
