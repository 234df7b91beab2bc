/* series.csv of a simulation, on any bytes: refused, or a table whose time only rises, and which
 * can be thinned. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report/sim_series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rf_curves curves, thin = {0};
    char *text = malloc(size + 1);
    struct rf_error err;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (rf_curves_parse(&curves, text, "series.csv", &err) == RF_OK) {
        for (int k = 0; k < curves.n; k++)
            if (!(curves.t_s[k + 1] > curves.t_s[k]))
                abort();
        if (rf_curves_thin(&thin, &curves, 7, &err) == RF_OK && thin.n > 7)
            abort();
        rf_curves_clear(&thin);
    }
    rf_curves_clear(&curves);
    free(text);
    return 0;
}
