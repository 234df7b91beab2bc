/* The tables of schema.h, walked over what libconfig has read. The only file that
 * includes libconfig.h.
 *
 * Overrides are applied to libconfig's tree before anything is looked at, so a value from the
 * command line meets the same checks as one from the file; its settings carry the override as
 * their hook, which is how messages find their way back to it. */
#include "config/config.h"

#include <libconfig.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/check.h"
#include "config/moment.h"
#include "config/scan.h"
#include "config/schema.h"

enum { PATH_TEXT = 300, VALUE_TEXT = 120 };

struct reader {
    config_t tree;
    const char *filename;
    char folder[RF_PATH_BYTES]; /* of the file, absolute */
    const int64_t *origin_us;   /* of dates, NULL: there are none; 0: not known */
    struct rf_error *err;
};

/* ---- where things are, and what they are */

static void place_of(void *ctx, const char *path, char *place, size_t size)
{
    const struct reader *r = ctx;
    const config_setting_t *found = NULL;
    char key[PATH_TEXT];
    int line;

    snprintf(key, sizeof key, "%s", path);
    while (key[0] != '\0' && (found = config_lookup(&r->tree, key)) == NULL) {
        char *dot = strrchr(key, '.');

        *(dot != NULL ? dot : key) = '\0';
    }
    for (; found != NULL; found = config_setting_parent(found))
        if (config_setting_get_hook(found) != NULL) {
            snprintf(place, size, "--set %s", (const char *)config_setting_get_hook(found));
            return;
        } else if ((line = (int)config_setting_source_line(found)) > 0) {
            snprintf(place, size, "%s:%d", r->filename, line);
            return;
        }
    snprintf(place, size, "%s", r->filename);
}

/* "the string 'x'", "the number 3", "a list": what stands where something else was expected. */
static void describe(const config_setting_t *s, char *text, size_t size)
{
    switch (s == NULL ? CONFIG_TYPE_NONE : config_setting_type(s)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        snprintf(text, size, "%lld", config_setting_get_int64(s));
        break;
    case CONFIG_TYPE_FLOAT:
        snprintf(text, size, "%.9g", config_setting_get_float(s));
        break;
    case CONFIG_TYPE_STRING:
        snprintf(text, size, "the string '%.60s'", config_setting_get_string(s));
        break;
    case CONFIG_TYPE_BOOL:
        snprintf(text, size, config_setting_get_bool(s) ? "true" : "false");
        break;
    case CONFIG_TYPE_GROUP:
        snprintf(text, size, "a group {...}");
        break;
    case CONFIG_TYPE_LIST:
        snprintf(text, size, "a list (...)");
        break;
    case CONFIG_TYPE_ARRAY:
        snprintf(text, size, "an array [...]");
        break;
    default:
        snprintf(text, size, "nothing");
    }
}

static enum rf_status expected(struct reader *r, const char *path, const config_setting_t *got,
                               const char *fmt, ...) RF_PRINTF(4, 5);

static enum rf_status expected(struct reader *r, const char *path, const config_setting_t *got,
                               const char *fmt, ...)
{
    char want[300], have[VALUE_TEXT];
    va_list args;

    va_start(args, fmt);
    vsnprintf(want, sizeof want, fmt, args);
    va_end(args);
    describe(got, have, sizeof have);
    return rf_config_refuse(place_of, r, path, r->err, "expected %s, got %s", want, have);
}

/* ---- single values */

static int number_of(const config_setting_t *s, double *value)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        *value = (double)config_setting_get_int64(s);
        return 1;
    case CONFIG_TYPE_FLOAT:
        *value = config_setting_get_float(s);
        return isfinite(*value);
    default:
        return 0;
    }
}

static enum rf_status read_number(struct reader *r, const struct rf_key *k, const char *path,
                                  const config_setting_t *s, void *to)
{
    int whole = k->kind != RF_KEY_NUMBER;
    double value = k->number;

    if (s != NULL && (!number_of(s, &value) || value < k->min || value > k->max ||
                      (whole && config_setting_type(s) == CONFIG_TYPE_FLOAT)))
        return expected(r, path, s, "%s from %.12g to %.12g",
                        whole ? "a whole number" : "a number", k->min, k->max);
    if (k->kind == RF_KEY_INT)
        *(int *)to = (int)value;
    else if (k->kind == RF_KEY_LONG)
        *(int64_t *)to = (int64_t)value;
    else
        *(double *)to = value;
    return RF_OK;
}

