#include "mpi/signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t seen;

static void note(int number)
{
    (void)number;
    seen = 1;
}

static void mask(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(how, &set, NULL);
}

void rf_signals_hold(void)
{
    mask(SIG_BLOCK);
}

void rf_signals_start(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    mask(SIG_UNBLOCK);
}

int rf_signals_seen(void)
{
    return seen != 0;
}

void rf_signals_forget(void)
{
    seen = 0;
}
