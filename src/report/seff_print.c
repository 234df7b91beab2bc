/* The ten lines, and the same as JSON. */
#include <math.h>
#include <string.h>

#include "base/terminal.h"
#include "report/build.h"
#include "report/duration.h"
#include "report/seff.h"

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

static double efficiency(const struct rf_seff *s)
{
    return s->held_us > 0 ? (double)s->busy_us / (double)s->held_us : (double)NAN;
}

/* Model FLOPs over what the devices could have done while it held them. */
static double mfu(const struct rf_seff *s)
{
    double most = seconds(s->held_us) * s->peak_flops;

    return most > 0 ? (double)s->flops / most : (double)NAN;
}

static double of_pledge(const struct rf_seff *s)
{
    return s->entitled_device_s > 0 ? seconds(s->held_us) / s->entitled_device_s : (double)NAN;
}

static void print_percent(FILE *out, double x)
{
    if (isfinite(x))
        fprintf(out, "%.1f %%", 100 * x);
    else
        fputs("-", out);
}

static void print_bytes(FILE *out, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    int k = 0;

    for (; bytes >= 1000 && k < 4; k++)
        bytes /= 1000;
    fprintf(out, "%.3g %s", bytes, units[k]);
}

static void print_memory(const struct rf_seff *s, FILE *out)
{
    fputs("memory          ", out);
    if (!(s->memory_bytes > 0)) {
        fputs("not recorded\n", out);
        return;
    }
    print_bytes(out, s->memory_bytes);
    fputs(" in the largest process", out);
    if (s->memory_limit_bytes > 0) {
        fputs(", of ", out);
        print_bytes(out, s->memory_limit_bytes);
        fputs(" asked for", out);
    }
    fputc('\n', out);
}

static void print_work(const struct rf_seff *s, FILE *out)
{
    char held[RF_DURATION_BYTES], busy[RF_DURATION_BYTES];

    fprintf(out, "%s %s allocated, %s used: ", s->slurm ? "processor-time " : "device-time    ",
            rf_duration_text(held, seconds(s->held_us)),
            rf_duration_text(busy, seconds(s->busy_us)));
    print_percent(out, efficiency(s));
    fputs("\nMFU             ", out);
    if (isfinite(mfu(s)))
        fprintf(out, "%.1f %% of %.3g FLOP/s a device", 100 * mfu(s), s->peak_flops);
    else
        fputs(s->slurm && s->run_dir[0] == '\0' ? "- (Slurm counts no FLOPs)"
                                                : "- (no peak was measured)",
              out);
    if (s->slurm && s->run_dir[0] == '\0')
        fputc('\n', out);
    else
        fprintf(out, "; %.3g FLOPs, %lld tokens\n", (double)s->flops, (long long)s->tokens);
}

static void print_pledge(const struct rf_seff *s, FILE *out)
{
    fputs("pledge          ", out);
    if (s->pledge[0] == '\0') {
        fputs(!s->slurm               ? "none for its account\n"
              : s->run_dir[0] == '\0' ? "no run of this job was found where it worked\n"
                                      : "none in ",
              out);
        if (s->slurm && s->run_dir[0] != '\0')
            fprintf(out, "%s\n", s->run_dir);
        return;
    }
    fprintf(out, "%s: ", s->pledge);
    print_percent(out, s->received);
    fprintf(out, " received of %.1f %% promised", 100 * s->promised);
    if (s->run_dir[0] != '\0') {
        fprintf(out, ", in %s\n", s->run_dir);
        return;
    }
    fputs("; this job is ", out);
    print_percent(out, of_pledge(s));
    fputs(" of the budget so far\n", out);
}

