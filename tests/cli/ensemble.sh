# Ensembles by the binary: the same bytes on every rank count, failed cells, resuming, refusals.
. "$(dirname "$0")/../lib.sh"

cat >grid.cfg <<'END'
simulate = { name = "grid"; seed = 7; };
workload = { source = "lublin"; jobs = 400; load = 0.9;
             rules = ( { field = "user"; match = "u0,u1,u2,u3,u4,u5,u6,u7"; account = "alignment"; } );
             default_account = "capability"; };
fleet = { devices = 64; };
policy = { order = "easy"; fence = "floor"; };
pledges = ( { account = "alignment"; share = "20%"; window_s = "1d"; tolerance_s = "10m"; } );
grid = { orders = ["fcfs", "easy"]; fences = ["none", "floor"]; shares = ["10%", "20%"]; seeds = 2;
         bootstrap = 500; };
END

# The same bytes on 1, 2, 3 and 4 ranks, in results.json and in what --json prints.
for n in 1 2 3 4; do
    expect 0 ranks $n simulate grid.cfg --out run$n --json -q
    cmp -s out run$n/results.json || fail "--json does not print results.json on $n ranks"
    cmp -s run1/results.json run$n/results.json || fail "other results on $n ranks"
    [ "$(ls run$n/cells | wc -l)" -eq 16 ] || fail "not one file per cell on $n ranks"
    grep -q "\"ranks\": $n" run$n/timing.json || fail "no timing.json of $n ranks"
    [ -s run$n/report.html ] || fail "no report on $n ranks"
done

# A cell alone is the same simulation: the schedule's digest agrees.
expect 0 "$rf_bin" simulate grid.cfg --set 'grid={}' --set policy.order=fcfs --set policy.fence=none \
    --set pledges.alignment.share=10% --out alone -q
[ -e alone/cells ] && fail "one simulation left cells"
if have_python; then
    one=$(json alone/results.json 'd["schedule_digest"] if "schedule_digest" in d else ""')
    cell=$(json run1/results.json 'd["cells"][0]["schedule"]')
    [ -z "$one" ] || [ "$one" = "$cell" ] || fail "a cell is another simulation than the same alone"
    # Paired: fences are compared for both orders and shares, over both seeds.
    got=$(json run1/results.json 'sorted(set(c["seeds"] for c in d["comparisons"]))')
    [ "$got" = "[2]" ] || fail "comparisons over $got seeds"
    got=$(json run1/results.json 'sum(c["what"] == "mean wait" for c in d["comparisons"])')
    [ "$got" -eq 12 ] || fail "$got comparisons of mean wait, expected 12"
    # Common random numbers: what was submitted does not depend on the policy.
    got=$(json run1/results.json 'len(set((c["seed"], c["pledged"]["jobs"]) for c in d["cells"]))')
    [ "$got" -eq 2 ] || fail "the same seed had other jobs under another policy"
fi

# Resuming runs what is missing, and ends at the same bytes.
cp -r run2 again
ls again/cells/* | head -n 10 | xargs rm again/results.json
echo '{"version": "0.0.0"}' >"$(ls again/cells/* | head -n 1)" # nobody's: done again
expect 0 ranks 2 simulate grid.cfg --out again --resume -q
cmp -s run1/results.json again/results.json || fail "other results after resuming"
[ "$(grep -c null again/timing.json)" -eq 5 ] || fail "not 11 cells were run again"
expect 2 "$rf_bin" simulate grid.cfg --out again -q
expect 2 "$rf_bin" simulate grid.cfg --out "$rf_work" --resume -q
grep -q 'no run directory' err || fail "resumed in a folder that no run has made"
expect 2 "$rf_bin" simulate grid.cfg --out again --resume --force -q
expect 2 "$rf_bin" simulate grid.cfg --set 'grid={}' --out other --resume -q

# A failed cell is told, and the others are there: 90 % and 20 % are more than the whole.
sed -e 's/^pledges.*/pledges = ( { account = "alignment"; share = "20%"; window_s = "1d"; }, { account = "capability"; share = "20%"; window_s = "1d"; } );/' \
    -e 's/^grid.*/grid = { shares = ["90%", "10%"];/' -e 's/^ *bootstrap.*/ seeds = 2; };/' grid.cfg >bad.cfg
for n in 1 3; do
    expect 3 ranks $n simulate bad.cfg --out bad$n -q
    grep -q '2 of 4 cells failed' err || fail "the failed cells are not told"
    grep -q 'more than the whole' err || fail "it is not told why they failed"
    [ "$(grep -c '"failed": "pledge refused' bad$n/results.json)" -eq 2 ] || fail "failed cells are not in the results"
    [ "$(grep -c '"failed": ""' bad$n/results.json)" -eq 2 ] || fail "good cells are lost"
    [ "$(ls bad$n/cells | wc -l)" -eq 2 ] || fail "a failed cell left a file"
done
cmp -s bad1/results.json bad3/results.json || fail "other failures on 3 ranks"

# Several scenarios are one ensemble.
sed -e 's/"grid"/"other"/' -e 's/^grid.*/grid = { seeds = 1;/' -e 's/^ *bootstrap.*/ };/' grid.cfg >other.cfg
expect 0 ranks 2 simulate other.cfg grid.cfg --out both -q
[ "$(grep -c '"scenario": "other"' both/results.json)" -eq 1 ] || fail "the first scenario has not one cell"
[ "$(grep -c '"scenario": "grid"' both/results.json)" -eq 16 ] || fail "the second scenario has not 16 cells"
[ -s both/config-2.cfg ] || fail "the second configuration is not kept"

# What is for one simulation is refused for many.
for option in "--schedule x.csv" "--csv x.csv" --ledger; do
    # shellcheck disable=SC2086
    expect 2 "$rf_bin" simulate grid.cfg --out refused -q $option
    grep -q 'ensemble' err || fail "$option: no word about the ensemble"
    [ -e refused ] && fail "$option: refused, but a directory was made"
done
expect 2 ranks 2 simulate grid.cfg missing.cfg --out refused -q
grep -q missing.cfg err || fail "the missing configuration is not named"
expect 2 "$rf_bin" simulate grid.cfg --set grid.seeds=1000000 --out refused -q
grep -q '20000 cells' err || fail "too large a grid is not refused in words"
echo "ensembles hold"
