/* Whole ledgers with their neighbours, on arbitrary bytes: a ledger, its seals and its public
 * key, separated by NUL bytes. A check says that all holds, or what does not; an audit of the
 * same files agrees with it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
    if (!holds)
        abort();
}

/* Writes the bytes up to a NUL, or all; returns how many were used, the NUL included. */
static size_t put(const char *path, const uint8_t *data, size_t size)
{
    const uint8_t *stop = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t length = stop != NULL ? (size_t)(stop - data) : size;
    FILE *out = fopen(path, "wb");

    need(out != NULL && fwrite(data, 1, length, out) == length && fclose(out) == 0);
    return stop != NULL ? length + 1 : length;
}

static void check(const char *path, int seals_are_there)
{
    struct rf_ledger_check found;
    struct rf_audit audit;
    struct rf_error err = {RF_OK, ""};
    enum rf_status st = rf_ledger_verify(path, NULL, NULL, NULL, &found, &err);

    need(st == RF_OK || (st == RF_ERR_INPUT && err.text[0] != '\0' && !seals_are_there));
    need(rf_audit_ledger(&audit, path, NULL, &err) == st);
    if (st != RF_OK)
        return;
    need(found.chain_ok == (found.first_bad_seq < 0));
    need(found.sealed_entries <= found.entries && found.first_bad_seq <= found.entries);
    if (!found.chain_ok || !found.seals_ok || found.torn_bytes > 0)
        need(found.problem[0] != '\0');
    need(audit.ledger.entries == found.entries && audit.ledger.torn_bytes == found.torn_bytes);
    need(strcmp(audit.ledger.head, found.head) == 0);
    if (!found.chain_ok || !found.seals_ok) {
        need(!audit.ledger.chain_ok || !audit.ledger.seals_ok);
        need(audit.verdict == RF_UNPROVABLE);
    }
    rf_audit_clear(&audit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char ledger[64], seals[80], key[80];
    size_t at;

    snprintf(ledger, sizeof ledger, "/tmp/fuzz_verify.%ld", (long)getpid());
    snprintf(seals, sizeof seals, "%s.seals", ledger);
    snprintf(key, sizeof key, "%s.pub", ledger);
    at = put(ledger, data, size);
    check(ledger, 0);
    at += put(seals, data + at, size - at);
    put(key, data + at, size - at);
    check(ledger, 1);
    remove(ledger);
    remove(seals);
    remove(key);
    return 0;
}
