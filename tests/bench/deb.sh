#!/bin/bash
# deb.sh PACKAGE.deb [MIRROR]: installs the package into a minimal Debian 12 that it makes, and runs it there.
#
#     cmake --build --preset release --target package
#     sudo tests/bench/deb.sh build/release/packages/ringfence_*_amd64.deb
#
# Needs root, debootstrap and Debian's archive (MIRROR, by default the first that apt uses); some
# minutes, and 1.5 GB in $TMPDIR, removed at the end. What apt is told about the way to the
# archive (proxies) is passed on.
set -eu
deb=$(realpath "$1")
mirror=${2:-$(apt-get indextargets --format '$(SITE)' 2>/dev/null | head -n 1)}
root=$(mktemp -d "${TMPDIR:-/var/tmp}/ringfence-deb.XXXXXX")
cleanup() {
    umount -l "$root/proc" "$root/sys" "$root/dev/shm" 2>/dev/null || true
    rm -rf "$root"
}
trap cleanup EXIT
chmod 755 "$root" # what becomes the root folder of others

proxy=$(apt-config dump Acquire::http::Proxy 2>/dev/null | sed -n 's/.*"\(.*\)";/\1/p' | head -n 1)
[ -z "$proxy" ] || export http_proxy=$proxy
start=$SECONDS
debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -n 5 "$root.log"; rm -f "$root.log"; exit 3; }
rm -f "$root.log"
echo "debootstrap: $((SECONDS - start)) s"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/dev/shm"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys" # Open MPI looks for cores there
mount -t tmpfs tmpfs "$root/dev/shm"
cp "$deb" "$root/ringfence.deb"

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    ${http_proxy:+http_proxy="$http_proxy"} DEBIAN_FRONTEND=noninteractive "$@"; }
start=$SECONDS
inside apt-get update -qq
inside apt-get install -y -qq /ringfence.deb >"$root/apt.log" 2>&1 || { tail -n 15 "$root/apt.log"; exit 1; }
echo "apt-get install: $((SECONDS - start)) s, $(inside dpkg-query -f '.\n' -W | wc -l) packages in all"

# As a user, who has no right to anything but his home.
inside useradd --create-home --shell /bin/bash user
as_user() { inside su user -c "cd; $1"; }
as_user 'ringfence --version'
start=$SECONDS
as_user 'mpirun --oversubscribe -n 3 ringfence run /usr/share/ringfence/configs/quickstart.cfg --quiet' |
    tail -n 12 || echo "a pledge was broken, or the run failed"
echo "the quickstart: $((SECONDS - start)) s"
as_user 'ringfence ledger verify runs/quickstart/ledger.jsonl && test -s runs/quickstart/report.html'
as_user 'ringfence audit runs/quickstart/ledger.jsonl' | sed -n 1p # a machine that is paused breaks a promise
as_user 'test -s /usr/share/bash-completion/completions/ringfence'
inside apt-get purge -y -qq ringfence >/dev/null 2>&1
left=$(cd "$root" && find usr -ipath '*ringfence*' | sed -n 1,3p)
[ -z "$left" ] || { echo "left after purge: $left"; exit 1; }
echo "installed, ran as a user, and is gone"
