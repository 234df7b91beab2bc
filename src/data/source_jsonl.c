/* Labelled texts and preference pairs as JSON lines: an object per line, as data sets are
 * exported by Hugging Face's `to_json()`. Which fields are read, the task says.
 *
 * A preference pair is asked as Burns et al. (2023) ask for it: both replies are shown, and the
 * label says which is the better one. Which comes first is decided by their text, so that the
 * label cannot be told from the place, and never by the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "data/texts.h"

/* ---- fields */

struct line {
    struct rf_text_file *file;
    json_t *object; /* owned */
    long number;
    struct rf_error *err;
};

static enum rf_status bad(const struct line *line, const char *field, const char *what)
{
    return rf_fail(line->err, RF_ERR_INPUT, "%s:%ld: the field '%s' %s", line->file->path,
                   line->number, field, what);
}

/* Copies a field to where it lasts. */
static enum rf_status keep(struct line *line, const char *field, const char *bytes, size_t size,
                           struct rf_view *text)
{
    struct rf_text_file *file = line->file;

    if (size > file->room - file->used)
        return bad(line, field, "is used too often");
    memcpy(file->strings + file->used, bytes, size);
    *text = (struct rf_view){file->strings + file->used, size};
    file->used += size;
    return RF_OK;
}

/* A text that must be there. Line feeds and tabs in it count as blanks. */
static enum rf_status text_of(struct line *line, const char *field, struct rf_view *text)
{
    const json_t *value = json_object_get(line->object, field);
    enum rf_status st;

    if (value == NULL)
        return bad(line, field, "is not there");
    if (!json_is_string(value))
        return bad(line, field, "is no text");
    st = keep(line, field, json_string_value(value), json_string_length(value), text);
    for (size_t i = 0; st == RF_OK && i < text->size_bytes; i++) {
        char *c = line->file->strings + (text->bytes - line->file->strings) + i;

        if (*c == '\n' || *c == '\r' || *c == '\t')
            *c = ' ';
    }
    return st;
}

/* A label: text, a whole number, or a truth value. */
static enum rf_status label_of(struct line *line, const char *field, struct rf_view *label)
{
    const json_t *value = json_object_get(line->object, field);
    char number[32];

    if (json_is_string(value))
        return keep(line, field, json_string_value(value), json_string_length(value), label);
    if (json_is_boolean(value))
        return keep(line, field, json_is_true(value) ? "true" : "false",
                    json_is_true(value) ? 4 : 5, label);
    if (!json_is_integer(value))
        return bad(line, field,
                   value == NULL ? "is not there"
                                 : "is no label: text, a whole number, true or false");
    snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return keep(line, field, number, strlen(number), label);
}

/* The split, where the file has one: in all lines or in none. */
static enum rf_status split_of(struct line *line, const char *field, int *has_split,
                               struct rf_view *split)
{
    const json_t *value = json_object_get(line->object, field);

    *split = (struct rf_view){"", 0};
    if (line->file->tested) {
        *split = (struct rf_view){"test", 4};
        return RF_OK;
    }
    if (*has_split < 0)
        *has_split = value != NULL;
    if (*has_split == 0)
        return value == NULL ? RF_OK
                             : bad(line, field, "is there, and the lines before had none");
    return text_of(line, field, split);
}

/* ---- lines */

static enum rf_status parse(struct line *line, struct rf_view text)
{
    json_error_t wrong;

    line->object = json_loadb(text.bytes, text.size_bytes, JSON_REJECT_DUPLICATES, &wrong);
    if (line->object == NULL)
        return rf_fail(line->err, RF_ERR_INPUT, "%s:%ld: no JSON object: %.100s",
                       line->file->path, line->number, wrong.text);
    if (json_is_object(line->object))
        return RF_OK;
    json_decref(line->object);
    return rf_fail(line->err, RF_ERR_INPUT, "%s:%ld: no JSON object, but another value",
                   line->file->path, line->number);
}

