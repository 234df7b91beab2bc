/* signals.h - SIGUSR1 and SIGTERM as a flag that the loops look at.
 *
 * What sbatch sends before the time limit may reach one rank, some or all of
 * them, so nobody acts on its own flag alone: jobs agree on it at each step
 * (lease.h), idle workers tell the coordinator. */
#ifndef RF_MPI_SIGNALS_H
#define RF_MPI_SIGNALS_H

/* Local. SIGUSR1 waits until rf_signals_start(), and is lost on commands that never get there: Slurm may
 * send it a minute early, to a job that has only just begun. At the very start of the program. */
void rf_signals_hold(void);
/* Local. From here on both signals set the flag instead of ending the process. A lease and a
 * coordinator start this themselves; a command may do so earlier, before long work. */
void rf_signals_start(void);
/* Local. Whether one has come since. */
int rf_signals_seen(void);
/* Local. As if none had come: for a process that goes on after a run, as tests do. */
void rf_signals_forget(void);

#endif
