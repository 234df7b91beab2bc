# The doctor says what is well and what is not, with what to do, and its exit code says whether anything
# fails; ten lines after a job, of a run and of Slurm's.
. "$(dirname "$0")/../lib.sh"

mkdir place
"$rf_bin" doctor --dir place >out 2>err
code=$?
[ $code -le 1 ] || fail "doctor ends with $code: $(cat err)"
grep -q '^fail' out && worst=1 || worst=0
[ $code -eq $worst ] || fail "exit code $code, and $(grep -c '^fail' out) failures"
for what in mpi ranks /dev/shm hdf5 processor bf16 openblas 'file system' room fsync rename locks slurm gnuplot key; do
    grep -qE "^(ok|warn|fail) +$what " out || fail "nothing is said of $what"
done
! grep -vqE '^(ok|warn|fail) ' out || fail "a finding takes more than a line"
! grep -E '^(warn|fail) ' out | grep -v -- ' -> ' || fail "a finding without what to do"
[ -z "$(ls -A place)" ] || fail "the doctor leaves files behind"

# a folder that is not there, a key that others can read: each fails alone
mkdir -p "$XDG_CONFIG_HOME/ringfence"
"$rf_bin" keygen "$XDG_CONFIG_HOME/ringfence/seal.key" 2>/dev/null || fail "no key"
expect 1 "$rf_bin" doctor --dir nowhere
grep -q "^fail  folder .*nowhere" out || fail "a folder that is not there is not found: $(cat out)"
chmod 644 "$XDG_CONFIG_HOME/ringfence/seal.key"
expect 1 "$rf_bin" doctor --dir place --json
grep -q '"health": "fail"' out || fail "no JSON of what fails"
if have_python; then
    [ "$(json out '[f["what"] for f in d["findings"] if f["what"] == "key" and f["health"] == "fail"]')" = "['key']" ] ||
        fail "a key that others can read is not found"
fi

# ---- seff ----

cp -r "$rf_src/tests/data/report" run
expect 0 "$rf_bin" seff run pretrain
grep -q '^device-time  *100 s allocated, 90 s used: 90.0 %' out || fail "device-time: $(cat out)"
grep -q '^pledge  *none' out || fail "a pledge of an account that has none"
[ "$(wc -l <out)" -eq 10 ] || fail "not ten lines: $(cat out)"
expect 0 "$rf_bin" seff run oversight.s0.weak
grep -q '^pledge  *alignment: 33.9 % received of 20.0 % promised; this job is 62.5 % of the budget' out ||
    fail "the pledge: $(cat out)"
grep -q '^waited  *2 s' out || fail "the wait: $(cat out)"
expect 0 "$rf_bin" seff run 1 --json
grep -q '"job": "oversight.s0.weak"' out || fail "no job by its number"
expect 0 "$rf_bin" seff run oversized
grep -q '^state  *denied (last reason: too-large)' out || fail "a denied job: $(cat out)"
expect 2 "$rf_bin" seff run nobody
said_once "has no job 'nobody'" err

# a run that goes: its last lines are not there yet
mkdir half
head -n 19 run/ledger.jsonl >half/ledger.jsonl
expect 0 "$rf_bin" seff half pretrain
grep -q '^warning: the job is not over' out || fail "no warning while a job runs: $(cat out)"

# Slurm's own jobs, from what sacct says
mkdir bin
cat >bin/sacct <<'END'
#!/bin/sh
[ "$2" = 42 ] && [ "$SLURM_TIME_FORMAT" = %s ] || exit 1
printf '42|REQUEUED|safety|train|8|100|06:40.000||4G|60|1700000000|PLACE|1699999990\n42|COMPLETED|safety|train|8|50|02:30.000||4G|60|1700000120|PLACE|1700000100\n42.0|COMPLETED|safety|train|8|50|02:30.000|1048576K||||\n'
END
sed -i "s,PLACE,$PWD,g" bin/sacct
touch -d @1700000160 run/ledger.jsonl
touch -d @1800000000 half/ledger.jsonl
chmod +x bin/sacct
expect 0 env PATH="$PWD/bin:$PATH" "$rf_bin" seff 42
grep -q '^processor-time  *20 min allocated, 9.17 min used: 45.8 %' out || fail "of Slurm: $(cat out)"
grep -q '^memory  *1.07 GB in the largest process, of 4.29 GB asked for' out || fail "memory: $(cat out)"
grep -q '^waited  *30 s; preempted 0 times, requeued 1 times, lost a node 0 times' out || fail "a requeued job: $(cat out)"
grep -q '^time  *2.83 min from the first start to the end, limit 60 min' out || fail "its time: $(cat out)"
grep -q '^MFU .*4.6e+10 FLOPs' out || fail "what its run did: $(cat out)"
[ "$(wc -l <out)" -eq 10 ] || fail "not ten lines: $(cat out)"
grep -q "^pledge  *alignment: 33.9 % received of 20.0 % promised, in $PWD/run\$" out || fail "the job's run: $(cat out)"
expect 3 env PATH="$PWD/bin:$PATH" "$rf_bin" seff 43
expect 2 "$rf_bin" seff run
said_once "is no number of a Slurm job" err
