# Reward models: preference pairs that are scored one by one, from the truth and from a weak model's
# probabilities, on any number of ranks; every control that reads features works on differences of them.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1

# A reply is as good as its word: scores order all replies, and a model has to read one word.
awk 'BEGIN { split("awful bad fair fine good lovely", w, " "); srand(5)
    for (i = 0; i < 600; i++) {
        a = 1 + int(6 * rand()); b = 1 + (a + int(5 * rand())) % 6; hi = a > b ? a : b; lo = a > b ? b : a
        printf "{\"split\": \"%s\", \"chosen\": \"caller %d said it was %s\", \"rejected\": \"caller %d said it was %s\"}\n",
            rand() < 0.2 ? "test" : rand() < 0.2 ? "dev" : "train", i, w[hi], i, w[lo] } }' >pairs.jsonl
cat >reward.cfg <<END
run = { name = "reward"; seed = 4; };
policy = { order = "fcfs"; fence = "none"; lease_s = 0.5; };
models = ( { name = "weak"; layers = 1; heads = 1; width = 8; }, { name = "strong"; layers = 1; heads = 2; width = 16; } );
tasks = ( { name = "replies"; source = "pairs"; path = "pairs.jsonl"; preference = "score"; vocabulary = 400; context = 16; } );
jobs = ( { name = "pre"; account = "alignment"; model = "strong"; task = "replies"; train = { steps = 60; batch = 16; lr = 3e-3; }; } );
experiments = ( { name = "rm"; account = "alignment"; task = "replies"; weak = "weak"; strong = "strong"; pretrained = "pre";
    losses = [ "xent", "confidence", "filter-knn", "probe-ridge", "probe-logistic" ]; stop_checks = 2;
    controls = [ "noise", "probe", "same-size" ]; weak_train = { steps = 60; batch = 16; lr = 1e-2; micro_batch = 5; };
    strong_train = { steps = 80; batch = 16; lr = 1e-2; }; bootstrap = 200; } );
END
ranks 3 run reward.cfg --out r >out 2>err
code=$?
[ $code -le 1 ] || { cat out err >&2; fail "exit code $code"; }
for row in xent confidence filter-knn probe-ridge probe-logistic noise; do
    grep -q "^ *rm  *$row " out || { cat out >&2; fail "no row '$row'"; }
done
accuracy() { awk '$1 == "test_accuracy" { print $2 }' "$1"; }
awk -v a="$(accuracy r/jobs/rm.s0.ceiling.metrics)" 'BEGIN { exit !(a > 0.93) }' ||
    fail "the ceiling has not learnt to score: $(accuracy r/jobs/rm.s0.ceiling.metrics)"

# One model on 1 to 4 ranks, as slices and as copies, with batches in parts: the same loss up to rounding.
more=()
for n in 1 2 3 4; do
    [ $n -lt 4 ] || more=(--set experiments.rm.weak_train.tensor=2)
    expect 0 ranks $n train reward.cfg rm.s0.weak --out t$n --json --set experiments.rm.weak_train.lr=1e-3 "${more[@]}"
    mv out loss.$n
done
if have_python; then
    [ "$(python3 - <<'PY'
import json
loss = [json.load(open(f"loss.{n}"))["metrics"]["train_loss"] for n in (1, 2, 3, 4)]
print(all(abs(x - loss[0]) < 1e-4 * loss[0] for x in loss) and loss[0] < 0.6)
PY
)" = True ] || fail "the loss depends on the number of ranks"
fi
# labels of the weak model are probabilities of the first reply's being better
[ "$(awk 'NF == 2 && $1 + $2 > 0.999999 && $1 + $2 < 1.000001' r/jobs/rm.s0.weak.labels | wc -l)" -ge 150 ] || fail "labels"

expect 2 ranks 2 run reward.cfg --out no --set tasks.replies.preference=rank
said_once "expected one of choice, score, got 'rank'" err
expect 2 ranks 2 run reward.cfg --out no --set tasks.replies.source=tsv
said_once "key 'tasks.[0].preference': expected nothing, since source \"tsv\" does not use it" err
echo "pairs are scored"