/* Beyond thirty years a microsecond is too fine for a double, and would not read back the same.
 */
static int64_t microseconds(double seconds)
{
    return seconds < 1e9 ? (int64_t)llround(seconds * 1e6)
                         : (int64_t)llround(seconds) * 1000000;
}

static enum rf_status read_seconds(struct reader *r, const struct rf_key *k, const char *path,
                                   const config_setting_t *s, int64_t *to)
{
    const char *text = s != NULL ? config_setting_get_string(s) : NULL;
    double value = k->number;

    if (s == NULL) {
        *to = value < 0 ? -1 : microseconds(value);
        return RF_OK;
    }
    if (text != NULL) {
        if (!rf_duration_parse(text, to))
            return expected(r, path, s,
                            "a number of seconds, or text such as \"30d\" with one of the "
                            "units y w d h m s ms");
        value = (double)*to / 1e6;
    } else if (!number_of(s, &value)) {
        value = NAN;
    }
    if (!(value >= k->min && value <= k->max))
        return expected(r, path, s, "a number of seconds from %.12g to %.12g", k->min, k->max);
    if (text == NULL || value >= 1e9)
        *to = microseconds(value);
    return RF_OK;
}

/* A point in time, counted from the start of the simulation. */
static enum rf_status read_time(struct reader *r, const struct rf_key *k, const char *path,
                                const config_setting_t *s, int64_t *to)
{
    const char *text = s != NULL ? config_setting_get_string(s) : NULL;
    int64_t date_us;

    if (text == NULL || !rf_date_parse(text, &date_us))
        return read_seconds(r, k, path, s, to);
    if (r->origin_us == NULL)
        return expected(r, path, s, "no date, since times count from the start of the run");
    if (*r->origin_us == 0)
        return expected(r, path, s, "no date, since 'simulate.start' does not say when it is");
    *to = date_us - *r->origin_us;
    if (*to < 0 || (double)*to > k->max * 1e6)
        return expected(r, path, s, "a date from 'simulate.start' on, within %.12g seconds",
                        k->max);
    return RF_OK;
}

static enum rf_status read_date(struct reader *r, const struct rf_key *k, const char *path,
                                const config_setting_t *s, int64_t *to)
{
    const char *text = s != NULL ? config_setting_get_string(s) : k->text;

    *to = 0;
    if (text != NULL && text[0] == '\0')
        return RF_OK;
    if (text == NULL || !rf_date_parse(text, to) || *to == 0)
        return expected(r, path, s,
                        "a date after 1970-01-01 such as \"2024-05-17\" or "
                        "\"2024-05-17T09:30:00Z\", or \"\"");
    return RF_OK;
}

/* Is text[0 .. length-1] one of the words (separated by single spaces)? Its position, or -1. */
static int word_index(const char *words, const char *text)
{
    size_t length = strlen(text);
    int index = 0;

    while (*words != '\0') {
        size_t n = strcspn(words, " ");

        if (n == length && memcmp(words, text, n) == 0)
            return index;
        words += n;
        words += *words == ' ';
        index++;
    }
    return -1;
}

static int is_name(const char *text, size_t most, int dotted)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t length = strlen(text);
    int fresh = 1; /* a part begins here: it may not begin with '-' */

    if (length == 0 || length > most)
        return 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr(letters, *c) != NULL || (*c == '-' && !fresh))
            fresh = 0;
        else if (*c == '.' && dotted && !fresh)
            fresh = 1;
        else
            return 0;
    }
    return !fresh;
}

static enum rf_status resolve(struct reader *r, const char *path, const config_setting_t *s,
                              const char *text, char *to, size_t size)
{
    int n;

    if (text[0] == '\0' || text[0] == '/')
        n = snprintf(to, size, "%s", text);
    else
        n = snprintf(to, size, "%s/%s", r->folder, text);
    if (n < 0 || (size_t)n >= size)
        return expected(r, path, s, "a path that is shorter than %d bytes when resolved",
                        RF_PATH_BYTES);
    return RF_OK;
}

