/* Checking a ledger in two passes. The first looks at bytes only: links, tree
 * and seals, and finds which line is to blame. The second parses the lines
 * before that one and shows them to the visitor, so that nobody acts on a
 * line that is known to be bad. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "alloc/ledger_file.h"

/* ,"prev":"<44 characters>"} */
enum { LINK_BYTES = RF_DIGEST_BASE64 - 1, TAIL_BYTES = 9 + LINK_BYTES + 2 };

struct check {
    const char *path, *data;
    size_t good; /* bytes up to and with the last LF */
    struct rf_seals seals;
    int64_t seq;     /* of the line that is looked at */
    int64_t matched; /* entries under the last seal that fits */
    struct rf_ledger_check *out;
    struct rf_ledger_end *end;
};

enum rf_status rf_ledger_beside(char out[RF_PATH_BYTES], const char *path, const char *suffix,
                                struct rf_error *err)
{
    int n = snprintf(out, RF_PATH_BYTES, "%s%s", path, suffix);

    if (n < 0 || n >= RF_PATH_BYTES)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", path);
    return RF_OK;
}

enum rf_status rf_ledger_slurp(int fd, const char *path, char **data, size_t *size,
                               struct rf_error *err)
{
    size_t room = 1 << 16, used = 0;
    char *buf = malloc(room);

    while (buf != NULL) {
        ssize_t n = pread(fd, buf + used, room - used, (off_t)used);
        char *more;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(buf);
            return rf_fail(err, RF_ERR_INPUT, "cannot read '%s': %s", path, strerror(errno));
        }
        used += (size_t)n;
        if (n == 0) {
            *data = buf;
            *size = used;
            return RF_OK;
        }
        if (used == room) {
            room *= 2;
            more = realloc(buf, room);
            if (more == NULL)
                free(buf);
            buf = more;
        }
    }
    return rf_fail(err, RF_ERR_MEMORY, "out of memory while reading '%s'", path);
}

enum rf_status rf_ledger_slurp_path(const char *path, char **data, size_t *size,
                                    struct rf_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum rf_status st;

    if (fd < 0)
        return rf_fail(err, RF_ERR_INPUT, "cannot open '%s': %s", path, strerror(errno));
    st = rf_ledger_slurp(fd, path, data, size, err);
    close(fd);
    return st;
}

/* ---- what is found ---------------------------------------------------- */

/* The first problem is the one that is told. */
static void note_problem(struct check *c, const char *text)
{
    if (c->out->problem[0] == '\0')
        snprintf(c->out->problem, sizeof c->out->problem, "%s", text);
}

static void bad_line(struct check *c, int64_t seq, const char *what)
{
    char text[400];

    c->out->chain_ok = 0;
    if (c->out->first_bad_seq >= 0 && c->out->first_bad_seq <= seq)
        return;
    c->out->first_bad_seq = seq;
    snprintf(text, sizeof text, "line %lld: %.340s", (long long)seq + 1, what);
    c->out->problem[0] = '\0';
    note_problem(c, text);
}

/* What the seals have come to say. */
static void listen(struct check *c)
{
    if (c->seals.problem[0] == '\0')
        return;
    c->out->seals_ok = 0;
    note_problem(c, c->seals.problem);
}

/* ---- lines ------------------------------------------------------------ */

struct line {
    const char *text;
    size_t length;
};

/* The line that starts at byte `at`; 0 when there is none. */
static int line_at(const struct check *c, size_t at, struct line *line)
{
    const char *stop;

    if (at >= c->good)
        return 0;
    stop = memchr(c->data + at, '\n', c->good - at); /* there is one: data[good - 1] */
    *line = (struct line){c->data + at, (size_t)(stop - c->data) - at};
    return 1;
}

/* Does the line say that it follows a line with this digest? */
static int follows(const struct line *line, const struct rf_digest *before)
{
    char tail[TAIL_BYTES + 1] = ",\"prev\":\"";

    rf_digest_to_base64(before, tail + 9);
    memcpy(tail + 9 + LINK_BYTES, "\"}", 3);
    return line->length > TAIL_BYTES &&
           memcmp(line->text + line->length - TAIL_BYTES, tail, TAIL_BYTES) == 0;
}

