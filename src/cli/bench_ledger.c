/* `ringfence bench ledger`: entries that are durable, and entries that are verified, per second.
 *
 * The limit of appending is a plain write and fdatasync of the same bytes in the same portions;
 * that of verifying is one SHA-256 over the same bytes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/ledger.h"
#include "base/file.h"
#include "cli/bench.h"

/* What a coordinator makes durable at once under load. */
enum { BATCH = 1000, USUAL = 400000, QUICK = 40000, KINDS = 4 };

struct files {
    char ledger[RF_PATH_BYTES], plain[RF_PATH_BYTES];
};

struct sample {
    double append_s, write_s, verify_s, hash_s;
    double bytes;
};

/* The life of a job: a request, its grant, a reading, its end. */
static enum rf_status make_events(struct rf_event events[KINDS], struct rf_error *err)
{
    events[0] = rf_event_make(RF_EVENT_REQUEST, 0);
    events[1] = rf_event_make(RF_EVENT_GRANT, 0);
    events[2] = rf_event_make(RF_EVENT_CHARGE, 0);
    events[3] = rf_event_make(RF_EVENT_END, 0);
    snprintf(events[0].name, sizeof events[0].name, "oversight.s0.weak");
    snprintf(events[0].account, sizeof events[0].account, "alignment.oversight");
    events[0].min = 4;
    events[0].max = 8;
    events[0].limit_us = INT64_C(3600000000);
    events[2].held_us = events[2].busy_us = 8000000;
    events[2].tokens = 10240;
    events[2].flops = INT64_C(2000000000);
    snprintf(events[3].text, sizeof events[3].text, "done");
    return rf_idset_add(&events[1].devices, 96, 104, err);
}

static enum rf_status append(const char *path, int64_t n, double *seconds, struct rf_error *err)
{
    struct rf_event events[KINDS];
    struct rf_ledger *ledger = NULL;
    int64_t begin_us;
    enum rf_status st = make_events(events, err);

    if (st == RF_OK)
        st = rf_ledger_create(&ledger, path, NULL, NULL, err);
    begin_us = rf_time_us();
    for (int64_t i = 0; st == RF_OK && i < n; i++) {
        struct rf_event *e = &events[i % KINDS];

        e->seq = i;
        e->t_us = INT64_C(1767225600000000) + 50 * i;
        e->job = e->lease = (int32_t)(i / KINDS);
        st = rf_ledger_append(ledger, e, err);
        if (st == RF_OK && ((i + 1) % BATCH == 0 || i + 1 == n))
            st = rf_ledger_sync(ledger, err);
    }
    *seconds = (double)(rf_time_us() - begin_us) / 1e6;
    rf_ledger_close(ledger);
    rf_event_clear(&events[1]);
    return st;
}

/* As many bytes in as many portions. */
static enum rf_status write_plain(const char *path, const char *data, size_t size, int64_t n,
                                  double *seconds, struct rf_error *err)
{
    size_t portions = (size_t)((n + BATCH - 1) / BATCH), at = 0;
    int64_t begin_us = rf_time_us();
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600),
        ok = fd >= 0;

    for (size_t i = 1; ok && i <= portions; i++) {
        size_t end = size / portions * i + size % portions * i / portions;

        ok = write(fd, data + at, end - at) == (ssize_t)(end - at) && fdatasync(fd) == 0;
        at = end;
    }
    *seconds = (double)(rf_time_us() - begin_us) / 1e6;
    if (fd >= 0)
        close(fd);
    return ok ? RF_OK : rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
}

static void remove_files(const struct files *files)
{
    unlink(files->ledger);
    unlink(files->plain);
}

static enum rf_status measure(const struct files *files, int64_t n, struct sample *sample,
                              struct rf_error *err)
{
    struct rf_ledger_check check;
    char *data = NULL;
    size_t size = 0;
    int64_t begin_us;
    enum rf_status st;

