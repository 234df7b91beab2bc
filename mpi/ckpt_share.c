#include "mpi/ckpt_share.h"

#include <stdlib.h>
#include <string.h>

#include "ckpt/contents.h"
#include "ckpt/envelope.h"
#include "ckpt/granule.h"
#include "ckpt/store.h"
#include "mpi/parcel.h"

enum { SAMPLES = 16 };

/* What the newest checkpoint has under a tensor's name, in the same shape and type. */
struct known {
    int64_t base; /* the step whose file holds it, -1: nothing of use */
    struct rf_digest digest;
};

struct rf_share {
    const struct rf_tensor *tensors; /* borrowed */
    int ntensors;
    uint32_t (
        *samples)[SAMPLES];   /* [ntensors] of this rank's rectangles, when last committed */
    uint32_t (*now)[SAMPLES]; /* ...at the last survey */
    int64_t step;             /* of the checkpoint that samples belong to, or -1 */
    struct known *known;      /* [ntensors] */
    signed char *candidates;  /* [ntensors] */
    struct rf_tensor *subset; /* [ntensors] the candidates */
};

static enum rf_status no_memory(struct rf_error *err)
{
    return rf_fail(err, RF_ERR_MEMORY, "out of memory for a checkpoint");
}

enum rf_status rf_share_create(struct rf_share **share, const struct rf_tensor *tensors,
                               int ntensors, struct rf_error *err)
{
    size_t n = (size_t)ntensors + 1;
    struct rf_share *s = calloc(1, sizeof *s);

    *share = s;
    if (s == NULL)
        return no_memory(err);
    s->tensors = tensors;
    s->ntensors = ntensors;
    s->step = -1;
    s->samples = calloc(n, sizeof *s->samples);
    s->now = calloc(n, sizeof *s->now);
    s->known = calloc(n, sizeof *s->known);
    s->candidates = calloc(n, sizeof *s->candidates);
    s->subset = calloc(n, sizeof *s->subset);
    if (s->samples == NULL || s->now == NULL || s->known == NULL || s->candidates == NULL ||
        s->subset == NULL) {
        rf_share_destroy(s);
        *share = NULL;
        return no_memory(err);
    }
    return RF_OK;
}

void rf_share_destroy(struct rf_share *share)
{
    if (share == NULL)
        return;
    free(share->subset);
    free(share->candidates);
    free(share->known);
    free(share->now);
    free(share->samples);
    free(share);
}

/* Some values of this rank's rectangle, from first to last. */
static void sample(const struct rf_tensor *x, uint32_t to[SAMPLES])
{
    int64_t n = x->extent[0] * x->extent[1];

    memset(to, 0, SAMPLES * sizeof *to);
    for (int64_t k = 0; n > 0 && k < SAMPLES; k++)
        memcpy(
            &to[k],
            &x->data[(n - 1) / (SAMPLES - 1) * k + (n - 1) % (SAMPLES - 1) * k / (SAMPLES - 1)],
            sizeof *to);
}

/* Local, on the first rank: what is known of the newest checkpoint before this step. */
static void look(struct rf_share *share, const char *dir, int64_t before, int64_t *found_step)
{
    struct rf_ckpt_contents contents = {0};
    char path[RF_PATH_BYTES];
    struct rf_error err;
    int found = 0;
    enum rf_status st = rf_store_newest_below(dir, before, path, found_step, &found, &err);

    for (int i = 0; i < share->ntensors; i++)
        share->known[i].base = -1;
    if (st == RF_OK && found)
        st = rf_ckpt_contents_read(&contents, path, &err);
    if (st == RF_OK && found)
        st = rf_ckpt_contents_resolve(&contents, path, &err);
    if (st != RF_OK || !found)
        *found_step = -1;
    for (int k = 0; *found_step >= 0 && k < contents.manifest->ntensors; k++) {
        const struct rf_manifest_tensor *t = &contents.manifest->tensors[k];

        for (int i = 0; i < share->ntensors; i++) {
            const struct rf_tensor *x = &share->tensors[i];

            if (strcmp(x->name, t->name) == 0 && x->ndims == t->ndims &&
                x->shape[0] == t->shape[0] && x->shape[1] == t->shape[1] &&
                x->stored == t->stored)
                share->known[i] =
                    (struct known){t->base >= 0 ? t->base : *found_step, t->digest};
        }
    }
    rf_ckpt_contents_clear(&contents);
}

