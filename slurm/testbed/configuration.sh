# shellcheck shell=bash disable=SC2154 # sourced by testbed.sh, which sets dir, nodes, cpus...
# configuration.sh - what the files of a test bed say.

address_of() { # address_of NODE: n1, n2... or head
    if [ -z "$rate" ]; then
        echo 127.0.0.1
    elif [ "$1" = head ]; then
        echo "10.77.$subnet.254"
    else
        echo "10.77.$subnet.${1#n}"
    fi
}

# The ports of a test bed: slurmctld, slurmdbd, MariaDB, and from +10 on a slurmd each.
choose_port() {
    local kept=""
    [ ! -e "$dir/settings" ] || kept=$(sed -n 's/^port=//p' "$dir/settings")
    port=${port:-$kept}
    for ((try = 17300; try < 30000; try += 200)); do
        [ -z "$port" ] || break
        (: <>"/dev/tcp/127.0.0.1/$try") 2>/dev/null || (: <>"/dev/tcp/127.0.0.1/$((try + 2))") 2>/dev/null || port=$try
    done
    subnet=$((port / 200 % 256))
}

read_settings() {
    # shellcheck disable=SC1091 # written by write_configuration
    . "$dir/settings"
    subnet=$((port / 200 % 256))
}

secret() { # secret FILE BYTES: made once, for root alone
    [ -s "$1" ] || (umask 077 && head -c "$2" /dev/urandom | base64 -w 0 | tr -d '/+=' >"$1")
}

# Addresses: loopback everywhere where the machine's own name leads there; slurmctld and slurmdbd
# are on a host of their own name, "head", and so always where they should be.
listening() {
    local how=NoCtldInAddrAny
    if [ -z "$rate" ] && getent ahostsv4 "$(hostname)" | grep -q '^127\.0\.0\.1 '; then
        how=$how,NoInAddrAny
    fi
    echo "$how"
}

slurm_conf() {
    cat <<END_OF_CONF
ClusterName=testbed
SlurmctldHost=head($(address_of head))
SlurmctldPort=$port
SlurmUser=root
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdPidFile=$dir/run/slurmd.%n.pid
SlurmdLogFile=$dir/log/slurmd.%n.log
SlurmdSpoolDir=$dir/spool/%n
StateSaveLocation=$dir/state
MailProg=/bin/true
CommunicationParameters=$(listening)
# A requeued job may start again after 10 s; with the default lifetime of credentials after 120.
AuthInfo=socket=$dir/munge/socket,cred_expire=10
# Open MPI's folder for a job lies below TmpFS, and two nodes must not share it.
TmpFS=$dir/tmp/%n
MpiDefault=pmix
# The machine has neither cgroups nor as many processors as the nodes claim.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
# Seconds where clusters have minutes.
SchedulerParameters=sched_interval=3,bf_interval=3,bf_resolution=1,batch_sched_delay=1,bf_continue,bf_max_job_test=500,default_queue_depth=500
SlurmctldParameters=preempt_send_user_signal
SlurmdTimeout=30
# On a busy machine an answer may take its time.
MessageTimeout=100
KillWait=5
# What ringfence exits with after a checkpoint.
RequeueExit=85
ReturnToService=2
MinJobAge=3600
END_OF_CONF
    [ "$gpus" = 0 ] || echo "GresTypes=gpu"
    for ((i = 1; i <= nodes; i++)); do
        printf 'NodeName=n%d NodeAddr=%s Port=%d CPUs=%d CoresPerSocket=%d RealMemory=4000' \
            "$i" "$(address_of "n$i")" $((port + 10 + i)) "$cpus" "$cpus"
        if [ "$gpus" = 0 ]; then echo; else echo " Gres=gpu:$gpus"; fi
    done
    if [ "$database" = 1 ]; then accounting_conf; else
        echo "PartitionName=main Nodes=ALL Default=YES State=UP"
    fi
    [ -z "$conf" ] || cat "$conf"
}

accounting_conf() {
    cat <<END_OF_CONF
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=$(address_of head)
AccountingStoragePort=$((port + 1))
AccountingStoragePass=$dir/munge/socket
AccountingStorageEnforce=associations,limits,qos,safe
AccountingStoreFlags=job_comment
PriorityType=priority/multifactor
PriorityWeightQOS=10000
PriorityWeightFairshare=5000
PriorityWeightAge=1000
PreemptType=preempt/qos
PreemptMode=REQUEUE
END_OF_CONF
    if [ "$gpus" = 0 ]; then
        echo "PartitionName=main Nodes=ALL Default=YES State=UP"
    else
        echo "AccountingStorageTRES=gres/gpu"
        echo 'PartitionName=main Nodes=ALL Default=YES State=UP TRESBillingWeights="CPU=1.0,GRES/gpu=8.0"'
    fi
}

slurmdbd_conf() {
    cat <<END_OF_CONF
AuthInfo=socket=$dir/munge/socket
CommunicationParameters=NoInAddrAny
DbdHost=head
DbdAddr=$(address_of head)
DbdPort=$((port + 1))
SlurmUser=root
PidFile=$dir/run/slurmdbd.pid
LogFile=$dir/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((port + 2))
StorageUser=slurm
StoragePass=$(cat "$dir/etc/password")
StorageLoc=slurm_acct
END_OF_CONF
}

hosts_file() {
    echo "127.0.0.1 localhost"
    echo "$(address_of head) head"
    for ((i = 1; i <= nodes; i++)); do echo "$(address_of "n$i") n$i"; done
    if [ -z "$rate" ]; then echo "127.0.0.1 $(hostname)"; fi
}

write_configuration() {
    mkdir -p "$dir"/{etc,run,log,state,spool,tmp,munge,gpu}
    chmod 755 "$dir" "$dir"/{etc,run,log,spool,tmp,gpu}
    chmod 711 "$dir/munge"
    chmod 700 "$dir/state"
    secret "$dir/munge/key" 1024
    secret "$dir/etc/password" 18
    for name in port nodes cpus gpus rate database conf; do
        printf '%s=%q\n' "$name" "${!name}"
    done >"$dir/settings"
    changed=0
    slurm_conf >"$dir/etc/slurm.conf.new"
    cmp -s "$dir/etc/slurm.conf.new" "$dir/etc/slurm.conf" || changed=1
    mv "$dir/etc/slurm.conf.new" "$dir/etc/slurm.conf"
    hosts_file >"$dir/etc/hosts"
    (umask 077 && slurmdbd_conf >"$dir/etc/slurmdbd.conf")
    # GPUs have to be character devices; these are what /dev/null is.
    : >"$dir/etc/gres.conf"
    for ((i = 0; i < gpus; i++)); do
        [ -c "$dir/gpu/nv$i" ] || mknod "$dir/gpu/nv$i" c 1 3
    done
    [ "$gpus" = 0 ] || echo "Name=gpu File=$dir/gpu/nv[0-$((gpus - 1))]" >"$dir/etc/gres.conf"
    # The default fence of this version lets ranks out before the last has come in, and MPI_Init
    # then crashes now and then.
    echo "PMIxCollFence=ring" >"$dir/etc/mpi.conf"
    # Read although nothing uses it; version 1 is happy where no cgroup is mounted.
    echo "CgroupPlugin=cgroup/v1" >"$dir/etc/cgroup.conf"
    cat >"$dir/env.sh" <<END_OF_ENV
# For shells that use the test bed. More ranks than cores: they had better yield than spin.
export SLURM_CONF=$dir/etc/slurm.conf OMPI_MCA_mpi_yield_when_idle=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
END_OF_ENV
}
