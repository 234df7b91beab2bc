/* What becomes of the devices.
 *
 * Three things are made one after the other. First who is there when: cohorts of
 * devices with consecutive ids that joined together and, perhaps, left together. Then the raw
 * reasons to be down, each an interval of time over a range of ids: failures from the
 * streams of the nodes, maintenance from the list. They overlap, so they are not yet what the
 * engine may be told. Last, a sweep over their ends in order of time counts for each device
 * how many reasons there are, and tells when that number leaves or reaches zero. Begins come
 * before ends at one moment, so that reasons that touch are one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "sim/world_parts.h"

struct cohort {
    int32_t begin, end; /* ids */
    int64_t joined_us;  /* -1: there from the start */
    int64_t left_us;    /* INT64_MAX: never */
};

enum edge_kind { EDGE_FAILED, EDGE_MAINTENANCE, EDGE_LEFT, EDGE_OVER };

/* One end of a raw reason, or the end of a cohort. */
struct edge {
    int64_t t_us;
    enum edge_kind kind;
    int32_t begin, end;
};

struct fleet {
    struct rf_world_maker *m;
    struct cohort *cohorts; /* owned; in order of id, which is the order of joining */
    int ncohorts, room;
    struct edge *edges; /* owned */
    int64_t nedges, edge_room;
};

/* ---- who is there when */

static enum rf_status add_cohort(struct fleet *f, int32_t begin, int32_t end, int64_t joined_us)
{
    if (f->ncohorts == f->room) {
        int room = f->room > 0 ? 2 * f->room : 16;
        struct cohort *cohorts = realloc(f->cohorts, (size_t)room * sizeof *cohorts);

        if (cohorts == NULL)
            return rf_fail(f->m->err, RF_ERR_MEMORY, "out of memory for the fleet");
        f->cohorts = cohorts;
        f->room = room;
    }
    f->cohorts[f->ncohorts++] = (struct cohort){begin, end, joined_us, INT64_MAX};
    return RF_OK;
}

static enum rf_status add_edge(struct fleet *f, int64_t t_us, enum edge_kind kind,
                               int32_t begin, int32_t end)
{
    if (t_us >= f->m->until_us)
        return RF_OK;
    if (f->nedges >= 2 * (int64_t)RF_WORLD_MAX_CHANGES)
        return rf_fail(
            f->m->err, RF_ERR_CONFIG,
            "devices fail or are maintained more than %d times; are fleet.mtbf_s and "
            "fleet.outages what they were meant to be?",
            RF_WORLD_MAX_CHANGES);
    if (f->nedges == f->edge_room) {
        int64_t room = f->edge_room > 0 ? 2 * f->edge_room : 256;
        struct edge *edges = realloc(f->edges, (size_t)room * sizeof *edges);

        if (edges == NULL)
            return rf_fail(f->m->err, RF_ERR_MEMORY, "out of memory for failures");
        f->edges = edges;
        f->edge_room = room;
    }
    f->edges[f->nedges++] = (struct edge){t_us, kind, begin, end};
    return RF_OK;
}

/* Is the cohort there before and after t_us? What joins or leaves at that moment is not. */
static int is_there(const struct cohort *c, int64_t t_us)
{
    return c->joined_us < t_us && c->left_us > t_us;
}

/* The newest `count` devices leave; the youngest cohort that is cut keeps its lower ids. */
static enum rf_status remove_newest(struct fleet *f, int32_t count, int64_t t_us)
{
    enum rf_status st = RF_OK;

    for (int i = f->ncohorts - 1; st == RF_OK && i >= 0 && count > 0; i--) {
        struct cohort whole = f->cohorts[i];
        int32_t cut = whole.end - whole.begin < count ? whole.end - whole.begin : count;

        if (whole.left_us != INT64_MAX)
            continue;
        if (whole.begin < whole.end - cut) { /* two cohorts from here on */
            st = add_cohort(f, 0, 0, 0);
            if (st != RF_OK)
                break;
            memmove(&f->cohorts[i + 1], &f->cohorts[i],
                    (size_t)(f->ncohorts - 1 - i) * sizeof *f->cohorts);
            f->cohorts[i].end = whole.end - cut;
            f->cohorts[i + 1].begin = whole.end - cut;
            f->cohorts[i + 1].left_us = t_us;
        } else {
            f->cohorts[i].left_us = t_us;
        }
        st = add_edge(f, t_us, EDGE_LEFT, whole.end - cut, whole.end);
        count -= cut;
    }
    return st;
}

