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

exit $bad
