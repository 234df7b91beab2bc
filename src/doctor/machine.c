/* Processors, and the memory that ranks of a node share. */
#include "doctor/doctor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cblas.h>
#include <oneapi/dnnl/dnnl.h>

#include "nn/bf16.h"

enum { LINE_BYTES = 8192, EDGE = 256 };

/* Is the word among the blank-separated ones? */
static int has_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = text; (at = strstr(at, word)) != NULL; at += n)
        if ((at == text || at[-1] == ' ' || at[-1] == '\t') &&
            (at[n] == ' ' || at[n] == '\n' || at[n] == '\0'))
            return 1;
    return 0;
}

const char *rf_doctor_isa(const char *flags)
{
    return has_word(flags, "amx_bf16")      ? "AMX (bf16)"
           : has_word(flags, "avx512_bf16") ? "AVX-512 (bf16)"
           : has_word(flags, "avx512f")     ? "AVX-512"
           : has_word(flags, "avx2")        ? "AVX2"
                                            : "";
}

/* The first line of a file that begins with the word; "" without. */
static void read_line(const char *path, const char *word, char line[LINE_BYTES])
{
    FILE *file = fopen(path, "r");
    int found = 0;

    while (file != NULL && !found && fgets(line, LINE_BYTES, file) != NULL)
        found = strncmp(line, word, strlen(word)) == 0;
    if (!found)
        line[0] = '\0';
    if (file != NULL)
        fclose(file);
}

/* Which implementation a trainer here multiplies bf16 with; "" when memory ran out. */
static void ask_bf16(char name[96])
{
    float *x = calloc(3 * EDGE * EDGE, sizeof *x);
    struct rf_bf16 *products = NULL;
    struct rf_error err;

    name[0] = '\0';
    if (x != NULL &&
        rf_bf16_create(&products, RF_BF16_AUTO, x, EDGE * EDGE, EDGE * EDGE, &err) == RF_OK) {
        rf_bf16_refresh(products);
        rf_bf16_multiply(products, RF_NN, EDGE, EDGE, EDGE, rf_operand(x + EDGE * EDGE, EDGE),
                         rf_operand(x, EDGE), 0, x + 2 * EDGE * EDGE);
        snprintf(name, 96, "%s", rf_bf16_implementation(products));
    }
    rf_bf16_destroy(products);
    free(x);
}

static void look_at_products(struct rf_doctor *doctor)
{
    const dnnl_version_t *version = dnnl_version();
    char name[96];
    int native;

    ask_bf16(name);
    native = strstr(name, "oneDNN") != NULL;
    rf_doctor_add(doctor, native ? RF_HEALTH_OK : RF_HEALTH_WARN, "bf16",
                  "this processor has no bf16 instructions: train in fp32, it is as fast",
                  "%s (oneDNN %d.%d.%d)", name, version->major, version->minor, version->patch);
    rf_doctor_add(doctor, openblas_get_num_threads() > 1 ? RF_HEALTH_WARN : RF_HEALTH_OK,
                  "openblas", "set OPENBLAS_NUM_THREADS=1 with a rank on each core",
                  "%s kernels, %d thread%s a rank", openblas_get_corename(),
                  openblas_get_num_threads(), openblas_get_num_threads() == 1 ? "" : "s");
}

void rf_doctor_processor(struct rf_doctor *doctor)
{
    char line[LINE_BYTES];
    const char *isa;

    read_line("/proc/cpuinfo", "flags", line);
    isa = rf_doctor_isa(line);
    rf_doctor_add(doctor, isa[0] != '\0' ? RF_HEALTH_OK : RF_HEALTH_WARN, "processor",
                  "expect a tenth of the speed, or use newer nodes", "%ld cores, %s",
                  sysconf(_SC_NPROCESSORS_ONLN),
                  isa[0] != '\0' ? isa : "neither AVX2 nor newer vectors");
    look_at_products(doctor);
}

/* Open MPI copies straight from one rank's memory to another's where the kernel lets it. */
static void look_at_copies(struct rf_doctor *doctor)
{
    const char *how = getenv("OMPI_MCA_btl_vader_single_copy_mechanism");
    char yama[LINE_BYTES], seccomp[LINE_BYTES];
    int filtered, scope;

    read_line("/proc/sys/kernel/yama/ptrace_scope", "", yama);
    read_line("/proc/self/status", "Seccomp:", seccomp);
    scope = atoi(yama);
    filtered = seccomp[0] != '\0' && atoi(seccomp + strlen("Seccomp:")) == 2;
    if (how != NULL && strcmp(how, "none") == 0)
        rf_doctor_add(doctor, RF_HEALTH_OK, "single copy", "",
                      "switched off by OMPI_MCA_btl_vader_single_copy_mechanism");
    else
        rf_doctor_add(doctor, scope > 0 || filtered ? RF_HEALTH_WARN : RF_HEALTH_OK,
                      "single copy",
                      "if Open MPI complains of process_vm_readv: export "
                      "OMPI_MCA_btl_vader_single_copy_mechanism=none",
                      "ranks may %sread one another's memory (ptrace_scope %d%s)",
                      scope > 0 || filtered ? "perhaps not " : "", scope,
                      filtered ? ", system calls are filtered" : "");
}

void rf_doctor_memory(struct rf_doctor *doctor)
{
    struct statvfs fs;
    double free_mb;

    look_at_copies(doctor);
    if (statvfs("/dev/shm", &fs) != 0) {
        rf_doctor_add(doctor, RF_HEALTH_FAIL, "/dev/shm",
                      "mount a tmpfs there: ranks of a node talk through it",
                      "there is no shared memory");
        return;
    }
    free_mb = (double)fs.f_bavail * (double)fs.f_frsize / 1e6;
    rf_doctor_add(doctor,
                  free_mb < 32    ? RF_HEALTH_FAIL
                  : free_mb < 256 ? RF_HEALTH_WARN
                                  : RF_HEALTH_OK,
                  "/dev/shm",
                  "make it larger (containers: --shm-size=1g): Open MPI needs some 4 MB a rank",
                  "%.0f MB free", free_mb);
}
