/* Every rule that an event must obey, each with its sentence. Nothing here
 * changes a state; state.c does, after these checks. */
#include <string.h>

#include "alloc/seal.h"
#include "alloc/state_rules.h"
#include "alloc/terms.h"

static enum rf_status refuse(struct rf_error *err, const struct rf_event *event,
                             const char *rule)
{
    return rf_fail(err, RF_ERR_INPUT, "%s refused: %s", rf_event_type_name(event->type), rule);
}

static int is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int rf_account_name_ok(const char *name)
{
    char last = '.';
    size_t n = 0;

    for (; name[n] != '\0'; last = name[n++])
        if (name[n] == '.' ? last == '.'
                           : !is_lower_or_digit(name[n]) && name[n] != '_' && name[n] != '-' &&
                                 !(name[n] >= 'A' && name[n] <= 'Z'))
            return 0;
    return n < RF_NAME_BYTES && last != '.';
}

static const char ACCOUNT_RULE[] =
    "an account is names of letters, digits, '-' and '_' joined by '.'";

/* A code: lower-case words joined by '-'. */
static int code_ok(const char *text)
{
    char last = '-';
    size_t n = 0;

    if (text[0] == '-')
        return 0;
    for (; text[n] != '\0'; last = text[n++])
        if (!is_lower_or_digit(text[n]) && text[n] != '-')
            return 0;
    return n > 0 && n < RF_TEXT_BYTES && last != '-';
}

static const char CODE_RULE[] = "the reason is a code of lower-case words";

