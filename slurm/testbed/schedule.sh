#!/bin/bash
# schedule.sh BINARY [JOBS [SEED [SCALE]]] - how far is a simulated schedule from Slurm's own? On the test bed that SLURM_CONF
# names, with 16 devices.
#
# JOBS (200) jobs of 1 to 16 devices and 1 to 15 seconds, hours in truth perhaps, are submitted one and a half
# seconds apart on average; with SCALE all of this takes so many times as long. A device is one task with one GPU, so that a job may lie
# anywhere, as in the simulator. What sacct says is then simulated: the same submissions, sizes,
# limits and measured run times, and the simulator's own decisions. Writes to the working directory.
set -euo pipefail
bin=$1 jobs=${2:-200} seed=${3:-1} scale=${4:-1}
export TZ=UTC

cat >schedule.job <<'END_OF_JOB'
#!/bin/bash
sleep "$1"
END_OF_JOB
# Park and Miller's generator, so that every awk draws the same.
awk -v n="$jobs" -v x="$seed" -v scale="$scale" 'function draw(m) { x = (x * 16807) % 2147483647; return x % m }
    BEGIN {
        draw(2); draw(2)
        for (i = 0; i < n; i++) {
            size = draw(10) < 5 ? 1 + draw(2) : draw(10) < 8 ? 3 + draw(4) : 8 + draw(9)
            print scale * draw(30) / 10, size, scale * (1 + draw(15)), scale * (1 + draw(3))
        }
    }' >schedule.txt

began=$(date +%FT%T)
while read -r pause size run limit; do
    sleep "$pause"
    sbatch -Q -J schedule -n "$size" --gpus-per-task=1 -t "$limit" -o /dev/null schedule.job "$run"
done <schedule.txt
while [ -n "$(squeue -h -n schedule)" ]; do sleep 2; done
sacct -aDXP -S "$began" -E now --name=schedule -o JobID,State,Submit,Eligible,Start,End,ElapsedRaw,TimelimitRaw,AllocTRES,ReqTRES >schedule.sacct

# Both in order of submission, seconds since the first one.
awk -F'|' 'NR > 1 { print $3, $1, $5 }' schedule.sacct | sort -k1,1 -k2,2n | while read -r submit _ start; do
    echo "$(date -d "$submit" +%s) $(date -d "$start" +%s)"
done | awk 'NR == 1 { t = $1 } { print $1 - t, $2 - t }' >schedule.real
echo "jobs $jobs, seed $seed, scale $scale: makespan $(awk '{ if ($2 > m) m = $2 } END { print m }' schedule.real) s to the last start, mean wait $(awk '{ w += $2 - $1 } END { printf "%.1f", w / NR }' schedule.real) s"
for how in "easy" "easy --reserve-depth -1" "conservative" "fcfs"; do
    # shellcheck disable=SC2086 # an order and an option
    "$bin" simulate --trace schedule.sacct --format sacct --devices 16 --order $how --schedule schedule.csv -q >/dev/null
    awk -F, 'NR > 1 { print $2, $3 }' schedule.csv | paste -d' ' schedule.real - | awk -v how="$how" '
        { d = $2 - $4; a = d < 0 ? -d : d; bias += d; sum += a; list[NR] = a; wait += $4 - $3; if ($1 - $3 > 1 || $3 - $1 > 1) bad++ }
        END {
            n = NR
            for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
            printf "%-24s start differs by %.1f s in the mean, median %.1f, 95 %% %.1f, most %.1f; later in Slurm by %.1f; mean wait simulated %.1f s%s\n", \
                how, sum / n, list[int((n + 1) / 2)], list[int(n * 0.95)], list[n], bias / n, wait / n, bad ? " (rows do not match!)" : ""
        }'
done
