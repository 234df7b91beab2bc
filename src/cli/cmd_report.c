/* ringfence report: the page of a run that is there already, made again. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/options.h"
#include "report/brief.h"
#include "report/html.h"

static enum rf_status print_json(const struct rf_arguments *args, struct rf_error *err)
{
    char *text = NULL;
    enum rf_status st = rf_report_brief(args->text, args->n, RF_VERSION, &text, err);

    if (st == RF_OK && (fputs(text, stdout) == EOF || fflush(stdout) != 0))
        st = rf_fail(err, RF_ERR_IO, "cannot print the results");
    free(text);
    return st;
}

static enum rf_status report(const struct rf_group *world, int argc, char **argv,
                             struct rf_error *err)
{
    int json = 0;
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.name = "json",
         .flag = &json,
         .help = "print what results.json says, without jobs' curves and windows, as one JSON "
                 "document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "report [--json] RUN_DIR...",
        .about =
            "Makes RUN_DIR/report.html again from RUN_DIR/results.json and "
            "RUN_DIR/ledger.jsonl (of a simulation: results.json and series.csv), and prints "
            "its path: one page with plots and tables, "
            "without scripts, that needs no network. Plots are drawn by gnuplot; without it "
            "the tables remain.",
        .options = table,
        .min = 1,
        .max = -1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    (void)world;
    if (st != RF_OK || args.help)
        return st;
    for (int i = 0; st == RF_OK && i < args.n; i++) {
        st = rf_report_write(args.text[i], err);
        if (st == RF_OK)
            fprintf(json ? stderr : stdout, "%s/report.html\n", args.text[i]);
    }
    return st == RF_OK && json ? print_json(&args, err) : st;
}

const struct rf_command rf_command_report = {.name = "report",
                                             .summary = "make the HTML report of a run again",
                                             .serial = 1,
                                             .run = report};
