# The report of a recorded run is made again from its two files, and what is wrong is said once.
. "$(dirname "$0")/../lib.sh"
recorded=$rf_src/tests/data/report

mkdir run other
cp "$recorded/results.json" "$recorded/ledger.jsonl" run
cp "$recorded/results.json" "$recorded/ledger.jsonl" other

# the path on stdout and nothing else; the page is whole
expect 0 "$rf_bin" report run
[ "$(cat out)" = run/report.html ] || fail "the path of the page was not printed alone"
grep -q '</html>' run/report.html || fail "the page is not whole"
grep -q 'Was the promise kept' run/report.html || fail "the page does not ask after the promise"
! grep -qE '<script|https?:|src=|href="[^#]' run/report.html || fail "the page needs more than itself"

# --json: one document on stdout, the paths elsewhere
expect 0 "$rf_bin" report --json run other
grep -q '"command": "report"' out || fail "no JSON document on stdout"
grep -q '"run_dir": "other"' out || fail "the second run is missing"
! grep -q '^run/report.html' out || fail "something else than JSON on stdout"

# a gnuplot that does not work: no plots, but a page that says so
mkdir bin
printf '#!/bin/sh\nexit 1\n' >bin/gnuplot
chmod +x bin/gnuplot
expect 0 env PATH="$PWD/bin:$PATH" "$rf_bin" report run
grep -q 'Plots were left out' run/report.html || fail "the page does not say why it has no plots"
! grep -q '<svg' run/report.html || fail "there are plots without gnuplot"

# bad and missing files: one message, exit code 2, and no page
expect 2 "$rf_bin" report
said_once "report" err
expect 2 "$rf_bin" report nowhere
said_once "nowhere/results.json" err
rm other/ledger.jsonl other/report.html
expect 2 "$rf_bin" report other
said_once "other/ledger.jsonl" err
[ ! -e other/report.html ] || fail "a page was made without a ledger"
printf '{"run": "x",\n  oops}\n' >run/results.json
expect 2 "$rf_bin" report run
said_once "line 2" err
