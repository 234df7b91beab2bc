#include "job/shelf.h"

#include <string.h>

static void drop_last(struct rf_shelf *shelf)
{
    rf_task_close(shelf->kept[--shelf->n].task);
}

static void move_to_front(struct rf_shelf *shelf, int i)
{
    struct rf_shelf before = *shelf;

    memmove(&shelf->kept[1], &before.kept[0], (size_t)i * sizeof shelf->kept[0]);
    shelf->kept[0] = before.kept[i];
}

enum rf_status rf_shelf_open(struct rf_shelf *shelf, const struct rf_task_options *options,
                             uint64_t seed, const struct rf_task **task, struct rf_error *err)
{
    struct rf_task *opened = NULL;
    int64_t tokens = 0;
    enum rf_status st;

    for (int i = 0; i < shelf->n; i++) {
        if (shelf->kept[i].options == options && shelf->kept[i].seed == seed) {
            move_to_front(shelf, i);
            *task = shelf->kept[0].task;
            return RF_OK;
        }
    }
    st = rf_task_open(&opened, options, seed, err);
    if (st != RF_OK)
        return st;
    if (shelf->n == RF_SHELF_TASKS)
        drop_last(shelf);
    shelf->kept[shelf->n].task = opened;
    shelf->kept[shelf->n].options = options;
    shelf->kept[shelf->n].seed = seed;
    move_to_front(shelf, shelf->n++);
    for (int i = 1; i < shelf->n; i++) {
        tokens += rf_task_info(shelf->kept[i].task)->corpus_tokens;
        while (tokens > RF_SHELF_TOKENS && shelf->n > i)
            drop_last(shelf);
    }
    *task = opened;
    return RF_OK;
}

void rf_shelf_clear(struct rf_shelf *shelf)
{
    while (shelf->n > 0)
        drop_last(shelf);
}
