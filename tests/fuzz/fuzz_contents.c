/* What a checkpoint says about its values, from somebody who can compute seals. A file without
 * an HDF5 part, which readers of ours do not look at, is changed where the input says, anywhere but
 * in the header of its user block and in the values, then sealed again. It is refused, or what it
 * says is possible: tensors inside the file, apart from each other, their digests in order.
 *
 * Input: groups of four bytes: two of place, one that is what to do, one of value. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckpt/contents.h"
#include "ckpt/envelope.h"
#include "ckpt/granule.h"
#include "ckpt/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BLOCK = 4096, NTENSORS = 3, NAMES = BLOCK, TENSOR_DIGESTS = NAMES + 3 * 96 };
enum { GRANULE_DIGESTS = TENSOR_DIGESTS + 96, CONTENT = GRANULE_DIGESTS + 96 };
enum { PLACES = CONTENT + 64, PACKED = PLACES + 48, VALUES = PACKED + 96 + 16 };
enum { FILE_BYTES = VALUES + 256 };

static unsigned char original[FILE_BYTES];
static struct rf_extent extents[NTENSORS];
static char path[64];

static void need(int holds)
{
    if (!holds)
        abort();
}

/* Three tensors, of one and two dimensions, fp32 and bf16, the last packed; an input can turn
 * the flags into references. */
static void make_original(void)
{
    static const struct rf_index_tensor tensors[NTENSORS] = {
        {1, RF_STORED_F32, {5, 1}, VALUES, -1, 0},
        {2, RF_STORED_BF16, {3, 4}, VALUES + 32, -1, 0},
        {2, RF_STORED_F32, {2, 7}, 0, -1, 1}};
    struct rf_manifest_tensor entries[NTENSORS];
    struct rf_index index = {.format_version = 1,
                             .ntensors = NTENSORS,
                             .ngranules = NTENSORS,
                             .names = NAMES,
                             .tensor_digests = TENSOR_DIGESTS,
                             .granule_digests = GRANULE_DIGESTS,
                             .content = CONTENT,
                             .places = PLACES,
                             .packed_digests = PACKED};
    struct rf_piece_room room = {0};
    struct rf_digest content;
    size_t packed_bytes;
    struct rf_error err;

    memset(entries, 0, sizeof entries);
    index.info.ranks = 1;
    index.info.step = 7;
    strcpy(index.info.model, "gpt2 layers=1");
    index.tensors = calloc(NTENSORS, sizeof *index.tensors);
    need(index.tensors != NULL);
    memcpy(index.tensors, tensors, sizeof tensors);
    rf_index_write(original + rf_envelope_rest(NTENSORS), &index);
    for (int i = 0; i < NTENSORS; i++) {
        struct rf_digest granule;

        extents[i] = (struct rf_extent){tensors[i].offset, rf_index_size(&tensors[i])};
        granule = rf_digest_of(original + VALUES, (size_t)extents[i].size); /* all zeros */
        snprintf(entries[i].name, sizeof entries[i].name, "tensor-%d", i);
        entries[i].ndims = tensors[i].ndims;
        memcpy(entries[i].shape, tensors[i].shape, sizeof entries[i].shape);
        entries[i].stored = tensors[i].stored;
        entries[i].digest = rf_granule_join(&granule, 1);
        memcpy(original + NAMES + i * 96, entries[i].name, 96);
        memcpy(original + TENSOR_DIGESTS + i * 32, entries[i].digest.bytes, 32);
        memcpy(original + GRANULE_DIGESTS + i * 32, granule.bytes, 32);
    }
    need(rf_piece_pack(&room, original + VALUES, 14, RF_STORED_F32, 56, &packed_bytes, &err) ==
         RF_OK);
    need(packed_bytes < 56);
    extents[2] = (struct rf_extent){VALUES + 64, packed_bytes};
    memcpy(original + VALUES + 64, room.packed, packed_bytes);
    original[PLACES + 32] = (unsigned char)((VALUES + 64) & 255);
    original[PLACES + 33] = (unsigned char)((VALUES + 64) >> 8);
    original[PLACES + 40] = (unsigned char)packed_bytes;
    content = rf_digest_of(room.packed, packed_bytes);
    memcpy(original + PACKED + 64, content.bytes, 32);
    rf_piece_room_clear(&room);
    need(rf_manifest_content(entries, NTENSORS, &content, &err) == RF_OK);
    memcpy(original + CONTENT, content.bytes, 32);
    rf_index_clear(&index);
}

