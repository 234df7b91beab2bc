/* Byte-level tokenizers print each byte as one character: those that can be seen as themselves, the
 * others, in their order, as the characters from U+0100 on. Llama 2's print a blank as U+2581 and
 * a byte that is no character as "<0x0A>". */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "data/vocabulary_parts.h"

enum { TOKENS_MOST = 1 << 24, TEXT_MOST = 1 << 16 };
static const size_t FILE_BYTES_MOST = (size_t)1 << 28;
static const char BLANK_SIGN[] = "\xe2\x96\x81";

/* ---- bytes as characters ---- */

static int can_be_seen(int byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

static void fill_codes(uint32_t code[256])
{
    uint32_t next = 256;

    for (int i = 0; i < 256; i++)
        code[i] = can_be_seen(i) ? (uint32_t)i : next++;
}

/* The bytes behind such a print, in place; 0: it is none. */
static int unprint(char *text, size_t *size)
{
    struct rf_view from = {text, *size};
    uint32_t code[256];
    size_t n = 0, length;

    fill_codes(code);
    for (size_t at = 0; at < from.size_bytes; at += length) {
        uint32_t c;
        int byte = 0;

        length = rf_utf8_length(from, at);
        if (length == 0)
            return 0;
        c = rf_utf8_code(from, at);
        while (byte < 256 && code[byte] != c)
            byte++;
        if (byte == 256)
            return 0;
        text[n++] = (char)(unsigned char)byte;
    }
    *size = n;
    return 1;
}

/* The print of some bytes: at most two bytes for each, and a NUL. */
static void print_bytes(struct rf_view bytes, char *to)
{
    uint32_t code[256];

    fill_codes(code);
    for (size_t i = 0; i < bytes.size_bytes; i++) {
        uint32_t c = code[(unsigned char)bytes.bytes[i]];

        if (c >= 0x80) {
            *to++ = (char)(unsigned char)(0xc0 | c >> 6);
            c = 0x80 | (c & 0x3f);
        }
        *to++ = (char)(unsigned char)c;
    }
    *to = '\0';
}

/* ---- reading ---- */

struct file {
    const char *path;
    int by_character, prefix_space, whole_words;
    const char *expression; /* borrowed; NULL: none */
    json_t *tokens;         /* borrowed: text -> number */
    int ntokens;
};

static enum rf_status refuse(const struct file *f, struct rf_error *err, const char *what)
{
    return rf_fail(err, RF_ERR_INPUT, "cannot read the tokenizer '%.200s': %s", f->path, what);
}

/* A token's text as the bytes it stands for, in buffer; 0: it stands for none. */
static int spelling(const struct file *f, const char *text, char *buffer, size_t *size)
{
    size_t n = strlen(text);

    if (n == 0 || n > TEXT_MOST)
        return 0;
    memcpy(buffer, text, n + 1);
    *size = n;
    if (!f->by_character)
        return unprint(buffer, size);
    *size = 0;
    for (size_t at = 0; at < n;)
        if (strncmp(text + at, BLANK_SIGN, 3) == 0) {
            buffer[(*size)++] = ' ';
            at += 3;
        } else {
            buffer[(*size)++] = text[at++];
        }
    return 1;
}

/* "<0x0A>" is 10; -1: it is no byte's name. */
static int byte_named(const char *text)
{
    unsigned value;
    char after;

    return strlen(text) == 6 && sscanf(text, "<0x%2X>%c", &value, &after) == 1 && text[5] == '>'
               ? (int)value
               : -1;
}

static enum rf_status spell_all(struct rf_vocabulary *v, const struct file *f, char *buffer,
                                struct rf_error *err)
{
    const char *text;
    json_t *number;
    size_t size;
    enum rf_status st = RF_OK;

    json_object_foreach(f->tokens, text, number)
    {
        int32_t token = (int32_t)json_integer_value(number);
        int byte = f->by_character ? byte_named(text) : -1;

        if (byte >= 0)
            v->byte_token[byte] = token;
        else if (spelling(f, text, buffer, &size))
            st = rf_bpe_spell(v->bpe, token, (struct rf_view){buffer, size}, err);
        if (st == RF_ERR_INPUT)
            st = refuse(f, err, "two tokens have the same text or number");
        if (st != RF_OK)
            return st;
    }
    for (int i = 0; i < 256 && !f->by_character; i++) {
        char c = (char)(unsigned char)i;

        v->byte_token[i] = rf_bpe_token(v->bpe, (struct rf_view){&c, 1});
    }
    return RF_OK;
}

/* One merge of two texts. */
static enum rf_status add_merge(struct rf_vocabulary *v, const struct file *f, const char *left,
                                const char *right, char *buffer, struct rf_error *err)
{
    const char *texts[2] = {left, right};
    int32_t token[2];
    enum rf_status st;

    for (int i = 0; i < 2; i++) {
        size_t size;

        token[i] = spelling(f, texts[i], buffer, &size)
                       ? rf_bpe_token(v->bpe, (struct rf_view){buffer, size})
                       : -1;
    }
    st = token[0] >= 0 && token[1] >= 0 ? rf_bpe_merge(v->bpe, token[0], token[1], err)
                                        : RF_ERR_INPUT;
    if (st != RF_ERR_INPUT)
        return st;
    return rf_fail(err, RF_ERR_INPUT,
                   "cannot read the tokenizer '%.200s': no merge of '%.40s' and '%.40s' is "
                   "possible",
                   f->path, left, right);
}

/* "left right", of `size` bytes. */
static enum rf_status add_merge_line(struct rf_vocabulary *v, const struct file *f,
                                     const char *line, size_t size, char *buffer,
                                     struct rf_error *err)
{
    char *copy = malloc(size + 1), *blank;
    enum rf_status st;

    if (copy == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for a merge");
    memcpy(copy, line, size);
    copy[size] = '\0';
    blank = strchr(copy, ' ');
    if (blank == NULL) {
        st = refuse(f, err, "a merge is not two texts with a blank between them");
    } else {
        *blank = '\0';
        st = add_merge(v, f, copy, blank + 1, buffer, err);
    }
    free(copy);
    return st;
}

static enum rf_status add_merges(struct rf_vocabulary *v, const struct file *f,
                                 const json_t *merges, char *buffer, struct rf_error *err)
{
    enum rf_status st = RF_OK;
    size_t i;
    json_t *item;

    json_array_foreach(merges, i, item)
    {
        const char *left = json_string_value(json_array_get(item, 0));
        const char *right = json_string_value(json_array_get(item, 1));

        if (json_is_string(item))
            st = add_merge_line(v, f, json_string_value(item), json_string_length(item), buffer,
                                err);
        else if (left != NULL && right != NULL)
            st = add_merge(v, f, left, right, buffer, err);
        else
            st = refuse(f, err, "a merge is neither a text nor a pair of texts");
        if (st != RF_OK)
            return st;
    }
    return RF_OK;
}

/* The numbers of all tokens are below *n. */
static enum rf_status count_tokens(const struct file *f, int *n, struct rf_error *err)
{
    const char *text;
    json_t *number;

    json_object_foreach(f->tokens, text, number)
    {
        json_int_t value = json_is_integer(number) ? json_integer_value(number) : -1;

        if (value < 0 || value >= TOKENS_MOST)
            return refuse(f, err, "a token has no number, or one beyond 16,777,215");
        *n = (int)value + 1 > *n ? (int)value + 1 : *n;
    }
    return *n > 0 ? RF_OK : refuse(f, err, "it has no tokens");
}

/* The token between documents, by its usual names. */
static void find_end(struct rf_vocabulary *v, const struct file *f, const json_t *added)
{
    static const char *const names[] = {"<|endoftext|>", "<|end_of_text|>", "</s>"};
    size_t i;
    json_t *item;

    for (int k = 0; k < 3 && v->end < 0; k++) {
        json_t *number = json_object_get(f->tokens, names[k]);

        if (json_is_integer(number))
            v->end = (int32_t)json_integer_value(number);
        json_array_foreach(added, i, item)
        {
            const char *text = json_string_value(json_object_get(item, "content"));

            if (v->end < 0 && text != NULL && strcmp(text, names[k]) == 0)
                v->end = (int32_t)json_integer_value(json_object_get(item, "id"));
        }
    }
}

/* merges: an array; or NULL, and lines [size]. added: of tokenizer.json, or NULL. */
static enum rf_status build(struct rf_vocabulary **v, struct file *f, const json_t *merges,
                            const char *lines, size_t size, const json_t *added,
                            struct rf_error *err)
{
    char *buffer = malloc(TEXT_MOST + 1);
    struct rf_lines at = rf_lines_begin(lines, size);
    struct rf_view line;
    int room = merges != NULL ? (int)json_array_size(merges) : 0;
    size_t i;
    json_t *item;
    enum rf_status st = buffer != NULL ? count_tokens(f, &f->ntokens, err)
                                       : rf_fail(err, RF_ERR_MEMORY, "out of memory");

    json_array_foreach(added, i, item)
    {
        json_int_t id = json_integer_value(json_object_get(item, "id"));

        if (st == RF_OK && (id < 0 || id >= TOKENS_MOST))
            st = refuse(f, err, "an added token has no number, or one beyond 16,777,215");
        f->ntokens = st == RF_OK && id >= f->ntokens ? (int)id + 1 : f->ntokens;
    }
    for (size_t k = 0; k < size; k++)
        room += lines[k] == '\n';
    if (st == RF_OK)
        st = rf_vocabulary_of_pairs(v, f->ntokens, room + 1, f->expression, err);
    if (st == RF_OK) {
        (*v)->by_character = f->by_character;
        (*v)->prefix_space = f->prefix_space;
        (*v)->whole_words = f->whole_words;
        st = spell_all(*v, f, buffer, err);
    }
    if (st == RF_OK)
        st = add_merges(*v, f, merges, buffer, err);
    while (st == RF_OK && merges == NULL && rf_lines_next(&at, &line))
        if (line.size_bytes > 0 && !(at.number == 1 && line.bytes[0] == '#'))
            st = add_merge_line(*v, f, line.bytes, line.size_bytes, buffer, err);
    if (st == RF_OK)
        find_end(*v, f, added);
    free(buffer);
    if (st != RF_OK) {
        rf_vocabulary_destroy(*v);
        *v = NULL;
    }
    return st;
}

static int is(const json_t *object, const char *key, const char *value)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL && strcmp(text, value) == 0;
}

/* One step of how texts are cut before they are merged. */
static enum rf_status read_step(struct file *f, const json_t *step, struct rf_error *err)
{
    const char *pattern =
        json_string_value(json_object_get(json_object_get(step, "pattern"), "Regex"));

    if (is(step, "type", "ByteLevel")) {
        f->prefix_space = json_is_true(json_object_get(step, "add_prefix_space"));
        if (!json_is_false(json_object_get(step, "use_regex")))
            f->expression = rf_words_gpt2;
        return RF_OK;
    }
    if (is(step, "type", "Metaspace") && is(step, "replacement", BLANK_SIGN) &&
        json_is_false(json_object_get(step, "split"))) {
        f->by_character = 1;
        f->prefix_space = !is(step, "prepend_scheme", "never");
        return RF_OK;
    }
    if (is(step, "type", "Split") && pattern != NULL && is(step, "behavior", "Isolated") &&
        !json_is_true(json_object_get(step, "invert"))) {
        f->expression = pattern;
        return RF_OK;
    }
    return refuse(
        f, err,
        "it cuts texts in a way that is not known here (known: ByteLevel; Split by an "
        "expression; Metaspace without splits)");
}

static enum rf_status read_cutting(struct file *f, const json_t *root, struct rf_error *err)
{
    const json_t *cut = json_object_get(root, "pre_tokenizer");
    const json_t *change = json_object_get(root, "normalizer");
    const json_t *steps = json_object_get(cut, "pretokenizers"), *step;
    enum rf_status st = RF_OK;
    size_t i;

    if (is(change, "type", "Sequence")) {
        const json_t *changes = json_object_get(change, "normalizers"), *first, *second;

        first = json_array_get(changes, 0);
        second = json_array_get(changes, 1);
        if (json_array_size(changes) != 2 || !is(first, "type", "Prepend") ||
            !is(first, "prepend", BLANK_SIGN) || !is(second, "type", "Replace") ||
            !is(second, "content", BLANK_SIGN))
            return refuse(f, err, "it changes texts in a way that is not known here");
        f->by_character = f->prefix_space = 1;
    } else if (json_is_object(change)) {
        return refuse(f, err, "it changes texts in a way that is not known here");
    }
    if (!is(cut, "type", "Sequence"))
        return json_is_object(cut) ? read_step(f, cut, err) : RF_OK;
    json_array_foreach(steps, i, step)
    {
        if (st == RF_OK)
            st = read_step(f, step, err);
    }
    return st;
}

/* The token that the template for one text begins with; a processor may be a list of several. */
static int32_t find_begin(const json_t *processor)
{
    const json_t *parts = json_object_get(processor, "processors"), *part, *first, *id;
    const char *name;
    int32_t begin = -1;
    size_t i;

    json_array_foreach(parts, i, part)
    {
        if (begin < 0 && !json_is_array(json_object_get(part, "processors")))
            begin = find_begin(part);
    }
    if (!is(processor, "type", "TemplateProcessing"))
        return begin;
    first = json_object_get(json_array_get(json_object_get(processor, "single"), 0),
                            "SpecialToken");
    name = json_string_value(json_object_get(first, "id"));
    id = name == NULL
             ? NULL
             : json_array_get(
                   json_object_get(
                       json_object_get(json_object_get(processor, "special_tokens"), name),
                       "ids"),
                   0);
    return json_is_integer(id) && json_integer_value(id) >= 0 &&
                   json_integer_value(id) < TOKENS_MOST
               ? (int32_t)json_integer_value(id)
               : -1;
}

static enum rf_status read_whole(struct rf_vocabulary **v, struct file *f, const json_t *root,
                                 struct rf_error *err)
{
    const json_t *model = json_object_get(root, "model"),
                 *kind = json_object_get(model, "type");
    enum rf_status st;

    if (kind != NULL && !is(model, "type", "BPE"))
        return refuse(f, err, "its model is not BPE");
    st = read_cutting(f, root, err);
    if (st != RF_OK)
        return st;
    if (!f->by_character && f->expression == NULL)
        return refuse(f, err,
                      "it is neither byte-level nor has it bytes for unknown characters");
    f->whole_words = json_is_true(json_object_get(model, "ignore_merges"));
    f->tokens = json_object_get(model, "vocab");
    st = build(v, f, json_object_get(model, "merges"), "", 0,
               json_object_get(root, "added_tokens"), err);
    if (st != RF_OK)
        return st;
    (*v)->begin = find_begin(json_object_get(root, "post_processor"));
    if ((*v)->begin >= rf_vocabulary_size(*v)) {
        rf_vocabulary_destroy(*v);
        *v = NULL;
        return refuse(f, err, "a text begins with a token that there is not");
    }
    return RF_OK;
}

/* GPT-2's two files. */
static enum rf_status read_pair(struct rf_vocabulary **v, struct file *f, json_t *root,
                                struct rf_error *err)
{
    char folder[RF_PATH_BYTES], path[RF_PATH_BYTES], *lines = NULL, *slash;
    size_t size = 0;
    enum rf_status st;

    snprintf(folder, sizeof folder, "%s", f->path);
    slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = '\0';
    st = rf_file_join(path, slash != NULL ? folder : ".", "merges.txt", err);
    if (st == RF_OK)
        st = rf_file_read(path, FILE_BYTES_MOST, &lines, &size, err);
    f->tokens = root;
    f->expression = rf_words_gpt2;
    if (st == RF_OK)
        st = build(v, f, NULL, lines, size, NULL, err);
    free(lines);
    return st;
}

/* The file in a directory, or the path itself. */
static enum rf_status choose(char chosen[RF_PATH_BYTES], const char *path, struct rf_error *err)
{
    static const char *const names[] = {"tokenizer.json", "vocab.json"};

    for (int i = 0; i < 2; i++)
        if (rf_file_join(chosen, path, names[i], err) == RF_OK && rf_file_exists(chosen))
            return RF_OK;
    if (strlen(path) >= RF_PATH_BYTES)
        return rf_fail(err, RF_ERR_ARG, "the path '%.80s...' is too long", path);
    memcpy(chosen, path, strlen(path) + 1);
    return RF_OK;
}

enum rf_status rf_vocabulary_read(struct rf_vocabulary **v, const char *path,
                                  struct rf_error *err)
{
    char chosen[RF_PATH_BYTES], *text = NULL;
    struct file f = {.path = chosen};
    size_t size = 0;
    json_t *root = NULL;
    json_error_t why;
    enum rf_status st = choose(chosen, path, err);

    *v = NULL;
    if (st == RF_OK)
        st = rf_file_read(chosen, FILE_BYTES_MOST, &text, &size, err);
    if (st == RF_OK) {
        root = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
        if (!json_is_object(root))
            st = rf_fail(err, RF_ERR_INPUT, "'%.200s': line %d: %.100s", chosen,
                         root == NULL ? why.line : 1, root == NULL ? why.text : "no object");
    }
    if (st == RF_OK && json_is_object(json_object_get(root, "model"))) /* not the word */
        st = read_whole(v, &f, root, err);
    else if (st == RF_OK)
        st = read_pair(v, &f, root, err);
    json_decref(root);
    free(text);
    return st;
}

/* ---- writing ---- */

static json_t *printed(struct rf_view bytes, char *buffer)
{
    print_bytes(bytes, buffer);
    return json_string(buffer);
}

/* All tokens, and all merges; -1: without memory. */
static int print_pairs(const struct rf_vocabulary *v, json_t *tokens, json_t *merges)
{
    size_t longest = 0;
    char *buffer;
    int failed;

    for (int32_t i = 0; i < rf_bpe_size(v->bpe); i++)
        if (rf_bpe_bytes(v->bpe, i).size_bytes > longest)
            longest = rf_bpe_bytes(v->bpe, i).size_bytes;
    buffer = malloc(2 * longest + 1);
    failed = buffer == NULL;
    for (int32_t i = 0; !failed && i < rf_bpe_size(v->bpe); i++) {
        print_bytes(rf_bpe_bytes(v->bpe, i), buffer);
        failed = json_object_set_new(tokens, buffer, json_integer(i)) != 0;
    }
    for (int i = 0; !failed && i < rf_bpe_merges(v->bpe); i++) {
        int32_t left, right;
        json_t *pair = json_array();

        rf_bpe_merge_at(v->bpe, i, &left, &right);
        failed =
            json_array_append_new(pair, printed(rf_bpe_bytes(v->bpe, left), buffer)) != 0 ||
            json_array_append_new(pair, printed(rf_bpe_bytes(v->bpe, right), buffer)) != 0;
        failed = json_array_append_new(merges, pair) != 0 || failed;
    }
    free(buffer);
    return failed ? -1 : 0;
}

enum rf_status rf_vocabulary_json(const struct rf_vocabulary *v, char **json,
                                  struct rf_error *err)
{
    json_t *tokens = json_object(), *merges = json_array(), *root = NULL;

    *json = NULL;
    if (!v->learnt) {
        json_decref(tokens);
        json_decref(merges);
        return rf_fail(err, RF_ERR_ARG, "only a vocabulary that was learnt here is written");
    }
    if (print_pairs(v, tokens, merges) == 0)
        root = json_pack(
            "{s:s, s:n, s:n, s:[], s:n, s:{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, {s:s, s:b, s:b, "
            "s:b}]}, s:n, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, "
            "s:O, "
            "s:O}}",
            "version", "1.0", "truncation", "padding", "added_tokens", "normalizer",
            "pre_tokenizer", "type", "Sequence", "pretokenizers", "type", "Split", "pattern",
            "Regex", v->expression, "behavior", "Isolated", "invert", 0, "type", "ByteLevel",
            "add_prefix_space", 0, "trim_offsets", 0, "use_regex", 0, "post_processor",
            "decoder", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 0,
            "use_regex", 0, "model", "type", "BPE", "dropout", "unk_token",
            "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback",
            0, "ignore_merges", 0, "vocab", tokens, "merges", merges);
    json_decref(tokens);
    json_decref(merges);
    if (root != NULL)
        *json = json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    return *json != NULL ? RF_OK : rf_fail(err, RF_ERR_MEMORY, "out of memory for a tokenizer");
}