/* No more files than readers allow. */
static void limit_bases(struct rf_share *share)
{
    int64_t bases[RF_CKPT_BASES_MAX];
    int n = 0;

    for (int i = 0; i < share->ntensors; i++) {
        int k = 0;

        if (share->known[i].base < 0)
            continue;
        while (k < n && bases[k] != share->known[i].base)
            k++;
        if (k == RF_CKPT_BASES_MAX)
            share->known[i].base = -1;
        else if (k == n)
            bases[n++] = share->known[i].base;
    }
}

/* Collective: how many tensors may be as they were; which, in candidates. */
static int find_candidates(struct rf_share *share, const struct rf_group *group, int64_t step)
{
    int n = 0;

    for (int i = 0; i < share->ntensors; i++) {
        sample(&share->tensors[i], share->now[i]);
        share->candidates[i] = share->known[i].base >= 0 &&
                               (share->step != step || memcmp(share->now[i], share->samples[i],
                                                              sizeof share->now[i]) == 0);
    }
    MPI_Allreduce(MPI_IN_PLACE, share->candidates, share->ntensors, MPI_SIGNED_CHAR, MPI_MIN,
                  group->comm);
    for (int i = 0; i < share->ntensors; i++)
        if (share->candidates[i])
            share->subset[n++] = share->tensors[i];
    return n;
}

/* Local: the digests of a run whose values are in room. */
static void digest_run(const struct rf_parcels *parcels, const struct rf_run *run,
                       const unsigned char *room, struct rf_digest *digests)
{
    struct rf_bytes texts[64];
    size_t bytes = rf_parcels_bytes(parcels, run);
    size_t piece = rf_parcels_granule_bytes(parcels, run);

    for (int g = 0; g < run->ngranules;) {
        int n = 0;

        for (; n < 64 && g + n < run->ngranules; n++) {
            size_t at = (size_t)(g + n) * piece, left = bytes - at;

            texts[n] = (struct rf_bytes){room + at, left < piece ? left : piece};
        }
        rf_digest_many(texts, n, digests + g);
        g += n;
    }
}

/* Local: memory for this rank's largest run. */
static void *room_for_runs(const struct rf_parcels *parcels, int rank)
{
    int64_t nruns;
    const struct rf_run *runs = rf_parcels_runs(parcels, &nruns);
    size_t largest = 1;

    for (int64_t i = 0; i < nruns; i++)
        if (runs[i].owner == rank && rf_parcels_bytes(parcels, &runs[i]) > largest)
            largest = rf_parcels_bytes(parcels, &runs[i]);
    return malloc(largest);
}

/* Collective: the digests of all candidates' granules, on every rank. */
static void digest_all(struct rf_parcels *parcels, const struct rf_group *group, void *room,
                       struct rf_digest *digests)
{
    int64_t nruns, rounds = rf_parcels_rounds(parcels), n = rf_parcels_count(parcels);
    const struct rf_run *runs = rf_parcels_runs(parcels, &nruns);

    for (int64_t round = 0; round < rounds; round++) {
        const struct rf_run *run = rf_parcels_mine(parcels, round);

        rf_parcels_gather(parcels, round, room);
        if (run != NULL)
            digest_run(parcels, run, room, &digests[run->granule]);
    }
    for (int64_t i = 0; i < nruns; i++)
        if (runs[i].owner == group->rank && !runs[i].travels) {
            rf_parcels_copy_out(parcels, &runs[i], room);
            digest_run(parcels, &runs[i], room, &digests[runs[i].granule]);
        }
    for (int64_t done = 0; done < n; done += 1 << 20)
        MPI_Allreduce(MPI_IN_PLACE, digests + done,
                      (int)((n - done < 1 << 20 ? n - done : 1 << 20) * RF_DIGEST_BYTES),
                      MPI_BYTE, MPI_BOR, group->comm);
}

/* Local: those whose digests are the known ones get their bases. */
static void settle(struct rf_share *share, const struct rf_digest *digests, int64_t *bases,
                   struct rf_digest *granules)
{
    int64_t at = 0, from = 0;

    for (int i = 0; i < share->ntensors; i++) {
        int64_t n = rf_granule_count(share->tensors[i].shape);

        if (share->candidates[i]) {
            struct rf_digest joined = rf_granule_join(digests + from, n);

            if (rf_digest_equal(&joined, &share->known[i].digest)) {
                bases[i] = share->known[i].base;
                if (granules != NULL)
                    memcpy(granules + at, digests + from, (size_t)n * sizeof *granules);
            }
            from += n;
        }
        at += n;
    }
}

