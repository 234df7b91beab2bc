# The main job end to end on 2, 3 and 4 workers: everything that a run leaves is there and agrees.
. "$(dirname "$0")/../lib.sh"

for n in 3 4 5; do
    # 1: a pledge may be broken by a busy machine; the ledger and its audit must agree all the same
    ranks $n run "$rf_src/tests/cli/small.cfg" --out "r$n" >out 2>err
    code=$?
    [ $code -le 1 ] || { cat err >&2; fail "run on $n ranks: exit code $code"; }
    for f in ledger.jsonl ledger.jsonl.seals results.json metrics.h5 trace.json report.html config.cfg; do
        [ -s "r$n/$f" ] || fail "r$n/$f is missing"
    done
    grep -q "alignment" out || fail "the summary does not name the accounts"
    "$rf_bin" audit "r$n/ledger.jsonl" >audit.out 2>audit.err
    [ $? -eq $code ] || { cat audit.out audit.err >&2; fail "audit and run disagree"; }
    ls "r$n"/checkpoints/pretrain/step-*150.h5 >/dev/null || fail "no final checkpoint"
    "$rf_bin" checkpoint verify "r$n"/checkpoints/pretrain/step-*150.h5 >/dev/null || fail "checkpoint does not verify"
    if have_python; then
        [ "$(json "r$n/results.json" 'd["command"]')" = run ] || fail "results.json: command"
        [ "$(json "r$n/results.json" 'len(d["experiments"])')" = 2 ] || fail "results.json: experiments"
        [ "$(json "r$n/results.json" 'all(j["state"] == "done" for j in d["jobs"])')" = True ] ||
            fail "results.json: a job is not done"
        # the probe has left what the others leave, with probabilities
        [ "$(json "r$n/results.json" 'all(0 < e["probe"] <= 1 for e in d["experiments"])')" = True ] ||
            fail "results.json: no probe"
        awk -F'\t' 'NF != 4 || $3 <= 0 || $4 <= 0 || $3 + $4 < 0.999999 || $3 + $4 > 1.000001 { exit 1 }' \
            "r$n/jobs/w2s.s0.probe.test" || fail "the probe's predictions are no distributions"
        # device-time of the accounts at the root adds up to that of the jobs
        [ "$(json "r$n/results.json" \
            'abs(sum(a["device_s"] for a in d["accounts"] if "." not in a["name"]) - sum(j["device_s"] for j in d["jobs"])) < 1e-3')" = True ] ||
            fail "results.json: device-time does not add up"
        python3 "$rf_src/tests/trace.py" "r$n/trace.json" || fail "trace.json is not what Perfetto reads"
    fi
done

# The same ledger with one byte changed no longer verifies, and the line is named.
cp r3/ledger.jsonl.* . 2>/dev/null
sed '5s/"t_us":\([0-9]\)/"t_us":9/' r3/ledger.jsonl >ledger.jsonl
cmp -s r3/ledger.jsonl ledger.jsonl && fail "the forgery changed nothing"
expect 1 "$rf_bin" audit ledger.jsonl
grep -q "line 5\|line 6" out err || { cat out err >&2; fail "the bad line is not named"; }

# A run directory is not overwritten by accident.
expect 2 ranks 3 run "$rf_src/tests/cli/small.cfg" --out r3
said_once "--resume continues that run" err
