/* One table says which fields an event type has, in which order, under which
 * key and of which kind. Writing and reading walk the same table. Numbers and
 * strings are read in the one form in which they are written; sets and shares are
 * written again and compared: so there is exactly one text for an event and one event for a
 * text. (The fuzz target writes every line again that was read.) */
#include "alloc/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { INT32, INT64, STRING, HEX, SHARE, IDS, LIST };

struct field {
    const char *key; /* with what stands around it: ,"job": */
    size_t length;   /* of key */
    enum kind kind;
    size_t offset, size;
};

#define FIELD(key, kind, member)                                                               \
    {                                                                                          \
        ",\"" key "\":", sizeof(",\"" key "\":") - 1, kind, offsetof(struct rf_event, member), \
            sizeof(((struct rf_event *)0)->member)                                             \
    }

enum { FIELDS_MAX = 12 };

static const struct {
    const char *name;
    struct field fields[FIELDS_MAX]; /* ends at the first without a key */
} TYPES[RF_EVENT_NTYPES] = {
    [RF_EVENT_OPEN] = {"open",
                       {FIELD("run", STRING, name), FIELD("version", STRING, version),
                        FIELD("config", HEX, digest), FIELD("seed", INT64, seed),
                        FIELD("policy", STRING, text), FIELD("grace_us", INT64, grace_us),
                        FIELD("heartbeat_us", INT64, heartbeat_us),
                        FIELD("seal_us", INT64, seal_us)}},
    [RF_EVENT_CAPACITY] = {"capacity",
                           {FIELD("devices", IDS, devices), FIELD("up", INT32, up),
                            FIELD("reason", STRING, reason)}},
    [RF_EVENT_PLEDGE] = {"pledge",
                         {FIELD("account", STRING, account), FIELD("share", SHARE, share),
                          FIELD("basis", STRING, basis), FIELD("fence", STRING, text),
                          FIELD("terms", STRING, terms), FIELD("window_us", INT64, window_us),
                          FIELD("tolerance_us", INT64, tolerance_us),
                          FIELD("author", STRING, author), FIELD("reason", STRING, reason)}},
    [RF_EVENT_POLICY] = {"policy",
                         {FIELD("policy", STRING, text), FIELD("author", STRING, author),
                          FIELD("reason", STRING, reason)}},
    [RF_EVENT_RESERVE] = {"reserve",
                          {FIELD("account", STRING, account), FIELD("count", INT32, count),
                           FIELD("begin_us", INT64, begin_us), FIELD("end_us", INT64, end_us),
                           FIELD("author", STRING, author), FIELD("reason", STRING, reason)}},
    [RF_EVENT_LIMIT] = {"limit",
                        {FIELD("account", STRING, account),
                         FIELD("held_limit_us", INT64, held_limit_us),
                         FIELD("flops_limit", INT64, flops_limit),
                         FIELD("author", STRING, author), FIELD("reason", STRING, reason)}},
    [RF_EVENT_REQUEST] = {"request",
                          {FIELD("job", INT32, job), FIELD("name", STRING, name),
                           FIELD("account", STRING, account), FIELD("min", INT32, min),
                           FIELD("max", INT32, max), FIELD("limit_us", INT64, limit_us),
                           FIELD("after", LIST, after), FIELD("priority", INT32, priority),
                           FIELD("deadline_us", INT64, deadline_us),
                           FIELD("held_limit_us", INT64, held_limit_us),
                           FIELD("flops_limit", INT64, flops_limit),
                           FIELD("retries", INT32, retries)}},
    [RF_EVENT_DELAY] = {"delay", {FIELD("job", INT32, job), FIELD("reason", STRING, reason)}},
    [RF_EVENT_DENY] = {"deny", {FIELD("job", INT32, job), FIELD("reason", STRING, reason)}},
    [RF_EVENT_GRANT] = {"grant",
                        {FIELD("job", INT32, job), FIELD("lease", INT32, lease),
                         FIELD("devices", IDS, devices), FIELD("lent", INT32, lent)}},
    [RF_EVENT_CHARGE] = {"charge",
                         {FIELD("job", INT32, job), FIELD("lease", INT32, lease),
                          FIELD("held_us", INT64, held_us), FIELD("busy_us", INT64, busy_us),
                          FIELD("tokens", INT64, tokens), FIELD("flops", INT64, flops),
                          FIELD("step", INT64, step)}},
    [RF_EVENT_DISPUTE] = {"dispute",
                          {FIELD("job", INT32, job), FIELD("lease", INT32, lease),
                           FIELD("reason", STRING, reason), FIELD("busy_us", INT64, busy_us),
                           FIELD("tokens", INT64, tokens), FIELD("flops", INT64, flops)}},
    [RF_EVENT_RELABEL] = {"relabel",
                          {FIELD("job", INT32, job), FIELD("account", STRING, account),
                           FIELD("author", STRING, author), FIELD("reason", STRING, reason)}},
    [RF_EVENT_PREEMPT] = {"preempt",
                          {FIELD("job", INT32, job), FIELD("lease", INT32, lease),
                           FIELD("reason", STRING, reason), FIELD("by", INT32, by)}},
    [RF_EVENT_CHECKPOINT] = {"checkpoint",
                             {FIELD("job", INT32, job), FIELD("step", INT64, step),
                              FIELD("digest", HEX, digest), FIELD("path", STRING, text)}},
    [RF_EVENT_SHRINK] = {"shrink",
                         {FIELD("job", INT32, job), FIELD("lease", INT32, lease),
                          FIELD("devices", IDS, devices), FIELD("held_us", INT64, held_us),
                          FIELD("by", INT32, by)}},
    [RF_EVENT_GROW] = {"grow",
                       {FIELD("job", INT32, job), FIELD("lease", INT32, lease),
                        FIELD("devices", IDS, devices), FIELD("held_us", INT64, held_us),
                        FIELD("lent", INT32, lent)}},
    [RF_EVENT_RELEASE] = {"release",
                          {FIELD("job", INT32, job), FIELD("lease", INT32, lease),
                           FIELD("held_us", INT64, held_us), FIELD("reason", STRING, reason),
                           FIELD("retry_us", INT64, retry_us)}},
    [RF_EVENT_END] = {"end",
                      {FIELD("job", INT32, job), FIELD("lease", INT32, lease),
                       FIELD("state", STRING, text), FIELD("held_us", INT64, held_us),
                       FIELD("reason", STRING, reason)}},
    [RF_EVENT_MEASURE] = {"measure",
                          {FIELD("flops", INT64, flops), FIELD("reason", STRING, reason)}},
    [RF_EVENT_ROTATE] = {"rotate", {FIELD("vkey", STRING, text)}},
    [RF_EVENT_HEARTBEAT] = {"heartbeat", {{0}}},
    [RF_EVENT_RECOVER] = {"recover", {FIELD("cut", INT64, cut)}},
    [RF_EVENT_CLOSE] = {"close", {FIELD("reason", STRING, reason)}},
};

