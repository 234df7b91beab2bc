#include "alloc/tree.h"

#include <string.h>

/* RFC 6962, 2.1: a leaf and an inner node never hash alike. */
static struct rf_digest hash_leaf(const void *data, size_t size_bytes)
{
    static const unsigned char zero = 0;
    struct rf_hash hash;

    rf_hash_start(&hash);
    rf_hash_add(&hash, &zero, 1);
    rf_hash_add(&hash, data, size_bytes);
    return rf_hash_end(&hash);
}

struct rf_digest rf_tree_node(const struct rf_digest *left, const struct rf_digest *right)
{
    static const unsigned char one = 1;
    struct rf_hash hash;

    rf_hash_start(&hash);
    rf_hash_add(&hash, &one, 1);
    rf_hash_add(&hash, left->bytes, RF_DIGEST_BYTES);
    rf_hash_add(&hash, right->bytes, RF_DIGEST_BYTES);
    return rf_hash_end(&hash);
}

/* Leaves are hashed with a zero before them, so they are copied; long ones go alone. */
void rf_tree_digest_leaves(const struct rf_bytes *leaves, int n, struct rf_digest *digests)
{
    enum { TOGETHER = 64, SHORT_BYTES = 1024 };
    unsigned char copies[TOGETHER][SHORT_BYTES];
    struct rf_bytes texts[TOGETHER];
    struct rf_digest found[TOGETHER];
    int whose[TOGETHER], m = 0;

    for (int i = 0; i < n; i++) {
        if (leaves[i].size_bytes >= SHORT_BYTES) {
            digests[i] = hash_leaf(leaves[i].data, leaves[i].size_bytes);
        } else {
            copies[m][0] = 0;
            memcpy(copies[m] + 1, leaves[i].data, leaves[i].size_bytes);
            texts[m] = (struct rf_bytes){copies[m], leaves[i].size_bytes + 1};
            whose[m++] = i;
        }
        if (m < TOGETHER && i < n - 1)
            continue;
        rf_digest_many(texts, m, found);
        while (m > 0) {
            m--;
            digests[whose[m]] = found[m];
        }
    }
}

void rf_tree_add(struct rf_tree *tree, const void *leaf, size_t size_bytes)
{
    struct rf_digest d = hash_leaf(leaf, size_bytes);

    rf_tree_add_digest(tree, &d);
}

/* A perfect subtree of 2^k leaves, where the edge has none that is smaller. */
static void add_subtree(struct rf_tree *tree, struct rf_digest d, int k)
{
    int64_t leaves = INT64_C(1) << k;

    for (; (tree->size >> k) & 1; k++)
        d = rf_tree_node(&tree->edge[k], &d);
    tree->edge[k] = d;
    tree->size += leaves;
}

void rf_tree_add_digest(struct rf_tree *tree, const struct rf_digest *leaf)
{
    add_subtree(tree, *leaf, 0);
}

enum { LEVELS = 8, WIDEST = 1 << LEVELS, NODE_BYTES = 1 + 2 * RF_DIGEST_BYTES };

/* The root of a perfect subtree, 2^k leaves of 2^LEVELS at most: each level at once. */
static struct rf_digest subtree_root(const struct rf_digest *leaves, int k)
{
    unsigned char nodes[WIDEST / 2][NODE_BYTES];
    struct rf_bytes texts[WIDEST / 2];
    struct rf_digest level[WIDEST];

    memcpy(level, leaves, sizeof *leaves << k);
    for (int n = 1 << k; n > 1; n /= 2) {
        for (int i = 0; i < n / 2; i++) {
            nodes[i][0] = 1;
            memcpy(nodes[i] + 1, level[2 * i].bytes, RF_DIGEST_BYTES);
            memcpy(nodes[i] + 1 + RF_DIGEST_BYTES, level[2 * i + 1].bytes, RF_DIGEST_BYTES);
            texts[i] = (struct rf_bytes){nodes[i], NODE_BYTES};
        }
        rf_digest_many(texts, n / 2, level);
    }
    return level[0];
}

void rf_tree_add_digests(struct rf_tree *tree, const struct rf_digest *leaves, int n)
{
    while (n > 0) { /* the largest perfect subtree that begins here and is there whole */
        int k = 0;

        while (k < LEVELS && ((tree->size >> k) & 1) == 0 && n >= 2 << k)
            k++;
        add_subtree(tree, subtree_root(leaves, k), k);
        leaves += 1 << k;
        n -= 1 << k;
    }
}

struct rf_digest rf_tree_root(const struct rf_tree *tree)
{
    struct rf_digest d = rf_digest_of("", 0);
    int found = 0;

    for (int k = 0; k < 63; k++) {
        if (((tree->size >> k) & 1) == 0)
            continue;
        d = found ? rf_tree_node(&tree->edge[k], &d) : tree->edge[k];
        found = 1;
    }
    return d;
}