static enum rf_status read_text(struct reader *r, const struct rf_key *k, const char *path,
                                const config_setting_t *s, char *to)
{
    const char *text = s != NULL ? config_setting_get_string(s) : k->text;
    char number[32];

    if (text == NULL && k->kind == RF_KEY_TEXT && k->words == NULL &&
        config_setting_get_hook(s) != NULL && config_setting_type(s) == CONFIG_TYPE_INT) {
        /* an override without quotes around a text that looks like a number */
        snprintf(number, sizeof number, "%d", config_setting_get_int(s));
        text = number;
    }
    if (k->kind == RF_KEY_NAME &&
        (text == NULL || (s != NULL && !is_name(text, RF_KEY_NAME_MAX, 0)))) {
        if (text == NULL || text[0] != '\0' || k->required)
            return expected(r, path, s,
                            "a name of letters, digits, '_' and '-', at most %d long",
                            RF_KEY_NAME_MAX);
    }
    if (k->kind == RF_KEY_ACCOUNT && (text == NULL || !is_name(text, RF_NAME_BYTES - 1, 1)) &&
        (text == NULL || text[0] != '\0' || k->text == NULL || k->text[0] != '\0'))
        return expected(r, path, s,
                        "an account such as \"alignment.oversight\", at most %d long",
                        RF_NAME_BYTES - 1);
    if (k->words != NULL && (text == NULL || word_index(k->words, text) < 0))
        return expected(r, path, s, "one of: %s", k->words);
    if (text == NULL)
        return expected(r, path, s, "text in double quotes");
    if (k->kind == RF_KEY_PATH)
        return resolve(r, path, s, text, to, k->size);
    if (strlen(text) >= k->size)
        return expected(r, path, s, "text of at most %zu bytes", k->size - 1);
    snprintf(to, k->size, "%s", text);
    return RF_OK;
}

static enum rf_status read_share(struct reader *r, const char *path, const config_setting_t *s,
                                 const char *otherwise, struct rf_share *to)
{
    char text[VALUE_TEXT] = "";
    double value;

    if (s == NULL && otherwise != NULL)
        snprintf(text, sizeof text, "%s", otherwise);
    else if (s != NULL && config_setting_get_string(s) != NULL)
        snprintf(text, sizeof text, "%s", config_setting_get_string(s));
    else if (s != NULL && number_of(s, &value))
        snprintf(text, sizeof text, "%.12g", value);
    if (rf_share_parse(to, text, NULL) != RF_OK)
        return expected(r, path, s, "a share from 0 to 1 such as \"20%%\", \"1/5\" or 0.2");
    return RF_OK;
}

/* ---- several values */

static int is_sequence(const config_setting_t *s)
{
    return config_setting_type(s) == CONFIG_TYPE_ARRAY ||
           config_setting_type(s) == CONFIG_TYPE_LIST;
}

static enum rf_status read_names(struct reader *r, const struct rf_key *k, const char *path,
                                 const config_setting_t *s, char *base)
{
    char(*to)[RF_NAME_BYTES] = (void *)(base + k->offset);
    int n = s != NULL && is_sequence(s) ? config_setting_length(s) : 0;
    int dotted = k->kind == RF_KEY_ACCOUNTS;
    int texts = k->kind == RF_KEY_TEXTS;
    size_t most = dotted || texts ? RF_NAME_BYTES - 1 : RF_KEY_NAME_MAX;

    if (s != NULL && (!is_sequence(s) || n > (int)k->size))
        return expected(r, path, s, "an array of at most %zu %s: [\"a\", \"b\"]", k->size,
                        texts ? "texts" : "names");
    for (int i = 0; i < n; i++) {
        const char *text = config_setting_get_string_elem(s, i);

        if (texts && (text == NULL || text[0] == '\0' || strlen(text) > most))
            return expected(r, path, config_setting_get_elem(s, (unsigned)i),
                            "an array of texts of 1 to %zu bytes", most);
        if (text == NULL || (!texts && !is_name(text, most, dotted)))
            return expected(r, path, config_setting_get_elem(s, (unsigned)i), "an array of %s",
                            dotted ? "accounts" : "names");
        if (k->words != NULL && word_index(k->words, text) < 0)
            return expected(r, path, config_setting_get_elem(s, (unsigned)i),
                            "an array of some of: %s", k->words);
        snprintf(to[i], sizeof to[i], "%s", text);
    }
    *(int *)(void *)(base + k->count_offset) = n;
    return RF_OK;
}

