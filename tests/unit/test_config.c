/* The configuration reader: what it accepts, what it says about what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/config.h"
#include "config/schema.h"

/* Line numbers matter to the tests below. */
static const char good[] =
    "run = { name = \"day\"; seed = 7; };\n"
    "policy = { fence = \"floor\"; reclaim_grace_s = 1.5; };\n"
    "pledges = ( { account = \"alignment\"; share = \"20%\"; window_s = 20.0; } );\n"
    "models = (\n"
    "    { name = \"weak\"; layers = 1; heads = 2; width = 16; hidden = 48; },\n"
    "    { name = \"strong\"; layers = 2; heads = 2; width = 32; } );\n"
    "tasks = ( { name = \"material\"; source = \"chess-rules\"; rule = \"material\"; } );\n"
    "jobs = (\n"
    "    { name = \"pretrain\"; account = \"capability.pretraining\"; model = \"strong\";\n"
    "      task = \"material\"; train = { steps = 400; lr = 2e-3; }; max = 2; },\n"
    "    { name = \"more\"; account = \"capability\"; model = \"weak\"; task = \"material\";\n"
    "      train = { steps = 5; }; after = [\"pretrain\"]; submit_s = 0.25; } );\n"
    "experiments = ( { name = \"w2s\"; account = \"alignment.w2s\"; task = \"material\";\n"
    "      weak = \"weak\"; strong = \"strong\"; pretrained = \"pretrain\";\n"
    "      weak_train = { steps = 3; }; strong_train = { steps = 4; batch = 16; bf16 = true; "
    "};\n"
    "      losses = [\"xent\"]; controls = [\"strong-on-weak-half\"]; } );\n";

static enum rf_status parse(struct rf_run_spec *spec, const char *text, const char *override,
                            struct rf_error *err)
{
    return rf_config_parse(spec, text, strlen(text), "day.cfg", &override, override != NULL,
                           err);
}

static void values_and_defaults_reach_their_fields(void **state)
{
    struct rf_run_spec spec;
    struct rf_error err = {RF_OK, ""};

    (void)state;
    assert_int_equal(parse(&spec, good, NULL, &err), RF_OK);
    assert_string_equal(spec.name, "day");
    assert_int_equal(spec.seed, 7);
    assert_string_equal(spec.out, "runs");
    assert_string_equal(spec.order, "fcfs");
    assert_int_equal(spec.grace_us, 1500000);
    assert_int_equal(spec.lease_us, 500000);
    assert_int_equal(spec.npledges, 1);
    assert_int_equal(spec.pledges[0].pledge.share.num, 1);
    assert_int_equal(spec.pledges[0].pledge.share.den, 5);
    assert_int_equal(spec.pledges[0].pledge.window_us, 20000000);
    assert_int_equal(spec.pledges[0].pledge.tolerance_us, 1500000); /* the grace */
    assert_int_equal(spec.models[0].hidden, 48);
    assert_int_equal(spec.models[1].hidden, 128); /* 4 x width */
    assert_int_equal(spec.tasks[0].train, 4000);
    assert_int_equal(spec.njobs, 2);
    assert_true(spec.jobs[0].train.lr == 2e-3);
    assert_int_equal(spec.jobs[0].min, 1);
    assert_int_equal(spec.jobs[0].max, 2);
    assert_int_equal(spec.jobs[1].max, 1); /* as min */
    assert_int_equal(spec.jobs[1].submit_us, 250000);
    assert_int_equal(spec.jobs[1].nafter, 1);
    assert_string_equal(spec.jobs[1].after[0], "pretrain");
    assert_int_equal(spec.experiments[0].methods[RF_METHOD_XENT], 1);
    assert_int_equal(spec.experiments[0].methods[RF_METHOD_CONFIDENCE], 0);
    assert_int_equal(spec.experiments[0].same_size, 0);
    assert_int_equal(spec.experiments[0].strong_on_weak_half, 1);
    assert_int_equal(spec.experiments[0].strong_train.bf16, 1);
    assert_int_equal(spec.experiments[0].strong_train.batch, 16);
    assert_int_equal(spec.experiments[0].weak_train.batch, 32);
    rf_run_spec_clear(&spec);
}

