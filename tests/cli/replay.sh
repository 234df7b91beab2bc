# A recorded run again: the decisions of live and of simulated ledgers are reproduced, other
# policies are tried on the same jobs, and a ledger that does not verify is refused.
. "$(dirname "$0")/../lib.sh"

replay() { # replay CODE ARGUMENT...
    local code=$1
    shift
    expect "$code" "$rf_bin" simulate -q "$@"
}
refused() { # refused CODE MESSAGE ARGUMENT...
    local code=$1 message=$2
    shift 2
    replay "$code" "$@"
    grep -qF -- "$message" err || { cat err >&2; fail "no '$message': $*"; }
    [ "$(wc -l <err)" -eq 1 ] || { cat err >&2; fail "more than one line on stderr: $*"; }
}

# ---- a simulated run with failures, changes of mind and jobs that shrink: exactly the same again

cat >s.cfg <<'END'
simulate = { name = "small"; start = "2023-07-05"; until = "12d"; };
workload = { source = "flood"; load = 1.5; size_max = 4; run_mean_s = "2h"; backlog_s = "2d";
             malleable = 4; malleable_accounts = [ "capability" ];
             rules = ( { field = "user"; pattern = "^u[0-4]$"; account = "alignment"; } );
             default_account = "capability"; };
fleet = { devices = 64; node = 4; mtbf_s = "30d"; growth = ( { at = "2023-07-12"; devices = 80; } );
          outages = ( { at = "2023-07-10"; length_s = "6h"; devices = 8; } ); };
policy = { order = "easy"; fence = "floor"; resize = true; };
pledges = ( { account = "alignment"; share = "20%"; window_s = "5d"; tolerance_s = "6h"; } );
changes = ( { at = "2023-07-11"; kind = "pledge"; account = "alignment"; share = "10%"; author = "board"; },
            { at = "2023-07-13"; kind = "policy"; order = "sjf"; author = "board"; } );
END
for setting in policy.order=easy policy.order=conservative policy.fence=bank policy.fence=request; do
    rm -rf r
    expect 0 "$rf_bin" simulate s.cfg --ledger -q --schedule a.csv --out r --set $setting
    replay 0 --replay r/ledger.jsonl --schedule b.csv
    cmp -s a.csv b.csv || fail "$setting: the replay's schedule is another one"
    grep -q 'differ by at most 0 s' out || fail "$setting: starts differ"
    decisions=$(sed -n 's/^ *decisions *\([0-9]*\) of \([0-9]*\) .*/\1 \2/p' out)
    [ -n "$decisions" ] && [ "${decisions% *}" = "${decisions#* }" ] ||
        fail "$setting: decisions that the policy would not take: $decisions"
done

# ---- a live run, with a job that is preempted

ranks 3 run "$rf_src/tests/cli/small.cfg" --out live -q >/dev/null 2>err
[ $? -le 1 ] || { cat err >&2; fail "the live run"; }
replay 0 --replay live/ledger.jsonl --out again --csv jobs.csv
for f in results.json report.html config.cfg series.csv trace.json; do
    [ -s "again/$f" ] || fail "again/$f is missing"
done
[ "$(wc -l <jobs.csv)" -eq 9 ] || fail "the csv file has not 8 jobs"
cat >other.cfg <<'END'
policy = { order = "fcfs"; fence = "partition"; };
pledges = ( { account = "alignment"; share = "50%"; window_s = 5.0; tolerance_s = 2.0; } );
END
replay 0 --replay live/ledger.jsonl --policy other.cfg --out other
grep -q 'otherwise *fcfs+partition *1/2' out || { cat out >&2; fail "no verdict of the other pledge"; }
replay 0 --replay live/ledger.jsonl --policy other/config.cfg
# the run's own configuration is another policy too, the same one; so is an order by itself
replay 0 --replay live/ledger.jsonl --policy live/config.cfg
replay 0 --replay live/ledger.jsonl --order sjf --fence none
grep -q 'otherwise *sjf+none' out || fail "no course of another order"

if have_python; then
    replay 0 --replay live/ledger.jsonl --json
    python3 - out live/results.json <<'END' || fail "the JSON document"