static enum rf_status read_words(struct reader *r, const struct rf_key *k, const char *path,
                                 const config_setting_t *s, char *base)
{
    const char *word = k->words;

    if (s != NULL && !is_sequence(s))
        return expected(r, path, s, "an array of some of: %s", k->words);
    for (int i = 0; *word != '\0'; i++) { /* the default */
        char text[VALUE_TEXT];
        size_t n = strcspn(word, " ");

        snprintf(text, sizeof text, "%.*s", (int)n, word);
        *(int *)(void *)(base + k->word_offsets[i]) =
            s == NULL && word_index(k->text, text) >= 0;
        word += n;
        word += *word == ' ';
    }
    for (int i = 0; s != NULL && i < config_setting_length(s); i++) {
        const char *text = config_setting_get_string_elem(s, i);
        int index = text != NULL ? word_index(k->words, text) : -1;

        if (index < 0)
            return expected(r, path, config_setting_get_elem(s, (unsigned)i),
                            "an array of some of: %s", k->words);
        *(int *)(void *)(base + k->word_offsets[index]) = 1;
    }
    return RF_OK;
}

/* The default of an array of durations: written like them, with spaces between. */
static int default_durations(const struct rf_key *k, int64_t *to)
{
    const char *at = k->text != NULL ? k->text : "";
    int n = 0;

    for (; *at != '\0'; n++) {
        char text[VALUE_TEXT];
        size_t length = strcspn(at, " ");

        snprintf(text, sizeof text, "%.*s", (int)length, at);
        rf_duration_parse(text, &to[n]);
        at += length;
        at += *at == ' ';
    }
    return n;
}

/* An array of shares or durations. */
static enum rf_status read_array(struct reader *r, const struct rf_key *k, const char *path,
                                 const config_setting_t *s, char *base)
{
    void *to = base + k->offset;
    int *count = (void *)(base + k->count_offset);
    int n = s != NULL && is_sequence(s) ? config_setting_length(s) : 0;
    enum rf_status st = RF_OK;

    if (s != NULL && (!is_sequence(s) || n > (int)k->size))
        return expected(r, path, s, "an array of at most %zu values: [ , , ]", k->size);
    for (int i = 0; st == RF_OK && i < n; i++) {
        const config_setting_t *member = config_setting_get_elem(s, (unsigned)i);

        if (k->kind == RF_KEY_SHARES)
            st = read_share(r, path, member, NULL, (struct rf_share *)to + i);
        else
            st = read_seconds(r, k, path, member, (int64_t *)to + i);
    }
    *count = s == NULL && k->kind == RF_KEY_DURATIONS ? default_durations(k, to) : n;
    return st;
}

static enum rf_status read_flag(struct reader *r, const struct rf_key *k, const char *path,
                                const config_setting_t *s, int *to)
{
    if (s != NULL && config_setting_type(s) != CONFIG_TYPE_BOOL)
        return expected(r, path, s, "true or false");
    *to = s != NULL ? config_setting_get_bool(s) : (int)k->number;
    return RF_OK;
}

/* ---- groups */

static enum rf_status read_group(struct reader *r, const struct rf_key *keys, const char *path,
                                 const config_setting_t *group, char *base);
static enum rf_status read_list(struct reader *r, const struct rf_key *k, const char *path,
                                const config_setting_t *list, char *base);
static enum rf_status read_member(struct reader *r, const struct rf_key *k, const char *path,
                                  const config_setting_t *group, char *base);

