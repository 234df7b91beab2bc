/* The seals of a ledger, one after the other: which key the next one must be signed by depends on
 * the lines that the ones before it cover, because a line may name another key. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/ledger_file.h"

static int same_key(const struct rf_vkey *a, const struct rf_vkey *b)
{
    return strcmp(a->name, b->name) == 0 && memcmp(a->id, b->id, sizeof a->id) == 0 &&
           memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static void bad_seal(struct rf_seals *s, const char *what)
{
    s->has_next = 0;
    snprintf(s->problem, sizeof s->problem, "seal %lld: %.340s", (long long)s->count + 1, what);
}

/* Why the seal cannot follow the ones before it; NULL when it can. */
static const char *misfit(const struct rf_seals *s, const struct rf_seal *seal)
{
    if (s->count == 0)
        return seal->size > 0 ? NULL : "it covers no line";
    if (seal->size <= s->covered)
        return "it does not cover more lines than the seal before it";
    return strcmp(seal->origin, s->origin) == 0 ? NULL
                                                : "its origin is not that of the first seal";
}

/* By the key in force; the first seal may be by the key beside the ledger, when another was
 * asked for: then that one must come later. */
static enum rf_status open_at(struct rf_seals *s, size_t at, size_t *used, struct rf_error *why)
{
    enum rf_status st = rf_seal_open(&s->next, &s->vkey, s->text + at, s->size - at, used, why);
    struct rf_error ignored;

    if (st == RF_ERR_INPUT && s->count == 0 && s->have_pinned && s->have_beside &&
        rf_seal_open(&s->next, &s->beside, s->text + at, s->size - at, used, &ignored) ==
            RF_OK) {
        s->vkey = s->beside;
        return RF_OK;
    }
    return st;
}

/* The next seal of the file, or none. */
static void read_next(struct rf_seals *s)
{
    size_t gap = s->at > 0 ? 1 : 0, used = 0;
    struct rf_error why = {RF_OK, ""};
    enum rf_status st = RF_ERR_INPUT;

    s->has_next = 0;
    if (s->at >= s->size)
        return;
    if (gap == 0 || s->text[s->at] == '\n')
        st = open_at(s, s->at + gap, &used, &why);
    else
        rf_fail(&why, st, "expected an empty line before it");
    if (st == RF_OK && misfit(s, &s->next) != NULL)
        st = rf_fail(&why, RF_ERR_INPUT, "%s", misfit(s, &s->next));
    if (st != RF_OK) {
        s->torn = st == RF_ERR_FULL;
        bad_seal(s, why.text);
        return;
    }
    if (s->count++ == 0)
        memcpy(s->origin, s->next.origin, sizeof s->origin);
    s->has_next = 1;
    s->at += gap + used;
}

void rf_seals_turn(struct rf_seals *s)
{
    s->covered = s->next.size;
    if (s->have_pinned && same_key(&s->vkey, &s->pinned))
        s->trusted = 1;
    if (s->announced)
        s->vkey = s->announce;
    s->announced = 0;
    read_next(s);
}

enum rf_status rf_seals_announce(struct rf_seals *s, const char *vkey, struct rf_error *err)
{
    struct rf_vkey next;
    enum rf_status st = rf_vkey_parse(&next, vkey, err);

    if (st != RF_OK)
        return st;
    s->announce = next;
    s->announced = 1;
    return RF_OK;
}

/* The key beside the ledger, if there is one. */
static void look_beside(struct rf_seals *s, const char *path)
{
    char beside[RF_PATH_BYTES], text[RF_VKEY_BYTES + 1];
    char *data = NULL;
    size_t size = 0;
    struct rf_error why;

    if (rf_ledger_beside(beside, path, ".pub", &why) != RF_OK ||
        rf_ledger_slurp_path(beside, &data, &size, &why) != RF_OK)
        return;
    if (size > 0 && size < sizeof text && memchr(data, '\0', size) == NULL) {
        memcpy(text, data, size);
        text[size] = '\0';
        s->have_beside =
            text[size - 1] == '\n' && rf_vkey_parse(&s->beside, text, &why) == RF_OK;
    }
    free(data);
    if (!s->have_beside && !s->have_pinned)
        snprintf(s->problem, sizeof s->problem, "the public key beside the ledger is damaged");
}

enum rf_status rf_seals_open(struct rf_seals *s, const char *path, const char *vkey,
                             struct rf_error *err)
{
    char beside[RF_PATH_BYTES];
    enum rf_status st = vkey == NULL ? RF_OK : rf_vkey_parse(&s->pinned, vkey, err);

    if (st == RF_OK)
        st = rf_ledger_beside(beside, path, ".seals", err);
    if (st != RF_OK)
        return st;
    s->have_pinned = vkey != NULL;
    s->trusted = vkey == NULL;
    look_beside(s, path);
    s->have_vkey = s->have_pinned || s->have_beside;
    s->vkey = s->have_pinned ? s->pinned : s->beside;
    if (!rf_file_exists(beside))
        return RF_OK;
    st = rf_ledger_slurp_path(beside, &s->text, &s->size, err);
    if (st != RF_OK || s->size == 0)
        return st;
    if (s->have_vkey)
        read_next(s);
    else if (s->problem[0] == '\0')
        snprintf(s->problem, sizeof s->problem,
                 "there are seals, but no usable public key to check them with");
    return RF_OK;
}

void rf_seals_end(struct rf_seals *s)
{
    if (s->count > 0 && !s->trusted && s->problem[0] == '\0')
        snprintf(s->problem, sizeof s->problem,
                 "no seal is signed by the key '%s' that was asked for", s->pinned.name);
}
