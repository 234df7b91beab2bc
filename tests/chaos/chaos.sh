#!/bin/bash
# chaos.sh BINARY SOURCE [TRIALS] [SEED] [SHIM]: live runs that are killed, stopped, starved and denied.
#
# Each trial is a run of chaos.cfg on two or three workers and the coordinator. One to three attempts
# of it are disturbed, each by one fault at one counted moment of one rank (fault.c); then it is
# resumed in peace until it is over. Afterwards the ledger must verify and keep every
# invariant (audit), a second reading by other means (ledger.awk) must agree on every
# microsecond of device-time, each job must be there once and done, lines that were written must
# still be there, and the final models of jobs with a fixed layout must be, bit for bit, those of an
# undisturbed run. Trial number i is seeded with SEED + i - 1, so `chaos.sh BINARY SOURCE 1 N` is
# trial N again: the same faults at the same moments of the same ranks. What other ranks do meanwhile
# is up to the machine.
set -u
binary=$(realpath "$1")
source=$(realpath "$2")
trials=${3:-200}
first_seed=${4:-1}
shim=$(realpath "${5:-${RF_FAULT_SHIM:-$(dirname "$binary")/tests/librf_fault.so}}") || exit 2
here=$source/tests/chaos
kinds=(worker coordinator group tear full denied lasting stop deaf twice)
fixed=(wide small one two)

work=$(mktemp -d "${TMPDIR:-/tmp}/rf-chaos-XXXXXX")
segments=$work
[ -w /dev/shm ] && segments=$(mktemp -d /dev/shm/rf-chaos-XXXXXX)
trap 'umount -l "$work/disk" 2>/dev/null; rm -rf "$work" "$segments"' EXIT
cd "$work" || exit 3
export TMPDIR=$work XDG_CONFIG_HOME=$work/config
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# What a killed group leaves in shared memory goes with this test, and survivors are not waited for.
export OMPI_MCA_btl_vader_backing_directory=$segments OMPI_MCA_odls_base_sigkill_timeout=0

failures=0 attempts=0 struck=0 resumed=0 torn=0 invariants=0
declare -A tried

fail() {
    echo "trial $seed: FAILED: $*"
    sed 's/^/    /' err 2>/dev/null | tail -n 5
    failed=1
}

pick() { # pick N: a number below N, in $picked
    picked=$(((RANDOM * 32768 + RANDOM) % $1))
}

