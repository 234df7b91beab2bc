#!/bin/bash
# What an audit says of forged ledgers: each is caught by a message that names what was done, and
# the honest one is not.
. "$(dirname "$0")/../lib.sh"
data=$rf_src/tests/data/forged
cp "$data"/* .

# audit CODE NAME OPTION...: with the operator's key.
audit() {
    local code=$1 name=$2
    shift 2
    expect "$code" "$rf_bin" audit "$name.jsonl" --key operator.pub "$@" </dev/null
}

# caught NAME TEST WORDS OPTION...: the test has a finding, and these words are said.
caught() {
    local name=$1 id=$2 words=$3
    shift 3
    audit 1 "$name" "$@"
    grep -qE "^  $id +.*finding: [1-9]" out || {
        cat out >&2
        fail "$name: $id found nothing"
    }
    grep -qF -- "$words" out || {
        cat out >&2
        fail "$name: '$words' is not said"
    }
}

# passes NAME TEST OPTION...: the test alone sees nothing.
passes() {
    local name=$1 id=$2
    shift 2
    "$rf_bin" audit "$name.jsonl" --key operator.pub "$@" >out 2>err </dev/null
    grep -qE "^  $id +.*pass" out || {
        cat out >&2
        fail "$name: $id does not pass"
    }
}

head='--head kept.head'
sacct='--sacct sacct.txt'

# shellcheck disable=SC2086 # the options are words
audit 0 honest $head $sacct
grep -q '^honest.jsonl: kept$' out || fail "the honest ledger is not kept"
! grep -q 'finding: [0-9]' out || fail "something is found in the honest ledger"

caught dropped-denial T5 "job 3 (oversight) of 'alignment.oversight' was asked for and never answered"
caught dropped-denial T9 "cut off: the head kept in 'kept.head' covers 45 lines, the ledger has 44" $head
passes back-dated T9
caught back-dated T9 "fork: lines 1 to 22 are not those that the head kept in 'kept.head' signs" $head
grep -q '^back-dated.jsonl: unprovable' out || fail "a fork is kept"
caught back-dated-unsealed T9 'seal 1 over 22 lines has another root'
caught swapped-account T2 \
    "another account: sweep is charged to 'alignment.tuning' in the ledger, to 'capability_tuning'" $sacct
caught swapped-account T9 'fork: lines 1 to 22' $head
caught swapped-byte T9 'line 9: the line after it carries another digest of it'
caught truncated T9 'line 40: missing: a seal covers it, but the ledger ends before it'
audit 0 cut-back
caught cut-back T9 "cut off: the head kept in 'kept.head' covers 45 lines, the ledger has 22" $head
caught cut-back T2 "in Slurm's accounting alone: job 104 (probe)" $sacct
caught other-key T9 "no seal is signed by the key 'auditee' that was asked for"
expect 1 "$rf_bin" audit other-key.jsonl --head kept.head </dev/null
grep -qF "another key: the head kept in 'kept.head' was not signed by the ledger's key" out ||
    fail "a head by another key than the ledger's is not said"
caught inflated-meter T1 'line 42: the meter of job 4 reads 6.000000 device-s, its 1 devices had 2.000000'
caught inflated-flops T7 '13.32 times what its 4.000000 device-s could have done at the measured peak'
caught silent T3 'before line 26: silence of 16.000000 s from 24.000000 s on, without a heartbeat'
grep -qE '^  alignment +20.0-30.0 .*unprovable' out || fail "a window without evidence is judged"
grep -qE '^  alignment +0.0-10.0 .* kept$' out || fail "a window with all its evidence is not kept"
caught relabelled T8 "line 38: job 2 (sweep) goes from 'capability.tuning' to 'alignment.tuning'"

# The changed promise: judged as it was first made, and as changed; who did it, and why.
audit 0 honest
grep -q '1/4 of fleet -> 1/8 of fleet, by new leadership: earmark-redirected (line 25)' out ||
    fail "the change of the promise is not listed"
grep -qE '^  alignment \(changed\) +CAP +broken' out || fail "the changed promise is not judged"

# The same inputs, the same bytes; one JSON document.
for format in '' --json; do
    # shellcheck disable=SC2086
    audit 1 silent $head $sacct $format
    mv out first
    audit 1 silent $head $sacct $format
    cmp -s first out || fail "two audits of the same files differ ($format)"
done
if have_python; then
    tests=$(json out '" ".join(t["test"] + ":" + t["result"] for t in d["tests"])')
    [ "$tests" = "T1:pass T2:pass T2b:cannot tell T3:finding T4:pass T5:pass T6:pass T7:pass T8:pass T9:finding T10:cannot tell" ] ||
        fail "the tests in JSON: $tests"
    [ "$(json out 'd["gaps"][0]["kind"], d["gaps"][0]["begin_s"], d["wall_s"]')" = "('silence', 24.0, None)" ] ||
        fail "the gap in JSON"
fi

# A page, the same each time; the names of a stranger's ledger are escaped in it.
audit 1 silent $head --page one.html
audit 1 silent $head --page two.html
cmp -s one.html two.html || fail "two pages of the same files differ"
grep -q 'Audit of silent.jsonl' one.html && grep -q '</html>' one.html || fail "the page is not whole"
grep -q 'silence of 16.000000 s' one.html || fail "the page does not say what was found"
expect 2 "$rf_bin" audit silent.jsonl honest.jsonl --page no.html </dev/null

# Wrong arguments and files: one message, exit code 2.
audit 2 honest --head operator.pub
said_once "'operator.pub' holds no signed tree head" err
audit 2 honest --sacct operator.pub
said_once 'operator.pub:1: no header of sacct -P with JobID' err
sed '2s/|42|/|soon|/' sacct.txt >bad.txt
audit 2 honest --sacct bad.txt
said_once "bad.txt:2: not a run time 'soon'" err
audit 2 honest --sacct-match whatever
audit 2 honest --checkpoints none
said_once "'none' is no directory of checkpoints" err

# Slurm's record with a second off, two off, and without one of the jobs.
sed '4s/|46|cpu/|44|cpu/' sacct.txt >off.txt
audit 0 honest --sacct off.txt
sed '4s/|46|cpu/|43|cpu/' sacct.txt >off.txt
caught honest T2 'w2s: the ledger has 46.000000 device-s, Slurm (job 102, 1 runs) 43.000000' --sacct off.txt
sed '4,5d' sacct.txt >fewer.txt
caught honest T2 "in the ledger alone: w2s of 'alignment', 46.000000 device-s" --sacct fewer.txt
sed 's/|w2s|COM/|Alignment-w2s|COM/' sacct.txt >sums.txt
audit 0 honest --sacct sums.txt --sacct-match account --sacct-unit gpus
caught honest T2 "in the ledger alone: alignment.w2s" --sacct sacct.txt --sacct-match account

# The files here are those that the script makes.
if have_python && openssl pkeyutl -help 2>&1 | grep -q -- -rawin; then
    mkdir again
    python3 -B "$data/forge.py" again || fail "forge.py fails"
    for file in again/*; do
        cmp -s "$file" "$data/${file#again/}" || fail "$file is not what is kept in tests/data/forged"
    done
fi
