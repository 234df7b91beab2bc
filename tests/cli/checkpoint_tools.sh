#!/bin/bash
# ringfence checkpoint diff, export, import, verify under mpirun: from a trained model out to a
# safetensors file and back, the same on any number of ranks.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
golden=$rf_src/checkpoints/golden/version-1/step-00000120.h5

expect 0 "$rf_bin" train "$rf_src/tests/cli/small.cfg" pretrain --out t \
    --set jobs.pretrain.train.steps=4 --set jobs.pretrain.train.checkpoint_every=2
two=$(find t -name step-00000002.h5)
four=$(find t -name step-00000004.h5)
[ -n "$two" ] && [ -n "$four" ] || fail "training left no two checkpoints"

# diff: 0 the same, 1 not, the same words on any number of ranks
expect 0 "$rf_bin" checkpoint diff "$two" "$two"
said_once "all 108 tensors are the same" out
expect 1 "$rf_bin" checkpoint diff "$two" "$four"
said_once "108 of 108 tensors differ" out
[ ! -s err ] || fail "diff speaks on standard error: $(cat err)"
cp out diff.1
expect 1 ranks 3 checkpoint diff "$two" "$four"
cmp -s out diff.1 || fail "diff says something else on 3 ranks"
expect 1 "$rf_bin" checkpoint diff "$two" "$golden"
grep -Eq '^wte.weight +2712x24 +is 4x3 in B$' out || fail "no word of another shape: $(cat out)"
grep -Eq '^wpe.weight +[0-9]+x24 +only in A$' out || fail "no word of a missing tensor"
expect 2 "$rf_bin" checkpoint diff "$two" "$rf_src/LICENSE"
said_once "is not a ringfence checkpoint" err
expect 2 "$rf_bin" checkpoint diff "$two"
said_once "takes two files" err

# as_shown FILE: all that a checkpoint says about itself but its name and length
as_shown() {
    "$rf_bin" checkpoint show "$1" | grep -Ev '^(file|bytes) '
}

# out and back, with everything: the same tensors, and the same words about them
expect 0 "$rf_bin" checkpoint export --all "$two" all.safetensors
expect 0 "$rf_bin" checkpoint import all.safetensors back
expect 0 "$rf_bin" checkpoint diff "$two" back/step-00000002.h5
[ "$(as_shown "$two")" = "$(as_shown back/step-00000002.h5)" ] || fail "it came back changed"
expect 2 "$rf_bin" checkpoint import all.safetensors back
said_once "is there already" err
expect 0 ranks 3 checkpoint export --all "$two" all.3.safetensors
cmp -s all.safetensors all.3.safetensors || fail "another file on 3 ranks"
expect 0 ranks 3 checkpoint import all.3.safetensors back.3
expect 0 "$rf_bin" checkpoint diff "$two" back.3/step-00000002.h5
expect 0 ranks 3 checkpoint verify back.3/step-00000002.h5
said_once "sound    " out
[ -z "$(find . -name '*.part')" ] || fail "a temporary file was left"

# without the optimiser, and it says so
expect 0 "$rf_bin" checkpoint export "$two" weights.safetensors
said_once "72 tensors of the optimiser were left out; --all keeps them" out
expect 0 "$rf_bin" checkpoint import weights.safetensors weights
expect 1 "$rf_bin" checkpoint diff "$two" weights/step-00000002.h5
said_once "72 of 108 tensors differ" out
grep -Eq '^v/wte.weight +[0-9x]+ +only in A$' out || fail "moments are not named"

# rounded once is rounded for good
expect 0 "$rf_bin" checkpoint export --dtype bf16 "$two" b.safetensors
expect 0 "$rf_bin" checkpoint import b.safetensors b
expect 0 "$rf_bin" checkpoint export --dtype bf16 b/step-00000002.h5 b2.safetensors
cmp -s b.safetensors b2.safetensors || fail "bf16 changed on the way"
[ "$(wc -c <b.safetensors)" -lt "$(wc -c <weights.safetensors)" ] || fail "bf16 is no shorter"

# what is no model of a family goes under our own names
expect 2 "$rf_bin" checkpoint export "$golden" g.safetensors
said_once "'wpe.weight' of a gpt2 model is missing" err
expect 0 "$rf_bin" checkpoint export --all --own-names "$golden" g.safetensors
expect 0 "$rf_bin" checkpoint import g.safetensors g
expect 0 "$rf_bin" checkpoint diff "$golden" g/step-00000120.h5

