# ringfence slurm without a Slurm: the plan for a new cluster, what is refused and how, programs that are
# not there, fail or do not do what they say; and a ledger made of a table, judged.
. "$(dirname "$0")/../lib.sh"

cat >policy.cfg <<'END_OF_CFG'
policy = { order = "easy"; fence = "floor"; reclaim_grace_s = 10; };
pledges = ( { account = "alignment.w2s"; share = "1/4"; window_s = 60; tolerance_s = 5; } );
END_OF_CFG
: >nothing.cfg

# A plan for a cluster that has nothing of it yet is a script of commands and comments, the same each time.
expect 0 "$rf_bin" slurm plan policy.cfg --new --devices 16
bash -n out || fail "the plan is no script"
grep -v '^#' out | grep -v '^$' | grep -vqE '^(sacctmgr -i|scontrol) ' && fail "something else than Slurm's commands"
said_once "sacctmgr -i add account alignment_w2s parent=alignment description=ringfence organization=ringfence" out
said_once "priority=1000 preempt=rf-lent grptres=gres/gpu=4" out
cp out first
expect 0 "$rf_bin" slurm plan policy.cfg --new --devices 16
cmp -s out first || fail "another plan the second time"
expect 1 "$rf_bin" slurm plan policy.cfg --new --devices 16 --check
expect 0 "$rf_bin" slurm plan policy.cfg --new --devices 16 --device cpu --others rest --json
if have_python; then
    [ "$(json out 'd["device"], d["commands"][0]["args"][0], len(d["not_expressible"]) > 4')" = "('cpu', 'sacctmgr', True)" ] ||
        fail "the document says otherwise"
fi

refused() { # refused SENTENCE ARGUMENT...
    local sentence=$1
    shift
    expect 2 "$rf_bin" slurm "$@"
    said_once "$sentence" err
}
refused "'slurm' has no verb 'explain'" explain policy.cfg
refused "'plan' takes a configuration" plan
refused "--new needs --devices" plan policy.cfg --new
refused "'apply' does not take --new" apply policy.cfg --new --devices 4
refused "'plan' does not take --out" plan policy.cfg --new --devices 4 --out x
refused "nothing.cfg: " plan nothing.cfg --new --devices 16
refused "--device is gres/gpu, cpu or node, not 'disk'" plan policy.cfg --new --devices 16 --device disk
refused "'alignment.w2s' is promised something" plan policy.cfg --new --devices 16 --others alignment_w2s
refused "needs a horizon" plan policy.cfg --new --devices 16 --set policy.fence=stock

# Slurm's programs: not there; failing; and saying yes without doing anything.
mkdir bin
expect 2 env PATH="$rf_work/bin" "$rf_bin" slurm plan policy.cfg
said_once "cannot start 'sacctmgr'" err
cat >bin/sacctmgr <<'END_OF_PROGRAM'
#!/bin/sh
echo "sacctmgr: error: the database is away" >&2
exit 1
END_OF_PROGRAM
cat >bin/scontrol <<'END_OF_PROGRAM'
#!/bin/sh
[ "$*" != "-o show partition" ] || echo "PartitionName=main AllowQos=ALL TotalNodes=4 TRES=cpu=16,node=4,gres/gpu=16"
exit 0
END_OF_PROGRAM
chmod +x bin/sacctmgr bin/scontrol
expect 3 env PATH="$rf_work/bin:$PATH" "$rf_bin" slurm plan policy.cfg
said_once "'sacctmgr' has failed: sacctmgr: error: the database is away" err
printf '#!/bin/sh\nexit 0\n' >bin/sacctmgr
expect 1 env PATH="$rf_work/bin:$PATH" "$rf_bin" slurm apply policy.cfg
said_once "Slurm took the commands, and still: rf-lent: is not there" err

# Slurm's accounting as a ledger: the account that is promised a quarter of four devices has it, or not.
table() { # table END: of the first of alignment's two jobs
    echo "JobID|Account|State|Submit|Eligible|Start|End|ElapsedRaw|TimelimitRaw|AllocTRES|ReqTRES"
    echo "1|alignment_w2s|COMPLETED|2026-01-01T00:00:00|2026-01-01T00:00:00|2026-01-01T00:00:00|$1||5|gres/gpu=1|gres/gpu=1"
    echo "2|alignment_w2s|COMPLETED|2026-01-01T00:00:00|2026-01-01T00:00:00|2026-01-01T00:01:00|2026-01-01T00:02:00||5|gres/gpu=1|gres/gpu=1"
    echo "3|rest|COMPLETED|2026-01-01T00:00:00|2026-01-01T00:00:00|2026-01-01T00:00:00|2026-01-01T00:02:00||5|gres/gpu=3|gres/gpu=3"
}
table 2026-01-01T00:01:00 >kept.txt
table 2026-01-01T00:00:30 >broken.txt
expect 0 "$rf_bin" slurm import kept.txt --policy policy.cfg --devices 4 --out kept.jsonl
expect 0 "$rf_bin" audit kept.jsonl
said_once "kept.jsonl: kept" out
expect 0 "$rf_bin" audit kept.jsonl --sacct kept.txt
expect 0 "$rf_bin" slurm import broken.txt --policy policy.cfg --devices 4 --out broken.jsonl --json
expect 1 "$rf_bin" audit broken.jsonl
grep -q "^broken.jsonl: broken" out || fail "not broken"
expect 1 "$rf_bin" audit kept.jsonl --sacct broken.txt
refused "'kept.jsonl' is there already" import kept.txt --devices 4 --out kept.jsonl
expect 0 "$rf_bin" slurm import kept.txt --policy policy.cfg --devices 4 --out kept.jsonl --force
refused "kept.txt:4: job 3 has 3 gpus when only 1 of 2 are free" import kept.txt --devices 2 --out small.jsonl
refused "'import' needs --devices" import kept.txt --out small.jsonl
refused "--since: expected a date" import kept.txt --devices 4 --out small.jsonl --since soon
refused "policy.cfg:1: no header of sacct -P" import policy.cfg --devices 4 --out small.jsonl
refused "the time to cover ends before it begins" import kept.txt --devices 4 --out small.jsonl --until 2025-01-01T00:00:00
ls small.jsonl* 2>/dev/null && fail "half a ledger is left"
expect 3 "$rf_bin" slurm import kept.txt --devices 4 --out nowhere/x.jsonl
exit 0