/* Collective, agreed: compares the candidates with what is known of them. */
static enum rf_status compare(struct rf_share *share, const struct rf_group *group, int n,
                              int64_t *bases, struct rf_digest *granules, struct rf_error *err)
{
    struct rf_parcels *parcels = NULL;
    struct rf_digest *digests = NULL;
    void *room = NULL;
    enum rf_status st =
        rf_parcels_create(&parcels, group, share->subset, n, RF_PARCELS_OUT, err);

    if (st != RF_OK)
        return st;
    digests = calloc((size_t)rf_parcels_count(parcels) + 1, sizeof *digests);
    room = room_for_runs(parcels, group->rank);
    st = digests == NULL || room == NULL ? no_memory(err) : RF_OK;
    st = rf_agree(group, st, err);
    if (st == RF_OK) {
        digest_all(parcels, group, room, digests);
        settle(share, digests, bases, group->rank == 0 ? granules : NULL);
    }
    free(room);
    free(digests);
    rf_parcels_destroy(parcels);
    return st;
}

enum rf_status rf_share_survey(struct rf_share *share, const struct rf_group *group,
                               const char *dir, int64_t step, int64_t *bases,
                               struct rf_digest *granules, struct rf_error *err)
{
    int64_t newest = -1;
    int n;

    if (group->rank == 0) {
        look(share, dir, step, &newest);
        limit_bases(share);
    }
    MPI_Bcast(&newest, 1, MPI_INT64_T, 0, group->comm);
    rf_group_bcast(group, share->known, (size_t)share->ntensors * sizeof *share->known, 0);
    for (int i = 0; i < share->ntensors; i++)
        bases[i] = -1;
    n = find_candidates(share, group, newest);
    return n > 0 ? compare(share, group, n, bases, granules, err) : RF_OK;
}

void rf_share_commit(struct rf_share *share, int64_t step)
{
    uint32_t(*before)[SAMPLES] = share->samples;

    share->samples = share->now;
    share->now = before;
    share->step = step;
}

static int is_among(const struct rf_manifest_tensor *wanted,
                    const struct rf_manifest_tensor *kept, int nkept)
{
    for (int i = 0; i < nkept; i++)
        if (strcmp(kept[i].name, wanted->name) == 0)
            return kept[i].stored == wanted->stored &&
                   rf_digest_equal(&kept[i].digest, &wanted->digest);
    return 0;
}

/* The same for one file that may refer; one that cannot be read needs nothing. */
static enum rf_status still_serves(const char *referring, const char *replaced, int64_t step,
                                   const struct rf_manifest_tensor *kept, int nkept,
                                   struct rf_error *err)
{
    struct rf_ckpt_contents contents = {0};
    struct rf_error unread;
    enum rf_status st = rf_ckpt_contents_read(&contents, referring, &unread);
    int n = st == RF_OK ? contents.manifest->ntensors : 0;

    st = RF_OK;
    for (int i = 0; st == RF_OK && i < n; i++) {
        const struct rf_manifest_tensor *t = &contents.manifest->tensors[i];

        if (t->base == step && !is_among(t, kept, nkept))
            st =
                rf_fail(err, RF_ERR_INPUT,
                        "'%s' keeps tensor '%s' in '%s', which would lose it: reshard that one "
                        "first, or write to another directory",
                        referring, t->name, replaced);
    }
    rf_ckpt_contents_clear(&contents);
    return st;
}

enum rf_status rf_share_still_serves(const char *dir, int64_t step,
                                     const struct rf_manifest_tensor *kept, int nkept,
                                     struct rf_error *err)
{
    struct rf_store_entry *entries = NULL;
    char replaced[RF_PATH_BYTES], referring[RF_PATH_BYTES];
    int n = 0;
    enum rf_status st = rf_store_path(replaced, dir, step, err);

    if (st == RF_OK && rf_file_exists(replaced))
        st = rf_store_list(dir, &entries, &n, err);
    for (int i = 0; st == RF_OK && i < n; i++) {
        if (entries[i].step <= step || !entries[i].complete)
            continue;
        st = rf_store_path(referring, dir, entries[i].step, err);
        if (st == RF_OK)
            st = still_serves(referring, replaced, step, kept, nkept, err);
    }
    free(entries);
    return st;
}

enum rf_status rf_share_check(const char *dir, const int64_t *bases, int ntensors,
                              struct rf_error *err)
{
    int64_t seen = -1, bytes;
    char path[RF_PATH_BYTES];
    struct rf_error why;
    enum rf_status st = RF_OK;

    for (int i = 0; st == RF_OK && i < ntensors; i++) {
        if (bases[i] < 0 || bases[i] == seen)
            continue;
        seen = bases[i];
        st = rf_store_path(path, dir, seen, err);
        if (st == RF_OK && rf_envelope_check(path, 1, &bytes, &why) != RF_OK)
            st = rf_fail(err, RF_ERR_IO, "unchanged tensors lie in another file: %s", why.text);
    }
    return st;
}
