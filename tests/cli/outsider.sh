#!/bin/bash
# A ledger of a real run, verified by somebody who has not got ringfence: sha256sum and openssl in
# a shell, a page of Python, and the packages of the Go project that verify its checksum database,
# as src/alloc/LEDGER.md describes it; proofs, a change of key and a cosignature as well; and what
# they say of altered copies.
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

# Proofs, another key, and a witness: by Python.
proves() {
    python3 "$rf_src/tests/data/verify_ledger.py" "$@" >found 2>&1
}
"$rf_bin" keygen --name next next 2>err && "$rf_bin" keygen --witness --name w.example/w w 2>err ||
    fail "keygen"
copy turned.jsonl
expect 0 "$rf_bin" ledger head turned.jsonl --out old-head
expect 0 "$rf_bin" ledger prove turned.jsonl $middle --out entry.tlog-proof
sed -n $((middle + 1))p turned.jsonl >entry
sed -n ${middle}p turned.jsonl >another
expect 0 "$rf_bin" ledger rotate turned.jsonl --from key --to next
expect 0 "$rf_bin" ledger consistency old-head turned.jsonl --out request
expect 0 "$rf_bin" witness remembered turned.jsonl --key w --log-key key.pub --out cosigned
verify turned.jsonl || fail "a ledger whose key changed does not verify: $(cat found)"
proves --proof entry.tlog-proof entry key.pub || fail "a proof of an entry: $(cat found)"
proves --proof entry.tlog-proof another key.pub && fail "another entry has the same proof"
proves --extends request old-head key.pub || fail "a consistency proof: $(cat found)"
proves --cosigned cosigned w.pub || fail "a cosignature: $(cat found)"
proves --proof entry.tlog-proof entry next.pub && fail "a head by a key that did not sign it"
grep -v '^[A-Za-z0-9+/=]\{44\}$' request >bare # the roots go as well as the hashes
proves --extends bare old-head key.pub && fail "no proof proves"
cp turned.jsonl late.jsonl # a forger's key, announced but sealed by nobody
cp turned.jsonl.pub late.jsonl.pub
cp run/ledger.jsonl.seals late.jsonl.seals
sed '1,5d' turned.jsonl.seals >tail-seal
cat tail-seal >>late.jsonl.seals
verify late.jsonl || fail "the same seals in another file: $(cat found)"

# With openssl alone: the message that a witness signs is two lines more than the head's.
head -n 3 cosigned >body
time=$(tail -n 1 cosigned | cut -d' ' -f3 | base64 -d | tail -c 72 | head -c 8 | od -An -tu1 |
    awk '{ for (i = 1; i <= NF; i++) t = t * 256 + $i; printf "%d", t }')
{ printf 'cosignature/v1\ntime %s\n' "$time" && cat body; } >message
tail -n 1 cosigned | cut -d' ' -f3 | base64 -d | tail -c 64 >sig
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000' && cut -d+ -f3- w.pub | base64 -d |
    tail -c 32; } >key.der
openssl pkeyutl -verify -pubin -inkey key.der -keyform DER -rawin -in message -sigfile sig \
    >found 2>&1 || fail "openssl does not verify the cosignature: $(cat found)"

# By the Go project's own code, where Debian's packages have put it.
gosrc=/usr/share/gocode/src/golang.org/x/mod/sumdb
if command -v go >/dev/null 2>&1 && [ -d "$gosrc/tlog" ] && [ -d "$gosrc/note" ]; then
    export GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$rf_work/gocache GOFLAGS=
    go build -o outsider-go "$rf_src/tests/data/verify_ledger.go" || fail "the Go verifier"
    holds() { ./outsider-go "$@" >found 2>&1 || fail "Go: $*: $(cat found)"; }
    holds ledger run/ledger.jsonl key.pub
    holds proof entry.tlog-proof entry key.pub
    holds extends request old-head key.pub
    holds cosigned cosigned key.pub w.pub
    ./outsider-go ledger last.jsonl key.pub >found 2>&1 && fail "Go takes a changed last line"
    ./outsider-go proof entry.tlog-proof another key.pub >found 2>&1 && fail "Go takes another entry"
    ./outsider-go extends bare old-head key.pub >found 2>&1 && fail "Go takes no proof for one"
    ./outsider-go cosigned old-head key.pub w.pub >found 2>&1 && fail "Go takes a head without w"
else
    echo "no Go packages here (golang-go, golang-golang-x-mod-dev): that part is left out"
fi

# What the outsider computes is what the program says.
head=$(tail -n 3 run/ledger.jsonl.seals | head -n 1)
"$rf_bin" audit run/ledger.jsonl --key key.pub >out 2>err
grep -qF "head $head" out || fail "the audit's head is not the last seal's root"
exit 0
