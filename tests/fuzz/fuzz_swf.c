/* The Standard Workload Format, on any bytes; see any_trace.h. */
#include "any_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return read_any(data, size, RF_TRACE_SWF);
}
