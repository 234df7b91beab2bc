#!/bin/bash
# A disk that does not take a checkpoint: training says so and goes on, the checkpoint before stays
# and is chosen, and what was left half written is gone.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# train ARGUMENTS...: 60 steps, a checkpoint every 10; the exit code goes to $code
train() {
    timeout 120 mpirun --oversubscribe -n 2 "$rf_bin" train "$rf_src/tests/cli/small.cfg" \
        --set jobs.pretrain.train.steps=60 --set jobs.pretrain.train.checkpoint_every=10 "$@" \
        >out 2>err </dev/null
    code=$?
}

steps_in() { # the steps under final names in a directory
    local file list=
    for file in "$1"/step-*.h5; do
        [ -e "$file" ] && list="$list $((10#$(basename "$file" .h5 | cut -c 6-)))"
    done
    echo "${list# }"
}

no_leftovers() { # no_leftovers DIRECTORY
    ls "$1"/*.tmp >/dev/null 2>&1 && fail "left over: $(ls "$1"/*.tmp)"
}

# What stays: the newest two, and every thirtieth; and a link to the newest.
train --out keep --set jobs.pretrain.train.checkpoint_keep_every=30
[ $code -eq 0 ] || fail "training ends with $code: $(cat err)"
store=keep/checkpoints/pretrain
[ "$(steps_in $store)" = "30 50 60" ] || fail "kept: $(steps_in $store)"
[ "$(readlink $store/latest)" = step-00000060.h5 ] || fail "latest is $(readlink $store/latest)"
no_leftovers $store

# A damaged newest file: the one before is taken, and training ends in the same state.
cp -r keep mended
printf 'xxxx' | dd of=mended/checkpoints/pretrain/step-00000060.h5 bs=1 seek=100000 conv=notrunc \
    status=none
train --out mended --resume --set jobs.pretrain.train.checkpoint_keep_every=30
[ $code -eq 0 ] || fail "training does not go on behind a damaged file: $code, $(cat err)"
grep -q "is damaged: tensor .*going on from '.*step-00000050.h5'" err ||
    fail "nothing is said of the damage: $(cat err)"
cmp -s mended/checkpoints/pretrain/step-00000060.h5 keep/checkpoints/pretrain/step-00000060.h5 ||
    fail "training on from step 50 gives another step 60"

# A full file system, and one that may only be read: needs the right to mount.
cp -r keep full
store=full/checkpoints/pretrain
rm $store/*
if mount -t tmpfs -o size=3000k tmpfs $store 2>/dev/null; then
    trap 'umount -l "$rf_work/full/checkpoints/pretrain"; rm -rf "$rf_work"' EXIT
    cp keep/checkpoints/pretrain/step-00000030.h5 $store
    head -c 1500000 /dev/zero >$store/filler
    train --out full --resume --set jobs.pretrain.train.checkpoint_keep_every=30
    [ $code -eq 3 ] || fail "a full disk ends with $code: $(cat err)"
    grep -q "no checkpoint of step 40: cannot write .*training goes on" err ||
        fail "nothing is said of the full disk: $(cat err)"
    [ "$(steps_in $store)" = 30 ] || fail "step 30 should be left: $(steps_in $store)"
    no_leftovers $store
    rm $store/filler
    mount -o remount,ro,size=8m $store
    train --out full --resume --set jobs.pretrain.train.checkpoint_keep_every=30
    [ $code -eq 3 ] || fail "a read-only directory ends with $code: $(cat err)"
    grep -q "no checkpoint of step 40: .*Read-only file system; training goes on" err ||
        fail "nothing is said of the read-only directory: $(cat err)"
    [ "$(steps_in $store)" = 30 ] || fail "step 30 should be left: $(steps_in $store)"
    mount -o remount,rw,size=8m $store
    train --out full --resume --set jobs.pretrain.train.checkpoint_keep_every=30
    [ $code -eq 0 ] || fail "with room again training ends with $code: $(cat err)"
    cmp -s $store/step-00000060.h5 keep/checkpoints/pretrain/step-00000060.h5 ||
        fail "training on from step 30 gives another step 60"
fi
exit 0
