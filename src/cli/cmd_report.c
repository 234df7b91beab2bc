/* ringfence report: the page of a run that is there already, made again; as other files; and two
 * runs beside one another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/options.h"
#include "report/brief.h"
#include "report/export.h"
#include "report/html.h"
#include "report/versus.h"

static enum rf_status print_json(const struct rf_arguments *args, struct rf_error *err)
{
    char *text = NULL;
    enum rf_status st = rf_report_brief(args->text, args->n, RF_VERSION, &text, err);

    if (st == RF_OK && (fputs(text, stdout) == EOF || fflush(stdout) != 0))
        st = rf_fail(err, RF_ERR_IO, "cannot print the results");
    free(text);
    return st;
}

static void say(void *ctx, const char *path)
{
    fprintf(ctx, "%s\n", path);
}

static enum rf_status write_html(const char *run_dir, FILE *paths, struct rf_error *err)
{
    enum rf_status st = rf_report_write(run_dir, err);

    if (st == RF_OK)
        fprintf(paths, "%s/report.html\n", run_dir);
    return st;
}

static enum rf_status write_pdf(const char *run_dir, const char *page, FILE *paths,
                                struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    int whole = 0;
    enum rf_status st = rf_file_join(path, run_dir, "report.pdf", err);

    if (st == RF_OK)
        st = rf_export_pdf(page, path, &whole, err);
    if (st == RF_OK && !whole)
        rf_warn("no Chromium could print '%s': it has the figures, without text and tables",
                path);
    if (st == RF_OK)
        say(paths, path);
    return st;
}

static enum rf_status write_figures(const char *run_dir, const char *page,
                                    enum rf_export_kind kind, FILE *paths, struct rf_error *err)
{
    char dir[RF_PATH_BYTES];
    int n = 0;
    enum rf_status st = rf_file_join(dir, run_dir, "figures", err);

    if (st == RF_OK)
        st = rf_export_figures(page, kind, dir, say, paths, &n, err);
    if (st == RF_OK && n == 0)
        rf_warn("'%s' has no figures%s", run_dir,
                kind == RF_EXPORT_SVG ? ", or gnuplot could not be run" : "");
    return st;
}

static enum rf_status write_as(const char *format, const char *run_dir, FILE *paths,
                               struct rf_error *err)
{
    struct rf_text page = {0};
    enum rf_status st;

    if (strcmp(format, "html") == 0)
        return write_html(run_dir, paths, err);
    st = rf_report_make(&page, run_dir, err);
    if (st == RF_OK && strcmp(format, "pdf") == 0)
        st = write_pdf(run_dir, page.data, paths, err);
    else if (st == RF_OK)
        st = write_figures(run_dir, page.data,
                           strcmp(format, "svg") == 0 ? RF_EXPORT_SVG : RF_EXPORT_CSV, paths,
                           err);
    rf_text_clear(&page);
    return st;
}

static enum rf_status compare(const struct rf_arguments *args, const char *out, int json,
                              struct rf_error *err)
{
    const char *const run_dirs[2] = {args->text[0], args->text[1]};
    char path[RF_PATH_BYTES], *text = NULL;
    enum rf_status st = RF_OK;

    if (out == NULL)
        st = rf_file_join(path, run_dirs[0], "compare.html", err);
    if (st == RF_OK)
        st = rf_versus_write(run_dirs, RF_VERSION, out != NULL ? out : path,
                             json ? &text : NULL, err);
    if (st == RF_OK)
        say(json ? stderr : stdout, out != NULL ? out : path);
    if (st == RF_OK && json && fputs(text, stdout) == EOF)
        st = rf_fail(err, RF_ERR_IO, "cannot print the comparison");
    free(text);
    return st;
}

static enum rf_status check_format(const char *format, struct rf_error *err)
{
    static const char *const formats[] = {"html", "pdf", "svg", "csv"};

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(format, formats[i]) == 0)
            return RF_OK;
    return rf_fail(err, RF_ERR_ARG,
                   "option '--format' is html, pdf, svg or csv, not '%s'; see 'ringfence "
                   "report --help'",
                   format);
}

static enum rf_status report(const struct rf_group *world, int argc, char **argv,
                             struct rf_error *err)
{
    int json = 0, both = 0;
    const char *format = "html", *out = NULL;
    struct rf_arguments args;
    const struct rf_option table[] = {
        {.name = "compare",
         .flag = &both,
         .help = "two runs or simulations side by side: accuracies, gaps recovered, shares, "
                 "compute bills, with differences; writes RUN_DIR/compare.html of the first"},
        {.name = "format",
         .value = "FORMAT",
         .text = &format,
         .choices = "html pdf svg csv",
         .help = "html: RUN_DIR/report.html, the default; pdf: RUN_DIR/report.pdf, printed by "
                 "Chromium, or the figures alone by rsvg-convert where there is none; svg, "
                 "csv: each figure, or its numbers, as a file of its own in RUN_DIR/figures"},
        {.name = "out",
         .value = "FILE",
         .text = &out,
         .help = "with --compare: where the page goes"},
        {.name = "json",
         .flag = &json,
         .help = "print what results.json says, without jobs' curves and windows, as one JSON "
                 "document"},
        {0}};
    const struct rf_command_line line = {
        .usage = "report [--format FORMAT] [--json] RUN_DIR...\n"
                 "report --compare [--out FILE] [--json] RUN_DIR RUN_DIR",
        .about =
            "Makes RUN_DIR/report.html again from RUN_DIR/results.json and "
            "RUN_DIR/ledger.jsonl (of a simulation: results.json and series.csv), and prints "
            "its path: one page with plots and tables, "
            "without scripts, that needs no network. Plots are drawn by gnuplot; without it "
            "the numbers and tables remain.",
        .options = table,
        .min = 1,
        .max = -1};
    enum rf_status st = rf_options_parse(&line, argc, argv, &args, err);

    (void)world;
    if (st != RF_OK || args.help)
        return st;
    st = check_format(format, err);
    if (st == RF_OK && both && args.n != 2)
        st = rf_fail(err, RF_ERR_ARG,
                     "--compare wants two run directories, here %s %d; see 'ringfence report "
                     "--help'",
                     args.n == 1 ? "is" : "are", args.n);
    if (st == RF_OK && !both && out != NULL)
        st = rf_fail(err, RF_ERR_ARG, "--out is for --compare; see 'ringfence report --help'");
    if (st == RF_OK && both)
        return compare(&args, out, json, err);
    for (int i = 0; st == RF_OK && i < args.n; i++)
        st = write_as(format, args.text[i], json ? stderr : stdout, err);
    return st == RF_OK && json ? print_json(&args, err) : st;
}

const struct rf_command rf_command_report = {.name = "report",
                                             .summary = "the report of a run: HTML, PDF, "
                                                        "figures, their numbers",
                                             .serial = 1,
                                             .run = report};
