#!/bin/bash
# ringfence checkpoint reshard: the same content from any number of ranks, other types, no moments.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

content() { # content FILE: after every value was checked
    "$rf_bin" checkpoint verify "$1" 2>&1 | sed -n 's/^sound *\([0-9a-f]*\) .*/\1/p'
}

timeout 120 mpirun --oversubscribe -n 2 "$rf_bin" train "$rf_src/tests/cli/small.cfg" --out run \
    --set jobs.pretrain.train.steps=4 >out 2>err </dev/null || fail "training: $(cat err)"
file=run/checkpoints/pretrain/step-00000004.h5
whole=$(content $file)
[ -n "$whole" ] || fail "$file is not sound"

for n in 1 3; do
    expect 0 ranks $n checkpoint reshard $file again-$n
    [ "$(content again-$n/step-00000004.h5)" = "$whole" ] || fail "$n ranks change the content"
done
expect 0 "$rf_bin" checkpoint diff $file again-3/step-00000004.h5
[ "$(readlink again-1/latest)" = step-00000004.h5 ] || fail "nothing is said to be the latest"

# Smaller: moments in two bytes, or none. Widened again they are what rounding left.
expect 0 ranks 2 checkpoint reshard --dtype bf16 $file half
expect 0 "$rf_bin" checkpoint reshard --dtype bf16 $file half-1
[ "$(content half/step-00000004.h5)" = "$(content half-1/step-00000004.h5)" ] ||
    fail "two bytes a value depend on the ranks"
expect 0 "$rf_bin" checkpoint reshard --dtype f32 half/step-00000004.h5 wide
expect 0 "$rf_bin" checkpoint reshard --dtype bf16 wide/step-00000004.h5 half-again
[ "$(content half/step-00000004.h5)" = "$(content half-again/step-00000004.h5)" ] ||
    fail "rounding twice is not rounding once"
[ "$(stat -c %s half/step-00000004.h5)" -lt "$(stat -c %s $file)" ] || fail "half is not smaller"
expect 0 "$rf_bin" checkpoint reshard --weights-only $file weights
"$rf_bin" checkpoint show weights/step-00000004.h5 | grep -q '^[mv]/' && fail "moments are left"
expect 0 "$rf_bin" checkpoint reshard --json $file json
grep -q "\"content\": \"$whole\"" out || fail "no content in $(cat out)"

# A damaged file is not written anew.
cp $file bad.h5
printf 'xxxx' | dd of=bad.h5 bs=1 seek=100000 conv=notrunc status=none
expect 1 ranks 2 checkpoint reshard bad.h5 nowhere
grep -q "is damaged: tensor '.*', rows" err || fail "the damage is not named: $(cat err)"
ls nowhere/* >/dev/null 2>&1 && fail "something was written: $(ls nowhere)"
expect 2 "$rf_bin" checkpoint reshard $file
expect 2 "$rf_bin" checkpoint reshard --dtype f16 $file other
expect 2 "$rf_bin" checkpoint reshard "$rf_src/LICENSE" other
exit 0
