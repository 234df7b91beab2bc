/* sacctmgr prints rows (read by base/sheet.h, below a header of our own, because its headers have
 * blanks in them), scontrol prints Key=Value pairs, one object a line, and its own configuration
 * as lines of "Key = Value". */
#include "slurm/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/sheet.h"

#define QOS_COLUMNS                                                                            \
    "Name,Priority,GraceTime,Preempt,PreemptMode,Flags,GrpTRES,GrpTRESMins,GrpJobs"
#define ACCOUNT_COLUMNS "Account,User,Share,QOS,DefaultQOS,GrpTRES,GrpTRESMins"

static const struct rf_slurm_question QUESTIONS[RF_SLURM_NKINDS] = {
    {RF_SLURM_QOS, {"sacctmgr", "-nP", "show", "qos", "format=" QOS_COLUMNS}},
    {RF_SLURM_ACCOUNT, {"sacctmgr", "-nP", "show", "assoc", "format=" ACCOUNT_COLUMNS}},
    {RF_SLURM_PARTITION, {"scontrol", "-o", "show", "partition"}},
    {RF_SLURM_RESERVATION, {"scontrol", "-o", "show", "reservation"}},
    {RF_SLURM_CONF, {"scontrol", "show", "config"}},
};

const struct rf_slurm_question *rf_slurm_question_of(enum rf_slurm_kind kind)
{
    return &QUESTIONS[kind];
}

static enum rf_status add(struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                          struct rf_view name, const struct rf_slurm_key *key,
                          struct rf_view value, struct rf_error *err)
{
    struct rf_slurm_fact *it;

    if (facts->n == facts->room) {
        int room = facts->room > 0 ? 2 * facts->room : 64;
        struct rf_slurm_fact *more = realloc(facts->items, (size_t)room * sizeof *more);

        if (more == NULL)
            return rf_fail(err, RF_ERR_MEMORY, "out of memory for what Slurm has");
        facts->items = more;
        facts->room = room;
    }
    if (name.size_bytes >= sizeof it->name || value.size_bytes >= sizeof it->value)
        return RF_OK; /* not ours: no name or value of a plan is that long */
    it = &facts->items[facts->n++];
    *it = (struct rf_slurm_fact){.kind = kind, .key = key};
    memcpy(it->name, name.bytes, name.size_bytes);
    memcpy(it->value, value.bytes, value.size_bytes);
    return RF_OK;
}

/* ---- sacctmgr ---------------------------------------------------------------- */

static const char *header_of(enum rf_slurm_kind kind, char header[256])
{
    snprintf(header, 256, "%s\n", kind == RF_SLURM_QOS ? QOS_COLUMNS : ACCOUNT_COLUMNS);
    for (char *at = header; *at != '\0'; at++)
        if (*at == ',')
            *at = '|';
    return header;
}

static enum rf_status read_row(struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                               const struct rf_sheet *sheet, struct rf_error *err)
{
    struct rf_view name = sheet->cells[0];
    enum rf_status st;

    if (kind == RF_SLURM_ACCOUNT && sheet->cells[1].size_bytes > 0)
        return RF_OK; /* a user's */
    st = add(facts, kind, name, NULL, (struct rf_view){"", 0}, err);
    for (int c = 1; st == RF_OK && c < sheet->ncolumns; c++) {
        char column[64];
        const struct rf_slurm_key *key = NULL;

        snprintf(column, sizeof column, "%.*s", (int)sheet->header[c].size_bytes,
                 sheet->header[c].bytes);
        key = rf_slurm_key_shown(kind, column);
        if (key != NULL)
            st = add(facts, kind, name, key, sheet->cells[c], err);
    }
    return st;
}

static enum rf_status read_rows(struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                                const char *text, size_t size, struct rf_error *err)
{
    char header[256];
    size_t n = strlen(header_of(kind, header));
    char *whole = malloc(n + size + 1);
    struct rf_sheet *sheet = malloc(sizeof *sheet);
    enum rf_row got;
    enum rf_status st = RF_OK;

    if (whole == NULL || sheet == NULL) {
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for what sacctmgr says");
    } else {
        memcpy(whole, header, n);
        memcpy(whole + n, text, size);
        rf_sheet_begin(sheet, whole, n + size, '|');
        while (st == RF_OK && (got = rf_sheet_next(sheet)) != RF_ROW_END)
            st = got == RF_ROW_OK
                     ? read_row(facts, kind, sheet, err)
                     : rf_fail(err, RF_ERR_INPUT, "sacctmgr's line %ld about %ss: %s",
                               sheet->lines.number - 1, rf_slurm_kind_name(kind), sheet->wrong);
    }
    free(whole);
    free(sheet);
    return st;
}

/* ---- scontrol ---------------------------------------------------------------- */

static struct rf_view pair_next(struct rf_view *rest, struct rf_view *value)
{
    const char *end = rest->bytes + rest->size_bytes, *at = rest->bytes, *equals, *stop;
    struct rf_view key = {"", 0};

