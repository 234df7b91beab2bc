/* A checkpoint with a seal that fits but numbers that cannot be is refused, each for its reason. The
 * file has no HDF5 part: readers of ours do without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ckpt/contents.h"
#include "ckpt/envelope.h"
#include "ckpt/granule.h"
#include "ckpt/index.h"

enum { BLOCK = 4096, N = 3, NAMES = BLOCK, DIGESTS = NAMES + N * 96 };
enum { GRANULES = DIGESTS + N * 32, CONTENT = GRANULES + N * 32, VALUES = CONTENT + 64 };
enum { PLACES = VALUES + 128, PACKED = PLACES + N * 16, FILE_BYTES = PACKED + N * 32 + 64 };

static char path[] = "/tmp/test_contents.XXXXXX";

/* What a file says; sound as make_spec() leaves it. */
struct spec {
    struct rf_index index;
    struct rf_index_tensor tensors[N];
    char names[N][RF_TENSOR_NAME];
    struct rf_extent extents[N];
    int nextents;
    struct rf_piece pieces[N]; /* written where the index says */
    int without_index;
    size_t poke_at; /* a byte of the index that is set to poke, when not 0 */
    unsigned char poke;
};

static struct spec make_spec(void)
{
    struct spec spec = {.index = {.format_version = 1,
                                  .ntensors = N,
                                  .ngranules = N,
                                  .names = NAMES,
                                  .tensor_digests = DIGESTS,
                                  .granule_digests = GRANULES,
                                  .content = CONTENT},
                        .tensors = {{1, RF_STORED_F32, {5, 1}, VALUES, -1, 0},
                                    {2, RF_STORED_BF16, {3, 4}, VALUES + 32, -1, 0},
                                    {2, RF_STORED_F32, {2, 7}, VALUES + 64, -1, 0}},
                        .names = {"a", "m/b", "c"},
                        .nextents = N};

    spec.index.info.ranks = 1;
    spec.index.info.step = 7;
    strcpy(spec.index.info.model, "gpt2 layers=1");
    for (int i = 0; i < N; i++)
        spec.extents[i] =
            (struct rf_extent){spec.tensors[i].offset, rf_index_size(&spec.tensors[i])};
    return spec;
}

/* The file that a spec describes, digests and seal right for the tensors it should have. */
static void write_file(const struct spec *spec)
{
    static unsigned char bytes[FILE_BYTES];
    struct spec sound = make_spec();
    struct rf_manifest_tensor entries[N];
    struct rf_extent extents[N];
    struct rf_index index = spec->index;
    struct rf_digest content;
    struct rf_error err;
    FILE *out;

    memset(bytes, 0, sizeof bytes);
    memset(entries, 0, sizeof entries);
    for (int i = 0; i < N; i++) {
        struct rf_digest granule =
            rf_digest_of(bytes + sound.extents[i].offset, (size_t)sound.extents[i].size);

        memcpy(entries[i].name, spec->names[i], RF_TENSOR_NAME);
        entries[i].ndims = sound.tensors[i].ndims;
        memcpy(entries[i].shape, sound.tensors[i].shape, sizeof entries[i].shape);
        entries[i].stored = sound.tensors[i].stored;
        entries[i].digest = rf_granule_join(&granule, 1);
        memcpy(bytes + NAMES + i * RF_TENSOR_NAME, entries[i].name, RF_TENSOR_NAME);
        memcpy(bytes + DIGESTS + i * 32, entries[i].digest.bytes, 32);
        memcpy(bytes + GRANULES + i * 32, granule.bytes, 32);
        entries[i].name[RF_TENSOR_NAME - 1] = '\0';
    }
    assert_int_equal(rf_manifest_content(entries, N, &content, &err), RF_OK);
    memcpy(bytes + CONTENT, content.bytes, 32);
    for (int i = 0; i < N && index.places == PLACES; i++) {
        for (int b = 0; b < 8; b++) {
            bytes[PLACES + i * 16 + b] = (unsigned char)(spec->pieces[i].offset >> (8 * b));
            bytes[PLACES + i * 16 + 8 + b] = (unsigned char)(spec->pieces[i].size >> (8 * b));
        }
        memcpy(bytes + PACKED + i * 32, spec->pieces[i].digest.bytes, 32);
    }
    index.tensors = (struct rf_index_tensor *)spec->tensors;
    if (!spec->without_index) {
        unsigned char *at = bytes + rf_envelope_rest(spec->nextents);

        rf_index_write(at, &index);
        if (spec->poke_at != 0)
            at[spec->poke_at] = spec->poke;
    }
    out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, out), sizeof bytes);
    assert_int_equal(fclose(out), 0);
    memcpy(extents, spec->extents, sizeof extents);
    assert_int_equal(rf_envelope_seal(path, BLOCK, extents, spec->nextents, &err), RF_OK);
}

