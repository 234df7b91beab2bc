#include "report/sim_plot.h"

#include <math.h>
#include <stdio.h>

#include "report/duration.h"

enum rf_status rf_sim_plot_finish(struct rf_text *script, const char *label, char **svg,
                                  struct rf_error *err)
{
    enum rf_status st = rf_plot_draw(script, label, svg, err);

    rf_text_clear(script);
    return st;
}

double rf_sim_plot_time(struct rf_text *script, double end_s)
{
    double unit_s;
    const char *unit = rf_duration_unit(end_s, &unit_s);

    rf_text_addf(script, "set xrange [0:%.8g]\nset xlabel '%s since the start'\n",
                 end_s / unit_s, unit);
    return unit_s;
}

void rf_sim_plot_block(struct rf_text *script, double end_s, const char *id, const char *title,
                       const char *const *names, int n)
{
    enum { MOST = 40 };
    const char *all[MOST + 1];
    double unit_s;
    char time[32];

    snprintf(time, sizeof time, "time (%s)", rf_duration_unit(end_s, &unit_s));
    all[0] = time;
    n = n < MOST ? n : MOST;
    for (int i = 0; i < n; i++)
        all[i + 1] = names[i];
    rf_plot_block(script, id, title, all, n + 1);
}

static const char *const share_name[] = {"share of the fleet (%)"};

double rf_sim_plot_shares(struct rf_text *script, const struct rf_curves *curves, double unit_s,
                          const double *part, int first, const char *id, const char *title)
{
    const double *up = rf_curves_find(curves, "up");
    double most = 0;

    rf_sim_plot_block(script, curves->t_s[curves->n], id, title, share_name, 1);
    for (int k = first; k < curves->n; k++)
        if (up[k] > 0) {
            double share = 100 * part[k] / up[k];

            rf_text_addf(script, "%.7g %.5g\n%.7g %.5g\n", curves->t_s[k] / unit_s, share,
                         curves->t_s[k + 1] / unit_s, share);
            most = fmax(most, share);
        }
    rf_plot_block_end(script);
    return most;
}

void rf_sim_plot_so_far(struct rf_text *script, const struct rf_curves *curves, double unit_s,
                        const double *part)
{
    const double *up = rf_curves_find(curves, "up");
    double held = 0, all = 0;

    rf_sim_plot_block(script, curves->t_s[curves->n], "sofar", "so far", share_name, 1);
    for (int k = 0; k < curves->n; k++) {
        double length = curves->t_s[k + 1] - curves->t_s[k];

        held += part[k] * length;
        all += up[k] * length;
        if (all > 0)
            rf_text_addf(script, "%.7g %.5g\n", curves->t_s[k + 1] / unit_s, 100 * held / all);
    }
    rf_plot_block_end(script);
}
