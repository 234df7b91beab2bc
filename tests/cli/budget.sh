# A study whose budget is used up: what did not fit is named, nothing has failed; with more of it, the rest is done and
# nothing else.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1

awk 'BEGIN { for (i = 0; i < 300; i++) printf "%s\titem %d is %s %s\n",
     i % 2 ? "good" : "bad", i, i % 2 ? "fine" : "poor", i % 3 ? "indeed" : "today" }' |
    awk '{ print (NR % 5 == 0 ? "test" : NR % 7 == 0 ? "dev" : "train") "\t" $0 }' >lines.tsv
cat >study.cfg <<'CFG'
run = { name = "study"; seed = 3; cache = "cache"; };
policy = { fence = "none"; lease_s = 0.1; peak_flops = 1e11; };
limits = ( { account = "alignment.w2s"; max_flops = 1e15; budget = true; author = "study"; reason = "budget"; } );
models = ( { name = "weak"; layers = 1; heads = 1; width = 4; }, { name = "strong"; layers = 1; heads = 2; width = 16; } );
task = { format = "tsv"; path = "lines.tsv"; vocabulary = 400; context = 16; };
jobs = ( { name = "pre"; account = "alignment.pretraining"; model = "strong"; task = "task"; train = { steps = 20; }; priority = 9; } );
experiments = (
  { name = "first"; account = "alignment.w2s"; task = "task"; weak = "weak"; strong = "strong"; pretrained = "pre"; priority = 5;
    losses = [ "xent" ]; weak_train = { steps = 20; lr = 3e-3; }; strong_train = { steps = 15; }; bootstrap = 100; },
  { name = "last"; account = "alignment.w2s"; task = "task"; weak = "weak"; strong = "strong"; pretrained = "pre"; priority = 1;
    losses = [ "hard", "window" ]; weak_train = { steps = 25; lr = 3e-3; }; strong_train = { steps = 60; }; bootstrap = 100; } );
CFG
expect 0 ranks 2 run study.cfg --out whole --json --set run.cache= -q
flops() { awk '/"name": "alignment.w2s"/ { on = 1 } on && /"flops": [0-9]/ { gsub(/[^0-9]/, ""); print; exit }' "$1"; }
whole=$(flops out)
[ "$whole" -gt 1000000 ] || fail "no FLOPs in results.json"

# Enough for the first experiment, which has priority, but not for both.
expect 0 ranks 2 run study.cfg --out part -q --set limits.[0].max_flops="$((whole * 45 / 100)).0"
grep -q "^ *first  *xent  *[0-9]" out || { cat out >&2; fail "the first experiment is not there"; }
for row in hard window; do
    said_once "last $row: not run, since the budget was used up" out
done
grep -q "account-flops" out || { cat out >&2; fail "the summary does not say why"; }
grep -q "Not run, since the budget was used up: last hard, last window" part/report.html ||
    fail "the page does not name what did not run: $(grep -o 'Not run[^.]*' part/report.html)"
if have_python; then
    [ "$(python3 - <<'PY'
import json
d = json.load(open("part/results.json"))
rows = {(e["name"], e["loss"]): e for e in d["experiments"]}
void = [k for k, e in rows.items() if "account-flops" in (e.get("void") or "")]
states = {j["name"]: (j["state"], j["reason"]) for j in d["jobs"]}
print(sorted(void) == [("last", "hard"), ("last", "window")]
      and rows["first", "xent"]["student"] is not None
      and all(s == "done" for n, (s, r) in states.items() if n.startswith("first")))
PY
)" = True ] || fail "results.json does not tell what fitted"
fi
expect 0 "$rf_bin" audit part/ledger.jsonl

# The run is over: going on with it changes nothing, and another budget is another run, ...
entries=$(wc -l <part/ledger.jsonl)
expect 0 ranks 2 run study.cfg --out part -q --set limits.[0].max_flops="$((whole * 45 / 100)).0" --resume
[ "$(wc -l <part/ledger.jsonl)" -eq "$entries" ] || fail "a run that was over went on"
expect 2 ranks 2 run study.cfg --out part -q --resume
said_once "the configuration differs from" err
# ... which finds in the cache what is done already, and does the rest.
expect 0 ranks 2 run study.cfg --out rest -q
cached=$(cat rest/jobs/*.metrics | grep -c "^cached")
done_before=$(ls part/jobs/*.metrics | wc -l)
[ "$cached" -eq "$done_before" ] || fail "$cached jobs came from the cache, $done_before had been done"
[ "$(ls rest/jobs/*.metrics | wc -l)" -gt "$done_before" ] || fail "nothing was left to do"
grep -q "Not run" rest/report.html && fail "something did not run"
for f in whole/jobs/*.test; do
    cmp -s "$f" "rest/jobs/${f##*/}" || fail "${f##*/} is not what one run gives"
done
grep -qE "last +window +[0-9]" out || { cat out >&2; fail "no result of the last row"; }
echo "a budget is kept"