static void what_is_written_reads_back_the_same(void **state)
{
    static const char *const changes[] = {
        NULL,
        "run.out=a \"b\" \\ c\td",
        "policy.lease_s=0.123457",
        "policy.lease_s=1.5m",
        "jobs.[0].train.lr=0.1",
        "jobs.[0].train.lr=3.3333333333333331e-5",
        "pledges.[0].share=1/3",
        "run.seed=4000000000000000L",
        "run.key=secret/key",
        "experiments.w2s.losses=[\"confidence\", \"xent\"]",
    };
    struct rf_run_spec spec, again;
    struct rf_error err;
    char hex[2][RF_DIGEST_HEX];
    char *text[2];
    size_t size[2];

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_int_equal(parse(&spec, good, changes[i], &err), RF_OK);
        assert_int_equal(rf_config_write(&spec, &text[0], &size[0], &err), RF_OK);
        assert_int_equal(
            rf_config_parse(&again, text[0], size[0], "/else/where.cfg", NULL, 0, &err), RF_OK);
        assert_int_equal(rf_config_write(&again, &text[1], &size[1], &err), RF_OK);
        assert_string_equal(text[0], text[1]);
        assert_memory_equal(spec.jobs, again.jobs, sizeof *spec.jobs * (size_t)spec.njobs);
        assert_memory_equal(spec.tasks, again.tasks, sizeof *spec.tasks * (size_t)spec.ntasks);
        assert_memory_equal(spec.experiments, again.experiments, sizeof *spec.experiments);
        assert_int_equal(spec.lease_us, again.lease_us);
        assert_string_equal(spec.out, again.out);
        assert_int_equal(rf_config_digest(&spec, hex[0], &err), RF_OK);
        assert_int_equal(rf_config_digest(&again, hex[1], &err), RF_OK);
        assert_string_equal(hex[0], hex[1]);
        free(text[0]);
        free(text[1]);
        rf_run_spec_clear(&spec);
        rf_run_spec_clear(&again);
    }
}

static void the_digest_depends_on_every_value(void **state)
{
    struct rf_run_spec spec;
    struct rf_error err;
    char hex[2][RF_DIGEST_HEX];

    (void)state;
    assert_int_equal(parse(&spec, good, NULL, &err), RF_OK);
    assert_int_equal(rf_config_digest(&spec, hex[0], &err), RF_OK);
    rf_run_spec_clear(&spec);
    assert_int_equal(parse(&spec, good, "jobs.more.train.beta1=0.91", &err), RF_OK);
    assert_int_equal(rf_config_digest(&spec, hex[1], &err), RF_OK);
    rf_run_spec_clear(&spec);
    assert_string_not_equal(hex[0], hex[1]);
}

static void overrides_reach_members_by_position_and_by_name(void **state)
{
    static const char *const overrides[] = {
        "jobs.[1].train.steps=9",
        "jobs.pretrain.train.batch=8",
        "run.name=night",
        "pledges.alignment.share=1/4",
        "models.strong.width=64",
        "policy={fence=\"none\";}",
        "experiments.w2s.controls=[]",
    };
    struct rf_run_spec spec;
    struct rf_error err = {RF_OK, ""};

    (void)state;
    assert_int_equal(rf_config_parse(&spec, good, strlen(good), "day.cfg", overrides,
                                     (int)(sizeof overrides / sizeof overrides[0]), &err),
                     RF_OK);
    assert_int_equal(spec.jobs[1].train.steps, 9);
    assert_int_equal(spec.jobs[0].train.batch, 8);
    assert_string_equal(spec.name, "night");
    assert_int_equal(spec.pledges[0].pledge.share.den, 4);
    assert_int_equal(spec.models[1].hidden, 256);
    assert_string_equal(spec.fence, "none");
    assert_int_equal(spec.grace_us, 1000000); /* the whole group was replaced */
    assert_int_equal(spec.experiments[0].strong_on_weak_half, 0);
    rf_run_spec_clear(&spec);
}