static enum rf_status read_key(struct reader *r, const struct rf_key *k, const char *path,
                               const config_setting_t *s, char *base)
{
    void *to = base + k->offset;

    if (s == NULL && k->required && k->kind == RF_KEY_GROUP)
        return expected(r, path, s, "a group {...}");
    switch (k->kind) {
    case RF_KEY_TEXT:
    case RF_KEY_NAME:
    case RF_KEY_ACCOUNT:
    case RF_KEY_PATH:
        return read_text(r, k, path, s, to);
    case RF_KEY_INT:
    case RF_KEY_LONG:
    case RF_KEY_NUMBER:
        if (s == NULL && k->required)
            return expected(r, path, s, "a number from %.12g to %.12g", k->min, k->max);
        return read_number(r, k, path, s, to);
    case RF_KEY_SECONDS:
    case RF_KEY_TIME:
        if (s == NULL && k->required)
            return expected(r, path, s, "a time or number of seconds");
        return k->kind == RF_KEY_TIME ? read_time(r, k, path, s, to)
                                      : read_seconds(r, k, path, s, to);
    case RF_KEY_DATE:
        return read_date(r, k, path, s, to);
    case RF_KEY_FLAG:
        return read_flag(r, k, path, s, to);
    case RF_KEY_SHARE:
        return read_share(r, path, s, k->text, to);
    case RF_KEY_NAMES:
    case RF_KEY_ACCOUNTS:
    case RF_KEY_TEXTS:
        return read_names(r, k, path, s, base);
    case RF_KEY_WORDS:
        return read_words(r, k, path, s, base);
    case RF_KEY_SHARES:
    case RF_KEY_DURATIONS:
        return read_array(r, k, path, s, base);
    case RF_KEY_GROUP:
        return read_group(r, k->group, path, s, to);
    case RF_KEY_LIST:
        return read_list(r, k, path, s, base);
    case RF_KEY_MEMBER:
        return s != NULL ? read_member(r, k, path, s, base) : RF_OK;
    case RF_KEY_PASSED:
        return RF_OK;
    }
    return RF_OK;
}

/* The known keys of a group, for the message about one that is not among them. */
static void list_keys(const struct rf_key *keys, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0';
    for (; keys->key != NULL && at < size; keys++)
        at += (size_t)snprintf(text + at, size - at, at > 0 ? ", %s" : "%s", keys->key);
}

/* The path of a key in a group; the outermost group has no name. */
static void join(char to[PATH_TEXT], const char *path, const char *key)
{
    snprintf(to, PATH_TEXT, "%s%s%.80s", path, path[0] != '\0' ? "." : "", key);
}

static enum rf_status refuse_unknown(struct reader *r, const struct rf_key *keys,
                                     const char *path, const config_setting_t *group)
{
    char known[300], key[PATH_TEXT];

    for (int i = 0; i < config_setting_length(group); i++) {
        const char *name = config_setting_name(config_setting_get_elem(group, (unsigned)i));
        const struct rf_key *k = keys;

        while (k->key != NULL && strcmp(k->key, name) != 0)
            k++;
        if (k->key != NULL)
            continue;
        list_keys(keys, known, sizeof known);
        join(key, path, name);
        return rf_config_refuse(place_of, r, key, r->err, "expected one of %s, got '%.60s'",
                                known, name);
    }
    return RF_OK;
}

static enum rf_status read_group(struct reader *r, const struct rf_key *keys, const char *path,
                                 const config_setting_t *group, char *base)
{
    char key[PATH_TEXT];
    enum rf_status st;

    if (group != NULL && config_setting_type(group) != CONFIG_TYPE_GROUP)
        return expected(r, path, group, "a group {...}");
    st = group != NULL ? refuse_unknown(r, keys, path, group) : RF_OK;
    for (const struct rf_key *k = keys; st == RF_OK && k->key != NULL; k++) {
        join(key, path, k->key);
        st = read_key(r, k, key,
                      group != NULL ? config_setting_get_member(group, k->key) : NULL, base);
    }
    return st;
}