struct rf_event rf_event_make(enum rf_event_type type, int64_t t_us)
{
    struct rf_event event = {
        .type = type, .t_us = t_us, .job = -1, .lease = -1, .by = -1, .account_id = -1};

    event.share.den = 1;
    return event;
}

void rf_event_clear(struct rf_event *event)
{
    rf_idset_clear(&event->devices);
    *event = rf_event_make(RF_EVENT_HEARTBEAT, 0);
}

const char *rf_event_type_name(enum rf_event_type type)
{
    return TYPES[type].name;
}

/* ---- writing ---------------------------------------------------------- */

struct writer {
    char *buf;
    size_t size, used; /* used counts what was needed, fitting or not */
};

static void put(struct writer *w, const char *text, size_t n)
{
    if (w->used < w->size) {
        size_t room = w->size - w->used - 1, part = n < room ? n : room;

        memcpy(w->buf + w->used, text, part);
        w->buf[w->used + part] = '\0';
    }
    w->used += n;
}

static void put_text(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_int(struct writer *w, int64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--at] = '-';
    put(w, digits + at, sizeof digits - at);
}

static void put_escaped(struct writer *w, unsigned char c)
{
    static const char HEX_DIGITS[] = "0123456789abcdef";
    char text[6] = {'\\', (char)c};

    if (c >= 0x20) {
        put(w, text, 2);
        return;
    }
    memcpy(text, "\\u00", 4);
    text[4] = HEX_DIGITS[c >> 4];
    text[5] = HEX_DIGITS[c & 15];
    put(w, text, 6);
}

static int is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static void put_string(struct writer *w, const char *text)
{
    put(w, "\"", 1);
    while (*text != '\0') {
        size_t n = 0;

        while (is_plain((unsigned char)text[n]))
            n++;
        put(w, text, n);
        text += n;
        if (*text != '\0')
            put_escaped(w, (unsigned char)*text++);
    }
    put(w, "\"", 1);
}

