/* The readers of what a job leaves behind, on arbitrary bytes. The first byte chooses which of
 * the four files the rest is. Each is accepted or refused with a message; what is accepted
 * survives being written and read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "job/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
    if (!holds)
        abort();
}

static void read_curve(const char *dir, struct rf_error *err)
{
    struct rf_curve curve = {0}, again = {0};

    if (rf_curve_read(&curve, dir, "j", INT64_MAX, err) == RF_OK) {
        need(rf_curve_write(&curve, dir, "k", err) == RF_OK);
        need(rf_curve_read(&again, dir, "k", INT64_MAX, err) == RF_OK);
        need(curve.npoints == again.npoints);
        for (int i = 0; i < curve.npoints; i++)
            need(curve.points[i].step == again.points[i].step &&
                 curve.points[i].t_us == again.points[i].t_us);
    } else {
        need(err->text[0] != '\0');
    }
    rf_curve_clear(&curve);
    rf_curve_clear(&again);
}

static void read_predictions(const char *dir, int with_truth, int nclass, int n,
                             struct rf_error *err)
{
    struct rf_predictions p, again = {0};
    enum rf_status st = with_truth ? rf_predictions_read_test(&p, dir, "j", err)
                                   : rf_predictions_read(&p, n, nclass, 0, dir, "j", err);

    if (st == RF_OK) {
        size_t bytes = (size_t)p.n * sizeof *p.best;

        need(rf_predictions_write(&p, dir, "k", err) == RF_OK);
        need(rf_predictions_read(&again, p.n, p.nclass, with_truth, dir, "k", err) == RF_OK);
        need(memcmp(p.best, again.best, bytes) == 0);
        need((p.prob == NULL) == (again.prob == NULL));
        for (int i = 0; p.prob != NULL && i < p.n * p.nclass; i++)
            need(p.prob[i] == again.prob[i]);
        need(!with_truth || memcmp(p.truth, again.truth, bytes) == 0);
    } else {
        need(err->text[0] != '\0');
    }
    rf_predictions_clear(&p);
    rf_predictions_clear(&again);
}

static void read_metrics(const char *dir, struct rf_error *err)
{
    struct rf_metrics metrics = {.n = 0}, again = {.n = 0};

    if (rf_record_metrics_read(&metrics, dir, "j", err) == RF_OK) {
        need(rf_record_metrics_write(&metrics, dir, "k", err) == RF_OK);
        need(rf_record_metrics_read(&again, dir, "k", err) == RF_OK);
        need(metrics.n == again.n);
        for (int i = 0; i < metrics.n; i++)
            need(strcmp(metrics.items[i].name, again.items[i].name) == 0);
    } else {
        need(err->text[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kinds[] = {"curve", "labels", "test", "metrics"};
    char dir[64], folder[80], path[120];
    struct rf_error err = {RF_OK, ""};
    int kind;
    FILE *out;

    if (size == 0)
        return 0;
    kind = data[0] % 4;
    snprintf(dir, sizeof dir, "/tmp/fuzz_record.%ld", (long)getpid());
    snprintf(folder, sizeof folder, "%s/jobs", dir);
    snprintf(path, sizeof path, "%s/j.%s", folder, kinds[kind]);
    need(rf_file_mkdir(folder, &err) == RF_OK);
    out = fopen(path, "wb");
    need(out != NULL && fwrite(data + 1, 1, size - 1, out) == size - 1 && fclose(out) == 0);
    if (kind == 0)
        read_curve(dir, &err);
    else if (kind == 3)
        read_metrics(dir, &err);
    else
        read_predictions(dir, kind == 2, 2 + data[0] / 4 % 20, 1 + data[0] / 80, &err);
    need(rf_file_remove_tree(dir, &err) == RF_OK);
    return 0;
}
