#!/bin/bash
# A checkpoint through somebody else's eyes: h5py finds the tensors that `checkpoint show` names,
# in the same shapes, and their values give the same digests, computed as FORMAT.md says.
. "$(dirname "$0")/../lib.sh"
have_python && python3 -c 'import h5py, numpy' 2>/dev/null || exit 77
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

cat >compare.py <<'PY'
import hashlib, json, sys
import h5py, numpy

def digest(values):
    """Rows of about a MiB are hashed, then their digests together."""
    columns = values.shape[1] if values.ndim == 2 else 1
    rows = max(1, 262144 // columns)
    granules = [hashlib.sha256(values[at:at + rows].astype("<f4").tobytes()).digest()
                for at in range(0, len(values), rows)]
    return hashlib.sha256(b"".join(granules)).hexdigest()

said = json.load(open(sys.argv[2]))
with h5py.File(sys.argv[1], "r") as file:
    assert file["format"].attrs["version"] == said["format_version"]
    for key in ("step", "tokens", "flops", "seed"):
        assert file.attrs[key] == said["info"][key], key
    for key in ("job", "account", "model", "config"):
        assert file.attrs[key].decode() == said["info"][key], key
    content, seen = [], set()
    for tensor in said["tensors"]:
        name = tensor["name"]
        moment = name[:2] in ("m/", "v/")
        path = "optimizer/" + name if moment else "params/" + name
        data = file[path]
        assert data.dtype == numpy.float32 and data.chunks is None, name
        assert list(data.shape) == tensor["shape"], name
        assert numpy.isfinite(data[()]).all(), name
        assert digest(data[()]) == tensor["sha256"], name
        shape = "x".join(str(n) for n in data.shape)
        content.append(f"{name} {shape} {tensor['sha256']}\n".encode())
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

compare "$rf_src/checkpoints/golden/version-1.h5"

# A fresh one, written by two ranks.
timeout 120 mpirun --oversubscribe -n 3 "$rf_bin" run "$rf_src/tests/cli/small.cfg" --out run \
    --quiet --set 'experiments=()' --set 'pledges=()' --set jobs.pretrain.train.steps=10 \
    --set jobs.pretrain.min=2 --set 'run.checkpoints="store"' >out 2>err </dev/null
code=$?
[ $code -le 1 ] || fail "the run ends with $code: $(cat err)"
newest=$(find store run -name 'step-*.h5' 2>/dev/null | sort | tail -n 1)
[ -n "$newest" ] || fail "the run left no checkpoint"
[ "$(python3 -c 'import h5py,sys; print(h5py.File(sys.argv[1]).attrs["ranks"])' "$newest")" = 2 ] ||
    fail "$newest is not from two ranks"
compare "$newest"

# And it notices: another value in the tensor's bytes.
cp "$newest" bad.h5 && chmod u+w bad.h5
python3 -c 'import h5py; f = h5py.File("bad.h5", "r+"); d = next(iter(f["params"].values())); d[0] = d[0] + 1'
python3 compare.py bad.h5 shown.json 2>/dev/null && fail "a changed value is not noticed"
exit 0
