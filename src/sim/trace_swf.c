/* The Standard Workload Format (Chapin et al., JSSPP 1999; version 2.2 of the Parallel
 * Workloads Archive). Of its 18 fields those are read that make a job; the others are counted
 * but may hold anything. */
#include <stdint.h>
#include <string.h>

#include "base/sheet.h"
#include "base/value.h"
#include "sim/trace_sink.h"

enum { NFIELDS = 18 };

/* By number, from 1, as the format's description has them. */
enum {
    SUBMIT = 2,
    RUN = 4,
    ALLOCATED = 5,
    REQUESTED = 8,
    TIME = 9,
    USER = 12,
    GROUP = 13,
    EXECUTABLE = 14,
    QUEUE = 15,
    PARTITION = 16
};

/* "; MaxProcs: 100" */
static void read_header(struct rf_trace_report *report, struct rf_view line)
{
    static const char *const KEYS[] = {"MaxProcs", "MaxNodes", "UnixStartTime"};
    int64_t *const values[] = {&report->max_procs, &report->max_nodes, &report->start_unix_s};
    const char *colon = memchr(line.bytes, ':', line.size_bytes);
    struct rf_view key, rest;

    if (colon == NULL)
        return;
    key = rf_value_trim((struct rf_view){line.bytes, (size_t)(colon - line.bytes)});
    rest = rf_value_trim(
        (struct rf_view){colon + 1, line.size_bytes - (size_t)(colon - line.bytes) - 1});
    for (size_t n = 0; n < rest.size_bytes; n++)
        if (rest.bytes[n] == ' ' || rest.bytes[n] == '\t')
            rest.size_bytes = n;
    for (int i = 0; i < 3; i++) {
        int64_t value;

        if (rf_value_is(key, KEYS[i]) && rf_value_integer(rest, &value) && value > 0 &&
            value < RF_VALUE_TIME_MAX_S)
            *values[i] = value;
    }
}

/* ---- fields -------------------------------------------------------------- */

/* Fields are found by bits rather than by bytes: their lengths follow no pattern, and a loop
 * that ends at each of them costs more in branches guessed wrong than in reading. */

/* A high bit for each byte of x that equals the byte repeated in `of`. */
static uint64_t equal_bytes(uint64_t x, uint64_t of)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);

    x ^= of;
    return ~(((x & low) + low) | x | low);
}

/* Bit i: byte i of the eight is neither a space nor a tab. */
static uint64_t words_of_eight(const char *bytes)
{
    uint64_t x = 0, blank;

    for (int i = 0; i < 8; i++)
        x |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
    blank = equal_bytes(x, UINT64_C(0x2020202020202020)) |
            equal_bytes(x, UINT64_C(0x0909090909090909));
    return ((blank >> 7) * UINT64_C(0x0102040810204080) >> 56) ^ 0xff;
}

/* The same for up to 64 bytes; there are blanks behind the end. */
static uint64_t words_of(const char *bytes, size_t n)
{
    char padded[64];
    uint64_t words = 0;

    if (n < sizeof padded) {
        memset(padded, ' ', sizeof padded);
        memcpy(padded, bytes, n);
        bytes = padded;
    }
    for (int i = 0; i < 8; i++)
        words |= words_of_eight(bytes + 8 * i) << 8 * i;
    return words;
}

static int lowest_bit(uint64_t x)
{
#if defined(__GNUC__)
    return __builtin_ctzll(x);
#else
    int i = 0;

    while ((x >> i & 1) == 0)
        i++;
    return i;
#endif
}

