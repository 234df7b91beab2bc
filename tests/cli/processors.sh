# Processors without AVX-512, AVX2 or bf16 run the same code: the libraries are told to do without, and the losses stay
# what they are. And bf16 training on copies, whose values are shared out, goes on on other ranks.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
have_python || exit 77

cat >job.cfg <<'END'
run = { name = "plain"; seed = 3; };
models = ( { name = "m"; layers = 2; heads = 4; width = 32; } );
tasks = ( { name = "material"; source = "chess-rules"; rule = "material"; train = 100; validation = 50; test = 50;
            corpus_size = 500; } );
jobs = ( { name = "pre"; account = "capability"; model = "m"; task = "material"; min = 1; max = 4;
           train = { steps = 10; batch = 8; lr = 3e-3; checkpoint_every = 5; tensor = 1; }; } );
END

# loss NAME BF16 RANKS ARGUMENTS...
loss() {
    local name=$1 bf16=$2 n=$3
    shift 3
    expect 0 ranks "$n" train job.cfg --json --out "$name" --set "jobs.pre.train.bf16=$bf16" "$@"
    json out 'd["metrics"]["train_loss"]' >"$name.loss"
}
# close A B TOLERANCE: relative
close() {
    python3 -c 'import sys
a, b = (float(open(f + ".loss").read()) for f in sys.argv[1:3])
sys.exit(not abs(a - b) < float(sys.argv[3]) * abs(b))' "$@" ||
        fail "loss $(cat "$1.loss") of $1 is not $(cat "$2.loss") within $3"
}

loss fp32 false 1
loss bf16 true 1
close bf16 fp32 2e-2
for cap in SSE41:Nehalem AVX2:Haswell; do
    export ONEDNN_MAX_CPU_ISA=${cap%:*} OPENBLAS_CORETYPE=${cap#*:}
    # a processor without the instructions does not get them by being told of them
    "$rf_bin" bench train --quick --json >said.json 2>err || fail "bench train under $cap"
    if [ "$(uname -m)" = x86_64 ] && [ "$cap" = SSE41:Nehalem ]; then
        json said.json '[r["said"] for r in d["results"]]' >said
        grep -q "sgemm, Nehalem" said || fail "another kernel than Nehalem's: $(cat said)"
        ! grep -q "avx" said || fail "vectors that were forbidden: $(cat said)"
    fi
    loss "fp32.$cap" false 2
    close "fp32.$cap" fp32 1e-4
    loss "bf16.$cap" true 2
    close "bf16.$cap" fp32 2e-2
done
unset ONEDNN_MAX_CPU_ISA OPENBLAS_CORETYPE

# half of the steps on three copies, the rest on one rank, and on four copies
loss half true 3
for then in 1 4; do
    rm half/checkpoints/pre/step-00000010.h5
    loss half true "$then" --resume
    close half bf16 5e-3
done
expect 0 ranks 2 checkpoint export half/checkpoints/pre/step-00000005.h5 half.safetensors
[ "$(python3 - <<'END'
import json, struct
data = open("half.safetensors", "rb").read()
size = struct.unpack("<Q", data[:8])[0]
tensors = {k: v for k, v in json.loads(data[8:8 + size]).items() if k != "__metadata__"}
rounded = []
for name, t in tensors.items():
    if len(t["shape"]) == 2:
        begin, end = t["data_offsets"]
        low = data[8 + size + begin:8 + size + end:4]  # the first byte of each number
        rounded.append(t["dtype"] != "F32" or sum(1 for b in low if b == 0) > len(low) // 10)
print(len(rounded), any(rounded))
END
)" = "10 False" ] || fail "matrices in the file are not those in fp32"
echo "any processor does"