static enum rf_status read_list(struct reader *r, const struct rf_key *k, const char *path,
                                const config_setting_t *list, char *base)
{
    int n = list != NULL && is_sequence(list) ? config_setting_length(list) : 0;
    char key[PATH_TEXT];
    char *members;
    enum rf_status st = RF_OK;

    if (list != NULL && (!is_sequence(list) || n > k->max))
        return expected(r, path, list, "a list of at most %.12g groups: ( {...}, {...} )",
                        k->max);
    if (n == 0)
        return RF_OK;
    members = calloc((size_t)n, k->size);
    if (members == NULL)
        return rf_fail(r->err, RF_ERR_MEMORY, "out of memory");
    memcpy(base + k->offset, &members, sizeof members);
    *(int *)(void *)(base + k->count_offset) = n;
    for (int i = 0; st == RF_OK && i < n; i++) {
        snprintf(key, sizeof key, "%.200s.[%d]", path, i);
        st = read_group(r, k->group, key, config_setting_get_elem(list, (unsigned)i),
                        members + (size_t)i * k->size);
    }
    return st;
}

static enum rf_status read_member(struct reader *r, const struct rf_key *k, const char *path,
                                  const config_setting_t *group, char *base)
{
    int *count = (void *)(base + k->count_offset);
    size_t n = (size_t)*count;
    char *members, *more;
    enum rf_status st;

    memcpy(&members, base + k->offset, sizeof members);
    more = realloc(members, (n + 1) * k->size);
    if (more == NULL)
        return rf_fail(r->err, RF_ERR_MEMORY, "out of memory");
    memcpy(base + k->offset, &more, sizeof more);
    memset(more + n * k->size, 0, k->size);
    st = read_group(r, k->group, path, group, more + n * k->size);
    *(int *)(void *)(more + n * k->size + k->word_offsets[0]) = 1;
    ++*count;
    return st;
}

/* ---- overrides */

/* Copies value under parent (name NULL: at the end of a list), marked with its override. */
static int copy_setting(config_setting_t *parent, const char *name,
                        const config_setting_t *value, const char *mark)
{
    int type = config_setting_type(value);
    config_setting_t *copy = config_setting_add(parent, name, type);
    int ok = copy != NULL;

    if (!ok)
        return 0;
    config_setting_set_hook(copy, (void *)(uintptr_t)mark);
    if (type == CONFIG_TYPE_INT)
        return config_setting_set_int(copy, config_setting_get_int(value));
    if (type == CONFIG_TYPE_INT64)
        return config_setting_set_int64(copy, config_setting_get_int64(value));
    if (type == CONFIG_TYPE_FLOAT)
        return config_setting_set_float(copy, config_setting_get_float(value));
    if (type == CONFIG_TYPE_BOOL)
        return config_setting_set_bool(copy, config_setting_get_bool(value));
    if (type == CONFIG_TYPE_STRING)
        return config_setting_set_string(copy, config_setting_get_string(value));
    for (int i = 0; ok && i < config_setting_length(value); i++) {
        const config_setting_t *member = config_setting_get_elem(value, (unsigned)i);

        ok = copy_setting(copy, config_setting_name(member), member, mark);
    }
    return ok;
}

/* One step of a path down from s: a member of a group, or of a list by position or name. */
static config_setting_t *step_down(config_setting_t *s, const char *step)
{
    char *end;
    long index;

    if (config_setting_type(s) == CONFIG_TYPE_GROUP)
        return config_setting_get_member(s, step);
    if (!is_sequence(s))
        return NULL;
    if (step[0] == '[') {
        index = strtol(step + 1, &end, 10);
        if (end == step + 1 || strcmp(end, "]") != 0 || index < 0)
            return NULL;
        return config_setting_get_elem(s, (unsigned)index);
    }
    for (int i = 0; i < config_setting_length(s); i++) {
        config_setting_t *member = config_setting_get_elem(s, (unsigned)i);
        const char *name = NULL;

        if (config_setting_type(member) == CONFIG_TYPE_GROUP &&
            (config_setting_lookup_string(member, "name", &name) ||
             config_setting_lookup_string(member, "account", &name)) &&
            strcmp(name, step) == 0)
            return member;
    }
    return NULL;
}

/* Finds the group that the last step of path (cut in pieces in place) is a key of, making
 * missing groups on the way; *last gets that key. */
