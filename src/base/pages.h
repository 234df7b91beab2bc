/* pages.h - memory for one large array that will be filled from end to end.
 *
 * The system hands out memory in pages of 4 KiB as they are first written, and takes longer to
 * find each one than a simulation takes for the jobs in it. Where the system has larger
 * pages, these arrays ask for them; where it has not, or says no, nothing is lost. */
#ifndef RF_BASE_PAGES_H
#define RF_BASE_PAGES_H

#include <stddef.h>

/* So many bytes, unspecified, which free() or realloc() takes like any others. NULL: there is not
 * so much memory. */
void *rf_pages_take(size_t size_bytes);

#endif