# launch DIR ENVIRONMENT... -- ARGUMENTS...: one attempt on $ranks ranks; its exit code in $code
launch() {
    local dir=$1 env=() pid
    shift
    while [ "$1" != -- ]; do
        env+=(-x "$1")
        shift
    done
    shift
    rm -rf desk
    mkdir desk
    { # the shell would tell of each launcher that is killed
        timeout -k 5 100 mpirun --oversubscribe -n "$ranks" -x LD_PRELOAD="$shim" \
            -x RF_FAULT_DIR="$dir" -x RF_FAULT_DESK="$work/desk" "${env[@]}" \
            "$binary" run "$here/chaos.cfg" --out "$dir" -q "$@" >out 2>err </dev/null
        code=$?
    } 2>/dev/null
    for pid in $(cut -d' ' -f1 desk/pid.* 2>/dev/null); do # a ledger has one writer
        while [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
            sleep 0.01
        done
    done
}

# The undisturbed run, once for each number of workers: what comes of it, and how many
# moments each rank has had, and how many of them at files.
calm() {
    ranks=$1 seed=calm
    rm -rf "calm$1"
    launch "$work/calm$1" --
    [ $code -le 1 ] || { fail "the undisturbed run ended with $code"; exit 1; }
    awk -f "$here/ledger.awk" "calm$1/ledger.jsonl" >sums || { fail "$(cat sums)"; exit 1; }
    for ((i = 0; i < $1; i++)); do
        moments[$1,$i]=$(cut -d' ' -f1 desk/moments.$i)
        files[$1,$i]=$(cut -d' ' -f2 desk/moments.$i)
    done
}
declare -A moments files

# choose KIND ATTEMPT: the fault of one attempt; sets $env, $allowed (exit codes) and $said.
choose() {
    local kind=$1 rank last=$((ranks - 1)) most codes=(13 30 5 28 122)
    env=() allowed=" 0 1 " said=$kind
    tried[$kind]=$((${tried[$kind]:-0} + 1))
    pick $last
    rank=$picked
    case $kind in
    coordinator) rank=$last ;;
    tear | denied | lasting | group | stop) pick 3; [ $picked != 0 ] && rank=$last ;;
    esac
    # The report is most of what rank 0 writes: half of its faults come before.
    most=${moments[$ranks,$rank]}
    [ $kind = denied ] || [ $kind = lasting ] && most=${files[$ranks,$rank]}
    pick 2
    [ $rank = 0 ] && [ $picked = 0 ] && most=$((most / 4))
    [ "$2" = 0 ] || most=$((most / 2 + 1)) # there is less left to do
    pick "$most"
    env=(RF_FAULT_RANK=$rank RF_FAULT_AT=$((picked + 1)))
    case $kind in
    worker | coordinator) env+=(RF_FAULT_DO=kill) allowed=" 0 1 137 143 " ;;
    group | tear) env+=(RF_FAULT_DO=$kind) allowed=" 0 1 137 143 " ;;
    denied | lasting)
        pick ${#codes[@]}
        [ $kind = denied ] && env+=(RF_FAULT_DO=error:${codes[picked]}) || env+=(RF_FAULT_DO=errors:${codes[picked]})
        allowed=" 0 1 3 "
        ;;
    stop)
        pick 2500
        env+=(RF_FAULT_DO=stop:$((picked + 200)))
        ;;
    full)
        pick 6000
        env=()
        said="full after ${picked}k"
        room=$(($(du -sk "$work/disk" | cut -f1) + picked + 100))
        mount -o remount,size=${room}k "$work/disk" || fail "cannot make the disk small"
        allowed=" 0 1 3 "
        ;;
    deaf) env=() ;;
    esac
    pick 4
    if [ $kind = deaf ] || [ $picked = 0 ]; then
        pick 1000000
        env+=("RF_FAULT_DEAF=$picked:20:60")
    fi
    said="$said ${env[*]}"
    said=${said//RF_FAULT_/}
}

# Whole lines that were on the disk are still there, unchanged.
keeps_lines() {
    local lines
    [ -e before.jsonl ] || return 0
    lines=$(wc -l <before.jsonl)
    [ -n "$(tail -c 1 before.jsonl)" ] && torn=$((torn + 1))
    cmp -s <(head -n "$lines" before.jsonl) <(head -n "$lines" "$dir/ledger.jsonl") ||
        fail "lines of the ledger changed"
}

# attempt ENVIRONMENT...: begins the run, or goes on with it; one that died before it had a
# configuration never began.
attempt() {
    local how=--resume
    [ -e "$dir/config.cfg" ] || how=--force
    [ $how = --force ] && rm -f before.jsonl
    launch "$dir" "$@" -- $how
    attempts=$((attempts + 1))
    keeps_lines
    rm -f before.jsonl
    [ ! -e "$dir/ledger.jsonl" ] || cp "$dir/ledger.jsonl" before.jsonl
}

# The accounts of the audit, and those of the second reading, in microseconds.
agree() {
    local name us
    awk '/"name":/ { gsub(/[",]/, ""); name = $2 } /"device_s":/ { sub(/,/, ""); printf "account %s %.0f\n", name, $2 * 1e6 }' \
        audit >accounts
    while read -r line; do
        grep -qxF "$line" accounts || fail "audit and second reading disagree: $line"
    done < <(grep '^account ' sums)
}

