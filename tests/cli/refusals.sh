# Whatever cannot run says so once, with the file, line and key at fault, and exits with 2.
. "$(dirname "$0")/../lib.sh"
cfg=$rf_src/tests/cli/small.cfg

# too few ranks: alone, and for what a job asks
expect 2 "$rf_bin" run "$cfg"
said_once "needs at least two ranks" err
expect 2 ranks 3 run "$cfg" --set jobs.pretrain.min=4 --set jobs.pretrain.max=4
said_once "job 'pretrain' needs at least 4 ranks" err

# a data file that is not there, and one that is not what it should be
cat >tsv.cfg <<'END'
run = { name = "tsv"; };
models = ( { name = "m"; layers = 1; heads = 1; width = 8; } );
tasks = ( { name = "t"; source = "tsv"; path = "/nowhere/at-all.tsv"; } );
jobs = ( { name = "job"; account = "capability"; model = "m"; task = "t"; train = { steps = 2; batch = 2; }; } );
END
expect 2 ranks 3 run tsv.cfg
said_once "/nowhere/at-all.tsv" err
printf 'train\t1\tgood\nnonsense\n' >bad.tsv
expect 2 ranks 3 run tsv.cfg --set "tasks.t.path=$PWD/bad.tsv"
said_once "bad.tsv:2" err

# unknown keys, wrong types, no such file
expect 2 ranks 3 run "$cfg" --set policy.fense=none
said_once "policy.fense" err
expect 2 ranks 3 run "$cfg" --set policy.fence=moat
said_once "moat" err
expect 2 ranks 3 run /nowhere/config.cfg
said_once "/nowhere/config.cfg" err

# nothing was left behind by any of these
[ ! -e runs ] || fail "a refused run has made a directory"

# a checkpoint from another model: the job's own directory holds one of another width
expect 0 "$rf_bin" train "$cfg" pretrain --out t --set jobs.pretrain.train.steps=2
mkdir -p other && cp -r t/checkpoints other/
expect 0 "$rf_bin" train "$cfg" pretrain --out t2 --set jobs.pretrain.train.steps=2 --set models.strong.width=12
rm -rf t2/checkpoints/pretrain && cp -r t/checkpoints/pretrain t2/checkpoints/
expect 2 "$rf_bin" train "$cfg" pretrain --out t2 --set jobs.pretrain.train.steps=2 --set models.strong.width=12 --resume
said_once "another model" err

# the same in a run that is resumed: the job fails, its words come once, and so does the code
ranks 3 run "$cfg" --out "$rf_work/v" -q --set jobs.pretrain.train.steps=600 >/dev/null 2>&1 &
launcher=$!
for _ in $(seq 400); do
    ls v/checkpoints/pretrain/step-*.h5 >/dev/null 2>&1 && break
    sleep 0.05
done
kill -9 "$(rank_pids "$rf_work/v" | tail -n 1)" || fail "the run was over before the kill"
wait $launcher 2>/dev/null
expect 0 "$rf_bin" train "$cfg" pretrain --out t3 --set jobs.pretrain.train.steps=2 --set models.strong.width=12
rm -f v/checkpoints/pretrain/step-* && cp t3/checkpoints/pretrain/step-* v/checkpoints/pretrain/
expect 2 ranks 3 run "$cfg" --out "$rf_work/v" -q --set jobs.pretrain.train.steps=600 --resume
said_once "another model" err
