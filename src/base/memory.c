#include "base/memory.h"

#include <stdio.h>
#include <string.h>

/* A line "NAME:  1234 kB" of /proc/self/status, in bytes. */
static int64_t status_of(const char *name)
{
    FILE *in = fopen("/proc/self/status", "r");
    char line[256];
    long long kib = 0;
    size_t n = strlen(name);

    while (in != NULL && fgets(line, sizeof line, in) != NULL)
        if (strncmp(line, name, n) == 0 && line[n] == ':' &&
            sscanf(line + n + 1, "%lld", &kib) == 1)
            break;
    if (in != NULL)
        fclose(in);
    return kib * 1024;
}

struct rf_memory rf_memory_mark(void)
{
    FILE *out = fopen("/proc/self/clear_refs", "w");

    if (out != NULL) {
        fputs("5", out); /* the peak becomes what is resident now: proc(5) */
        fclose(out);
    }
    return (struct rf_memory){.resident_bytes = status_of("VmRSS"),
                              .shared_bytes = status_of("RssShmem")};
}

int64_t rf_memory_grown(const struct rf_memory *from, int64_t own_shared_bytes)
{
    int64_t grown = status_of("VmHWM") - from->resident_bytes;
    int64_t others = status_of("RssShmem") - from->shared_bytes - own_shared_bytes;

    grown -= others > 0 ? others : 0;
    return grown > 0 ? grown : 0;
}