static void expect(const struct spec *spec, enum rf_status wanted, const char *because)
{
    struct rf_ckpt_contents contents;
    struct rf_error err = {0};
    enum rf_status st;

    write_file(spec);
    st = rf_ckpt_contents_read(&contents, path, &err);
    if (st != wanted || strstr(err.text, because) == NULL)
        fail_msg("status %d, '%s'; not '%s'", (int)st, err.text, because);
    assert_true((st == RF_OK) == (contents.manifest != NULL));
    rf_ckpt_contents_clear(&contents);
}

static void refused(const struct spec *spec, const char *because)
{
    expect(spec, RF_ERR_INPUT, because);
}

static void a_sound_file_says_what_it_is(void **state)
{
    struct spec spec = make_spec();
    struct rf_ckpt_contents contents;
    struct rf_error err;

    (void)state;
    write_file(&spec);
    assert_int_equal(rf_ckpt_contents_read(&contents, path, &err), RF_OK);
    assert_int_equal(contents.manifest->ntensors, N);
    assert_int_equal(contents.manifest->format_version, 1);
    assert_int_equal(contents.manifest->info.step, 7);
    assert_string_equal(contents.manifest->info.model, "gpt2 layers=1");
    assert_string_equal(contents.manifest->tensors[1].name, "m/b");
    assert_int_equal(contents.manifest->tensors[1].stored, RF_STORED_BF16);
    assert_int_equal(contents.manifest->tensors[2].shape[1], 7);
    assert_int_equal(contents.offsets[2], VALUES + 64);
    assert_int_equal(contents.manifest->file_bytes, FILE_BYTES);
    rf_ckpt_contents_clear(&contents);
}

static void an_index_of_another_form_is_refused(void **state)
{
    struct spec spec = make_spec();

    (void)state;
    spec.without_index = 1;
    refused(&spec, "has no index");
    spec = make_spec();
    spec.index.format_version = 3;
    refused(&spec, "of version 3");
    spec.index.format_version = 0;
    refused(&spec, "of version 0");
    spec = make_spec();
    spec.index.ntensors = spec.index.ngranules = 2; /* the extents say 3 */
    refused(&spec, "not where its extents are");
    spec = make_spec();
    spec.poke_at = 1; /* another length */
    spec.poke = 99;
    refused(&spec, "impossible index");
    spec = make_spec();
    spec.poke_at = 591; /* 2^56 tensors and more */
    spec.poke = 1;
    refused(&spec, "impossible index");
    spec = make_spec();
    spec.index.info.ranks = 0;
    refused(&spec, "impossible index");
    spec = make_spec();
    spec.index.info.step = -1;
    refused(&spec, "impossible index");
    spec = make_spec();
    memset(spec.index.info.job, 'x', sizeof spec.index.info.job - 1);
    spec.poke_at = 135; /* its end */
    spec.poke = 'x';
    refused(&spec, "impossible index");
}

static void shapes_that_cannot_be_are_refused(void **state)
{
    static const struct {
        int ndims;
        int64_t rows, columns;
    } wrong[] = {
        {0, 5, 1}, {3, 5, 1},  {1, 5, 2},         {1, 0, 1},
        {2, 5, 0}, {1, -5, 1}, {2, INT64_MAX, 2}, {2, INT64_C(1) << 32, INT64_C(1) << 32}};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct spec spec = make_spec();

        spec.tensors[0].ndims = wrong[i].ndims;
        spec.tensors[0].shape[0] = wrong[i].rows;
        spec.tensors[0].shape[1] = wrong[i].columns;
        refused(&spec, "impossible index");
    }
}

static void places_that_cannot_be_are_refused(void **state)
{
    uint64_t *tables[4];
    struct spec spec = make_spec();

    (void)state;
    spec.tensors[0].shape[0] = 6; /* larger than its extent */
    refused(&spec, "not where its extents are");
    spec = make_spec();
    spec.tensors[0].offset += 4;
    refused(&spec, "not where its extents are");
    spec = make_spec();
    spec.tensors[0] = spec.tensors[2]; /* two in one place */
    refused(&spec, "not where its extents are");
    spec = make_spec();
    spec.tensors[1].offset = UINT64_MAX - 3;
    refused(&spec, "not where its extents are");
    spec = make_spec();
    spec.index.ngranules = 4;
    refused(&spec, "4 digests for another number of granules");
    spec.index.ngranules = 0;
    refused(&spec, "0 digests for another number of granules");
    for (int i = 0; i < 4; i++) {
        const uint64_t wrong[] = {0,          64,           BLOCK - 1,      VALUES,
                                  VALUES - 1, VALUES + 100, FILE_BYTES - 1, UINT64_MAX};

        for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
            spec = make_spec();
            tables[0] = &spec.index.names;
            tables[1] = &spec.index.tensor_digests;
            tables[2] = &spec.index.granule_digests;
            tables[3] = &spec.index.content;
            *tables[i] = wrong[k];
            refused(&spec, "table in an impossible place");
        }
    }
}

static void names_must_be_there_and_differ(void **state)
{
    struct spec spec = make_spec();

    (void)state;
    memcpy(spec.names[2], "a", 2);
    refused(&spec, "the tensor 'a' twice");
    spec.names[2][0] = '\0';
    refused(&spec, "without a name");
    memset(spec.names[2], 'x', RF_TENSOR_NAME); /* no end */
    refused(&spec, "without a name");
}

