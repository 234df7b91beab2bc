# shellcheck shell=bash disable=SC2154 # sourced by testbed.sh, which sets dir, nodes, rate...
# daemons.sh - what runs: one process after the other, each known by its pid file and its name.

pid_of() { # pid_of PIDFILE PROGRAM: its pid, if it still is that program
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && echo "$pid"
}
runs() { pid_of "$dir/run/$1.pid" "$2" >/dev/null; } # runs NAME PROGRAM

wait_for() { # wait_for WHAT COMMAND...: until it succeeds, a minute at most
    local what=$1 end=$((SECONDS + 60))
    shift
    until "$@" >"$dir/log/wait" 2>&1; do
        [ "$SECONDS" -lt "$end" ] ||
            die 3 "$what does not come up; logs are in $dir/log: $(tail -n 1 "$dir/log/wait")"
        sleep 0.1
    done
    say "$what is up"
}

# ---- machines within the machine ---------------------------------------------------------------

link_of() { echo "rf$port$1"; }

# With its own network a node has one link to a bridge, and what leaves it is as slow as asked for.
make_network() {
    local bridge name
    [ -n "$rate" ] || return 0
    bridge=$(link_of br)
    if ! ip link show "$bridge" >/dev/null 2>&1; then
        ip link add "$bridge" type bridge
        ip addr add "$(address_of head)/24" dev "$bridge"
        ip link set "$bridge" up
    fi
    for ((i = 1; i <= nodes; i++)); do
        name=$(link_of "n$i")
        if [ ! -e "/run/netns/$name" ]; then
            ip netns add "$name"
            ip link add "$name" type veth peer name eth0 netns "$name"
            ip link set "$name" master "$bridge" up
            ip -n "$name" addr add "$(address_of "n$i")/24" dev eth0
            ip -n "$name" link set lo up
            ip -n "$name" link set eth0 up
        fi
        tc -n "$name" qdisc replace dev eth0 root tbf rate "$rate" burst 256kb latency 50ms
    done
}

remove_network() {
    for name in /run/netns/"$(link_of n)"*; do
        [ ! -e "$name" ] || ip netns del "${name##*/}"
    done
    ! ip link show "$(link_of br)" >/dev/null 2>&1 || ip link del "$(link_of br)"
}

# Own host name, because Open MPI names its files after it; own /dev/shm, because that is where
# they lie. nsenter, and not `ip netns exec`, which mounts another /sys.
inside() { # inside HOST COMMAND...
    local host=$1 door=()
    shift
    [ -z "$rate" ] || [ "$host" = head ] || door=(nsenter --net="/run/netns/$(link_of "$host")")
    # shellcheck disable=SC2016 # for the inner shell
    "${door[@]}" unshare --uts --mount sh -c '
        hostname "$1" && mount --bind "$2" /etc/hosts && mount -t tmpfs -o mode=1777 none /dev/shm &&
            shift 2 && exec "$@"' sh "$host" "$dir/etc/hosts" "$@" 9>&-
}

# ---- start -------------------------------------------------------------------------------------

start_munge() {
    runs munged munged || munged --key-file="$dir/munge/key" --socket="$dir/munge/socket" --force \
        --pid-file="$dir/run/munged.pid" --log-file="$dir/log/munged.log" \
        --seed-file="$dir/munge/seed" 9>&- 2>/dev/null
    wait_for munged munge -n -S "$dir/munge/socket"
}

sql() { mariadb --no-defaults -uroot -S "$dir/run/mariadb.sock" "$@"; }

# Nothing here has to survive a power cut, so nothing waits for the disk.
start_database() {
    if ! runs mariadb mariadbd; then
        [ -d "$dir/db/mysql" ] || mariadb-install-db --no-defaults --user=root --datadir="$dir/db" \
            --skip-test-db >"$dir/log/mariadb-install.log" 2>&1
        setsid mariadbd --no-defaults --user=root --datadir="$dir/db" --socket="$dir/run/mariadb.sock" \
            --pid-file="$dir/run/mariadb.pid" --bind-address=127.0.0.1 --port=$((port + 2)) \
            --innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync \
            --innodb-lock-wait-timeout=900 --skip-name-resolve \
            </dev/null >>"$dir/log/mariadb.log" 2>&1 9>&- &
    fi
    wait_for mariadb sql -e 'select 1'
    sql -e "CREATE USER IF NOT EXISTS slurm@127.0.0.1 IDENTIFIED BY '$(cat "$dir/etc/password")';
        GRANT ALL ON slurm_acct.* TO slurm@127.0.0.1;"
    runs slurmdbd slurmdbd || inside head slurmdbd
    wait_for slurmdbd sacctmgr -n show cluster
    sacctmgr -nP show cluster format=cluster | grep -qx testbed ||
        sacctmgr -i -Q add cluster testbed >/dev/null
}