/* The last line does not follow the one before it: would the seal over both fit if only its
 * link were different? Then the last line is to blame. */
static int seal_blames_last(const struct check *c, const struct line *line,
                            const struct rf_digest *before, int64_t seq)
{
    const struct rf_seal *seal = c->seals.has_next ? &c->seals.next : NULL;
    struct rf_tree tree = c->end->tree;
    struct rf_digest root;
    char *fixed;

    if (seal == NULL || seal->size != seq + 1 || line->length <= TAIL_BYTES)
        return 0;
    fixed = malloc(line->length + 1);
    if (fixed == NULL)
        return 0;
    memcpy(fixed, line->text, line->length - TAIL_BYTES);
    memcpy(fixed + line->length - TAIL_BYTES, ",\"prev\":\"", 9);
    rf_digest_to_base64(before, fixed + line->length - LINK_BYTES - 2);
    memcpy(fixed + line->length - 2, "\"}", 2);
    rf_tree_add(&tree, fixed, line->length);
    root = rf_tree_root(&tree);
    free(fixed);
    return rf_digest_equal(&root, &seal->root);
}

static int parses(const struct line *line, int64_t seq)
{
    struct rf_event event;
    int ok = rf_event_parse(&event, line->text, line->length, NULL, NULL) == RF_OK &&
             event.seq == seq;

    rf_event_clear(&event);
    return ok;
}

/* Line seq does not follow line seq - 1: one of them was changed. If the next line follows
 * line seq, that one is as it was. */
static void blame_link(struct check *c, const struct line *line, size_t next_at,
                       const struct rf_digest *before, int64_t seq)
{
    struct rf_digest mine = rf_digest_of(line->text, line->length);
    struct line next;
    int mine_is_good;

    if (seq == 0)
        mine_is_good = 0;
    else if (line_at(c, next_at, &next))
        mine_is_good = follows(&next, &mine);
    else
        mine_is_good = !seal_blames_last(c, line, before, seq) && parses(line, seq);
    if (mine_is_good)
        bad_line(c, seq - 1, "the line after it carries another digest of it");
    else
        bad_line(c, seq, "it does not carry the digest of the line before it");
}

/* A seal over the lines so far has another root. */
static void blame_seal(struct check *c, size_t next_at, const struct rf_digest *mine)
{
    const struct rf_seal *seal = &c->seals.next;
    struct line next;
    char text[200];

    c->out->seals_ok = 0;
    snprintf(text, sizeof text,
             "seal %lld over %lld lines has another root (the last that fits covers %lld)",
             (long long)c->seals.count, (long long)seal->size, (long long)c->matched);
    /* A later line vouches for the one before it; the very last has only the seal. */
    bad_line(c,
             line_at(c, next_at, &next) && follows(&next, mine) ? c->matched : seal->size - 1,
             text);
}

enum { AHEAD = 256 };

/* Digests of the lines to come, many at once: lines are hashed far faster side by side. */
struct ahead {
    struct rf_digest lines[AHEAD], leaves[AHEAD];
    int n, next, added; /* leaves before `added` are in the tree */
};

/* All leaves up to the line that was looked at last go into the tree. */
static void catch_up(struct check *c, struct ahead *ahead)
{
    rf_tree_add_digests(&c->end->tree, ahead->leaves + ahead->added,
                        ahead->next - ahead->added);
    ahead->added = ahead->next;
}

/* The digest of the line that starts at byte `at`. */
static struct rf_digest digest_line(struct check *c, struct ahead *ahead, size_t at)
{
    struct rf_bytes texts[AHEAD];
    struct line next;

    if (ahead->next == ahead->n) {
        catch_up(c, ahead);
        ahead->n = ahead->next = ahead->added = 0;
        for (; ahead->n < AHEAD && line_at(c, at, &next); at += next.length + 1)
            texts[ahead->n++] = (struct rf_bytes){next.text, next.length};
        rf_digest_many(texts, ahead->n, ahead->lines);
        rf_tree_digest_leaves(texts, ahead->n, ahead->leaves);
    }
    return ahead->lines[ahead->next];
}

