/* The user block of checkpoint files. The first byte chooses: arbitrary bytes as a whole file;
 * arbitrary numbers and extents behind a right beginning; or a file with extents of ours that
 * is sealed, then changed in one byte. A check accepts or refuses with a message, and finds
 * every change outside the extents. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckpt/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BLOCK = 4096, HEAD = 64, BODY_MAX = 2048 };

static void need(int holds)
{
    if (!holds)
        abort();
}

static void put(const char *path, const void *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");

    need(out != NULL && fwrite(bytes, 1, size, out) == size && fclose(out) == 0);
}

static enum rf_status check(const char *path, int quick)
{
    struct rf_error err = {RF_OK, ""};
    int64_t bytes = -1;
    enum rf_status st = rf_envelope_check(path, quick, &bytes, &err);

    need(st == RF_OK || ((st == RF_NO || st == RF_ERR_INPUT) && err.text[0] != '\0'));
    need(bytes >= 0);
    return st;
}

/* Magic, a block of 4096 bytes and the right length; count, seal and extents are the input's.
 */
static void check_numbers(const char *path, const uint8_t *data, size_t size)
{
    static uint8_t file[BLOCK + BODY_MAX];
    size_t used = size < BLOCK - 24 ? size : BLOCK - 24, total = BLOCK + size % BODY_MAX;

    memset(file, 0, sizeof file);
    memcpy(file, "RFCKPT1\n", 8);
    file[9] = BLOCK >> 8;
    file[16] = (uint8_t)(total & 255);
    file[17] = (uint8_t)(total >> 8);
    memcpy(file + 24, data, used);
    put(path, file, total);
    check(path, 1);
    check(path, 0);
}

/* A body; extents from pairs of bytes, gap and length; then one byte is changed. */
static void check_change(const char *path, const uint8_t *data, size_t size)
{
    static uint8_t file[BLOCK + BODY_MAX];
    struct rf_extent extents[8];
    struct rf_error err;
    size_t body = size < BODY_MAX ? size : BODY_MAX, at, covered = 0;
    uint64_t next = BLOCK;
    int64_t n = 0;
    FILE *out;

    memset(file, 0, sizeof file);
    memcpy(file + BLOCK, data, body);
    for (size_t i = 2; i + 1 < body && n < 8; i += 2) {
        struct rf_extent extent = {next + data[i] % 32, 1 + data[i + 1] % 64u};

        if (extent.offset + extent.size > BLOCK + body)
            break;
        extents[n++] = extent;
        next = extent.offset + extent.size;
    }
    put(path, file, BLOCK + body);
    need(rf_envelope_seal(path, BLOCK, extents, n, &err) == RF_OK);
    need(check(path, 1) == RF_OK && check(path, 0) == RF_OK);
    at = (data[0] | (size_t)data[1] << 8) % (BLOCK + body);
    for (int64_t i = 0; i < n; i++)
        covered |= at >= extents[i].offset && at < extents[i].offset + extents[i].size;
    out = fopen(path, "r+b");
    need(out != NULL && fseek(out, (long)at, SEEK_SET) == 0);
    {
        int byte = fgetc(out);

        need(byte != EOF && fseek(out, (long)at, SEEK_SET) == 0);
        need(fputc(byte ^ (1 << size % 8), out) != EOF && fclose(out) == 0);
    }
    need((check(path, 0) == RF_OK) == (covered != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];

    if (size < 3)
        return 0;
    snprintf(path, sizeof path, "/tmp/fuzz_envelope.%ld", (long)getpid());
    if (data[0] % 3 == 0) {
        put(path, data + 1, size - 1);
        check(path, 0);
    } else if (data[0] % 3 == 1) {
        check_numbers(path, data + 1, size - 1);
    } else {
        check_change(path, data + 1, size - 1);
    }
    remove(path);
    return 0;
}
