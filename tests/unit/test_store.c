/* Which checkpoints of a directory are complete, newest, or may go; and the envelope. */
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
#include "ckpt/envelope.h"
#include "ckpt/granule.h"
#include "ckpt/store.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/rf-store-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    char command[96];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* A sealed file with two extents; size bytes in all. */
static void sealed(const char *path, size_t size)
{
    struct rf_extent extents[2] = {{9000, 500}, {5000, 1000}};
    unsigned char *data = malloc(size);

    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)rf_rng_bits(1, 2, i);
    assert_int_equal(rf_file_write(path, data, size, NULL), RF_OK);
    free(data);
    assert_int_equal(rf_envelope_seal(path, 4096, extents, 2, NULL), RF_OK);
}

static void put(int64_t step, int whole)
{
    char path[RF_PATH_BYTES];

    assert_int_equal(rf_store_path(path, dir, step, NULL), RF_OK);
    if (whole)
        sealed(path, 10000);
    else
        assert_int_equal(rf_file_write(path, "short", 5, NULL), RF_OK);
}

static void a_directory_that_is_not_there_has_no_checkpoints(void **state)
{
    struct rf_store_entry *entries;
    char path[RF_PATH_BYTES];
    int64_t step;
    int n, found;

    (void)state;
    assert_int_equal(rf_store_list("/tmp/rf-no-such-place", &entries, &n, NULL), RF_OK);
    assert_int_equal(n, 0);
    assert_null(entries);
    assert_int_equal(rf_store_newest("/tmp/rf-no-such-place", path, &step, &found, NULL),
                     RF_OK);
    assert_int_equal(found, 0);
    assert_int_equal(
        rf_store_prune("/tmp/rf-no-such-place", &(struct rf_store_keep){.last = 1}, -1, NULL),
        RF_OK);
}

static void steps_are_listed_in_order_and_other_names_ignored(void **state)
{
    static const char *const others[] = {"step-12.h5",       "step-00000012.h5.bak",
                                         "step--0000001.h5", "step-000000012.h5",
                                         "step-00000012",    "notes.txt"};
    struct rf_store_entry *entries;
    char path[RF_PATH_BYTES];
    int n;

    (void)state;
    put(200, 1);
    put(9, 1);
    put(INT64_C(123456789012), 1);
    put(40, 0);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(rf_file_join(path, dir, others[i], NULL), RF_OK);
        assert_int_equal(rf_file_write(path, "x", 1, NULL), RF_OK);
    }
    assert_int_equal(rf_store_list(dir, &entries, &n, NULL), RF_OK);
    assert_int_equal(n, 4);
    assert_int_equal(entries[0].step, 9);
    assert_int_equal(entries[1].step, 40);
    assert_int_equal(entries[2].step, 200);
    assert_int_equal(entries[3].step, INT64_C(123456789012));
    assert_int_equal(entries[0].complete, 1);
    assert_int_equal(entries[1].complete, 0);
    assert_int_equal(entries[0].size_bytes, 10000);
    free(entries);
}

static void the_newest_is_the_last_complete_one(void **state)
{
    char path[RF_PATH_BYTES], wanted[RF_PATH_BYTES];
    int64_t step;
    int found;

    (void)state;
    put(3, 1);
    put(7, 1);
    put(8, 0);
    assert_int_equal(rf_store_newest(dir, path, &step, &found, NULL), RF_OK);
    assert_int_equal(found, 1);
    assert_int_equal(step, 7);
    assert_int_equal(rf_store_path(wanted, dir, 7, NULL), RF_OK);
    assert_string_equal(path, wanted);
}