    *value = key;
    while (at < end && *at == ' ')
        at++;
    stop = memchr(at, ' ', (size_t)(end - at));
    stop = stop != NULL ? stop : end;
    equals = memchr(at, '=', (size_t)(stop - at));
    if (equals != NULL) {
        key = (struct rf_view){at, (size_t)(equals - at)};
        *value = (struct rf_view){equals + 1, (size_t)(stop - equals - 1)};
    }
    *rest = (struct rf_view){stop, (size_t)(end - stop)};
    return key;
}

static const struct rf_slurm_key *key_of_text(enum rf_slurm_kind kind, struct rf_view text)
{
    char name[64];

    if (text.size_bytes >= sizeof name)
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)text.size_bytes, text.bytes);
    return rf_slurm_key_shown(kind, name);
}

static enum rf_status read_pairs(struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                                 struct rf_view line, struct rf_error *err)
{
    struct rf_view value, name, key = pair_next(&line, &name);
    enum rf_status st;

    if (!rf_view_is(key, kind == RF_SLURM_PARTITION ? "PartitionName" : "ReservationName"))
        return RF_OK; /* "No reservations in the system" */
    st = add(facts, kind, name, NULL, (struct rf_view){"", 0}, err);
    while (st == RF_OK && line.size_bytes > 0) {
        const struct rf_slurm_key *known;

        key = pair_next(&line, &value);
        known = key_of_text(kind, key);
        if (known == NULL)
            continue;
        if (rf_view_is(value, "(null)"))
            value.size_bytes = 0;
        st = add(facts, kind, name, known, value, err);
    }
    return st;
}

/* "AccountingStorageTRES   = cpu,mem,gres/gpu" */
static enum rf_status read_conf(struct rf_slurm_facts *facts, struct rf_view line,
                                struct rf_error *err)
{
    const char *equals = memchr(line.bytes, '=', line.size_bytes);
    struct rf_view name, value;
    const struct rf_slurm_key *key;
    enum rf_status st;

    if (equals == NULL)
        return RF_OK;
    name = (struct rf_view){line.bytes, strcspn(line.bytes, " =")};
    value = (struct rf_view){equals + 1, line.size_bytes - (size_t)(equals - line.bytes) - 1};
    while (value.size_bytes > 0 && value.bytes[0] == ' ')
        value = (struct rf_view){value.bytes + 1, value.size_bytes - 1};
    key = key_of_text(RF_SLURM_CONF, name);
    if (key == NULL)
        return RF_OK;
    if (key->form == RF_SLURM_DURATION) /* 7-00:00:00 (or so many seconds?) : cut the rest */
        value.size_bytes = strcspn(value.bytes, " \n") < value.size_bytes
                               ? strcspn(value.bytes, " \n")
                               : value.size_bytes;
    st = add(facts, RF_SLURM_CONF, name, NULL, (struct rf_view){"", 0}, err);
    return st == RF_OK ? add(facts, RF_SLURM_CONF, name, key, value, err) : st;
}

/* ---- the whole ----------------------------------------------------------------- */

enum rf_status rf_slurm_facts_read(struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                                   const char *text, size_t size_bytes, struct rf_error *err)
{
    struct rf_lines lines = rf_lines_begin(text, size_bytes);
    struct rf_view line;
    enum rf_status st = RF_OK;

    if (kind == RF_SLURM_QOS || kind == RF_SLURM_ACCOUNT)
        return read_rows(facts, kind, text, size_bytes, err);
    while (st == RF_OK && rf_lines_next(&lines, &line))
        st = kind == RF_SLURM_CONF ? read_conf(facts, line, err)
                                   : read_pairs(facts, kind, line, err);
    return st;
}

enum rf_status rf_slurm_facts_add(struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                                  const char *name, struct rf_error *err)
{
    return add(facts, kind, (struct rf_view){name, strlen(name)}, NULL, (struct rf_view){"", 0},
               err);
}

void rf_slurm_facts_clear(struct rf_slurm_facts *facts)
{
    free(facts->items);
    *facts = (struct rf_slurm_facts){0};
}

int rf_slurm_facts_has(const struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                       const char *name)
{
    for (int i = 0; i < facts->n; i++)
        if (facts->items[i].kind == kind && facts->items[i].key == NULL &&
            strcasecmp(facts->items[i].name, name) == 0)
            return 1;
    return 0;
}

const char *rf_slurm_facts_value(const struct rf_slurm_facts *facts, enum rf_slurm_kind kind,
                                 const char *name, const struct rf_slurm_key *key)
{
    for (int i = 0; i < facts->n; i++)
        if (facts->items[i].kind == kind && facts->items[i].key == key &&
            strcasecmp(facts->items[i].name, name) == 0)
            return facts->items[i].value;
    return "";
}
