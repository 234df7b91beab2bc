/* The one figure of an audit: each window's device-time against the line that it had to reach. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/audit.h"
#include "report/duration.h"
#include "report/json.h"
#include "report/plot.h"
#include "report/plot_data.h"

enum { HEIGHT = 330, MOST_WINDOWS = 400 };

struct scale {
    double time_s, device_s; /* of one unit on the axes */
    const char *time, *device;
};

static double reach(const json_t *window)
{
    return fmin(rf_json_number(window, "entitled_device_s"),
                rf_json_number(window, "demanded_device_s"));
}

static struct scale scale_of(const json_t *windows, size_t n)
{
    double most = 0;
    struct scale scale = {.device_s = 1, .device = "device-seconds"};

    scale.time = rf_duration_unit(rf_json_number(json_array_get(windows, n - 1), "end_s"),
                                  &scale.time_s);
    for (size_t i = 0; i < n; i++)
        most = fmax(most, rf_json_number(json_array_get(windows, i), "delivered_device_s"));
    if (most > 36000) {
        scale.device_s = 3600;
        scale.device = "device-hours";
    }
    return scale;
}

/* Both ends of each window that has this verdict; a gap after each, so that they stay apart. */
static int add_delivered(struct rf_text *script, const json_t *windows, size_t n,
                         const struct scale *scale, const char *verdict)
{
    char time[32], device[48];
    const char *names[] = {time, device};
    int drawn = 0;

    snprintf(time, sizeof time, "time (%s)", scale->time);
    snprintf(device, sizeof device, "delivered (%s)", scale->device);
    rf_plot_block(script, verdict, verdict, names, 2);
    for (size_t i = 0; i < n; i++) {
        const json_t *window = json_array_get(windows, i);
        double y = rf_json_number(window, "delivered_device_s") / scale->device_s;

        if (strcmp(rf_json_text(window, "verdict"), verdict) != 0 || !isfinite(y))
            continue;
        rf_text_addf(script, "%.7g %.6g\n%.7g %.6g\n\n",
                     rf_json_number(window, "begin_s") / scale->time_s, y,
                     rf_json_number(window, "end_s") / scale->time_s, y);
        drawn++;
    }
    rf_plot_block_end(script);
    return drawn;
}

static void add_reach(struct rf_text *script, const json_t *windows, size_t n,
                      const struct scale *scale)
{
    char time[32], device[48];
    const char *names[] = {time, device};

    snprintf(time, sizeof time, "time (%s)", scale->time);
    snprintf(device, sizeof device, "to be reached (%s)", scale->device);
    rf_plot_block(script, "reach", "to be reached", names, 2);
    for (size_t i = 0; i < n; i++) {
        const json_t *window = json_array_get(windows, i);
        double y = reach(window) / scale->device_s;

        if (isfinite(y))
            rf_text_addf(script, "%.7g %.6g\n%.7g %.6g\n",
                         rf_json_number(window, "begin_s") / scale->time_s, y,
                         rf_json_number(window, "end_s") / scale->time_s, y);
    }
    rf_plot_block_end(script);
}

enum rf_status rf_audit_figure(const json_t *pledge, char **svg, struct rf_error *err)
{
    static const struct {
        const char *verdict, *colour;
    } kinds[] = {{"kept", "#3a9f65"}, {"broken", "#d9596b"}, {"unprovable", "#a8830f"}};
    const json_t *windows = rf_json_list(pledge, "windows");
    size_t n =
        json_array_size(windows) < MOST_WINDOWS ? json_array_size(windows) : MOST_WINDOWS;
    struct rf_text script = {0}, plots = {0};
    struct scale scale;
    char label[RF_NAME_BYTES + 64];
    enum rf_status st;

    *svg = NULL;
    if (n == 0)
        return RF_OK;
    scale = scale_of(windows, n);
    rf_plot_start(&script, HEIGHT);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (add_delivered(&script, windows, n, &scale, kinds[k].verdict) > 0)
            rf_text_addf(&plots,
                         "$%s using 1:2 with filledcurves y=0 fc rgb '%s' fs transparent solid "
                         "0.5 border lc rgb '%s' title 'delivered, %s', ",
                         kinds[k].verdict, kinds[k].colour, kinds[k].colour, kinds[k].verdict);
    add_reach(&script, windows, n, &scale);
    rf_text_addf(&script,
                 "set xlabel '%s since the start'\nset ylabel '%s'\nset yrange [0:*]\nplot ",
                 scale.time, scale.device);
    rf_text_add(&script, plots.data != NULL ? plots.data : "");
    rf_text_add(&script, "$reach using 1:2 with lines lw 2 dt 2 lc rgb '" RF_PLOT_INK
                         "' title 'to be reached'\n");
    snprintf(label, sizeof label, "Device-time of %.63s by window, and what had to be reached",
             rf_json_text(pledge, "account"));
    script.failed |= plots.failed;
    st = rf_plot_draw(&script, label, svg, err);
    rf_text_clear(&plots);
    rf_text_clear(&script);
    return st;
}