/* From t_us on the fleet has `to` devices, where it had `from`. */
static enum rf_status resize(struct fleet *f, int32_t from, int32_t to, int64_t t_us)
{
    int32_t top = f->ncohorts > 0 ? f->cohorts[f->ncohorts - 1].end : 0;
    enum rf_status st;

    if (to <= from)
        return remove_newest(f, from - to, t_us);
    if (to - from > RF_WORLD_MAX_DEVICES - top)
        return rf_fail(f->m->err, RF_ERR_CONFIG, "the fleet grows beyond %d devices",
                       RF_WORLD_MAX_DEVICES);
    st = add_cohort(f, top, top + (to - from), t_us);
    if (st == RF_OK)
        st = rf_world_add(f->m, t_us, RF_CHANGE_JOINED, top, top + (to - from), 0);
    return st;
}

static enum rf_status grow_by_doubling(struct fleet *f)
{
    const struct rf_fleet_spec *spec = &f->m->scenario->fleet;
    int32_t now = spec->devices;
    int64_t steps = (f->m->until_us - 1) / spec->step_us;
    enum rf_status st = RF_OK;

    if (steps > 1000000)
        return rf_fail(f->m->err, RF_ERR_CONFIG,
                       "the fleet grows in more than a million steps; is fleet.step_s what it "
                       "was meant to be?");
    for (int64_t k = 1; st == RF_OK && k <= steps; k++) {
        /* exact at whole doublings, where exp2() is; the rest is a definition */
        int64_t t = k * spec->step_us;
        double devices =
            floor((double)spec->devices * exp2((double)t / (double)spec->doubling_us));

        if (devices > RF_WORLD_MAX_DEVICES)
            devices = RF_WORLD_MAX_DEVICES + 1.0; /* refused below */
        if ((int32_t)devices > now)
            st = resize(f, now, (int32_t)devices, t);
        now = (int32_t)devices;
    }
    return st;
}

static enum rf_status make_cohorts(struct fleet *f)
{
    const struct rf_fleet_spec *spec = &f->m->scenario->fleet;
    int32_t now = spec->devices;
    enum rf_status st = add_cohort(f, 0, now, -1);

    if (st == RF_OK && spec->doubling_us > 0)
        st = grow_by_doubling(f);
    for (int i = 0; st == RF_OK && i < spec->ngrowth; i++)
        if (spec->growth[i].at_us < f->m->until_us) {
            st = resize(f, now, spec->growth[i].devices, spec->growth[i].at_us);
            now = spec->growth[i].devices;
        }
    return st;
}

/* ---- why devices are down */

/* Devices of [begin, end) that are there at begin_us have a reason to be down until end_us. */
static enum rf_status add_reason(struct fleet *f, enum edge_kind kind, int32_t begin,
                                 int32_t end, int64_t begin_us, int64_t end_us, int *cohort)
{
    enum rf_status st = RF_OK;
    int i = *cohort; /* where to begin looking: none before it reaches `begin` */

    while (i < f->ncohorts && f->cohorts[i].end <= begin)
        i++;
    *cohort = i;
    for (; st == RF_OK && i < f->ncohorts && f->cohorts[i].begin < end; i++) {
        int32_t from = f->cohorts[i].begin > begin ? f->cohorts[i].begin : begin;
        int32_t to = f->cohorts[i].end < end ? f->cohorts[i].end : end;

        if (!is_there(&f->cohorts[i], begin_us))
            continue;
        st = add_edge(f, begin_us, kind, from, to);
        if (st == RF_OK)
            st = add_edge(f, end_us, EDGE_OVER, from, to);
    }
    return st;
}

static enum rf_status fail_node(struct fleet *f, int32_t node, int64_t start_us, int *cohort)
{
    const struct rf_scenario *s = f->m->scenario;
    uint64_t seed = (uint64_t)s->seed;
    uint64_t up = rf_rng_stream("node-up", (uint64_t)node);
    uint64_t repair = rf_rng_stream("node-repair", (uint64_t)node);
    double sigma = s->fleet.repair_sigma;
    double median_us = (double)s->fleet.repair_us * exp(-sigma * sigma / 2);
    int32_t begin = node * s->fleet.node, end = begin + s->fleet.node;
    int64_t t = start_us;
    enum rf_status st = RF_OK;

