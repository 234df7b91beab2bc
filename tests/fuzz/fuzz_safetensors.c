/* Safetensors headers. The first byte chooses: any bytes as a whole file; or, behind two bytes that
 * say how many bytes of data there are, any header. What is accepted has tensors that fill the
 * data exactly, without names that are there twice, and a header made from it says the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckpt/names.h"
#include "ckpt/notes.h"
#include "ckpt/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
    if (!holds)
        abort();
}

/* A header from the same tensors puts them in order of names, so ask for the same by name. */
static void check_again(const struct rf_safetensors *file)
{
    size_t n = (size_t)file->ntensors + 1, bytes;
    struct rf_safetensors_tensor *copy = calloc(n, sizeof *copy);
    struct rf_safetensors *again;
    struct rf_error err;
    char *head;

    need(copy != NULL);
    memcpy(copy, file->tensors, (size_t)file->ntensors * sizeof *copy);
    for (int i = 0; i < file->ntensors; i++)
        if (rf_safetensors_bytes(copy[i].type) == 0) { /* less than a byte: read only */
            free(copy);
            return;
        }
    need(rf_safetensors_head(copy, file->ntensors, file->notes, file->nnotes, &head, &bytes,
                             &err) == RF_OK);
    need(rf_safetensors_parse(&again, "again", head + 8, bytes - 8, file->data_size, &err) ==
         RF_OK);
    need(again->ntensors == file->ntensors && again->nnotes == file->nnotes);
    for (int i = 0; i < file->ntensors; i++) {
        const struct rf_safetensors_tensor *a = &file->tensors[i];
        const struct rf_safetensors_tensor *b = rf_safetensors_find(again, a->name);

        need(b != NULL && b->type == a->type && b->ndims == a->ndims &&
             memcmp(a->shape, b->shape, sizeof a->shape) == 0 &&
             b->end - b->begin == a->end - a->begin);
    }
    rf_safetensors_close(again);
    free(head);
    free(copy);
}

static void check(const struct rf_safetensors *file)
{
    struct rf_ckpt_info info;
    struct rf_error err;
    uint64_t at = 0;
    int own;

    for (int i = 0; i < file->ntensors; i++) {
        const struct rf_safetensors_tensor *t = &file->tensors[i];
        struct rf_place places[3];

        need(t->begin == at && t->end >= t->begin);
        need(rf_safetensors_find(file, t->name) == t);
        at = t->end;
        for (int f = RF_FAMILY_OWN; f <= RF_FAMILY_LLAMA; f++) {
            int n = rf_names_ours((enum rf_family)f, t->name, places);

            need(n >= 0 && n <= 3);
            for (int k = 0; k < n; k++)
                need(strlen(places[k].name) < RF_TENSOR_NAME);
        }
    }
    need(at == file->data_size);
    check_again(file);
    (void)rf_notes_read(&info, &own, file, "x", &err);
}

static void as_file(const uint8_t *data, size_t size)
{
    struct rf_safetensors *file;
    struct rf_error err = {RF_OK, ""};
    float values[64];
    char path[64];
    FILE *out;

    snprintf(path, sizeof path, "/tmp/fuzz_safetensors.%ld", (long)getpid());
    out = fopen(path, "wb");
    need(out != NULL && fwrite(data, 1, size, out) == size && fclose(out) == 0);
    if (rf_safetensors_open(&file, path, &err) == RF_OK) {
        check(file);
        for (int i = 0; i < file->ntensors; i++) {
            const struct rf_safetensors_tensor *t = &file->tensors[i];
            int64_t n = 1;

            for (int d = 0; d < t->ndims; d++)
                n *= t->shape[d];
            if (t->type <= RF_SAFETENSORS_F16 && n > 0)
                need(rf_safetensors_read(file, path, t, n > 64 ? n - 64 : 0, n > 64 ? 64 : n,
                                         values, &err) == RF_OK);
        }
        rf_safetensors_close(file);
    } else {
        need(err.status == RF_ERR_INPUT && err.text[0] != '\0');
    }
    remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rf_safetensors *file;
    struct rf_error err = {RF_OK, ""};

    if (size < 3)
        return 0;
    if (data[0] == 0) {
        as_file(data + 1, size - 1);
        return 0;
    }
    if (rf_safetensors_parse(&file, "x", (const char *)data + 3, size - 3,
                             data[1] | (uint64_t)data[2] << 8, &err) == RF_OK) {
        check(file);
        rf_safetensors_close(file);
    } else {
        need(err.status == RF_ERR_INPUT && err.text[0] != '\0');
    }
    return 0;
}
