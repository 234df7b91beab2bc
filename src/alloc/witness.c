#include "alloc/witness.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

struct rf_witness {
    char dir[RF_PATH_BYTES];
    const struct rf_key *key; /* borrowed */
    int fd_lock;
};

static enum rf_status lock(struct rf_witness *w, struct rf_error *err)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[RF_PATH_BYTES];
    enum rf_status st = rf_file_join(path, w->dir, "lock", err);

    if (st != RF_OK)
        return st;
    w->fd_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (w->fd_lock < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    if (fcntl(w->fd_lock, F_SETLK, &whole) == 0)
        return RF_OK;
    return rf_fail(err, RF_ERR_IO, "another witness works on '%s'", w->dir);
}

enum rf_status rf_witness_open(struct rf_witness **witness, const char *dir,
                               const struct rf_key *key, struct rf_error *err)
{
    struct rf_witness *w;
    enum rf_status st = RF_OK;

    *witness = NULL;
    if (rf_key_kind_of(key) != RF_KEY_WITNESS)
        return rf_fail(err, RF_ERR_ARG,
                       "key '%s' is for seals; a witness needs one made by 'keygen --witness'",
                       rf_key_name(key));
    if (strlen(dir) >= sizeof w->dir)
        return rf_fail(err, RF_ERR_ARG, "path is too long: '%.80s...'", dir);
    w = calloc(1, sizeof *w);
    if (w == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: a witness");
    memcpy(w->dir, dir, strlen(dir) + 1);
    w->key = key;
    w->fd_lock = -1;
    st = rf_file_mkdir(dir, err);
    if (st == RF_OK)
        st = lock(w, err);
    if (st == RF_OK)
        *witness = w;
    else
        rf_witness_close(w);
    return st;
}

void rf_witness_close(struct rf_witness *witness)
{
    if (witness == NULL)
        return;
    if (witness->fd_lock >= 0)
        close(witness->fd_lock);
    free(witness);
}

/* ---- what is remembered: the log's key, an empty line, the checkpoint ------ */

/* Origins may hold any character, so the file is named by their digest. */
static enum rf_status path_of(const struct rf_witness *w, const char *origin,
                              char path[RF_PATH_BYTES], struct rf_error *err)
{
    struct rf_digest digest = rf_digest_of(origin, strlen(origin));
    char name[RF_DIGEST_HEX + 8];

    rf_digest_to_hex(&digest, name);
    memcpy(name + RF_DIGEST_HEX - 1, ".head", 6);
    return rf_file_join(path, w->dir, name, err);
}

static enum rf_status parse(struct rf_witnessed *seen, const char *origin, char *text,
                            size_t size, struct rf_error *err)
{
    struct rf_head head;
    char *stop = memchr(text, '\n', size);
    enum rf_status st = RF_OK;

    if (stop == NULL || (size_t)(stop - text) + 2 > size || stop[1] != '\n')
        return rf_fail(err, RF_ERR_INPUT, "it does not begin with a key");
    *stop = '\0';
    st = rf_vkey_parse(&seen->vkey, text, err);
    if (st == RF_OK)
        st = rf_head_read(&head, stop + 2, size - (size_t)(stop + 2 - text), err);
    if (st == RF_OK && strcmp(head.seal.origin, origin) != 0)
        return rf_fail(err, RF_ERR_INPUT, "it is of another origin, '%.80s'", head.seal.origin);
    seen->head = head.seal;
    seen->seen = 1;
    return st;
}

enum rf_status rf_witness_recall(const struct rf_witness *witness, const char *origin,
                                 struct rf_witnessed *seen, struct rf_error *err)
{
    char path[RF_PATH_BYTES];
    char *text = NULL;
    size_t size = 0;
    struct rf_error why = {RF_OK, ""};
    enum rf_status st = path_of(witness, origin, path, err);

    *seen = (struct rf_witnessed){.seen = 0};
    if (st != RF_OK || !rf_file_exists(path))
        return st;
    st = rf_file_read(path, 2 * RF_HEAD_BYTES, &text, &size, err);
    if (st != RF_OK)
        return st;
    if (parse(seen, origin, text, size, &why) != RF_OK)
        st = rf_fail(err, RF_ERR_INPUT, "what the witness remembers is damaged, '%s': %s", path,
                     why.text);
    free(text);
    return st;
}

static enum rf_status remember(const struct rf_witness *w, const char *origin,
                               const struct rf_vkey *vkey, const char *note,
                               struct rf_error *err)
{
    char path[RF_PATH_BYTES], text[RF_VKEY_BYTES + RF_HEAD_BYTES + RF_SEAL_BYTES + 4];
    enum rf_status st = path_of(w, origin, path, err);
    int n;

    rf_vkey_format(vkey, text);
    n = (int)strlen(text);
    n += snprintf(text + n, sizeof text - (size_t)n, "\n\n%s", note);
    return st == RF_OK ? rf_file_write(path, text, (size_t)n, err) : st;
}

/* ---- seeing ----------------------------------------------------------------- */

static enum rf_status check(const struct rf_witnessed *seen, const struct rf_seal *head,
                            const struct rf_path *path, struct rf_error *err)
{
    if (!seen->seen)
        return RF_OK;
    if (head->size < seen->head.size)
        return rf_fail(err, RF_NO,
                       "refused: this head of '%s' covers %lld entries, and one over %lld was "
                       "seen before: it is older, or the ledger was cut back",
                       head->origin, (long long)head->size, (long long)seen->head.size);
    if (rf_proof_extends(path, seen->head.size, &seen->head.root, head->size, &head->root))
        return RF_OK;
    return rf_fail(err, RF_NO,
                   "refused: this head of '%s' over %lld entries does not extend the one over "
                   "%lld that was seen before: the ledger was rewritten, or forked",
                   head->origin, (long long)head->size, (long long)seen->head.size);
}

enum rf_status rf_witness_see(struct rf_witness *witness, const struct rf_head *head,
                              const struct rf_vkey *vkey, const struct rf_path *path,
                              int64_t time_s, char note[RF_HEAD_BYTES + RF_SEAL_BYTES],
                              struct rf_error *err)
{
    struct rf_witnessed seen;
    struct rf_error why = {RF_OK, ""};
    enum rf_status st = rf_head_signed(head, vkey, &why);

    if (st != RF_OK)
        return rf_fail(err, RF_NO, "refused: %s", why.text);
    st = rf_witness_recall(witness, head->seal.origin, &seen, err);
    if (st == RF_OK)
        st = check(&seen, &head->seal, path, err);
    if (st != RF_OK)
        return st;
    memcpy(note, head->text, head->size_bytes);
    rf_head_cosign(head, witness->key, time_s, note + head->size_bytes);
    return remember(witness, head->seal.origin, vkey, note, err);
}
