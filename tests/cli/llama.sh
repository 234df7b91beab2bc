# A model of the Llama family under tensor parallelism: it learns, its checkpoint goes out under
# Hugging Face's names and comes back as it was, and a run goes on from it on other ranks.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1

cat >llama.cfg <<'END'
run = { name = "llama"; seed = 3; };
models = ( { name = "m"; family = "llama"; layers = 2; heads = 4; kv_heads = 2; width = 32; untied = true; } );
tasks = ( { name = "material"; source = "chess-rules"; rule = "material"; train = 100; validation = 50; test = 50;
            corpus_size = 500; } );
jobs = ( { name = "pre"; account = "capability"; model = "m"; task = "material"; min = 1; max = 4;
           train = { steps = 30; batch = 8; lr = 3e-3; checkpoint_every = 15; }; } );
END
for n in 1 2 3; do
    expect 0 ranks $n train llama.cfg --json --out r$n
    mv out out.$n
done
made=r2/checkpoints/pre/step-00000030.h5
grep -q '"train_loss"' out.1 || fail "no loss among the metrics"
if have_python; then
    [ "$(python3 - <<'END'
import json
losses = [json.load(open(f"out.{n}"))["metrics"]["train_loss"] for n in (1, 2, 3)]
print(all(abs(x - losses[0]) < 1e-4 * losses[0] for x in losses) and losses[0] < 7)
END
)" = True ] || fail "the loss depends on the number of ranks: $(grep -h '"train_loss"' out.?)"
fi
expect 0 "$rf_bin" checkpoint show "$made"
said_once 'llama layers=2 heads=4 width=32 kv=16 hidden=88 vocabulary=' out

expect 0 ranks 2 checkpoint export "$made" hf.safetensors
grep -aq '"model.layers.1.self_attn.k_proj.weight"' hf.safetensors || fail "no name of Hugging Face's"
expect 0 ranks 3 checkpoint import hf.safetensors back --heads 4
expect 0 "$rf_bin" checkpoint reshard --weights-only "$made" alone
expect 0 "$rf_bin" checkpoint diff alone/step-00000030.h5 back/step-00000030.h5

# half the steps on two copies of two ranks, the rest on one: the loss is that of the whole on one
expect 0 ranks 4 train llama.cfg --json --out half --set jobs.pre.train.tensor=2
rm half/checkpoints/pre/step-00000030.h5
expect 0 ranks 1 train llama.cfg --json --out half --set jobs.pre.train.tensor=2 --resume
if have_python; then
    [ "$(python3 -c 'import json
a, b = (json.load(open(f))["metrics"]["train_loss"] for f in ("out.1", "out"))
print(abs(a - b) < 1e-4 * a)')" = True ] || fail "going on elsewhere changed the loss"
fi
expect 2 "$rf_bin" train llama.cfg --set models.m.kv_heads=3
grep -q 'kv_heads' err || fail "no word about kv_heads"
echo "a Llama holds"
