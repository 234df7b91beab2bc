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

    rf_markup_open(page, 1);
    rf_text_add(page, rf_duration_text(text, seconds));
}

void rf_sim_cell_count(struct rf_text *page, double count)
{
    char text[RF_DURATION_BYTES];

    rf_markup_open(page, 1);
    rf_text_add(page, rf_count_text(text, count));
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