    for (uint64_t i = 0; st == RF_OK; i++) {
        double up_us = -(double)s->fleet.mtbf_us * log1p(-rf_rng_uniform(seed, up, i));
        double down_us = median_us * exp(sigma * rf_rng_normal(seed, repair, i));
        int64_t over;

        if (up_us >= (double)(f->m->until_us - t))
            break;
        t += 1 + (int64_t)up_us;
        over = down_us < 1e15 ? t + 1 + (int64_t)down_us : INT64_MAX;
        st = add_reason(f, EDGE_FAILED, begin, end, t, over, cohort);
        if (over >= f->m->until_us)
            break;
        t = over;
    }
    return st;
}

static enum rf_status add_failures(struct fleet *f)
{
    const struct rf_fleet_spec *spec = &f->m->scenario->fleet;
    int32_t top = f->cohorts[f->ncohorts - 1].end;
    int cohort = 0;
    enum rf_status st = RF_OK;

    for (int32_t node = 0; st == RF_OK && node < (top + spec->node - 1) / spec->node; node++) {
        while (f->cohorts[cohort].end <= node * spec->node)
            cohort++;
        st = fail_node(f, node,
                       f->cohorts[cohort].joined_us > 0 ? f->cohorts[cohort].joined_us : 0,
                       &cohort);
    }
    return st;
}

/* Devices that are there just before t_us. */
static int32_t count_at(const struct fleet *f, int64_t t_us)
{
    int32_t n = 0;

    for (int i = 0; i < f->ncohorts; i++)
        if (is_there(&f->cohorts[i], t_us))
            n += f->cohorts[i].end - f->cohorts[i].begin;
    return n;
}

/* The end of the lowest ids that hold `count` devices at t_us. */
static int32_t end_of_lowest(const struct fleet *f, int32_t count, int64_t t_us)
{
    for (int i = 0; i < f->ncohorts; i++) {
        int32_t n = f->cohorts[i].end - f->cohorts[i].begin;

        if (!is_there(&f->cohorts[i], t_us))
            continue;
        if (count <= n)
            return f->cohorts[i].begin + count;
        count -= n;
    }
    return 0;
}

static enum rf_status add_outage(struct fleet *f, const struct rf_outage_spec *o, int64_t at_us)
{
    int maintenance = o->account[0] == '\0';
    int32_t there = count_at(f, at_us);
    int32_t count = o->devices > 0 ? o->devices : there;
    int cohort = 0;
    enum rf_status st = RF_OK;

    if (count > there)
        return rf_fail(f->m->err, RF_ERR_CONFIG,
                       "%s of %d devices is planned when the fleet has %d",
                       maintenance ? "maintenance" : "a reservation", count, there);
    if (!maintenance || o->notice_us > 0)
        st = rf_world_announce(f->m, o, at_us, count);
    if (st == RF_OK && maintenance)
        st = add_reason(f, EDGE_MAINTENANCE, 0, end_of_lowest(f, count, at_us), at_us,
                        at_us + o->length_us, &cohort);
    return st;
}

static enum rf_status add_outages(struct fleet *f)
{
    const struct rf_fleet_spec *spec = &f->m->scenario->fleet;
    int64_t until = f->m->until_us, n = 0;
    enum rf_status st = RF_OK;

    for (int i = 0; i < spec->noutages; i++) {
        const struct rf_outage_spec *o = &spec->outages[i];

        if (o->at_us < until)
            n += o->every_us > 0 ? (until - o->at_us) / o->every_us + 1 : 1;
        if (n > 1000000)
            return rf_fail(f->m->err, RF_ERR_CONFIG,
                           "fleet.outages come more than a million times");
    }
    f->m->world->holds = malloc(((size_t)n + 1) * sizeof *f->m->world->holds);
    if (f->m->world->holds == NULL)
        return rf_fail(f->m->err, RF_ERR_MEMORY, "out of memory for outages");
    for (int i = 0; i < spec->noutages; i++) {
        const struct rf_outage_spec *o = &spec->outages[i];

        for (int64_t t = o->at_us; st == RF_OK && t < until; t += o->every_us) {
            st = add_outage(f, o, t);
            if (o->every_us == 0)
                break;
        }
    }
    return st;
}

