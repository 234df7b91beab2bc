/* Tokens of labelled texts: by a tokenizer, or a list of words, that is learnt from them, or by one that was given, which a
 * model from elsewhere speaks. A learnt one leaves room for our own marks: padding, the end of a
 * text, the labels. A given one stays as it is: texts are what they are there, an answer is a word of
 * it, and a question may stand between the two. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/texts_list.h"
#include "data/tokenizer.h"
#include "data/vocabulary.h"
#include "data/wordlist.h"

enum { DEFAULT_VOCABULARY = 4096, DEFAULT_CONTEXT = 64, ROOM_AT_LEAST = 4 };

/* Who puts texts into tokens. */
struct voice {
    const struct rf_task_options *options;
    struct rf_tokenizer *learnt; /* owned; or: */
    struct rf_wordlist *words;   /* owned; or: */
    struct rf_vocabulary *given; /* owned */
    int32_t begin, end;          /* around a text; -1: nothing there */
    int32_t *question;           /* owned [nquestion] */
    int nquestion;
    int context;
};

static void voice_clear(struct voice *voice)
{
    rf_tokenizer_destroy(voice->learnt);
    rf_wordlist_destroy(voice->words);
    rf_vocabulary_destroy(voice->given);
    free(voice->question);
}

/* Tokens of a text; room for one per byte and one more. where: for messages. */
static enum rf_status encode(struct voice *voice, struct rf_view text, const char *where,
                             int32_t *tokens, int *n, struct rf_error *err)
{
    if (voice->given != NULL)
        return rf_vocabulary_encode(voice->given, text, where, 0, tokens, n, err);
    *n = voice->words != NULL ? rf_wordlist_encode(voice->words, text, tokens)
                              : rf_tokenizer_encode(voice->learnt, text, tokens);
    for (int i = 0; i < *n; i++)
        tokens[i]++;
    return RF_OK;
}

/* A text as a model reads it for its own sake: with what stands around it. */
static enum rf_status document_tokens(struct voice *voice, struct rf_view text,
                                      const char *where, int32_t *tokens, int *n,
                                      struct rf_error *err)
{
    int first = voice->given != NULL && voice->begin >= 0;
    enum rf_status st = encode(voice, text, where, tokens + first, n, err);

    if (first)
        tokens[0] = voice->begin;
    *n += first;
    if (voice->end >= 0)
        tokens[(*n)++] = voice->end;
    return st;
}

/* The last tokens of a text that fit, moved to its beginning; returns their number. */
static int cut_front(int32_t *tokens, int n, int room)
{
    int cut = n > room ? n - room : 0;

    for (int i = 0; cut > 0 && i < room; i++)
        tokens[i] = tokens[i + cut];
    return n - cut;
}

/* A text of at most `room` tokens, of a longer one the last. Learnt: with its end. broken: after a line
 * break. */
static enum rf_status text_tokens(struct voice *voice, struct rf_view text, int broken,
                                  int room, const char *where, int32_t *tokens, int *n,
                                  struct rf_error *err)
{
    char *copy = NULL;
    enum rf_status st;

    if (broken && voice->given != NULL) {
        copy = malloc(text.size_bytes + 1);
        if (copy == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for a text of %zu bytes",
                           text.size_bytes);
        copy[0] = '\n';
        memcpy(copy + 1, text.bytes, text.size_bytes);
        text = (struct rf_view){copy, text.size_bytes + 1};
    }
    st = encode(voice, text, where, tokens, n, err);
    if (voice->given == NULL)
        tokens[(*n)++] = voice->end;
    *n = cut_front(tokens, *n, room);
    free(copy);
    return st;
}

/* What a model is shown before it is asked: a text, or of two texts both, each with half of the room;
 * then the question. */
static enum rf_status prompt_tokens(struct voice *voice, struct rf_view text,
                                    struct rf_view second, const char *where, int32_t *tokens,
                                    int *n, struct rf_error *err)
{
    int first = voice->given != NULL && voice->begin >= 0, more = 0;
    int room = voice->context - first - voice->nquestion;
    int two = second.size_bytes > 0;
    enum rf_status st;

    if (first)
        tokens[0] = voice->begin;
    st = text_tokens(voice, text, 0, two ? room / 2 : room, where, tokens + first, n, err);
    *n += first;
    if (st == RF_OK && two)
        st = text_tokens(voice, second, 1, room - room / 2, where, tokens + *n, &more, err);
    *n += more;
    for (int i = 0; i < voice->nquestion; i++)
        tokens[(*n)++] = voice->question[i];
    return st;
}

