#!/bin/bash
# A real run's ledger: what the audit says of it, of a copy with one altered byte per line, and
# of seals by a key that is not the pinned one.
set -u
bin=$1
source=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
bad=0
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

fail() {
    echo "FAILED: $*"
    cat out err
    bad=1
}

# audit EXIT-CODE ARGUMENT...
audit() {
    local want=$1
    shift
    timeout 60 "$bin" audit "$@" >out 2>err </dev/null
    local got=$?
    [ $got -eq "$want" ] || fail "'audit $*' ends with $got, not $want"
}

"$bin" keygen own 2>err && "$bin" keygen other 2>err || fail "keygen"
# Half a job is enough; a busy machine may break the pledge, so only the audit's word counts.
timeout 120 mpirun --oversubscribe -n 3 "$bin" run "$source/tests/cli/small.cfg" --out r --quiet \
    --set 'experiments=()' --set jobs.pretrain.train.steps=30 --set run.key="$dir/own" \
    --set jobs.pretrain.train.checkpoint_every=10 --set jobs.pretrain.train.checkpoint_keep=2 \
    --set pledges.alignment.account=capability >out 2>err </dev/null
code=$?
[ $code -le 1 ] || fail "the run ends with $code"

audit $code r/ledger.jsonl --key own.pub
audit $code r/ledger.jsonl --json
grep -q '"chain_ok": true' out && grep -q '"seals_ok": true' out || fail "the ledger does not hold"
grep -q '"first_bad_seq": null' out || fail "a bad line in a good ledger"
audit 1 r/ledger.jsonl --key other.pub
audit 2 r/ledger.jsonl --key none.pub
audit 2 none.jsonl

cp r/ledger.jsonl.seals bad.jsonl.seals
cp r/ledger.jsonl.pub bad.jsonl.pub

# What never was a ledger is a wrong argument; one line is said, and it names file and line.
no_ledger() {
    audit 2 "$1"
    [ "$(wc -l <err)" -eq 1 ] && grep -qF "'$1', line 1: this is no ledger" err ||
        fail "'$1' is no ledger, and that is not said"
    [ -s out ] && fail "an audit of what is no ledger"
}
printf 'hello\nworld\n' >words.txt
printf 'one line without an end' >line.txt
printf '\n\n' >empty-lines.txt
head -c 3000 "$bin" >bytes.bin
for file in words.txt line.txt empty-lines.txt bytes.bin r/results.json r/ledger.jsonl.seals; do
    no_ledger "$file"
done
# A real ledger whose first line begins otherwise is one with a bad line 1, signed for or not.
sed '1s/^{"seq":0,/{"sea":0,/' r/ledger.jsonl >unsealed.jsonl
audit 1 unsealed.jsonl
grep -q 'first bad line: 1$' out || fail "another beginning of line 1 is not said"
head -n 1 unsealed.jsonl >one.jsonl
cp r/ledger.jsonl.seals one.jsonl.seals
cp r/ledger.jsonl.pub one.jsonl.pub
audit 1 one.jsonl

lines=$(wc -l <r/ledger.jsonl)
for line in 1 2 $((lines / 2)) $((lines - 1)) "$lines"; do
    # the first digit of the time becomes another one
    sed "${line}s/\"t_us\":1/\"t_us\":2/" r/ledger.jsonl >bad.jsonl
    audit 1 bad.jsonl
    grep -q "first bad line: $line\$" out || fail "line $line was altered, and that is not said"
done

# ---- other records: kept heads, checkpoints, and the training itself ----

result() { # result TEST: what it came to
    sed -n "s/^  $1 \{1,\}\(.*[a-z]\)  *\(pass\|cannot tell\|finding\).*/\2/p" out
}
said() { grep -qF -- "$1" out || fail "'$1' is not said"; }

audit $code r/ledger.jsonl --key own.pub --head r/ledger.jsonl.seals --checkpoints r/checkpoints
[ "$(result T9) $(result T2b) $(result T7)" = "pass pass pass" ] || fail "honest records disagree"
said '1 no longer there'

# Two of three stretches can still be run again, on as many ranks as they had, and only there.
again() { # again EXIT-CODE RANKS ARGUMENT...
    local want=$1 ranks=$2
    shift 2
    timeout 120 mpirun --oversubscribe -n "$ranks" "$bin" audit "$@" >out 2>err </dev/null
    local got=$?
    [ $got -eq "$want" ] || fail "'audit $*' on $ranks ranks ends with $got, not $want"
}
again $code 2 r/ledger.jsonl --key own.pub --reexecute 9
said '2 of 3 stretches run again to bit equality'
[ "$(result T10)" = pass ] || fail "training again does not end in the same bits"
cp out first
again $code 3 r/ledger.jsonl --key own.pub --reexecute 9
cmp -s out first || fail "the audit depends on how many ranks there are"
again $code 1 r/ledger.jsonl --key own.pub --reexecute 9
said 'it ran on more ranks than there are here'
[ "$(result T10)" = 'cannot tell' ] || fail "a stretch of two ranks was run on one"
# another learning rate is another configuration
sed 's/lr = 0.002/lr = 0.003/' r/config.cfg >other.cfg
cmp -s other.cfg r/config.cfg && fail "the learning rate stands elsewhere in config.cfg"
again $code 2 r/ledger.jsonl --key own.pub --reexecute 1 --config other.cfg
said 'the configuration is not the one whose digest the open line has'

# The same, signed by the key's holder: a ledger that was made for the other configuration, and
# one that claims another model at the end.
if command -v python3 >/dev/null && openssl pkeyutl -help 2>&1 | grep -q -- -rawin; then
    reseal() { python3 -B "$source/tests/data/forged/reseal.py" r/ledger.jsonl own f.jsonl "$1" "$2"; }
    field() { sed -n "s/.*\"type\":\"$1\".*\"$2\":\"\{0,1\}\([0-9a-f]*\).*/\1/p" r/ledger.jsonl | tail -n 1; }
    last=$(field checkpoint digest)
    reseal "$last" "0000${last#????}" || fail "reseal.py fails"
    again 1 2 f.jsonl --key own.pub --config r/config.cfg --checkpoints r/checkpoints --reexecute 9
    [ "$(result T10) $(result T2b) $(result T9)" = "finding finding pass" ] ||
        fail "another model at the end: $(result T10), $(result T2b), $(result T9)"
    said 'run again it ends in'
    flops=$(sed -n 's/.*"type":"charge".*"flops":\([1-9][0-9]*\),.*/\1/p' r/ledger.jsonl | head -n 1)
    reseal "\"flops\":$flops," "\"flops\":$((flops / 2)),"
    audit 1 f.jsonl --key own.pub --checkpoints r/checkpoints
    said "FLOP since its lease began, the ledger's readings say"
    audit 1 f.jsonl --key own.pub --head r/ledger.jsonl.seals
    said 'fork: lines '
fi

# A witness that saw the head, and one that did not.
"$bin" keygen --witness --name=eye eye 2>err && "$bin" keygen --witness --name=other other-eye 2>err ||
    fail "keygen --witness"
"$bin" witness seen r/ledger.jsonl --key=eye --out=cosigned >out 2>err || fail "the witness"
audit $code r/ledger.jsonl --key own.pub --head cosigned --witness eye.pub
said "'eye' saw the head over"
audit 1 r/ledger.jsonl --key own.pub --head cosigned --witness other-eye.pub
said "no witness: 'other' has not cosigned the head in 'cosigned'"
audit 2 r/ledger.jsonl --key own.pub --head cosigned --witness own.pub

exit $bad
