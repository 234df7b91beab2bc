# shellcheck shell=bash
# job.sh - what the scripts here have in common; sourced by them, after the checkout was found.
#
# A script calls rf_begin, then rf_launch with a command of ringfence (on all tasks of the job, or on
# rf_tasks of them), and ends with rf_end. Settings,
# by `sbatch --export=ALL,NAME=...`:
#   RF_BIN=path            the program; default build/release/ringfence, else the one in PATH
#   RF_LAUNCH=srun|mpirun  default: srun where Slurm speaks PMIx, else mpirun
#   RF_RESTARTS=n          how often the job may put itself back in the queue; default 100
#   RF_CRASHES=n           how often it does so after a crash; default 3
#   RF_MODULES, RF_SPACK_ENV   see env.sh

rf_say() { printf '%s: %s %s\n' "${rf_script:-job}" "$(date -u +%FT%TZ)" "$*" >&2; }
rf_die() { rf_say "$1"; exit 2; }

rf_begin() { # rf_begin NAME: the environment, and rf_bin
    rf_script=$1
    # shellcheck source=slurm/env.sh
    . slurm/env.sh
    rf_bin=${RF_BIN:-build/release/ringfence}
    [ -x "$rf_bin" ] || rf_bin=$(command -v ringfence) ||
        rf_die "no ringfence: run ./bootstrap.sh build first"
}

rf_config() { # rf_config FILE
    [ -r "$1" ] || rf_die "cannot read config '$1' in $PWD"
}

# A requeued job keeps its id, so an id in the name of its directory finds it again; without a
# ledger, or a checkpoint, nothing had begun yet.
rf_how() { # rf_how DIR WITNESS: rf_resume is --resume, --force or nothing
    rf_dir=$1 rf_witness=$1/$2
    rf_resume=()
    if [ -e "$1/$2" ]; then
        rf_resume=(--resume)
    elif [ -e "$1" ]; then
        rf_resume=(--force)
    fi
}

# srun puts the ranks into Slurm's accounting, one step each start; mpirun does not fully.
rf_launcher() {
    local launch=${RF_LAUNCH:-}
    if [ -z "$launch" ]; then
        launch=mpirun
        if srun --mpi=list 2>&1 | grep -q pmix; then launch=srun; fi
    fi
    case $launch in
    srun)
        # Since Slurm 22.05 srun no longer takes --cpus-per-task from the job. The ring fence:
        # in some versions the default one lets ranks out early, and MPI_Init then crashes.
        export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
        export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-ring}
        rf_start=(srun --mpi=pmix --kill-on-bad-exit=1 ${rf_tasks:+-n "$rf_tasks"})
        # The parts of a heterogeneous job are one world, ranks in the order of the parts.
        [ "${SLURM_HET_SIZE:-1}" -le 1 ] || rf_start+=(--het-group="0-$((SLURM_HET_SIZE - 1))")
        ;;
    mpirun)
        [ "${SLURM_HET_SIZE:-1}" -le 1 ] || rf_die "mpirun cannot start a heterogeneous job; use RF_LAUNCH=srun"
        rf_start=(mpirun -n "${rf_tasks:-${SLURM_NTASKS:-3}}")
        ;;
    *) rf_die "RF_LAUNCH must be srun or mpirun, not '$launch'" ;;
    esac
}

# A node that lost its power keeps the socket of Slurm's PMIx plugin, which is named after the job and the step. A
# requeued job has its old id, so that its step 0 could not start on that node when it is back: start n
# begins behind n steps that do nothing (modulo ten: a hundred would take a while).
rf_skip_steps() {
    local n=$((${SLURM_RESTART_COUNT:-0} % 10)) word nothing=(srun --mpi=none)
    [ "${rf_start[0]}" = srun ] && [ -n "${SLURM_JOB_ID:-}" ] || return 0
    for word in "${rf_start[@]}"; do
        case $word in --het-group=*) nothing+=("$word") ;; esac
    done
    for ((; n > 0; n--)); do "${nothing[@]}" true; done
}

# shellcheck disable=SC2317 # called by the traps
rf_forward() {
    rf_signalled=1
    rf_say "got $1, asking the ranks to checkpoint"
    kill -USR1 "$rf_pid" 2>/dev/null
}

# Runs ringfence on all ranks; rf_code is its exit code. USR1 and TERM go to the launcher as USR1, which
# passes it to the ranks (mpirun would kill them on TERM); they agree on it at the next step,
# checkpoint, seal the ledger and exit with 85. A trap cuts the wait short, hence the loop.
rf_launch() { # rf_launch COMMAND ARGUMENT...
    rf_launcher
    rf_skip_steps
    rf_say "start ${SLURM_RESTART_COUNT:-0}: ${rf_start[*]} ringfence $*"
    "${rf_start[@]}" "$rf_bin" "$@" &
    rf_pid=$!
    trap 'rf_forward USR1' USR1
    trap 'rf_forward TERM' TERM
    while :; do
        rf_signalled=0
        wait "$rf_pid"
        rf_code=$?
        [ "$rf_signalled" = 1 ] || break
    done
    trap - USR1 TERM
    rf_say "ringfence exit code $rf_code"
}

# Sites with 85 in RequeueExit (slurm.conf) put a job that exits with it back into the queue;
# elsewhere the script asks.
rf_requeue_exit_has_85() {
    scontrol show config 2>/dev/null | awk '$1 == "RequeueExit" {
        n = split($3, part, ",")
        for (i = 1; i <= n; i++) {
            m = split(part[i], range, "-")
            if (range[1] <= 85 && 85 <= range[m]) found = 1
        }
    } END { exit !found }'
}

# Exit codes that are not ringfence's own (0 to 4, 85): a rank was killed, or the launcher lost a
# node. Under mpirun that is seen here before Slurm knows of the node, and the job would end as failed.
rf_crashed() {
    local times
    if [ "$rf_code" = 138 ]; then
        # USR1 before the program could listen: Slurm may send it a minute early. Nothing is lost.
        rf_say "the signal came before there was anything to checkpoint"
        return 0
    fi
    if [ "$rf_code" -le 4 ] || [ "$rf_code" = 85 ] || [ ! -e "${rf_witness:-/nowhere}" ]; then
        return 1
    fi
    times=$(($(cat "$rf_dir/crashes" 2>/dev/null || echo 0) + 1))
    [ "$times" -le "${RF_CRASHES:-3}" ] || return 1
    echo "$times" >"$rf_dir/crashes"
    rf_say "crash $times of at most ${RF_CRASHES:-3}: going on from the last checkpoint"
}

# Ends the script: with 85 (checkpointed, run me again), and after a crash, back to the queue.
rf_end() {
    if rf_crashed; then rf_code=85; fi
    [ "$rf_code" = 85 ] || exit "$rf_code"
    if [ "${SLURM_RESTART_COUNT:-0}" -ge "${RF_RESTARTS:-100}" ]; then
        rf_say "restarted ${SLURM_RESTART_COUNT:-0} times already; stopping"
        exit 3
    fi
    if [ -n "${SLURM_JOB_ID:-}" ] && ! rf_requeue_exit_has_85; then
        scontrol requeue "$SLURM_JOB_ID" || rf_say "cannot requeue; submit again with RF_OUT"
    fi
    exit 85
}
