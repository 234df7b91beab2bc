#!/bin/bash
# Checkpoints through other people's eyes: h5py and h5dump find the tensors that `checkpoint show`
# names, in the same shapes, and their values give the same digests, computed as FORMAT.md says;
# the safetensors package reads what is exported, and what it writes is imported. Each part is
# skipped, and says so, where its tool is not there; the test is when all are.
. "$(dirname "$0")/../lib.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
golden=$rf_src/checkpoints/golden/version-1/step-00000120.h5

# has MODULE...: Python and these modules of it
has() {
    have_python || return 1
    local module
    for module in "$@"; do python3 -c "import $module" 2>/dev/null || return 1; done
}

parts=0
with_h5dump=0 with_h5py=0 with_safetensors=0
if command -v h5dump >/dev/null; then with_h5dump=1 parts=1; else echo "skipped: no h5dump"; fi
if has h5py numpy; then with_h5py=1 parts=1; else echo "skipped: Python has no h5py"; fi
if has safetensors numpy; then with_safetensors=1 parts=1; else
    echo "skipped: Python has no safetensors"
fi
[ $parts = 1 ] || exit 77

# Fresh ones, written by two ranks: the newest refers to the one before for a frozen layer.
timeout 120 mpirun --oversubscribe -n 3 "$rf_bin" run "$rf_src/tests/cli/small.cfg" --out run \
    --quiet --set 'experiments=()' --set 'pledges=()' --set jobs.pretrain.train.steps=10 \
    --set jobs.pretrain.train.checkpoint_every=5 --set jobs.pretrain.train.freeze_layers=1 \
    --set jobs.pretrain.train.checkpoint_bf16_moments=true \
    --set jobs.pretrain.min=2 --set 'run.checkpoints="store"' >out 2>err </dev/null
code=$?
[ $code -le 1 ] || fail "the run ends with $code: $(cat err)"
newest=$(find store run -name 'step-*.h5' 2>/dev/null | sort | tail -n 1)
[ -n "$newest" ] || fail "the run left no checkpoint"
"$rf_bin" checkpoint show "$newest" | grep -q 'fp32 in step-00000005.h5' ||
    fail "$newest refers to nothing"
expect 0 "$rf_bin" checkpoint reshard --compress "$newest" packed
packed=packed/$(basename "$newest")
golden_later=${golden/120/140} golden_packed=$rf_src/checkpoints/golden/version-1/packed/step-00000140.h5

# ---- h5dump: the raw values of every tensor of one granule, hashed by other means

# bytes HEX: as bytes
bytes() { printf "$(printf %s "$1" | sed 's/../\\x&/g')"; }

