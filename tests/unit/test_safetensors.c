/* Headers that the format forbids are refused, what it allows is read, values come out exactly. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ckpt/notes.h"
#include "ckpt/safetensors.h"

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"

static enum rf_status parse(const char *header, uint64_t data_size, struct rf_error *err)
{
    struct rf_safetensors *file;
    enum rf_status st =
        rf_safetensors_parse(&file, "x", header, strlen(header), data_size, err);

    assert_true((st == RF_OK) == (file != NULL));
    rf_safetensors_close(file);
    return st;
}

static void refused(const char *header, uint64_t data_size, const char *because)
{
    struct rf_error err = {0};

    if (parse(header, data_size, &err) != RF_ERR_INPUT || strstr(err.text, because) == NULL)
        fail_msg("%s: '%s', not '%s'", header, err.text, because);
}

static void accepted(const char *header, uint64_t data_size)
{
    struct rf_error err = {0};

    if (parse(header, data_size, &err) != RF_OK)
        fail_msg("%s: %s", header, err.text);
}

static void what_the_format_allows_is_accepted(void **state)
{
    (void)state;
    accepted("{}", 0);
    accepted("{}      ", 0);
    accepted("{" A "}", 24);
    accepted(
        "{ \"a\" : { \"shape\" : [ 2 , 3 ] ,\n\t\"data_offsets\":[0,24],\"dtype\":\"F32\"}}",
        24);
    accepted("{\"__metadata__\":{}," A "}", 24);
    accepted("{\"__metadata__\":{\"format\":\"pt\",\"\":\"\"}," A "}", 24);
    accepted("{\"scalar\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}", 8);
    accepted("{\"empty\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]}}", 0);
    accepted("{" A ",\"empty\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[24,24]}}", 24);
    accepted("{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[24,25]}," A "}", 25);
    accepted("{\"x\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}}", 2);
    accepted("{\"\\u00e9\\ud83d\\ude00\\n\\\"\":{\"dtype\":\"BOOL\",\"shape\":[1],"
             "\"data_offsets\":[0,1]}}",
             1);
    /* a large shape with a zero in it is empty, not an overflow */
    accepted("{\"e\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,9223372036854775807,0],"
             "\"data_offsets\":[0,0]}}",
             0);
}

static void another_form_is_refused(void **state)
{
    (void)state;
    refused("", 0, "begins with '{'");
    refused(" {}", 0, "begins with '{'");
    refused("[]", 0, "begins with '{'");
    refused("\xef\xbb\xbf{}", 0, "begins with '{'");
    refused("{", 0, "text is expected");
    refused("{}\n", 0, "only spaces");
    refused("{}{}", 0, "only spaces");
    refused("{" A ",}", 24, "text is expected");
    refused("{" A, 24, "'}' is expected");
    refused("{\"a\":1}", 0, "'{' is expected");
    refused("{\"a\":{}}", 0, "text is expected");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "lacks");
    refused("{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
            "unknown dtype");
    refused("{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
            "text is expected");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":1}}", 4,
            "nothing else");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4,
            "list of numbers is expected");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4,
            "has no end");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1e0],\"data_offsets\":[0,4]}}", 4,
            "has no end");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4,
            "whole number");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}", 4,
            "whole number");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,],\"data_offsets\":[0,4]}}", 4,
            "whole number");
    refused(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,4]}}", 4,
        "too large");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}",
            4, "too long");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "two numbers");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4,
            "too long");
    refused("{\"__metadata__\":{\"a\":1}}", 0, "text is expected");
    refused("{\"__metadata__\":{\"a\":null}}", 0, "text is expected");
    refused("{\"__metadata__\":\"a\"}", 0, "'{' is expected");
    refused("{\"__metadata__\":{\"a\":\"b\",}}", 0, "text is expected");
    refused("{\"a\xff\":{}}", 0, "not UTF-8");
    refused("{\"\xc0\xaf\":{}}", 0, "not UTF-8");
    refused("{\"\xed\xa0\x80\":{}}", 0, "not UTF-8");
    refused("{\"\xf4\x90\x80\x80\":{}}", 0, "not UTF-8");
    refused("{\"\xe2\x82\":{}}", 0, "not UTF-8");
    refused("{\"a\nb\":{}}", 0, "control character");
    refused("{\"\\u0000\":{}}", 0, "no character");
    refused("{\"\\ud800\":{}}", 0, "no character");
    refused("{\"\\udc00\\ud800\":{}}", 0, "no character");
    refused("{\"\\x41\":{}}", 0, "no such escape");
    refused("{\"\\u00g1\":{}}", 0, "no such escape");
    refused("{\"a", 0, "has no end");
    refused("{\"a\\", 0, "has no end");
}

