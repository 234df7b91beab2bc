# Every kind of page in a real browser, on a telephone and on a desk, light and dark: figures drawn
# and inside their frames, nothing overflows, texts can be read, the console and the network are silent.
. "$(dirname "$0")/../lib.sh"
have_python || { echo "skipped: there is no Python"; exit 77; }
command -v "${RF_CHROMIUM:-chromium}" >/dev/null || { echo "skipped: there is no Chromium (package chromium)"; exit 77; }
command -v gnuplot >/dev/null || { echo "skipped: there is no gnuplot"; exit 77; }
look="python3 $rf_src/tests/browser/browser.py"
cp -r "$rf_src/tests/data/report" run

cat >s.cfg <<'END'
simulate = { name = "small"; about = "a board that denies, and a change"; until = "20d"; };
workload = { source = "flood"; load = 1.2; size_max = 4; run_mean_s = "2h"; backlog_s = "1d";
             rules = ( { field = "user"; pattern = "^u[0-9]$"; account = "alignment.eval"; } );
             default_account = "capability"; };
fleet = { devices = 64; node = 4; mtbf_s = "60d"; };
policy = { order = "easy"; fence = "request"; };
pledges = ( { account = "alignment"; share = "20%"; window_s = "5d"; tolerance_s = "6h"; } );
changes = ( { at = "12d"; kind = "pledge"; account = "alignment"; share = "10%"; author = "board";
              reason = "redirected"; } );
END
"$rf_bin" simulate s.cfg --out simulation --ledger -q >out 2>err
[ -s simulation/report.html ] || fail "there is no page of a simulation: $(cat err)"
cat >grid.cfg <<'END'
simulate = { name = "grid"; seed = 7; };
workload = { source = "lublin"; jobs = 300; load = 0.9;
             rules = ( { field = "user"; match = "u0,u1,u2,u3,u4,u5,u6,u7"; account = "alignment"; } );
             default_account = "capability"; };
fleet = { devices = 64; };
policy = { order = "easy"; fence = "floor"; };
pledges = ( { account = "alignment"; share = "20%"; window_s = "1d"; tolerance_s = "10m"; } );
grid = { orders = ["easy"]; fences = ["floor", "partition"]; shares = ["10%", "20%", "40%"]; seeds = 2; };
END
expect 0 "$rf_bin" simulate grid.cfg --out ensemble -q
"$rf_bin" audit run/ledger.jsonl --page audit.html >out 2>err
[ -s audit.html ] || fail "there is no page of an audit: $(cat err)"
ranks 2 scale "$rf_src/tests/cli/small.cfg" --repeats 2 --seconds 0.01 --ranks 1,2 --out scale \
    --set jobs.pretrain.train.batch=4 >out 2>err || fail "no scaling study: $(cat err)"
cp -r run other
expect 0 "$rf_bin" report run
expect 0 "$rf_bin" report --compare run other
pages="run/report.html simulation/report.html ensemble/report.html audit.html run/compare.html scale/report.html"

# shellcheck disable=SC2086 # one word per page and program
expect 0 $look check $pages
[ ! -s out ] || fail "the browser found: $(cat out)"

# The browser's eye itself: what is broken on purpose is found.
found() { # found WHAT SED-SCRIPT
    sed "$2" run/report.html >spoilt.html
    # shellcheck disable=SC2086
    RF_SCREENS=360:light expect 1 $look check spoilt.html
    grep -q "$1" out || fail "not found by the browser: $1"
}
found 'leaves the picture' '0,/<path/s/<path/<path transform="translate(900,0)"/'
found 'px wide' 's/<h1>/<h1 style="width:90rem">/'
found 'contrast' 's/--soft:#[0-9a-f]*/--soft:#808080/g'
found 'request for' "s,<h1>,<img src=\"http://127.0.0.1:9/x.png\"><h1>,; s/default-src 'none'/default-src */"
