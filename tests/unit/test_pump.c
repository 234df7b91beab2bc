/* Stretches of a file through a pump: whatever their offsets and sizes, what was sent is in the file and
 * comes back, with the digests of its granules. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "ckpt/pump.h"
#include "ckpt/transfer.h"

enum { STRETCHES = 60, LONGEST = 700000, GRANULES = 64 };

static char path[64];

static enum rf_status make_pump(struct rf_pump **pump, size_t room_bytes, int max_stretches,
                                int (*fault)(const char *step), struct rf_error *err)
{
    const struct rf_pump_options options = {
        .room_bytes = room_bytes, .max_stretches = max_stretches, .fault = fault};

    return rf_pump_create(pump, &options, err);
}

static int make_file(void **unused)
{
    int fd;

    (void)unused;
    snprintf(path, sizeof path, "/tmp/rf-pump-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **unused)
{
    (void)unused;
    return unlink(path);
}

/* Stretches that follow each other with and without gaps, some smaller than a block. */
static uint64_t plan(struct rf_stretch list[STRETCHES], struct rf_digest digests[][GRANULES])
{
    uint64_t at = 100;

    for (uint64_t i = 0; i < STRETCHES; i++) {
        size_t size = 1 + rf_rng_below(1, 1, i, i % 3 == 0 ? 5000 : LONGEST);
        size_t granule = 1 + size / (1 + rf_rng_below(1, 2, i, GRANULES - 1));

        at += i % 2 == 0 ? 0 : rf_rng_below(1, 3, i, 9000);
        list[i] = (struct rf_stretch){
            .offset = at, .size_bytes = size, .granule_bytes = granule, .digests = digests[i]};
        at += size;
    }
    return at;
}

static void fill(unsigned char *to, const struct rf_stretch *stretch)
{
    for (size_t k = 0; k < stretch->size_bytes; k++)
        to[k] = (unsigned char)((stretch->offset + k) * 2654435761u >> 13);
}

static void check_digests(const struct rf_stretch *stretch, const unsigned char *data)
{
    for (size_t at = 0, g = 0; at < stretch->size_bytes; at += stretch->granule_bytes, g++) {
        size_t left = stretch->size_bytes - at;
        struct rf_digest wanted = rf_digest_of(
            data + at, left < stretch->granule_bytes ? left : stretch->granule_bytes);

        assert_true(rf_digest_equal(&wanted, &stretch->digests[g]));
    }
}

static void write_all(struct rf_pump *pump, const struct rf_stretch *list, int direct)
{
    assert_int_equal(rf_pump_begin(pump, path, 1, direct, NULL), RF_OK);
    for (int i = STRETCHES - 1; i >= 0; i--) { /* any order of offsets */
        fill(rf_pump_room(pump, &list[i]), &list[i]);
        rf_pump_send(pump);
    }
    rf_pump_end(pump);
}

static void what_is_sent_is_in_the_file_and_comes_back(void **unused)
{
    static struct rf_digest written[STRETCHES][GRANULES], read[STRETCHES][GRANULES];
    struct rf_stretch list[STRETCHES], again[STRETCHES];
    uint64_t size = plan(list, written);
    unsigned char *wanted = malloc(LONGEST + 1);
    struct rf_pump *pump;

    (void)unused;
    assert_non_null(wanted);
    plan(again, read);
    for (int direct = 0; direct < 2; direct++) {
        int asked = 0;

        memset(written, 0, sizeof written);
        memset(read, 0, sizeof read);
        assert_int_equal(truncate(path, 0), 0);
        assert_int_equal(truncate(path, (off_t)size), 0);
        assert_int_equal(rf_transfer_reserve(path, NULL), RF_OK);
        /* room for three of the longest: the ring goes round many times */
        assert_int_equal(make_pump(&pump, 3 * rf_pump_need(LONGEST), 5, NULL, NULL), RF_OK);
        write_all(pump, list, direct);
        assert_int_equal(rf_pump_wait(pump, NULL), RF_OK);
        assert_false(rf_pump_busy(pump));
        assert_int_equal(rf_pump_begin(pump, path, 0, direct, NULL), RF_OK);
        for (int i = 0; i < STRETCHES; i++) {
            const unsigned char *data;

            while (asked < STRETCHES && rf_pump_fits(pump, &again[asked], NULL))
                rf_pump_ask(pump, &again[asked++], NULL);
            data = rf_pump_take(pump);
            fill(wanted, &again[i]);
            assert_memory_equal(data, wanted, again[i].size_bytes);
            check_digests(&again[i], data);
            check_digests(&list[i], data);
            rf_pump_drop(pump);
        }
        rf_pump_end(pump);
        assert_int_equal(rf_pump_wait(pump, NULL), RF_OK);
        rf_pump_destroy(pump);
    }
    free(wanted);
}

