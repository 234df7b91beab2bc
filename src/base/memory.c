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

int64_t rf_memory_now(void)
{
    return status_of("VmRSS");
}

int64_t rf_memory_peak(void)
{
    return status_of("VmHWM");
}

void rf_memory_restart(void)
{
    FILE *out = fopen("/proc/self/clear_refs", "w");

    if (out == NULL)
        return;
    fputs("5", out); /* the peak becomes what is resident now: proc(5) */
    fclose(out);
}
