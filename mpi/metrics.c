#include "mpi/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "mpi/h5.h"

/* Makes the group and its parents, except those that were made for an earlier series. */
static enum rf_status make_groups(struct rf_h5 *file, const struct rf_metric_series *series,
                                  int i, struct rf_error *err)
{
    char part[RF_PATH_BYTES];
    const char *group = series[i].group;
    size_t length = strlen(group);
    enum rf_status st = RF_OK;

    if (length >= sizeof part || group[0] != '/')
        return rf_fail(err, RF_ERR_INTERNAL, "not a group: '%.80s'", group);
    for (size_t end = 2; st == RF_OK && end <= length; end++) {
        int known = 0;

        if (group[end] != '/' && group[end] != '\0')
            continue;
        for (int k = 0; !known && k < i; k++)
            known = strncmp(series[k].group, group, end) == 0 &&
                    (series[k].group[end] == '/' || series[k].group[end] == '\0');
        memcpy(part, group, end);
        part[end] = '\0';
        if (!known)
            st = rf_h5_group(file, part, err);
    }
    return st;
}

static enum rf_status put_series(struct rf_h5 *file, const struct rf_metric_series *series,
                                 int i, struct rf_error *err)
{
    const struct rf_metric_series *s = &series[i];
    enum rf_h5_type type = s->integers != NULL ? RF_H5_I64 : RF_H5_F64;
    const void *data = s->integers != NULL ? (const void *)s->integers : s->doubles;
    char name[RF_PATH_BYTES];
    enum rf_status st = make_groups(file, series, i, err);

    if (st == RF_OK)
        st = rf_file_join(name, strcmp(s->group, "/") == 0 ? "" : s->group, s->name, err);
    if (st == RF_OK)
        st = rf_h5_array(file, name, type, 1, &s->n, NULL, err);
    if (st == RF_OK)
        st = rf_h5_put_text(file, name, "unit", s->unit, err);
    if (st == RF_OK && s->n > 0)
        st = rf_h5_write(file, name, type, 0, s->n, data, err);
    return st;
}

static enum rf_status sync_and_rename(const char *temp, const char *path, struct rf_error *err)
{
    char dir[RF_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    int fd = open(temp, O_RDWR | O_CLOEXEC), failed = 0;

    if (fd < 0 || fsync(fd) != 0)
        failed = errno;
    if (fd >= 0)
        close(fd);
    if (failed == 0 && rename(temp, path) != 0)
        failed = errno;
    if (failed != 0)
        return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(failed));
    snprintf(dir, sizeof dir, "%.*s", slash != NULL ? (int)(slash - path + 1) : 1,
             slash != NULL ? path : ".");
    return rf_file_sync_dir(dir, err);
}

enum rf_status rf_metrics_write(const char *path, const struct rf_metric_series *series,
                                int nseries, struct rf_error *err)
{
    char temp[RF_PATH_BYTES];
    struct rf_h5 *file = NULL;
    struct rf_error other;
    enum rf_status st, closed;

    if (snprintf(temp, sizeof temp, "%s.tmp%ld", path, (long)getpid()) >= (int)sizeof temp)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", path);
    st = rf_h5_create(&file, temp, 0, 0, err);
    for (int i = 0; st == RF_OK && i < nseries; i++)
        st = put_series(file, series, i, err);
    closed = rf_h5_close(file, st == RF_OK ? err : &other);
    st = st == RF_OK ? closed : st;
    if (st == RF_OK)
        st = sync_and_rename(temp, path, err);
    if (st != RF_OK)
        unlink(temp);
    return st;
}