check() {
    local job final
    awk -f "$here/ledger.awk" "$dir/ledger.jsonl" >sums || fail "$(head -n 3 sums)"
    "$binary" audit --json "$dir/ledger.jsonl" >audit 2>err
    [ $? -le 1 ] || fail "the audit cannot read the ledger"
    grep -q '"chain_ok": true' audit && grep -q '"seals_ok": true' audit &&
        grep -q '"first_bad_seq": null' audit || fail "$(grep '"problem"' audit)"
    agree
    grep -qx 'closed done' sums || fail "the run is not closed"
    # A job whose last checkpoint found no room, each time it was tried, has failed: that is on record.
    [ $spoiled = 0 ] || sed -i 's/^\(job .*\) failed$/\1 done/w gone' sums
    diff <(grep '^job ' sums) <(grep '^job ' "calm$ranks.sums") >differ || fail "jobs: $(tail -n +2 differ)"
    for job in "${fixed[@]}"; do
        grep -q "^job $job " gone 2>/dev/null && continue
        final=checkpoints/$job/$(readlink "calm$ranks/checkpoints/$job/latest")
        # Of the files only the ledger's head, which they carry, may differ.
        "$binary" checkpoint diff "$dir/$final" "calm$ranks/$final" >differ 2>&1 ||
            fail "$final differs from the undisturbed run's: $(head -n 2 differ)"
    done
    invariants=$((invariants + $(sed -n 's/^entries //p' sums)))
}

trial() {
    local kind disturbed=1 i
    seed=$1 failed=0 spoiled=0 story=
    rm -f gone
    RANDOM=$seed
    kind=${kinds[seed % ${#kinds[@]}]}
    pick 3
    ranks=$((3 + (picked == 0)))
    pick 100
    [ $picked -lt 30 ] || [ $kind = twice ] && disturbed=2
    [ $picked -lt 10 ] && disturbed=3
    dir=$work/disk/run
    rm -rf "$dir" before.jsonl
    for ((i = 0; i < disturbed; i++)); do
        [ $i -gt 0 ] || [ $kind = twice ] && { pick 9; kind=${kinds[picked]}; }
        [ $kind = full ] && [ $mounted = 0 ] && kind=lasting
        case $kind in full | lasting) spoiled=1 ;; esac
        choose $kind $i
        attempt "${env[@]}"
        story="$story; $said -> $code"
        [ $spoiled = 0 ] || allowed="$allowed 3 " # a job that failed stays so
        case "$allowed" in
        *" $code "*) ;;
        *) fail "an attempt with $said ended with $code" ;;
        esac
        case $code in 0 | 1) ;; *) struck=$((struck + 1)) ;; esac
        [ $mounted = 0 ] || mount -o remount,size=256m "$work/disk"
        [ $failed = 0 ] || break
    done
    for ((i = 0; i < 3 && failed == 0; i++)); do
        attempt
        resumed=$((resumed + 1))
        [ $code -gt 1 ] && [ $spoiled = 0 ] || break
    done
    [ $failed = 1 ] || [ $code -le 1 ] || { [ $spoiled = 1 ] && grep -q '"state":"failed"' "$dir/ledger.jsonl"; } ||
        fail "the last attempt, in peace, ended with $code"
    [ $failed = 1 ] || check
    [ $failed = 0 ] && echo "trial $seed: $((ranks - 1)) workers${story}" ||
        { failures=$((failures + 1)); echo "trial $seed:${story#;}"; [ -z "${RF_CHAOS_KEEP:-}" ] || { mkdir -p "$RF_CHAOS_KEEP"; cp -r "$dir" "$RF_CHAOS_KEEP/$seed"; }; }
}

mkdir disk
mounted=0
mount -t tmpfs -o size=256m tmpfs disk 2>/dev/null && mounted=1
for n in 3 4; do
    calm $n
    cp sums calm$n.sums
done
begun=$SECONDS
for ((number = 0; number < trials; number++)); do
    trial $((first_seed + number))
done
echo "chaos: $trials trials ($(for k in "${!tried[@]}"; do printf '%s %s, ' "$k" "${tried[$k]}"; done | sed 's/, $//')), $attempts" \
    "attempts, $struck of them ended by the fault, $torn torn lines, $invariants entries checked, $failures failures, $((SECONDS - begun)) s"
[ $failures -eq 0 ]
