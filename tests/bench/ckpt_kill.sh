#!/bin/bash
# ckpt_kill.sh BINARY SOURCE [TRIALS] [SEED] [RANKS]: kill -9 of any rank at a random moment of a save.
#
# A job that does nothing but train one step and save is killed, again and again; each time it
# resumes from what the one before left. After each kill: every file under a final name is sound,
# the newest is no older than before, and what the job said was committed is there or
# newer. Leftovers are allowed, and must be gone once a save of the next job is through.
set -u
binary=$(realpath "$1")
source=$(realpath "$2")
trials=${3:-200}
RANDOM=${4:-1}
ranks=${5:-2}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
work=$(mktemp -d "${TMPDIR:-/tmp}/rf-kill-XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0 leftovers=0 killed=0 before=-1

fail() {
    echo "trial $trial: $*"
    failures=$((failures + 1))
}

newest() { # the highest step under a final name, -1 without
    local step=-1 file
    for file in "$work"/run/checkpoints/pretrain/step-*.h5; do
        [ -e "$file" ] && step=$((10#$(basename "$file" .h5 | cut -c 6-)))
    done
    echo "$step"
}

for ((trial = 1; trial <= trials; trial++)); do
    resume=
    [ -d "$work/run" ] && resume=--resume
    timeout 400 mpirun --oversubscribe -n "$ranks" "$binary" train \
        "$source/tests/cli/small.cfg" --out "$work/run" $resume \
        --set jobs.pretrain.train.steps=1000000 --set jobs.pretrain.train.batch=1 \
        --set jobs.pretrain.train.checkpoint_every=1 --set models.strong.width=96 \
        --set "jobs.pretrain.train.checkpoint_keep=3" >"$work/out" 2>&1 </dev/null &
    mpirun=$!
    for ((i = 0; i < 9000; i++)); do # until this job has committed something new; busy machines are slow
        [ "$(newest)" -gt "$before" ] && break
        sleep 0.02
        kill -0 $mpirun 2>/dev/null || break
    done
    [ "$(newest)" -gt "$before" ] || { fail "no new checkpoint: $(tail -n 2 "$work/out")"; cat "$work/out"; break; }
    # Leftovers of the kill before are gone by now; those of the save under way have a newer step.
    for file in "$work"/run/checkpoints/pretrain/step-*.tmp; do
        [ -e "$file" ] || continue
        [ $((10#$(basename "$file" .tmp | cut -c 6-))) -gt "$before" ] || fail "$file is still there"
    done
    sleep "0.$(printf '%03d' $((RANDOM % 300)))"
    seen=$(newest)
    mapfile -t pids < <(pgrep -f "$work/run" | while read -r pid; do
        [ "$(readlink "/proc/$pid/exe")" = "$binary" ] && echo "$pid"; done)
    [ ${#pids[@]} -eq "$ranks" ] || fail "${#pids[@]} ranks instead of $ranks: $(tail -n 2 "$work/out")"
    [ ${#pids[@]} -gt 0 ] && kill -9 "${pids[RANDOM % ${#pids[@]}]}" && killed=$((killed + 1))
    wait $mpirun 2>/dev/null
    ls "$work"/run/checkpoints/pretrain/*.tmp >/dev/null 2>&1 && leftovers=$((leftovers + 1))
    now=$(newest)
    [ "$now" -ge "$seen" ] || fail "step $seen was there, step $now is the newest"
    "$binary" checkpoint verify "$work"/run/checkpoints/pretrain/step-*.h5 >"$work/verify" 2>&1 ||
        fail "$(cat "$work/verify")"
    [ -e "$work/run/checkpoints/pretrain/latest" ] || fail "latest leads nowhere"
    before=$now
done
echo "ckpt_kill: $killed kills, $leftovers of them left a temporary file, newest step $before, $failures failures"
[ $failures -eq 0 ] && [ $killed -eq "$trials" ]