/* Sets, adds to, or fills eight bytes, so that whole numbers change at once. */
static void change(unsigned char *bytes, size_t at, int what, unsigned char value)
{
    if (at < rf_envelope_rest(NTENSORS) || at >= VALUES)
        return;
    if (what % 4 == 0)
        bytes[at] = value;
    else if (what % 4 == 1)
        bytes[at] = (unsigned char)(bytes[at] + value);
    else if (at + 8 < VALUES)
        memset(bytes + at, what % 4 == 2 ? value : 255, 8);
}

static void check(const struct rf_ckpt_contents *contents)
{
    const struct rf_manifest *m = contents->manifest;
    int64_t granules = 0;

    need(m->file_bytes == FILE_BYTES && m->ntensors >= 1);
    for (int i = 0; i < m->ntensors; i++) {
        const struct rf_manifest_tensor *t = &m->tensors[i];
        uint64_t size = (uint64_t)(t->shape[0] * t->shape[1]) * rf_stored_bytes(t->stored);

        need(t->shape[0] > 0 && t->shape[1] > 0 && strlen(t->name) < RF_TENSOR_NAME);
        if (t->base < 0 && !t->packed)
            need(contents->offsets[i] >= BLOCK && contents->offsets[i] + size <= FILE_BYTES);
        need(t->base < m->info.step && (!t->packed || contents->pieces != NULL));
        granules += rf_granule_count(t->shape);
    }
    need(granules == contents->ngranules);
}

/* Unpacking what is said to be packed gives the values, or is refused. */
static void read_packed(const struct rf_ckpt_contents *contents)
{
    const struct rf_manifest *m = contents->manifest;
    struct rf_piece_room room = {0};
    int fd = open(path, O_RDONLY);
    int64_t granule = 0;

    need(fd >= 0);
    for (int i = 0; i < m->ntensors; i++) {
        const struct rf_manifest_tensor *t = &m->tensors[i];
        size_t bytes = rf_piece_bytes(t->shape, t->stored);

        if (t->packed && bytes < 1 << 20) {
            unsigned char *values = malloc(bytes);
            struct rf_error err;
            enum rf_status st =
                rf_piece_read(&room, fd, path, &contents->pieces[granule], t->stored, bytes,
                              values, bytes / rf_stored_bytes(t->stored), &err);

            need(values != NULL && (st == RF_OK || st == RF_NO || st == RF_ERR_INPUT));
            free(values);
        }
        granule += rf_granule_count(t->shape);
    }
    rf_piece_room_clear(&room);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char bytes[FILE_BYTES];
    struct rf_ckpt_contents contents;
    struct rf_error err = {RF_OK, ""};
    enum rf_status st;
    FILE *out;

    if (path[0] == '\0') {
        /* sealing syncs, which costs nothing in memory */
        snprintf(path, sizeof path, "%s/fuzz_contents.%ld",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
        make_original();
    }
    memcpy(bytes, original, sizeof bytes);
    for (size_t i = 0; i + 4 <= size; i += 4)
        change(bytes, (data[i] | (size_t)data[i + 1] << 8) % FILE_BYTES, data[i + 2],
               data[i + 3]);
    out = fopen(path, "wb");
    need(out != NULL && fwrite(bytes, 1, sizeof bytes, out) == sizeof bytes &&
         fclose(out) == 0);
    need(rf_envelope_seal(path, BLOCK, extents, NTENSORS, &err) == RF_OK);
    st = rf_ckpt_contents_read(&contents, path, &err);
    need(st == RF_OK || ((st == RF_NO || st == RF_ERR_INPUT) && err.text[0] != '\0'));
    need(size >= 4 || st == RF_OK);
    if (st == RF_OK) {
        check(&contents);
        st = rf_ckpt_contents_resolve(&contents, path, &err);
        need(st == RF_OK || ((st == RF_NO || st == RF_ERR_INPUT) && err.text[0] != '\0'));
        read_packed(&contents);
    }
    rf_ckpt_contents_clear(&contents);
    remove(path);
    return 0;
}
