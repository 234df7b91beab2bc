/* memory.h - how much memory this process has in use, as Linux counts it; 0 where it does not say. */
#ifndef RF_BASE_MEMORY_H
#define RF_BASE_MEMORY_H

#include <stdint.h>

/* What was resident at a moment, and what of that shared with other processes. */
struct rf_memory {
    int64_t resident_bytes, shared_bytes;
};

/* As it is now. From here on the most that is resident counts anew, where that is allowed. */
struct rf_memory rf_memory_mark(void);

/* By how much the process had grown at most, since the last mark, over what it had at `from`. Of shared
 * memory, which counts for everyone who touches it, own_shared_bytes are its own; more is not counted. */
int64_t rf_memory_grown(const struct rf_memory *from, int64_t own_shared_bytes);

#endif
