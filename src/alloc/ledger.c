/* Writing a ledger: lines are formatted and hashed when they are appended, and
 * reach the disk together at the next sync. */
#include "alloc/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "alloc/ledger_file.h"

struct rf_ledger {
    char path[RF_PATH_BYTES], path_seals[RF_PATH_BYTES];
    char origin[RF_ORIGIN_BYTES];
    const struct rf_key *key; /* borrowed; NULL: no seals */
    int bound;                /* seals must be by the key `vkey`... */
    struct rf_vkey vkey;
    int announced; /* ... and after the next one by `announce` */
    struct rf_vkey announce;
    int fd, fd_seals; /* fd_seals: -1 until the first seal */
    int64_t entries;
    struct rf_tree tree;   /* of the lines that are written */
    struct rf_digest last; /* of the last line appended */
    int64_t sealed;        /* lines under the last seal */
    int seals_begun;       /* the file of seals is not empty */
    int failed;            /* a write or a sync failed */
    char last_seal[RF_SEAL_BYTES];
    char *buffer;
    size_t used, room;
};

static enum rf_status ledger_alloc(struct rf_ledger **ledger, const char *path,
                                   const struct rf_key *key, struct rf_error *err)
{
    struct rf_ledger *l;
    enum rf_status st;

    *ledger = NULL;
    if (sodium_init() < 0)
        return rf_fail(err, RF_ERR_INTERNAL, "libsodium does not start");
    if (key != NULL && rf_key_kind_of(key) != RF_KEY_SEAL)
        return rf_fail(err, RF_ERR_ARG, "key '%s' is one of a witness, and seals no ledger",
                       rf_key_name(key));
    l = calloc(1, sizeof *l);
    if (l == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a ledger");
    l->fd = l->fd_seals = -1;
    l->key = key;
    *ledger = l;
    st = rf_ledger_beside(l->path_seals, path, ".seals", err);
    return st == RF_OK ? rf_ledger_beside(l->path, path, "", err) : st;
}

void rf_ledger_close(struct rf_ledger *ledger)
{
    if (ledger == NULL)
        return;
    if (ledger->fd_seals >= 0)
        close(ledger->fd_seals);
    if (ledger->fd >= 0)
        close(ledger->fd);
    free(ledger->buffer);
    free(ledger);
}

static enum rf_status lock(const struct rf_ledger *l, struct rf_error *err)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(l->fd, F_SETLK, &whole) == 0)
        return RF_OK;
    if (errno == EACCES || errno == EAGAIN)
        return rf_fail(err, RF_ERR_IO, "ledger '%s' is being written by another process",
                       l->path);
    return rf_fail(err, RF_ERR_IO, "cannot lock ledger '%s': %s", l->path, strerror(errno));
}

static enum rf_status write_public(const struct rf_ledger *l, struct rf_error *err)
{
    char path[RF_PATH_BYTES], text[RF_VKEY_BYTES + 1];
    enum rf_status st;

    if (l->key == NULL)
        return RF_OK;
    st = rf_ledger_beside(path, l->path, ".pub", err);
    if (st != RF_OK)
        return st;
    rf_key_public(l->key, text);
    memcpy(text + strlen(text), "\n", 2);
    return rf_file_write(path, text, strlen(text), err);
}

static enum rf_status sync_parent(const char *path, struct rf_error *err)
{
    char dir[RF_PATH_BYTES];
    char *slash;

    memcpy(dir, path, strlen(path) + 1);
    slash = strrchr(dir, '/');
    if (slash == NULL)
        return rf_file_sync_dir(".", err);
    slash[slash == dir] = '\0';
    return rf_file_sync_dir(dir, err);
}

static enum rf_status set_origin(struct rf_ledger *l, const char *origin, struct rf_error *err)
{
    if (origin == NULL)
        origin = l->key != NULL ? rf_key_name(l->key) : "ringfence";
    if (origin[0] == '\0' || strlen(origin) >= sizeof l->origin || strchr(origin, '\n') != NULL)
        return rf_fail(err, RF_ERR_ARG, "not an origin for seals: '%.80s'", origin);
    memcpy(l->origin, origin, strlen(origin) + 1);
    return RF_OK;
}