/* The text of a line behind its number and time; NULL: it has another form. */
static const char *type_of(const struct line *line)
{
    static const char seq[] = "{\"seq\":", t_us[] = ",\"t_us\":";
    const char *at = line->text, *end = line->text + line->length;

    for (int part = 0; part < 2; part++) {
        size_t n = strlen(part == 0 ? seq : t_us);

        if ((size_t)(end - at) <= n || memcmp(at, part == 0 ? seq : t_us, n) != 0)
            return NULL;
        for (at += n; at < end && (*at == '-' || (*at >= '0' && *at <= '9'));)
            at++;
    }
    return at;
}

/* A line that names another key is seen in the first pass: later seals are signed by it. */
static void look_for_key(struct check *c, const struct line *line)
{
    static const char rotate[] = ",\"type\":\"rotate\"";
    const char *type = type_of(line);
    struct rf_event event;
    struct rf_error why;

    if (type == NULL || (size_t)(line->text + line->length - type) < strlen(rotate) ||
        memcmp(type, rotate, strlen(rotate)) != 0)
        return;
    if (rf_event_parse(&event, line->text, line->length, NULL, &why) == RF_OK &&
        rf_seals_announce(&c->seals, event.text, &why) == RF_OK)
        c->out->rotations++;
    rf_event_clear(&event); /* what is wrong with it, the second pass says */
}

/* The next seal covers all lines so far: does it fit? */
static void match_seal(struct check *c, size_t next_at, const struct rf_digest *mine)
{
    struct rf_digest root = rf_tree_root(&c->end->tree);

    if (rf_digest_equal(&root, &c->seals.next.root)) {
        c->matched = c->seals.next.size;
        rf_seals_turn(&c->seals);
    } else {
        blame_seal(c, next_at, mine);
    }
    listen(c);
}

/* First pass: links, tree, seals. */
static void check_bytes(struct check *c)
{
    struct ahead ahead = {.n = 0};
    struct rf_digest before = {{0}}, mine;
    struct line line;
    size_t at = 0;

    for (; line_at(c, at, &line) && c->out->first_bad_seq < 0; c->seq++) {
        mine = digest_line(c, &ahead, at);
        at += line.length + 1;
        if (!follows(&line, &before)) {
            catch_up(c, &ahead);
            blame_link(c, &line, at, &before, c->seq);
            break;
        }
        ahead.next++;
        before = mine;
        look_for_key(c, &line);
        if (c->seals.has_next && c->seals.next.size == c->seq + 1) {
            catch_up(c, &ahead);
            match_seal(c, at, &before);
        }
    }
    catch_up(c, &ahead);
    c->end->last = before;
    if (c->out->first_bad_seq < 0 && c->seals.has_next) {
        c->out->seals_ok = 0;
        bad_line(c, c->end->tree.size,
                 "missing: a seal covers it, but the ledger ends before it");
    }
}

/* Second pass: what the lines say. */
static enum rf_status visit_lines(struct check *c, rf_ledger_visit *visit, void *ctx,
                                  struct rf_error *err)
{
    struct line line;
    size_t at = 0;
    int64_t seq = 0;

    while (line_at(c, at, &line) &&
           (c->out->first_bad_seq < 0 || seq < c->out->first_bad_seq)) {
        struct rf_event event;
        struct rf_error why;
        enum rf_status st = rf_event_parse(&event, line.text, line.length, NULL, &why);

        if (st == RF_OK && event.seq != seq)
            st = rf_fail(&why, RF_ERR_INPUT, "expected seq %lld, found %lld", (long long)seq,
                         (long long)event.seq);
        if (st == RF_OK && visit != NULL)
            st = visit(ctx, &event, &why);
        rf_idset_clear(&event.devices);
        if (st == RF_ERR_MEMORY)
            return rf_fail(err, st, "%s", why.text);
        if (st != RF_OK)
            bad_line(c, seq, why.text);
        at += line.length + 1;
        seq++;
    }
    return RF_OK;
}

