# Whole words whose vectors begin from what stands near what: the same on any number of ranks, of use to a student, and
# refused with a clear message where they make no sense.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1

# Good and bad words come with words of their own kind; each word is rare.
awk 'BEGIN { srand(4); for (i = 0; i < 1200; i++) { y = i % 2; t = ""
    for (k = 0; k < 6; k++) t = t sprintf(" %s%s%d", k % 3 ? (y ? "good" : "bad") : "the", k == 3 ? "Er" : "", int(rand() * 120))
    printf "%s\t%d\t%s, %d once\n", int(i / 2) % 6 == 5 ? "test" : "train", y, t, i } }' >t.tsv
cat >words.cfg <<'END'
run = { name = "words"; seed = 2; };
policy = { order = "fcfs"; fence = "none"; lease_s = 0.5; };
models = ( { name = "weak"; layers = 1; heads = 1; width = 4; }, { name = "strong"; layers = 1; heads = 3; width = 12; } );
tasks = ( { name = "t"; source = "tsv"; path = "t.tsv"; tokenizer = "words"; vocabulary = 500; context = 16; duplicates = "drop"; } );
jobs = ( { name = "v"; account = "capability"; model = "strong"; task = "t"; embeddings = "ppmi"; train = { steps = 0; }; min = 1; max = 3; } );
experiments = ( { name = "e"; account = "alignment"; task = "t"; weak = "weak"; strong = "strong"; pretrained = "v"; losses = [ "xent" ];
    weak_train = { steps = 60; batch = 16; lr = 1e-2; layer_lr = 0.01; examples = 40; readout = "mean"; };
    strong_train = { steps = 150; batch = 32; lr = 5e-3; layer_lr = 0.01; token_dropout = 0.3; readout = "mean"; };
    bootstrap = 100; seeds = 1; min = 1; max = 1; } );
END

content() { "$rf_bin" checkpoint show --json "$1/checkpoints/v/step-00000000.h5" | grep -o '"content": *"[^"]*"'; }
for n in 1 2 3; do
    expect 0 ranks $n train words.cfg --out "v$n" -q
    [ -n "$(content "v$n")" ] || fail "no digest"
    [ "$(content "v$n")" = "$(content v1)" ] || fail "other vectors on $n ranks than on one"
done
expect 0 ranks 1 train words.cfg --out random -q --set jobs.v.embeddings=random --set jobs.v.train.steps=1 --set jobs.v.train.lr=1e-12
"$rf_bin" checkpoint diff v1/checkpoints/v/step-00000000.h5 random/checkpoints/v/step-00000001.h5 >out 2>err
awk '$1 == "wte.weight" { moved = $4 > 1 } END { exit !moved }' out || { cat out err >&2; fail "the vectors are random ones"; }

ranks 3 run words.cfg --out r >out 2>err
code=$?
[ $code -le 1 ] || { cat out err >&2; fail "exit code $code"; }
accuracy() { awk '$1 == "test_accuracy" { print $2 }' "r/jobs/e.s0.$1.metrics"; }
awk -v w="$(accuracy weak)" -v s="$(accuracy student-xent)" -v c="$(accuracy ceiling)" \
    'BEGIN { exit !(s > w + 0.05 && c > 0.9) }' || fail "weak $(accuracy weak), student $(accuracy student-xent), ceiling $(accuracy ceiling)"

expect 2 ranks 1 train words.cfg --out no --set tasks.t.tokenizer=word
said_once "expected one of bpe, words, file, got 'word'" err
expect 2 ranks 1 train words.cfg --out no --set jobs.v.embeddings=random
said_once "expected a whole number from 1 to 100000000, got 0" err
expect 2 ranks 1 train words.cfg --out no --set jobs.v.from=somewhere
said_once "expected 'random', since the job starts from elsewhere, got 'ppmi'" err
echo "words have vectors"
