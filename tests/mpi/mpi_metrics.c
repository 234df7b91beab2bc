/* metrics.h5: what is written can be read back, with units; a failure leaves what was there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "check.h"
#include "mpi/h5.h"
#include "mpi/metrics.h"

static const double loss[3] = {2.5, 1.25, 0.625};
static const int64_t step[3] = {1, 2, INT64_C(1) << 40};

static const struct rf_metric_series series[] = {
    {"/jobs/strong-pretrain", "loss", "nats", loss, NULL, 3},
    {"/jobs/strong-pretrain", "step", "1", NULL, step, 3},
    {"/jobs/strong", "loss", "nats", loss, NULL, 1}, /* a name that begins another's */
    {"/jobs/none", "loss", "nats", NULL, NULL, 0},
    {"/", "wall", "s", loss, NULL, 2},
};

static void series_come_back_with_their_units(const char *path)
{
    struct rf_h5 *file = NULL;
    struct rf_error err = {0};
    int64_t shape[2], integers[3] = {0};
    double doubles[3] = {0};
    char unit[16];
    int ndims;

    CHECK(rf_metrics_write(path, series, 5, &err) == RF_OK);
    CHECK(rf_h5_open(&file, path, &err) == RF_OK);
    if (file == NULL)
        return;
    CHECK(rf_h5_shape(file, "/jobs/strong-pretrain/loss", RF_H5_F64, &ndims, shape, &err) ==
          RF_OK);
    CHECK(ndims == 1 && shape[0] == 3);
    CHECK(rf_h5_read(file, "/jobs/strong-pretrain/loss", RF_H5_F64, 0, 3, doubles, &err) ==
          RF_OK);
    CHECK(memcmp(doubles, loss, sizeof loss) == 0);
    CHECK(rf_h5_read(file, "/jobs/strong-pretrain/step", RF_H5_I64, 0, 3, integers, &err) ==
          RF_OK);
    CHECK(memcmp(integers, step, sizeof step) == 0);
    CHECK(rf_h5_get_text(file, "/jobs/strong/loss", "unit", unit, sizeof unit, &err) == RF_OK);
    CHECK(strcmp(unit, "nats") == 0);
    CHECK(rf_h5_shape(file, "/jobs/none/loss", RF_H5_F64, &ndims, shape, &err) == RF_OK);
    CHECK(shape[0] == 0);
    CHECK(rf_h5_shape(file, "/wall", RF_H5_F64, &ndims, shape, &err) == RF_OK);
    CHECK(shape[0] == 2);
    CHECK(rf_h5_close(file, &err) == RF_OK);
}

static int fail_writes(const char *name)
{
    return strcmp(name, "write") == 0 ? EIO : 0;
}

static void a_failed_write_leaves_the_file_of_before(const char *path)
{
    char *before = NULL, *after = NULL;
    size_t size[2] = {0, 0};
    struct rf_error err = {0};

    CHECK(rf_file_read(path, 1 << 20, &before, &size[0], &err) == RF_OK);
    rf_h5_fault = fail_writes;
    CHECK(rf_metrics_write(path, series, 2, &err) == RF_ERR_IO);
    rf_h5_fault = NULL;
    CHECK(rf_file_read(path, 1 << 20, &after, &size[1], &err) == RF_OK);
    CHECK(size[0] == size[1] && memcmp(before, after, size[0]) == 0);
    CHECK(rf_metrics_write("/nowhere/at/all.h5", series, 2, &err) == RF_ERR_IO);
    free(before);
    free(after);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/rf-metrics-XXXXXX", path[64];
    int result;

    MPI_Init(&argc, &argv);
    if (mkdtemp(dir) == NULL) /* one for each rank: nothing here is collective */
        MPI_Abort(MPI_COMM_WORLD, 1);
    snprintf(path, sizeof path, "%s/metrics.h5", dir);
    series_come_back_with_their_units(path);
    a_failed_write_leaves_the_file_of_before(path);
    CHECK(unlink(path) == 0);
    CHECK(rmdir(dir) == 0); /* no temporary file is left */
    result = check_result();
    MPI_Finalize();
    return result;
}
