# What is seen on a terminal, in a file, with NO_COLOR, --color, --quiet and --json.
. "$(dirname "$0")/../lib.sh"
have_python || { echo "skipped: there is no Python to make a terminal"; exit 77; }

# on_terminal COMMAND...: runs it with stdout and stderr on a pseudo terminal; what came is in seen
on_terminal() {
    python3 - "$@" >seen <<'END'
import os, pty, sys
os.environ["TERM"] = "xterm"
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
END
}
escape=$(printf '\033')
return_=$(printf '\r')

cat >long.cfg <<'END'
simulate = { name = "long"; };
workload = { source = "lublin"; jobs = 300000; load = 0.9; };
fleet = { devices = 128; };
policy = { order = "easy"; fence = "none"; };
END
on_terminal "$rf_bin" simulate long.cfg --out long || fail "a simulation on a terminal"
grep -q "$return_.*simulating \[=* *\] *[0-9]*%.*ETA" seen || fail "no progress with ETA on a terminal: $(cat -v seen)"
on_terminal "$rf_bin" simulate long.cfg --out long2 --quiet || fail "a quiet simulation"
! grep -q 'ETA' seen || fail "progress in spite of --quiet"
"$rf_bin" simulate long.cfg --out long3 >out 2>err || fail "a simulation into a file"
! grep -q "$return_" out err || fail "a line that rewrites itself in a file"
expect 0 "$rf_bin" simulate long.cfg --out long4 --json
python3 -c 'import json; json.load(open("out"))' || fail "--json is not one JSON document"

# colour: on a terminal, unless NO_COLOR; --color goes before both
cp -r "$rf_src/tests/data/report" run
audit="$rf_bin audit run/ledger.jsonl" # its exit code says no: nobody sealed that ledger
# shellcheck disable=SC2086 # one word for each argument, here and below
on_terminal $audit
grep -q "$escape\[3[123]m[a-z ]*$escape\[0m" seen || fail "no colour on a terminal: $(cat -v seen)"
# shellcheck disable=SC2086
NO_COLOR=1 on_terminal $audit
! grep -q "$escape" seen || fail "colour in spite of NO_COLOR"
# shellcheck disable=SC2086
NO_COLOR='' on_terminal $audit
grep -q "$escape" seen || fail "an empty NO_COLOR says nothing (no-color.org)"
# shellcheck disable=SC2086
on_terminal $audit --color=never
! grep -q "$escape" seen || fail "colour in spite of --color=never"
$audit >out 2>err
! grep -q "$escape" out || fail "colour in a file"
NO_COLOR=1 $audit --color always >out 2>err
grep -q "$escape" out || fail "no colour in spite of --color always"
$audit --json --color=always >out 2>err
! grep -q "$escape" out || fail "colour in a JSON document"
expect 2 $audit --color=blue
said_once "not 'blue'" err

# every command takes --quiet, --color and --json; an unknown one is guessed at
"$rf_bin" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' >commands
while read -r command; do
    "$rf_bin" "$command" --help >help
    for option in quiet color json; do
        [ "$command$option" = helpjson ] || # it prints texts
            grep -q -- "--$option" help || fail "'$command' has no --$option"
    done
done <commands
expect 2 "$rf_bin" simulat
said_once "did you mean 'simulate'" err
