#include "job/spec.h"

#include <stdlib.h>

void rf_run_spec_clear(struct rf_run_spec *spec)
{
    free(spec->pledges);
    free(spec->changes);
    free(spec->limits);
    free(spec->models);
    free(spec->tasks);
    free(spec->jobs);
    free(spec->experiments);
    *spec = (struct rf_run_spec){0};
}
