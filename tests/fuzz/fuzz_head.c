/* Heads of ledgers and proofs on arbitrary bytes. What is read is written again as it was, its
 * parts lie where they should, and no signature of a key that nobody has holds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
    if (!holds)
        abort();
}

static void check_head(const struct rf_head *head, size_t size)
{
    struct rf_vkey vkey = {.name = "fuzz", .kind = RF_KEY_SEAL};
    struct rf_error err;
    int64_t time_s = 0;

    need(head->size_bytes <= size && head->body_bytes < head->size_bytes);
    need(head->seal.size >= 0 && head->seal.origin[0] != '\0');
    need(head->nsignatures <= RF_HEAD_SIGNATURES);
    need(rf_head_signed(head, &vkey, &err) != RF_OK);
    need(rf_head_cosigned(head, &vkey, &time_s, &err) != RF_OK);
    for (int i = 0; i < head->nsignatures; i++) {
        const struct rf_signature *s = &head->signatures[i];

        need(s->size_bytes == RF_SIGNATURE_BYTES || s->size_bytes == RF_COSIGNATURE_BYTES);
        memcpy(vkey.name, s->name, sizeof vkey.name);
        memcpy(vkey.id, s->id, sizeof vkey.id);
        need(rf_head_signed(head, &vkey, &err) != RF_OK); /* a key of zeros signs nothing */
    }
}

static void check_proof(const struct rf_proof *proof, const char *text, size_t size)
{
    char again[RF_PROOF_BYTES];
    struct rf_digest leaf = rf_digest_of("", 0);
    size_t n;

    need(proof->index >= 0 && proof->path.n <= RF_PROOF_MAX);
    need(!rf_proof_includes(&proof->path, proof->index, proof->head.seal.size, &leaf,
                            &proof->head.seal.root) ||
         proof->path.n == 0);
    n = rf_proof_format(proof, again);
    need(n < sizeof again);
    if (memcmp(text, "old ", 4) == 0)
        need(n == size && memcmp(again, text, n) == 0);
    else
        need(n <= size); /* extra data is passed over */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rf_head head;
    struct rf_proof proof;
    struct rf_vkey vkey;
    struct rf_error err;
    char *text = malloc(size + 1);

    need(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (rf_head_read(&head, text, size, &err) == RF_OK)
        check_head(&head, size);
    else
        need(err.text[0] != '\0');
    if (rf_proof_parse(&proof, text, size, &err) == RF_OK) {
        check_head(&proof.head, size);
        check_proof(&proof, text, size);
    }
    (void)rf_vkey_parse(&vkey, text, &err);
    (void)rf_vkey_parse_kind(&vkey, text, RF_KEY_WITNESS, &err);
    free(text);
    return 0;
}
