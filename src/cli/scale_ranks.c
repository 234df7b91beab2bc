#include "cli/scale_ranks.h"

#include <ctype.h>
#include <stdlib.h>

#include "mpi/mesh.h"

enum { LARGEST = 1 << 16 };

static enum rf_status refuse(const char *text, struct rf_error *err)
{
    return rf_fail(
        err, RF_ERR_ARG,
        "--ranks: expected numbers of ranks or TENSORxDATA, separated by commas, as in "
        "1,2,4 or 1,2,2x2, got '%.60s'",
        text);
}

/* A number from 1 to LARGEST, and the text behind it; 0: there is none. */
static int number(const char **at)
{
    char *end;
    long n;

    if (!isdigit((unsigned char)**at))
        return 0;
    n = strtol(*at, &end, 10);
    *at = end;
    return n >= 1 && n <= LARGEST ? (int)n : 0;
}

static enum rf_status add(struct rf_scale_layout *layouts, int *n, int tensor, int data,
                          int most, struct rf_error *err)
{
    if ((long)tensor * data > most)
        return rf_fail(
            err, RF_ERR_ARG,
            "--ranks: %d x %d ranks are more than the %d of this run; start more with "
            "mpirun -n or srun -n",
            tensor, data, most);
    if (*n == RF_SCALE_LAYOUTS)
        return rf_fail(err, RF_ERR_ARG, "--ranks: at most %d layouts", RF_SCALE_LAYOUTS);
    for (int i = 0; i < *n; i++)
        if (layouts[i].tensor == tensor && layouts[i].data == data)
            return rf_fail(err, RF_ERR_ARG, "--ranks: %d x %d ranks are listed twice", tensor,
                           data);
    layouts[(*n)++] = (struct rf_scale_layout){tensor, data};
    return RF_OK;
}

static enum rf_status usual(struct rf_scale_layout *layouts, int *n, int tensor, int most,
                            struct rf_error *err)
{
    enum rf_status st = RF_OK;

    for (int ranks = 1; st == RF_OK && ranks <= most;) {
        int width = rf_mesh_width(ranks, tensor);

        st = add(layouts, n, width, ranks / width, most, err);
        ranks = ranks < most && 2 * ranks > most ? most : 2 * ranks;
    }
    return st;
}

enum rf_status rf_scale_layouts_parse(struct rf_scale_layout layouts[RF_SCALE_LAYOUTS], int *n,
                                      const char *text, int tensor, int most,
                                      struct rf_error *err)
{
    const char *at = text;
    enum rf_status st = RF_OK;

    *n = 0;
    if (text == NULL)
        return usual(layouts, n, tensor, most, err);
    while (st == RF_OK) {
        int first = number(&at), second = 0;

        if (first == 0)
            return refuse(text, err);
        if (*at == 'x') {
            at++;
            second = number(&at);
            if (second == 0)
                return refuse(text, err);
        }
        if (second == 0) { /* as training would lay it out */
            int width = rf_mesh_width(first, tensor);

            st = add(layouts, n, width, first / width, most, err);
        } else {
            st = add(layouts, n, first, second, most, err);
        }
        if (*at == '\0')
            return st;
        if (*at++ != ',')
            return refuse(text, err);
    }
    return st;
}
