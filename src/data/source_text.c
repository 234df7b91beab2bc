/* Plain text, to pretrain on: one stream of tokens, of which the last part is held back.
 *
 * Where the text is several documents, each begins with the token that stands between them, which is
 * therefore also what the one before ends with: a model learns to end a document and to
 * begin one. Rows are cut from the stream wherever they fall, so that all are full. */
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "data/source.h"
#include "data/vocabulary.h"
#include "data/words.h"

enum { USUAL_CONTEXT = 256, USUAL_VOCABULARY = 4096, HELD_PART = 10 };
static const size_t FILE_BYTES_MOST = (size_t)1 << 30;

/* The text without its last tenth, up to a whole character. */
static struct rf_view learning_part(struct rf_view text)
{
    struct rf_view part = text;

    part.size_bytes -= text.size_bytes / HELD_PART;
    while (part.size_bytes < text.size_bytes &&
           ((unsigned char)text.bytes[part.size_bytes] & 0xc0) == 0x80)
        part.size_bytes++;
    return part;
}

static enum rf_status make_vocabulary(struct rf_vocabulary **v, struct rf_view text,
                                      const struct rf_task_options *o, struct rf_error *err)
{
    int size = o->vocabulary > 0 ? o->vocabulary : USUAL_VOCABULARY;

    if (strcmp(o->tokenizer, "byte") == 0)
        return rf_vocabulary_of_bytes(v, err);
    if (strcmp(o->tokenizer, "char") == 0)
        return rf_vocabulary_of_characters(v, text, o->path, err);
    if (strcmp(o->tokenizer, "bpe") == 0)
        return rf_vocabulary_learn(v, learning_part(text), size, err);
    return rf_vocabulary_read(v, o->tokenizer_path, err);
}

static int is_blank(struct rf_view line)
{
    for (size_t i = 0; i < line.size_bytes; i++)
        if (line.bytes[i] != ' ' && line.bytes[i] != '\t')
            return 0;
    return 1;
}

/* The next document from byte *at on, which moves behind it; 0: there is none. Blank lines are between
 * paragraphs, and no line is blank. */
static int next_document(struct rf_view text, const char *kind, size_t *at, struct rf_view *doc)
{
    struct rf_lines lines = rf_lines_begin(text.bytes + *at, text.size_bytes - *at);
    int by_line = strcmp(kind, "lines") == 0;
    struct rf_view line;

    *doc = (struct rf_view){NULL, 0};
    while (rf_lines_next(&lines, &line)) {
        if (is_blank(line)) {
            if (doc->bytes != NULL)
                break;
            continue;
        }
        if (doc->bytes == NULL)
            doc->bytes = line.bytes;
        doc->size_bytes = (size_t)(line.bytes + line.size_bytes - doc->bytes);
        if (by_line)
            break;
    }
    *at = (size_t)(lines.at - text.bytes);
    return doc->bytes != NULL;
}

/* All tokens of the text, without the room that is left. */
static enum rf_status encode_all(struct rf_stream *all, struct rf_vocabulary *v,
                                 struct rf_view text, const struct rf_task_options *o,
                                 struct rf_error *err)
{
    int whole = strcmp(o->documents, "file") == 0, n = 0;
    int32_t end = whole ? -1 : rf_vocabulary_end(v);
    struct rf_view doc;
    size_t at = 0;
    enum rf_status st = RF_OK;

    /* a document is followed by a line end, or by the end: a token for each byte, and two more */
    all->tokens = malloc((text.size_bytes + 3) * sizeof *all->tokens);
    if (all->tokens == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for the tokens of '%s'", o->path);
    if (whole) {
        st = rf_vocabulary_encode(v, text, o->path, 0, all->tokens, &n, err);
        all->n = n;
        return st;
    }
    while (st == RF_OK && next_document(text, o->documents, &at, &doc)) {
        all->tokens[all->n++] = end;
        st = rf_vocabulary_encode(v, doc, o->path, (size_t)(doc.bytes - text.bytes),
                                  all->tokens + all->n, &n, err);
        all->n += n;
    }
    all->tokens[all->n++] = end;
    return st;
}

/* The last rows are held back. */
static enum rf_status divide(struct rf_task *task, const struct rf_stream *all,
                             const struct rf_task_options *o, struct rf_error *err)
{
    int64_t T = task->info.context, held = o->validation, learn;

    if (held == 0)
        held = all->n / HELD_PART / T > 0 ? all->n / HELD_PART / T : 1;
    learn = all->n - held * T;
    if (learn < 2 * T)
        return rf_fail(
            err, RF_ERR_INPUT,
            "task '%s': %lld tokens are too few for %lld rows of %lld to validate with "
            "and two to learn from",
            o->name, (long long)all->n, (long long)held, (long long)T);
    /* a row needs the token behind it, which is the next row's first */
    task->held.n = held * T + 1;
    task->held.tokens = malloc((size_t)task->held.n * sizeof *task->held.tokens);
    if (task->held.tokens == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for %lld tokens",
                       (long long)task->held.n);
    memcpy(task->held.tokens, all->tokens + learn - 1,
           (size_t)task->held.n * sizeof *task->held.tokens);
    if (o->corpus_size > 0 && learn > (o->corpus_size + 1) * T)
        learn = (o->corpus_size + 1) * T;
    task->stream.n = learn;
    return RF_OK;
}

enum rf_status rf_source_text(struct rf_task *task, const struct rf_task_options *o,
                              uint64_t seed, struct rf_error *err)
{
    struct rf_vocabulary *v = NULL;
    struct rf_view text = {NULL, 0};
    char *data = NULL;
    enum rf_status st = rf_file_read(o->path, FILE_BYTES_MOST, &data, &text.size_bytes, err);

    (void)seed; /* nothing is drawn */
    text.bytes = data;
    if (st == RF_OK)
        st = make_vocabulary(&v, text, o, err);
    if (st == RF_OK)
        st = encode_all(&task->stream, v, text, o, err);
    if (st == RF_OK) {
        task->info.context = o->context > 0 ? o->context : USUAL_CONTEXT;
        task->info.vocabulary = rf_vocabulary_size(v);
        task->info.tokenizer = rf_vocabulary_digest(v);
        task->document = strcmp(o->documents, "file") == 0 ? 0 : rf_vocabulary_end(v) + 1;
        task->corpus_count = task->info.vocabulary;
        st = divide(task, &task->stream, o, err);
    }
    rf_vocabulary_destroy(v);
    free(data);
    return st;
}
