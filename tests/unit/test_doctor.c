/* Findings about a machine, and what sacct says of a job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/child.h"
#include "base/file.h"
#include "doctor/doctor.h"
#include "report/seff.h"

static void the_best_instructions_of_a_processor_are_named(void **state)
{
    (void)state;
    assert_string_equal(rf_doctor_isa("flags\t: fpu avx2 avx512f avx512_bf16 amx_bf16\n"),
                        "AMX (bf16)");
    assert_string_equal(rf_doctor_isa("flags\t: avx512_bf16 avx2\n"), "AVX-512 (bf16)");
    assert_string_equal(rf_doctor_isa("flags\t: avx512f"), "AVX-512");
    assert_string_equal(rf_doctor_isa("flags\t: avx avx2\n"), "AVX2");
    assert_string_equal(rf_doctor_isa("flags\t: avx avx2plus myavx2\n"), "");
    assert_string_equal(rf_doctor_isa(""), "");
}

static void network_file_systems_are_known(void **state)
{
    (void)state;
    assert_true(rf_doctor_is_network("nfs4"));
    assert_true(rf_doctor_is_network("lustre"));
    assert_true(rf_doctor_is_network("fuse.glusterfs"));
    assert_false(rf_doctor_is_network("ext4"));
    assert_false(rf_doctor_is_network("nfsd"));
}

static void the_worst_finding_counts_and_a_fix_stands_by_it(void **state)
{
    struct rf_doctor d = {.n = 0};
    json_t *o = json_object();

    (void)state;
    assert_int_equal(rf_doctor_worst(&d), RF_HEALTH_OK);
    rf_doctor_add(&d, RF_HEALTH_OK, "a", "not needed", "well");
    rf_doctor_add(&d, RF_HEALTH_WARN, "b", "do this", "%d of %d", 1, 2);
    assert_int_equal(rf_doctor_worst(&d), RF_HEALTH_WARN);
    assert_string_equal(d.items[0].fix, "");
    assert_string_equal(d.items[1].text, "1 of 2");
    for (int i = 0; i < 2 * RF_DOCTOR_MOST; i++)
        rf_doctor_add(&d, RF_HEALTH_FAIL, "c", "", "more than there is room for");
    assert_int_equal(d.n, RF_DOCTOR_MOST);
    assert_true(rf_doctor_json(&d, o));
    assert_string_equal(json_string_value(json_object_get(o, "health")), "fail");
    assert_int_equal(json_array_size(json_object_get(o, "findings")), RF_DOCTOR_MOST);
    json_decref(o);
}

static void a_folder_that_cannot_be_written_fails(void **state)
{
    struct rf_doctor d = {.n = 0};

    (void)state;
    rf_doctor_files(&d, "/proc/no-such-folder");
    assert_int_equal(d.n, 1);
    assert_int_equal(d.items[0].health, RF_HEALTH_FAIL);
    assert_string_equal(d.items[0].what, "folder");
}

static void programs_are_run_and_ended(void **state)
{
    char *yes[] = {(char[]){"true"}, NULL}, *no[] = {(char[]){"false"}, NULL};
    char *none[] = {(char[]){"no-such-program-here"}, NULL};
    char *slow[] = {(char[]){"sleep"}, (char[]){"60"}, NULL};
    char *echo[] = {(char[]){"echo"}, (char[]){"a b"}, NULL}, *text;

    (void)state;
    assert_int_equal(rf_child_run(yes, -1, -1, 0), 0);
    assert_int_equal(rf_child_run(no, -1, -1, 10), 1);
    assert_int_equal(rf_child_run(none, -1, -1, 0), -1);
    assert_int_equal(rf_child_run(slow, -1, -1, 1), 128 + 9);
    assert_int_equal(rf_child_read(echo, 10, &text), 0);
    assert_string_equal(text, "a b\n");
    free(text);
    assert_int_equal(rf_child_read(no, 10, &text), 1);
    assert_null(text);
    assert_true(rf_child_exists("sh"));
    assert_false(rf_child_exists("no-such-program-here"));
}

static void runs_and_steps_of_a_slurm_job_are_put_together(void **state)
{
    static const char text[] = "7|PREEMPTED|safety|train|4|100|01:00:00||8Gn|90\n"
                               "7.0|CANCELLED|safety|train|4|100|01:00:00|2097152K||\n"
                               "7|RUNNING|safety|train|8|50|1-00:00:01.500||8Gn|90\n"
                               "7.batch|RUNNING|safety|batch|8|50|00:02|1.5G||\n";
    struct rf_seff s;
    struct rf_error err;

    (void)state;
    assert_int_equal(rf_seff_sacct(&s, text, &err), RF_OK);
    assert_int_equal(s.id, 7);
    assert_true(s.running);
    assert_int_equal(s.devices, 8);
    assert_int_equal(s.leases, 2);
    assert_int_equal(s.preemptions, 1);
    assert_int_equal(s.held_us, (400 + 400) * INT64_C(1000000));
    assert_int_equal(s.busy_us, INT64_C(3600000000) + INT64_C(86401500000));
    assert_int_equal(s.limit_us, INT64_C(5400000000));
    assert_true(s.memory_bytes == 2097152.0 * 1024);
    assert_true(s.memory_limit_bytes == 8.0 * 1024 * 1024 * 1024);
    assert_int_equal(rf_seff_sacct(&s,
                                   "9+0|NODE_FAIL|a|h|2|10|00:01||1G|5|1000|/w|990\n"
                                   "9+0|COMPLETED|a|h|2|20|00:01||1G|5|1030|/w|1010\n"
                                   "9+1|NODE_FAIL|a|h|1|10|00:01||1G|5|1000|/w|990\n"
                                   "9+1|COMPLETED|a|h|1|20|00:01||1G|5|1030|/w|1010\n",
                                   &err),
                     RF_OK);
    assert_int_equal(s.devices, 3); /* its parts run beside each other */
    assert_int_equal(s.leases, 2);
    assert_int_equal(s.lost, 1);
    assert_int_equal(s.held_us, 90 * INT64_C(1000000));
    assert_int_equal(s.waited_us, 30 * INT64_C(1000000));
    assert_int_equal(s.end_us - s.first_us, 50 * INT64_C(1000000));
    assert_int_equal(rf_seff_sacct(&s, "", &err), RF_ERR_PEER);
    assert_int_equal(rf_seff_sacct(&s, "|||\n7.0|x", &err), RF_ERR_PEER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_instructions_of_a_processor_are_named),
        cmocka_unit_test(network_file_systems_are_known),
        cmocka_unit_test(the_worst_finding_counts_and_a_fix_stands_by_it),
        cmocka_unit_test(a_folder_that_cannot_be_written_fails),
        cmocka_unit_test(programs_are_run_and_ended),
        cmocka_unit_test(runs_and_steps_of_a_slurm_job_are_put_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
