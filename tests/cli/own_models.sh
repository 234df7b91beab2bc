# A study of models from elsewhere: a GPT-2 supervises a Llama, each with its own tokenizer and its own
# words for the labels, both imported from safetensors files under Hugging Face's names.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1

# ---- what a cluster would download: two models and their tokenizers
for i in $(seq 300); do
    [ $((i % 2)) -eq 0 ] && word="a lovely warm" || word="an awful cold"
    printf 'The %d-th day was %s one for the %d mice of the mill.\n' "$i" "$word" $((i * 7 % 40))
done >days.txt
awk '{ print (NR % 5 == 0 ? "test" : NR % 9 == 0 ? "dev" : "train") "\t" (/lovely/ ? "fine" : "grim") "\t" $0 }' \
    days.txt >days.tsv
expect 0 "$rf_bin" data tokenizer days.txt --vocabulary=300 --output=gpt.json
expect 0 "$rf_bin" data tokenizer days.txt --vocabulary=330 --output=llama.json
added() { # added FILE ID NAME: as published tokenizers list their special tokens
    sed -i "s/\"added_tokens\": \[\]/\"added_tokens\": [{\"id\": $2, \"content\": \"$3\", \"special\": true}]/" "$1"
    grep -q "$3" "$1" || fail "no special token in $1"
}
ngpt=$(grep -c '^   "' gpt.json)
nllama=$(grep -c '^   "' llama.json)
added gpt.json "$ngpt" "<|endoftext|>"
added llama.json "$nllama" "<s>"
sed -i "s/\"post_processor\": null/\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], \"special_tokens\": {\"<s>\": {\"id\": \"<s>\", \"ids\": [$nllama]}}}/" llama.json
grep -q TemplateProcessing llama.json || fail "no template"

cat >make.cfg <<END
run = { name = "make"; };
models = (
  { name = "gpt"; layers = 1; heads = 2; width = 16; context = 40; },
  { name = "llama"; family = "llama"; layers = 1; heads = 4; kv_heads = 2; width = 32; untied = true; } );
tasks = (
  { name = "gpt"; source = "text"; path = "days.txt"; tokenizer_path = "gpt.json"; context = 24; documents = "lines"; },
  { name = "llama"; source = "text"; path = "days.txt"; tokenizer_path = "llama.json"; context = 24; } );
jobs = (
  { name = "gpt"; account = "a"; model = "gpt"; task = "gpt"; train = { steps = 20; batch = 8; lr = 3e-3; }; },
  { name = "llama"; account = "a"; model = "llama"; task = "llama"; train = { steps = 60; batch = 8; lr = 3e-3; }; } );
END
for m in gpt llama; do
    expect 0 ranks 2 train make.cfg $m --out made-$m
    mkdir $m && mv $m.json $m/tokenizer.json
    expect 0 ranks 2 checkpoint export made-$m/checkpoints/$m/step-*.h5 $m/model.safetensors
done
# a stranger's file does not say how many heads: its config.json does, and what our models do not do is refused
sed -i 's/"ringfence/"ringfance/g; s/"model":/"medal":/' gpt/model.safetensors llama/model.safetensors
expect 2 ranks 2 checkpoint import gpt/model.safetensors gpt-model
said_once "give the number of attention heads with --heads" err
printf '{"n_head": 2, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-05}' >gpt/config.json
expect 0 ranks 2 checkpoint import gpt/model.safetensors gpt-model
said_once 'models = ( { name = "NAME"; layers = 1; heads = 2; width = 16; hidden = 64; context = 40; ' out
said_once 'norm_eps = 1e-05; } );' out
printf '{"num_attention_heads": 4, "hidden_act": "silu", "rope_theta": 10000.0, "rope_scaling": {"factor": 8.0}}' >llama/config.json
expect 2 ranks 2 checkpoint import llama/model.safetensors llama-model
said_once "scales its rotary frequencies (rope_scaling), which our models do not" err
printf '{"num_attention_heads": 4, "hidden_act": "silu", "rope_theta": 10000.0, "rms_norm_eps": 1e-05}' >llama/config.json
expect 0 ranks 2 checkpoint import llama/model.safetensors llama-model
said_once 'family = "llama"; layers = 1; heads = 4; kv_heads = 2; width = 32; hidden = 88; ' out
said_once 'untied = true; rope_theta = 10000; norm_eps = 1e-05; } );' out

# ---- the study
cat >study.cfg <<END
run = { name = "study"; seed = 2; cache = "cache"; };
policy = { order = "fcfs"; fence = "none"; lease_s = 0.5; };
models = (
  { name = "gpt2"; layers = 1; heads = 2; width = 16; context = 40; },
  { name = "llama"; family = "llama"; layers = 1; heads = 4; kv_heads = 2; width = 32; untied = true; } );
