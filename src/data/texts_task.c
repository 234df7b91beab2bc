#include <stdlib.h>

#include "data/texts_list.h"
#include "data/tokenizer.h"

enum { DEFAULT_VOCABULARY = 4096, DEFAULT_CONTEXT = 64 };

/* Tokens of a text and the one that ends it; room for one per byte and one more. */
static int text_tokens(struct rf_tokenizer *tokenizer, struct rf_view text, int32_t *tokens)
{
    int n = rf_tokenizer_encode(tokenizer, text, tokens);

    for (int i = 0; i < n; i++)
        tokens[i]++;
    tokens[n] = 1 + rf_tokenizer_size(tokenizer);
    return n + 1;
}

/* The last tokens of a text that fit, moved to its beginning; returns their number. */
static int cut_front(int32_t *tokens, int n, int room)
{
    int cut = n > room ? n - room : 0;

    for (int i = 0; cut > 0 && i < room; i++)
        tokens[i] = tokens[i + cut];
    return n - cut;
}

/* The prompt of a row: of a longer text the last tokens; of two texts, those of each half. */
static int prompt_tokens(struct rf_tokenizer *tokenizer, const struct rf_kept_row *row,
                         int context, int32_t *tokens)
{
    int n = text_tokens(tokenizer, row->text, tokens);

    if (row->second.size_bytes == 0)
        return cut_front(tokens, n, context);
    n = cut_front(tokens, n, context / 2);
    return n + cut_front(tokens + n, text_tokens(tokenizer, row->second, tokens + n),
                         context - context / 2);
}

static enum rf_status add_prompts(struct rf_labelled *list, struct rf_tokenizer *tokenizer,
                                  int context, int32_t *tokens, struct rf_pools *pools,
                                  struct rf_error *err)
{
    struct rf_samples *to[RF_NSIDES] = {&pools->train, &pools->validation, &pools->test};
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < list->nrows; i++) {
        const struct rf_kept_row *row = &list->rows[i];

        if (row->side != RF_SIDE_NONE)
            st = rf_samples_add(to[row->side], tokens,
                                prompt_tokens(tokenizer, row, context, tokens), row->label,
                                row->key, 0.0f, err);
    }
    return st;
}

/* The pretraining sequences: every text in pieces of the context. Which texts, where there are
 * more than corpus_size, follows from their keys. */
static enum rf_status add_corpus(struct rf_labelled *list, struct rf_tokenizer *tokenizer,
                                 int context, int32_t *tokens, struct rf_task *task,
                                 struct rf_error *err)
{
    struct rf_samples all = {0};
    enum rf_status st = RF_OK;
    int32_t *order = NULL;
    int n = 0, limit = list->options->corpus_size;

    for (int i = 0; st == RF_OK && i < list->nlearn; i++)
        st = rf_samples_add(&all, &(int32_t){0}, 1, 0, list->learn_key[i], 0.0f, err);
    if (st == RF_OK)
        st = rf_samples_order(&all, 1, 0, 0, &order, &n, err);
    for (int k = 0; st == RF_OK && k < n && (limit == 0 || k < limit); k++) {
        int i = order[k], length = text_tokens(tokenizer, list->learn[i], tokens);

        for (int at = 0; st == RF_OK && at + 1 < length; at += context) {
            int piece = length - at < context + 1 ? length - at : context + 1;

            st = rf_samples_add(&task->corpus, tokens + at, piece, list->learn_further[i],
                                list->learn_key[i], 0.0f, err);
        }
    }
    free(order);
    rf_samples_clear(&all);
    return st;
}

static enum rf_status learn_tokenizer(struct rf_labelled *list, struct rf_tokenizer **tokenizer,
                                      struct rf_task *task, struct rf_error *err)
{
    const struct rf_task_options *options = list->options;
    int nclass = options->positive[0] != '\0' ? 2 : list->nlabels;
    int limit = options->vocabulary > 0 ? options->vocabulary : DEFAULT_VOCABULARY, ntokens;
    /* padding, the end of a text and the labels count, too */
    enum rf_status st =
        rf_tokenizer_train(tokenizer, list->learn, list->nlearn, limit - 2 - nclass, err);

    if (st != RF_OK)
        return st;
    ntokens = rf_tokenizer_size(*tokenizer);
    task->info = (struct rf_task_info){.vocabulary = ntokens + 2 + nclass,
                                       .context = options->context > 0 ? options->context
                                                                       : DEFAULT_CONTEXT,
                                       .label_begin = ntokens + 2,
                                       .nclass = nclass,
                                       .tokenizer = rf_tokenizer_digest(*tokenizer)};
    task->corpus_begin = 0;
    task->corpus_count = task->info.vocabulary;
    return RF_OK;
}

enum rf_status rf_labelled_encode(struct rf_labelled *list, struct rf_task *task,
                                  struct rf_pools *pools, struct rf_error *err)
{
    struct rf_tokenizer *tokenizer = NULL;
    int32_t *tokens = malloc((list->longest_bytes + 3) * sizeof *tokens);
    enum rf_status st = RF_OK;

    if (tokens == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", list->options->path);
    if (st == RF_OK)
        st = learn_tokenizer(list, &tokenizer, task, err);
    if (st == RF_OK)
        st = add_prompts(list, tokenizer, task->info.context, tokens, pools, err);
    if (st == RF_OK)
        st = add_corpus(list, tokenizer, task->info.context, tokens, task, err);
    rf_tokenizer_destroy(tokenizer);
    free(tokens);
    return st;
}