enum rf_status rf_world_announce(struct rf_world_maker *m, const struct rf_outage_spec *outage,
                                 int64_t at_us, int32_t count)
{
    struct rf_world *w = m->world;
    struct rf_world_hold *hold = &w->holds[w->nholds];
    int64_t notice_us = at_us > outage->notice_us ? at_us - outage->notice_us : 0;

    *hold = (struct rf_world_hold){
        .begin_us = at_us, .end_us = at_us + outage->length_us, .count = count};
    memcpy(hold->account, outage->account, sizeof hold->account);
    memcpy(hold->author, outage->author, sizeof hold->author);
    memcpy(hold->reason, outage->reason, sizeof hold->reason);
    return rf_world_add(m, notice_us, RF_CHANGE_RESERVE, 0, 0, w->nholds++);
}

/* ---- the sweep */

static int by_time(const void *one, const void *other)
{
    const struct edge *a = one, *b = other;

    if (a->t_us != b->t_us)
        return a->t_us < b->t_us ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

/* What an edge means for one device, and the change that follows: RF_CHANGE_... or -1. */
static int step(uint16_t *reasons, uint8_t *leaving, enum edge_kind kind)
{
    switch (kind) {
    case EDGE_FAILED:
        return (*reasons)++ == 0 ? (int)RF_CHANGE_FAILED : -1;
    case EDGE_MAINTENANCE:
        return (*reasons)++ == 0 ? (int)RF_CHANGE_MAINTENANCE : -1;
    case EDGE_LEFT:
        *leaving = *reasons > 0;
        return *reasons == 0 ? (int)RF_CHANGE_LEFT : -1;
    case EDGE_OVER:
        break;
    }
    return --*reasons == 0 ? (int)RF_CHANGE_REPAIRED : -1;
}

/* Tells the change of devices [begin, end), and of those that were only waiting for their
 * repair to leave. */
static enum rf_status tell(struct fleet *f, int64_t t_us, int change, int32_t begin,
                           int32_t end, int leaving)
{
    enum rf_status st = RF_OK;

    if (change >= 0)
        st = rf_world_add(f->m, t_us, (enum rf_change_kind)change, begin, end, 0);
    if (st == RF_OK && change == (int)RF_CHANGE_REPAIRED && leaving)
        st = rf_world_add(f->m, t_us + 1, RF_CHANGE_LEFT, begin, end, 0);
    return st;
}

static enum rf_status sweep(struct fleet *f, uint16_t *reasons, uint8_t *leaving)
{
    enum rf_status st = RF_OK;

    for (int64_t i = 0; st == RF_OK && i < f->nedges; i++) {
        const struct edge *e = &f->edges[i];
        int32_t begin = e->begin;
        int change = -1, last_leaving = 0;

        /* devices to which the same happens are told together */
        for (int32_t d = e->begin; st == RF_OK && d < e->end; d++) {
            int next = step(&reasons[d], &leaving[d], e->kind);

            if (d > e->begin && (next != change || leaving[d] != last_leaving)) {
                st = tell(f, e->t_us, change, begin, d, last_leaving);
                begin = d;
            }
            change = next;
            last_leaving = leaving[d];
        }
        if (st == RF_OK)
            st = tell(f, e->t_us, change, begin, e->end, last_leaving);
    }
    return st;
}

static enum rf_status merge(struct fleet *f)
{
    size_t n = (size_t)f->cohorts[f->ncohorts - 1].end + 1;
    uint16_t *reasons = calloc(n, sizeof *reasons);
    uint8_t *leaving = calloc(n, sizeof *leaving);
    enum rf_status st;

    if (f->nedges > 0)
        qsort(f->edges, (size_t)f->nedges, sizeof *f->edges, by_time);
    if (reasons == NULL || leaving == NULL)
        st = rf_fail(f->m->err, RF_ERR_MEMORY, "out of memory for the fleet");
    else
        st = sweep(f, reasons, leaving);
    free(reasons);
    free(leaving);
    return st;
}

enum rf_status rf_world_make_fleet(struct rf_world_maker *m)
{
    struct fleet fleet = {.m = m};
    enum rf_status st = make_cohorts(&fleet);

    if (st == RF_OK && m->scenario->fleet.mtbf_us > 0)
        st = add_failures(&fleet);
    if (st == RF_OK)
        st = add_outages(&fleet);
    if (st == RF_OK)
        st = merge(&fleet);
    free(fleet.cohorts);
    free(fleet.edges);
    return st;
}