static int64_t count_lines(const char *data, size_t size)
{
    int64_t n = 0;

    for (const char *at = data, *end = data + size; at < end; n++)
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1; /* data[size - 1] is one */
    return n;
}

enum rf_status rf_ledger_check_data(const char *path, const char *data, size_t size,
                                    const char *vkey, rf_ledger_visit *visit, void *ctx,
                                    struct rf_ledger_check *check, struct rf_ledger_end *end,
                                    struct rf_error *err)
{
    struct check c = {.path = path, .data = data, .out = check, .end = end, .good = size};
    struct rf_digest root;
    enum rf_status st;

    *check = (struct rf_ledger_check){.chain_ok = 1, .seals_ok = 1, .first_bad_seq = -1};
    *end = (struct rf_ledger_end){.good_bytes = 0};
    if (sodium_init() < 0)
        return rf_fail(err, RF_ERR_INTERNAL, "libsodium does not start");
    while (c.good > 0 && data[c.good - 1] != '\n')
        c.good--;
    check->torn_bytes = (int64_t)(size - c.good);
    check->entries = count_lines(data, c.good);
    end->good_bytes = c.good;
    st = rf_seals_open(&c.seals, path, vkey, err);
    if (st == RF_OK) {
        listen(&c);
        check_bytes(&c);
        st = visit_lines(&c, visit, ctx, err);
    }
    rf_seals_end(&c.seals);
    listen(&c);
    check->sealed_entries = c.seals.trusted ? c.matched : 0;
    check->seals = c.seals.count;
    memcpy(check->key_name, c.seals.vkey.name, sizeof check->key_name);
    end->seal_bytes = c.seals.at;
    end->seals_torn = c.seals.torn;
    memcpy(end->origin, c.seals.origin, sizeof end->origin);
    end->have_vkey = c.seals.have_vkey;
    end->vkey = c.seals.vkey;
    end->announced = c.seals.announced;
    end->announce = c.seals.announce;
    root = rf_tree_root(&end->tree);
    rf_digest_to_base64(&root, check->head);
    if (check->torn_bytes > 0)
        note_problem(&c, "the last line is cut short");
    free(c.seals.text);
    return st;
}

/* Is this a ledger, however damaged? Any line that begins as its lines do is enough, and so are
 * seals beside it: with a changed first line it is still somebody's evidence, and what was done
 * to it is a finding. Nothing at all is a ledger that has not begun. */
enum rf_status rf_ledger_resembles(const char *path, const char *data, size_t size,
                                   struct rf_error *err)
{
    static const char begins[] = "{\"seq\":";
    char beside[RF_PATH_BYTES];
    size_t at = 0;
    enum rf_status st;

    while (at < size) {
        const char *stop = memchr(data + at, '\n', size - at);
        size_t length = stop != NULL ? (size_t)(stop - data) - at : size - at;
        size_t whole = sizeof begins - 1;

        if (stop == NULL && length < whole)
            whole = length; /* the last line may be torn */
        if (length >= whole && memcmp(data + at, begins, whole) == 0)
            return RF_OK;
        at += length + 1;
    }
    st = rf_ledger_beside(beside, path, ".seals", err);
    if (st != RF_OK || size == 0 || rf_file_exists(beside))
        return st;
    return rf_fail(err, RF_ERR_INPUT,
                   "'%s', line 1: this is no ledger: neither this line nor any other begins "
                   "with %s",
                   path, begins);
}

enum rf_status rf_ledger_verify(const char *path, const char *vkey, rf_ledger_visit *visit,
                                void *ctx, struct rf_ledger_check *check, struct rf_error *err)
{
    struct rf_ledger_end end;
    char *data = NULL;
    size_t size = 0;
    enum rf_status st = rf_ledger_slurp_path(path, &data, &size, err);

    *check = (struct rf_ledger_check){.first_bad_seq = -1};
    if (st == RF_OK)
        st = rf_ledger_resembles(path, data, size, err);
    if (st == RF_OK)
        st = rf_ledger_check_data(path, data, size, vkey, visit, ctx, check, &end, err);
    free(data);
    return st;
}
