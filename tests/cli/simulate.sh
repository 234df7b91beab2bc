# The simulator by its binary: schedules, refusals, what a run leaves, and that audit agrees.
. "$(dirname "$0")/../lib.sh"

# Four jobs on four devices, by hand: 1 runs on 3 of them to 100; 2 wants all four, so FCFS makes 3
# and 4 wait for it; backfilling lets 3 (over by 100) start at once on the fourth, but not 4.
cat >t.csv <<'END'
id,submit,run,est,procs
1,0,100,100,3
2,10,50,60,4
3,20,30,40,1
4,30,90,90,1
END
schedule() { # schedule FILE OPTION...
    local want=$1
    shift
    expect 0 "$rf_bin" simulate --trace t.csv -q --schedule got.csv "$@"
    cmp -s "$want" got.csv || { diff "$want" got.csv >&2; fail "another schedule: $*"; }
}
cat >fcfs.csv <<'END'
id,submit,start,end,procs
1,0,0,100,3
2,10,100,150,4
3,20,150,180,1
4,30,150,240,1
END
cat >easy.csv <<'END'
id,submit,start,end,procs
1,0,0,100,3
2,10,100,150,4
3,20,20,50,1
4,30,150,240,1
END
schedule fcfs.csv --devices 4
schedule fcfs.csv --devices 4 --order fcfs --fence none --format csv
schedule easy.csv --devices 4 --order easy
schedule easy.csv --devices 4 --order conservative --compress
schedule easy.csv --devices 4 --order conservative --replan
schedule easy.csv --devices 4 --order easy --reserve-depth -1
schedule easy.csv --devices 4 --order easy --tie seq
schedule easy.csv --devices 4 --order easy --tie tf
gzip -k t.csv
expect 0 "$rf_bin" simulate --trace t.csv.gz --devices 4 --order easy --schedule - -q
cmp -s out easy.csv || fail "--schedule - or a packed trace gives something else"
[ ! -e runs ] || fail "a simulation without a configuration has made a directory"

# jobs as rows, with who was charged
expect 0 "$rf_bin" simulate --trace t.csv --devices 4 --order easy --account lab --csv - -q
grep -q '^2,' out || fail "--csv - has no row for job 2"

# How large the machine is stands in the header of the trace, or is asked for.
{
    echo "; MaxProcs: 4"
    awk -F, 'NR > 1 { print $1, $2, -1, $3, $5, -1, -1, $5, $4, -1, 1, 7, 6, 1, 1, -1, -1, -1 }' t.csv
} >t.swf
expect 0 "$rf_bin" simulate --trace t.swf --order easy --schedule got.csv -q
cmp -s easy.csv got.csv || fail "the same jobs as swf give another schedule"
sed 1d t.swf >bare.swf
expect 2 "$rf_bin" simulate --trace bare.swf --order easy
said_once "how many devices there are is not said" err

# Malformed lines: refused by name and line, or left out and counted.
sed '3s/ 50 / 5o /' t.swf >bad.swf
expect 2 "$rf_bin" simulate --trace bad.swf
said_once "bad.swf:3" err
expect 0 "$rf_bin" simulate --trace bad.swf --lenient
grep -Eq '^ +1 +malformed +line 3$' err || fail "--lenient does not say what it has left out"

# Arguments that cannot be.
refused() { # refused TEXT ARGUMENT...
    local text=$1
    shift
    expect 2 "$rf_bin" simulate "$@"
    said_once "$text" err
}
refused "a configuration, --trace FILE or --replay LEDGER is needed"
refused "cannot open 'none.cfg'" none.cfg
refused "cannot open '$rf_work/none.swf'" --trace "$rf_work/none.swf" --devices 4
refused "--order expects one of: fcfs easy" --trace t.csv --devices 4 --order random
refused "--fence expects one of: none" --trace t.csv --devices 4 --fence moat
refused "--tie expects one of: batch seq tf" --trace t.csv --devices 4 --tie none
refused "--devices" --trace t.csv --devices 0
refused "--strict and --lenient exclude each other" --trace t.csv --strict --lenient
refused "--replan and --compress exclude each other" --trace t.csv --replan --compress
refused "--set is for configurations" --trace t.csv --set policy.order=easy
refused "--ledger needs a run directory" --trace t.csv --ledger
refused "can have stdout" --trace t.csv --json --schedule -

# A scenario with a promise that is broken when nobody enforces it, and kept behind a floor.
cat >s.cfg <<'END'
simulate = { name = "small"; start = "2023-07-05"; until = "20d"; };
workload = { source = "flood"; load = 1.5; size_max = 4; run_mean_s = "2h"; backlog_s = "2d";
             rules = ( { field = "user"; pattern = "^u[0-4]$"; account = "alignment"; } );
             default_account = "capability"; };
fleet = { devices = 64; node = 4; mtbf_s = "60d"; growth = ( { at = "2023-07-15"; devices = 80; } );
          outages = ( { at = "2023-07-20"; length_s = "6h"; devices = 8; } ); };
policy = { order = "easy"; fence = "floor"; };
pledges = ( { account = "alignment"; share = "20%"; window_s = "5d"; tolerance_s = "6h"; } );
changes = ( { at = "2023-07-18"; kind = "pledge"; account = "alignment"; share = "10%"; author = "board"; } );
END
refused "--order is for simulations without a configuration" s.cfg --order easy
refused "key 'policy.fense'" s.cfg --set policy.fense=none
refused "s.cfg:2: key 'workload.load': expected nothing" s.cfg --set workload.source=swf
[ ! -e runs ] || fail "a refused simulation has made a directory"