/* The group `task` is one more task, and is written as one. */
static void one_task_may_stand_alone(void **state)
{
    const char *const set[] = {"task.path=/data/x.jsonl", "task.format=jsonl",
                               "task.fields.text=sentence", "experiments.w2s.task=task",
                               "task.positive=5"};
    struct rf_run_spec spec, again;
    struct rf_error err = {RF_OK, ""};
    char *text, *more;
    size_t size, more_size;

    (void)state;
    assert_int_equal(rf_config_parse(&spec, good, strlen(good), "day.cfg", set, 4, &err),
                     RF_OK);
    assert_int_equal(spec.ntasks, 2);
    assert_string_equal(spec.tasks[1].name, "task");
    assert_string_equal(spec.tasks[1].source, "jsonl");
    assert_string_equal(spec.tasks[1].fields.text, "sentence");
    assert_string_equal(spec.tasks[1].fields.label, "label");
    assert_int_equal(rf_config_write(&spec, &text, &size, &err), RF_OK);
    assert_int_equal(rf_config_parse(&again, text, size, "day.cfg", NULL, 0, &err), RF_OK);
    assert_int_equal(rf_config_write(&again, &more, &more_size, &err), RF_OK);
    assert_string_equal(text, more);
    free(text);
    free(more);
    rf_run_spec_clear(&spec);
    rf_run_spec_clear(&again);
}

static void a_probe_wants_pretraining_and_few_classes(void **state)
{
    static const char *const probe[] = {"experiments.w2s.controls=[\"probe\"]",
                                        "experiments.w2s.pretrained=\"\""};
    static const char *const chess[] = {
        "experiments.w2s.controls=[\"probe\"]",
        "tasks=({name=\"material\";source=\"chess\";path=\"p.tsv\";})"};
    struct rf_run_spec spec;
    struct rf_error err = {RF_OK, ""};

    (void)state;
    assert_int_equal(rf_config_parse(&spec, good, strlen(good), "day.cfg", probe, 1, &err),
                     RF_OK);
    assert_int_equal(spec.experiments[0].probe, 1);
    assert_int_equal(spec.experiments[0].strong_on_weak_half, 0);
    rf_run_spec_clear(&spec);
    assert_int_equal(rf_config_parse(&spec, good, strlen(good), "day.cfg", probe, 2, &err),
                     RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "key 'experiments.[0].controls': expected no \"probe\", "
                                     "since 'pretrained' is empty"));
    assert_int_equal(rf_config_parse(&spec, good, strlen(good), "day.cfg", chess, 2, &err),
                     RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "at most 16 classes"));
}

static void input_paths_start_from_the_folder_of_the_file(void **state)
{
    static const char task[] =
        "tasks = ( { name = \"t\"; source = \"chess\"; path = \"../p.tsv\"; corpus = \"/abs\"; "
        "} );\n"
        "run = { name = \"r\"; };\n"
        "models = ( { name = \"m\"; layers = 1; heads = 1; width = 8; } );\n"
        "jobs = ( { name = \"j\"; account = \"a\"; model = \"m\"; task = \"t\"; train = { "
        "steps = 1; }; } );";
    struct rf_run_spec spec;
    struct rf_error err = {RF_OK, ""};
    char here[RF_PATH_BYTES], want[RF_PATH_BYTES + 32];

    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(
        rf_config_parse(&spec, task, strlen(task), "/etc/x/day.cfg", NULL, 0, &err), RF_OK);
    assert_string_equal(spec.tasks[0].path, "/etc/x/../p.tsv");
    assert_string_equal(spec.tasks[0].corpus, "/abs");
    assert_string_equal(spec.tasks[0].extra_path, "");
    rf_run_spec_clear(&spec);
    assert_int_equal(rf_config_parse(&spec, task, strlen(task), "sub/day.cfg", NULL, 0, &err),
                     RF_OK);
    snprintf(want, sizeof want, "%s/sub/../p.tsv", here);
    assert_string_equal(spec.tasks[0].path, want);
    rf_run_spec_clear(&spec);
}

