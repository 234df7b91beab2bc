/* notes.h - where a checkpoint comes from, as lines of a safetensors file's metadata.
 *
 * What rf_ckpt_info says becomes "ringfence.step" and so on, so that a file that went out and
 * came back says what it said before. */
#ifndef RF_CKPT_NOTES_H
#define RF_CKPT_NOTES_H

#include "ckpt/manifest.h"
#include "ckpt/safetensors.h"

enum { RF_NOTES = 16 };

struct rf_notes {
    struct rf_safetensors_note list[RF_NOTES]; /* texts point into numbers, or into the info */
    int n;
    char numbers[RF_NOTES][24];
};

/* own: the tensors have our names (names.h). info is borrowed as long as notes is used. */
void rf_notes_of(struct rf_notes *notes, const struct rf_ckpt_info *info, int own);

/* Fills *info from a file's metadata; what is not there is 0 or empty. *own as above.
 * RF_ERR_INPUT for a line of ours that cannot be. */
enum rf_status rf_notes_read(struct rf_ckpt_info *info, int *own,
                             const struct rf_safetensors *file, const char *path,
                             struct rf_error *err);

#endif
