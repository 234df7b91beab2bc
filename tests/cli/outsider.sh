#!/bin/bash
# A ledger of a real run, verified by somebody who has not got ringfence: sha256sum, openssl and
# a page of Python, as src/alloc/LEDGER.md describes it; and what they say of altered copies.
. "$(dirname "$0")/../lib.sh"
have_python && command -v openssl >/dev/null || exit 77
openssl pkeyutl -help 2>&1 | grep -q -- -rawin || exit 77 # OpenSSL 1.0 cannot
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

verify() {
    python3 "$rf_src/tests/data/verify_ledger.py" "$1" >found 2>&1
}

# copy NAME: ledger, seals and key of the run, to be altered.
copy() {
    for suffix in '' .seals .pub; do
        cp "run/ledger.jsonl$suffix" "$1$suffix"
    done
}

# caught NAME WORDS: it does not verify, and these words are said.
caught() {
    verify "$1" && fail "$1 verifies"
    grep -qF -- "$2" found || {
        cat found >&2
        fail "'$2' is not said of $1"
    }
}

"$rf_bin" keygen key 2>err || fail "keygen"
# Whether the pledge was kept depends on how busy the machine is; the ledger must hold anyway.
timeout 120 mpirun --oversubscribe -n 3 "$rf_bin" run "$rf_src/tests/cli/small.cfg" --out run \
    --quiet --set 'experiments=()' --set jobs.pretrain.train.steps=30 \
    --set run.key="$rf_work/key" --set pledges.alignment.account=capability \
    >out 2>err </dev/null
code=$?
[ $code -le 1 ] || fail "the run ends with $code: $(cat err)"

verify run/ledger.jsonl || fail "a good ledger does not verify: $(cat found)"

# The chain once more with nothing but a shell, a line at a time.
prev=$(head -c 32 /dev/zero | base64)
while IFS= read -r line; do
    case $line in *",\"prev\":\"$prev\"}") ;; *) fail "the chain breaks at: $line" ;; esac
    digest=$(printf %s "$line" | sha256sum | cut -c1-64 | sed 's/../\\x&/g')
    prev=$(printf '%b' "$digest" | base64)
done <run/ledger.jsonl

lines=$(wc -l <run/ledger.jsonl)
middle=$((lines / 2))
copy first.jsonl
sed -i '1s/"seed":7/"seed":8/' first.jsonl
caught first.jsonl "line 2 does not carry the digest"
copy middle.jsonl
sed -i "${middle}s/\"t_us\":1/\"t_us\":2/" middle.jsonl
caught middle.jsonl "line $((middle + 1)) does not carry the digest"
copy last.jsonl # nothing follows the last line: here the seal speaks
sed -i "${lines}s/\"t_us\":1/\"t_us\":2/" last.jsonl
caught last.jsonl "has another root"
copy short.jsonl
sed -i '$d' short.jsonl
caught short.jsonl "covers $lines lines, but there are $((lines - 1))"
copy size.jsonl # a seal over fewer lines, by changing its number
python3 - size.jsonl.seals <<'PY'
import sys
rows = open(sys.argv[1], encoding="utf-8").read().split("\n")
rows[1] = str(int(rows[1]) + 1)
open(sys.argv[1], "w", encoding="utf-8").write("\n".join(rows))
PY
caught size.jsonl "signature that does not hold"
copy other.jsonl
"$rf_bin" keygen other 2>err && cp other.pub other.jsonl.pub || fail "keygen"
caught other.jsonl "is not signed by ringfence"

# What the outsider computes is what the program says.
head=$(tail -n 3 run/ledger.jsonl.seals | head -n 1)
"$rf_bin" audit run/ledger.jsonl --key key.pub >out 2>err
grep -qF "head $head" out || fail "the audit's head is not the last seal's root"
exit 0
