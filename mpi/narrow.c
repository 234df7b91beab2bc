#include "mpi/narrow.h"

#include <stdlib.h>

#include "base/slice.h"
#include "nn/bf16.h"

enum { PIECE = 1 << 20 }; /* elements at a time */

struct rf_narrow {
    uint16_t *out, *in; /* owned [PIECE], [PIECE + ranks] */
    int *counts;        /* owned [4 ranks]: counts and places, out and in */
    int ranks;
};

enum rf_status rf_narrow_create(struct rf_narrow **narrow, int ranks, struct rf_error *err)
{
    struct rf_narrow *w = calloc(1, sizeof *w);

    *narrow = w;
    if (w != NULL) {
        w->ranks = ranks;
        w->out = malloc(PIECE * sizeof *w->out);
        w->in = malloc((PIECE + (size_t)ranks) * sizeof *w->in);
        w->counts = malloc(4 * (size_t)ranks * sizeof *w->counts);
    }
    if (w == NULL || w->out == NULL || w->in == NULL || w->counts == NULL) {
        rf_narrow_destroy(w);
        *narrow = NULL;
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for rounded messages");
    }
    return RF_OK;
}

void rf_narrow_destroy(struct rf_narrow *narrow)
{
    if (narrow == NULL)
        return;
    free(narrow->out);
    free(narrow->in);
    free(narrow->counts);
    free(narrow);
}

union bits { /* memcpy() inside a simd loop upsets gcc 12 */
    uint32_t whole;
    float value;
};

RF_CLONES
static void widen(rf_real *restrict to, const uint16_t *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const union bits b = {.whole = (uint32_t)x[i] << 16};

        to[i] = b.value;
    }
}

RF_CLONES
static void widen_add(rf_real *restrict sum, const uint16_t *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const union bits b = {.whole = (uint32_t)x[i] << 16};

        sum[i] += b.value;
    }
}

static void sum_piece(struct rf_narrow *w, const struct rf_group *group, rf_real *x, size_t n)
{
    int p = group->size, *counts = w->counts, *places = counts + p;
    int *in_counts = places + p, *in_places = in_counts + p;
    struct rf_slice mine = rf_slice((int64_t)n, group->rank, p);
    size_t own = (size_t)mine.count;

    for (int r = 0; r < p; r++) {
        struct rf_slice s = rf_slice((int64_t)n, r, p);

        counts[r] = (int)s.count;
        places[r] = (int)s.begin;
        in_counts[r] = (int)own;
        in_places[r] = (int)(own * (size_t)r);
    }
    rf_bf16_round(w->out, x, n);
    MPI_Alltoallv(w->out, counts, places, MPI_UINT16_T, w->in, in_counts, in_places,
                  MPI_UINT16_T, group->comm);
    widen(x + mine.begin, w->in, own);
    for (int r = 1; r < p; r++)
        widen_add(x + mine.begin, w->in + own * (size_t)r, own);
    rf_bf16_round(w->out + mine.begin, x + mine.begin, own);
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, w->out, counts, places, MPI_UINT16_T,
                   group->comm);
    widen(x, w->out, n);
}

void rf_narrow_sum(struct rf_narrow *narrow, const struct rf_group *group, rf_real *x, size_t n)
{
    while (n > 0 && group->size > 1) {
        size_t count = n < PIECE ? n : PIECE;

        sum_piece(narrow, group, x, count);
        x += count;
        n -= count;
    }
}
