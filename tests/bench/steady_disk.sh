#!/bin/bash
# steady_disk.sh BINARY [READ] [WRITE] [ROUNDS]: saving, loading and verifying beside a disk of a given speed.
#
# Virtual disks change their speed from one minute to the next, and then ratios say little. Here the
# disk is a file in memory behind a loop device, with ext4 on it, held by the kernel (cgroup blkio or io)
# to READ and WRITE bytes/s (default 1.3 GB/s each). Its copying takes processor time, which a real
# disk would not. Needs root and 10 GB of memory for the file besides what the benchmark takes.
set -eu
binary=$(realpath "$1")
read_bps=${2:-1300000000}
write_bps=${3:-1300000000}
rounds=${4:-5}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
[ "$(id -u)" = 0 ] || { echo "steady_disk.sh: needs root, for a loop device and its limits" >&2; exit 2; }
image=/dev/shm/rf-steady-$$.img
place=$(mktemp -d)
device= group=

end() {
    cd /
    [ -n "$device" ] && umount "$place" 2>/dev/null
    [ -n "$device" ] && losetup -d "$device"
    rm -f "$image"
    rmdir "$place"
    if [ -n "$group" ]; then # it may not be removed before we have left it
        echo $$ >"$(dirname "$group")/cgroup.procs"
        rmdir "$group"
    fi
}
trap end EXIT

limit() { # the device's numbers
    if [ -d /sys/fs/cgroup/blkio ]; then
        group=/sys/fs/cgroup/blkio/rf-steady-$$
        mkdir "$group"
        echo "$1 $read_bps" >"$group/blkio.throttle.read_bps_device"
        echo "$1 $write_bps" >"$group/blkio.throttle.write_bps_device"
    else
        group=/sys/fs/cgroup/rf-steady-$$
        echo +io >/sys/fs/cgroup/cgroup.subtree_control
        mkdir "$group"
        echo "$1 rbps=$read_bps wbps=$write_bps" >"$group/io.max"
    fi
    echo $$ >"$group/cgroup.procs"
}

truncate -s 9G "$image"
device=$(losetup -f --show "$image")
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$device"
mount "$device" "$place"
limit "$((0x$(stat -c %t "$device"))):$((0x$(stat -c %T "$device")))"
for ranks in 1 2 4; do
    mpirun --oversubscribe -n "$ranks" "$binary" bench checkpoint --rounds "$rounds" --steps 0 --dir "$place"
done