/* Tensor 1 lies in the file of step 3. */
static struct spec make_reference(void)
{
    struct spec spec = make_spec();

    spec.tensors[1].base = 3;
    spec.tensors[1].offset = 0;
    spec.extents[1] = spec.extents[2];
    spec.nextents = 2;
    return spec;
}

static void a_reference_leads_to_an_earlier_step(void **state)
{
    struct spec spec = make_reference();
    struct rf_ckpt_contents contents;
    struct rf_error err;

    (void)state;
    write_file(&spec);
    assert_int_equal(rf_ckpt_contents_read(&contents, path, &err), RF_OK);
    assert_int_equal(contents.manifest->tensors[0].base, -1);
    assert_int_equal(contents.manifest->tensors[1].base, 3);
    assert_int_equal(rf_ckpt_contents_resolve(&contents, path, &err), RF_NO);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "tensor 'm/b' in another file: cannot open "
                                     "'/tmp/step-00000003.h5'"));
    rf_ckpt_contents_clear(&contents);
    spec.tensors[1].base = 7; /* its own */
    refused(&spec, "impossible index");
    spec.tensors[1].base = 8;
    refused(&spec, "impossible index");
    spec.tensors[1].base = -2;
    refused(&spec, "impossible index");
    spec = make_reference();
    spec.tensors[1].offset = VALUES + 32;
    refused(&spec, "impossible index");
    spec = make_reference();
    spec.tensors[1].packed = 1;
    refused(&spec, "impossible index");
    spec = make_reference();
    spec.nextents = 3; /* its values are here all the same */
    spec.extents[1] = (struct rf_extent){VALUES + 32, 24};
    spec.extents[2] = (struct rf_extent){VALUES + 64, 56};
    refused(&spec, "not where its extents are");
}

/* Tensor 0, of 20 bytes, lies packed in 17. */
static struct spec make_packed(void)
{
    struct spec spec = make_spec();

    spec.index.places = PLACES;
    spec.index.packed_digests = PACKED;
    spec.tensors[0].packed = 1;
    spec.tensors[0].offset = 0;
    spec.pieces[0] = (struct rf_piece){.offset = VALUES + 8, .size = 17};
    spec.extents[0] = (struct rf_extent){VALUES + 8, 17};
    return spec;
}

static void a_packed_granule_lies_where_an_extent_is(void **state)
{
    static const uint64_t sizes[] = {0, 16, 18, 4000, UINT64_MAX};
    struct spec spec = make_packed();
    struct rf_ckpt_contents contents;
    struct rf_error err;

    (void)state;
    write_file(&spec);
    assert_int_equal(rf_ckpt_contents_read(&contents, path, &err), RF_OK);
    assert_int_equal(contents.manifest->tensors[0].packed, 1);
    assert_int_equal(contents.pieces[0].offset, VALUES + 8);
    assert_int_equal(contents.pieces[0].size, 17);
    rf_ckpt_contents_clear(&contents);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        spec = make_packed();
        spec.pieces[0].size = sizes[i];
        refused(&spec, "not where its extents are");
    }
    spec = make_packed();
    spec.pieces[0].offset++;
    refused(&spec, "not where its extents are");
    spec = make_packed();
    spec.pieces[1].size = 1; /* of a tensor that is not packed */
    refused(&spec, "not where its extents are");
    spec = make_packed();
    spec.tensors[0].offset = VALUES;
    refused(&spec, "impossible index");
    spec = make_packed();
    spec.index.places = VALUES;
    refused(&spec, "table in an impossible place");
    spec = make_packed();
    spec.index.packed_digests = 0;
    refused(&spec, "table in an impossible place");
    spec = make_spec(); /* nothing is packed */
    spec.index.places = PLACES;
    refused(&spec, "table in an impossible place");
    spec = make_packed();
    spec.tensors[0].shape[0] = 200000; /* more than 17 bytes can become */
    refused(&spec, "not where its extents are");
}

static void tables_in_the_wrong_place_do_not_fit_their_digests(void **state)
{
    struct spec spec = make_spec();

    (void)state;
    spec.index.tensor_digests = GRANULES;
    expect(&spec, RF_NO, "the digests of 'a' disagree");
    spec = make_spec();
    spec.index.content = DIGESTS;
    expect(&spec, RF_NO, "content digest does not fit");
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_file_says_what_it_is),
        cmocka_unit_test(an_index_of_another_form_is_refused),
        cmocka_unit_test(shapes_that_cannot_be_are_refused),
        cmocka_unit_test(places_that_cannot_be_are_refused),
        cmocka_unit_test(a_reference_leads_to_an_earlier_step),
        cmocka_unit_test(a_packed_granule_lies_where_an_extent_is),
        cmocka_unit_test(names_must_be_there_and_differ),
        cmocka_unit_test(tables_in_the_wrong_place_do_not_fit_their_digests),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