/* One override that makes the good text bad, and what must be said about it. */
static const struct {
    const char *override, *message;
} bad[] = {
    {"run.name=a b",
     "key 'run.name': expected a name of letters, digits, '_' and '-', at most 40 "
     "long, got the string 'a b'"},
    {"run.name=3",
     "key 'run.name': expected a name of letters, digits, '_' and '-', at most 40 "
     "long, got 3"},
    {"run.seed=-1", "key 'run.seed': expected a whole number from 0 to 9e+15, got -1"},
    {"run.seed=5000000000", "whole numbers beyond 32 bits need an L at their end: 5000000000"},
    {"run.seed=1.5", "got 1.5"},
    {"run.sede=1",
     "key 'run.sede': expected one of name, seed, out, checkpoints, cache, key, "},
    {"rum.name=x", "key 'rum': expected one of run, policy, pledges"},
    {"run.out=[]", "key 'run.out': expected text in double quotes, got an array"},
    {"policy.order=random", "key 'policy.order': "},
    {"policy.fence=wall", "key 'policy.fence': "},
    {"policy.half_life_s=59", "key 'policy.half_life_s': expected a number of seconds from 60"},
    {"policy.lease_silence=0", "key 'policy.lease_silence': expected a whole number from 1 to"},
    {"pledges.[0].stock_devices=4", "expected nothing, since basis is \"fleet\", got a value"},
    {"changes=({at=3; kind=\"pledge\"; account=\"capability\"; share=0;})",
     "key 'changes.[0].account': expected an account that has a pledge, got 'capability'"},
    {"changes=({at=\"2024-05-17\"; kind=\"pledge\"; account=\"alignment\"; share=0;})",
     "key 'changes.[0].at': expected no date, since times count from the start of the run"},
    {"changes=({at=3; kind=\"policy\"; order=\"random\";})",
     "key 'changes.[0].order': expected one of: fcfs easy"},
    {"changes=({at=3; kind=\"policy\"; order=\"easy\"; reason=\"New management\";})",
     "key 'changes.[0].reason': expected a code of lower-case words joined by '-'"},
    {"policy.lease_s=0",
     "key 'policy.lease_s': expected a number of seconds from 0.01 to 86400, "
     "got 0"},
    {"policy.lease_s=true", "got true"},
    {"policy.lease_s=2d",
     "expected a number of seconds from 0.01 to 86400, got the string '2d'"},
    {"policy.lease_s=soon", "got the string 'soon'"},
    {"pledges=3", "key 'pledges': expected a list of at most 256 groups"},
    {"pledges=(3)", "key 'pledges.[0]': expected a group {...}, got 3"},
    {"pledges.[0].share=120%", "key 'pledges.[0].share': expected a share from 0 to 1"},
    {"pledges.[0].share=-0.1", "got -0.1"},
    {"pledges.[0].window_s=0",
     "key 'pledges.[0].window_s': expected a number of seconds from 0.1"},
    {"pledges.[0].basis=future", "key 'pledges.[0].basis': expected one of: fleet secured"},
    {"pledges.[0].account=alignmnet",
     "expected an account that a job or experiment is charged to, "
     "got 'alignmnet'"},
    {"pledges.[0].account=alignment.",
     "key 'pledges.[0].account': expected an account such as"},
    {"pledges=({account=\"alignment\"; share=\"60%\"; window_s=1;}, "
     "{account=\"capability\"; share=\"1/2\"; window_s=1;})",
     "key 'pledges.[1].share': expected shares that add up to at most 100%, got 110%"},
    {"pledges=({account=\"alignment\"; share=\"10%\"; window_s=1;}, "
     "{account=\"alignment\"; share=\"10%\"; window_s=1;})",
     "key 'pledges.[1].account': expected one pledge per account, got 'alignment' a second "
     "time"},
    {"models.strong.width=33",
     "key 'models.[1].width': expected a multiple of heads = 2, got 33"},
    {"models.strong.kv_heads=1",
     "key 'models.[1].kv_heads': expected heads = 2, or family = \"llama\", got 1"},
    {"models=({name=\"strong\"; family=\"llama\"; layers=1; heads=4; kv_heads=3; width=32;},"
     "{name=\"weak\"; layers=1; heads=1; width=8;})",
     "key 'models.[0].kv_heads': expected a divisor of heads = 4, got 3"},
    {"models=({name=\"strong\"; family=\"llama\"; layers=1; heads=4; width=12;},"
     "{name=\"weak\"; layers=1; heads=1; width=8;})",
     "key 'models.[0].width': expected heads of an even width, to be rotated, got 12 / 4"},
    {"models.strong.family=bert", "key 'models.[1].family'"},
    {"models.strong.input=words", "key 'models.[1].input'"},
    {"models.strong.input=bag", "key 'jobs.[0].model': expected one whose input is 'sequence'"},
    {"models.strong.layers=0",
     "key 'models.[1].layers': expected a whole number from 1 to 512, "
     "got 0"},
    {"models.strong.name=weak",
     "key 'models.[1].name': expected a name of its own, got 'weak' a "
     "second time"},
    {"tasks.material.source=web",
     "key 'tasks.[0].source': expected one of: chess-rules chess tsv "
     "jsonl pairs digits text, got the string 'web'"},
    {"tasks.material.source=tsv",
     "key 'tasks.[0].path': expected a value, since source is \"tsv\""},
    {"tasks.material.path=x.tsv", "key 'tasks.[0].path': expected nothing, since source "
                                  "\"chess-rules\" does not use it"},
    {"tasks.material.rule=luck", "key 'tasks.[0].rule': expected one of "},
    {"tasks.material.test=1", "key 'tasks.[0].test': expected at least 2, got 1"},
    {"jobs.pretrain.model=huge",
     "key 'jobs.[0].model': expected the name of a model in 'models', "
     "got 'huge'"},
    {"jobs.pretrain.task=none", "key 'jobs.[0].task': expected the name of a task"},
    {"jobs.pretrain.min=3", "key 'jobs.[0].max': expected at least min = 3, got 2"},
    {"jobs.pretrain.train=3", "key 'jobs.[0].train': expected a group {...}, got 3"},
    {"jobs.pretrain.train={}", "key 'jobs.[0].train.steps': expected a number from 0 to"},
    {"jobs.pretrain.train.steps=0",
     "key 'jobs.[0].train.steps': expected a whole number from 1 to"},
    {"experiments.w2s.strong_train.steps=0",
     "strong_train.steps': expected a whole number from 1"},
    {"jobs.pretrain.train.lr=1.0e999", "key 'jobs.[0].train.lr': expected a number from 1e-12"},
    {"jobs.pretrain.train.bf16=1", "key 'jobs.[0].train.bf16': expected true or false, got 1"},
    {"jobs.pretrain.train.stesp=1", "expected one of steps, batch, "},
    {"jobs.pretrain.after=[\"more\"]", "key 'jobs.[0].after': expected names of jobs that are "
                                       "listed before this one, got 'more'"},
    {"jobs.pretrain.after=[\"pretrain\"]", "got 'pretrain'"},
    {"jobs.pretrain.after=pretrain", "expected an array of at most 16 names"},
    {"jobs.more.name=pretrain", "key 'jobs.[1].name': expected a name of its own"},
    {"experiments.w2s.weak=tiny", "key 'experiments.[0].weak': expected the name of a model"},
    {"experiments.w2s.pretrained=none", "expected the name of a job in 'jobs', got 'none'"},
    {"experiments.w2s.pretrained=more",
     "expected a job that trains model 'strong', got 'more', "
     "which trains 'weak'"},
    {"experiments.w2s.losses=[]", "key 'experiments.[0].losses': expected at least one method"},
    {"experiments.w2s.losses=[\"hinge\"]",
     "expected an array of some of: " RF_METHOD_WORDS ", got the string 'hinge'"},
    {"experiments.w2s.chain=[\"nobody\"]",
     "key 'experiments.[0].chain': expected the name of a model in 'models', got 'nobody'"},
    {"experiments.w2s.chain_pretrained=[\"pretrain\"]",
     "key 'experiments.[0].chain_pretrained': expected a job for each of the 0 models"},
    {"jobs.more.init=pretrain", "key 'jobs.[1].init': expected a job that trains model 'weak', "
                                "got 'pretrain', which trains "
                                "'strong'"},
    {"jobs.more.init=later", "key 'jobs.[1].init': expected the name of a job that is listed "
                             "before this one, got 'later'"},
    {"task.path=", "key 'task.path': expected a value, since source is \"tsv\", got nothing"},
    {"experiments.w2s.bootstrap=99", "expected a whole number from 100 to 1000000, got 99"},
    {"experiments.w2s.name=pretrain", "key 'experiments.[0].name': expected a name of its own"},
    {"run.name", "--set run.name: expected path.to.key=value"},
    {"=3", "--set =3: expected path.to.key=value"},
    {"jobs.[7].max=1", "--set jobs.[7].max=1: there is no such place"},
    {"jobs.nobody.max=1", "there is no such place"},
    {"run.name.first=x", "there is no such place"},
    {"run.a b=1", "'a b' cannot be a key"},
};

