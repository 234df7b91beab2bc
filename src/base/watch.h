/* watch.h - somebody who wants to see how far long work has come.
 *
 * A function that takes long takes a watch and says now and then how much of how much is done;
 * what is shown, where and how often is the watcher's business. NULL: nobody watches. */
#ifndef RF_BASE_WATCH_H
#define RF_BASE_WATCH_H

#include <stdint.h>

struct rf_watch {
    void (*show)(void *to, int64_t done, int64_t total);
    void *to; /* borrowed; handed to show */
};

void rf_watch_show(const struct rf_watch *watch, int64_t done, int64_t total);

#endif