/* Small writes are kept back for the end, but not without bound. */
static void more_small_stretches_than_are_kept_back_are_in_the_file(void **unused)
{
    enum { SMALL = 5000, BYTES = 1001 };
    struct rf_digest *digests = malloc(SMALL * sizeof *digests);
    unsigned char found[BYTES], wanted[BYTES];
    struct rf_stretch stretch = {.size_bytes = BYTES, .granule_bytes = BYTES};
    struct rf_pump *pump;
    FILE *file;

    (void)unused;
    assert_non_null(digests);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(truncate(path, SMALL * BYTES), 0);
    assert_int_equal(make_pump(&pump, 1 << 20, 64, NULL, NULL), RF_OK);
    assert_int_equal(rf_pump_begin(pump, path, 1, 1, NULL), RF_OK);
    for (int i = 0; i < SMALL; i++) {
        stretch.offset = (uint64_t)i * BYTES;
        stretch.digests = &digests[i];
        fill(rf_pump_room(pump, &stretch), &stretch);
        rf_pump_send(pump);
    }
    rf_pump_end(pump);
    assert_int_equal(rf_pump_wait(pump, NULL), RF_OK);
    rf_pump_destroy(pump);
    file = fopen(path, "rb");
    assert_non_null(file);
    for (int i = 0; i < SMALL; i++) {
        struct rf_digest digest;

        stretch.offset = (uint64_t)i * BYTES;
        fill(wanted, &stretch);
        digest = rf_digest_of(wanted, BYTES);
        assert_int_equal(fread(found, 1, BYTES, file), BYTES);
        assert_memory_equal(found, wanted, BYTES);
        assert_true(rf_digest_equal(&digest, &digests[i]));
    }
    fclose(file);
    free(digests);
}

static void store_as_they_are(void *to, const float *from, size_t n)
{
    memcpy(to, from, n * sizeof *from);
}

/* Handed over before the file is opened, and its place known; then the values change. */
static void bring_before_there_is_a_file(int sharers, size_t granule_bytes)
{
    enum { N = 700000, BORDER = 4096 };
    const struct rf_pump_options options = {
        .room_bytes = N * 4 + 3 * BORDER, .max_stretches = 4, .sharers = sharers};
    struct rf_digest digests[N * 4 / 40000];
    float *values = malloc(N * sizeof *values), *found = malloc(N * sizeof *found);
    uint64_t base = 0;
    const struct rf_stretch stretch = {
        .base = &base, .size_bytes = N * 4, .granule_bytes = granule_bytes, .digests = digests};
    const struct rf_values from = {values, sizeof *values, store_as_they_are, 1};
    struct rf_pump *pump;
    FILE *file;

    assert_true(values != NULL && found != NULL);
    for (int i = 0; i < N; i++)
        values[i] = (float)i;
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(truncate(path, BORDER + N * 4), 0);
    assert_int_equal(rf_pump_create(&pump, &options, NULL), RF_OK);
    rf_pump_begin_writing(pump);
    rf_pump_bring(pump, &stretch, &from);
    base = BORDER;
    assert_int_equal(rf_pump_open(pump, path, 1, NULL), RF_OK);
    rf_pump_brought(pump);
    memset(values, 0, N * sizeof *values);
    rf_pump_end(pump);
    assert_int_equal(rf_pump_wait(pump, NULL), RF_OK);
    rf_pump_destroy(pump);
    file = fopen(path, "rb");
    assert_true(file != NULL && fseek(file, BORDER, SEEK_SET) == 0);
    assert_int_equal(fread(found, sizeof *found, N, file), N);
    for (int i = 0; i < N; i++)
        assert_true(found[i] == (float)i);
    check_digests(&stretch, (const unsigned char *)found);
    fclose(file);
    free(found);
    free(values);
}