static void every_mistake_is_named_with_its_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rf_run_spec spec;
        struct rf_error err = {RF_OK, ""};

        if (parse(&spec, good, bad[i].override, &err) != RF_ERR_CONFIG)
            fail_msg("'%s' was accepted", bad[i].override);
        if (strstr(err.text, bad[i].message) == NULL)
            fail_msg("'%s' gave: %s", bad[i].override, err.text);
        if (strncmp(err.text, "--set", 5) != 0 && strncmp(err.text, "day.cfg:", 8) != 0)
            fail_msg("'%s' gave no place: %s", bad[i].override, err.text);
        assert_int_equal(err.status, RF_ERR_CONFIG);
        assert_null(spec.jobs);
    }
}

/* The same kind of mistakes in the file itself: line numbers. */
static const struct {
    const char *find, *replace, *message;
} lines[] = {
    {"seed = 7", "sed = 7", "day.cfg:1: key 'run.sed': expected one of"},
    {"seed = 7", "seed = 70000000000", "day.cfg:1: whole numbers beyond 32 bits need an L"},
    {"width = 32", "width = \"32\"",
     "day.cfg:6: key 'models.[1].width': expected a whole number "
     "from 1 to 65536, got the string '32'"},
    {"width = 32; ", "",
     "day.cfg:6: key 'models.[1].width': expected a number from 1 to 65536, got "
     "nothing"},
    {"steps = 5", "steps = 0",
     "day.cfg:12: key 'jobs.[1].train.steps': expected a whole number from "
     "1 to 100000000, got 0"},
    {"after = [\"pretrain\"]", "after = [\"nothing\"]", "day.cfg:12: key 'jobs.[1].after'"},
    {"width = 32; ", "width = ; ", "day.cfg:6: syntax error"},
    {"\"day\"; seed", "\"day; seed",
     "day.cfg:16: the string or comment that begins here has no"},
    {"seed = 7;", "seed = 7; /* ",
     "day.cfg:1: the string or comment that begins here has no end"},
    {"seed = 7; ", "seed = 7; seed = 8; ", "day.cfg:1: duplicate setting name"},
    {"models = (", "@include \"x\"\nmodels = (", "day.cfg:4: @include is not supported"},
    {"run = { name = \"day\"; seed = 7; };", "", "day.cfg: key 'run.name': expected a name"},
};