# dumped FILE: how many tensors h5dump and show agree on
dumped() {
    local name shape digest object raw n=0
    while read -r name shape digest _; do
        object=/params/$name
        [[ $name = [mv]/* ]] && object=/optimizer/$name
        [ $((${shape/x/*})) -le 262144 ] || continue
        rm -f raw.bin
        h5dump -d "$object" -b FILE -o raw.bin "$1" >/dev/null 2>&1 || fail "h5dump $object of $1"
        raw=$(sha256sum <raw.bin | cut -d' ' -f1)
        [ "$(bytes "$raw" | sha256sum | cut -d' ' -f1)" = "$digest" ] ||
            fail "$name in $1 is something else to h5dump"
        n=$((n + 1))
    done < <("$rf_bin" checkpoint show "$1" | sed '1,/^tensor /d')
    echo $n
}

if [ $with_h5dump = 1 ]; then
    [ "$(dumped "$golden")" = 6 ] || fail "h5dump sees other tensors in $golden"
    for file in "$golden_later" "$golden_packed"; do
        [ "$(dumped "$file")" = 6 ] || fail "h5dump sees other tensors in $file"
    done
    for file in "$newest" "$packed"; do
        [ "$(dumped "$file")" -ge 100 ] || fail "h5dump sees other tensors in $file"
    done
fi

# ---- h5py

cat >compare.py <<'PY'
import hashlib, json, sys
import h5py, numpy

def digest(values, kind):
    """Rows of about a MiB are hashed, then their digests together."""
    columns = values.shape[1] if values.ndim == 2 else 1
    rows = max(1, 262144 // columns)
    values = numpy.ascontiguousarray(values, "<f4")
    if kind == "bf16": # the upper half of each
        assert (values.view("<u4") & 0xffff == 0).all()
        values = (values.view("<u4") >> 16).astype("<u2")
    granules = [hashlib.sha256(values[at:at + rows].tobytes()).digest()
                for at in range(0, len(values), rows)]
    return hashlib.sha256(b"".join(granules)).hexdigest()

said = json.load(open(sys.argv[2]))
with h5py.File(sys.argv[1], "r") as file:
    assert file["format"].attrs["version"] == said["format_version"]
    for key in ("step", "tokens", "flops", "seed", "ledger_entries"):
        assert file.attrs[key] == said["info"][key], key
    for key in ("job", "account", "model", "config", "ledger_head"):
        assert file.attrs[key].decode() == said["info"][key], key
    content, seen = [], set()
    for tensor in said["tensors"]:
        name = tensor["name"]
        moment = name[:2] in ("m/", "v/")
        path = "optimizer/" + name if moment else "params/" + name
        data = file[path]
        assert data.dtype == numpy.float32, name
        assert (data.compression, data.shuffle) == (("gzip", True) if tensor["packed"] else
                                                    (None, False)) or tensor["base"], name
        link = file.get(path, getlink=True)
        if tensor["base"] is None:
            assert isinstance(link, h5py.HardLink), name
        else:
            assert (link.filename, link.path) == ("step-%08d.h5" % tensor["base"], "/" + path)
        assert list(data.shape) == tensor["shape"], name
        assert numpy.isfinite(data[()]).all(), name
        assert digest(data[()], tensor["type"]) == tensor["sha256"], name
        shape = "x".join(str(n) for n in data.shape)
        kind = "bf16 " if tensor["type"] == "bf16" else ""
        content.append(f"{name} {shape} {kind}{tensor['sha256']}\n".encode())
        seen.add(path)
    assert hashlib.sha256(b"".join(sorted(content))).hexdigest() == said["content"]
    for group in ("params", "optimizer/m", "optimizer/v"):
        for name in file[group]:
            assert f"{group}/{name}" in seen, name
    params = len(file["params"])
    assert params > 0 and len(said["tensors"]) == 3 * params
PY

# compare FILE
compare() {
    "$rf_bin" checkpoint show --json "$1" >shown.json || fail "show $1"
    python3 compare.py "$1" shown.json 2>err || fail "$1 is not what show says: $(tail -n 3 err)"
}

if [ $with_h5py = 1 ]; then
    for file in "$golden" "$golden_later" "$golden_packed" "$packed" "$newest"; do
        compare "$file"
    done
    [ "$(python3 -c 'import h5py,sys; print(h5py.File(sys.argv[1]).attrs["ranks"])' "$newest")" = 2 ] ||
        fail "$newest is not from two ranks"
    # And it notices: another value in the tensor's bytes.
    cp "$newest" bad.h5 && chmod u+w bad.h5
    ln -s "$(dirname "$PWD/$newest")"/step-00000005.h5 . # what the copy refers to
    python3 -c 'import h5py; d = h5py.File("bad.h5", "r+")["params/ln_f.weight"]; d[0] = d[0] + 1'
    python3 compare.py bad.h5 shown.json 2>/dev/null && fail "a changed value is not noticed"
fi

# ---- safetensors: what we export, as the package reads it; what it writes, as we import it

cat >exchange.py <<'PY'
import hashlib, json, sys
import numpy
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

def digest(values):
    columns = values.shape[1] if values.ndim == 2 else 1
    rows = max(1, 262144 // columns)
    granules = [hashlib.sha256(numpy.ascontiguousarray(values[at:at + rows], "<f4").tobytes())
                .digest() for at in range(0, len(values), rows)]
    return hashlib.sha256(b"".join(granules)).hexdigest()

def ours(theirs):
    """Theirs is [in, out] with queries, keys and values side by side; ours is [out, in]."""
    result = {}
    for name, values in theirs.items():
        if name.endswith("attn.c_attn.weight") or name.endswith("attn.c_attn.bias"):
            kind = name.rsplit(".", 1)[1]
            layer = name.split(".attn.")[0]
            for part, piece in zip("qkv", numpy.split(values, 3, axis=-1)):
                result[f"{layer}.attn.{part}.{kind}"] = piece.T
            continue
        turned = ".c_" in name and values.ndim == 2
        for old, new in ((".attn.c_proj.", ".attn.o."), (".c_fc.", ".fc."), (".c_proj.", ".proj.")):
            name = name.replace(old, new)
        result[name] = values.T if turned else values
    return result

def agree(theirs, shown):
    said = {t["name"]: t for t in json.load(open(shown))["tensors"] if "/" not in t["name"]}
    mine = ours(theirs)
    assert set(mine) == set(said), set(mine) ^ set(said)
    for name, values in mine.items():
        assert list(values.shape) == said[name]["shape"], name
        assert digest(values) == said[name]["sha256"], name

if sys.argv[1] == "read":
    agree(load_file(sys.argv[2]), sys.argv[3])
    with safe_open(sys.argv[2], "np") as file:
        assert file.metadata()["format"] == "pt"
if sys.argv[1] == "write": # a GPT-2 of two layers and width 12
    random = numpy.random.default_rng(1)
    shapes = {"wte.weight": (31, 12), "wpe.weight": (9, 12), "ln_f.weight": (12,), "ln_f.bias": (12,)}
    for i in range(2):
        for name, shape in (("ln_1.weight", (12,)), ("ln_1.bias", (12,)), ("ln_2.weight", (12,)),
                            ("ln_2.bias", (12,)), ("attn.c_attn.weight", (12, 36)),
                            ("attn.c_attn.bias", (36,)), ("attn.c_proj.weight", (12, 12)),
                            ("attn.c_proj.bias", (12,)), ("mlp.c_fc.weight", (12, 50)),
                            ("mlp.c_fc.bias", (50,)), ("mlp.c_proj.weight", (50, 12)),
                            ("mlp.c_proj.bias", (12,))):
            shapes[f"h.{i}.{name}"] = shape
    save_file({k: random.standard_normal(v).astype("f4") for k, v in shapes.items()}, sys.argv[2])
if sys.argv[1] == "written":
    agree(load_file(sys.argv[2]), sys.argv[3])
PY

if [ $with_safetensors = 1 ]; then
    expect 0 "$rf_bin" checkpoint export "$newest" ours.safetensors
    "$rf_bin" checkpoint show --json "$newest" >shown.json
    python3 exchange.py read ours.safetensors shown.json 2>err ||
        fail "the package reads something else: $(tail -n 3 err)"
    python3 exchange.py write theirs.safetensors || fail "the package does not write"
    expect 2 "$rf_bin" checkpoint import theirs.safetensors theirs
    said_once "give the number of attention heads with --heads" err
    expect 0 "$rf_bin" checkpoint import --heads 3 theirs.safetensors theirs
    "$rf_bin" checkpoint show --json theirs/step-00000000.h5 >shown.json
    python3 exchange.py written theirs.safetensors shown.json 2>err ||
        fail "what the package wrote comes in as something else: $(tail -n 3 err)"
    expect 0 "$rf_bin" checkpoint export theirs/step-00000000.h5 back.safetensors
    python3 - <<'PY' || fail "what the package wrote goes out as something else"
from safetensors.numpy import load_file
a, b = load_file("theirs.safetensors"), load_file("back.safetensors")
assert set(a) == set(b) and all((a[k] == b[k]).all() and a[k].shape == b[k].shape for k in a)
PY
fi
exit 0