/* The first range of the set that ends after id. */
static int32_t first_after(const struct rf_idset *set, int32_t id)
{
    int32_t lo = 0, hi = set->nranges;

    while (lo < hi) {
        int32_t mid = lo + (hi - lo) / 2;

        if (set->ranges[mid].end <= id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int rf_devices_within(const struct rf_idset *what, const struct rf_idset *of)
{
    for (int32_t i = 0; i < what->nranges; i++) {
        int32_t at = first_after(of, what->ranges[i].begin);

        if (at == of->nranges || of->ranges[at].begin > what->ranges[i].begin ||
            of->ranges[at].end < what->ranges[i].end)
            return 0;
    }
    return 1;
}

int rf_devices_overlap(const struct rf_idset *what, const struct rf_idset *with)
{
    for (int32_t i = 0; i < what->nranges; i++) {
        int32_t at = first_after(with, what->ranges[i].begin);

        if (at < with->nranges && with->ranges[at].begin < what->ranges[i].end)
            return 1;
    }
    return 0;
}

/* "a+b": letters, digits and '-' that begin with a letter. */
static size_t word_length(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return n >= 16 || text[0] < 'a' || text[0] > 'z' ? 0 : n;
}

int rf_policy_words(const char *text, char order[16], char fence[16])
{
    size_t n = word_length(text), m;

    if (n == 0 || text[n] != '+')
        return 0;
    m = word_length(text + n + 1);
    if (m == 0 || text[n + 1 + m] != '\0')
        return 0;
    memset(order, 0, 16);
    memcpy(order, text, n);
    memset(fence, 0, 16);
    memcpy(fence, text + n + 1, m);
    return 1;
}

static enum rf_status check_open(const struct rf_event *e, struct rf_error *err)
{
    char order[16], fence[16];

    if (e->name[0] == '\0')
        return refuse(err, e, "a run has a name");
    if (e->grace_us < 0)
        return refuse(err, e, "the grace is not negative");
    if (e->heartbeat_us < 0 || e->seal_us < 0)
        return refuse(err, e, "what is promised of lines and seals is not negative");
    if (e->text[0] != '\0' && !rf_policy_words(e->text, order, fence))
        return refuse(err, e, "a policy is \"order+fence\"");
    return RF_OK;
}

static enum rf_status check_policy(const struct rf_event *e, struct rf_error *err)
{
    char order[16], fence[16];

    if (!rf_policy_words(e->text, order, fence))
        return refuse(err, e, "a policy is \"order+fence\"");
    if (!code_ok(e->reason))
        return refuse(err, e, CODE_RULE);
    return RF_OK;
}

/* Are these devices where they have to be? */
static enum rf_status check_devices(const struct rf_state *s, const struct rf_event *e,
                                    struct rf_error *err)
{
    int repaired = strcmp(e->reason, "repaired") == 0;

    if (!e->up &&
        (s->by_count ? e->count > s->nfree : !rf_devices_within(&e->devices, &s->free)))
        return refuse(err, e, "only free devices may leave the fleet");
    if (e->up && repaired &&
        (s->by_count ? e->count > s->ndown : !rf_devices_within(&e->devices, &s->down)))
        return refuse(err, e, "only devices that are down can be repaired");
    if (e->up && !repaired && rf_devices_overlap(&e->devices, &s->fleet))
        return refuse(err, e, "a device is in the fleet already");
    if (e->up && !repaired && rf_devices_overlap(&e->devices, &s->down))
        return refuse(err, e, "a device that is down joins by being repaired");
    return RF_OK;
}

static enum rf_status check_capacity(const struct rf_state *s, const struct rf_event *e,
                                     struct rf_error *err)
{
    int64_t count = rf_state_count(s, e), whole = (int64_t)s->nfleet + s->ndown + count;

    if (e->up != 0 && e->up != 1)
        return refuse(err, e, "\"up\" is 0 or 1");
    if (count < 1)
        return refuse(err, e, "it names no device");
    if (!e->up && strcmp(e->reason, "left") != 0 && strcmp(e->reason, "failed") != 0 &&
        strcmp(e->reason, "maintenance") != 0)
        return refuse(err, e,
                      "devices go for \"left\", \"failed\" or \"maintenance\" as the reason");
    if (e->up && strcmp(e->reason, "joined") != 0 && strcmp(e->reason, "repaired") != 0)
        return refuse(err, e, "devices come for \"joined\" or \"repaired\" as the reason");
    if (e->up && strcmp(e->reason, "joined") == 0 && whole > INT32_MAX)
        return refuse(err, e, "a fleet has fewer than 2^31 devices");
    return check_devices(s, e, err);
}

static int64_t share_scaled(const struct rf_share *share)
{
    return rf_share_of(share, INT64_C(1000000000000000000));
}

static enum rf_status check_pledge(const struct rf_state *s, const struct rf_event *e,
                                   struct rf_error *err)
{
    int64_t sum = share_scaled(&e->share);
    struct rf_terms terms;
    struct rf_error why;
    int others = 0;

    if (!rf_account_name_ok(e->account))
        return refuse(err, e, ACCOUNT_RULE);
    if (strcmp(e->basis, "fleet") != 0 && strcmp(e->basis, "secured") != 0)
        return refuse(err, e, "the basis is \"fleet\" or \"secured\"");
    if (!code_ok(e->text) || strlen(e->text) >= sizeof s->pledges->fence)
        return refuse(err, e, "the fence is a lower-case word of at most 15 characters");
    if (rf_terms_parse(&terms, e->terms, &why) != RF_OK)
        return refuse(err, e, why.text);
    if (e->window_us < 1 || e->window_us > INT64_C(1000000000000000))
        return refuse(err, e, "a window lasts between 1 and 10^15 microseconds");
    if (e->tolerance_us < 0 || e->tolerance_us > e->window_us)
        return refuse(err, e, "the tolerance lies between 0 and the window");
    for (int32_t i = 0; i < s->npledges; i++) {
        const char *name = s->pledges[i].account_name;

        if (strcmp(name, e->account) == 0)
            continue; /* replaced by this one */
        if (rf_account_contains(name, e->account) || rf_account_contains(e->account, name))
            return refuse(err, e, "pledged accounts must not contain one another");
        sum += share_scaled(&s->pledges[i].share);
        others++;
        if (sum > INT64_C(1000000000000000000))
            return refuse(err, e, "the pledges in force sum to more than the whole");
    }
    if (others >= RF_PLEDGES_MAX)
        return refuse(err, e, "too many pledges in force");
    return RF_OK;
}

static enum rf_status check_reserve(const struct rf_event *e, struct rf_error *err)
{
    if (e->account[0] != '\0' && !rf_account_name_ok(e->account))
        return refuse(err, e, ACCOUNT_RULE);
    if (e->count < 1)
        return refuse(err, e, "it names no device");
    if (e->begin_us < 0 || e->end_us <= e->begin_us || e->end_us <= e->t_us)
        return refuse(err, e, "it begins before it ends, and is not over");
    if (!code_ok(e->reason))
        return refuse(err, e, CODE_RULE);
    return RF_OK;
}

static enum rf_status check_limit(const struct rf_event *e, struct rf_error *err)
{
    if (!rf_account_name_ok(e->account))
        return refuse(err, e, ACCOUNT_RULE);
    if (e->held_limit_us < 0 || e->flops_limit < 0)
        return refuse(err, e, "a limit is not negative");
    if (!code_ok(e->reason))
        return refuse(err, e, CODE_RULE);
    return RF_OK;
}

static enum rf_status check_account(const struct rf_state *s, const struct rf_event *e,
                                    struct rf_error *err)
{
    if (e->account_id < -1 || e->account_id >= s->naccounts)
        return refuse(err, e, "no account has that number");
    if (e->account_id >= 0) {
        if (e->account[0] != '\0' && strcmp(e->account, s->accounts[e->account_id].name) != 0)
            return refuse(err, e, "the account and its number do not belong together");
        return RF_OK;
    }
    if (rf_state_find_account(s, e->account) >= 0 || rf_account_name_ok(e->account))
        return RF_OK;
    return refuse(err, e, ACCOUNT_RULE);
}

static enum rf_status check_request(const struct rf_state *s, const struct rf_event *e,
                                    struct rf_error *err)
{
    if (e->job != s->njobs)
        return refuse(err, e, "job ids are dense, in order of request");
    if (e->min < 1 || e->max < e->min)
        return refuse(err, e, "1 <= min <= max");
    if (e->limit_us < 0)
        return refuse(err, e, "the limit is not negative");
    if (e->deadline_us < 0 || e->held_limit_us < 0 || e->flops_limit < 0 || e->retries < 0)
        return refuse(err, e, "a deadline, a limit, a number of retries is not negative");
    if (e->nafter < 0 || e->nafter > RF_AFTER_MAX)
        return refuse(err, e, "it comes after too many jobs");
    for (int32_t i = 0; i < e->nafter; i++)
        if (e->after[i] < 0 || e->after[i] >= e->job)
            return refuse(err, e, "a job comes after earlier jobs only");
    return check_account(s, e, err);
}

/* The job of an event that needs a holder of a lease, or NULL. */
static const struct rf_job *holder(const struct rf_state *s, const struct rf_event *e)
{
    const struct rf_job *job;

    if (e->job < 0 || e->job >= s->njobs)
        return NULL;
    job = &s->jobs[e->job];
    return job->lease >= 0 && (job->lease == e->lease || e->type == RF_EVENT_CHECKPOINT) ? job
                                                                                         : NULL;
}

static const struct rf_job *queued(const struct rf_state *s, const struct rf_event *e)
{
    if (e->job < 0 || e->job >= s->njobs || s->jobs[e->job].state != RF_JOB_QUEUED)
        return NULL;
    return &s->jobs[e->job];
}

/* Codes are kept once, and there is room for so many. */
static enum rf_status check_reason(const struct rf_state *s, const struct rf_event *e,
                                   struct rf_error *err)
{
    if (s->nreasons == RF_REASONS_MAX && rf_reason_find(s, e->reason) < 0)
        return refuse(err, e, "too many different reasons");
    return RF_OK;
}

static enum rf_status check_waiting(const struct rf_state *s, const struct rf_event *e,
                                    struct rf_error *err)
{
    const struct rf_job *job = queued(s, e);

    if (job == NULL)
        return refuse(err, e, "the job is not in the queue");
    if (!code_ok(e->reason))
        return refuse(err, e, CODE_RULE);
    if (e->type == RF_EVENT_DELAY && strcmp(s->reasons[job->reason], e->reason) == 0)
        return refuse(err, e, "the reason is on record already");
    return check_reason(s, e, err);
}

static enum rf_status refuse_spent(const struct rf_event *e, const char *spent,
                                   struct rf_error *err)
{
    return rf_fail(err, RF_ERR_INPUT, "%s refused: the allowance is used up: %s",
                   rf_event_type_name(e->type), spent);
}

static enum rf_status check_grant(const struct rf_state *s, const struct rf_event *e,
                                  struct rf_error *err)
{
    const struct rf_job *job = queued(s, e);
    int32_t count = rf_state_count(s, e);
    const char *spent;

    if (job == NULL)
        return refuse(err, e, "the job is not in the queue");
    if (!rf_state_ready(s, job))
        return refuse(err, e,
                      rf_state_job_extra(s, e->job)->retry_us > s->now_us
                          ? "it is not yet time to try the job again"
                          : "a job that it comes after is not done");
    spent = rf_state_spent(s, job);
    if (spent != NULL)
        return refuse_spent(e, spent, err);
    if (e->lease != s->next_lease)
        return refuse(err, e, "lease ids are dense, in order of grant");
    if (count < job->min || count > job->max)
        return refuse(err, e, "the number of devices is outside min..max");
    if (s->by_count ? count > s->nfree : !rf_devices_within(&e->devices, &s->free))
        return refuse(err, e, "a device is not free");
    if (e->lent < 0 || e->lent > count)
        return refuse(err, e, "lent devices are a part of the granted ones");
    return RF_OK;
}

static enum rf_status refuse_held(const struct rf_job *job, const struct rf_event *e,
                                  struct rf_error *err)
{
    return rf_fail(err, RF_ERR_INPUT, "%s refused: held_us is %lld, but devices x time is %lld",
                   rf_event_type_name(e->type), (long long)e->held_us,
                   (long long)rf_state_owed_us(job, e->t_us));
}

static enum rf_status check_charge(const struct rf_state *s, const struct rf_event *e,
                                   struct rf_error *err)
{
    const struct rf_job *job = holder(s, e);

    if (job == NULL)
        return refuse(err, e, "the job does not hold this lease");
    if (e->held_us != rf_state_owed_us(job, e->t_us))
        return refuse_held(job, e, err);
    if (e->busy_us < 0 || e->tokens < 0 || e->flops < 0 || e->step < 0)
        return refuse(err, e, "a reading is not negative");
    for (int32_t a = job->account; a >= 0; a = s->accounts[a].parent) {
        const struct rf_account *account = &s->accounts[a];

        if (e->busy_us > INT64_MAX - account->busy_us ||
            e->tokens > INT64_MAX - account->tokens || e->flops > INT64_MAX - account->flops)
            return refuse(err, e, "the sum of the readings no longer fits in 63 bits");
    }
    return RF_OK;
}

static enum rf_status check_dispute(const struct rf_state *s, const struct rf_event *e,
                                    struct rf_error *err)
{
    if (holder(s, e) == NULL)
        return refuse(err, e, "the job does not hold this lease");
    if (e->busy_us < 0 || e->tokens < 0 || e->flops < 0)
        return refuse(err, e, "a reading is not negative");
    if (!code_ok(e->reason))
        return refuse(err, e, CODE_RULE);
    return RF_OK;
}

static enum rf_status check_relabel(const struct rf_state *s, const struct rf_event *e,
                                    struct rf_error *err)
{
    const struct rf_job *job = e->job >= 0 && e->job < s->njobs ? &s->jobs[e->job] : NULL;

    if (job == NULL || (job->state != RF_JOB_QUEUED && job->state != RF_JOB_RUNNING))
        return refuse(err, e, "the job neither runs nor is in the queue");
    if (rf_state_owed_us(job, e->t_us) != 0)
        return refuse(err, e, "the job's device-time so far has to be charged first");
    if (!rf_account_name_ok(e->account))
        return refuse(err, e, ACCOUNT_RULE);
    if (strcmp(s->accounts[job->account].name, e->account) == 0)
        return refuse(err, e, "the job belongs to this account already");
    if (!code_ok(e->reason))
        return refuse(err, e, CODE_RULE);
    return RF_OK;
}

static enum rf_status check_preempt(const struct rf_state *s, const struct rf_event *e,
                                    struct rf_error *err)
{
    const struct rf_job *job = holder(s, e);

    if (job == NULL)
        return refuse(err, e, "the job does not hold this lease");
    if (job->state != RF_JOB_RUNNING)
        return refuse(err, e, "the job was asked to stop already");
    if (!code_ok(e->reason))
        return refuse(err, e, CODE_RULE);
    if (e->by < -1 || e->by >= s->njobs)
        return refuse(err, e, "\"by\" is a job or -1");
    return RF_OK;
}

static enum rf_status check_resize(const struct rf_state *s, const struct rf_event *e,
                                   struct rf_error *err)
{
    const struct rf_job *job = holder(s, e);
    int64_t count = rf_state_count(s, e);

    if (job == NULL)
        return refuse(err, e, "the job does not hold this lease");
    if (job->state != RF_JOB_RUNNING)
        return refuse(err, e, "the job was asked to stop");
    if (job->min == job->max)
        return refuse(err, e, "the job is not malleable");
    if (count < 1)
        return refuse(err, e, "it names no device");
    if (e->held_us != rf_state_owed_us(job, e->t_us))
        return refuse_held(job, e, err);
    if (e->type == RF_EVENT_SHRINK) {
        if (job->ndevices - count < job->min)
            return refuse(err, e, "the number of devices is outside min..max");
        if (!s->by_count && !rf_devices_within(&e->devices, &s->held[job->place]))
            return refuse(err, e, "the job does not hold these devices");
        if (e->by < -1 || e->by >= s->njobs)
            return refuse(err, e, "\"by\" is a job or -1");
        return RF_OK;
    }
    if (rf_state_spent(s, job) != NULL)
        return refuse_spent(e, rf_state_spent(s, job), err);
    if (job->ndevices + count > job->max)
        return refuse(err, e, "the number of devices is outside min..max");
    if (s->by_count ? count > s->nfree : !rf_devices_within(&e->devices, &s->free))
        return refuse(err, e, "a device is not free");
    if (e->lent < 0 || e->lent > count)
        return refuse(err, e, "lent devices are a part of the granted ones");
    return RF_OK;
}

/* A job that failed may have retries left; nothing else makes a job wait for a time. */
static enum rf_status check_release(const struct rf_state *s, const struct rf_event *e,
                                    struct rf_error *err)
{
    if (strcmp(e->reason, "failed") == 0) {
        if (rf_state_job_extra(s, e->job)->retries < 1)
            return refuse(err, e, "the job has no retry left");
        if (e->retry_us != 0 && e->retry_us <= e->t_us)
            return refuse(err, e, "the time of a retry lies ahead, or is 0");
    } else if (e->retry_us != 0) {
        return refuse(err, e, "only a job that failed is tried again at a time");
    }
    return check_reason(s, e, err);
}

static enum rf_status check_free(const struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    const struct rf_job *job = holder(s, e);

    if (e->type == RF_EVENT_END && rf_end_state(e->text) < 0)
        return refuse(err, e, "the state is \"done\", \"failed\" or \"cancelled\"");
    if (e->type == RF_EVENT_END && e->lease == -1) {
        if (queued(s, e) == NULL)
            return refuse(err, e, "the job neither holds a lease nor is in the queue");
        if (strcmp(e->text, "done") == 0)
            return refuse(err, e, "a job that is in the queue is not done");
        if (e->held_us != 0)
            return refuse(err, e, "a job that is in the queue owes no device-time");
        return RF_OK;
    }
    if (job == NULL)
        return refuse(err, e, "the job does not hold this lease");
    if (e->held_us != rf_state_owed_us(job, e->t_us))
        return refuse_held(job, e, err);
    return e->type == RF_EVENT_RELEASE ? check_release(s, e, err) : RF_OK;
}

static enum rf_status check_measure(const struct rf_event *e, struct rf_error *err)
{
    if (e->flops < 1)
        return refuse(err, e, "a device does something in a second");
    if (!code_ok(e->reason))
        return refuse(err, e, CODE_RULE);
    return RF_OK;
}

static enum rf_status check_rotate(const struct rf_event *e, struct rf_error *err)
{
    struct rf_vkey vkey;
    struct rf_error why;

    if (rf_vkey_parse(&vkey, e->text, &why) != RF_OK || strchr(e->text, '\n') != NULL)
        return refuse(err, e, "it names no public key");
    return RF_OK;
}

static enum rf_status check_type(const struct rf_state *s, const struct rf_event *e,
                                 struct rf_error *err)
{
    switch (e->type) {
    case RF_EVENT_OPEN:
        return check_open(e, err);
    case RF_EVENT_CAPACITY:
        return check_capacity(s, e, err);
    case RF_EVENT_PLEDGE:
        return check_pledge(s, e, err);
    case RF_EVENT_POLICY:
        return check_policy(e, err);
    case RF_EVENT_RESERVE:
        return check_reserve(e, err);
    case RF_EVENT_LIMIT:
        return check_limit(e, err);
    case RF_EVENT_REQUEST:
        return check_request(s, e, err);
    case RF_EVENT_DELAY:
    case RF_EVENT_DENY:
        return check_waiting(s, e, err);
    case RF_EVENT_GRANT:
        return check_grant(s, e, err);
    case RF_EVENT_CHARGE:
        return check_charge(s, e, err);
    case RF_EVENT_DISPUTE:
        return check_dispute(s, e, err);
    case RF_EVENT_RELABEL:
        return check_relabel(s, e, err);
    case RF_EVENT_PREEMPT:
        return check_preempt(s, e, err);
    case RF_EVENT_CHECKPOINT:
        if (holder(s, e) == NULL || e->step < 0)
            return refuse(err, e, "the job holds no lease, or the step is negative");
        return RF_OK;
    case RF_EVENT_SHRINK:
    case RF_EVENT_GROW:
        return check_resize(s, e, err);
    case RF_EVENT_RELEASE:
    case RF_EVENT_END:
        return check_free(s, e, err);
    case RF_EVENT_MEASURE:
        return check_measure(e, err);
    case RF_EVENT_ROTATE:
        return check_rotate(e, err);
    case RF_EVENT_HEARTBEAT:
        return RF_OK;
    case RF_EVENT_RECOVER:
        return e->cut < 0 ? refuse(err, e, "\"cut\" is not negative") : RF_OK;
    case RF_EVENT_CLOSE:
        return s->nrunning > 0 ? refuse(err, e, "devices are still held") : RF_OK;
    case RF_EVENT_NTYPES:
        break;
    }
    return rf_fail(err, RF_ERR_INPUT, "unknown event type");
}

int64_t rf_state_fits_us(const struct rf_job *job)
{
    int64_t left_us =
        job->ndevices > 0 ? (INT64_MAX - job->held_us) / job->ndevices : INT64_MAX;

    return left_us > INT64_MAX - job->charged_us ? INT64_MAX : job->charged_us + left_us;
}

/* Looks at all holders again: those that bound the time before may have been read, or be gone. */
static int all_fit(const struct rf_state *s, int64_t t_us)
{
    int64_t fits_us = INT64_MAX;

    for (int32_t i = s->running_first; i >= 0; i = s->jobs[i].next) {
        int64_t job_us = rf_state_fits_us(&s->jobs[i]);

        fits_us = job_us < fits_us ? job_us : fits_us;
    }
    s->room->fits_us = fits_us;
    return t_us <= fits_us;
}

enum rf_status rf_state_check(const struct rf_state *s, const struct rf_event *e,
                              struct rf_error *err)
{
    if (e->seq != s->next_seq)
        return rf_fail(err, RF_ERR_INPUT, "gap in the sequence: expected seq %lld, found %lld",
                       (long long)s->next_seq, (long long)e->seq);
    if ((e->type == RF_EVENT_OPEN) != !s->opened)
        return refuse(err, e, "a run is opened once, by its first event");
    if (s->closed && e->type != RF_EVENT_RECOVER && e->type != RF_EVENT_ROTATE)
        return refuse(err, e, "the run is closed");
    if (e->t_us < 0 || (s->opened && e->t_us < s->now_us))
        return rf_fail(err, RF_ERR_INPUT, "%s refused: time goes back, from %lld to %lld",
                       rf_event_type_name(e->type), (long long)s->now_us, (long long)e->t_us);
    if (e->t_us > s->room->fits_us && !all_fit(s, e->t_us))
        return refuse(err, e, "the device-time of a job no longer fits in 63 bits");
    return check_type(s, e, err);
}