static void mistakes_in_the_file_are_named_with_their_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct rf_run_spec spec;
        struct rf_error err = {RF_OK, ""};
        char text[4096];
        const char *at = strstr(good, lines[i].find);

        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, lines[i].replace,
                 at + strlen(lines[i].find));
        if (parse(&spec, text, NULL, &err) != RF_ERR_CONFIG)
            fail_msg("'%s' was accepted", lines[i].replace);
        if (strncmp(err.text, lines[i].message, strlen(lines[i].message)) != 0)
            fail_msg("'%s' gave: %s", lines[i].replace, err.text);
    }
}

static void a_run_without_work_is_refused(void **state)
{
    static const char text[] = "run = { name = \"r\"; };";
    struct rf_run_spec spec;
    struct rf_error err = {RF_OK, ""};

    (void)state;
    assert_int_equal(parse(&spec, text, NULL, &err), RF_ERR_CONFIG);
    assert_string_equal(
        err.text, "day.cfg: key 'jobs': expected at least one job or experiment, got none");
    assert_int_equal(rf_config_parse(&spec, "a = 1;\0b", 8, "day.cfg", NULL, 0, &err),
                     RF_ERR_CONFIG);
    assert_non_null(strstr(err.text, "NUL"));
    assert_int_equal(rf_config_read(&spec, "/nonexistent/day.cfg", NULL, 0, &err),
                     RF_ERR_INPUT);
}