void rf_seff_print(const struct rf_seff *s, FILE *out)
{
    enum rf_shade shade = rf_terminal_shade(s->state);
    char text[RF_DURATION_BYTES], limit[RF_DURATION_BYTES];
    int64_t until_us = s->end_us > 0 ? s->end_us : s->now_us;

    if (s->running)
        fprintf(out, "%swarning%s: the job is not over; these figures are those so far\n",
                rf_terminal_on(out, RF_SHADE_OPEN), rf_terminal_off(out, RF_SHADE_OPEN));
    fprintf(out, "job             %s (%d)\naccount         %s\n", s->job, (int)s->id,
            s->account[0] != '\0' ? s->account : "-");
    fprintf(out, "state           %s%s%s%s%s%s\n", rf_terminal_on(out, shade), s->state,
            rf_terminal_off(out, shade), s->reason[0] != '\0' ? " (last reason: " : "",
            s->reason, s->reason[0] != '\0' ? ")" : "");
    if (s->slurm)
        fprintf(out, "processors      %d at most, in %d run%s\n", (int)s->devices,
                (int)s->leases, s->leases == 1 ? "" : "s");
    else
        fprintf(out, "devices         %d at most, in %d lease%s\n", (int)s->devices,
                (int)s->leases, s->leases == 1 ? "" : "s");
    fprintf(out, "time            %s from the first start%s%s%s\n",
            s->first_us > 0 ? rf_duration_text(text, seconds(until_us - s->first_us)) : "-",
            s->running ? "" : " to the end", s->limit_us > 0 ? ", limit " : "",
            s->limit_us > 0 ? rf_duration_text(limit, seconds(s->limit_us)) : "");
    print_work(s, out);
    print_pledge(s, out);
    print_memory(s, out);
    fprintf(out, "waited          %s; preempted %d times, ",
            rf_duration_text(text, seconds(s->waited_us)), (int)s->preemptions);
    if (s->slurm)
        fprintf(out, "requeued %d times, lost a node %d times\n", (int)s->requeues,
                (int)s->lost);
    else
        fprintf(out, "%lld checkpoints%s\n", (long long)s->checkpoints,
                s->disputes > 0 ? "; claims of it are disputed, see the ledger" : "");
}

int rf_seff_json(const struct rf_seff *s, json_t *to)
{
    struct rf_build build = {0}, *b = &build;

    rf_build_text(b, to, "job", s->job);
    rf_build_integer(b, to, "id", s->id);
    rf_build_text(b, to, "account", s->account);
    rf_build_text(b, to, "state", s->state);
    rf_build_text(b, to, "reason", s->reason);
    rf_build_set(b, to, "running", json_boolean(s->running));
    rf_build_integer(b, to, "devices", s->devices);
    rf_build_integer(b, to, "leases", s->leases);
    rf_build_integer(b, to, "preemptions", s->preemptions);
    rf_build_integer(b, to, "requeues", s->requeues);
    rf_build_integer(b, to, "nodes_lost", s->lost);
    rf_build_integer(b, to, "disputes", s->disputes);
    rf_build_integer(b, to, "checkpoints", s->checkpoints);
    rf_build_seconds(b, to, "held_device_s", s->held_us);
    rf_build_seconds(b, to, "busy_device_s", s->busy_us);
    rf_build_number(b, to, "efficiency", efficiency(s));
    rf_build_integer(b, to, "flops", s->flops);
    rf_build_integer(b, to, "tokens", s->tokens);
    rf_build_number(b, to, "peak_flops", s->peak_flops > 0 ? s->peak_flops : (double)NAN);
    rf_build_number(b, to, "mfu", mfu(s));
    rf_build_seconds(b, to, "waited_s", s->waited_us);
    rf_build_number(b, to, "limit_s", s->limit_us > 0 ? seconds(s->limit_us) : (double)NAN);
    rf_build_number(b, to, "memory_bytes", s->memory_bytes > 0 ? s->memory_bytes : (double)NAN);
    rf_build_text(b, to, "pledge", s->pledge);
    rf_build_text(b, to, "pledge_run_dir", s->run_dir);
    rf_build_number(b, to, "promised_share", s->pledge[0] != '\0' ? s->promised : (double)NAN);
    rf_build_number(b, to, "received_share", s->pledge[0] != '\0' ? s->received : (double)NAN);
    rf_build_number(b, to, "of_pledge", of_pledge(s));
    return !build.failed;
}
