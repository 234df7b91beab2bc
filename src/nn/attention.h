/* attention.h - causal attention of some heads over packed sequences. */
#ifndef RF_NN_ATTENTION_H
#define RF_NN_ATTENTION_H

#include <stddef.h>

#include "nn/real.h"

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
size_t rf_attention_scratch(int longest);

/* out, q [queries][heads * head_width]; kv [keys][2 * kv_heads * head_width]: a row's keys, then
 * its values. log_sum [queries][heads] is kept for the backward twin. */
void rf_attention_forward(rf_real *restrict out, rf_real *restrict log_sum,
                          const rf_real *restrict q, const rf_real *restrict kv,
                          rf_real *restrict scratch, const struct rf_attention *a);

/* dq and dkv are overwritten. dout is the gradient of out. */
void rf_attention_backward(rf_real *restrict dq, rf_real *restrict dkv,
                           const rf_real *restrict dout, const rf_real *restrict out,
                           const rf_real *restrict log_sum, const rf_real *restrict q,
                           const rf_real *restrict kv, rf_real *restrict scratch,
                           const struct rf_attention *a);

#endif
