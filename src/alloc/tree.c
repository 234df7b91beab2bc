#include "alloc/tree.h"

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

static struct rf_digest hash_node(const struct rf_digest *left, const struct rf_digest *right)
{
    static const unsigned char one = 1;
    struct rf_hash hash;

    rf_hash_start(&hash);
    rf_hash_add(&hash, &one, 1);
    rf_hash_add(&hash, left->bytes, RF_DIGEST_BYTES);
    rf_hash_add(&hash, right->bytes, RF_DIGEST_BYTES);
    return rf_hash_end(&hash);
}

void rf_tree_add(struct rf_tree *tree, const void *leaf, size_t size_bytes)
{
    struct rf_digest d = hash_leaf(leaf, size_bytes);
    int k = 0;

    for (; (tree->size >> k) & 1; k++)
        d = hash_node(&tree->edge[k], &d);
    tree->edge[k] = d;
    tree->size++;
}

struct rf_digest rf_tree_root(const struct rf_tree *tree)
{
    struct rf_digest d = rf_digest_of("", 0);
    int found = 0;

    for (int k = 0; k < 63; k++) {
        if (((tree->size >> k) & 1) == 0)
            continue;
        d = found ? hash_node(&tree->edge[k], &d) : tree->edge[k];
        found = 1;
    }
    return d;
}