static void pruning_spares_the_newest_complete_ones_and_the_one_just_written(void **state)
{
    struct rf_store_entry *entries;
    char temp[RF_PATH_BYTES];
    int n;

    (void)state;
    for (int64_t step = 1; step <= 6; step++)
        put(step, step != 5);
    assert_int_equal(rf_store_temp_path(temp, dir, 99, NULL), RF_OK);
    assert_int_equal(rf_file_write(temp, "half", 4, NULL), RF_OK);
    assert_int_equal(rf_store_prune(dir, &(struct rf_store_keep){.last = 0}, -1, NULL), RF_OK);
    assert_false(rf_file_exists(temp));
    assert_int_equal(rf_store_list(dir, &entries, &n, NULL), RF_OK);
    assert_int_equal(n, 6); /* keep = 0: all stay */
    free(entries);
    assert_int_equal(rf_store_prune(dir, &(struct rf_store_keep){.last = 2}, 2, NULL), RF_OK);
    assert_int_equal(rf_store_list(dir, &entries, &n, NULL), RF_OK);
    assert_int_equal(n, 4); /* 6 and 4, the broken 5 between them, and 2 */
    assert_int_equal(entries[0].step, 2);
    assert_int_equal(entries[1].step, 4);
    free(entries);
}

static void every_nth_step_stays_and_the_newest_complete_one_always(void **state)
{
    struct rf_store_entry *entries;
    int n, may_go[16];

    (void)state;
    for (int64_t step = 10; step <= 100; step += 10)
        put(step, step < 90); /* 90 and 100 are broken */
    assert_int_equal(rf_store_list(dir, &entries, &n, NULL), RF_OK);
    assert_int_equal(n, 10);
    rf_store_choose(entries, n, &(struct rf_store_keep){.last = 1, .every = 30}, 20, may_go);
    for (int i = 0; i < n; i++) {
        int64_t step = entries[i].step;

        assert_int_equal(may_go[i], step == 10 || step == 40 || step == 50 || step == 70);
    }
    rf_store_choose(entries, n, &(struct rf_store_keep){.last = 0, .every = 30}, -1, may_go);
    for (int i = 0; i < n; i++)
        assert_int_equal(may_go[i], 0);
    free(entries);
}

static void latest_leads_to_one_file_or_the_other(void **state)
{
    char path[RF_PATH_BYTES], name[64];
    ssize_t length;

    (void)state;
    put(3, 1);
    put(7, 1);
    assert_int_equal(rf_store_set_latest(dir, 3, NULL), RF_OK);
    assert_int_equal(rf_store_set_latest(dir, 7, NULL), RF_OK);
    assert_int_equal(rf_file_join(path, dir, "latest", NULL), RF_OK);
    length = readlink(path, name, sizeof name - 1);
    assert_true(length > 0);
    name[length] = '\0';
    assert_string_equal(name, "step-00000007.h5");
    assert_int_equal(rf_store_set_latest("/tmp/rf-no-such-place", 7, NULL), RF_ERR_IO);
}

static void older_ones_are_found_below_a_step(void **state)
{
    char path[RF_PATH_BYTES];
    int64_t step = -1;
    int found;

    (void)state;
    put(3, 1);
    put(5, 0);
    put(7, 1);
    assert_int_equal(rf_store_newest_below(dir, 7, path, &step, &found, NULL), RF_OK);
    assert_true(found && step == 3);
    assert_int_equal(rf_store_newest_below(dir, 3, path, &step, &found, NULL), RF_OK);
    assert_false(found);
}

static void a_seal_covers_every_byte_outside_the_extents(void **state)
{
    char path[RF_PATH_BYTES], *data;
    size_t size;
    int64_t length;

    (void)state;
    assert_int_equal(rf_file_join(path, dir, "sealed", NULL), RF_OK);
    sealed(path, 10000);
    assert_int_equal(rf_envelope_check(path, 0, &length, NULL), RF_OK);
    assert_int_equal(length, 10000);
    assert_int_equal(rf_file_read(path, 1 << 20, &data, &size, NULL), RF_OK);
    for (size_t at = 0; at < size; at += at < 128 || at > 9990 ? 1 : 53) {
        int inside = (at >= 5000 && at < 6000) || (at >= 9000 && at < 9500);
        FILE *file;

        data[at] = (char)(data[at] ^ 0x10);
        file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
        data[at] = (char)(data[at] ^ 0x10);
        assert_int_equal(rf_envelope_check(path, 0, &length, NULL), inside   ? RF_OK
                                                                    : at < 8 ? RF_ERR_INPUT
                                                                             : RF_NO);
    }
    free(data);
}

