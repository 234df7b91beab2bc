/* A word's tokens are a list; every pair of neighbours that may be merged is in a heap, the lowest
 * rank and then the leftmost on top. A pair whose tokens have changed since is skipped when
 * it comes up. So a word of n bytes costs n log n, and no text can make it slow. */
#include "data/bpe.h"

#include <stdlib.h>
#include <string.h>

struct merge {
    int32_t left, right, made;
};

struct node {
    int32_t token; /* -1: merged into the one before */
    int before, behind;
};

struct candidate {
    int rank, at; /* of the left node */
    int32_t left, right;
};

struct rf_bpe {
    int ntokens, nmerges, room;
    char **bytes;      /* owned, each */
    size_t *size;      /* [ntokens] */
    int32_t *by_bytes; /* token + 1 */
    int32_t *by_pair;  /* rank + 1 */
    size_t byte_slots, pair_slots;
    struct merge *merges;
    struct node *nodes; /* of the word in hand */
    struct candidate *heap;
    int nheap, nodes_room;
};

static size_t slots_for(int n)
{
    size_t slots = 1024;

    while (slots < 2 * (size_t)n)
        slots *= 2;
    return slots;
}

enum rf_status rf_bpe_create(struct rf_bpe **bpe, int tokens, int merges, struct rf_error *err)
{
    struct rf_bpe *b = calloc(1, sizeof *b);

    *bpe = b;
    if (b != NULL) {
        b->ntokens = tokens;
        b->room = merges;
        b->byte_slots = slots_for(tokens);
        b->pair_slots = slots_for(merges);
        b->bytes = calloc((size_t)tokens + 1, sizeof *b->bytes);
        b->size = calloc((size_t)tokens + 1, sizeof *b->size);
        b->by_bytes = calloc(b->byte_slots, sizeof *b->by_bytes);
        b->by_pair = calloc(b->pair_slots, sizeof *b->by_pair);
        b->merges = calloc((size_t)merges + 1, sizeof *b->merges);
    }
    if (b == NULL || b->bytes == NULL || b->size == NULL || b->by_bytes == NULL ||
        b->by_pair == NULL || b->merges == NULL) {
        rf_bpe_destroy(b);
        *bpe = NULL;
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a tokenizer of %d tokens",
                       tokens);
    }
    return RF_OK;
}

void rf_bpe_destroy(struct rf_bpe *bpe)
{
    if (bpe == NULL)
        return;
    for (int i = 0; bpe->bytes != NULL && i < bpe->ntokens; i++)
        free(bpe->bytes[i]);
    free(bpe->bytes);
    free(bpe->size);
    free(bpe->by_bytes);
    free(bpe->by_pair);
    free(bpe->merges);
    free(bpe->nodes);
    free(bpe->heap);
    free(bpe);
}

/* ---- tokens and merges ---- */

/* Where the token of some bytes is, or would be. */
static size_t slot_of_bytes(const struct rf_bpe *b, struct rf_view text)
{
    uint64_t h = 0xcbf29ce484222325u;
    size_t at;

    for (size_t i = 0; i < text.size_bytes; i++)
        h = (h ^ (unsigned char)text.bytes[i]) * 0x100000001b3u;
    at = (size_t)(h ^ h >> 32) & (b->byte_slots - 1);
    for (; b->by_bytes[at] != 0; at = (at + 1) & (b->byte_slots - 1)) {
        int32_t token = b->by_bytes[at] - 1;

        if (b->size[token] == text.size_bytes &&
            memcmp(b->bytes[token], text.bytes, text.size_bytes) == 0)
            break;
    }
    return at;
}

static size_t slot_of_pair(const struct rf_bpe *b, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(h ^ h >> 29) & (b->pair_slots - 1);

    for (; b->by_pair[at] != 0; at = (at + 1) & (b->pair_slots - 1)) {
        const struct merge *m = &b->merges[b->by_pair[at] - 1];

        if (m->left == left && m->right == right)
            break;
    }
    return at;
}

enum rf_status rf_bpe_spell(struct rf_bpe *b, int32_t token, struct rf_view bytes,
                            struct rf_error *err)
{
    size_t at = slot_of_bytes(b, bytes);

    if (token < 0 || token >= b->ntokens || bytes.size_bytes == 0)
        return rf_fail(err, RF_ERR_INPUT, "token %d of %d cannot be spelled", (int)token,
                       b->ntokens);
    if (b->by_bytes[at] != 0 || b->bytes[token] != NULL)
        return rf_fail(err, RF_ERR_INPUT, "token %d is there a second time", (int)token);
    b->bytes[token] = malloc(bytes.size_bytes);
    if (b->bytes[token] == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for token %d", (int)token);
    memcpy(b->bytes[token], bytes.bytes, bytes.size_bytes);
    b->size[token] = bytes.size_bytes;
    b->by_bytes[at] = token + 1;
    return RF_OK;
}

int32_t rf_bpe_token(const struct rf_bpe *b, struct rf_view bytes)
{
    return b->by_bytes[slot_of_bytes(b, bytes)] - 1;
}

struct rf_view rf_bpe_bytes(const struct rf_bpe *b, int32_t token)
{
    return (struct rf_view){b->bytes[token], b->size[token]};
}

int rf_bpe_size(const struct rf_bpe *b)
{
    return b->ntokens;
}

enum rf_status rf_bpe_merge(struct rf_bpe *b, int32_t left, int32_t right, struct rf_error *err)
{
    size_t nl = b->size[left], nr = b->size[right], at = slot_of_pair(b, left, right);
    char *joined = malloc(nl + nr + 1);
    int32_t made;