static config_setting_t *walk(config_setting_t *root, char *path, const char *mark, char **last)
{
    config_setting_t *at = root;
    char *step = path;
    char *dot;

    while (at != NULL && (dot = strchr(step, '.')) != NULL) {
        config_setting_t *next;

        *dot = '\0';
        next = step_down(at, step);
        if (next == NULL && config_setting_type(at) == CONFIG_TYPE_GROUP) {
            next = config_setting_add(at, step, CONFIG_TYPE_GROUP);
            if (next != NULL)
                config_setting_set_hook(next, (void *)(uintptr_t)mark);
        }
        at = next;
        step = dot + 1;
    }
    *last = step;
    return at;
}

/* Puts value at the place that path names. */
static enum rf_status put(struct reader *r, const char *override, char *path,
                          const config_setting_t *value)
{
    char *last;
    config_setting_t *parent = walk(config_root_setting(&r->tree), path, override, &last);

    if (parent == NULL || config_setting_type(parent) != CONFIG_TYPE_GROUP)
        return rf_fail(r->err, RF_ERR_CONFIG,
                       "--set %s: there is no such place in '%s'; groups, members of lists by "
                       "position ([0]) or name, and keys are joined by dots",
                       override, r->filename);
    if (config_setting_get_member(parent, last) != NULL)
        config_setting_remove(parent, last);
    if (!copy_setting(parent, last, value, override))
        return rf_fail(r->err, RF_ERR_CONFIG, "--set %s: '%s' cannot be a key", override, last);
    return RF_OK;
}

static enum rf_status apply_override(struct reader *r, const char *override)
{
    const char *equals = strchr(override, '=');
    config_t value;
    config_setting_t *root;
    char *copy, *text;
    size_t size = strlen(override) + 16;
    enum rf_status st;

    if (equals == NULL || equals == override)
        return rf_fail(r->err, RF_ERR_CONFIG, "--set %s: expected path.to.key=value", override);
    copy = malloc(size);
    text = malloc(size);
    if (copy == NULL || text == NULL) {
        free(copy);
        free(text);
        return rf_fail(r->err, RF_ERR_MEMORY, "out of memory");
    }
    snprintf(copy, size, "%.*s", (int)(equals - override), override);
    snprintf(text, size, "value = %s", equals + 1);

    config_init(&value);
    st = rf_config_scan(text, strlen(text), "--set", 0, r->err);
    if (st == RF_OK) {
        if (!config_read_string(&value, text) ||
            config_setting_length(config_root_setting(&value)) != 1) {
            /* no value of the language: text without its quotes */
            config_destroy(&value);
            config_init(&value);
            root = config_setting_add(config_root_setting(&value), "value", CONFIG_TYPE_STRING);
            config_setting_set_string(root, equals + 1);
        }
        st = put(r, override, copy, config_setting_get_elem(config_root_setting(&value), 0));
    }
    config_destroy(&value);
    free(copy);
    free(text);
    return st;
}

/* ---- the whole */

/* The folder that relative paths start from: the file's own, made absolute. */
static enum rf_status find_folder(struct reader *r)
{
    const char *slash = strrchr(r->filename, '/');
    int length = slash != NULL ? (int)(slash - r->filename) : 0;
    char here[RF_PATH_BYTES] = "";
    int n;

    if (r->filename[0] != '/' && getcwd(here, sizeof here) == NULL)
        return rf_fail(r->err, RF_ERR_IO, "cannot tell the current directory");
    n = snprintf(r->folder, sizeof r->folder, "%s%s%.*s", here,
                 here[0] != '\0' && length > 0 ? "/" : "", length, r->filename);
    if (n < 0 || n >= (int)sizeof r->folder)
        return rf_fail(r->err, RF_ERR_CONFIG, "%s: the path is too long", r->filename);
    return RF_OK;
}

static enum rf_status read_tree(struct reader *r, const struct rf_schema *schema,
                                const char *text, const char *const *overrides, int noverrides,
                                void *target)
{
    enum rf_status st = RF_OK;

    if (!config_read_string(&r->tree, text))
        return rf_fail(r->err, RF_ERR_CONFIG, "%s:%d: %s", r->filename,
                       config_error_line(&r->tree), config_error_text(&r->tree));
    for (int i = 0; st == RF_OK && i < noverrides; i++)
        st = apply_override(r, overrides[i]);
    if (st == RF_OK)
        st = read_group(r, schema->sections, "", config_root_setting(&r->tree), target);
    if (st == RF_OK)
        st = schema->finish(target, place_of, r, r->err);
    return st;
}

