/* Rank 0 knows the ledger; it deals the stretches out one by one. Each is run by the first ranks
 * of the world, as many as it had; the others wait in the agreement that ends it. */
#include "mpi/reexecute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { NAMED = 3 }; /* so many stretches of a kind are named in the note */

/* What every rank needs to know of a stretch; job -1: there are no more. */
struct order {
    int32_t job;
    int ranks;
    int64_t to_step;
    char from[RF_PATH_BYTES], scratch[RF_PATH_BYTES];
};

struct desk {
    const struct rf_group *world;
    struct rf_job_context *ctx;
    const struct rf_segments *segments;
    const struct rf_state *state;
    const struct rf_reexecute_options *options;
    struct rf_audit_test *t10;
    int *ranks; /* 0, 1, 2... of the world */
    int64_t impossible, same;
};

/* ---- rank 0 ------------------------------------------------------------------------ */

static int32_t planned(const struct desk *d, int32_t job)
{
    char name[RF_NAME_BYTES];
    const char *wanted = rf_state_job_name(d->state, job, name);

    for (int32_t i = 0; i < d->ctx->plan->njobs; i++)
        if (strcmp(d->ctx->plan->jobs[i].name, wanted) == 0)
            return i;
    return -1;
}

/* Local, rank 0: why the stretch cannot be run again; NULL when it can, and *order is what to run. */
static const char *refuse(const struct desk *d, const struct rf_segment *s, struct order *order)
{
    *order =
        (struct order){.job = planned(d, s->job), .ranks = s->ranks, .to_step = s->to_step};
    if (order->job < 0)
        return "the configuration has no such job";
    if (s->ranks > d->world->size)
        return "it ran on more ranks than there are here";
    if (s->ranks < 1)
        return "the ledger does not say on how many ranks it ran";
    if (s->from_path[0] == '\0')
        return NULL;
    if (d->ctx->plan->jobs[order->job].train->checkpoint_bf16 && s->same_lease)
        return "the checkpoint it begins with holds rounded moments, with which the job did "
               "not "
               "go on";
    if (rf_file_join(order->from, d->ctx->ckpt_dir, s->from_path, NULL) != RF_OK ||
        !rf_file_exists(order->from))
        return "the checkpoint it begins with is not there any more";
    return NULL;
}

static void name_segment(const struct desk *d, const struct rf_segment *s, char text[120])
{
    char name[RF_NAME_BYTES];

    snprintf(text, 120, "%.50s, steps %lld to %lld on %d ranks",
             rf_state_job_name(d->state, s->job, name), (long long)s->from_step,
             (long long)s->to_step, s->ranks);
}

static void pass_over(struct desk *d, const struct rf_segment *s, const char *why)
{
    char what[120];

    name_segment(d, s, what);
    if (d->impossible++ < NAMED)
        rf_audit_note(d->t10, "not run: %s (%.90s)", what, why);
}

static enum rf_status judge(struct desk *d, const struct rf_segment *s,
                            const struct rf_digest *content, struct rf_error *err)
{
    char hex[RF_DIGEST_HEX], what[120];

    rf_digest_to_hex(content, hex);
    name_segment(d, s, what);
    d->t10->checked++;
    if (strcmp(hex, s->digest) == 0) {
        if (d->same++ < NAMED)
            rf_audit_note(d->t10, "the same bits: %s", what);
        return RF_OK;
    }
    return rf_audit_find(
        d->t10, s->seq, s->job, (double)(s->to_step - s->from_step), err,
        "%s: run again it ends in %.16s..., the ledger (line %lld) has %.16s...", what, hex,
        (long long)s->seq + 1, s->digest);
}

/* ---- all ranks --------------------------------------------------------------------- */

/* Collective on world: the stretch by its ranks; what it came to, on rank 0. */
static enum rf_status run(const struct desk *d, const struct order *order,
                          struct rf_digest *content, struct rf_error *err)
{
    struct rf_retrace what = {.job = order->job,
                              .from = order->from,
                              .to_step = order->to_step,
                              .scratch = order->scratch};
    enum rf_status st = RF_OK;