/* Few large granules and many small ones; alone on the machine and as one of two. */
static void values_are_brought_before_there_is_a_file(void **unused)
{
    (void)unused;
    for (int sharers = 1; sharers <= 2; sharers++) {
        bring_before_there_is_a_file(sharers, 1400000);
        bring_before_there_is_a_file(sharers, 400000);
        bring_before_there_is_a_file(sharers, 40000);
    }
}

/* Values on a border are not copied: the ring is smaller than their stretch, which would never fit. Others
 * are, and what is to be stored otherwise than it lies. */
static void still_values_are_written_from_where_they_lie(void **unused)
{
    enum { BORDER = 4096, N = 171 * BORDER - 77, SMALL = 1 << 20 };
    struct rf_digest digests[N * 4 / 400000 + 1];
    uint64_t base = BORDER;
    const struct rf_stretch stretch = {
        .base = &base, .size_bytes = N * 4, .granule_bytes = 400000, .digests = digests};
    float *block = aligned_alloc(BORDER, 4 * 171 * BORDER + BORDER),
          *found = malloc(N * sizeof *found);

    (void)unused;
    assert_true(block != NULL && found != NULL);
    for (int way = 0; way < 3; way++) {
        float *values = block + (way == 1 ? 1 : 128);
        const struct rf_values from = {values, sizeof *values, store_as_they_are, way != 2};
        const struct rf_pump_options options = {
            .room_bytes = way == 0 ? SMALL : 2 * N * 4, .max_stretches = 4, .still = 1};
        struct rf_pump *pump;
        FILE *file;

        for (int i = 0; i < N; i++)
            values[i] = (float)(i + way);
        assert_int_equal(truncate(path, 0), 0);
        assert_int_equal(truncate(path, BORDER + N * 4), 0);
        assert_int_equal(rf_pump_create(&pump, &options, NULL), RF_OK);
        assert_int_equal(rf_pump_begin(pump, path, 1, 1, NULL), RF_OK);
        rf_pump_bring(pump, &stretch, &from);
        rf_pump_brought(pump);
        rf_pump_end(pump);
        assert_int_equal(rf_pump_wait(pump, NULL), RF_OK);
        rf_pump_destroy(pump);
        file = fopen(path, "rb");
        assert_true(file != NULL && fseek(file, BORDER, SEEK_SET) == 0);
        assert_int_equal(fread(found, sizeof *found, N, file), N);
        assert_memory_equal(found, values, N * sizeof *values);
        check_digests(&stretch, (const unsigned char *)found);
        fclose(file);
    }
    free(found);
    free(block);
}

/* Likewise when reading: into memory on a border, and not a byte beyond; else into the ring. */
static void what_is_read_goes_where_it_is_wanted(void **unused)
{
    enum { BORDER = 4096, BYTES = 2700001, AT = 2 * BORDER + 512, ROOM = 1 << 20 };
    struct rf_digest digests[BYTES / 300000 + 1], none[BYTES / 300000 + 1];
    struct rf_stretch stretch = {
        .offset = AT, .size_bytes = BYTES, .granule_bytes = 300000, .digests = digests};
    unsigned char *block = aligned_alloc(BORDER, 3 * BORDER + BYTES / BORDER * BORDER + BORDER);
    unsigned char *wanted = malloc(BYTES);
    struct rf_pump *pump;

    (void)unused;
    assert_true(block != NULL && wanted != NULL);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(truncate(path, AT + BYTES), 0);
    assert_int_equal(make_pump(&pump, 2 * BYTES, 4, NULL, NULL), RF_OK);
    assert_int_equal(rf_pump_begin(pump, path, 1, 1, NULL), RF_OK);
    fill(rf_pump_room(pump, &stretch), &stretch);
    rf_pump_send(pump);
    rf_pump_end(pump);
    assert_int_equal(rf_pump_wait(pump, NULL), RF_OK);
    rf_pump_destroy(pump);
    fill(wanted, &stretch);
    stretch.digests = none;
    for (int way = 0; way < 3;
         way++) { /* past the page cache, through it, and off the border */
        unsigned char *into = block + 512 + (way == 2 ? 4 : 0);
        const unsigned char *data;

        memset(block, 0x5a, BYTES + 2 * BORDER);
        memset(none, 0, sizeof none);
        assert_int_equal(make_pump(&pump, way == 2 ? 2 * BYTES : ROOM, 4, NULL, NULL), RF_OK);
        assert_int_equal(rf_pump_begin(pump, path, 0, way != 1, NULL), RF_OK);
        assert_true(rf_pump_fits(pump, &stretch, into));
        rf_pump_ask(pump, &stretch, into);
        data = rf_pump_take(pump);
        assert_int_equal(data == into, way != 2);
        assert_memory_equal(data, wanted, BYTES);
        assert_memory_equal(none, digests, sizeof digests);
        rf_pump_drop(pump);
        rf_pump_end(pump);
        assert_int_equal(rf_pump_wait(pump, NULL), RF_OK);
        rf_pump_destroy(pump);
        assert_true(into[-1] == 0x5a && into[BYTES] == 0x5a);
    }
    free(wanted);
    free(block);
}

