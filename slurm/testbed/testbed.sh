#!/bin/bash
# testbed.sh - a real Slurm on one Debian machine: accounting, QOS, GPUs, any number of nodes.
#
# Each node is a slurmd that believes to be on a machine of its own: own host name, own hosts
# file, own shared memory, and with --rate an own network whose link is as slow as asked for.
# What runs already is left alone, so starting twice is fine; a changed configuration restarts
# slurmctld and the nodes, and jobs survive that. README.md beside this file says what is true of
# such nodes and what is not.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=slurm/testbed/configuration.sh
. "$here/configuration.sh"
# shellcheck source=slurm/testbed/daemons.sh
. "$here/daemons.sh"

usage() {
    cat <<'END_OF_USAGE'
usage: testbed.sh start [OPTION...]   install what is missing, start what does not run
       testbed.sh stop [--purge]      end what was started; with --purge forget all jobs as well
       testbed.sh status              what runs; exit code 0 when everything does, else 1
       testbed.sh fail NODE           kill the node with all that runs on it, as a power cut
                                      does; start brings it back

  --dir DIR      where everything lies (default /var/tmp/ringfence-slurm); a folder per test bed,
                 which remembers the other options for the next start
  --nodes N      nodes n1 to nN (default 4)
  --cpus C       processors that each node claims to have (default 4)
  --gpus G       GPUs that each node claims to have (default 4; 0: none)
  --rate R       each node in its own network namespace behind a link of that rate, as tc
                 writes it: 100mbit, 1gbit, 10gbit
  --bare         without slurmdbd and its database: up in a second, but no accounts, no QOS
  --port P       the first of its ports (default: a free range)
  --conf FILE    further lines for slurm.conf

After that:  . DIR/env.sh  and use sbatch, srun, sacct, sacctmgr as on any cluster.
Exit codes: 0 done; 1 not everything runs; 2 usage; 3 a daemon does not come up; 77 cannot be
run here, and why.
END_OF_USAGE
}

say() { awk -v a="$began" -v b="$EPOCHREALTIME" -v m="$*" 'BEGIN { printf "[%5.1f s] %s\n", b - a, m }'; }
die() { # die CODE WORDS...
    local code=$1
    shift
    echo "testbed: $*" >&2
    exit "$code"
}
refuse() { die 2 "$*; see testbed.sh help"; }

whole() { # whole NAME VALUE MIN MAX
    if ! [[ $2 =~ ^[0-9]{1,6}$ ]] || [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
        refuse "--$1: expected a whole number from $3 to $4, got '$2'"
    fi
}

# What start was told is kept in the folder, for the other verbs and for the next start.
take_options() {
    local given at
    dir=/var/tmp/ringfence-slurm nodes=4 cpus=4 gpus=4 rate="" database=1 port="" conf="" purge=0 failing=""
    for ((at = 1; at < $#; at++)); do
        if [ "${!at}" = --dir ]; then dir=${*:at+1:1}; fi
    done
    if [[ $dir =~ ^/[A-Za-z0-9._/-]+$ ]] && [ -r "$dir/settings" ]; then read_settings; fi
    while [ $# -gt 0 ]; do
        given=$1
        case $given in
        --bare) database=0 ;;
        --purge) purge=1 ;;
        --dir | --nodes | --cpus | --gpus | --rate | --port | --conf)
            [ $# -ge 2 ] || refuse "$given wants a value"
            printf -v "${given#--}" '%s' "$2"
            shift
            ;;
        -*) refuse "unknown option '$given'" ;;
        *)
            if [ "$verb" != fail ] || [ -n "$failing" ]; then refuse "unexpected '$given'"; fi
            failing=$given
            ;;
        esac
        shift
    done
    whole nodes "$nodes" 1 180
    whole cpus "$cpus" 1 1024
    whole gpus "$gpus" 0 64
    [ -z "$port" ] || whole port "$port" 1024 65000
    [[ $rate =~ ^([0-9]+[kmg]?bit)?$ ]] || refuse "--rate: expected a rate as 1gbit, got '$rate'"
    [ -z "$conf" ] || [ -r "$conf" ] || refuse "cannot read '$conf'"
    [ "${#dir}" -le 60 ] || refuse "--dir: too long for the sockets in it: '$dir'"
    [[ $dir =~ ^/[A-Za-z0-9._/-]+$ ]] || refuse "--dir: expected a plain absolute path, got '$dir'"
}

# ---- can it be run here, and with which packages ---------------------------------------------

# Sets reason to why not.
can_run() {
    reason=""
    if [ "$(id -u)" != 0 ]; then
        reason="not root"
    elif ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        reason="not a Debian system"
    elif ! unshare --uts --mount sh -c 'hostname n1 && mount -t tmpfs none /dev/shm' 2>/dev/null; then
        reason="the machine allows no namespaces"
    fi
    [ -z "$reason" ]
}

# Packages of daemons want to start them at once; a policy of 101 says no, and is taken away again.
install_packages() {
    local log policy=/usr/sbin/policy-rc.d wanted=(slurmctld slurmd slurm-client munge iproute2) missing=() rc=0
    [ "$database" = 0 ] || wanted+=(slurmdbd mariadb-server slurm-wlm-mysql-plugin)
    for package in "${wanted[@]}"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    log=$(mktemp)
    [ ! -e $policy ] || policy=""
    [ -z "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy; }
    apt_get update >"$log" 2>&1 && apt_get install "${missing[@]}" >>"$log" 2>&1 || rc=1
    [ -z "$policy" ] || rm -f "$policy"
    [ "$rc" = 0 ] || reason="packages cannot be installed (${missing[*]}): $(tail -n 1 "$log")"
    rm -f "$log"
    return "$rc"
}

apt_get() { # apt_get VERB PACKAGE...
    local verb=$1
    shift
    [ "$verb" = update ] || set -- --no-install-recommends "$@"
    DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o Acquire::Retries=3 \
        -o DPkg::Lock::Timeout=120 "$verb" "$@" </dev/null
}

# ---- the verbs ---------------------------------------------------------------------------------

start() {
    can_run || die 77 "cannot be run here: $reason"
    install_packages || die 77 "cannot be run here: $reason"
    say "packages are there"
    mkdir -p "$dir"
    exec 9>"$dir/lock" # two starts at once take turns; not for the daemons, see daemons.sh
    flock 9
    choose_port
    write_configuration
    export SLURM_CONF=$dir/etc/slurm.conf
    start_all
    say "up: . $dir/env.sh"
}

stop() {
    if [ -d "$dir/run" ]; then
        read_settings
        export SLURM_CONF=$dir/etc/slurm.conf
        stop_all
        say "stopped"
    else
        say "nothing runs in $dir"
    fi
    if [ "$purge" = 1 ] && [ -e "$dir/settings" ]; then rm -rf "$dir"; fi
}

status() {
    local rc=0
    [ -e "$dir/settings" ] || { say "nothing runs in $dir"; return 1; }
    read_settings
    export SLURM_CONF=$dir/etc/slurm.conf
    list_daemons || rc=1
    [ "$rc" = 1 ] || timeout 10 sinfo -N -o '%N %t %c %G'
    return "$rc"
}

fail() {
    [ -n "$failing" ] || refuse "fail which node?"
    [ -e "$dir/run/slurmd.$failing.pid" ] || die 1 "there is no node '$failing' in $dir"
    kill_node "$failing" || die 1 "node '$failing' does not run"
}

began=$EPOCHREALTIME
verb=${1:-help}
[ $# -eq 0 ] || shift
case $verb in
start | stop | status | fail)
    take_options "$@"
    "$verb"
    ;;
help | -h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