static void whole_numbers_in_strings_comments_and_floats_are_left_alone(void **state)
{
    static const char text[] = "# 5000000000\n// 5000000000\n/* 5000000000\n */\n"
                               "jobs = ();\nrun = { out = \"5000000000 \\\" 5000000000\"; "
                               "name = \"x5000000000\"; seed = 0x7fffffff; };\n"
                               "policy = { seal_s = 00000000000000000000012; };\n";
    struct rf_run_spec spec;
    struct rf_error err = {RF_OK, ""};

    (void)state;
    assert_int_equal(parse(&spec, text, NULL, &err), RF_ERR_CONFIG);
    assert_string_equal(err.text, "day.cfg:5: key 'jobs': expected at least one job or "
                                  "experiment, got none");
}

/* The part of the manual under one heading; cut out, so that a key counts only there. */
static char *section_of(const char *manual, const char *name)
{
    char heading[80];
    const char *at, *end;

    snprintf(heading, sizeof heading, "\n## %s\n", name);
    at = strstr(manual, heading);
    if (at == NULL) {
        fail_msg("configs/README.md has no section '%s'", name);
        return NULL;
    }
    end = strstr(at + 1, "\n## ");
    return strndup(at, end != NULL ? (size_t)(end - at) : strlen(at));
}

static void check_keys(const char *manual, const char *name, const struct rf_key *keys)
{
    char *section = section_of(manual, name);
    char entry[80];

    for (const struct rf_key *k = keys; k->key != NULL; k++) {
        snprintf(entry, sizeof entry, "\n| `%s` |", k->key);
        if (strstr(section, entry) == NULL)
            fail_msg("configs/README.md does not explain key '%s' of '%s'", k->key, name);
        if (k->kind == RF_KEY_GROUP)
            check_keys(manual, strcmp(k->key, "fields") == 0 ? "fields" : "train", k->group);
    }
    free(section);
}

static void every_key_stands_in_the_manual(void **state)
{
    struct rf_error err = {RF_OK, ""};
    char *manual = NULL;
    size_t size;

    (void)state;
    assert_int_equal(
        rf_file_read(RF_SOURCE_DIR "/configs/README.md", 1 << 20, &manual, &size, &err), RF_OK);
    for (const struct rf_key *s = rf_config_run.sections; s->key != NULL; s++)
        if (s->kind != RF_KEY_MEMBER) /* has the keys of its list */
            check_keys(manual, s->key, s->group);
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_defaults_reach_their_fields),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(the_digest_depends_on_every_value),
        cmocka_unit_test(overrides_reach_members_by_position_and_by_name),
        cmocka_unit_test(one_task_may_stand_alone),
        cmocka_unit_test(a_probe_wants_pretraining_and_few_classes),
        cmocka_unit_test(input_paths_start_from_the_folder_of_the_file),
        cmocka_unit_test(every_mistake_is_named_with_its_key),
        cmocka_unit_test(mistakes_in_the_file_are_named_with_their_line),
        cmocka_unit_test(a_run_without_work_is_refused),
        cmocka_unit_test(whole_numbers_in_strings_comments_and_floats_are_left_alone),
        cmocka_unit_test(every_key_stands_in_the_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
