/* memory.h - how much memory this process has in use, as Linux counts it; 0 where it does not say. */
#ifndef RF_BASE_MEMORY_H
#define RF_BASE_MEMORY_H

#include <stdint.h>

/* Bytes resident now, and the most so far. */
int64_t rf_memory_now(void);
int64_t rf_memory_peak(void);
/* The most counts from now on, where that is allowed. */
void rf_memory_restart(void);

#endif
