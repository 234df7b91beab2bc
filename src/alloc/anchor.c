#include "alloc/anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/child.h"

static enum rf_status write_note(int fd, const char *path, const char *note,
                                 struct rf_error *err)
{
    char text[RF_HEAD_BYTES + 2] = "\n";
    off_t size = lseek(fd, 0, SEEK_END);
    const char *at = text;
    size_t n = strlen(note);

    memcpy(text + 1, note, n + 1);
    at += size <= 0;
    n += size > 0;
    while (n > 0) {
        ssize_t done = write(fd, at, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
        at += done;
        n -= (size_t)done;
    }
    if (fsync(fd) != 0)
        return rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    return RF_OK;
}

enum rf_status rf_anchor_file(const char *path, const char *note, struct rf_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    enum rf_status st;

    if (fd < 0)
        return rf_fail(err, RF_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    st = strlen(note) < RF_HEAD_BYTES ? write_note(fd, path, note, err)
                                      : rf_fail(err, RF_ERR_ARG, "the head is too long");
    if (close(fd) != 0 && st == RF_OK)
        st = rf_fail(err, RF_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    return st;
}

void rf_anchor_line(const struct rf_head *head, char line[RF_SEAL_BYTES])
{
    const struct rf_signature *s = &head->signatures[0];
    char root[RF_DIGEST_BASE64];
    char signature[sodium_base64_ENCODED_LEN(RF_COSIGNATURE_BYTES,
                                             sodium_base64_VARIANT_ORIGINAL)] = "";

    rf_digest_to_base64(&head->seal.root, root);
    if (head->nsignatures > 0)
        sodium_bin2base64(signature, sizeof signature, s->bytes, s->size_bytes,
                          sodium_base64_VARIANT_ORIGINAL);
    snprintf(line, RF_SEAL_BYTES, "ringfence-head %s %" PRId64 " %s %s %s", head->seal.origin,
             head->seal.size, root, head->nsignatures > 0 ? s->name : "", signature);
}

static int is_number(const char *text)
{
    return text != NULL && text[0] != '\0' && strspn(text, "0123456789_") == strlen(text);
}

enum rf_status rf_anchor_slurm(const struct rf_head *head, pid_t *pid, struct rf_error *err)
{
    const char *job = getenv("SLURM_JOB_ID");
    char line[RF_SEAL_BYTES], job_id[64], comment[RF_SEAL_BYTES + 16];
    char program[] = "scontrol", update[] = "update";
    char *argv[] = {program, update, job_id, comment, NULL};
    int failed;

    *pid = 0;
    if (!is_number(job) || strlen(job) > 40)
        return rf_fail(err, RF_ERR_ARG,
                       "not inside a Slurm job: SLURM_JOB_ID is not set to a number");
    rf_anchor_line(head, line);
    snprintf(job_id, sizeof job_id, "JobId=%s", job);
    snprintf(comment, sizeof comment, "Comment=%s", line);
    failed = rf_child_start(argv, pid);
    if (failed != 0) {
        *pid = 0;
        return rf_fail(err, RF_ERR_IO, "cannot start 'scontrol': %s", strerror(failed));
    }
    return RF_OK;
}

enum rf_status rf_anchor_wait(pid_t *pid, int block, struct rf_error *err)
{
    int code = 0, over;

    if (*pid == 0)
        return RF_OK;
    over = rf_child_over(*pid, block, &code);
    if (over == 0)
        return RF_OK;
    *pid = 0;
    if (over > 0 && code == 0)
        return RF_OK;
    return rf_fail(err, RF_ERR_IO,
                   "'scontrol update' has failed: the head is not in the job's "
                   "comment");
}