enum rf_status rf_schema_parse(const struct rf_schema *schema, void *target, const char *text,
                               size_t size_bytes, const char *filename,
                               const char *const *overrides, int noverrides,
                               struct rf_error *err)
{
    struct reader r = {.filename = filename, .err = err};
    char *copy;
    enum rf_status st;

    if (schema->origin_offset > 0)
        r.origin_us = (const void *)((char *)target + schema->origin_offset);
    memset(target, 0, schema->size);
    if (size_bytes > RF_CONFIG_MAX_BYTES)
        return rf_fail(err, RF_ERR_CONFIG, "%s: a configuration of more than %d bytes",
                       filename, RF_CONFIG_MAX_BYTES);
    st = rf_config_scan(text, size_bytes, filename, 1, err);
    if (st == RF_OK)
        st = find_folder(&r);
    if (st != RF_OK)
        return st;
    copy = malloc(size_bytes + 1);
    if (copy == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory");
    memcpy(copy, text, size_bytes);
    copy[size_bytes] = '\0';
    config_init(&r.tree);
    st = read_tree(&r, schema, copy, overrides, noverrides, target);
    config_destroy(&r.tree);
    free(copy);
    if (st != RF_OK)
        schema->clear(target);
    return st;
}

enum rf_status rf_schema_read(const struct rf_schema *schema, void *target,
                              const char *filename, const char *const *overrides,
                              int noverrides, struct rf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    enum rf_status st;

    memset(target, 0, schema->size);
    st = rf_file_read(filename, RF_CONFIG_MAX_BYTES, &text, &size, err);
    if (st == RF_OK)
        st = rf_schema_parse(schema, target, text, size, filename, overrides, noverrides, err);
    free(text);
    return st;
}

/* ---- what config.h promises */

enum rf_status rf_config_parse(struct rf_run_spec *spec, const char *text, size_t size_bytes,
                               const char *filename, const char *const *overrides,
                               int noverrides, struct rf_error *err)
{
    return rf_schema_parse(&rf_config_run, spec, text, size_bytes, filename, overrides,
                           noverrides, err);
}

enum rf_status rf_config_read(struct rf_run_spec *spec, const char *filename,
                              const char *const *overrides, int noverrides,
                              struct rf_error *err)
{
    return rf_schema_read(&rf_config_run, spec, filename, overrides, noverrides, err);
}

enum rf_status rf_config_parse_submission(struct rf_run_spec *spec,
                                          const struct rf_run_spec *base, const char *text,
                                          size_t size_bytes, const char *filename,
                                          const char *const *overrides, int noverrides,
                                          struct rf_error *err)
{
    struct rf_submission submission = {.base = base};
    enum rf_status st = rf_schema_parse(&rf_config_submission, &submission, text, size_bytes,
                                        filename, overrides, noverrides, err);

    *spec = submission.spec;
    return st;
}

enum rf_status rf_config_parse_scenario(struct rf_scenario *scenario, const char *text,
                                        size_t size_bytes, const char *filename,
                                        const char *const *overrides, int noverrides,
                                        struct rf_error *err)
{
    return rf_schema_parse(&rf_config_simulate, scenario, text, size_bytes, filename, overrides,
                           noverrides, err);
}

enum rf_status rf_config_read_scenario(struct rf_scenario *scenario, const char *filename,
                                       const char *const *overrides, int noverrides,
                                       struct rf_error *err)
{
    return rf_schema_read(&rf_config_simulate, scenario, filename, overrides, noverrides, err);
}

enum rf_status rf_config_read_promises(struct rf_scenario *scenario, const char *filename,
                                       const char *const *overrides, int noverrides,
                                       struct rf_error *err)
{
    return rf_schema_read(&rf_config_promises, scenario, filename, overrides, noverrides, err);
}
