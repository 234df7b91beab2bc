#include "base/watch.h"

#include <stddef.h>

void rf_watch_show(const struct rf_watch *watch, int64_t done, int64_t total)
{
    if (watch != NULL)
        watch->show(watch->to, done, total);
}
