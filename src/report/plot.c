#include "report/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "report/plot_data.h"

/* Narrow, so that texts can still be read where a telephone shrinks it. */
enum { WIDTH = 500 };

const char *rf_plot_colour(int i)
{
    static const char *const colours[] = {"#4f8fd0", "#d2691e", "#3a9f65", "#b76bc0",
                                          "#a8830f", "#d9596b", "#2f98a5", "#8a8f98"};

    return colours[(unsigned)i % (sizeof colours / sizeof *colours)];
}

void rf_plot_start(struct rf_text *script, int height)
{
    rf_text_add(script, "set encoding utf8\n");
    rf_text_addf(
        script, "set terminal svg size %d,%d dynamic noenhanced rounded font 'sans-serif,16'\n",
        WIDTH, height);
    rf_text_add(
        script,
        "set border 3 lc rgb '" RF_PLOT_INK "'\n"
        "set tics nomirror scale 0.5 textcolor rgb '" RF_PLOT_INK "'\n"
        "set xlabel textcolor rgb '" RF_PLOT_INK "' offset 0,0.4\n"
        "set ylabel textcolor rgb '" RF_PLOT_INK "' offset 1,0\n"
        "set grid y lc rgb '#888888' lw 0.4 dt 3\n"
        "set key above left Left reverse horizontal samplen 1.6 width -2 maxcols 3 font "
        "',14' textcolor rgb '" RF_PLOT_INK "'\n");
}

double rf_plot_tick(double span)
{
    double step = span > 0 && isfinite(span) ? pow(10, floor(log10(span))) : 1;

    return span / step > 5 ? 2 * step : span / step > 2 ? step : step / 2;
}

void rf_plot_add_string(struct rf_text *script, const char *s)
{
    rf_text_add(script, "'");
    for (; *s != '\0'; s++) {
        char c = (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s;

        rf_text_add_bytes(script, &c, 1);
        if (c == '\'') /* in single quotes, only the quote itself is special */
            rf_text_add(script, "'");
    }
    rf_text_add(script, "'");
}

static enum rf_status io_error(struct rf_error *err)
{
    return rf_fail(err, RF_ERR_IO, "cannot use a temporary file for a plot: %s",
                   strerror(errno));
}

static enum rf_status read_back(FILE *out, struct rf_text *raw, struct rf_error *err)
{
    char chunk[4096];
    size_t n;

    if (fseek(out, 0, SEEK_SET) != 0)
        return io_error(err);
    while ((n = fread(chunk, 1, sizeof chunk, out)) > 0)
        rf_text_add_bytes(raw, chunk, n);
    if (ferror(out))
        return io_error(err);
    return raw->failed ? rf_fail(err, RF_ERR_MEMORY, "out of memory for a plot") : RF_OK;
}

struct rewrite {
    const char *from; /* what stands in gnuplot's output... */
    const char *upto; /* ...and, when not NULL, everything through this goes too */
    const char *to;
};

static const struct rewrite *match(const char *at)
{
    static const struct rewrite rules[] = {
        {"<title>", "</title>", ""},
        {"<desc>", "</desc>", ""},
        {"<defs>", "</defs>", ""}, /* point marks, which our plots do without */
        {" id=\"", "\"", ""},
        {"rgb(1,2,3)", NULL, "currentColor"},
        {"rgb(  1,   2,   3)", NULL, "currentColor"},
        {" color=\"black\"", NULL, ""},
        {" color=\"white\"", NULL, ""},
        {" font-family=\"sans-serif\"", NULL, ""},
        {" xmlns:xlink=\"http://www.w3.org/1999/xlink\"", NULL, ""},
        {" xmlns=\"http://www.w3.org/2000/svg\"", NULL, ""},
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strncmp(at, rules[i].from, strlen(rules[i].from)) == 0)
            return &rules[i];
    return NULL;
}

static void add_words(struct rf_text *svg, const struct rf_text *script, const char *label)
{
    struct rf_text words = {0};

    rf_plot_describe(&words, script);
    rf_text_add(svg, "\n<title>");
    rf_text_add_html(svg, label);
    rf_text_add(svg, "</title>\n<desc>");
    rf_text_add_html(svg, words.data != NULL ? words.data : "");
    rf_text_add(svg, "</desc>\n");
    svg->failed |= words.failed;
    rf_text_clear(&words);
}

/* gnuplot escapes < and & in texts, so a rule can only match its own markup. */
static void clean(struct rf_text *svg, const char *at, const struct rf_text *script,
                  const char *label)
{
    const char *opened = strchr(at, '>');

    rf_text_add(svg, "<svg role=\"img\" aria-label=\"");
    rf_text_add_html(svg, label);
    rf_text_add(svg, "\"");
    while (*at != '\0') {
        if (at == opened + 1)
            add_words(svg, script, label);
        const struct rewrite *rule = match(at);
        const char *end;

        if (rule == NULL) {
            rf_text_add_bytes(svg, at++, 1);
            continue;
        }
        at += strlen(rule->from);
        end = rule->upto != NULL ? strstr(at, rule->upto) : NULL;
        if (end != NULL)
            at = end + strlen(rule->upto);
        rf_text_add(svg, rule->to);
    }
}

static enum rf_status draw(const struct rf_text *script, FILE *in, FILE *out, const char *label,
                           struct rf_text *svg, struct rf_error *err)
{
    struct rf_text raw = {0};
    const char *start = NULL;
    char *const gnuplot[] = {"gnuplot", NULL};
    int drawn = 0;
    enum rf_status st = RF_OK;

    if (fwrite(script->data, 1, script->size, in) != script->size || fflush(in) != 0 ||
        lseek(fileno(in), 0, SEEK_SET) != 0)
        st = io_error(err);
    /* Files instead of pipes: neither side can wait for the other. */
    if (st == RF_OK)
        drawn = rf_child_run(gnuplot, fileno(in), fileno(out), 0) == 0;
    if (st == RF_OK && drawn)
        st = read_back(out, &raw, err);
    if (st == RF_OK && raw.data != NULL)
        start = strstr(raw.data, "<svg");
    if (start != NULL && strchr(start, '>') != NULL && strstr(start, "</svg>") != NULL)
        clean(svg, start + strlen("<svg"), script, label);
    rf_text_clear(&raw);
    return st == RF_OK && svg->failed ? rf_fail(err, RF_ERR_MEMORY, "out of memory for a plot")
                                      : st;
}

enum rf_status rf_plot_draw(const struct rf_text *script, const char *label, char **svg,
                            struct rf_error *err)
{
    FILE *in = tmpfile(), *out = tmpfile();
    struct rf_text text = {0};
    enum rf_status st;

    *svg = NULL;
    if (script->failed)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for a plot");
    else if (in == NULL || out == NULL)
        st = io_error(err);
    else
        st = draw(script, in, out, label, &text, err);
    if (st == RF_OK)
        rf_plot_tables(&text, script, label);
    if (st == RF_OK && text.failed)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for a plot");
    if (in != NULL)
        fclose(in);
    if (out != NULL)
        fclose(out);
    if (st == RF_OK)
        *svg = text.data;
    else
        rf_text_clear(&text);
    return st;
}