tasks = (
  { name = "as-gpt2"; source = "tsv"; path = "days.tsv"; tokenizer_path = "gpt/tokenizer.json"; context = 32;
    answers = [ " lovely", " awful" ]; question = " It was"; },
  { name = "as-llama"; source = "tsv"; path = "days.tsv"; tokenizer_path = "llama"; context = 32;
    answers = [ " warm", " cold" ]; question = "\n"; } );
jobs = (
  { name = "gpt2"; account = "alignment"; model = "gpt2"; task = "as-gpt2"; from = "gpt-model"; train = { steps = 0; }; },
  { name = "llama"; account = "alignment"; model = "llama"; task = "as-llama";
    from = "$(ls llama-model/*.h5)"; train = { steps = 0; }; } );
experiments = (
  { name = "e"; account = "alignment"; task = "as-llama"; weak_task = "as-gpt2"; weak = "gpt2"; strong = "llama";
    weak_pretrained = "gpt2"; pretrained = "llama"; losses = [ "xent", "filter-probe" ]; controls = [ "same-size", "noise" ];
    weak_train = { steps = 40; batch = 8; lr = 1e-2; };
    strong_train = { steps = 100; batch = 16; lr = 1e-2; token_dropout = 0.1; }; seeds = 1; bootstrap = 200; } );
END
ranks 3 run study.cfg --out r >out 2>err
code=$?
[ $code -le 1 ] || { cat out err >&2; fail "exit code $code"; }
for row in "e  *xent " "e  *filter-probe " "e  *noise "; do
    grep -q "^ *$row" out || { cat out >&2; fail "no row '$row'"; }
done
# what the jobs hand on is what was imported, and the trained models still speak the foreign vocabulary
for m in gpt2 llama; do
    expect 0 "$rf_bin" checkpoint reshard --weights-only r/checkpoints/$m/step-00000000.h5 alone-$m
    expect 0 "$rf_bin" checkpoint diff alone-$m/step-00000000.h5 "${m%2}"-model/step-*.h5
done
expect 0 "$rf_bin" checkpoint show r/checkpoints/e.s0.weak/step-00000040.h5
said_once "gpt2 layers=1 heads=2 width=16 hidden=64 context=40 vocabulary=$((ngpt + 1))" out
accuracy() { awk '$1 == "test_accuracy" { print $2 }' "r/jobs/$1.metrics"; }
for job in e.s0.weak e.s0.ceiling e.s0.student-xent; do
    awk -v a="$(accuracy $job)" 'BEGIN { exit !(a >= 0.9) }' || fail "$job learnt nothing: $(accuracy $job)"
done
# a second run takes everything from the cache, whose keys know what lies in the imported files
ranks 3 run study.cfg --out again >out 2>err || [ $? -le 1 ] || fail "again"
cmp r/jobs/e.s0.student-xent.test again/jobs/e.s0.student-xent.test || fail "from the cache, but different"

mkdir empty
# ---- what does not fit is said before anything starts
refused() { # refused WHAT OVERRIDE...
    local what=$1
    shift
    expect 2 ranks 2 run study.cfg --out no "$@"
    said_once "$what" err
    [ ! -d no ] || fail "a run directory was made: $*"
}
refused "holds 'gpt2 layers=1 heads=2 width=16" --set models.gpt2.heads=4
refused "may be given its 'context'" --set models.gpt2.context=0
refused "model 'gpt2' has 16 positions, and task 'as-gpt2' has texts of 32" --set models.gpt2.context=16
refused "is a safetensors file; make a checkpoint of it first" --set jobs.gpt2.from=gpt/model.safetensors
refused "there is no checkpoint or directory" --set jobs.gpt2.from=nowhere
refused "there is no complete checkpoint in" --set jobs.gpt2.from=empty
refused "expected a whole number from 1 to 100000000, got 0" --set 'jobs.gpt2.from=""'
refused "begin with the same token" --set 'tasks.as-gpt2.answers=[" lovely"," lovely"]'
refused "there are 3 answers for 2 labels" --set 'tasks.as-gpt2.answers=[" a"," b"," c"]'
refused "leaves no room for a text in a context of 4" --set tasks.as-gpt2.context=4
refused "differ in the weak half (" --set tasks.as-gpt2.train=50
refused "expected the name of a task in 'tasks', got 'x'" --set experiments.e.weak_task=x
refused "since a tokenizer that is learnt here has tokens of its own" --set tasks.as-gpt2.tokenizer=bpe --set 'tasks.as-gpt2.tokenizer_path=""'


# a job by itself, as one that is submitted later, looks as well
expect 2 "$rf_bin" train study.cfg e.s0.student-xent --out alone --set tasks.as-gpt2.train=50
said_once "its task 'as-llama' and its supervisor's, 'as-gpt2', do not hold the same examples" err
echo "models from elsewhere are studied"
