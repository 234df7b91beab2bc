/* The configuration reader on any bytes: it accepts or refuses, and what it accepts
 * survives being written and read again. The input is a configuration, or, behind a first
 * byte of 0xff, one override for a good one. With 0xfe and 0xfd it is the same for scenarios, and
 * 0xfc stands before a submission to the good one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/schema.h"

static const char good[] =
    "run = { name = \"r\"; }; pledges = ( { account = \"a\"; share = \"20%\"; window_s = 1; } "
    ");"
    "models = ( { name = \"m\"; layers = 1; heads = 1; width = 8; } );"
    "tasks = ( { name = \"t\"; source = \"chess-rules\"; rule = \"check\"; } );"
    "jobs = ( { name = \"j\"; account = \"a\"; model = \"m\"; task = \"t\"; train = { steps = "
    "1; }; } );"
    "experiments = ( { name = \"e\"; account = \"a\"; task = \"t\"; weak = \"m\"; strong = "
    "\"m\";"
    "  pretrained = \"j\"; weak_train = { steps = 1; }; strong_train = { steps = 1; }; } );";

static const char scenario[] =
    "simulate = { name = \"s\"; start = \"2023-07-05\"; until = \"4y\"; };"
    "workload = { source = \"flood\"; load = 0.5; malleable_accounts = [\"a\"]; malleable = 2;"
    "  rules = ( { field = \"user\"; match = \"u1\"; account = \"a.%u\"; } ); };"
    "fleet = { devices = 8; growth = ( { at = \"2024-01-01\"; devices = 9; } ); mtbf_s = "
    "\"9d\";"
    "  outages = ( { at = \"1d\"; length_s = \"2h\"; every_s = \"30d\"; } ); };"
    "pledges = ( { account = \"a\"; share = \"20%\"; window_s = \"28d\"; } );"
    "changes = ( { at = \"1y\"; kind = \"pledge\"; account = \"a\"; } );"
    "definitions = { slide_s = [\"1d\", \"2d\", \"4w\"]; }; grid = { shares = [\"5%\"]; };";

/* On a syntax error libconfig 1.5 forgets the string it has just read; that is not ours. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static void expect(int holds)
{
    if (!holds)
        abort();
}

static union {
    struct rf_run_spec run;
    struct rf_scenario scenario;
} target, again;

static void check_round_trip(const struct rf_schema *schema)
{
    struct rf_error err;
    char *text[2];
    size_t size[2];

    expect(rf_schema_write(schema, &target, &text[0], &size[0], &err) == RF_OK);
    schema->clear(&target);
    expect(rf_schema_parse(schema, &again, text[0], size[0], "/x/again.cfg", NULL, 0, &err) ==
           RF_OK);
    expect(rf_schema_write(schema, &again, &text[1], &size[1], &err) == RF_OK);
    expect(size[0] == size[1] && memcmp(text[0], text[1], size[0]) == 0);
    schema->clear(&again);
    free(text[0]);
    free(text[1]);
}

static void check_submission(const char *text, size_t size)
{
    struct rf_run_spec base, spec, same;
    struct rf_error err = {RF_OK, ""};
    char *written[2];
    size_t sizes[2];
    enum rf_status st;

    expect(rf_config_parse(&base, good, sizeof good - 1, "/x/f.cfg", NULL, 0, &err) == RF_OK);
    st = rf_config_parse_submission(&spec, &base, text, size, "/x/job.cfg", NULL, 0, &err);
    expect(st == RF_OK || (st == RF_ERR_CONFIG && err.text[0] != '\0'));
    if (st == RF_OK) {
        expect(rf_config_write_submission(&spec, &written[0], &sizes[0], &err) == RF_OK);
        expect(rf_config_parse_submission(&same, &base, written[0], sizes[0], "/x/again.cfg",
                                          NULL, 0, &err) == RF_OK);
        expect(rf_config_write_submission(&same, &written[1], &sizes[1], &err) == RF_OK);
        expect(sizes[0] == sizes[1] && memcmp(written[0], written[1], sizes[0]) == 0);
        free(written[0]);
        free(written[1]);
        rf_run_spec_clear(&same);
        rf_run_spec_clear(&spec);
    }
    rf_run_spec_clear(&base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rf_error err = {RF_OK, ""};
    char *text = malloc(size + 1);
    const char *override = text + 1;
    int first = size > 0 ? data[0] : 0;
    const struct rf_schema *schema =
        first == 0xfe || first == 0xfd ? &rf_config_simulate : &rf_config_run;
    enum rf_status st;

    expect(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (first == 0xfc) {
        check_submission(text + 1, size - 1);
        free(text);
        return 0;
    }
    if (first == 0xff)
        st = rf_schema_parse(schema, &target, good, sizeof good - 1, "/x/f.cfg", &override, 1,
                             &err);
    else if (first == 0xfe)
        st = rf_schema_parse(schema, &target, scenario, sizeof scenario - 1, "/x/f.cfg",
                             &override, 1, &err);
    else if (first == 0xfd)
        st = rf_schema_parse(schema, &target, text + 1, size - 1, "/x/f.cfg", NULL, 0, &err);
    else
        st = rf_schema_parse(schema, &target, text, size, "/x/f.cfg", NULL, 0, &err);
    expect(st == RF_OK || (st == RF_ERR_CONFIG && err.text[0] != '\0'));
    if (st == RF_OK)
        check_round_trip(schema);
    free(text);
    return 0;
}