static void what_is_said_twice_is_refused(void **state)
{
    (void)state;
    refused("{" A "," A "}", 24, "'a' is there twice");
    refused("{" A ",\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[24,24]}}", 24,
            "'a' is there twice");
    refused("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice");
    refused("{\"__metadata__\":{\"k\":\"1\",\"l\":\"2\",\"k\":\"1\"}}", 0,
            "'k' is there twice");
    refused(
        "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
        "same thing twice");
}

static void bytes_that_do_not_add_up_are_refused(void **state)
{
    (void)state;
    refused("{" A "}", 23, "ends outside");
    refused("{" A "}", 25, "end 1 bytes before");
    refused("{}", 1, "end 1 bytes before");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "hole");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "hole");
    refused("{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[20,24]}}", 24,
            "overlaps");
    refused("{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[24],\"data_offsets\":[0,24]}}", 24,
            "overlaps");
    refused("{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[28,32]}}", 32,
            "hole");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
            "another number of bytes");
    refused("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1,
            "another number of bytes");
    refused(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}",
        0, "another number of bytes");
    refused(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4,
        "another number of bytes");
}

/* Headers cut anywhere and with any one byte changed end in an answer. */
static void no_cut_and_no_change_is_a_crash(void **state)
{
    static const char header[] =
        "{\"__metadata__\":{\"k\":\"v\\u00e9\"}," A
        ",\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[24,28]}}  ";
    char copy[sizeof header];
    struct rf_safetensors *file;
    struct rf_error err;

    (void)state;
    for (size_t n = 0; n < sizeof header - 1; n++) {
        char *piece = malloc(n + 1); /* of its own size: reading past it is seen */

        memcpy(piece, header, n);
        rf_safetensors_parse(&file, "x", piece, n, 28, &err);
        rf_safetensors_close(file);
        free(piece);
    }
    for (size_t i = 0; i < sizeof header - 1; i++)
        for (int c = 0; c < 256; c++) {
            memcpy(copy, header, sizeof header);
            copy[i] = (char)c;
            rf_safetensors_parse(&file, "x", copy, sizeof header - 1, 28, &err);
            rf_safetensors_close(file);
        }
}

static char path[] = "/tmp/test_safetensors.XXXXXX";

static void put(const void *bytes, size_t size, const void *more, size_t more_size)
{
    FILE *out = fopen(path, "wb");

    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fwrite(more, 1, more_size, out), more_size);
    assert_int_equal(fclose(out), 0);
}

static enum rf_status open_bytes(const void *bytes, size_t size)
{
    struct rf_safetensors *file;
    struct rf_error err;
    enum rf_status st;

    put(bytes, size, "", 0);
    st = rf_safetensors_open(&file, path, &err);
    rf_safetensors_close(file);
    return st;
}

