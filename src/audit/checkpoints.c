#include "audit/checkpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "ckpt/contents.h"

enum { FORMULA_PERCENT = 5 };

struct comparing {
    struct rf_audit_test *t;
    const char *dir;
    const struct rf_state *state;
    const struct rf_audit_watch *watch;
    int64_t gone, bracketed;
    struct rf_error *err;
};

static enum rf_status open_file(struct comparing *c, const struct rf_seen_checkpoint *seen,
                                struct rf_ckpt_contents *contents, int *there,
                                struct rf_error *why)
{
    char path[RF_PATH_BYTES];
    enum rf_status st = rf_file_join(path, c->dir, seen->path, c->err);

    *there = 0;
    if (st != RF_OK || seen->path[0] == '\0' || !rf_file_exists(path))
        return st;
    *there = 1;
    return rf_ckpt_contents_read(contents, path, why) == RF_ERR_MEMORY
               ? rf_fail(c->err, RF_ERR_MEMORY, "out of memory for '%s'", path)
               : RF_OK;
}

/* ---- who it says it is --------------------------------------------------- */

static enum rf_status wrong(struct comparing *c, const struct rf_seen_checkpoint *seen,
                            const char *what, const char *ledger, const char *file)
{
    return rf_audit_find(
        c->t, seen->seq, seen->job, 1, c->err,
        "'%.60s': the %s is %.50s in the ledger (line %lld), %.50s in the file", seen->path,
        what, ledger, (long long)seen->seq + 1, file);
}

static enum rf_status check_identity(struct comparing *c, const struct rf_seen_checkpoint *seen,
                                     const struct rf_manifest *m)
{
    char hex[RF_DIGEST_HEX], name[RF_NAME_BYTES], mine[32], theirs[32];
    const char *job = rf_state_job_name(c->state, seen->job, name);
    enum rf_status st = RF_OK;

    rf_digest_to_hex(&m->content, hex);
    snprintf(mine, sizeof mine, "%lld", (long long)seen->step);
    snprintf(theirs, sizeof theirs, "%lld", (long long)m->info.step);
    if (seen->digest[0] != '\0' && strcmp(hex, seen->digest) != 0)
        st = wrong(c, seen, "content digest", seen->digest, hex);
    if (st == RF_OK && m->info.step != seen->step)
        st = wrong(c, seen, "step", mine, theirs);
    if (st == RF_OK && strcmp(m->info.job, job) != 0)
        st = wrong(c, seen, "job", job, m->info.job);
    if (st == RF_OK && c->watch->config[0] != '\0' && m->info.config[0] != '\0' &&
        strcmp(m->info.config, c->watch->config) != 0)
        st = wrong(c, seen, "configuration", c->watch->config, m->info.config);
    return st;
}

/* ---- the counters --------------------------------------------------------- */

/* The counters of the checkpoint that this one's lease began from; 0 when it is not known. */
static enum rf_status find_base(struct comparing *c, const struct rf_seen_checkpoint *seen,
                                int64_t *tokens, int64_t *flops, int *known)
{
    const struct rf_seen_checkpoint *base = NULL;
    struct rf_ckpt_contents contents = {.manifest = NULL};
    struct rf_error why;
    enum rf_status st = RF_OK;

    *tokens = *flops = 0;
    *known = 1;
    for (int i = 0; i < c->watch->ncheckpoints; i++) {
        const struct rf_seen_checkpoint *k = &c->watch->checkpoints[i];

        if (k->job == seen->job && k->seq < seen->seq && k->lease < seen->lease)
            base = k;
    }
    if (base == NULL)
        return RF_OK;
    st = open_file(c, base, &contents, known, &why);
    *known = st == RF_OK && contents.manifest != NULL;
    if (*known) {
        *tokens = contents.manifest->info.tokens;
        *flops = contents.manifest->info.flops;
    }
    rf_ckpt_contents_clear(&contents);
    return st;
}

/* Readings of the lease: the last before its step, the first at it or beyond; NULL: none. */
static void find_bracket(const struct rf_audit_watch *watch,
                         const struct rf_seen_checkpoint *seen,
                         const struct rf_seen_reading **below,
                         const struct rf_seen_reading **above)
{
    *below = *above = NULL;
    for (int64_t i = 0; i < watch->nreadings && *above == NULL; i++) {
        const struct rf_seen_reading *r = &watch->readings[i];

        if (r->job != seen->job || r->lease != seen->lease)
            continue;
        if (r->step < seen->step)
            *below = r;
        else
            *above = r;
    }
}

static enum rf_status check_counter(struct comparing *c, const struct rf_seen_checkpoint *seen,
                                    const char *what, int64_t counted, int64_t low,
                                    int64_t high)
{
    if (counted >= low && counted <= high)
        return RF_OK;
    return rf_audit_find(
        c->t, seen->seq, seen->job,
        counted < low ? (double)low - (double)counted : (double)counted - (double)high, c->err,
        "'%.60s': %lld %s since its lease began, the ledger's readings say "
        "%lld to %lld",
        seen->path, (long long)counted, what, (long long)low, (long long)high);
}

