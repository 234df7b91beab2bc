#!/bin/bash
# bench prints one JSON document with its names, and refuses what it cannot measure.
set -u
ringfence=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAIL: $*" >&2
    exit 1
}

mpirun -n 2 "$ringfence" bench train --quick --json >"$work/out.json" || fail "bench train: status $?"
python3 - "$work/out.json" <<'PY' || fail "the document is not as described"
import json, sys
document = json.load(open(sys.argv[1]))
assert document["command"] == "bench" and document["bench"] == "train"
names = [r["name"] for r in document["results"]]
assert names == ["gemm.fp32", "train.fp32.tp2", "gemm.bf16", "train.bf16.tp2"], names
for r in document["results"]:
    assert r["value"] > 0 and r["limit"] > 0
    assert abs(r["ratio"] - r["value"] / r["limit"]) < 1e-9
PY

mpirun -n 2 "$ringfence" bench collectives --quick --json >"$work/out.json" || fail "bench collectives: status $?"
python3 - "$work/out.json" <<'PY' || fail "the document is not as described"
import json, sys
results = json.load(open(sys.argv[1]))["results"]
assert [r["name"] for r in results] == ["collectives.%s.%dk" % (w, k) for k in (4, 64, 1024, 6144) for w in ("shared", "mpi")]
assert all(r["value"] > 0 and r["limit"] > 0 and 0 < r["ratio"] for r in results)
PY
"$ringfence" bench collectives 2>"$work/err"
[ $? -eq 2 ] || fail "collectives of one rank do not exit 2"

# Ends with 1 when a message was lost or charged twice.
mpirun -n 2 "$ringfence" bench coordinator --quick --json --dir "$work" >"$work/out.json" || fail "bench coordinator: status $?"
python3 - "$work/out.json" <<'PY' || fail "the document is not as described"
import json, sys
results = {r["name"]: r for r in json.load(open(sys.argv[1]))["results"]}
orders = ["fcfs", "easy", "sjf", "fairshare", "conservative"]
names = ["coordinator.decision." + o for o in orders]
names += ["coordinator.latency_p99", "coordinator.messages", "coordinator.memory", "coordinator.overhead"]
assert sorted(results) == sorted(names), list(results)
assert results["coordinator.latency_p99"]["limit"] > 0
assert "2000 leases out" in results["coordinator.latency_p99"]["said"], results["coordinator.latency_p99"]
PY
[ -z "$(ls -d "$work"/ringfence-bench-* 2>/dev/null)" ] || fail "files were left behind"
"$ringfence" bench weather 2>"$work/err"
[ $? -eq 2 ] || fail "an unknown measurement does not exit 2"
grep -q "cannot measure 'weather'" "$work/err" || fail "no word about what was wrong"
echo "ok"
