/* The configuration reader on any bytes: it accepts or refuses, and what it accepts
 * survives being written and read again. The input is a configuration, or,
 * behind a first byte of 0xff, one override for a good one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

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

/* Ends spec. */
static void check_round_trip(struct rf_run_spec *spec)
{
    struct rf_run_spec again;
    struct rf_error err;
    char *text[2];
    size_t size[2];

    expect(rf_config_write(spec, &text[0], &size[0], &err) == RF_OK);
    rf_run_spec_clear(spec);
    expect(rf_config_parse(&again, text[0], size[0], "/x/again.cfg", NULL, 0, &err) == RF_OK);
    expect(rf_config_write(&again, &text[1], &size[1], &err) == RF_OK);
    expect(size[0] == size[1] && memcmp(text[0], text[1], size[0]) == 0);
    rf_run_spec_clear(&again);
    free(text[0]);
    free(text[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rf_run_spec spec;
    struct rf_error err = {RF_OK, ""};
    const char *override = NULL;
    char *text = malloc(size + 1);
    enum rf_status st;

    expect(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (size > 0 && data[0] == 0xff) {
        override = text + 1;
        st = rf_config_parse(&spec, good, sizeof good - 1, "/x/f.cfg", &override, 1, &err);
    } else {
        st = rf_config_parse(&spec, text, size, "/x/f.cfg", NULL, 0, &err);
    }
    expect(st == RF_OK || (st == RF_ERR_CONFIG && err.text[0] != '\0'));
    if (st == RF_OK)
        check_round_trip(&spec);
    free(text);
    return 0;
}
