# A signal that reaches one rank only: everything is checkpointed, the ledger sealed, exit code 85;
# --resume finishes the run with the content that an undisturbed run would have had.
. "$(dirname "$0")/../lib.sh"

cat >one.cfg <<'END'
run = { name = "one"; seed = 3; };
policy = { order = "fcfs"; fence = "none"; lease_s = 0.05; seal_s = 0.5; };
models = ( { name = "m"; layers = 2; heads = 3; width = 24; } );
tasks = ( { name = "t"; source = "chess-rules"; rule = "material"; train = 100; validation = 20; test = 20; corpus_size = 2000; } );
jobs = ( { name = "job"; account = "capability"; model = "m"; task = "t";
           train = { steps = 240; batch = 32; }; min = 2; max = 2; } );
END

content() {
    "$rf_bin" checkpoint show --json "$1" | grep -o '"content": *"[^"]*"'
}

expect 0 ranks 3 run one.cfg --out calm -q
want=$(content calm/checkpoints/job/step-00000240.h5)

# Each rank, and each signal: the first and the second worker, and the coordinator.
for case in USR1:1 TERM:2 USR1:3; do
    signal=${case%:*} rank=${case#*:}
    rm -rf hit
    ranks 3 run one.cfg --out "$rf_work/hit" -q >out 2>err &
    launcher=$!
    for _ in $(seq 200); do
        grep -q '"type":"charge"' hit/ledger.jsonl 2>/dev/null && break
        sleep 0.05
    done
    pid=$(rank_pids "$rf_work/hit" | sed -n "${rank}p")
    kill -$signal "$pid" || fail "the run was over before the signal"
    wait $launcher
    code=$?
    [ $code -eq 85 ] || { cat err >&2; fail "SIG$signal to rank $rank: exit code $code, expected 85"; }
    said_once "run again with --resume" err
    tail -n 1 hit/ledger.jsonl | grep -q '"type":"close"' || fail "the ledger is not closed"
    expect 0 ranks 3 run one.cfg --out "$rf_work/hit" --resume -q
    [ "$(content hit/checkpoints/job/step-00000240.h5)" = "$want" ] || fail "SIG$signal to rank $rank changed the result"
    expect 0 "$rf_bin" audit hit/ledger.jsonl
done