import json, sys
d, live = (json.load(open(f)) for f in sys.argv[1:])
r = d["replay"]
assert d["command"] == "simulate" and d["seed"] == live["seed"]
assert r["ledger"]["verified"] and r["ledger"]["used"] == r["ledger"]["entries"] == live["ledger"]["entries"]
assert r["ledger"]["head"] == live["ledger"]["head"]
assert r["decisions"]["recorded"] == r["decisions"]["same"] > 8, r["decisions"]
f = r["difference"]
assert f["jobs"] == 8 and f["only_recorded"] == f["only_simulated"] == 0, f
assert f["steps"] == f["steps_same"] == f["steps_simulated"] >= 9, f
# a machine that is busy with other things makes the coordinator late, by which starts may differ
late = r["decisions"]["late_s"]
assert f["max_s"] <= late + 1e-3, (f, late)
assert [c["course"] for c in r["courses"]] == ["recorded", "replayed"]
for p, q in zip(r["courses"][0]["pledges"], live["pledges"], strict=True):
    assert p["verdict"] == q["verdict"] and p["delivered_device_s"] == q["delivered_device_s"]
assert [j["name"] for j in r["jobs"]] == [j["name"] for j in live["jobs"]]
END
fi

# ---- an allowance of FLOPs, which stops one job and denies another

cat >limit.cfg <<'END'
run = { name = "limit"; seed = 5; };
policy = { order = "fcfs"; fence = "none"; lease_s = 0.05; };
limits = ( { account = "capability"; max_flops = 2e8; } );
models = ( { name = "m"; layers = 1; heads = 2; width = 8; } );
tasks = ( { name = "t"; source = "chess-rules"; rule = "material"; train = 100; validation = 20; test = 20; corpus_size = 500; } );
jobs = ( { name = "greedy"; account = "capability"; model = "m"; task = "t"; train = { steps = 100000; batch = 8; }; max = 1; },
         { name = "late"; account = "capability"; model = "m"; task = "t"; train = { steps = 20; batch = 8; }; max = 1; },
         { name = "other"; account = "alignment"; model = "m"; task = "t"; train = { steps = 20; batch = 8; }; max = 1; } );
END
ranks 2 run limit.cfg --out limited -q >/dev/null 2>err
grep -q '"type":"deny","job":1,"reason":"account-flops"' limited/ledger.jsonl || fail "the allowance denies nobody"
replay 0 --replay limited/ledger.jsonl --ledger --out again-limited
grep -q 'course *2 of 2 grants' out || { cat out >&2; fail "another course under an allowance of FLOPs"; }
grep -q '"type":"preempt","job":0,.*"by":-1' again-limited/ledger.jsonl &&
    grep -q '"type":"deny","job":1,"reason":"account-flops"' again-limited/ledger.jsonl ||
    fail "the allowance stops and denies nobody when it is simulated"
# and the simulated ledger, which has the FLOPs as well
replay 0 --replay again-limited/ledger.jsonl
grep -q 'course *2 of 2 grants' out || { cat out >&2; fail "another course of the simulated ledger"; }

# ---- what is no good

refused 2 "does not go with a configuration" --replay live/ledger.jsonl s.cfg
refused 2 "does not go with --trace" --replay live/ledger.jsonl --trace x.swf
refused 2 "are for --replay" --trace x.swf --policy other.cfg
refused 2 "--set is for the configuration of --policy" --replay live/ledger.jsonl --set policy.order=sjf
refused 2 "'none.jsonl'" --replay none.jsonl
refused 2 "this is no ledger" --replay s.cfg
refused 2 "key 'policy.fense'" --replay live/ledger.jsonl --policy other.cfg --set policy.fense=none
refused 2 "is where the ledger is" --replay live/ledger.jsonl --out live --force
printf 'pledges = ();\n' >empty.cfg
refused 2 "key 'policy'" --replay live/ledger.jsonl --policy empty.cfg
[ -s live/ledger.jsonl ] || fail "--force has removed the ledger"

cp live/ledger.jsonl.* . && sed '40s/"t_us":1/"t_us":2/' live/ledger.jsonl >ledger.jsonl
refused 1 "its first 39 lines can be replayed with --prefix 39" --replay ledger.jsonl
refused 2 "has only 39 good lines, not 60" --replay ledger.jsonl --prefix 60
replay 0 --replay ledger.jsonl --prefix 39
grep -q 'the first 39 of its lines' out || { cat out >&2; fail "the prefix is not named"; }
"$rf_bin" keygen stranger 2>/dev/null || fail "keygen"
refused 1 "does not verify" --replay live/ledger.jsonl --public-key stranger.pub
head -n 1 live/ledger.jsonl >ledger.jsonl
rm ledger.jsonl.seals
refused 2 "nothing to replay" --replay ledger.jsonl