expect 0 "$rf_bin" simulate s.cfg --ledger
for f in results.json series.csv metrics.h5 report.html config.cfg ledger.jsonl ledger.jsonl.seals trace.json; do
    [ -s "runs/small/$f" ] || fail "runs/small/$f is missing"
done
grep -q alignment out || fail "the summary does not name the accounts"
# as promised first, the pledge is broken by the change; without it, it is kept behind the floor
expect 1 "$rf_bin" audit runs/small/ledger.jsonl
expect 1 "$rf_bin" simulate s.cfg --check --out checked
expect 0 "$rf_bin" simulate s.cfg --check --ledger --out kept --set 'changes=()'
expect 0 "$rf_bin" audit kept/ledger.jsonl
expect 1 "$rf_bin" simulate s.cfg --check --out unfenced --set 'changes=()' --set policy.fence=none --ledger
expect 1 "$rf_bin" audit unfenced/ledger.jsonl
expect 0 "$rf_bin" simulate s.cfg --out unfenced --force --set policy.fence=none
refused "the run directory 'unfenced' exists" s.cfg --out unfenced
mkdir mine && touch mine/precious
refused "was not made by a run" s.cfg --out mine --force
[ -e mine/precious ] || fail "--force has removed a folder that no run has made"

# The effective configuration, run again, is the same simulation; so is one without a ledger.
expect 0 "$rf_bin" simulate runs/small/config.cfg --out again --schedule a.csv -q
expect 0 "$rf_bin" simulate s.cfg --out once-more --schedule b.csv --ledger -q
cmp -s a.csv b.csv || fail "the effective configuration, or a ledger, gives another schedule"
cmp -s again/series.csv once-more/series.csv || fail "... or another series"
cmp -s again/config.cfg runs/small/config.cfg || fail "the effective configuration is not its own"

# One JSON document on stdout, with the keys that others rely on; audit and simulation agree.
if have_python; then
    expect 0 "$rf_bin" simulate s.cfg --json --out j -q
    [ -s err ] && fail "--json -q talks on stderr"
    python3 - out runs/small/results.json <<'END' || fail "the JSON document"
import json, sys
d, before = (json.load(open(f)) for f in sys.argv[1:])
for key in ("command version seed wall_s policy trace jobs events makespan_s utilization wait_s "
            "bounded_slowdown accounts pledges jobs_per_s").split():
    assert key in d, key
assert d["command"] == "simulate" and d["policy"] == {"order": "easy", "fence": "floor"}, d["policy"]
assert set("mean p50 p95 p99 max".split()) <= set(d["wait_s"])
assert set("mean p95".split()) <= set(d["bounded_slowdown"])
for a in d["accounts"]:
    assert set("name jobs denied preempted device_s share wait_mean_s".split()) <= set(a), a
assert len(d["pledges"]) == 2  # as made, and as changed
for p in d["pledges"]:
    assert set("account share basis verdict delivered_share entitled_device_s demanded_device_s "
               "delivered_device_s shortfall_device_s windows".split()) <= set(p), p
for changing in ("wall_s", "jobs_per_s"):
    d.pop(changing), before.pop(changing)
before.pop("ledger", None), d.pop("ledger", None)
assert d == before, [k for k in d if d[k] != before.get(k)]
END
    expect 1 "$rf_bin" audit --json runs/small/ledger.jsonl
    python3 - out runs/small/results.json <<'END' || fail "audit and simulation disagree"
import json, sys
audit, results = (json.load(open(f)) for f in sys.argv[1:])
for a, r in zip(audit["pledges"], results["pledges"], strict=True):
    for key in "account verdict entitled_device_s demanded_device_s delivered_device_s".split():
        assert a[key] == r[key], (key, a[key], r[key])
END
fi

# Schedules that independent programs made of real traces, where they are at hand.
oracle=${RF_SHARED_DATA:-/nowhere}/../oracle
if [ ! -r "$oracle/SUMMARY.csv" ]; then
    echo "skipped: there are no reference schedules in $oracle"
    exit 0
fi
compare() { # compare NAME TRACE DEVICES OPTION...
    local name=$1 trace=$2 devices=$3 sum
    shift 3
    expect 0 "$rf_bin" simulate --trace "$RF_SHARED_DATA/traces/$trace" --devices "$devices" --fence none -q --schedule got.csv "$@"
    sum=$(sha256sum got.csv | cut -d ' ' -f 1)
    grep -q "^$name\..*,$sum$" "$oracle/SUMMARY.csv" || fail "another schedule than $name"
}
kth=KTH-SP2-1996-2.1-cln.swf.gz
compare kth-sp2.pyss.fcfs $kth 100 --order fcfs
compare kth-sp2.ps22.easy $kth 100 --order easy
compare kth-sp2.pyss.easy $kth 100 --order easy --tie seq
compare kth-sp2.cqsim-reqtime.easy $kth 100 --order easy --tie tf
compare kth-sp2.pyss.cons $kth 100 --order conservative --compress
compare kth-sp2.ps22.consfull $kth 100 --order conservative --replan
compare atlas.ps22.easy LLNL-Atlas-2006-2.1-cln.swf.gz 9216 --order easy
compare nasa.pyss.cons NASA-iPSC-1993-3.1-cln.swf.gz 128 --order conservative --compress
