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

# each figure, and its numbers, as a file of its own; the whole on paper
cp "$recorded/results.json" "$recorded/ledger.jsonl" run
cp "$recorded/ledger.jsonl" other
expect 0 "$rf_bin" report --format csv run
[ "$(wc -l <out)" -ge 6 ] || fail "not a file for each figure: $(cat out)"
read -r first <out
head -1 "$first" | grep -q '^series,time (s),share of the fleet (%)$' || fail "no header with units in $first"
grep -q '^held now,' "$first" || fail "no numbers in $first"
expect 2 "$rf_bin" report --format png run
said_once "not 'png'" err
if command -v gnuplot >/dev/null; then
    expect 0 "$rf_bin" report --format svg run
    read -r first <out
    grep -q '^<svg xmlns=' "$first" || fail "$first is no picture that stands alone"
    if command -v rsvg-convert >/dev/null; then
        for program in gnuplot rsvg-convert; do # a PATH without a browser
            ln -sf "$(command -v $program)" "bin/$program"
        done
        expect 0 env PATH="$PWD/bin" "$rf_bin" report --format pdf run
        [ "$(head -c 4 run/report.pdf)" = %PDF ] || fail "the figures are no PDF"
        grep -q 'without text and tables' err || fail "what the PDF lacks is not said"
    else
        echo "skipped: no rsvg-convert for a PDF without a browser"
    fi
fi
if command -v chromium >/dev/null; then
    expect 0 "$rf_bin" report --format pdf run
    [ "$(cat out)" = run/report.pdf ] || fail "the path of the PDF was not printed alone"
    [ ! -s err ] || fail "something is missing in the PDF: $(cat err)"
else
    echo "skipped: no Chromium for a PDF"
fi
mkdir empty-path
ln -sf "$(command -v true)" empty-path/true
expect 3 env PATH="$PWD/empty-path" "$rf_bin" report --format pdf run
said_once "Chromium" err

# two side by side
expect 0 "$rf_bin" report --compare --json --out both.html run other
grep -q '"what": "gap recovered"' out || fail "the comparison has no gap recovered"
grep -q 'Compute bills' both.html || fail "the page of both has no compute bills"
expect 2 "$rf_bin" report --compare run
said_once "two run directories" err