static void put_ids(struct writer *w, const struct rf_idset *set)
{
    put(w, "\"", 1);
    for (int32_t i = 0; i < set->nranges; i++) {
        const struct rf_idrange *r = &set->ranges[i];

        if (i > 0)
            put(w, ",", 1);
        put_int(w, r->begin);
        if (r->end - r->begin > 1) {
            put(w, "-", 1);
            put_int(w, r->end - 1);
        }
    }
    put(w, "\"", 1);
}

static void put_list(struct writer *w, const int32_t *list, int32_t n)
{
    put(w, "[", 1);
    for (int32_t i = 0; i < n; i++) {
        if (i > 0)
            put(w, ",", 1);
        put_int(w, list[i]);
    }
    put(w, "]", 1);
}

static void put_value(struct writer *w, const struct rf_event *event, const struct field *field)
{
    const char *at = (const char *)event + field->offset;
    char text[48];

    switch (field->kind) {
    case INT32:
        put_int(w, *(const int32_t *)(const void *)at);
        break;
    case INT64:
        put_int(w, *(const int64_t *)(const void *)at);
        break;
    case STRING:
    case HEX:
        put_string(w, at);
        break;
    case SHARE:
        rf_share_format(&event->share, text, sizeof text);
        put_string(w, text);
        break;
    case IDS:
        put_ids(w, &event->devices);
        break;
    case LIST:
        put_list(w, event->after, event->nafter);
        break;
    }
}

size_t rf_event_format(const struct rf_event *event, char *buf, size_t size)
{
    const struct field *field = TYPES[event->type].fields;
    struct writer w = {buf, size, 0};

    if (size > 0)
        buf[0] = '\0';
    put_text(&w, "{\"seq\":");
    put_int(&w, event->seq);
    put_text(&w, ",\"t_us\":");
    put_int(&w, event->t_us);
    put_text(&w, ",\"type\":\"");
    put_text(&w, TYPES[event->type].name);
    put(&w, "\"", 1);
    for (int i = 0; i < FIELDS_MAX && field[i].key != NULL; i++) {
        put(&w, field[i].key, field[i].length);
        put_value(&w, event, &field[i]);
    }
    return w.used;
}

/* ---- reading ---------------------------------------------------------- */

struct reader {
    const char *line;
    size_t length, at;
    struct rf_error *err;
};

static enum rf_status bad(const struct reader *r, const char *what)
{
    return rf_fail(r->err, RF_ERR_INPUT, "column %zu: %s", r->at + 1, what);
}

static enum rf_status expect_bytes(struct reader *r, const char *text, size_t n)
{
    if (r->length - r->at < n || memcmp(r->line + r->at, text, n) != 0)
        return rf_fail(r->err, RF_ERR_INPUT, "column %zu: expected %s", r->at + 1, text);
    r->at += n;
    return RF_OK;
}

static enum rf_status expect(struct reader *r, const char *text)
{
    return expect_bytes(r, text, strlen(text));
}

/* Decimal digits with or without '-', in the one form that the writer uses. */
static enum rf_status read_int(struct reader *r, int64_t low, int64_t high, int64_t *value)
{
    size_t at = r->at;
    int minus = at < r->length && r->line[at] == '-';
    uint64_t most = (uint64_t)INT64_MAX + (uint64_t)minus, read = 0;
    size_t first = at += (size_t)minus;

    for (; at < r->length && r->line[at] >= '0' && r->line[at] <= '9'; at++) {
        uint64_t digit = (uint64_t)(r->line[at] - '0');

        if (read > (most - digit) / 10)
            return bad(r, "the number is out of range");
        read = read * 10 + digit;
    }
    if (at == first)
        return bad(r, "expected an integer");
    if (r->line[first] == '0' && (minus || at - first > 1))
        return bad(r, "not in canonical form");
    *value = minus && read > 0 ? -(int64_t)(read - 1) - 1 : (int64_t)read;
    if (*value < low || *value > high)
        return bad(r, "the number is out of range");
    r->at = at;
    return RF_OK;
}

