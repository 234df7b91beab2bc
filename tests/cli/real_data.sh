# The shipped studies on real data, cut to a few steps: the files are read, every job ends, the
# pledge is judged. Skipped where the data is not there.
. "$(dirname "$0")/../lib.sh"

data=${RF_SHARED_DATA:-$rf_src/../shared/data}
[ -r "$data/nlp/sst2.tsv" ] && [ -r "$data/chess/games_40k.tsv.gz" ] || {
    echo "skipped: no real data in '$data'"
    exit 77
}

# few DIR CONFIG TASK SET...: a run of three-step jobs; 1 is fine too, for so short a run may
# not keep its pledge
few() {
    local out=$1 config=$2 name=$3 code
    shift 3
    ranks 3 run "$rf_src/configs/$config" --out "$out" -q --set jobs.pretrain.train.steps=3 \
        --set "experiments.$name.weak_train.steps=3" --set "experiments.$name.strong_train.steps=3" \
        --set "experiments.$name.seeds=1" --set "experiments.$name.bootstrap=100" \
        --set "experiments.$name.submit_s=0.0" "$@" >out 2>err
    code=$?
    [ $code -le 1 ] || { cat out err >&2; fail "$config: exit code $code"; }
    grep -q '"type":"end".*"state":"done"' "$out/ledger.jsonl" || fail "$config: no job is done"
    grep '"type":"end"' "$out/ledger.jsonl" | grep -v '"state":"done"' && fail "$config: a job did not end well"
    [ -s "$out/report.html" ] || fail "$config: no report"
    expect $code "$rf_bin" audit "$out/ledger.jsonl"
}

few sst2 sst2.cfg sst2 --set "tasks.sst2.path=$data/nlp/sst2.tsv" --set tasks.sst2.vocabulary=1024
few chess chess.cfg puzzles --set "tasks.puzzles.path=$data/chess/puzzles_rated.tsv" \
    --set "tasks.puzzles.extra_path=$data/chess/puzzles_unrated_10k.tsv" \
    --set "tasks.puzzles.corpus=$data/chess/games_40k.tsv.gz" --set tasks.puzzles.corpus_size=5000

# Any one file of labelled texts, by the two keys that name it.
few task w2s-task.cfg task --set "task.path=$data/nlp/trec6.tsv" --set task.format=tsv --set task.positive=5 \
    --set task.vocabulary=1024
