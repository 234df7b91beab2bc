#include "nn/pack.h"

#include <assert.h>
#include <string.h>

size_t rf_pack_cost(int B, int T, int R, int bag)
{
    size_t seqs = rf_arena_cost(((size_t)B * (size_t)T + 1) * sizeof(int));
    size_t rows = rf_arena_cost((size_t)B * (size_t)T * sizeof(int32_t));

    return (bag ? 3 : 2) * seqs + 2 * rows + 2 * rf_arena_cost((size_t)R * sizeof(int32_t));
}

void rf_pack_place(struct rf_pack *pack, struct rf_arena *arena, int B, int T, int R, int bag)
{
    size_t seqs = ((size_t)B * (size_t)T + 1) * sizeof(int); /* at most, with documents */
    size_t rows = (size_t)B * (size_t)T * sizeof(int32_t);

    *pack = (struct rf_pack){.nseq = 0};
    pack->start = rf_arena_take(arena, seqs);
    pack->asked_start = rf_arena_take(arena, seqs);
    if (bag)
        pack->first = rf_arena_take(arena, seqs);
    pack->token = rf_arena_take(arena, rows);
    pack->position = rf_arena_take(arena, rows);
    pack->asked_row = rf_arena_take(arena, (size_t)R * sizeof(int32_t));
    pack->asked_position = rf_arena_take(arena, (size_t)R * sizeof(int32_t));
}

/* Where the document around token t of a row begins, and where it ends. */
static void find_document(const struct rf_batch *batch, const int32_t *row, int t, int *begin,
                          int *end)
{
    *begin = 0;
    *end = batch->T;
    if (batch->document == 0)
        return;
    for (*begin = t; *begin > 0 && row[*begin] != batch->document - 1; --*begin)
        ;
    for (*end = t + 1; *end < batch->T && row[*end] != batch->document - 1; ++*end)
        ;
}

/* Packs the sequence, or the document in it, of asked row r as one row. */
static int add_bag(struct rf_pack *pack, const struct rf_batch *batch, int r)
{
    int b = batch->rows[r] / batch->T, begin, end;
    int t = batch->rows[r] % batch->T, at = pack->first[pack->n];
    const int32_t *row = batch->tokens + (size_t)b * (size_t)batch->T;

    find_document(batch, row, t, &begin, &end);
    assert(r + 1 == batch->R || batch->rows[r + 1] >= b * batch->T + end);
    pack->start[pack->nseq] = pack->asked_start[pack->nseq] = r;
    pack->asked_row[r] = pack->n;
    pack->asked_position[r] = pack->position[pack->n] = 0;
    memcpy(pack->token + at, row + begin, (size_t)(t + 1 - begin) * sizeof *row);
    pack->first[++pack->n] = at + t + 1 - begin;
    pack->nseq++;
    pack->longest = 1;
    return r + 1;
}

/* Packs the sequence, or the document in it, of asked rows [r, returned). */
static int add_sequence(struct rf_pack *pack, const struct rf_batch *batch, int r)
{
    int b = batch->rows[r] / batch->T, len = 0, begin, end;
    const int32_t *row = batch->tokens + (size_t)b * (size_t)batch->T;

    find_document(batch, row, batch->rows[r] % batch->T, &begin, &end);
    pack->start[pack->nseq] = pack->n;
    pack->asked_start[pack->nseq] = r;
    pack->nseq++;
    for (; r < batch->R && batch->rows[r] < b * batch->T + end; r++) {
        int t = batch->rows[r] % batch->T - begin;

        assert(t >= len); /* strictly ascending */
        pack->asked_row[r] = pack->n + t;
        pack->asked_position[r] = t;
        len = t + 1;
    }
    for (int t = 0; t < len; t++) {
        pack->token[pack->n + t] = row[begin + t];
        pack->position[pack->n + t] = t;
    }
    pack->n += len;
    pack->longest = len > pack->longest ? len : pack->longest;
    return r;
}

void rf_pack_fill(struct rf_pack *pack, const struct rf_batch *batch, struct rf_work *work)
{
    pack->nseq = pack->n = pack->longest = 0;
    pack->nasked = batch->R;
    pack->mean = batch->mean;
    if (pack->first != NULL)
        pack->first[0] = 0;
    for (int r = 0; r < batch->R;)
        r = (pack->first != NULL ? add_bag : add_sequence)(pack, batch, r);
    pack->start[pack->nseq] = pack->n;
    pack->asked_start[pack->nseq] = batch->R;
    assert(!batch->mean || pack->nseq == batch->R);
    if (pack->mean) /* of all rows, to the end; where all are asked nobody reads which are */
        pack->nasked = pack->n;
    pack->all = pack->n == pack->nasked;

    *work = (struct rf_work){.rows = pack->n,
                             .asked = pack->nasked,
                             .range = batch->range_count,
                             .pooled = pack->nasked - batch->R};
    for (int i = 0; i < pack->n; i++)
        work->row_visits += pack->position[i] + 1;
    for (int r = 0; r < batch->R; r++)
        work->asked_visits += pack->asked_position[r] + 1;
    if (pack->mean)
        work->asked_visits = work->row_visits;
}
