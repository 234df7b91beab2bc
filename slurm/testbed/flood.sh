#!/bin/bash
# flood.sh BINARY [JOBS [SECONDS]] - a promise under pressure, on the test bed that SLURM_CONF names.
#
# `slurm apply` turns a pledge of a quarter (configuration below) into Slurm's own objects. Then
# capability fills the machine and its queue with JOBS jobs of SECONDS, and when nothing is free alignment comes
# with twice its share. What sacct says afterwards is imported and audited, alone and together
# with the ledger. Writes to the working directory; prints figures; exit code 0 when the pledge
# was kept and the first four alignment jobs had their devices within the grace and ten
# seconds (for the scheduler's own rounds), else 1.
set -euo pipefail
bin=$1 jobs=${2:-24} seconds=${3:-20}
grace=5

say() { echo "flood: $*"; }
figure() { # figure COLUMN...: sacct's rows of alignment or capability
    sacct -nXP -D --starttime "$began" --endtime now "$@"
}
used() { squeue -h -t running,completing -O tres-alloc:200 | grep -o 'gres/gpu=[0-9]*' | awk -F= '{ n += $2 } END { print n + 0 }'; }

cat >flood.cfg <<END_OF_CFG
policy = { order = "easy"; fence = "floor"; reclaim_grace_s = $grace; };
pledges = ( { account = "alignment"; share = "1/4"; window_s = $((seconds + 10)); tolerance_s = 15; } );
END_OF_CFG
cat >flood.job <<'END_OF_JOB'
#!/bin/bash
# Stops at once when asked to, as if after a checkpoint; 85 puts it back into the queue.
trap 'kill %1; exit 85' USR1
sleep "$1" &
wait
END_OF_JOB

"$bin" slurm apply flood.cfg >apply.out
"$bin" slurm apply flood.cfg | grep -qx 'nothing to change'
for account in alignment capability; do
    sacctmgr -nP show assoc account=$account user="$(id -un)" format=user | grep -q . ||
        sacctmgr -i -Q add user "$(id -un)" account=$account >/dev/null
done

began=$(date +%FT%T)
submit() { # submit ACCOUNT GPUS SECONDS
    sbatch -Q -A "$1" -n 1 --gres="gpu:$2" -t 10 --requeue --signal=B:USR1@1 --open-mode=append \
        -o "flood-$1.out" -J "flood-$1" flood.job "$3"
}
for ((i = 0; i < jobs; i++)); do submit capability 2 "$seconds"; done
for ((t = 0; t < 60; t++)); do
    [ "$(used)" -lt 16 ] || break
    sleep 0.5
done
say "capability holds $(used) of 16 GPUs, $(squeue -h -t pending | wc -l) of its jobs wait"
arrived=$(date +%s)
for ((i = 0; i < 8; i++)); do submit alignment 1 $((seconds * 3 / 4)); done
while [ -n "$(squeue -h -n flood-alignment)" ] && [ $(($(date +%s) - arrived)) -lt 120 ]; do sleep 1; done
scancel -n flood-capability
for ((t = 0; t < 60; t++)); do
    [ -n "$(squeue -h)" ] || break
    sleep 0.5
done

# Slurm's times are local ones without a zone: everybody takes the same zone.
columns=JobID,JobName,Account,QOS,State,Submit,Eligible,Start,End,ElapsedRaw,TimelimitRaw,AllocTRES,ReqTRES
sacct -aDXP -S "$began" -E now -o $columns >sacct.txt
sacctmgr -P show event start="$began" format=NodeName,TimeStart,TimeEnd,State,TRES >events.txt
rm -f flood.jsonl*
"$bin" slurm import sacct.txt --events events.txt --policy flood.cfg --devices 16 --out flood.jsonl --name flood
verdict=0
"$bin" audit flood.jsonl >audit.txt || verdict=$?
together=0
"$bin" audit flood.jsonl --sacct sacct.txt >audit-together.txt || together=$?

slowest=$(figure -A alignment -o Submit,Start | sort -t'|' -k2 | head -n 4 | while IFS='|' read -r submit start; do
    echo $(($(date -d "$start" +%s) - $(date -d "$submit" +%s)))
done | sort -n | tail -n 1)
say "alignment's first four devices came after $slowest s (grace $grace s)"
say "stopped for them: $(figure -A capability -o State | grep -cE 'PREEMPTED|REQUEUED' || true) runs of capability"
say "audit of sacct alone: exit code $verdict; of ledger and sacct together: $together"
grep -E '^(verdict|  alignment)' audit.txt || head -n 12 audit.txt
[ "$slowest" -le $((grace + 10)) ] && [ "$verdict" = 0 ] && [ "$together" = 0 ]
