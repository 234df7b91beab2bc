# From easy to hard: a student of the easy puzzles' weak labels, its control of as many, and a curve of each in the page.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1

# A rook goes to the seventh rank; the further it stands from the king, the harder it is said to be.
awk 'BEGIN { print "id\trating\tfen4\tsolution_uci\tthemes"; f = "abcdefgh"
    for (r = 0; r < 8; r++) for (k = 0; k < 8; k++) for (rank = 2; rank <= 5; rank++) if (r != k) {
        c = substr(f, r + 1, 1); d = r > k ? r - k : k - r
        row = (r ? r : "") "R" (7 - r ? 7 - r : ""); top = (k ? k : "") "k" (7 - k ? 7 - k : "")
        s = top; for (i = 7; i >= 2; i--) s = s "/" (i == rank ? row : 8)
        printf "p%d\t%d\t%s/4K3 w - -\t%s%d%s7\tx\n", ++n, 800 + 100 * d + rank, s, c, rank, c } }' >rated.tsv
printf 'id\trating\tfen4\tsolution_uci\tthemes\nu\t?\tk7/8/8/8/8/8/1R6/4K3 w - -\tb2b6\tx\n' >extra.tsv
cat >easy.cfg <<'END'
run = { name = "easy"; seed = 2; };
policy = { order = "fcfs"; fence = "none"; lease_s = 0.5; };
models = ( { name = "weak"; layers = 1; heads = 1; width = 8; }, { name = "strong"; layers = 1; heads = 2; width = 16; } );
tasks = ( { name = "p"; source = "chess"; path = "rated.tsv"; extra_path = "extra.tsv"; test = 60; validation = 20; learn_rest = true; } );
experiments = ( { name = "e"; account = "alignment"; task = "p"; weak = "weak"; strong = "strong"; losses = [ "xent" ]; easy = 1100.0;
    weak_train = { steps = 15; batch = 8; }; strong_train = { steps = 15; batch = 8; }; bootstrap = 100; seeds = 1; } );
END
ranks 3 run easy.cfg --out r >out 2>err
code=$?
[ $code -le 1 ] || { cat out err >&2; fail "exit code $code"; }
examples() { awk '$1 == "examples" { print $2 }' "r/jobs/e.s0.student-$1.metrics"; }
[ "$(examples easy)" = "$(examples as-many)" ] || fail "$(examples easy) and $(examples as-many) examples"
[ "$(examples easy)" -ge 20 ] && [ "$(examples easy)" -lt "$(examples xent)" ] || fail "$(examples easy) of $(examples xent) are easy"
grep -q "Accuracy by difficulty" r/report.html || fail "no curve"
if command -v gnuplot >/dev/null; then
    for line in "student easy" "student as-many" ceiling weak; do
        grep -q "$line" r/report.html || fail "no line '$line'"
    done
fi
expect 2 ranks 2 run easy.cfg --out no --set experiments.e.easy=800.5
said_once "job 'e.s0.student-easy': no example that it learns from has a rating of at most 800.5" err
expect 2 ranks 2 run easy.cfg --out no --force --set tasks.p.test=0
said_once "expected false, since 'test' leaves nothing over, got true" err
echo "easy puzzles are learned from"