start_node() { # start_node NODE
    local node=$1
    ! runs "slurmd.$node" slurmd || return 0
    # As after booting: what PMIx left of a job that died here would keep its next start from it.
    rm -rf "$dir/tmp/${node:?}"
    mkdir -p "$dir/spool/$node" "$dir/tmp/$node"
    chmod 1777 "$dir/tmp/$node"
    inside "$node" slurmd -N "$node"
}

all_ready() {
    [ "$(sinfo -hN -o %t | grep -cE '^(idle|mix|alloc|comp|resv|plnd)$')" -ge "$nodes" ]
}

start_all() {
    if [ "$changed" = 1 ]; then
        stop_nodes
        end slurmctld slurmctld 30
    fi
    make_network
    start_munge
    [ "$database" = 0 ] || start_database
    runs slurmctld slurmctld || inside head slurmctld
    wait_for slurmctld scontrol ping
    for ((i = 1; i <= nodes; i++)); do start_node "n$i"; done
    # A node that was down or drained in an earlier life is not so any more.
    scontrol update nodename="n[1-$nodes]" state=resume 2>/dev/null || true
    wait_for "each of $nodes nodes" all_ready
}

# ---- stop --------------------------------------------------------------------------------------

end() { # end NAME PROGRAM SECONDS: asks, waits, and kills what does not hear
    local pid
    if pid=$(pid_of "$dir/run/$1.pid" "$2"); then
        kill "$pid" 2>/dev/null || true
        for ((t = 0; t < $3 * 10; t++)); do
            [ -e "/proc/$pid" ] || break
            sleep 0.1
        done
        [ ! -e "/proc/$pid" ] || kill -KILL "$pid" 2>/dev/null || true
    fi
    rm -f "$dir/run/$1.pid"
}

node_names() {
    local file
    for file in "$dir"/run/slurmd.n*.pid; do
        [ -e "$file" ] || continue
        file=${file##*/slurmd.}
        echo "${file%.pid}"
    done
}

stop_nodes() {
    local node pid
    for node in $(node_names); do # all are told first: one alone takes a second or two
        ! pid=$(pid_of "$dir/run/slurmd.$node.pid" slurmd) || kill "$pid" 2>/dev/null || true
    done
    for node in $(node_names); do end "slurmd.$node" slurmd 15; done
}

# Steps outlive their slurmd, so jobs go first.
cancel_jobs() {
    local left
    for ((t = 0; t < 100; t++)); do
        left=$(timeout 5 squeue -h -o %A 2>/dev/null | sort -u | tr '\n' ' ') || break
        [ -n "$left" ] || break
        # shellcheck disable=SC2086 # a list of numbers
        [ $((t % 20)) != 0 ] || timeout 10 scancel $left 2>/dev/null || true
        sleep 0.1
    done
}

stop_all() {
    ! runs slurmctld slurmctld || cancel_jobs
    stop_nodes
    end slurmctld slurmctld 30
    end slurmdbd slurmdbd 30
    end mariadb mariadbd 30
    end munged munged 15
    remove_network
}

# ---- the rest ----------------------------------------------------------------------------------

list_daemons() { # 0 when everything runs
    local rc=0 name list=(munged:munged slurmctld:slurmctld)
    [ "$database" = 0 ] || list+=(mariadb:mariadbd slurmdbd:slurmdbd)
    for ((i = 1; i <= nodes; i++)); do list+=("slurmd.n$i:slurmd"); done
    for name in "${list[@]}"; do
        if ! runs "${name%:*}" "${name#*:}"; then
            echo "${name%:*} does not run"
            rc=1
        fi
    done
    return "$rc"
}

# Whatever has the node's host name, the slurmd last: it is how the others are told.
kill_node() { # kill_node NODE
    local pid own place
    pid=$(pid_of "$dir/run/slurmd.$1.pid" slurmd) || return 1
    place=$(readlink "/proc/$pid/ns/uts")
    for own in /proc/[0-9]*; do
        if [ "${own#/proc/}" != "$pid" ] && [ "$(readlink "$own/ns/uts" 2>/dev/null)" = "$place" ]; then
            kill -KILL "${own#/proc/}" 2>/dev/null || true
        fi
    done
    kill -KILL "$pid"
    rm -f "$dir/run/slurmd.$1.pid"
}
