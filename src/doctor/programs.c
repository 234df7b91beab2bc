/* Programs that ringfence asks, and its key. */
#include "doctor/doctor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/child.h"
#include "base/file.h"

enum { LIMIT_S = 10, MOST_WORDS = 6 };

/* The first line that a command prints; NULL when it fails. The caller frees it. */
static char *first_line(const char *const words[])
{
    char copies[MOST_WORDS][48], *argv[MOST_WORDS + 1] = {NULL}, *text;

    for (int i = 0; i < MOST_WORDS && words[i] != NULL; i++) {
        snprintf(copies[i], sizeof copies[i], "%s", words[i]);
        argv[i] = copies[i];
    }
    if (rf_child_read(argv, LIMIT_S, &text) != 0)
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void look_at_program(struct rf_doctor *doctor, const char *what,
                            const char *const words[], const char *fix)
{
    char *line = first_line(words);

    rf_doctor_add(doctor, line != NULL ? RF_HEALTH_OK : RF_HEALTH_WARN, what, fix, "%s",
                  line != NULL ? line : "cannot be run");
    free(line);
}

void rf_doctor_programs(struct rf_doctor *doctor)
{
    static const char *const gnuplot[] = {"gnuplot", "--version", NULL};
    const char *pdf = rf_child_exists("chromium") || rf_child_exists("chromium-browser") ||
                              rf_child_exists("google-chrome")
                          ? "Chromium"
                      : rf_child_exists("rsvg-convert") ? "rsvg-convert"
                                                        : NULL;

    look_at_program(doctor, "gnuplot", gnuplot,
                    "install gnuplot (package gnuplot-nox): reports then have plots");
    rf_doctor_add(doctor, pdf != NULL ? RF_HEALTH_OK : RF_HEALTH_WARN, "pdf",
                  "for 'report --format pdf' install chromium, or librsvg2-bin for figures",
                  "%s%s", pdf != NULL ? "by " : "there is no program for it",
                  pdf != NULL ? pdf : "");
}

/* ---- Slurm ---- */

static void look_at_commands(struct rf_doctor *doctor)
{
    static const char *const names[] = {"sbatch", "srun",     "squeue",
                                        "sacct",  "scontrol", "sacctmgr"};
    static const char *const version[] = {"sinfo", "--version", NULL};
    char missing[100] = "", *line = first_line(version);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!rf_child_exists(names[i])) {
            strcat(missing, " ");
            strcat(missing, names[i]);
        }
    rf_doctor_add(doctor, missing[0] == '\0' ? RF_HEALTH_OK : RF_HEALTH_WARN, "slurm",
                  "install the client commands (package slurm-client)", "%s%s%s",
                  line != NULL ? line : "of an unknown version",
                  missing[0] != '\0' ? ", without" : ", all commands", missing);
    free(line);
}

/* Is this machine meant to have a controller, or are only the commands there? */
static int is_client(void)
{
    return getenv("SLURM_CONF") != NULL || getenv("SLURM_JOB_ID") != NULL ||
           rf_file_exists("/etc/slurm/slurm.conf");
}

static void look_at_controller(struct rf_doctor *doctor)
{
    static const char *const ping[] = {"scontrol", "ping", NULL};
    static const char *const clusters[] = {"sacctmgr", "-nP", "list", "cluster", NULL};
    char *line = first_line(ping);
    int up = line != NULL && strstr(line, " is UP") != NULL;

    rf_doctor_add(doctor,
                  up            ? RF_HEALTH_OK
                  : is_client() ? RF_HEALTH_FAIL
                                : RF_HEALTH_WARN,
                  "slurmctld", "ask whoever runs the cluster, or set SLURM_CONF", "%s",
                  line != NULL && line[0] != '\0' ? line : "does not answer");
    free(line);
    line = up ? first_line(clusters) : NULL;
    if (up)
        rf_doctor_add(
            doctor, line != NULL && line[0] != '\0' ? RF_HEALTH_OK : RF_HEALTH_WARN,
            "accounting",
            "without slurmdbd there are no accounts, and sacct has nothing for audits",
            "slurmdbd %s", line != NULL && line[0] != '\0' ? "answers" : "does not answer");
    free(line);
}

static void look_at_pmix(struct rf_doctor *doctor)
{
    char srun[] = "srun", list[] = "--mpi=list", shell[] = "sh", option[] = "-c",
         /* srun lists on stderr */
        both[] = "exec srun --mpi=list 2>&1";
    char *asked[] = {shell, option, both, NULL}, *plain[] = {srun, list, NULL}, *text = NULL;
    int pmix;

    if (rf_child_read(asked, LIMIT_S, &text) != 0)
        (void)rf_child_read(plain, LIMIT_S, &text);
    pmix = text != NULL && strstr(text, "pmix") != NULL;
    rf_doctor_add(doctor, pmix ? RF_HEALTH_OK : RF_HEALTH_WARN, "pmix",
                  "start ranks with mpirun inside sbatch instead of srun", "srun %s PMIx",
                  pmix ? "has" : "has no");
    free(text);
}

void rf_doctor_slurm(struct rf_doctor *doctor)
{
    if (!rf_child_exists("srun") && !rf_child_exists("sbatch")) {
        rf_doctor_add(doctor, RF_HEALTH_OK, "slurm", "",
                      "not on this machine; ranks start by mpirun");
        return;
    }
    look_at_commands(doctor);
    look_at_controller(doctor);
    look_at_pmix(doctor);
}

/* ---- the key ---- */

void rf_doctor_key(struct rf_doctor *doctor, const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0)
        rf_doctor_add(doctor, RF_HEALTH_OK, "key", "",
                      "%.180s is not there yet; the first run makes it", path);
    else if ((info.st_mode & 077) != 0)
        rf_doctor_add(doctor, RF_HEALTH_FAIL, "key",
                      "chmod 600 it, and change the key: ringfence ledger rotate",
                      "%.180s can be read by others", path);
    else
        rf_doctor_add(doctor, RF_HEALTH_OK, "key", "", "%.180s, its owner's alone", path);
}
