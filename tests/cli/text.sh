# A language model of plain text from one configuration: every tokenizer, documents, the validation loss
# during training and at its end, the same on any number of ranks; what is wrong is named.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1

for i in $(seq 400); do
    printf 'The %d-th mouse ran up the clock.\nIt was %d past noon.\n\n' "$i" $((i % 60))
done >mice.txt
small=(--set models.gpt.layers=2 --set models.gpt.heads=2 --set models.gpt.width=32 --set tasks.text.context=32
    --set tasks.text.path="$PWD/mice.txt" --set jobs.characters.train.batch=8 --set jobs.characters.train.steps=60
    --set jobs.characters.train.lr=3e-3 --set jobs.characters.train.eval_every=30)

for n in 1 3; do
    expect 0 ranks $n train "$rf_src/configs/shakespeare.cfg" "${small[@]}" --json --out c$n
    mv out out.$n
    said_once "step 30 of 60: loss" err
done
[ "$(awk 'NF == 6' c1/jobs/characters.curve | wc -l)" -eq 2 ] || fail "the curve has no validation loss"
if have_python; then
    [ "$(python3 - <<'END'
import json
loss = [json.load(open(f"out.{n}"))["metrics"]["validation_loss"] for n in (1, 3)]
print(all(abs(x - loss[0]) < 1e-4 * loss[0] for x in loss) and 0.5 < loss[0] < 2.6)
END
)" = True ] || fail "the validation loss: $(grep -h '"validation_loss"' out.?)"
fi

expect 0 "$rf_bin" data tokenizer mice.txt --vocabulary=300 --output=mice.json
for tokenizer in byte bpe file; do
    more=()
    [ $tokenizer != file ] || more=(--set tasks.text.tokenizer_path="$PWD/mice.json")
    [ $tokenizer != bpe ] || more=(--set tasks.text.vocabulary=300)
    expect 0 "$rf_bin" train "$rf_src/configs/shakespeare.cfg" "${small[@]}" --set tasks.text.tokenizer=$tokenizer \
        --set jobs.characters.train.steps=10 --set tasks.text.documents=paragraphs "${more[@]}" --json --out $tokenizer
    grep -q '"validation_loss"' out || fail "no validation loss with $tokenizer"
done

train() { "$rf_bin" train "$rf_src/configs/shakespeare.cfg" "${small[@]}" --out bad --force "$@"; }
expect 2 train --set tasks.text.tokenizer=words
said_once "expected one of byte, char, bpe, file, got 'words'" err
expect 2 train --set tasks.text.tokenizer=file
said_once "key 'tasks.[0].tokenizer_path': expected a file or directory" err
expect 2 train --set tasks.text.documents=pages
said_once "expected one of file, lines, paragraphs, got 'pages'" err
expect 2 train --set tasks.text.rule=check
said_once "source \"text\" does not use it" err
expect 2 train --set tasks.text.path=/absent.txt
said_once "absent.txt': No such file" err
printf 'caf\351\n' >>mice.txt
expect 2 train
said_once "begins no character of UTF-8" err
expect 2 "$rf_bin" data tokenizer
expect 2 "$rf_bin" data list mice.txt
