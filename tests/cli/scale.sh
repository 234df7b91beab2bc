#!/bin/bash
# scale.sh BINARY SOURCE - points are measured, alone or many, and fitted from their files; what cannot be
# measured or read is refused by name.
set -u
ringfence=$1
config=$2/tests/cli/small.cfg
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAIL: $*" >&2
    exit 1
}
quick=(--repeats 2 --seconds 0.01 --set jobs.pretrain.train.batch=4)

# One run over several layouts.
mpirun -n 3 "$ringfence" scale "$config" "${quick[@]}" --ranks 1,2,1x2,3 --out "$work/all" --json \
    >"$work/all.json" || fail "a study: status $?"
[ "$(ls "$work"/all/point-*.json | wc -l)" -eq 8 ] || fail "not eight points"
python3 - "$work" <<'PY' || fail "the study is not as described"
import csv, json, sys
work = sys.argv[1]
document = json.load(open(work + "/all.json"))
stored = json.load(open(work + "/all/results.json"))
assert document == stored and document["command"] == "scale"
assert document["crowded"] or not document["warning"]
points = document["points"]
assert [(p["mode"], p["tensor"], p["data"]) for p in points] == [
    (m, t, d) for m in ("strong", "weak") for t, d in ((1, 1), (1, 2), (2, 1), (3, 1))]
for p in points:
    assert p["bytes_planned"] == p["bytes_moved"], p
    assert p["bytes_moved"]["all"] > 0 or p["ranks"] == 1
    assert 0 < p["memory_held"] == p["memory_predicted"] and p["memory_peak"] >= 0, p
    assert p["step_s_min"] <= p["step_s"] <= p["step_s_max"]
    assert abs(p["tokens_per_s"] - p["tokens"] / p["step_s"]) < 1e-6 * p["tokens_per_s"]
    assert p["batch"] == 4 * (p["ranks"] if p["mode"] == "weak" else 1)
assert {(l["mode"], l["law"]) for l in document["laws"]} == {
    ("strong", "amdahl"), ("strong", "usl"), ("strong", "plan"),
    ("weak", "gustafson"), ("weak", "usl"), ("weak", "plan")}
assert {w["kind"] for w in document["wire"]} == {"sum", "shard"}
assert any("amdahl" in p["held_out"] for p in points if p["extrapolated"] and p["fitted"])
assert document["projections"] and "measure" in document["projection"]
rows = list(csv.DictReader(open(work + "/all/scaling.csv")))
assert len(rows) == 8 and float(rows[0]["efficiency"]) == 1
lines = [json.loads(l) for l in open(work + "/all/extrap.jsonl")]
assert {l["params"]["p"] for l in lines} == {1, 2, 3} and all(l["value"] > 0 for l in lines)
page = open(work + "/all/report.html").read()
assert "Projection, not measured" in page and "<script" not in page
if document["warning"]:
    assert document["warning"].split(":")[0] in page
PY

# The same again would mix two studies.
mpirun -n 2 "$ringfence" scale "$config" "${quick[@]}" --out "$work/all" 2>"$work/err"
[ $? -eq 2 ] || fail "an earlier study is not refused"
grep -q "earlier study" "$work/err" || fail "no word about the earlier study"

# A point at a time, as an array of jobs does, and the fit at the end.
for n in 1 2 3; do
    mpirun -n "$n" "$ringfence" scale "$config" "${quick[@]}" --mode strong --ranks "$n" --out "$work/parts" \
        >/dev/null || fail "a point of $n ranks: status $?"
done
[ ! -e "$work/parts/results.json" ] || fail "a point alone was fitted"
"$ringfence" scale --fit "$work/parts" >"$work/out" || fail "--fit: status $?"
grep -q "amdahl" "$work/out" || fail "no law"
grep -q "PROJECTION, not measured" "$work/out" || fail "a projection without its label"
"$ringfence" report "$work/parts" >/dev/null || fail "report: status $?"

# refused STATUS TEXT ARGUMENT...
refused() {
    local status=$1 text=$2
    shift 2
    "$ringfence" scale "$@" >/dev/null 2>"$work/err"
    [ $? -eq "$status" ] || fail "$*: not status $status"
    [ "$(wc -l <"$work/err")" -eq 1 ] || fail "$*: not one line"
    grep -qF -- "$text" "$work/err" || fail "$*: no '$text' in $(cat "$work/err")"
}
refused 2 "--fit DIR"
refused 2 "more than the 1" "$config" --ranks 2 --out "$work/x"
refused 2 "got '1,,2'" "$config" --ranks 1,,2 --out "$work/x"
refused 2 "listed twice" "$config" --ranks 1,1x1 --out "$work/x"
refused 2 "strong, weak or both" "$config" --mode wide --out "$work/x"
refused 2 "no job 'w2s'" "$config" --job w2s --out "$work/x"
refused 2 "is no pretraining job" "$config" --job w2s.s0.weak --out "$work/x"
refused 2 "no files point-" --fit "$work"
refused 2 "cannot open" --fit "$work/nowhere"
[ ! -e "$work/x" ] || fail "a refused study left a directory"
for change in 's/"mode": "strong"/"mode": "odd"/' 's/"tensor": 2/"tensor": 0/' 's/"batch": 4/"batch": -4/' \
    's/"context": [0-9]*/"context": 1e9/' 's/"kind": "sum"/"kind": "prod"/' '$d'; do
    rm -rf "$work/bad"
    cp -r "$work/parts" "$work/bad"
    sed -i "$change" "$work/bad/point-strong-2x1.json"
    refused 2 "point-strong-2x1.json" --fit "$work/bad"
done
sed 's/"hidden": [0-9]*/"hidden": 100/' "$work/parts/point-strong-2x1.json" >"$work/bad/point-strong-2x1.json"
refused 2 "another job, model or batch" --fit "$work/bad"
echo "ok"
