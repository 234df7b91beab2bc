#!/bin/bash
# ringfence checkpoint: the file of version 1 is read for ever, and damage is found and named.
set -u
ringfence=$1
source=$2
golden=$source/checkpoints/golden/version-1/step-00000120.h5
content=273229679e9a96f8edf65f5c76056e2d49ccf806597e9e3e10e68b11b3dfa9ba
later=$source/checkpoints/golden/version-1/step-00000140.h5 # refers to the one before
packed=$source/checkpoints/golden/version-1/packed/step-00000140.h5
later_content=3361184d37084fdcbbd55685caab06eeb839b8b90e368a62c9ec728c028dc09b
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect CODE TEXT ARGUMENTS...: the exit code, and a text that stdout or stderr contains
expect() {
    local code=$1 text=$2 got
    shift 2
    "$ringfence" checkpoint "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    if [ $got -ne "$code" ] || ! cat "$work/out" "$work/err" | grep -qF -- "$text"; then
        echo "checkpoint $*: exit code $got (wanted $code), or no '$text' in:"
        cat "$work/out" "$work/err"
        failures=$((failures + 1))
    fi
}

# says TEXT: so does the last one's output, too
says() {
    grep -qF -- "$1" "$work/out" && return
    echo "no '$1' in:"
    cat "$work/out"
    failures=$((failures + 1))
}

# flip FILE OFFSET: a copy with one bit changed, in $work/bad.h5
flip() {
    local byte
    cp "$1" "$work/bad.h5"
    chmod u+w "$work/bad.h5"
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    printf "\\x$(printf %x $((byte ^ 4)))" |
        dd of="$work/bad.h5" bs=1 seek="$2" conv=notrunc status=none
}

# The old file
expect 0 "sound    $content" verify "$golden"
expect 0 "strong-pretrain" show "$golden"
says "capability.pretraining"
says "ledger     3VbeQTeVHZySaBsDQW7BX4hrRIKifjpRfTLwhSRMvl0= over 17 entries"
expect 0 "\"content\": \"$content\"" show --json "$golden"
says '"flops": 1234567890123'
says '"ledger_head": "3VbeQTeVHZySaBsDQW7BX4hrRIKifjpRfTLwhSRMvl0="'
expect 0 '"ok": true' verify --json "$golden"
expect 0 "sound    $later_content  $later" verify "$later" "$packed"
says "sound    $later_content  $packed"
expect 0 "  fp32 in step-00000120.h5" show "$later"
says "387effee49cc9e0e6916331d39f7a1fdcf84c7f568bf9efd1dcb65685ac1c295  bf16"
expect 0 '"base": 120' show --json "$later"
expect 0 "  bf16 packed" show "$packed"
expect 0 "all 6 tensors are the same" diff "$later" "$packed"
expect 1 "4 of 6 tensors differ" diff "$golden" "$later"

# The file that is referred to: not there, damaged in what is used of it, or packed meanwhile
mkdir "$work/chain"
cp "$later" "$work/chain/"
expect 1 "step-00000140.h5' keeps tensor 'wte.weight' in another file: cannot open '" verify \
    "$work/chain/step-00000140.h5"
expect 0 "fp32 in step-00000120.h5" show "$work/chain/step-00000140.h5" # what it says is whole
flip "$golden" "$(od -An -tu8 -j 64 -N 8 "$golden" | tr -d ' ')"
mv "$work/bad.h5" "$work/chain/step-00000120.h5"
expect 1 "step-00000120.h5' is damaged: tensor 'wte.weight', rows 0 to 3; '" verify \
    "$work/chain/step-00000140.h5"
expect 0 "step-00000120.h5: content $content" reshard --compress "$golden" "$work/chain"
expect 0 "sound    $later_content" verify "$work/chain/step-00000140.h5"
expect 0 "all 6 tensors are the same" diff "$golden" "$work/chain/step-00000120.h5"
expect 0 "0 bytes; 2 kept" prune --keep-last 1 "$work/chain"
# What the later one needs of it stays there, whatever it is written from; the rest may go
cp "$work/chain/step-00000120.h5" "$work/before.h5"
expect 2 "step-00000140.h5' keeps tensor 'm/wte.weight' in '$work/chain/step-00000120.h5', which would" \
    reshard --weights-only "$work/chain/step-00000120.h5" "$work/chain"
expect 2 "which would lose it" reshard --dtype bf16 "$golden" "$work/chain"
cmp -s "$work/before.h5" "$work/chain/step-00000120.h5" || failures=$((failures + 1))
expect 0 "step-00000140.h5: content $later_content" reshard "$work/chain/step-00000140.h5" \
    "$work/chain"
expect 0 "; 1 kept" prune --keep-last 1 "$work/chain"
expect 0 "sound    $later_content" verify "$work/chain/step-00000140.h5"

# Damage: the first extent in the user block is the first tensor's; 4100 lies in HDF5's own part
at=$(od -An -tu8 -j 64 -N 8 "$golden" | tr -d ' ')
flip "$golden" "$at"
expect 1 "tensor 'wte.weight', rows 0 to 3" verify "$work/bad.h5"
expect 1 '"ok": false' verify --json "$work/bad.h5"
expect 0 "strong-pretrain" show "$work/bad.h5" # what it says about itself is whole
for at in 10 20 40 300 4500 11752; do
    flip "$golden" $at
    mv "$work/bad.h5" "$work/bad-$at.h5"
done
expect 1 "bad-10.h5' is damaged" verify "$work"/bad-*.h5
for at in 20 40 300 4500 11752; do
    says "bad-$at.h5' is damaged"
done
head -c 9000 "$golden" >"$work/bad.h5"
expect 1 "9000 bytes long, should be 11753" verify "$work/bad.h5" "$golden"
says "sound    $content" # goes on after a bad one

# No checkpoints
expect 2 "is not a ringfence checkpoint" verify "$source/LICENSE"
expect 2 "is not a ringfence checkpoint" show "$source/LICENSE"
expect 2 "cannot open" show "$work/nothing.h5"
expect 2 "cannot read directory" ls "$work/nothing"
expect 2 "has no verb 'list'" list "$work"
expect 2 "takes one file" show "$golden" "$golden"

# Lists: a run's directory holds one for each job
mkdir -p "$work/run/job-a" "$work/run/job-b"
cp "$golden" "$work/run/job-a/step-00000120.h5"
head -c 9000 "$golden" >"$work/run/job-b/step-00000007.h5"
echo half >"$work/run/job-b/step-00000008.tmp"
expect 0 "       120          11753  yes       $work/run/job-a/step-00000120.h5" ls "$work/run"
expect 0 "         7           9000  no        $work/run/job-b/step-00000007.h5" ls "$work/run"
expect 0 '"step": 120' ls --json "$work/run/job-a"
"$ringfence" checkpoint ls "$work/run" | grep -qF .tmp && failures=$((failures + 1))

# An ordinary HDF5 file for other tools
if command -v h5dump >/dev/null; then
    h5dump -d /params/wte.weight "$golden" >"$work/out" 2>&1
    grep -q '(0,0): -5, -4, -3' "$work/out" || { cat "$work/out"; failures=$((failures + 1)); }
fi

[ $failures -eq 0 ]
