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
    const int64_t *id; /* borrowed; NULL: index + 1 */
    int64_t *index;    /* owned */
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

    *rows = (struct rows){s->id, malloc(((size_t)s->n + 1) * sizeof *rows->index), 0};
    if (rows->index == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the schedule");
    for (int64_t i = 0; i < s->n; i++)
        if (s->end_us[i] >= 0)
            rows->index[rows->n++] = i;
    if (s->id != NULL)
        st = sort_rows(rows, err);
    if (st != RF_OK) {
        free(rows->index);
        rows->index = NULL;
    }
    return st;
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

/* All rows as text; the caller frees *text. Its room is for what rows usually need, and grows. */
static enum rf_status format(const struct rf_schedule *s, const struct rows *rows, char **text,
                             size_t *size_bytes, struct rf_error *err)
{
    size_t room = sizeof HEADER + 48 * (size_t)rows->n + ROW_BYTES_MAX,
           used = sizeof HEADER - 1;
    char *buf = malloc(room);

    if (buf != NULL)
        memcpy(buf, HEADER, used);
    for (int64_t k = 0; k < rows->n && buf != NULL; k++) {
        if (room - used < ROW_BYTES_MAX) {
            char *more = realloc(buf, room * 2);

            if (more == NULL)
                free(buf);
            buf = more;
            room *= 2;
        }
        if (buf != NULL)
            used = (size_t)(put_row(buf + used, s, rows->index[k]) - buf);
    }
    if (buf == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the schedule");
    *text = buf;
    *size_bytes = used;
    return RF_OK;
}

static enum rf_status write_stdout(const char *text, size_t size_bytes, struct rf_error *err)
{
    if (fwrite(text, 1, size_bytes, stdout) != size_bytes || fflush(stdout) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot write the schedule to stdout");
    return RF_OK;
}

enum rf_status rf_schedule_write(const struct rf_schedule *schedule, const char *path,
                                 struct rf_error *err)
{
    struct rows rows;
    char *text = NULL;
    size_t size = 0;
    enum rf_status st = find_rows(schedule, &rows, err);

    if (st == RF_OK)
        st = format(schedule, &rows, &text, &size, err);
    if (st == RF_OK)
        st = strcmp(path, "-") == 0 ? write_stdout(text, size, err)
                                    : rf_file_write(path, text, size, err);
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
        int64_t i = rows.index[k];

        put_little_endian(batch + used, id_of(schedule, i));
        put_little_endian(batch + used + 8, schedule->submit_us[i]);
        put_little_endian(batch + used + 16, schedule->start_us[i]);
        put_little_endian(batch + used + 24, schedule->end_us[i]);
        put_little_endian(batch + used + 32, schedule->procs[i]);
        used += RECORD;
        if (used == sizeof batch || k == rows.n - 1) {
            crypto_generichash_update(&hash, batch, used);
            used = 0;
        }
    }
    crypto_generichash_final(&hash, digest->bytes, RF_DIGEST_BYTES);
    free(rows.index);
    return RF_OK;
}