static enum rf_status check_counters(struct comparing *c, const struct rf_seen_checkpoint *seen,
                                     const struct rf_ckpt_info *info)
{
    const struct rf_seen_reading *below, *above;
    int64_t tokens, flops;
    int known;
    enum rf_status st = find_base(c, seen, &tokens, &flops, &known);

    find_bracket(c->watch, seen, &below, &above);
    if (st != RF_OK || !known || (below == NULL && above == NULL))
        return st;
    c->bracketed++;
    st = check_counter(c, seen, "tokens", info->tokens - tokens,
                       below != NULL ? below->tokens : 0,
                       above != NULL ? above->tokens : INT64_MAX);
    return st == RF_OK ? check_counter(c, seen, "FLOP", info->flops - flops,
                                       below != NULL ? below->flops : 0,
                                       above != NULL ? above->flops : INT64_MAX)
                       : st;
}

/* ---- the formula ---------------------------------------------------------- */

/* A number behind "word=" in the model's description; 0: none. */
static double number(const char *model, const char *word)
{
    const char *at = strstr(model, word);

    return at != NULL ? strtod(at + strlen(word), NULL) : 0;
}

static enum rf_status check_formula(struct comparing *c, const struct rf_seen_checkpoint *seen,
                                    const struct rf_manifest *m)
{
    double n = 0, per_token, most;

    for (int i = 0; i < m->ntensors; i++) {
        const struct rf_manifest_tensor *tensor = &m->tensors[i];

        if (strncmp(tensor->name, "m/", 2) != 0 && strncmp(tensor->name, "v/", 2) != 0)
            n +=
                (double)tensor->shape[0] * (tensor->ndims > 1 ? (double)tensor->shape[1] : 1.0);
    }
    per_token = 6 * n + 12 * number(m->info.model, "layers=") *
                            number(m->info.model, "width=") * number(m->info.model, "context=");
    most = (double)m->info.tokens * per_token * (100 + FORMULA_PERCENT) / 100;
    if (m->info.tokens <= 0 || (double)m->info.flops <= most)
        return RF_OK;
    return rf_audit_find(c->t, seen->seq, seen->job, (double)m->info.flops / most, c->err,
                         "'%.60s': %.6g FLOP for %.6g tokens, at most %.6g by 6N + 12LhT",
                         seen->path, (double)m->info.flops, (double)m->info.tokens, most);
}

/* ---- the whole ------------------------------------------------------------ */

static enum rf_status compare(struct comparing *c, const struct rf_seen_checkpoint *seen)
{
    struct rf_ckpt_contents contents = {.manifest = NULL};
    struct rf_error why = {RF_OK, ""};
    int there;
    enum rf_status st = open_file(c, seen, &contents, &there, &why);

    if (st == RF_OK && !there) {
        c->gone++;
        return RF_OK;
    }
    if (st == RF_OK)
        c->t->checked++;
    if (st == RF_OK && contents.manifest == NULL)
        st = rf_audit_find(c->t, seen->seq, seen->job, 1, c->err, "'%.60s': %.120s", seen->path,
                           why.text);
    else if (st == RF_OK) {
        st = check_identity(c, seen, contents.manifest);
        if (st == RF_OK)
            st = check_counters(c, seen, &contents.manifest->info);
        if (st == RF_OK)
            st = check_formula(c, seen, contents.manifest);
    }
    rf_ckpt_contents_clear(&contents);
    return st;
}

/* After a crash a job writes the same step again: the last one of a name is the file's. */
static int written_again(const struct rf_audit_watch *watch, int i)
{
    for (int k = i + 1; k < watch->ncheckpoints; k++)
        if (watch->checkpoints[k].job == watch->checkpoints[i].job &&
            strcmp(watch->checkpoints[k].path, watch->checkpoints[i].path) == 0)
            return 1;
    return 0;
}

enum rf_status rf_audit_checkpoints(struct rf_audit_test *t2b, const char *dir,
                                    const struct rf_state *state,
                                    const struct rf_audit_watch *watch, struct rf_error *err)
{
    struct comparing c = {.t = t2b, .dir = dir, .state = state, .watch = watch, .err = err};
    struct stat what;
    enum rf_status st = RF_OK;

    if (stat(dir, &what) != 0 || !S_ISDIR(what.st_mode))
        return rf_fail(err, RF_ERR_INPUT, "'%s' is no directory of checkpoints", dir);
    for (int i = 0; st == RF_OK && i < watch->ncheckpoints; i++)
        if (!written_again(watch, i))
            st = compare(&c, &watch->checkpoints[i]);
    rf_audit_note(
        t2b,
        "%d checkpoints on record, %lld looked at, counters of %lld against readings, "
        "%lld no longer there",
        watch->ncheckpoints, (long long)t2b->checked, (long long)c.bracketed,
        (long long)c.gone);
    rf_audit_conclude(t2b, t2b->checked > 0);
    return st;
}
