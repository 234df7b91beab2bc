/* tree.h - the Merkle tree of RFC 6962, section 2.1, over a growing list of leaves.
 *
 * Only the right edge is kept: the roots of the perfect subtrees that the
 * leaves so far fall into, one per set bit of their number. Adding a leaf
 * and taking the root cost O(log n) hashes. */
#ifndef RF_ALLOC_TREE_H
#define RF_ALLOC_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct rf_tree {
    int64_t size;
    struct rf_digest edge[63]; /* edge[k]: of 2^k leaves, valid where bit k of size is set */
};

/* A tree starts as all zeros: struct rf_tree t = {0}. */
void rf_tree_add(struct rf_tree *tree, const void *leaf, size_t size_bytes);
/* The same in two steps: the digests of n leaves, many at once, which is several times as fast as
 * one by one; and adding a leaf whose digest is known. */
void rf_tree_digest_leaves(const struct rf_bytes *leaves, int n, struct rf_digest *digests);
void rf_tree_add_digest(struct rf_tree *tree, const struct rf_digest *leaf);
/* ... and n of them, level by level, which is several times as fast again. */
void rf_tree_add_digests(struct rf_tree *tree, const struct rf_digest *leaves, int n);
/* An inner node. */
struct rf_digest rf_tree_node(const struct rf_digest *left, const struct rf_digest *right);
struct rf_digest rf_tree_root(const struct rf_tree *tree);

#endif
