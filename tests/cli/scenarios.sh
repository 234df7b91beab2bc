# The shipped scenarios, each cut to its first weeks and to one cell: they run, and their books and
# verdicts are there. Those of traces are skipped where the trace is absent.
. "$(dirname "$0")/../lib.sh"

scenario() { # scenario NAME OVERRIDE...
    local name=$1 override set=()
    shift
    for override in "$@"; do
        set+=(--set "$override")
    done
    expect 0 "$rf_bin" simulate "$rf_src/configs/$name.cfg" --out "$name" --set 'grid={}' "${set[@]}" -q
    for f in results.json series.csv metrics.h5 report.html config.cfg; do
        [ -s "$name/$f" ] || fail "$name/$f is missing"
    done
    grep -q "^The promise under each definition" out || fail "$name: no verdicts"
}

scenario pledge-2023 simulate.until=400d
if have_python; then
    # the promise as made and as redirected, both judged under every definition
    [ "$(json pledge-2023/results.json 'len(d["pledges"])')" = 2 ] || fail "one promise was lost"
    [ "$(json pledge-2023/results.json 'len(d["definitions"])')" = 22 ] || fail "a definition was lost"
    [ "$(json pledge-2023/results.json 'd["pledges"][1]["share"]')" = 0.0 ] || fail "not redirected"
fi
scenario acme-lending simulate.until=14d
scenario share-sweep simulate.until=4d

# every file in configs/ that is a scenario is named by the manual
for f in "$rf_src"/configs/*.cfg; do
    name=$(basename "$f")
    grep -q "^simulate" "$f" || continue
    grep -q "$name" "$rf_src/configs/README.md" || fail "configs/README.md does not name $name"
done

[ -r "${RF_SHARED_DATA:-/nowhere}/traces/philly.jobs.csv.gz" ] || {
    echo "philly-vc was skipped: the trace is not in $RF_SHARED_DATA"
    exit 0
}
scenario philly-vc "workload.path=$RF_SHARED_DATA/traces/philly.jobs.csv.gz" \
    "workload.groups=$RF_SHARED_DATA/traces/philly.groups.csv" workload.horizon=40d
