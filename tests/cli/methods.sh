# Every method of a weak-to-strong experiment in one run: a row in the table and files for each.
. "$(dirname "$0")/../lib.sh"

sed -e 's/losses = .*;/losses = [ "xent", "hard", "confidence", "product", "window", "filter-knn", "relabel-knn", "filter-probe", "relabel-probe", "probe-ridge", "probe-logistic" ]; controls = [ "noise" ]; confidence_alpha = 0.0; window = 0.5; stop_checks = 4; chain = [ "weak" ];/' \
    -e 's/steps = 150/steps = 30/; s/steps = 60/steps = 20/; s/steps = 40/steps = 12/; s/submit_s = 0.3;//' \
    "$rf_src/tests/cli/small.cfg" >methods.cfg
ranks 3 run methods.cfg --out r >out 2>err
code=$?
[ $code -le 1 ] || { cat out err >&2; fail "exit code $code"; }
rows="xent hard confidence product window filter-knn relabel-knn filter-probe relabel-probe probe-ridge probe-logistic chain direct noise"
for row in $rows; do
    grep -q "^ *w2s  *$row " out || { cat out >&2; fail "no row '$row'"; }
    [ "$(wc -l <"r/jobs/w2s.s0.student-$row.test")" -eq 200 ] || fail "no predictions of '$row'"
done
grep -q "xent+agreement" out && grep -q "chain+oracle" out || fail "no rows for early stopping"

# Weight 0 is cross-entropy to the bit: the same predictions, and the same last parameters.
cmp r/jobs/w2s.s0.student-xent.test r/jobs/w2s.s0.student-confidence.test ||
    fail "alpha = 0 is not cross-entropy"
content() { "$rf_bin" checkpoint diff r/checkpoints/w2s.s0.student-xent/step-*12.h5 "$1"; }
content r/checkpoints/w2s.s0.student-confidence/step-*12.h5 >diff.out 2>&1 ||
    { cat diff.out >&2; fail "alpha = 0 leaves other parameters"; }
cmp -s r/jobs/w2s.s0.student-xent.test r/jobs/w2s.s0.student-product.test && fail "product is xent"
# a window as wide as can be leaves nothing out but labels of 0 and 1
[ "$(awk '$1 == "examples" { print $2 }' r/jobs/w2s.s0.student-window.metrics)" -ge 190 ] || fail "window"
[ "$(awk '$1 == "examples" { print $2 }' r/jobs/w2s.s0.student-filter-knn.metrics)" -eq 180 ] || fail "filter"
[ "$(awk '$1 == "examples" { print $2 }' r/jobs/w2s.s0.student-direct.metrics)" -eq 100 ] || fail "parts"

# A supervisor that errs at random is as often right as the weak one, up to one item.
if have_python; then
    [ "$(python3 - <<'PY'
def right(name):
    rows = [l.split() for l in open(name)]
    return sum(r[0] == r[1] for r in rows)
def labels(job):
    return dict(l.split("\t") for l in open(f"r/jobs/w2s.s0.{job}.metrics").read().splitlines())
print(abs(float(labels("noisy")["labels_accuracy"]) - float(labels("weak")["labels_accuracy"])) < 1e-9)
PY
)" = True ] || fail "the noisy supervisor is not as often right"
    [ "$(json r/results.json 'len(d["experiments"])')" = "$((9 * 3 + 2 + 3 * 3))" ] || fail "rows in results.json"
fi
echo "all methods have a row"