static void lengths_are_checked_before_they_are_used(void **state)
{
    (void)state;
    assert_int_equal(open_bytes("", 0), RF_ERR_INPUT);
    assert_int_equal(open_bytes("\2\0\0\0\0\0\0", 7), RF_ERR_INPUT);
    assert_int_equal(open_bytes("\2\0\0\0\0\0\0\0{", 9), RF_ERR_INPUT);
    assert_int_equal(open_bytes("\2\0\0\0\0\0\0\0{}", 10), RF_OK);
    assert_int_equal(open_bytes("\0\0\0\0\0\0\0\0", 8), RF_ERR_INPUT);
    assert_int_equal(open_bytes("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), RF_ERR_INPUT);
    assert_int_equal(open_bytes("\1\xe1\xf5\5\0\0\0\0{}", 10), RF_ERR_INPUT); /* 100000001 */
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* All 65536 values of both short types, against their definition. */
static void short_types_come_out_exactly(void **state)
{
    static uint16_t halves[65536];
    static float values[65536];
    struct rf_safetensors_tensor tensors[1];
    struct rf_safetensors *file;
    struct rf_error err;

    (void)state;
    for (int i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    for (int type = RF_SAFETENSORS_BF16; type <= RF_SAFETENSORS_F16; type++) {
        char *head;
        size_t size;

        tensors[0] = (struct rf_safetensors_tensor){
            .name = "x", .type = type, .ndims = 2, .shape = {256, 256}};
        assert_int_equal(rf_safetensors_head(tensors, 1, NULL, 0, &head, &size, &err), RF_OK);
        assert_int_equal(size % 8, 0);
        put(head, size, halves, sizeof halves);
        free(head);
        assert_int_equal(rf_safetensors_open(&file, path, &err), RF_OK);
        assert_int_equal(
            rf_safetensors_read(file, path, &file->tensors[0], 1, 65535, values + 1, &err),
            RF_OK);
        assert_int_equal(rf_safetensors_read(file, path, &file->tensors[0], 0, 1, values, &err),
                         RF_OK);
        rf_safetensors_close(file);
        for (int i = 0; i < 65536; i++) {
            int exponent = i >> 10 & 31, fraction = i & 1023;
            double sign = i & 0x8000 ? -1 : 1, wanted;

            if (type == RF_SAFETENSORS_BF16)
                wanted = (double)float_of((uint32_t)i << 16);
            else if (exponent == 31)
                wanted = fraction ? NAN : sign * INFINITY;
            else if (exponent == 0)
                wanted = sign * ldexp(fraction, -24);
            else
                wanted = sign * ldexp(1024 + fraction, exponent - 25);
            if (isnan(wanted))
                assert_true(isnan(values[i]));
            else
                assert_true((double)values[i] == wanted &&
                            !signbit(values[i]) == !(i & 0x8000));
        }
    }
}

static uint16_t packed(float value)
{
    uint16_t half;

    rf_safetensors_pack(&half, &value, 1, RF_SAFETENSORS_BF16);
    return half;
}

static void bf16_is_rounded_to_nearest_and_ties_to_even(void **state)
{
    float values[3] = {1, -2, float_of(0x7f800001)}, again[3];

    (void)state;
    assert_int_equal(packed(1.0f), 0x3f80);
    assert_int_equal(packed(float_of(0x3f808000)), 0x3f80); /* a tie, down to even */
    assert_int_equal(packed(float_of(0x3f818000)), 0x3f82); /* a tie, up to even */
    assert_int_equal(packed(float_of(0x3f808001)), 0x3f81);
    assert_int_equal(packed(float_of(0x3f807fff)), 0x3f80);
    assert_int_equal(packed(float_of(0x7f7fffff)), 0x7f80); /* over the largest: infinite */
    assert_int_equal(packed(-0.0f), 0x8000);
    assert_int_equal(packed(float_of(0x7f800001)) & 0x7fff, 0x7fc0); /* NaN stays NaN */
    rf_safetensors_pack(again, values, 3, RF_SAFETENSORS_F32);
    assert_memory_equal(again, values, sizeof values);
}

static void a_header_of_ours_is_read_back(void **state)
{
    const struct rf_safetensors_note notes[] = {{"format", "pt"}, {"a \"b\"", "\xc3\xa9\n"}};
    struct rf_safetensors_tensor tensors[] = {
        {.name = "wte", .type = RF_SAFETENSORS_F32, .ndims = 2, .shape = {3, 5}},
        {.name = "b\xc3\xa9", .type = RF_SAFETENSORS_F32, .ndims = 1, .shape = {7}}};
    struct rf_safetensors *file;
    struct rf_error err;
    uint64_t size = 0;
    size_t bytes;
    char *head;

    (void)state;
    assert_int_equal(rf_safetensors_head(tensors, 2, notes, 2, &head, &bytes, &err), RF_OK);
    for (int i = 7; i >= 0; i--)
        size = size << 8 | (unsigned char)head[i];
    assert_int_equal(size, bytes - 8);
    assert_int_equal(rf_safetensors_parse(&file, "x", head + 8, bytes - 8, 88, &err), RF_OK);
    assert_int_equal(file->ntensors, 2);
    assert_string_equal(file->tensors[0].name, "b\xc3\xa9"); /* sorted by name */
    assert_int_equal(file->tensors[0].end, 28);
    assert_int_equal(rf_safetensors_find(file, "wte")->begin, 28);
    assert_int_equal(rf_safetensors_find(file, "wte")->shape[1], 5);
    assert_null(rf_safetensors_find(file, "wt"));
    assert_string_equal(rf_safetensors_note(file, "a \"b\""), "\xc3\xa9\n");
    assert_null(rf_safetensors_note(file, "nothing"));
    rf_safetensors_close(file);
    free(head);
    /* what no reader would take is not written */
    tensors[0].name = "wte";
    tensors[1].name = "wte";
    assert_int_equal(rf_safetensors_head(tensors, 2, notes, 2, &head, &bytes, &err),
                     RF_ERR_INPUT);
    assert_null(head);
    tensors[1].name = "\xff";
    assert_int_equal(rf_safetensors_head(tensors, 2, notes, 2, &head, &bytes, &err),
                     RF_ERR_INPUT);
    tensors[1].name = "__metadata__";
    assert_int_equal(rf_safetensors_head(tensors, 2, notes, 2, &head, &bytes, &err),
                     RF_ERR_INPUT);
}

static void notes_come_back_as_they_went(void **state)
{
    struct rf_ckpt_info info, back;
    struct rf_notes notes;
    struct rf_safetensors file = {0};
    struct rf_error err;
    int own;

    (void)state;
    memset(&info, 0, sizeof info); /* compared as bytes */
    info.step = 12;
    info.tokens = INT64_MAX;
    info.seed = -5;
    memset(info.model, 'm', sizeof info.model - 1);
    strcpy(info.job, "job");
    rf_notes_of(&notes, &info, 1);
    file.notes = notes.list;
    file.nnotes = notes.n;
    assert_int_equal(rf_notes_read(&back, &own, &file, "x", &err), RF_OK);
    assert_memory_equal(&back, &info, sizeof info);
    assert_int_equal(own, 1);
    rf_notes_of(&notes, &info, 0);
    assert_int_equal(rf_notes_read(&back, &own, &file, "x", &err), RF_OK);
    assert_int_equal(own, 0);
    for (int i = 0; i < notes.n; i++)
        if (strcmp(notes.list[i].key, "ringfence.step") == 0) {
            static const char *const wrong[] = {"",   "1x", " 1",
                                                "-1", "01", "9223372036854775808"};

            for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
                notes.list[i].text = wrong[k];
                assert_int_equal(rf_notes_read(&back, &own, &file, "x", &err), RF_ERR_INPUT);
            }
        }
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
        cmocka_unit_test(what_the_format_allows_is_accepted),
        cmocka_unit_test(another_form_is_refused),
        cmocka_unit_test(what_is_said_twice_is_refused),
        cmocka_unit_test(bytes_that_do_not_add_up_are_refused),
        cmocka_unit_test(no_cut_and_no_change_is_a_crash),
        cmocka_unit_test(lengths_are_checked_before_they_are_used),
        cmocka_unit_test(short_types_come_out_exactly),
        cmocka_unit_test(bf16_is_rounded_to_nearest_and_ties_to_even),
        cmocka_unit_test(a_header_of_ours_is_read_back),
        cmocka_unit_test(notes_come_back_as_they_went),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