static enum rf_status create_file(struct rf_ledger *l, struct rf_error *err)
{
    if (rf_file_exists(l->path_seals))
        return rf_fail(err, RF_ERR_ARG, "seals of another ledger are in the way: '%s'",
                       l->path_seals);
    l->fd = open(l->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (l->fd < 0 && errno == EEXIST)
        return rf_fail(err, RF_ERR_ARG, "ledger '%s' exists already", l->path);
    if (l->fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot create ledger '%s': %s", l->path,
                       strerror(errno));
    return lock(l, err);
}

enum rf_status rf_ledger_create(struct rf_ledger **ledger, const char *path, const char *origin,
                                const struct rf_key *key, struct rf_error *err)
{
    enum rf_status st = ledger_alloc(ledger, path, key, err);

    if (st == RF_OK)
        st = set_origin(*ledger, origin, err);
    if (st == RF_OK)
        st = create_file(*ledger, err);
    if (st == RF_OK)
        st = write_public(*ledger, err);
    if (st == RF_OK)
        st = sync_parent(path, err);
    if (st != RF_OK) {
        rf_ledger_close(*ledger);
        *ledger = NULL;
    }
    return st;
}

/* ---- resuming --------------------------------------------------------- */

static enum rf_status open_seals(struct rf_ledger *l, struct rf_error *err)
{
    l->fd_seals = open(l->path_seals, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (l->fd_seals < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%s': %s", l->path_seals, strerror(errno));
    return sync_parent(l->path_seals, err);
}

static enum rf_status cut_file(int fd, const char *path, size_t size, struct rf_error *err)
{
    if (ftruncate(fd, (off_t)size) != 0 || fsync(fd) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot cut '%s': %s", path, strerror(errno));
    return RF_OK;
}

/* May this key seal next? A seal by any other would not verify. */
static enum rf_status right_key(const struct rf_ledger *l, const struct rf_key *key,
                                struct rf_error *err)
{
    char mine[RF_VKEY_BYTES], wanted[RF_VKEY_BYTES];

    if (key == NULL || !l->bound)
        return RF_OK;
    rf_key_public(key, mine);
    rf_vkey_format(&l->vkey, wanted);
    if (strcmp(mine, wanted) == 0)
        return RF_OK;
    return rf_fail(err, RF_ERR_ARG,
                   "ledger '%s' is sealed with another key: %s is given, %s "
                   "is in force",
                   l->path, mine, wanted);
}

/* Whose turn it is, as the seals that are there and the lines since the last one say. */
static enum rf_status take_keys(struct rf_ledger *l, const struct rf_ledger_check *check,
                                const struct rf_ledger_end *end, struct rf_error *err)
{
    l->bound = check->seals > 0;
    l->vkey = end->vkey;
    l->announced = end->announced;
    l->announce = end->announce;
    return l->bound ? right_key(l, l->key, err) : write_public(l, err);
}

/* Takes over what the check found; only torn ends are mended. */
static enum rf_status take_over(struct rf_ledger *l, const struct rf_ledger_check *check,
                                const struct rf_ledger_end *end, struct rf_error *err)
{
    enum rf_status st = RF_OK;

    if (!check->chain_ok || check->first_bad_seq >= 0 || (!check->seals_ok && !end->seals_torn))
        return rf_fail(err, RF_ERR_INPUT, "cannot resume ledger '%s': %s", l->path,
                       check->problem);
    l->tree = end->tree;
    l->entries = end->tree.size;
    l->last = end->last;
    l->sealed = check->sealed_entries;
    l->seals_begun = end->seal_bytes > 0;
    st = set_origin(l, end->origin[0] != '\0' ? end->origin : NULL, err);
    if (st == RF_OK)
        st = take_keys(l, check, end, err);
    if (st == RF_OK && check->torn_bytes > 0)
        st = cut_file(l->fd, l->path, end->good_bytes, err);
    if (st == RF_OK && end->seals_torn) {
        st = open_seals(l, err);
        if (st == RF_OK)
            st = cut_file(l->fd_seals, l->path_seals, end->seal_bytes, err);
    }
    return st;
}

enum rf_status rf_ledger_resume(struct rf_ledger **ledger, const char *path,
                                const struct rf_key *key, rf_ledger_visit *visit, void *ctx,
                                int64_t *cut, struct rf_error *err)
{
    struct rf_ledger_check check;
    struct rf_ledger_end end;
    char *data = NULL;
    size_t size = 0;
    enum rf_status st = ledger_alloc(ledger, path, key, err);

    *cut = 0;
    if (st == RF_OK) {
        (*ledger)->fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
        if ((*ledger)->fd < 0)
            st = rf_fail(err, RF_ERR_INPUT, "cannot open ledger '%s': %s", path,
                         strerror(errno));
    }
    if (st == RF_OK)
        st = lock(*ledger, err);
    if (st == RF_OK)
        st = rf_ledger_slurp((*ledger)->fd, path, &data, &size, err);
    if (st == RF_OK)
        st = rf_ledger_check_data(path, data, size, NULL, visit, ctx, &check, &end, err);
    if (st == RF_OK)
        st = take_over(*ledger, &check, &end, err);
    if (st == RF_OK)
        *cut = check.torn_bytes;
    free(data);
    if (st != RF_OK) {
        rf_ledger_close(*ledger);
        *ledger = NULL;
    }
    return st;
}

/* ---- going on --------------------------------------------------------- */

static enum rf_status usable(const struct rf_ledger *l, struct rf_error *err)
{
    if (l->failed)
        return rf_fail(err, RF_ERR_IO,
                       "ledger '%s' failed before; what is on the disk is unknown", l->path);
    return RF_OK;
}

static enum rf_status make_room(struct rf_ledger *l, size_t more, struct rf_error *err)
{
    size_t want = l->used + more;
    char *moved;

    if (want <= l->room)
        return RF_OK;
    want = want < 4096 ? 4096 : want * 2;
    moved = realloc(l->buffer, want);
    if (moved == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a ledger line");
    l->buffer = moved;
    l->room = want;
    return RF_OK;
}

enum { USUAL_BYTES = 512, LINK_ROOM = RF_DIGEST_BASE64 + 16 };

/* The event's text, n bytes, at the end of the buffer, with room for its link behind it. */
static enum rf_status write_line(struct rf_ledger *l, const struct rf_event *event, size_t *n,
                                 struct rf_error *err)
{
    enum rf_status st = make_room(l, USUAL_BYTES + LINK_ROOM, err);

    if (st != RF_OK)
        return st;
    *n = rf_event_format(event, l->buffer + l->used, USUAL_BYTES);
    if (*n < USUAL_BYTES)
        return RF_OK;
    st = make_room(l, *n + LINK_ROOM, err);
    if (st == RF_OK)
        rf_event_format(event, l->buffer + l->used, *n + 1);
    return st;
}

enum rf_status rf_ledger_append(struct rf_ledger *ledger, const struct rf_event *event,
                                struct rf_error *err)
{
    char link[RF_DIGEST_BASE64];
    char *line;
    size_t n, length;
    struct rf_event again;
    struct rf_error why;
    enum rf_status st = usable(ledger, err);

    if (st == RF_OK && event->seq != ledger->entries)
        st = rf_fail(err, RF_ERR_INTERNAL, "ledger entry %lld is not the next one, %lld",
                     (long long)event->seq, (long long)ledger->entries);
    if (st == RF_OK)
        st = write_line(ledger, event, &n, err);
    if (st != RF_OK)
        return st;
    line = ledger->buffer + ledger->used;
    rf_digest_to_base64(&ledger->last, link);
    memcpy(line + n, ",\"prev\":\"", 9);
    memcpy(line + n + 9, link, RF_DIGEST_BASE64 - 1);
    length = n + 9 + RF_DIGEST_BASE64 - 1 + 2;
    memcpy(line + length - 2, "\"}", 2);
    st = rf_event_parse(&again, line, length, NULL, &why);
    rf_event_clear(&again);
    if (st != RF_OK) /* e.g. a name that is not UTF-8: nobody could read it back */
        return rf_fail(err, st, "event cannot go into the ledger: %s", why.text);
    if (event->type == RF_EVENT_ROTATE) {
        st = rf_vkey_parse(&ledger->announce, event->text, err);
        if (st != RF_OK)
            return st;
        ledger->announced = 1;
    }
    ledger->last = rf_digest_of(line, length);
    line[length] = '\n';
    ledger->used += length + 1;
    ledger->entries++;
    return RF_OK;
}

/* Lines go into the tree together: hashed side by side they cost a fraction of one by one. */
static void grow_tree(struct rf_tree *tree, const char *text, size_t size)
{
    enum { TOGETHER = 64 };
    struct rf_bytes lines[TOGETHER];
    struct rf_digest leaves[TOGETHER];
    size_t at = 0;

    while (at < size) {
        int n = 0;

        for (; n < TOGETHER && at < size; n++) {
            const char *stop = memchr(text + at, '\n', size - at);

            lines[n] = (struct rf_bytes){text + at, (size_t)(stop - text) - at};
            at += lines[n].size_bytes + 1;
        }
        rf_tree_digest_leaves(lines, n, leaves);
        rf_tree_add_digests(tree, leaves, n);
    }
}

static enum rf_status write_all(struct rf_ledger *l, int fd, const char *path, const char *data,
                                size_t size, struct rf_error *err)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            l->failed = 1;
            return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
        }
        data += n;
        size -= (size_t)n;
    }
    if (fdatasync(fd) != 0) {
        l->failed = 1;
        return rf_fail(err, RF_ERR_IO, "cannot sync '%s': %s", path, strerror(errno));
    }
    return RF_OK;
}

enum rf_status rf_ledger_sync(struct rf_ledger *ledger, struct rf_error *err)
{
    enum rf_status st = usable(ledger, err);

