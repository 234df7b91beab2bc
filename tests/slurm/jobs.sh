# The scripts in slurm/ as jobs of a real Slurm: a run that is asked to stop before its time limit, and one whose
# node dies, go on and end with the bits of an undisturbed run; a coordinator in a part of its own; arrays.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

survive() { # survive KIND LAUNCHER WHERE
    mkdir -p "$1-$2"
    cp -r calm/. "$1-$2"
    (cd "$1-$2" && SURVIVE_WHERE=$3 bash "$rf_src/slurm/testbed/survive.sh" "$rf_bin" "$rf_src" "$1" "$2") >"$1-$2.log" 2>&1
}
# Nodes n3 and n4 are for the run that loses one.
submit() { # submit NAME SBATCH-ARGUMENT...: from the top of the checkout, and waits for it
    local name=$1
    shift
    (cd "$rf_src" && RF_BIN=$rf_bin RF_MODULES=none RF_OUT=$rf_work/$name sbatch --wait -Q -x n3,n4 -o "$rf_work/$name.%a.log" "$@")
}

cat >worlds.cfg <<'END_OF_CFG'
simulate = { name = "worlds"; until = "2d"; };
workload = { source = "flood"; load = 1.2; size_max = 4; run_mean_s = "1h"; };
fleet = { devices = 16; };
policy = { order = "easy"; fence = "none"; };
END_OF_CFG
cat >train.cfg <<'END_OF_CFG'
run = { name = "train"; seed = 3; };
policy = { order = "fcfs"; fence = "none"; };
models = ( { name = "m"; layers = 1; heads = 1; width = 8; } );
tasks = ( { name = "t"; source = "chess-rules"; rule = "material"; train = 100; validation = 20; test = 20; corpus_size = 500; } );
jobs = ( { name = "job"; account = "capability"; model = "m"; task = "t"; train = { steps = 20; batch = 8; }; min = 2; max = 2; } );
END_OF_CFG

# What both disturbed runs are compared with, once.
mkdir calm
(cd calm && SURVIVE_PREPARE=1 bash "$rf_src/slurm/testbed/survive.sh" "$rf_bin" "$rf_src" calm) >calm.log 2>&1 ||
    fail "the undisturbed run: $(tail -n 5 calm.log)"

survive signal srun "-N 2 -n 3 -w n1,n2" &
signal=$!
survive node mpirun "-N 2 -n 3 -w n3,n4" &
node=$!
survive het srun "-N 1 -n 2 -w n1 : -N 1 -n 1 -w n2" &
het=$!
submit worlds --array=1-3 slurm/simulate.sbatch "$rf_work/worlds.cfg" || fail "the array of simulations: $(cat worlds.*.log)"
for seed in 1 2 3; do
    grep -q "\"seed\": $seed" "worlds/seed-$seed/results.json" || fail "no simulation with seed $seed"
done
cmp -s worlds/seed-1/results.json worlds/seed-2/results.json && fail "two seeds, one result"
submit train -n 2 slurm/train.sbatch "$rf_work/train.cfg" || fail "the training job: $(cat train.*.log)"
[ -e train/checkpoints/job/step-00000020.h5 ] || fail "no checkpoint of the training job"
submit w2s --array=1-2 -n 3 slurm/w2s.sbatch "$rf_src/tests/cli/small.cfg" --set 'pledges=()' ||
    fail "the weak-to-strong study: $(cat w2s.*.log)"
grep -q '"pgr"' w2s/seed-1/results.json w2s/seed-2/results.json || fail "no result of the study"

# An array over numbers of ranks, and behind it the fit, which waits for it.
jobs=$(cd "$rf_src" && RF_BIN=$rf_bin RF_MODULES=none RF_OUT=$rf_work/scale RF_SCALE="--repeats 2 --seconds 0.02" \
    bash slurm/scale.sbatch "$rf_work/train.cfg" "1 2" -x n3,n4 -o "$rf_work/scale.%a.log") || fail "no scaling study: $jobs"
fit=${jobs#*fit: job }
fit=${fit%%,*}
for _ in $(seq 600); do
    [ -n "$(squeue -h -j "$fit" 2>/dev/null)" ] || break
    sleep 0.2
done
[ -e scale/results.json ] || fail "the scaling study: $jobs: $(cat scale.*.log)"

wait "$signal" || fail "a signal before the limit: $(tail -n 30 signal-srun.log)"
wait "$node" || fail "a dead node: $(tail -n 30 node-mpirun.log)"
wait "$het" || fail "a heterogeneous job: $(tail -n 30 het-srun.log)"
tail -q -n 1 signal-srun.log node-mpirun.log het-srun.log