    remove_files(files);
    st = append(files->ledger, n, &sample->append_s, err);
    if (st == RF_OK)
        st = rf_file_read(files->ledger, SIZE_MAX / 4, &data, &size, err);
    if (st == RF_OK)
        st = write_plain(files->plain, data, size, n, &sample->write_s, err);
    if (st == RF_OK) {
        begin_us = rf_time_us();
        st = rf_ledger_verify(files->ledger, NULL, NULL, NULL, &check, err);
        sample->verify_s = (double)(rf_time_us() - begin_us) / 1e6;
    }
    if (st == RF_OK && (check.entries != n || check.problem[0] != '\0'))
        st = rf_fail(err, RF_ERR_INTERNAL, "the ledger just written does not verify: %s",
                     check.problem);
    if (st == RF_OK) {
        volatile unsigned char kept;

        begin_us = rf_time_us();
        kept = rf_digest_of(data, size).bytes[0];
        (void)kept;
        sample->hash_s = (double)(rf_time_us() - begin_us) / 1e6;
        sample->bytes = (double)size;
    }
    free(data);
    return st;
}

static struct rf_figure figure(const char *name, const struct sample *samples, int n,
                               int64_t entries, int verify)
{
    struct rf_figure f = {.unit = "entries/s"};
    double values[25] = {0}, limits[25] = {0}, ratios[25] = {0};

    for (int i = 0; i < n; i++) {
        const struct sample *s = &samples[i];

        values[i] = (double)entries / (verify ? s->verify_s : s->append_s);
        limits[i] = (double)entries / (verify ? s->hash_s : s->write_s);
        ratios[i] = values[i] / limits[i];
    }
    f.value = rf_median(values, n);
    f.limit = rf_median(limits, n);
    f.ratio = rf_median(ratios, n);
    snprintf(f.name, sizeof f.name, "%s", name);
    if (verify)
        snprintf(f.said, sizeof f.said, "%.0f bytes each; limit: one SHA-256 over them",
                 samples[0].bytes / (double)entries);
    else
        snprintf(f.said, sizeof f.said,
                 "durable, %d at once; limit: plain write and fdatasync of the same bytes",
                 BATCH);
    return f;
}

static enum rf_status measure_here(const struct rf_bench_request *request,
                                   struct rf_figure *figures, int *n, struct rf_error *err)
{
    struct sample samples[25];
    struct files files;
    int64_t entries = request->quick ? QUICK : USUAL;
    char name[64];
    enum rf_status st;

    snprintf(name, sizeof name, "ringfence-bench-%ld.jsonl", (long)getpid());
    st = rf_file_join(files.ledger, request->dir, name, err);
    snprintf(name, sizeof name, "ringfence-bench-%ld.plain", (long)getpid());
    if (st == RF_OK)
        st = rf_file_join(files.plain, request->dir, name, err);
    for (int i = 0; st == RF_OK && i < request->rounds; i++) {
        st = measure(&files, entries, &samples[i], err);
        rf_watch_show(request->watch, i + 1, request->rounds);
    }
    remove_files(&files);
    if (st != RF_OK)
        return st;
    figures[(*n)++] = figure("ledger.append", samples, request->rounds, entries, 0);
    figures[(*n)++] = figure("ledger.verify", samples, request->rounds, entries, 1);
    return RF_OK;
}

static enum rf_status run(const struct rf_group *world, const struct rf_bench_request *request,
                          struct rf_figure *figures, int *n, struct rf_error *err)
{
    enum rf_status st = world->rank == 0 ? measure_here(request, figures, n, err) : RF_OK;

    return rf_agree(world, st, err);
}

const struct rf_bench rf_bench_ledger = {
    .name = "ledger",
    .about =
        "entries appended and durable, and entries verified (chain, tree, canonical form), "
        "per second; the limits are plain writes with fdatasync, and SHA-256, of the same "
        "bytes",
    .run = run};