    if (st == RF_OK && ledger->used > 0)
        st = write_all(ledger, ledger->fd, ledger->path, ledger->buffer, ledger->used, err);
    if (st == RF_OK && ledger->used > 0)
        grow_tree(&ledger->tree, ledger->buffer, ledger->used);
    if (st == RF_OK)
        ledger->used = 0;
    return st;
}

enum rf_status rf_ledger_seal(struct rf_ledger *ledger, struct rf_error *err)
{
    char note[RF_SEAL_BYTES + 1] = "";
    struct rf_seal seal = {.size = ledger->entries};
    enum rf_status st = rf_ledger_sync(ledger, err);

    if (st == RF_OK && ledger->key == NULL)
        return rf_fail(err, RF_ERR_ARG, "ledger '%s' has no key to be sealed with",
                       ledger->path);
    if (st == RF_OK)
        st = right_key(ledger, ledger->key, err);
    if (st != RF_OK || seal.size == ledger->sealed)
        return st;
    seal.root = rf_tree_root(&ledger->tree);
    memcpy(seal.origin, ledger->origin, sizeof seal.origin);
    st = rf_seal_sign(&seal, ledger->key, note + 1, err);
    if (st == RF_OK && ledger->fd_seals < 0)
        st = open_seals(ledger, err);
    if (st != RF_OK)
        return st;
    note[0] = '\n'; /* an empty line between seals */
    st = write_all(ledger, ledger->fd_seals, ledger->path_seals, note + !ledger->seals_begun,
                   strlen(note + 1) + (ledger->seals_begun ? 1 : 0), err);
    if (st == RF_OK) {
        memcpy(ledger->last_seal, note + 1, sizeof ledger->last_seal);
        ledger->seals_begun = 1;
        ledger->sealed = seal.size;
    }
    if (st == RF_OK && ledger->announced) {
        ledger->bound = 1;
        ledger->vkey = ledger->announce;
        ledger->announced = 0;
    }
    return st;
}

const char *rf_ledger_last_seal(const struct rf_ledger *ledger)
{
    return ledger->last_seal;
}

enum rf_status rf_ledger_use_key(struct rf_ledger *ledger, const struct rf_key *key,
                                 struct rf_error *err)
{
    enum rf_status st = right_key(ledger, key, err);

    if (st == RF_OK)
        ledger->key = key;
    return st;
}

int64_t rf_ledger_entries(const struct rf_ledger *ledger)
{
    return ledger->entries;
}

void rf_ledger_head(const struct rf_ledger *ledger, char text[RF_DIGEST_BASE64])
{
    struct rf_tree tree = ledger->tree;
    struct rf_digest root;

    if (ledger->used > 0)
        grow_tree(&tree, ledger->buffer, ledger->used);
    root = rf_tree_root(&tree);
    rf_digest_to_base64(&root, text);
}
