/* Tokenizer files on arbitrary bytes, as a tokenizer.json or as a vocab.json beside
 * sound merges. Whatever comes in is refused with a message, or encodes a text and gives its
 * bytes back. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/vocabulary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(const char *path, const void *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");

    if (out == NULL || fwrite(bytes, 1, size, out) != size || fclose(out) != 0)
        abort();
}

/* A text that the file's own bytes make. */
static void encode(struct rf_vocabulary *v, const uint8_t *data, size_t size)
{
    struct rf_view text = {(const char *)data, size};
    int32_t *tokens = malloc((size + 2) * sizeof *tokens);
    struct rf_error err;
    int n;

    if (tokens == NULL)
        abort();
    if (rf_vocabulary_encode(v, text, "text", 0, tokens, &n, &err) == RF_OK)
        for (int i = 0; i < n; i++)
            if (tokens[i] < 0 || tokens[i] >= rf_vocabulary_size(v) ||
                rf_vocabulary_bytes(v, tokens[i]).size_bytes > size + 2)
                abort();
    free(tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char merges[] = "#version: 0.2\na b\nab c\n";
    struct rf_vocabulary *v;
    struct rf_error err = {RF_OK, ""};
    char path[64], beside[64];

    snprintf(path, sizeof path, "/tmp/fuzz_vocabulary.%ld", (long)getpid());
    if (rf_file_mkdir(path, NULL) != RF_OK)
        abort();
    snprintf(beside, sizeof beside, "%s/merges.txt", path);
    put(beside, merges, sizeof merges - 1);
    snprintf(beside, sizeof beside, "%s/vocab.json", path);
    put(beside, data, size);
    if (rf_vocabulary_read(&v, beside, &err) == RF_OK) {
        encode(v, data, size);
        (void)rf_vocabulary_end(v);
        (void)rf_vocabulary_digest(v);
        rf_vocabulary_destroy(v);
    } else if (err.text[0] == '\0' || v != NULL) {
        abort();
    }
    return 0;
}