# refusals
expect 2 "$rf_bin" checkpoint export --dtype f16 "$two" x.safetensors
said_once "'f16' is not f32 or bf16" err
expect 2 "$rf_bin" checkpoint ls --heads 2 t
said_once "'ls' does not take --heads" err
expect 2 "$rf_bin" checkpoint import "$two" x
said_once "is no safetensors file" err
head -c 1000 all.safetensors >short.safetensors
expect 2 "$rf_bin" checkpoint import short.safetensors x
expect 3 "$rf_bin" checkpoint export "$two" nowhere/x.safetensors
said_once "cannot create 'nowhere/x.safetensors.part'" err
cp "$two" bad.h5
chmod u+w bad.h5
at=$(od -An -tu8 -j 64 -N 8 bad.h5 | tr -d ' ')
printf '\377\377' | dd of=bad.h5 bs=1 seek="$at" conv=notrunc status=none
expect 2 ranks 3 checkpoint export bad.h5 x.safetensors
said_once "'bad.h5' is damaged: tensor '" err
expect 1 "$rf_bin" checkpoint verify bad.h5
cp out damaged.1
expect 1 ranks 3 checkpoint verify bad.h5
said_once "'bad.h5' is damaged: tensor '" out
cmp -s out damaged.1 || fail "verify says something else on 3 ranks"
[ ! -e x.safetensors ] && [ ! -e x ] || fail "a refusal has left something"

# prune: the last K and every N-th, never the newest complete one, never what is not ours
mkdir -p run/job run/other
for step in 10 20 30 40 50 60; do
    cp "$golden" run/job/step-000000$step.h5
done
head -c 9000 "$golden" >run/job/step-00000070.h5 # cut short: not complete
ln -s step-00000030.h5 run/job/latest           # of a run that went on from there
touch run/job/step-00000080.tmp run/job/step-9.h5 run/job/notes.txt run/job/step-00000010.h5.bak
cp "$golden" run/other/step-00000005.h5
find run | sort >before
expect 2 "$rf_bin" checkpoint prune run
said_once "needs --keep-last or --keep-every" err
expect 2 "$rf_bin" checkpoint prune --keep-last 0 run
expect 0 "$rf_bin" checkpoint prune --dry-run --keep-last 2 --keep-every 20 run
said_once "would remove run/job/step-00000010.h5" out
said_once "1 would go, 11753 bytes; 7 would stay" out
find run | sort | cmp -s before - || fail "a dry run has removed something"
expect 0 "$rf_bin" checkpoint prune --keep-last 2 --keep-every 20 run
find run | sort | diff before - >gone
[ "$(grep -c '^[<>]' gone)" = 1 ] && grep -q '^< run/job/step-00000010.h5$' gone ||
    fail "not what should go: $(cat gone)"
expect 0 "$rf_bin" checkpoint prune --keep-last 1 run
said_once "3 removed" out
[ "$(cd run/job && ls | tr '\n' ' ')" = "latest notes.txt step-00000010.h5.bak step-00000030.h5 \
step-00000060.h5 step-00000070.h5 step-00000080.tmp step-9.h5 " ] ||
    fail "not what should stay: $(ls run/job)"
[ -e run/other/step-00000005.h5 ] || fail "the only checkpoint of another job is gone"
expect 2 "$rf_bin" checkpoint prune --keep-last 1 run/nowhere

# JSON
if have_python; then
    expect 1 "$rf_bin" checkpoint diff --json "$two" weights/step-00000002.h5
    [ "$(json out 'd["same"], d["tensors"], d["differing"], d["step_b"]')" = "(False, 108, 72, 2)" ] ||
        fail "diff --json"
    expect 1 "$rf_bin" checkpoint diff --json "$two" "$four"
    json out 'all(x["kind"] == "values" and 0 < x["differing"] <= x["elements"] and x["max_abs"] > 0
        and 0 < x["max_rel"] <= 2 for x in d["differences"]) or 1/0' >/dev/null || fail "diff --json"
    expect 0 "$rf_bin" checkpoint export --json "$two" j.safetensors
    [ "$(json out 'd["names"], d["dtype"], d["tensors"], d["left_out"]')" = "('gpt2', 'f32', 28, 72)" ] ||
        fail "export --json"
    [ "$(json out 'd["bytes"]')" = "$(wc -c <j.safetensors)" ] || fail "export --json: bytes"
    expect 0 "$rf_bin" checkpoint prune --json --dry-run --keep-every 60 run
    [ "$(json out 'd["dry_run"], len(d["removed"]), sorted(x["step"] for x in d["kept"])')" = \
        "(True, 0, [5, 30, 60, 70])" ] || fail "prune --json"
    expect 0 "$rf_bin" checkpoint import --json j.safetensors j
    [ "$(json out 'd["model"]')" = "$("$rf_bin" checkpoint show j/step-00000002.h5 |
        sed -n 's/^model *//p')" ] || fail "import --json"
fi
exit 0
