/* A ledger from what sacct -P prints, on any bytes: it is made, every event as the rules want it, or the
 * table is refused by name. The first byte chooses unit, devices and the time covered. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/sacct_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int holds)
{
    if (!holds)
        abort();
}

static void path_of(char path[64], const char *end)
{
    snprintf(path, 64, "/dev/shm/fuzz-sacct-import-%ld%s", (long)getpid(), end);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rf_sacct_import options = {
        .name = "run", .version = "fuzz", .policy = "", .config = "", .devices = 1000};
    struct rf_sacct_imported out;
    struct rf_journal journal;
    struct rf_error err = {RF_OK, ""};
    char path[64];
    enum rf_status st;

    if (size == 0)
        return 0;
    options.unit = data[0] % 4 - 1;
    if (data[0] & 4)
        options.devices = 4;
    if (data[0] & 8)
        options.begin_us = INT64_C(1767225600000000); /* 2026-01-01 */
    if (data[0] & 16)
        options.end_us = INT64_C(1767225660000000);
    path_of(path, ".seals");
    path_of(path, "");
    expect(rf_journal_start(&journal, &err) == RF_OK);
    expect(rf_journal_create(&journal, path, NULL, NULL, &err) == RF_OK);
    st = rf_sacct_import_text(&out, &journal, (const char *)data + 1, size - 1, "file",
                              &options, &err);
    if (st == RF_OK) {
        expect(journal.state->closed && out.peak <= options.devices);
        expect(out.jobs == journal.state->njobs && out.unfinished <= out.jobs);
        expect(journal.state->nfree == options.devices);
    } else {
        expect(st == RF_ERR_INPUT && strncmp(err.text, "file:", 5) == 0);
    }
    rf_journal_clear(&journal);
    path_of(path, "");
    return 0;
}