static void what_is_no_checkpoint_is_said_to_be_none(void **state)
{
    char path[RF_PATH_BYTES];
    int64_t length;
    struct rf_error err = {0};

    (void)state;
    assert_int_equal(rf_envelope_check("/tmp/rf-no-such-file", 0, &length, &err), RF_ERR_INPUT);
    assert_int_equal(rf_envelope_check("/tmp", 0, &length, &err), RF_ERR_INPUT);
    assert_int_equal(rf_file_join(path, dir, "short", NULL), RF_OK);
    assert_int_equal(rf_file_write(path, "RFCKPT1\n", 8, NULL), RF_OK);
    assert_int_equal(rf_envelope_check(path, 0, &length, &err), RF_ERR_INPUT);
    assert_non_null(strstr(err.text, "is not a ringfence checkpoint"));
}

static void granules_cover_a_tensor_once(void **state)
{
    static const int64_t shapes[][2] = {{1, 1},      {262144, 1},  {262145, 1}, {2901, 64},
                                        {1111, 601}, {3, 1000000}, {4096, 64},  {1, 262145}};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        int64_t rows = rf_granule_rows(shapes[i]), n = rf_granule_count(shapes[i]);

        assert_true(rows >= 1 && n >= 1);
        assert_true((n - 1) * rows < shapes[i][0] && n * rows >= shapes[i][0]);
        assert_true(rows == 1 || rows * shapes[i][1] <= 262144);
    }
}

static void the_content_digest_is_that_of_sorted_lines(void **state)
{
    struct rf_manifest_tensor tensors[2] = {{.name = "wte.weight", .ndims = 2, .shape = {4, 2}},
                                            {.name = "m/x", .ndims = 1, .shape = {3, 1}}};
    char hex[2][RF_DIGEST_HEX], lines[400];
    struct rf_digest content, wanted, swapped;
    struct rf_manifest_tensor other[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        tensors[i].digest = rf_digest_of(tensors[i].name, 3);
        rf_digest_to_hex(&tensors[i].digest, hex[i]);
        other[1 - i] = tensors[i];
    }
    snprintf(lines, sizeof lines, "m/x 3 %s\nwte.weight 4x2 %s\n", hex[1], hex[0]);
    wanted = rf_digest_of(lines, strlen(lines));
    assert_int_equal(rf_manifest_content(tensors, 2, &content, NULL), RF_OK);
    assert_int_equal(rf_manifest_content(other, 2, &swapped, NULL), RF_OK);
    assert_true(rf_digest_equal(&content, &wanted));
    assert_true(rf_digest_equal(&content, &swapped));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_that_is_not_there_has_no_checkpoints),
        cmocka_unit_test_setup_teardown(steps_are_listed_in_order_and_other_names_ignored,
                                        make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(the_newest_is_the_last_complete_one, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(
            pruning_spares_the_newest_complete_ones_and_the_one_just_written, make_dir,
            remove_dir),
        cmocka_unit_test_setup_teardown(every_nth_step_stays_and_the_newest_complete_one_always,
                                        make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(latest_leads_to_one_file_or_the_other, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(older_ones_are_found_below_a_step, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(a_seal_covers_every_byte_outside_the_extents, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(what_is_no_checkpoint_is_said_to_be_none, make_dir,
                                        remove_dir),
        cmocka_unit_test(granules_cover_a_tensor_once),
        cmocka_unit_test(the_content_digest_is_that_of_sorted_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
