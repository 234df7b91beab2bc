# A step without a finite loss and gradient changes nothing and is told of; after max_skipped of them
# in a row the job ends, with a checkpoint of its last good step.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1

cat >bad.cfg <<'END'
run = { name = "bad"; seed = 3; };
models = ( { name = "m"; layers = 2; heads = 4; width = 32; } );
tasks = ( { name = "material"; source = "chess-rules"; rule = "material"; train = 100; validation = 50; test = 50;
            corpus_size = 500; } );
jobs = ( { name = "pre"; account = "capability"; model = "m"; task = "material"; min = 1; max = 4;
           train = { steps = 60; batch = 8; lr = 10.0; weight_decay = 10.0; warmup = 0.0; clip = 0.0;
                     checkpoint_every = 10; max_skipped = 5; }; } );
END
for n in 1 3; do # values grow a hundredfold each step, until the norm overflows
    expect 2 ranks $n train bad.cfg --out r$n
    grep -q "step [0-9]* is skipped: its loss is .*(5 in a row, 5 in all)" err || fail "skipped steps are not told of"
    said_once "job 'pre': 5 steps in a row up to" err
    good=$(sed -n "s/.*the last good one was \([0-9]*\), of which there is a checkpoint.*/\1/p" err)
    [ -n "$good" ] || fail "no last good step: $(cat err)"
    [ "$(find r$n/checkpoints/pre -name 'step-*')" = "$(printf 'r%d/checkpoints/pre/step-%08d.h5' $n "$good")" ] ||
        fail "not the checkpoint of step $good: $(ls r$n/checkpoints/pre)"
    expect 0 "$rf_bin" checkpoint verify r$n/checkpoints/pre/step-*.h5
    [ "$(awk '$4 !~ /^[0-9]/' r$n/jobs/pre.curve | wc -l)" -eq 5 ] || fail "the curve does not hold them"
done
expect 0 "$rf_bin" train bad.cfg --out good --json --set jobs.pre.train.lr=1e-3 --set jobs.pre.train.steps=6
grep -q '"skipped_steps": 0' out || fail "no count of skipped steps: $(cat out)"