/* Cuts a line at blanks; how many fields there are, up to NFIELDS. */
static int cut(struct rf_view line, struct rf_view fields[NFIELDS + 1])
{
    const char *begin = line.bytes; /* of the next field */
    uint64_t before = 0;            /* is the last byte so far inside of it? */
    int n = 0;

    for (size_t at = 0; at < line.size_bytes; at += 64) {
        const char *bytes = line.bytes + at;
        uint64_t words = words_of(bytes, line.size_bytes - at);
        uint64_t behind = words << 1 | before; /* bytes that follow one of a field */
        uint64_t begins = words & ~behind, ends = ~words & behind;

        if (!before && begins != 0) {
            begin = bytes + lowest_bit(begins);
            begins &= begins - 1;
        }
        for (; ends != 0; ends &= ends - 1) {
            fields[++n] = (struct rf_view){begin, (size_t)(bytes + lowest_bit(ends) - begin)};
            if (n == NFIELDS)
                return n;
            if (begins != 0)
                begin = bytes + lowest_bit(begins);
            begins &= begins - 1;
        }
        before = words >> 63;
    }
    if (before)
        fields[++n] = (struct rf_view){begin, (size_t)(line.bytes + line.size_bytes - begin)};
    return n;
}

/* -1 means unknown in this format. */
static struct rf_view known(struct rf_view field)
{
    if (field.size_bytes == 2 && memcmp(field.bytes, "-1", 2) == 0)
        field.size_bytes = 0;
    return field;
}

static enum rf_status read_job(struct rf_trace_sink *sink, struct rf_view line, int64_t number)
{
    struct rf_view field[NFIELDS + 1];
    struct rf_view about[RF_NFIELDS] = {{"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}};
    struct rf_trace_job job = {.line = number};
    int64_t allocated, requested;
    enum rf_status st;

    if (cut(line, field) < NFIELDS)
        return rf_sink_malformed(sink, number, "fewer than 18 fields", (struct rf_view){"", 0});
    if (!rf_value_seconds(field[SUBMIT], &job.submit_us))
        return rf_sink_malformed(sink, number, "not a submit time (field 2)", field[SUBMIT]);
    if (!rf_value_seconds(field[RUN], &job.run_us))
        return rf_sink_malformed(sink, number, "not a run time (field 4)", field[RUN]);
    if (!rf_value_integer(field[ALLOCATED], &allocated))
        return rf_sink_malformed(sink, number, "not a number of processors (field 5)",
                                 field[ALLOCATED]);
    if (!rf_value_integer(field[REQUESTED], &requested))
        return rf_sink_malformed(sink, number, "not a number of processors (field 8)",
                                 field[REQUESTED]);
    if (!rf_value_seconds(field[TIME], &job.limit_us))
        return rf_sink_malformed(sink, number, "not a requested time (field 9)", field[TIME]);
    job.min = allocated > 0 ? allocated : requested;
    about[RF_FIELD_USER] = known(field[USER]);
    about[RF_FIELD_GROUP] = known(field[GROUP]);
    about[RF_FIELD_NAME] = known(field[EXECUTABLE]);
    about[RF_FIELD_QUEUE] = known(field[QUEUE]);
    if (about[RF_FIELD_QUEUE].size_bytes == 0)
        about[RF_FIELD_QUEUE] = known(field[PARTITION]);
    st = rf_sink_account(sink, about, &job.account);
    return st == RF_OK ? rf_sink_add(sink, &job) : st;
}

enum rf_status rf_trace_swf(struct rf_trace_sink *sink, const char *text, size_t size_bytes)
{
    struct rf_lines lines = rf_lines_begin(text, size_bytes);
    struct rf_view line;
    enum rf_status st = RF_OK;

    while (st == RF_OK && rf_lines_next(&lines, &line)) {
        while (line.size_bytes > 0 && (*line.bytes == ' ' || *line.bytes == '\t')) {
            line.bytes++;
            line.size_bytes--;
        }
        if (line.size_bytes == 0)
            continue;
        if (line.size_bytes > RF_SHEET_LINE_MAX)
            st = rf_sink_malformed(sink, lines.number, "the line is too long",
                                   (struct rf_view){"", 0});
        else if (*line.bytes == ';')
            read_header(sink->report, (struct rf_view){line.bytes + 1, line.size_bytes - 1});
        else
            st = read_job(sink, line, lines.number);
    }
    return st;
}
