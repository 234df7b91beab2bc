#!/bin/bash
# bed.sh start|stop SOURCE DIR - the test bed that the tests beside this file share. Where it cannot be
# started the reason is printed and kept, and the exit code is 77: skipped.
set -u
verb=$1 source=$2 dir=$3
case $verb in
start)
    rm -f "$dir.skipped"
    bash "$source/slurm/testbed/testbed.sh" start --dir "$dir" 2>&1 | tee "$dir.log"
    code=${PIPESTATUS[0]}
    [ "$code" != 77 ] || tail -n 1 "$dir.log" >"$dir.skipped"
    exit "$code"
    ;;
stop)
    [ ! -e "$dir.skipped" ] || { cat "$dir.skipped"; exit 77; }
    bash "$source/slurm/testbed/testbed.sh" stop --purge --dir "$dir"
    rm -f "$dir.log"
    ;;
esac
