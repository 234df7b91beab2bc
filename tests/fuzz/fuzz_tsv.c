/* The readers of labelled texts, pictures, puzzles and games on arbitrary bytes. The first byte chooses
 * which file the rest is; the other files of a task are small and right. Whatever comes in, a
 * task opens or a message says why not. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char puzzles[] = "id\trating\tfen4\tsolution\n"
                              "a\t1500\tk7/8/8/8/8/8/4R3/4K3 w - -\te2e7\n"
                              "b\t?\t1k6/8/8/8/8/8/4R3/4K3 w - -\te2e7\n"
                              "c\t?\t2k5/8/8/8/8/8/4R3/4K3 w - -\te2e7\n"
                              "d\t?\t3k4/8/8/8/8/8/4R3/4K3 w - -\te2e7\n";

static void put(const char *path, const void *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");

    if (out == NULL || fwrite(bytes, 1, size, out) != size || fclose(out) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rf_task_options options = {
        .name = "fuzz", .vocabulary = 300, .context = 16, .validation = 1};
    struct rf_task *task;
    struct rf_error err = {RF_OK, ""};
    char path[64], other[64];
    int which;

    if (size == 0)
        return 0;
    which = data[0] % 7;
    snprintf(path, sizeof path, "/tmp/fuzz_tsv.%ld", (long)getpid());
    snprintf(other, sizeof other, "/tmp/fuzz_tsv.%ld.other", (long)getpid());
    put(path, data + 1, size - 1);
    put(other, puzzles, sizeof puzzles - 1);
    snprintf(options.source, sizeof options.source,
             which == 0   ? "tsv"
             : which == 4 ? "jsonl"
             : which == 5 ? "pairs"
             : which == 6 ? "digits"
                          : "chess");
    snprintf(options.path, sizeof options.path, "%s", which == 2 ? other : path);
    snprintf(options.extra_path, sizeof options.extra_path, "%s", which == 1 ? other : path);
    if (which == 6)
        snprintf(options.test_path, sizeof options.test_path, "%s", path);
    if (which == 3) {
        snprintf(options.path, sizeof options.path, "%s", other);
        snprintf(options.extra_path, sizeof options.extra_path, "%s", other);
        snprintf(options.corpus, sizeof options.corpus, "%s", path);
    }
    if (rf_task_open(&task, &options, 1, &err) != RF_OK && err.text[0] == '\0')
        abort();
    rf_task_close(task);
    remove(path);
    remove(other);
    return 0;
}
