# The simulation benchmark: one JSON document with its names, a trace of one's own, refusals.
. "$(dirname "$0")/../lib.sh"

cat >small.csv <<'END'
id,submit,run,est,procs
1,0,100,100,3
2,10,50,60,4
3,20,30,40,1
4,30,90,90,1
END
expect 0 "$rf_bin" bench simulate --quick --rounds 1 --json --trace small.csv:4
for name in fcfs.lublin easy.lublin conservative.lublin fcfs.deep easy.deep conservative.deep \
    fcfs.small easy.small conservative.small accounting report cycle; do
    said_once "\"name\": \"simulate.$name\"" out
done
ls ringfence-bench-* >/dev/null 2>&1 && fail "the benchmark left files behind"
if have_python; then
    [ "$(json out 'all(0 < r["ratio"] < 10 for r in d["results"] if r["limit"] is not None)')" = True ] ||
        fail "a ratio that cannot be"
fi
expect 2 "$rf_bin" bench simulate --quick --rounds 1 --trace small.csv:0
grep -q 'FILE:DEVICES' err || fail "no word about what --trace expects"
expect 2 "$rf_bin" bench simulate --quick --rounds 1 --trace missing.swf:4
expect 2 "$rf_bin" bench simulate --quick --rounds 1 --trace small.csv
expect 3 "$rf_bin" bench simulate --quick --rounds 1 --dir "$rf_work/nowhere"
echo "the benchmark holds"