/* The sequences of a row: one prompt, or the length of the first of two and both. */
static enum rf_status row_tokens(struct voice *voice, const struct rf_kept_row *row,
                                 int32_t *tokens, int *n, struct rf_error *err)
{
    const struct rf_view none = {"", 0};
    char where[300];
    int second = 0;
    enum rf_status st;

    snprintf(where, sizeof where, "%.200s:%ld", row->path, row->line);
    if (strcmp(voice->options->preference, "score") != 0)
        return prompt_tokens(voice, row->text, row->second, where, tokens, n, err);
    st = prompt_tokens(voice, row->text, none, where, tokens + 1, n, err);
    tokens[0] = *n;
    if (st == RF_OK)
        st = prompt_tokens(voice, row->second, none, where, tokens + 1 + *n, &second, err);
    *n += 1 + second;
    return st;
}

static enum rf_status add_prompts(struct rf_labelled *list, struct voice *voice,
                                  int32_t *tokens, struct rf_pools *pools, struct rf_error *err)
{
    struct rf_samples *to[RF_NSIDES] = {&pools->train, &pools->validation, &pools->test};
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < list->nrows; i++) {
        const struct rf_kept_row *row = &list->rows[i];
        int n = 0;

        if (row->side == RF_SIDE_NONE)
            continue;
        st = row_tokens(voice, row, tokens, &n, err);
        if (st == RF_OK)
            st = rf_samples_add(to[row->side], tokens, n, row->label, row->key, 0.0f, err);
    }
    return st;
}

/* The pretraining sequences: every text in pieces of the context. Which texts, where there are
 * more than corpus_size, follows from their keys. */
static enum rf_status add_corpus(struct rf_labelled *list, struct voice *voice, int32_t *tokens,
                                 struct rf_task *task, struct rf_error *err)
{
    struct rf_samples all = {0};
    enum rf_status st = RF_OK;
    int32_t *order = NULL;
    int n = 0, limit = list->options->corpus_size, context = voice->context;