/* The length of the UTF-8 sequence at p, 0 when it is none (or overlong, or a surrogate). */
static size_t utf8_length(const unsigned char *p, size_t room)
{
    size_t n = p[0] < 0x80   ? 1
               : p[0] < 0xc2 ? 0
               : p[0] < 0xe0 ? 2
               : p[0] < 0xf0 ? 3
               : p[0] < 0xf5 ? 4
                             : 0;

    if (n == 0 || n > room)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

/* After a backslash: one of the three forms that the writer uses. */
static enum rf_status read_escape(struct reader *r, char *c)
{
    static const char HEX_DIGITS[] = "0123456789abcdef";
    const char *p = r->line + r->at, *digit;
    size_t left = r->length - r->at;

    if (left >= 1 && (p[0] == '"' || p[0] == '\\')) {
        *c = p[0];
        r->at += 1;
        return RF_OK;
    }
    if (left < 5 || memcmp(p, "u00", 3) != 0 || (p[3] != '0' && p[3] != '1'))
        return bad(r, "an escape that is not needed");
    digit = memchr(HEX_DIGITS, p[4], 16);
    if (digit == NULL)
        return bad(r, "an escape that is not needed");
    *c = (char)((p[3] - '0') * 16 + (digit - HEX_DIGITS));
    if (*c == '\0')
        return bad(r, "a NUL in a string");
    r->at += 5;
    return RF_OK;
}

/* Bytes from here on that stand for themselves, at most as many as there is room for. */
static size_t plain_length(const struct reader *r, size_t room)
{
    const unsigned char *p = (const unsigned char *)r->line + r->at;
    size_t most = r->length - r->at < room ? r->length - r->at : room, n = 0;

    while (n < most && p[n] < 0x80 && is_plain(p[n]))
        n++;
    return n;
}

/* A string of fewer than size bytes into out. */
static enum rf_status read_string(struct reader *r, char *out, size_t size)
{
    size_t used = 0;
    enum rf_status st = expect(r, "\"");

    if (st == RF_OK) {
        used = plain_length(r, size - 1);
        memcpy(out, r->line + r->at, used);
        r->at += used;
    }
    while (st == RF_OK) {
        const unsigned char *p = (const unsigned char *)r->line + r->at;
        size_t n;

        if (r->at >= r->length)
            return bad(r, "the string does not end");
        if (*p == '"')
            break;
        n = utf8_length(p, r->length - r->at);
        if (n == 0 || *p < 0x20)
            return bad(r, "not UTF-8 text");
        if (used + n >= size)
            return bad(r, "the string is too long");
        if (*p == '\\') {
            r->at++;
            st = read_escape(r, &out[used]);
        } else {
            memcpy(out + used, p, n);
            r->at += n;
        }
        used += n;
    }
    if (st != RF_OK)
        return st;
    out[used] = '\0';
    r->at++;
    return RF_OK;
}

static enum rf_status read_hex(struct reader *r, char *out, size_t size)
{
    enum rf_status st = read_string(r, out, size);

    if (st == RF_OK && out[0] != '\0' &&
        (strlen(out) != 64 || strspn(out, "0123456789abcdef") != 64))
        return bad(r, "expected 64 hexadecimal digits");
    return st;
}

/* Sets may be longer than any fixed buffer: then the text goes through the heap. */
static enum rf_status read_ids(struct reader *r, struct rf_idset *set)
{
    size_t room = r->length - r->at + 1;
    char fixed[512], *text = room <= sizeof fixed ? fixed : malloc(room);
    struct rf_error why;
    enum rf_status st;

    if (text == NULL)
        return rf_fail(r->err, RF_ERR_MEMORY, "out of memory while reading a set of devices");
    st = read_string(r, text, room);
    if (st == RF_OK) {
        st = rf_idset_parse(set, text, &why);
        if (st == RF_ERR_MEMORY)
            rf_fail(r->err, st, "%s", why.text);
        else if (st != RF_OK)
            st = bad(r, why.text);
    }
    if (text != fixed)
        free(text);
    return st;
}

static enum rf_status read_share(struct reader *r, struct rf_share *share)
{
    char text[48];
    struct rf_error why;
    enum rf_status st = read_string(r, text, sizeof text);

    if (st == RF_OK && rf_share_parse(share, text, &why) != RF_OK)
        return bad(r, why.text);
    return st;
}

static enum rf_status read_list(struct reader *r, struct rf_event *event)
{
    int64_t value = 0;
    enum rf_status st = expect(r, "[");

    event->nafter = 0;
    if (st == RF_OK && r->at < r->length && r->line[r->at] == ']') {
        r->at++;
        return RF_OK;
    }
    while (st == RF_OK) {
        if (event->nafter == RF_AFTER_MAX)
            return bad(r, "the list is too long");
        st = read_int(r, 0, INT32_MAX, &value);
        if (st == RF_OK)
            event->after[event->nafter++] = (int32_t)value;
        if (st == RF_OK && r->at < r->length && r->line[r->at] == ',')
            r->at++;
        else if (st == RF_OK)
            return expect(r, "]");
    }
    return st;
}

/* The last word on "byte for byte": what was read from `from` on is written again. */
static enum rf_status compare(struct reader *r, const struct rf_event *event,
                              const struct field *field, size_t from)
{
    char fixed[512];
    size_t n = r->at - from;
    char *text = n < sizeof fixed ? fixed : malloc(n + 1);
    struct writer w = {text, n + 1, 0};
    int same;

    if (text == NULL)
        return rf_fail(r->err, RF_ERR_MEMORY, "out of memory while reading an event");
    put_value(&w, event, field);
    same = w.used == n && memcmp(text, r->line + from, n) == 0;
    if (text != fixed)
        free(text);
    r->at = same ? r->at : from;
    return same ? RF_OK : bad(r, "not in canonical form");
}

static enum rf_status read_value(struct reader *r, struct rf_event *event,
                                 const struct field *field)
{
    char *at = (char *)event + field->offset;
    size_t from = r->at;
    int64_t value = 0;
    enum rf_status st = RF_OK;

    switch (field->kind) {
    case INT32:
        st = read_int(r, INT32_MIN, INT32_MAX, &value);
        *(int32_t *)(void *)at = (int32_t)value;
        break;
    case INT64:
        st = read_int(r, INT64_MIN, INT64_MAX, &value);
        *(int64_t *)(void *)at = value;
        break;
    case STRING:
        st = read_string(r, at, field->size);
        break;
    case HEX:
        st = read_hex(r, at, field->size);
        break;
    case SHARE:
        st = read_share(r, &event->share);
        break;
    case IDS:
        st = read_ids(r, &event->devices);
        break;
    case LIST:
        st = read_list(r, event);
        break;
    }
    if (st == RF_OK && (field->kind == SHARE || field->kind == IDS))
        st = compare(r, event, field, from);
    return st;
}

static enum rf_status read_type(struct reader *r, enum rf_event_type *type)
{
    char name[16];
    enum rf_status st = read_string(r, name, sizeof name);

    for (int i = 0; st == RF_OK && i < RF_EVENT_NTYPES; i++) {
        if (strcmp(name, TYPES[i].name) == 0) {
            *type = (enum rf_event_type)i;
            return RF_OK;
        }
    }
    return st != RF_OK ? st : bad(r, "unknown event type");
}

static enum rf_status read_head(struct reader *r, struct rf_event *event)
{
    enum rf_status st = expect(r, "{\"seq\":");

    if (st == RF_OK)
        st = read_int(r, 0, INT64_MAX, &event->seq);
    if (st == RF_OK)
        st = expect(r, ",\"t_us\":");
    if (st == RF_OK)
        st = read_int(r, INT64_MIN, INT64_MAX, &event->t_us);
    if (st == RF_OK)
        st = expect(r, ",\"type\":");
    if (st == RF_OK)
        st = read_type(r, &event->type);
    return st;
}

static enum rf_status read_fields(struct reader *r, struct rf_event *event)
{
    const struct field *field = TYPES[event->type].fields;
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < FIELDS_MAX && field[i].key != NULL; i++) {
        st = expect_bytes(r, field[i].key, field[i].length);
        if (st == RF_OK)
            st = read_value(r, event, &field[i]);
    }
    return st;
}

static enum rf_status read_tail(struct reader *r, char prev[45])
{
    char text[45];
    enum rf_status st = expect(r, ",\"prev\":");

    if (st == RF_OK)
        st = read_string(r, text, sizeof text);
    if (st == RF_OK && strlen(text) != 44)
        st = bad(r, "\"prev\" is not a base64 digest");
    if (st == RF_OK)
        st = expect(r, "}");
    if (st == RF_OK && r->at != r->length)
        st = bad(r, "text after the end of the object");
    if (st == RF_OK && prev != NULL)
        memcpy(prev, text, sizeof text);
    return st;
}

enum rf_status rf_event_parse(struct rf_event *event, const char *line, size_t length,
                              char prev[45], struct rf_error *err)
{
    struct reader r = {line, length, 0, err};
    enum rf_status st;

    memset(event, 0, sizeof *event); /* as rf_event_make() does, in place */
    event->job = event->lease = event->by = event->account_id = -1;
    event->share.den = 1;
    st = read_head(&r, event);
    if (st == RF_OK)
        st = read_fields(&r, event);
    if (st == RF_OK)
        st = read_tail(&r, prev);
    if (st != RF_OK)
        rf_event_clear(event);
    return st;
}
