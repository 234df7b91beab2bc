# What a simulation reports: the page is made again from its files alone, its figures agree with one
# another in JSON, csv and HDF5, and what is wrong with a file is said once.
. "$(dirname "$0")/../lib.sh"

# A board that denies, devices that fail, and a promise that is changed.
cat >s.cfg <<'END'
simulate = { name = "small"; about = "what <is> reported"; until = "20d"; };
workload = { source = "flood"; load = 1.2; size_max = 4; run_mean_s = "2h"; backlog_s = "1d";
             rules = ( { field = "user"; pattern = "^u[0-9]$"; account = "alignment.eval"; } );
             default_account = "capability"; };
fleet = { devices = 64; node = 4; mtbf_s = "60d"; };
policy = { order = "easy"; fence = "floor"; };
pledges = ( { account = "alignment"; share = "20%"; window_s = "5d"; tolerance_s = "6h"; } );
changes = ( { at = "12d"; kind = "pledge"; account = "alignment"; share = "10%"; author = "board";
              reason = "redirected"; } );
END
expect 0 "$rf_bin" simulate s.cfg --out run --csv jobs.csv -q
page=run/report.html
grep -q '</html>' $page || fail "the page is not whole"
for words in 'Was the promise kept' 'The same promise under each definition' 'Who had the devices' \
    'Where did the device-time go' 'Who had to wait' 'as changed later' 'redirected' \
    'what &lt;is&gt; reported'; do
    grep -q "$words" $page || fail "the page lacks '$words'"
done
! grep -qE '<script|https?:|src=|href="[^#]' $page || fail "the page needs more than itself"

# The same page again, from results.json and series.csv.
cp $page before.html
rm $page run/metrics.h5 run/config.cfg
expect 0 "$rf_bin" report run
[ "$(cat out)" = run/report.html ] || fail "the path of the page was not printed alone"
cmp -s $page before.html || fail "the page made again is another one"

# Without the series the tables remain.
mv run/series.csv series.csv
expect 0 "$rf_bin" report run
grep -q 'Where did the device-time go' $page || fail "without a series there are no tables"
grep -q 'from results.json\.' $page || fail "the page does not say what it was made from"

# A series that is none: its name and line, exit code 2, and the old page stays.
cp $page before.html
sed '3s/,/;/' series.csv >run/series.csv
expect 2 "$rf_bin" report run
said_once "run/series.csv:3" err
cmp -s $page before.html || fail "a failed report has changed the page"
cp series.csv run/series.csv

# A gnuplot that does not work: no plots, and a page that says so.
mkdir bin
printf '#!/bin/sh\nexit 1\n' >bin/gnuplot
chmod +x bin/gnuplot
expect 0 env PATH="$PWD/bin:$PATH" "$rf_bin" report run
grep -q 'Plots were left out' $page || fail "the page does not say why it has no plots"
! grep -q '<svg' $page || fail "there are plots without gnuplot"

# --json: one document, with simulations and runs side by side.
cp -r "$rf_src/tests/data/report" live
expect 0 "$rf_bin" report --json run live
grep -q '"run_dir": "live"' out || fail "the second run is missing"
! grep -q '"paces"' out || fail "the short form holds the long lists"

# metrics.h5 holds the same steps, for whoever reads HDF5.
expect 0 "$rf_bin" simulate s.cfg --out again -q
[ -s again/metrics.h5 ] || fail "there is no metrics.h5"
if command -v h5dump >/dev/null; then
    steps=$(($(wc -l <series.csv) - 1))
    h5dump -H -d '/pledges/alignment#2/promised' again/metrics.h5 >out || fail "h5dump cannot read it"
    grep -q "SIMPLE { ( $steps ) / ( $steps ) }" out || fail "metrics.h5 has not $steps steps"
else
    echo "skipped: no h5dump"
fi

have_python || exit 0

python3 "$rf_src/tests/trace.py" again/trace.json || fail "trace.json is not what Perfetto reads"

# The jobs' csv gives the waits and counts of the results, and the series their sums.
python3 - run/results.json jobs.csv series.csv <<'END' || fail "the files disagree"
import csv, json, math, sys
r = json.load(open(sys.argv[1]))
jobs = list(csv.DictReader(open(sys.argv[2])))
steps = list(csv.DictReader(open(sys.argv[3])))
assert len(jobs) == r["jobs"], (len(jobs), r["jobs"])
assert sum(j["state"] == "done" for j in jobs) == r["finished"]
assert sum(int(j["preemptions"]) for j in jobs) == r["preemptions"]
waits = sorted(float(j["wait"]) for j in jobs if j["wait"] != "")
close = lambda a, b: math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6)
assert close(sum(waits) / len(waits), r["wait_s"]["mean"])
for name, p in (("p50", 50), ("p95", 95), ("p99", 99)):
    assert close(waits[(p * len(waits) + 99) // 100 - 1], r["wait_s"][name]), name
assert close(waits[-1], r["wait_s"]["max"])
near = lambda a, b: math.isclose(a, b, rel_tol=1e-7, abs_tol=1)
area = lambda column: sum(float(s[column]) * float(s["length_s"]) for s in steps)
count = lambda column: sum(int(s[column]) for s in steps)
assert near(area("used"), r["used_device_s"]), (area("used"), r["used_device_s"])
assert near(area("used:capability") + area("used:alignment.eval"), r["used_device_s"])
assert near(area("delivered:alignment"), r["pledges"][0]["delivered_device_s"])
assert near(area("promised:alignment"), r["pledges"][0]["entitled_device_s"])
assert near(area("promised:alignment#2"), r["pledges"][1]["entitled_device_s"])
assert count("submitted") == r["jobs"] and count("preempted") >= r["preemptions"] > 0
books = r["books"]
assert near(area("own") + area("lent") + area("reserved") + area("free") + area("overhead") +
            area("down"), books["installed_device_s"])
for column in "own lent overhead".split():
    assert near(area(column), books[column + "_device_s"]), column
assert books["failed_device_s"] > 0
assert sum(g for h in r["wait_histogram"]["groups"] for g in h["jobs"]) == len(waits)
pledged, others = r["pledged"], r["others"]
assert pledged["jobs"] + others["jobs"] == r["jobs"] and pledged["jobs"] > 0
assert [c["share_exact"] for c in r["changes"]] == ["1/5", "1/10"], r["changes"]
END

python3 -c 'import h5py' 2>/dev/null || { echo "skipped: Python has no h5py"; exit 0; }
python3 - again/metrics.h5 again/series.csv <<'END' || fail "metrics.h5 is not the series"
import csv, sys, h5py
steps = list(csv.DictReader(open(sys.argv[2])))
with h5py.File(sys.argv[1]) as f:
    for path, column in (("t_s", "t_s"), ("length_s", "length_s"), ("fleet/up", "up"),
                         ("fleet/lent", "lent"), ("accounts/capability/queued", "queued:capability"),
                         ("pledges/alignment#2/promised", "promised:alignment#2"),
                         ("jobs/submitted", "submitted")):
        values = f[path][:]
        assert len(values) == len(steps), path
        for v, s in zip(values, steps):
            assert abs(v - float(s[column])) <= 1e-9 * abs(v) + 1e-9, (path, v, s[column])
        assert f[path].attrs["unit"] in (b"s", b"1", "s", "1"), path
END