    for (int i = 0; st == RF_OK && i < list->nlearn; i++)
        st = rf_samples_add(&all, &(int32_t){0}, 1, 0, list->learn_key[i], 0.0f, err);
    if (st == RF_OK)
        st = rf_samples_order(&all, 1, 0, 0, &order, &n, err);
    for (int k = 0; st == RF_OK && k < n && (limit == 0 || k < limit); k++) {
        int i = order[k], length = 0;

        st = document_tokens(voice, list->learn[i],
                             list->learn_further[i] ? list->options->corpus
                                                    : list->options->path,
                             tokens, &length, err);
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

/* ---- learnt */

static enum rf_status learn_tokenizer(struct rf_labelled *list, struct voice *voice, int nclass,
                                      struct rf_task *task, struct rf_error *err)
{
    const struct rf_task_options *options = list->options;
    int limit = options->vocabulary > 0 ? options->vocabulary : DEFAULT_VOCABULARY, ntokens;
    int most = limit - 2 - nclass; /* padding, the end of a text and the labels count, too */
    int words = strcmp(options->tokenizer, "words") == 0;
    enum rf_status st =
        words ? rf_wordlist_learn(&voice->words, list->learn, list->nlearn, most - 1, err)
              : rf_tokenizer_train(&voice->learnt, list->learn, list->nlearn, most, err);

    if (st != RF_OK)
        return st;
    ntokens = words ? rf_wordlist_size(voice->words) : rf_tokenizer_size(voice->learnt);
    voice->end = 1 + ntokens;
    task->info.vocabulary = ntokens + 2 + nclass;
    task->info.label_begin = ntokens + 2;
    task->info.tokenizer =
        words ? rf_wordlist_digest(voice->words) : rf_tokenizer_digest(voice->learnt);
    return RF_OK;
}

/* ---- given */

/* The token that a word begins with. Where the rule puts a blank before every text, that is the blank the
 * word has already. */
static enum rf_status first_token(struct voice *voice, const char *word, int32_t *token,
                                  struct rf_error *err)
{
    int32_t tokens[RF_ANSWER_BYTES + 2] = {-1};
    struct rf_view text = {word, strlen(word)}, bytes;
    int n = 0;
    enum rf_status st = RF_OK;

    if (word[0] == ' ' && word[1] != '\0') {
        st = rf_vocabulary_encode(voice->given, (struct rf_view){word + 1, text.size_bytes - 1},
                                  "answers", 0, tokens, &n, err);
        bytes = st == RF_OK && n > 0 ? rf_vocabulary_bytes(voice->given, tokens[0])
                                     : (struct rf_view){"", 0};
        *token = tokens[0];
        if (st != RF_OK || (bytes.size_bytes > 1 && bytes.bytes[0] == ' '))
            return st;
    }
    st = rf_vocabulary_encode(voice->given, text, "answers", 0, tokens, &n, err);
    if (st == RF_OK && n == 0)
        st = rf_fail(err, RF_ERR_CONFIG, "task '%s': an answer is empty", voice->options->name);
    *token = n > 0 ? tokens[0] : -1;
    return st;
}

/* What the label of a class is said by. */
static void word_for(const struct rf_labelled *list, int class, char word[RF_ANSWER_BYTES])
{
    const struct rf_task_options *options = list->options;
    static const char *const yes[2] = {" no", " yes"};

    if (options->nanswers > 0)
        memcpy(word, options->answers[class], RF_ANSWER_BYTES);
    else if (strcmp(options->preference, "score") == 0)
        snprintf(word, RF_ANSWER_BYTES, " good");
    else if (options->positive[0] != '\0')
        snprintf(word, RF_ANSWER_BYTES, "%s", yes[class]);
    else
        snprintf(
            word, RF_ANSWER_BYTES, " %.*s",
            (int)(list->labels[class].size_bytes < 60 ? list->labels[class].size_bytes : 60),
            list->labels[class].bytes);
}

static enum rf_status find_answers(const struct rf_labelled *list, struct voice *voice,
                                   struct rf_task_info *info, struct rf_error *err)
{
    const struct rf_task_options *options = list->options;
    int n = info->joined > 1 ? 1 : info->nclass;
    char words[RF_ANSWERS_MAX][RF_ANSWER_BYTES];
    enum rf_status st = RF_OK;

    if (options->nanswers > 0 && options->nanswers != n)
        return rf_fail(err, RF_ERR_CONFIG, "task '%s': there are %d answers for %d label%s",
                       options->name, options->nanswers, n, n == 1 ? "" : "s");
    for (int k = 0; st == RF_OK && k < n; k++) {
        word_for(list, k, words[k]);
        st = first_token(voice, words[k], &info->answers[k], err);
        for (int i = 0; st == RF_OK && i < k; i++)
            if (info->answers[i] == info->answers[k])
                st = rf_fail(err, RF_ERR_CONFIG,
                             "task '%s': the answers '%s' and '%s' begin with the same token, "
                             "%d, in '%.200s'; 'answers' may name others",
                             options->name, words[i], words[k], (int)info->answers[k],
                             options->tokenizer_path);
    }
    info->nanswers = n;
    return st;
}

static enum rf_status read_question(struct voice *voice, struct rf_error *err)
{
    const char *question = voice->options->question;
    struct rf_view text = {question, strlen(question)};

    voice->question = malloc((text.size_bytes + 2) * sizeof *voice->question);
    if (voice->question == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a question");
    return rf_vocabulary_encode(voice->given, text, "question", 0, voice->question,
                                &voice->nquestion, err);
}

static enum rf_status read_vocabulary(struct rf_labelled *list, struct voice *voice,
                                      struct rf_task *task, struct rf_error *err)
{
    enum rf_status st = rf_vocabulary_read(&voice->given, list->options->tokenizer_path, err);

    if (st != RF_OK)
        return st;
    voice->begin = rf_vocabulary_begin(voice->given);
    voice->end = rf_vocabulary_known_end(voice->given);
    task->info.vocabulary = rf_vocabulary_size(voice->given);
    task->info.tokenizer = rf_vocabulary_digest(voice->given);
    task->info.unseen = voice->end >= 0 ? voice->end : voice->begin >= 0 ? voice->begin : 0;
    st = read_question(voice, err);
    if (st == RF_OK && voice->context - voice->nquestion < ROOM_AT_LEAST + (voice->begin >= 0))
        st =
            rf_fail(err, RF_ERR_CONFIG,
                    "task '%s': its question has %d tokens, which leaves no room for a text in "
                    "a context of %d",
                    list->options->name, voice->nquestion, voice->context);
    return st == RF_OK ? find_answers(list, voice, &task->info, err) : st;
}

enum rf_status rf_labelled_encode(struct rf_labelled *list, struct rf_task *task,
                                  struct rf_pools *pools, struct rf_error *err)
{
    const struct rf_task_options *options = list->options;
    int nclass = options->positive[0] != '\0' ? 2 : list->nlabels;
    int scored = strcmp(options->preference, "score") == 0;
    struct voice voice = {.options = options,
                          .begin = -1,
                          .end = -1,
                          .context = options->context > 0 ? options->context : DEFAULT_CONTEXT};
    /* a token per byte; of each text two marks, a blank and a line break; the question, twice */
    size_t room = list->longest_bytes + 2 * strlen(options->question) + 16;
    int32_t *tokens = malloc(room * sizeof *tokens);
    enum rf_status st = RF_OK;

    task->info = (struct rf_task_info){
        .context = voice.context, .nclass = nclass, .joined = scored ? 2 : 1};
    if (tokens == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", options->path);
    if (st == RF_OK)
        st = options->tokenizer_path[0] != '\0'
                 ? read_vocabulary(list, &voice, task, err)
                 : learn_tokenizer(list, &voice, nclass, task, err);
    if (st == RF_OK && scored && options->tokenizer_path[0] == '\0') {
        task->info.answers[0] = task->info.label_begin;
        task->info.nanswers = 1;
    }
    task->corpus_begin = 0;
    task->corpus_count = task->info.vocabulary;
    if (st == RF_OK)
        st = add_prompts(list, &voice, tokens, pools, err);
    if (st == RF_OK)
        st = add_corpus(list, &voice, tokens, task, err);
    voice_clear(&voice);
    free(tokens);
    return st;
}
