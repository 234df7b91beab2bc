#!/bin/bash
# Proofs about a ledger, changes of its key, anchors, and a witness, from the command line: what
# holds, what is refused, with which exit code and words.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
unset SLURM_JOB_ID
rf=$rf_bin

# say CODE TEXT COMMAND...: it ends with that code, and says that on standard error.
say() {
    local code=$1 text=$2
    shift 2
    expect "$code" "$@"
    grep -qF -- "$text" err || {
        cat err >&2
        fail "'$text' is not said by: $*"
    }
}

cat >four.csv <<'END'
id,submit,run,est,procs
1,0,100,100,3
2,10,50,60,4
3,20,30,40,1
4,30,90,90,1
END
for name in key next stranger; do
    expect 0 "$rf" keygen --name "$name" "$name"
done
expect 0 "$rf" keygen --witness --name witness.example/w w
[ "$(stat -c %a w)" = 600 ] || fail "a witness key is readable by others"
expect 0 "$rf" simulate --trace four.csv --devices 4 --order easy --fence none --ledger --key key \
    --out r -q
ledger=r/ledger.jsonl
lines=$(wc -l <$ledger)

# ---- verify, head, prove, check-proof
expect 0 "$rf" ledger verify $ledger --key key.pub
expect 0 "$rf" ledger verify $ledger --json
grep -q '"holds": true' out || fail "no verdict in the document"
say 1 "no seal is signed by the key 'stranger'" "$rf" ledger verify $ledger --key stranger.pub
expect 0 "$rf" ledger head $ledger --out head
cmp -s head $ledger.seals || fail "the head is not the only seal"
for seq in 0 3 $((lines - 1)); do
    expect 0 "$rf" ledger prove $ledger $seq --out proof
    sed -n $((seq + 1))p $ledger >entry
    expect 0 "$rf" ledger check-proof proof entry --key key.pub
    tr 0 1 <entry >changed
    say 1 "this line is not entry $seq" "$rf" ledger check-proof proof changed --key key.pub
done
expect 0 "$rf" ledger prove $ledger 3 --json
if have_python; then
    [ "$(json out 'd["index"], d["size"], d["holds"], d["proof"].split()[0]')" = \
        "(3, $lines, True, 'c2sp.org/tlog-proof@v1')" ] || fail "the proof's document"
fi
say 1 "is not under this head" "$rf" ledger prove $ledger "$lines"
say 2 "is no number of an entry" "$rf" ledger prove $ledger x
say 2 "needs --key" "$rf" ledger check-proof proof entry
say 1 "not signed by 'stranger'" "$rf" ledger check-proof proof entry --key stranger.pub
say 2 "not a proof" "$rf" ledger check-proof entry entry --key key.pub
say 2 "is not one line" "$rf" ledger check-proof proof $ledger --key key.pub
say 2 "no verb 'forge'" "$rf" ledger forge $ledger
say 2 "'head' does not take --slurm" "$rf" ledger head $ledger --slurm
say 2 "this is no ledger" "$rf" ledger verify four.csv

# ---- a witness
expect 0 "$rf" witness seen $ledger --key w --out cosigned
grep -q "was never seen before: taking the key beside the ledger, 'key'" err || fail "at first sight"
grep -q '^— witness.example/w ' cosigned || fail "no cosignature"
expect 0 "$rf" ledger verify $ledger --head cosigned --witness-key w.pub
grep -q 'cosigned by witness.example/w at 20' out || fail "who cosigned is not said"
say 1 "not cosigned by" "$rf" ledger verify $ledger --head head --witness-key w.pub
say 2 "one for seals, and not of a witness" "$rf" ledger verify $ledger --head cosigned --witness-key key.pub
say 2 "is for seals" "$rf" witness seen $ledger --key key
expect 0 "$rf" ledger prove $ledger 2 --head cosigned --out proof
sed -n 3p $ledger >entry
expect 0 "$rf" ledger check-proof proof entry --key key.pub --witness-key w.pub

# ---- another key
say 2 "needs --from and --to" "$rf" ledger rotate $ledger --from key
say 2 "is one of a witness" "$rf" ledger rotate $ledger --from key --to w
say 2 "sealed with another key" "$rf" ledger rotate $ledger --from stranger --to next
expect 0 "$rf" ledger rotate $ledger --from key --to next
say 2 "sealed with another key" "$rf" ledger rotate $ledger --from key --to stranger
expect 0 "$rf" ledger rotate $ledger --from next --to stranger
expect 0 "$rf" ledger verify $ledger --key key.pub
expect 0 "$rf" ledger verify $ledger --key next.pub
grep -q "2 changes of key" out || fail "changes of key are not counted"
[ "$(wc -l <$ledger)" -eq $((lines + 2)) ] || fail "a change of key is more than a line"
expect 0 "$rf" audit $ledger --key key.pub

