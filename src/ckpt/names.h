/* names.h - what our tensors are called in Hugging Face's GPT-2 and Llama, and how they lie
 * there.
 *
 * Ours are [out, in] everywhere. GPT-2's are [in, out], and its queries, keys and values are one
 * tensor, side by side; Llama's are as ours. One table per family says all of it, in both
 * directions, and which tensors make a whole model. */
#ifndef RF_CKPT_NAMES_H
#define RF_CKPT_NAMES_H

#include <stdint.h>

#include "base/error.h"
#include "base/tensor.h"

/* OWN: our names and layout, as they are. */
enum rf_family { RF_FAMILY_OWN, RF_FAMILY_GPT2, RF_FAMILY_LLAMA };

const char *rf_family_name(enum rf_family family);
/* By the first word of a checkpoint's `model` text; 0 when it is neither. */
int rf_family_of_model(enum rf_family *family, const char *model);

/* Where one of ours lies in one of theirs: our rows are part number `part` of `parts` equal
 * parts of their rows (of their columns when transposed). */
struct rf_place {
    char name[RF_TENSOR_NAME]; /* theirs, or ours */
    int transposed, part, parts;
};

/* Theirs for ours; 0 when the family has no such tensor. */
int rf_names_theirs(enum rf_family family, const char *ours, struct rf_place *place);
/* Ours for theirs, at most three: how many, 0 when it is none of the family's. The prefix that
 * some files put before GPT-2's names ("transformer.") may be there or not. */
int rf_names_ours(enum rf_family family, const char *theirs, struct rf_place places[3]);

/* Tensors of ours sort by this as the trainer keeps them: layer by layer, in the order of the
 * table; names that the family has not come last. */
int64_t rf_names_order(enum rf_family family, const char *ours);

/* Theirs that hold no weights of a model of ours: masks and tables that follow from the shape.
 * rf_names_tied: the output layer, where the family shares it with wte.weight. */
int rf_names_ignored(enum rf_family family, const char *theirs);
int rf_names_tied(enum rf_family family, const char *theirs);

struct rf_named_shape {
    const char *name; /* ours; borrowed */
    int ndims;
    int64_t shape[2];
};

/* The sizes of a model; 0 where the family has no such size. */
struct rf_sizes {
    int64_t vocabulary, context, width, hidden, kv_width, layers;
};

/* Are these (names of ours) a whole model of the family, nothing missing, nothing over, all
 * shapes of one piece? RF_ERR_INPUT names the tensor. For OWN every set is whole. */
enum rf_status rf_names_check(enum rf_family family, const struct rf_named_shape *tensors,
                              int ntensors, struct rf_sizes *sizes, struct rf_error *err);

#endif
