# Jobs that another run has done already are taken from the cache; what is damaged is done anew.
. "$(dirname "$0")/../lib.sh"

awk 'BEGIN { for (i = 0; i < 400; i++) printf "{\"label\": \"%s\", \"sentence\": \"item %d is %s %s\"}\n",
     i % 2 ? "good" : "bad", i, i % 2 ? "fine" : "poor", i % 3 ? "indeed" : "today" }' >lines.jsonl
cat >task.cfg <<'CFG'
run = { name = "task"; seed = 3; cache = "cache"; };
policy = { fence = "none"; lease_s = 0.1; peak_flops = 1e11; };
models = ( { name = "weak"; layers = 1; heads = 1; width = 4; }, { name = "strong"; layers = 1; heads = 2; width = 16; } );
task = { format = "jsonl"; path = "lines.jsonl"; fields = { text = "sentence"; }; vocabulary = 400; context = 16; };
jobs = ( { name = "pre"; account = "alignment"; model = "strong"; task = "task"; train = { steps = 20; }; max = 2; } );
experiments = ( { name = "w"; account = "alignment"; task = "task"; weak = "weak"; strong = "strong"; pretrained = "pre";
    losses = [ "xent" ]; weak_train = { steps = 20; lr = 3e-3; }; strong_train = { steps = 15; }; bootstrap = 100; } );
CFG
expect 0 ranks 3 run task.cfg --out a -q
n=$(ls cache | wc -l)
[ "$n" -eq 5 ] || fail "$n jobs are kept, expected 5"
ls cache | grep -qv '^[0-9a-f]\{64\}$' && fail "something unfinished is in the cache"
cached() { cat "$1"/jobs/*.metrics | grep -c "^cached"; }
[ "$(cached a)" -eq 0 ] || fail "the first run took something from an empty cache"

# All from the cache, on another number of workers: the same files, and hardly any model FLOPs.
expect 0 ranks 2 run task.cfg --out b -q
[ "$(cached b)" -eq 5 ] || fail "$(cached b) of 5 jobs came from the cache"
for f in a/jobs/*.test a/jobs/*.labels; do
    cmp -s "$f" "b/jobs/${f##*/}" || fail "${f##*/} differs"
done

# A ceiling of another length shares all but itself and the student.
expect 0 ranks 2 run task.cfg --out c -q --set experiments.w.strong_train.steps=16
[ "$(cached c)" -eq 3 ] || fail "$(cached c) jobs came from the cache, expected 3"

# A damaged file is noticed, and the job runs; so does one whose digests are gone.
victim=$(grep -l "job.labels" cache/*/content | head -1)
echo x >>"${victim%/*}/job.labels"
expect 0 ranks 2 run task.cfg --out d -q
grep -q "is damaged" err || fail "damage goes unnoticed"
[ "$(cached d)" -eq 4 ] || fail "$(cached d) jobs came from a damaged cache, expected 4"
cmp -s a/jobs/w.s0.weak.labels d/jobs/w.s0.weak.labels || fail "the labels differ"

# Two workers and one agree on what they find, up to the rounding of sums.
expect 0 ranks 2 run task.cfg --out e -q --set run.cache=
if have_python; then
    python3 - <<'PY' || fail "one worker and two disagree"
import json
one, two = (json.load(open(f"{r}/results.json"))["experiments"][0] for r in "ea")
assert all(abs(one[k] - two[k]) <= 0.02 for k in ("weak", "student", "ceiling")), (one, two)
PY
fi

# Hidden tokens change what is learned, and are the same ones each time. A job may go on from another
# on the task's own text.
hide="--set run.cache= --set experiments.w.strong_train.token_dropout=0.5"
expect 0 ranks 2 run task.cfg --out g -q $hide
expect 0 ranks 2 run task.cfg --out h -q $hide
cmp -s g/jobs/w.s0.ceiling.test h/jobs/w.s0.ceiling.test || fail "other tokens are hidden"
cmp -s g/jobs/w.s0.ceiling.test e/jobs/w.s0.ceiling.test && fail "no token is hidden"
sed 's/^jobs = (/&{ name = "base"; account = "alignment"; model = "strong"; task = "task"; train = { steps = 3; }; },/
     s/model = "strong"; task = "task"; train = { steps = 20/init = "base"; text = "task"; &/' task.cfg >two.cfg
expect 0 ranks 2 run two.cfg --out i -q
cmp -s i/jobs/pre.curve a/jobs/pre.curve && fail "a job that goes on from another is as from scratch"

# An input with a text in two splits is refused before anything runs.
{ cat lines.jsonl; sed -n 1p lines.jsonl | sed 's/}/, "split": "test"}/; s/item/ITEM/'; } >two.jsonl
expect 2 ranks 2 run task.cfg --out f -q --set task.path=two.jsonl
grep -q "two.jsonl:401" err || { cat err >&2; fail "the line is not named"; }
echo "cached jobs are taken"
