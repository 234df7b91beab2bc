/* attention.h - causal attention of some heads over packed sequences. */
#ifndef RF_NN_ATTENTION_H
#define RF_NN_ATTENTION_H

#include <stddef.h>

#include "nn/kept.h"

/* Queries of a head that are worked on at a time. */
enum { RF_ATTENTION_TILE = 64 };

/* Sequence s has keys in rows key[s] .. key[s+1]-1 (key_end[s]-1, where that is given) and queries in rows query[s] ..
 * query[s+1]-1; query i sees the first position[i] + 1 keys of its sequence. */
struct rf_attention {
    int nseq, heads, head_width;
    int kv_heads;            /* each serves heads / kv_heads neighbouring heads of queries */
    const int *key, *query;  /* borrowed [nseq + 1] */
    const int *key_end;      /* borrowed [nseq], or NULL */
    const int32_t *position; /* borrowed, one per query */
    int longest;             /* of the sequences */
};

/* Elements of scratch that either direction needs for sequences up to longest. */
size_t rf_attention_scratch(int longest, int head_width, int bf16);

/* out, q [queries][heads * head_width]; kv [keys][2 * kv_heads * head_width]: a row's keys, then
 * its values. log_sum [queries][heads] is kept for the backward twin. q, kv and out are all of one kind: in bf16, so are
 * the products (probabilities and gradients of scores are rounded, sums are fp32), and behind the rows of q and kv there is memory
 * for RF_ATTENTION_TILE more, of finite numbers. */
void rf_attention_forward(struct rf_matmul *matmul, struct rf_kept out,
                          rf_real *restrict log_sum, struct rf_kept q, struct rf_kept kv,
                          rf_real *restrict scratch, const struct rf_attention *a);

/* Of sequence s alone: dq [its queries][heads * head_width] and dkv [its keys][2 * kv_heads * head_width] are
 * overwritten, and so are RF_ATTENTION_TILE more rows of dkv in bf16. dout is the gradient of out, with memory behind it as
 * behind q. */
void rf_attention_backward(struct rf_matmul *matmul, rf_real *restrict dq,
                           rf_real *restrict dkv, struct rf_kept dout, struct rf_kept out,
                           const rf_real *restrict log_sum, struct rf_kept q, struct rf_kept kv,
                           rf_real *restrict scratch, const struct rf_attention *a, int s);

#endif
