/* A million rows of five numbers are mostly formatting, so the numbers are written by hand into
 * one buffer, which then becomes the file in one piece. */
#include "sim/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/file.h"

enum { ROW_BYTES_MAX = 5 * 32 };
static const char HEADER[] = "id,submit,start,end,procs\n";

/* Which jobs have a row, in order of id. */
struct rows {
    const int64_t *id; /* borrowed; NULL: position + 1 */
    int64_t *index;    /* owned; NULL: as they are, without those that did not end */
    int64_t n;
};

struct ranked {
    int64_t id, index;
};

static int by_id(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Brings the rows in order of their ids, unless they are. */
static enum rf_status sort_rows(struct rows *rows, struct rf_error *err)
{
    struct ranked *ranked;
    int64_t i = 1;

    while (i < rows->n && rows->id[rows->index[i - 1]] <= rows->id[rows->index[i]])
        i++;
    if (i >= rows->n)
        return RF_OK;
    ranked = malloc((size_t)rows->n * sizeof *ranked);
    if (ranked == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the schedule");
    for (i = 0; i < rows->n; i++)
        ranked[i] = (struct ranked){rows->id[rows->index[i]], rows->index[i]};
    qsort(ranked, (size_t)rows->n, sizeof *ranked, by_id);
    for (i = 0; i < rows->n; i++)
        rows->index[i] = ranked[i].index;
    free(ranked);
    return RF_OK;
}

static enum rf_status find_rows(const struct rf_schedule *s, struct rows *rows,
                                struct rf_error *err)
{
    enum rf_status st = RF_OK;

    *rows = (struct rows){.n = s->n};
    if (s->id == NULL)
        return RF_OK;
    *rows = (struct rows){s->id, malloc(((size_t)s->n + 1) * sizeof *rows->index), 0};
    if (rows->index == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the schedule");
    for (int64_t i = 0; i < s->n; i++)
        if (s->end_us[i] >= 0)
            rows->index[rows->n++] = i;
    st = sort_rows(rows, err);
    if (st != RF_OK) {
        free(rows->index);
        rows->index = NULL;
    }
    return st;
}

/* With ids, jobs that ended, in their order; else all jobs as they are. */
static int64_t row_at(const struct rows *rows, int64_t k)
{
    return rows->index != NULL ? rows->index[k] : k;
}

/* Two digits at a time, from the right. */
static char *put_integer(char *to, uint64_t value)
{
    static const char PAIRS[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[20];
    size_t at = sizeof digits;

    while (value >= 100) {
        at -= 2;
        memcpy(digits + at, PAIRS + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(digits + at, PAIRS + 2 * value, 2);
    } else {
        digits[--at] = (char)('0' + value);
    }
    memcpy(to, digits + at, sizeof digits - at);
    return to + (sizeof digits - at);
}

static char *put_signed(char *to, int64_t value)
{
    if (value < 0)
        *to++ = '-';
    return put_integer(to, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* Seconds, with the decimals that are needed. */
static char *put_time(char *to, int64_t us)
{
    uint64_t rest = (uint64_t)us % 1000000;

    to = put_integer(to, (uint64_t)us / 1000000);
    if (rest == 0)
        return to;
    *to++ = '.';
    for (uint64_t unit = 100000; rest > 0; unit /= 10) {
        *to++ = (char)('0' + rest / unit);
        rest %= unit;
    }
    return to;
}

static int64_t id_of(const struct rf_schedule *s, int64_t i)
{
    return s->id != NULL ? s->id[i] : i + 1;
}

static char *put_row(char *to, const struct rf_schedule *s, int64_t i)
{
    to = put_signed(to, id_of(s, i));
    *to++ = ',';
    to = put_time(to, s->submit_us[i]);
    *to++ = ',';
    to = put_time(to, s->start_us[i]);
    *to++ = ',';
    to = put_time(to, s->end_us[i]);
    *to++ = ',';
    to = put_signed(to, s->procs[i]);
    *to++ = '\n';
    return to;
}

/* Rows become text a part at a time: all of it would be as large as a third of a simulation. */
struct text {
    const struct rf_schedule *schedule;
    const struct rows *rows;
    int64_t next; /* row; -1: the header */
    char part[1 << 16];
};

static int next_part(void *ctx, const char **data, size_t *size_bytes)
{
    struct text *t = ctx;
    size_t used = 0;

    if (t->next < 0) {
        used = sizeof HEADER - 1;
        memcpy(t->part, HEADER, used);
        t->next = 0;
    }
    for (; t->next < t->rows->n && sizeof t->part - used >= ROW_BYTES_MAX; t->next++) {
        int64_t i = row_at(t->rows, t->next);

        if (t->schedule->end_us[i] >= 0)
            used = (size_t)(put_row(t->part + used, t->schedule, i) - t->part);
    }
    *data = t->part;
    *size_bytes = used;
    return used > 0;
}

static enum rf_status write_stdout(struct text *t, struct rf_error *err)
{
    const char *data;
    size_t size;

    while (next_part(t, &data, &size))
        if (fwrite(data, 1, size, stdout) != size)
            return rf_fail(err, RF_ERR_IO, "cannot write the schedule to stdout");
    if (fflush(stdout) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot write the schedule to stdout");
    return RF_OK;
}

enum rf_status rf_schedule_write(const struct rf_schedule *schedule, const char *path,
                                 struct rf_error *err)
{
    struct rows rows;
    struct text *text = malloc(sizeof *text);
    enum rf_status st = find_rows(schedule, &rows, err);

    if (st == RF_OK && text == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for the schedule");
    if (st == RF_OK) {
        text->schedule = schedule;
        text->rows = &rows;
        text->next = -1;
        st = strcmp(path, "-") == 0 ? write_stdout(text, err)
                                    : rf_file_write_parts(path, next_part, text, err);
    }
    free(text);
    free(rows.index);
    return st;
}

static void put_little_endian(unsigned char *to, int64_t value)
{
    for (int k = 0; k < 8; k++)
        to[k] = (unsigned char)((uint64_t)value >> 8 * k);
}

enum rf_status rf_schedule_digest(const struct rf_schedule *schedule, struct rf_digest *digest,
                                  struct rf_error *err)
{
    enum { BATCH = 256, RECORD = 40 };
    crypto_generichash_state hash;
    unsigned char batch[BATCH * RECORD];
    size_t used = 0;
    struct rows rows;
    enum rf_status st = find_rows(schedule, &rows, err);

    if (st != RF_OK)
        return st;
    crypto_generichash_init(&hash, NULL, 0, RF_DIGEST_BYTES);
    for (int64_t k = 0; k < rows.n; k++) {
        int64_t i = row_at(&rows, k);

        if (schedule->end_us[i] < 0)
            continue;
        put_little_endian(batch + used, id_of(schedule, i));
        put_little_endian(batch + used + 8, schedule->submit_us[i]);
        put_little_endian(batch + used + 16, schedule->start_us[i]);
        put_little_endian(batch + used + 24, schedule->end_us[i]);
        put_little_endian(batch + used + 32, schedule->procs[i]);
        used += RECORD;
        if (used == sizeof batch) {
            crypto_generichash_update(&hash, batch, used);
            used = 0;
        }
    }
    crypto_generichash_update(&hash, batch, used);
    crypto_generichash_final(&hash, digest->bytes, RF_DIGEST_BYTES);
    free(rows.index);
    return RF_OK;
}
