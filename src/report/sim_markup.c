#include "report/sim_markup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/duration.h"

void rf_sim_cut(struct rf_text *page, size_t n)
{
    if (n > RF_SIM_ROWS)
        rf_text_addf(page, "<p>The first %d of %zu; results.json has all.</p>\n", RF_SIM_ROWS,
                     n);
}

void rf_sim_figure(struct rf_text *page, struct rf_sim_page *in, char *svg, const char *caption)
{
    rf_markup_figure(page, svg, caption);
    in->plots |= svg != NULL;
    free(svg);
}

void rf_sim_details_begin(struct rf_text *page, const char *summary)
{
    rf_text_add(page, "<details><summary>");
    rf_text_add_html(page, summary);
    rf_text_add(page, "</summary>\n");
}

void rf_sim_details_end(struct rf_text *page)
{
    rf_text_add(page, "</details>\n");
}

void rf_sim_cell_duration(struct rf_text *page, double seconds)
{
    char text[RF_DURATION_BYTES];

    rf_text_addf(page, "<td class=\"n\">%s", rf_duration_text(text, seconds));
}

void rf_sim_cell_count(struct rf_text *page, double count)
{
    char text[RF_DURATION_BYTES];

    rf_text_addf(page, "<td class=\"n\">%s", rf_count_text(text, count));
}

void rf_sim_cell_hours(struct rf_text *page, double device_s)
{
    double hours = device_s / RF_SIM_HOUR_S;

    if (isfinite(hours) && fabs(hours) < 100)
        rf_markup_number(page, hours, 2, "");
    else
        rf_sim_cell_count(page, hours);
}

double rf_sim_percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : (double)NAN;
}

void rf_sim_numbers(struct rf_text *page, const struct rf_sim_page *in, const char *caption,
                    const char *const *kinds, int nkinds)
{
    const struct rf_curves *rows = in->rows;
    const char *headings[34] = {"from", "until"};
    char align[36] = "rr";
    int columns[32], n = 0;

    for (int c = 0; c < rows->ncolumns && n < 32; c++)
        for (int k = 0; k < nkinds && n < 32; k++) {
            const char *of = rf_curves_of(rows, c, kinds[k]);

            if (of == NULL && strcmp(rows->names[c], kinds[k]) != 0)
                continue;
            headings[n + 2] = of != NULL && nkinds == 1 ? of : rows->names[c];
            align[n + 2] = 'r';
            columns[n++] = c;
        }
    align[n + 2] = '\0';
    if (n == 0 || rows->n == 0)
        return;
    rf_sim_details_begin(page, "The numbers");
    rf_markup_table(page, caption, align, headings);
    for (int k = 0; k < rows->n; k++) {
        rf_markup_row(page);
        rf_sim_cell_duration(page, rows->t_s[k]);
        rf_sim_cell_duration(page, rows->t_s[k + 1]);
        for (int i = 0; i < n; i++)
            rf_markup_number(
                page, rows->values[(size_t)columns[i] * (size_t)rows->n + (size_t)k], 1, "");
    }
    rf_markup_end(page);
    rf_sim_details_end(page);
}
