# kill -9 of a rank, then --resume: no ledger line lost or doubled, and at the same layout the
# final checkpoint has the same content as that of a run that was never disturbed.
. "$(dirname "$0")/../lib.sh"

# One job on two ranks, so that the layout is the same in both runs.
cat >one.cfg <<'END'
run = { name = "one"; seed = 3; };
policy = { order = "fcfs"; fence = "none"; lease_s = 0.05; seal_s = 0.5; };
models = ( { name = "m"; layers = 2; heads = 3; width = 24; } );
tasks = ( { name = "t"; source = "chess-rules"; rule = "material"; train = 100; validation = 20; test = 20; corpus_size = 2000; } );
jobs = ( { name = "job"; account = "capability"; model = "m"; task = "t";
           train = { steps = 240; batch = 32; checkpoint_every = 20; }; min = 2; max = 2; } );
END

content() { # the content digest of a checkpoint file
    "$rf_bin" checkpoint show --json "$1" | grep -o '"content": *"[^"]*"'
}

expect 0 ranks 3 run one.cfg --out calm -q
want=$(content calm/checkpoints/job/step-00000240.h5)
[ -n "$want" ] || fail "no content digest"

for victim in worker coordinator; do
    rm -rf hit
    ranks 3 run one.cfg --out "$rf_work/hit" -q >/dev/null 2>&1 &
    launcher=$!
    for _ in $(seq 200); do
        ls hit/checkpoints/job/step-*.h5 >/dev/null 2>&1 && break
        sleep 0.05
    done
    ls hit/checkpoints/job/step-*.h5 >/dev/null 2>&1 || fail "no checkpoint came before the kill"
    pids=$(rank_pids "$rf_work/hit")
    [ "$victim" = worker ] && pid=$(echo "$pids" | sed -n 2p) || pid=$(echo "$pids" | tail -n 1)
    kill -9 "$pid" 2>/dev/null
    wait $launcher 2>/dev/null
    cp hit/ledger.jsonl before.jsonl
    [ ! -e hit/checkpoints/job/step-00000240.h5 ] || fail "the run was over before the kill"
    expect 0 ranks 3 run one.cfg --out "$rf_work/hit" --resume -q
    [ "$(content hit/checkpoints/job/step-00000240.h5)" = "$want" ] ||
        fail "after killing the $victim the final checkpoint differs"
    # whole lines that were there before are still there, unchanged
    lines=$(wc -l <before.jsonl)
    head -n "$lines" before.jsonl >a
    head -n "$lines" hit/ledger.jsonl >b
    cmp -s a b || fail "lines of the ledger changed over the crash"
    grep -q '"type":"recover"' hit/ledger.jsonl || fail "the crash is not on record"
    expect 0 "$rf_bin" audit hit/ledger.jsonl
done