    if (joined == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a merge");
    memcpy(joined, b->bytes[left], nl);
    memcpy(joined + nl, b->bytes[right], nr);
    made = rf_bpe_token(b, (struct rf_view){joined, nl + nr});
    free(joined);
    if (made < 0)
        return rf_fail(err, RF_ERR_INPUT, "tokens %d and %d make no token", (int)left,
                       (int)right);
    if (b->nmerges == b->room || b->by_pair[at] != 0)
        return rf_fail(err, RF_ERR_INPUT, "tokens %d and %d are merged a second time",
                       (int)left, (int)right);
    b->merges[b->nmerges++] = (struct merge){left, right, made};
    b->by_pair[at] = b->nmerges;
    return RF_OK;
}

int rf_bpe_merges(const struct rf_bpe *b)
{
    return b->nmerges;
}

void rf_bpe_merge_at(const struct rf_bpe *b, int rank, int32_t *left, int32_t *right)
{
    *left = b->merges[rank].left;
    *right = b->merges[rank].right;
}

/* ---- merging ---- */

static int comes_before(const struct candidate *a, const struct candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push(struct rf_bpe *b, struct candidate c)
{
    int i = b->nheap++;

    for (; i > 0 && comes_before(&c, &b->heap[(i - 1) / 2]); i = (i - 1) / 2)
        b->heap[i] = b->heap[(i - 1) / 2];
    b->heap[i] = c;
}

static struct candidate pop(struct rf_bpe *b)
{
    struct candidate top = b->heap[0], last = b->heap[--b->nheap];
    int i = 0, child;

    while ((child = 2 * i + 1) < b->nheap) {
        child += child + 1 < b->nheap && comes_before(&b->heap[child + 1], &b->heap[child]);
        if (!comes_before(&b->heap[child], &last))
            break;
        b->heap[i] = b->heap[child];
        i = child;
    }
    b->heap[i] = last;
    return top;
}

/* The pair that begins at node `at`, where it may be merged. */
static void consider(struct rf_bpe *b, int at)
{
    int behind = at < 0 ? -1 : b->nodes[at].behind, rank;

    if (behind < 0)
        return;
    rank = b->by_pair[slot_of_pair(b, b->nodes[at].token, b->nodes[behind].token)] - 1;
    if (rank >= 0)
        push(b, (struct candidate){rank, at, b->nodes[at].token, b->nodes[behind].token});
}

/* Every merge takes one pair out of the list and may add two: never more than 3 n in all. */
static int make_room(struct rf_bpe *b, int n)
{
    if (n <= b->nodes_room)
        return 1;
    free(b->nodes);
    free(b->heap);
    b->nodes = malloc((size_t)n * sizeof *b->nodes);
    b->heap = malloc(3 * (size_t)n * sizeof *b->heap);
    b->nodes_room = b->nodes != NULL && b->heap != NULL ? n : 0;
    return b->nodes_room > 0;
}

static void merge_at(struct rf_bpe *b, int at, int32_t made)
{
    int gone = b->nodes[at].behind, next = b->nodes[gone].behind;

    b->nodes[at].token = made;
    b->nodes[at].behind = next;
    b->nodes[gone].token = -1;
    if (next >= 0)
        b->nodes[next].before = at;
    consider(b, b->nodes[at].before);
    consider(b, at);
}

int rf_bpe_encode(struct rf_bpe *b, int32_t *tokens, int n)
{
    int kept = 0;

    if (n < 2)
        return n;
    if (!make_room(b, n))
        return -1;
    b->nheap = 0;
    for (int i = 0; i < n; i++)
        b->nodes[i] = (struct node){tokens[i], i - 1, i + 1 < n ? i + 1 : -1};
    for (int i = 0; i + 1 < n; i++)
        consider(b, i);
    while (b->nheap > 0) {
        struct candidate c = pop(b);
        const struct node *node = &b->nodes[c.at];

        if (node->token == c.left && node->behind >= 0 &&
            b->nodes[node->behind].token == c.right)
            merge_at(b, c.at, b->merges[c.rank].made);
    }
    for (int i = 0; i >= 0; i = b->nodes[i].behind)
        tokens[kept++] = b->nodes[i].token;
    return kept;
}
