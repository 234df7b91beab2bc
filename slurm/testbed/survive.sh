#!/bin/bash
# survive.sh BINARY CHECKOUT KIND [LAUNCHER] - a run that is disturbed and goes on, on the test bed that
# SLURM_CONF names: are the final models those of a run that nobody disturbed, bit for bit?
#
#   signal   USR1 to the batch script, as Slurm sends it before the time limit: checkpoint, 85, requeue
#   limit    the same by Slurm itself: a limit of one minute, USR1 half a minute before
#   node     a node dies with all that runs on it, is declared down, and comes back
#   silence  the same, and Slurm finds out by itself (SlurmdTimeout, half a minute)
#   het      undisturbed, the coordinator as a part of its own of a heterogeneous job
#   calm     undisturbed
#
# LAUNCHER is srun (default) or mpirun; SURVIVE_WHERE="-N 2 -n 3 -w n1,n2" says where. Then audit.sbatch, which waits for the run (afterany), judges
# the ledger beside Slurm's accounting. Writes to the working directory; exit code 0: all as it should be.
set -euo pipefail
bin=$1 top=$2 kind=$3 launcher=${4:-srun}
bed=${SLURM_CONF%/etc/slurm.conf} here=$PWD out=$PWD/$kind-$launcher

say() { echo "survive $kind $launcher: $*"; }
die() {
    say "$*" >&2
    tail -n 20 "$out.log" >&2 2>/dev/null || true
    exit 1
}
until_it() { # until_it SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}
content() { "$bin" checkpoint show --json "$1" | grep -o '"content": *"[^"]*"'; }
trains() { grep -q '"type":"checkpoint"' "$out/ledger.jsonl" 2>/dev/null; }
state_is() { sacct -nXP -j "$job" -o State | tail -n 1 | grep -qE "^($1)"; }
is_back() { [ "$(starts)" -ge 2 ]; }
is_gone() { [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]; }
starts() { sacct -nXPD -j "$job" -o State | wc -l; }

configure() { # configure STEPS
    steps=$1
    cat >one.cfg <<END_OF_CFG
run = { name = "one"; seed = 3; };
policy = { order = "fcfs"; fence = "none"; lease_s = 0.25; seal_s = 1.0; heartbeat_s = 600.0; };
models = ( { name = "m"; layers = 2; heads = 3; width = 24; } );
tasks = ( { name = "t"; source = "chess-rules"; rule = "material"; train = 100; validation = 20; test = 20; corpus_size = 2000; } );
jobs = ( { name = "job"; account = "capability"; model = "m"; task = "t";
           train = { steps = $steps; batch = 32; checkpoint_every = 60; }; min = 2; max = 2; } );
END_OF_CFG
}
undisturbed() {
    [ -e "calm-$steps/results.json" ] || RF_OUT='' mpirun --oversubscribe -n 3 "$bin" run one.cfg --out "calm-$steps" -q
}

export XDG_CONFIG_HOME=$here/key RF_MODULES=none RF_BIN=$bin RF_OUT=$out RF_LAUNCH=$launcher
export OMPI_MCA_btl_vader_single_copy_mechanism=none
configure 300
undisturbed
if [ "$kind" = limit ]; then # as many steps as take three quarters of a minute here
    configure "${SURVIVE_STEPS:-$(sed -n 's/^ *"wall_s": *\([0-9.]*\).*/\1/p' calm-300/results.json |
        awk '{ print 300 * int(45 / $1 + 1) }')}"
    undisturbed
fi
want=$(content "calm-$steps/checkpoints/job/step-$(printf %08d "$steps").h5")
[ -z "${SURVIVE_PREPARE:-}" ] || exit 0 # only what others are compared with

spread="-N 3 -n 3"
[ "$kind" != het ] || spread="-N 1 -n 2 : -N 1 -n 1"
read -ra where <<<"${SURVIVE_WHERE:-$spread}"
case $kind in
limit) where+=(-t 1 --signal=B:USR1@30) ;;
esac
rm -rf "$out" "$out.log" "$out.audit"
began=$(date +%s)
job=$(cd "$top" && sbatch --parsable -o "$out.log" "${where[@]}" slurm/run.sbatch "$here/one.cfg")
audit=$(cd "$top" && RF_SETTLE=2 sbatch --parsable -o "$out.audit" -n 1 \
    --dependency="afterany:$job" slurm/audit.sbatch "$out" "$job")

case $kind in
signal)
    until_it 60 trains || die "no checkpoint"
    scancel --signal=USR1 --batch "$job"
    ;;
node | silence)
    until_it 60 trains || die "no checkpoint"
    node=$(squeue -h -j "$job" -O nodelist:100 | tr -d ' ')
    node=$(scontrol show hostnames "$node" | tail -n 1)
    "$top/slurm/testbed/testbed.sh" fail "$node" --dir "$bed"
    [ "$kind" = silence ] || scontrol update nodename="$node" state=down reason=failed
    until_it 90 is_back || die "job $job is not back in the queue"
    "$top/slurm/testbed/testbed.sh" start --dir "$bed" >/dev/null # repaired
    ;;
esac
until_it 400 is_gone "$job" || die "job $job is not over: $(squeue -h -j "$job" -o '%T %r')"
until_it 10 state_is COMPLETED || die "job $job: $(sacct -nXP -j "$job" -o State,ExitCode)"
until_it 60 is_gone "$audit" || die "audit $audit is not over"

got=$(content "$out/checkpoints/job/step-$(printf %08d "$steps").h5")
[ "$got" = "$want" ] || die "another model than undisturbed"
n=$(starts)
case $kind in
calm) [ "$n" = 1 ] || die "$n starts" ;;
het) [ "$n" = 2 ] || die "$n starts: each part has one" ;;
*) [ "$n" -ge 2 ] || die "it was never disturbed" ;;
esac
sacct -nXP -j "$audit" -o State,ExitCode | grep -q '^COMPLETED|0:0' || {
    cat "$out.audit" >&2
    die "audit $audit: $(sacct -nXP -j "$audit" -o State,ExitCode)"
}
say "the same bits after $n starts in $(($(date +%s) - began)) s: $(sacct -nXPD -j "$job" -o State,ElapsedRaw | tr '\n' ' ')"