    if (d->world->rank < order->ranks) {
        struct rf_group group = {0};

        rf_group_among(&group, d->world, d->ranks, order->ranks, 0);
        st = rf_job_retrace(d->ctx, &group, &what, content, err);
        rf_group_free(&group);
    }
    return rf_agree(d->world, st, err);
}

/* Rank 0: the next order in *order, or job -1. */
static void next(struct desk *d, const int32_t *drawn, int *at, struct order *order)
{
    const char *why;

    *order = (struct order){.job = -1};
    while (*at < d->segments->n && d->t10->checked < d->options->count) {
        const struct rf_segment *s = &d->segments->items[drawn[*at]];

        why = refuse(d, s, order);
        if (why == NULL)
            return;
        pass_over(d, s, why);
        *order = (struct order){.job = -1};
        ++*at;
    }
}

/* Local, rank 0: a place for the checkpoint of this stretch, emptied from the last one. */
static enum rf_status prepare(const char *scratch, struct order *order, struct rf_error *err)
{
    enum rf_status st = rf_file_join(order->scratch, scratch, "again", err);

    if (st == RF_OK && rf_file_exists(order->scratch))
        st = rf_file_remove_tree(order->scratch, err);
    return st == RF_OK ? rf_file_mkdir(order->scratch, err) : st;
}

/* Collective on world: one stretch after the other. */
static enum rf_status run_all(struct desk *d, const int32_t *drawn, struct rf_error *err)
{
    struct order order;
    struct rf_digest content;
    struct rf_error why;
    int at = 0, root = d->world->rank == 0;
    enum rf_status st = RF_OK;

    for (;;) {
        if (root)
            next(d, drawn, &at, &order);
        if (root && order.job >= 0)
            st = prepare(d->options->scratch, &order, err);
        st = rf_agree(d->world, st, err);
        if (st != RF_OK)
            return st;
        rf_group_bcast(d->world, &order, sizeof order, 0);
        if (order.job < 0)
            return RF_OK;
        st = run(d, &order, &content, &why);
        if (st == RF_ERR_INPUT && root)
            pass_over(d, &d->segments->items[drawn[at]], why.text);
        else if (st != RF_OK && st != RF_ERR_INPUT)
            return rf_fail(err, st, "%s", why.text);
        else if (root)
            st = judge(d, &d->segments->items[drawn[at]], &content, err);
        if (st == RF_ERR_INPUT)
            st = RF_OK;
        at++;
    }
}

enum rf_status rf_reexecute(const struct rf_group *world, struct rf_job_context *ctx,
                            const struct rf_segments *segments, const struct rf_state *state,
                            const struct rf_reexecute_options *options,
                            struct rf_audit_test *t10, struct rf_error *err)
{
    struct desk d = {.world = world,
                     .ctx = ctx,
                     .segments = segments,
                     .state = state,
                     .options = options,
                     .t10 = t10,
                     .ranks = calloc((size_t)world->size, sizeof *d.ranks)};
    int32_t *drawn = NULL;
    enum rf_status st = RF_OK;

    if (d.ranks == NULL)
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for %d ranks", world->size);
    for (int i = 0; st == RF_OK && i < world->size; i++)
        d.ranks[i] = i;
    if (st == RF_OK && world->rank == 0) {
        t10->note[0] = '\0';
        st = rf_segments_draw(&drawn, segments, options->head, err);
    }
    st = rf_agree(world, st, err);
    if (st == RF_OK)
        st = run_all(&d, drawn, err);
    free(drawn);
    free(d.ranks);
    if (st == RF_OK && world->rank == 0) {
        rf_audit_note(
            t10,
            "%lld of %d stretches run again to bit equality, drawn by the sealed head "
            "%.12s...; %lld drawn could not be run",
            (long long)t10->checked, segments->n, options->head, (long long)d.impossible);
        rf_audit_conclude(t10, t10->checked > 0);
    }
    return st;
}