static const char *name_or(const char *name, const char *otherwise)
{
    return name[0] != '\0' ? name : otherwise;
}

static enum rf_status labelled(struct line *line, const struct rf_task_fields *fields,
                               int *has_split, struct rf_text_row *row)
{
    enum rf_status st = split_of(line, name_or(fields->split, "split"), has_split, &row->split);

    if (st == RF_OK)
        st = label_of(line, name_or(fields->label, "label"), &row->label);
    if (st == RF_OK)
        st = text_of(line, name_or(fields->text, "text"), &row->text);
    if (st == RF_OK && fields->second[0] != '\0')
        st = text_of(line, fields->second, &row->second);
    return st;
}

/* A reply of no words is one, too. */
static enum rf_status reply_of(struct line *line, const char *field, struct rf_view *reply)
{
    enum rf_status st = text_of(line, field, reply);

    for (size_t i = 0; st == RF_OK && i < reply->size_bytes; i++)
        if (reply->bytes[i] != ' ')
            return RF_OK;
    *reply = (struct rf_view){"(empty)", 7};
    return st;
}

static enum rf_status pair(struct line *line, const struct rf_task_fields *fields,
                           int *has_split, struct rf_text_row *row)
{
    static const struct rf_view better[2] = {{"first", 5}, {"second", 6}};
    const char *prompt = name_or(fields->prompt, "prompt");
    struct rf_view reply[2]; /* chosen, rejected */
    uint64_t key[2];
    int swapped;
    enum rf_status st = split_of(line, name_or(fields->split, "split"), has_split, &row->split);

    if (st == RF_OK && json_object_get(line->object, prompt) != NULL)
        st = text_of(line, prompt, &row->group);
    if (st == RF_OK)
        st = reply_of(line, name_or(fields->chosen, "chosen"), &reply[0]);
    if (st == RF_OK)
        st = reply_of(line, name_or(fields->rejected, "rejected"), &reply[1]);
    if (st != RF_OK)
        return st;
    for (int i = 0; i < 2; i++)
        key[i] = rf_key_of(reply[i].bytes, reply[i].size_bytes);
    swapped = (int)((key[0] + key[1]) & 1) != (key[0] < key[1]);
    row->text = reply[swapped];
    row->second = reply[!swapped];
    row->label = better[swapped];
    return RF_OK;
}

static enum rf_status read_lines(struct rf_labelled *list, struct rf_text_file *file,
                                 const struct rf_task_options *options, int pairs,
                                 struct rf_error *err)
{
    struct rf_lines lines = rf_lines_begin(file->text.bytes, file->text.size_bytes);
    int has_split = -1;
    struct rf_view text;
    enum rf_status st = RF_OK;

    file->room = 2 * file->text.size_bytes + 64;
    file->strings = malloc(file->room);
    if (file->strings == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", file->path);
    while (st == RF_OK && rf_lines_next(&lines, &text)) {
        struct line line = {.file = file, .number = lines.number, .err = err};
        struct rf_text_row row = {.path = file->path, .line = lines.number};

        st = parse(&line, text);
        if (st != RF_OK)
            break;
        st = pairs ? pair(&line, &options->fields, &has_split, &row)
                   : labelled(&line, &options->fields, &has_split, &row);
        json_decref(line.object);
        if (st == RF_OK)
            st = rf_labelled_add(list, &row, err);
    }
    return st;
}

enum rf_status rf_texts_read_jsonl(struct rf_labelled *list, struct rf_text_file *file,
                                   const struct rf_task_options *options, struct rf_error *err)
{
    return read_lines(list, file, options, 0, err);
}

enum rf_status rf_texts_read_pairs(struct rf_labelled *list, struct rf_text_file *file,
                                   const struct rf_task_options *options, struct rf_error *err)
{
    return read_lines(list, file, options, 1, err);
}