# ---- consistency: with the ledger, by a proof, and by the witness's memory
expect 0 "$rf" ledger consistency head $ledger --out request
expect 0 "$rf" witness seen $ledger --key w --out cosigned
[ "$(sed -n 2p cosigned)" -eq $((lines + 2)) ] || fail "the new head is not the one cosigned"
cp request late
say 1 "the proof begins at $lines entries" "$rf" witness seen late --key w --log-key next.pub
say 1 "not signed by 'next'" "$rf" ledger check-proof request head --key next.pub
say 2 "--log-key says whose head it must be" "$rf" witness empty request --key w

# ---- forks, and ledgers that were cut back
mkdir fork cut
cp r/ledger.jsonl* fork/
expect 0 "$rf" simulate --trace four.csv --devices 4 --order fcfs --fence none --ledger --key key \
    --out f -q
say 1 "rewritten, or forked" "$rf" ledger consistency head f/ledger.jsonl
say 1 "refused: " "$rf" witness seen f/ledger.jsonl --key w --log-key key.pub
head -n "$lines" $ledger >cut/ledger.jsonl
cp head cut/ledger.jsonl.seals
cp $ledger.pub cut/ledger.jsonl.pub
expect 0 "$rf" ledger verify cut/ledger.jsonl
say 1 "it is older, or the ledger was cut back" "$rf" witness seen cut/ledger.jsonl --key w \
    --log-key key.pub
sed -n 7,11p $ledger.seals >second-head # over the line that names the next key, by the old one
say 1 "entries that were signed for are gone" "$rf" ledger consistency second-head cut/ledger.jsonl
say 1 "not signed by any key of the ledger" "$rf" ledger consistency cosigned cut/ledger.jsonl
sed '3s/"t_us":0/"t_us":1/' $ledger >fork/ledger.jsonl
cmp -s fork/ledger.jsonl $ledger && fail "the third line is not at time 0"
say 1 "refused: ledger 'fork/ledger.jsonl' does not verify: line 3" "$rf" witness seen \
    fork/ledger.jsonl --key w

# ---- anchors
say 2 "needs --file, --slurm, or both" "$rf" ledger anchor $ledger
expect 0 "$rf" ledger anchor cut/ledger.jsonl --file heads
expect 0 "$rf" ledger anchor $ledger --file heads
[ "$(grep -c '^key$' heads)" -eq 2 ] || fail "two anchors are not two heads"
expect 0 "$rf" ledger consistency heads $ledger
grep -q "^2 heads, the largest over $((lines + 2)) entries" out || fail "the heads are not counted"
expect 0 "$rf" ledger verify $ledger --head heads
say 1 "not signed by any key" "$rf" ledger verify cut/ledger.jsonl --head heads
say 2 "not inside a Slurm job" "$rf" ledger anchor $ledger --slurm
mkdir bin
cat >bin/scontrol <<'END'
#!/bin/sh
printf '%s\n' "$@" >>"$FAKE_SCONTROL"
exit "${FAKE_CODE:-0}"
END
chmod +x bin/scontrol
export PATH=$rf_work/bin:$PATH FAKE_SCONTROL=$rf_work/scontrol.log SLURM_JOB_ID=4711
expect 0 "$rf" ledger anchor $ledger --slurm
[ "$(sed -n 1,2p scontrol.log | tr '\n' ' ')" = "update JobId=4711 " ] || fail "scontrol's arguments"
grep -qF "Comment=ringfence-head key $((lines + 2)) $(sed -n 3p cosigned)" scontrol.log ||
    fail "the comment is not the head"
export FAKE_CODE=1
say 3 "'scontrol update' has failed" "$rf" ledger anchor $ledger --slurm
unset FAKE_CODE

# ---- a run that changes its key at the start, and drops its anchors; whether its pledges are
# kept depends on how busy the machine is
timeout 120 mpirun --oversubscribe -n 3 "$rf" run "$rf_src/tests/cli/small.cfg" --out live --quiet \
    --set 'experiments=()' --set jobs.pretrain.train.steps=20 --key key --new-key next \
    --set pledges.alignment.account=capability --set run.anchor="$rf_work/live-heads" \
    --set run.anchor_slurm=true >out 2>err </dev/null
code=$?
[ $code -le 1 ] || fail "the run ends with $code: $(cat err)"
expect 0 "$rf" ledger verify live/ledger.jsonl --key key.pub --head live-heads
grep -q "1 changes of key" out || fail "the run's key has not changed"
say 1 "not signed by 'key'" "$rf" ledger check-proof <("$rf" ledger prove live/ledger.jsonl 0) \
    <(head -n 1 live/ledger.jsonl) --key key.pub
grep -q '"type":"rotate","vkey":"next+' live/ledger.jsonl || fail "no line names the new key"
grep -q "Comment=ringfence-head " scontrol.log || fail "the run's heads are not in the comment"
[ ! -e live/key ] && [ ! -e live/next ] || fail "a secret key lies in the run directory"
echo "proofs, keys, anchors and witnesses hold"
