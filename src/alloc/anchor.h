/* anchor.h - tree heads kept outside, where whoever rewrites a ledger cannot reach them.
 *
 * A head that lies in a file of somebody else, or in a Slurm job's comment, shows that entries
 * were there: 'ledger consistency' compares them with the ledger later. */
#ifndef RF_ALLOC_ANCHOR_H
#define RF_ALLOC_ANCHOR_H

#include <sys/types.h>

#include "alloc/head.h"

/* Appends the note to a file of notes, an empty line between them, durably. The file is made when
 * it is not there; what it holds already is not looked at. */
enum rf_status rf_anchor_file(const char *path, const char *note, struct rf_error *err);

/* One line that a comment can hold: "ringfence-head ORIGIN SIZE ROOT NAME SIGNATURE". */
void rf_anchor_line(const struct rf_head *head, char line[RF_SEAL_BYTES]);

/* `scontrol update JobId=$SLURM_JOB_ID Comment=...`, begun and not waited for; *pid is what
 * rf_anchor_wait() takes. RF_ERR_ARG outside of a Slurm job, RF_ERR_IO when it cannot be
 * started. */
enum rf_status rf_anchor_slurm(const struct rf_head *head, pid_t *pid, struct rf_error *err);
/* RF_ERR_IO when scontrol has failed. With block == 0, *pid stays as it is while it runs; it is
 * 0 afterwards. A pid of 0 is nothing to wait for. */
enum rf_status rf_anchor_wait(pid_t *pid, int block, struct rf_error *err);

#endif