static int failing_writes;

static int fail_some(const char *step)
{
    return strcmp(step, "write") == 0 && ++failing_writes == 7 ? ENOSPC : 0;
}

static void a_failure_is_told_at_the_end_and_the_pump_can_begin_anew(void **unused)
{
    static struct rf_digest digests[STRETCHES][GRANULES];
    struct rf_stretch list[STRETCHES];
    uint64_t size = plan(list, digests);
    struct rf_error err = {RF_OK, ""};
    struct rf_pump *pump;

    (void)unused;
    assert_int_equal(truncate(path, (off_t)size), 0);
    assert_int_equal(make_pump(&pump, 2 * rf_pump_need(LONGEST), 9, fail_some, &err), RF_OK);
    failing_writes = 0;
    write_all(pump, list, 1);
    assert_int_equal(rf_pump_wait(pump, &err), RF_ERR_IO);
    assert_non_null(strstr(err.text, strerror(ENOSPC)));
    assert_non_null(strstr(err.text, path));
    write_all(pump, list, 1); /* the seventh is past */
    assert_int_equal(rf_pump_wait(pump, &err), RF_OK);
    rf_pump_destroy(pump);
}

static void a_file_that_ends_too_early_is_a_wrong_input(void **unused)
{
    struct rf_digest digest;
    const struct rf_stretch stretch = {
        .offset = 0, .size_bytes = 200000, .granule_bytes = 200000, .digests = &digest};
    struct rf_error err = {RF_OK, ""};
    struct rf_pump *pump;

    (void)unused;
    assert_int_equal(truncate(path, 150000), 0);
    assert_int_equal(make_pump(&pump, 1 << 20, 4, NULL, &err), RF_OK);
    for (int direct = 0; direct < 2; direct++) {
        assert_int_equal(rf_pump_begin(pump, path, 0, direct, &err), RF_OK);
        rf_pump_ask(pump, &stretch, NULL);
        rf_pump_take(pump);
        assert_true(rf_pump_failed(pump));
        rf_pump_drop(pump);
        rf_pump_end(pump);
        assert_int_equal(rf_pump_wait(pump, &err), RF_ERR_INPUT);
        assert_non_null(strstr(err.text, "it ends at byte"));
    }
    assert_int_equal(rf_pump_begin(pump, "/tmp/rf-no-such-file", 0, 1, &err), RF_ERR_INPUT);
    rf_pump_destroy(pump);
}

static enum rf_status add_one(void *arg, struct rf_error *err)
{
    (void)err;
    ++*(int *)arg;
    return RF_OK;
}

static void other_work_is_done_once_and_waited_for(void **unused)
{
    struct rf_pump *pump;
    int n = 0;

    (void)unused;
    assert_int_equal(make_pump(&pump, 1 << 20, 4, NULL, NULL), RF_OK);
    rf_pump_warm(pump);
    rf_pump_call(pump, add_one, &n);
    assert_int_equal(rf_pump_wait(pump, NULL), RF_OK);
    assert_int_equal(n, 1);
    rf_pump_destroy(pump);
    rf_pump_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_sent_is_in_the_file_and_comes_back, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(more_small_stretches_than_are_kept_back_are_in_the_file,
                                        make_file, remove_file),
        cmocka_unit_test_setup_teardown(values_are_brought_before_there_is_a_file, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(still_values_are_written_from_where_they_lie, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(what_is_read_goes_where_it_is_wanted, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(
            a_failure_is_told_at_the_end_and_the_pump_can_begin_anew, make_file, remove_file),
        cmocka_unit_test_setup_teardown(a_file_that_ends_too_early_is_a_wrong_input, make_file,
                                        remove_file),
        cmocka_unit_test(other_work_is_done_once_and_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
