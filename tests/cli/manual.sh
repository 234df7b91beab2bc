# Manual pages and completions come from the tables that read the arguments: every command has a page, every
# option stands in it and is offered by both shells, roff's readers have no complaint, and the
# pages of formats have every key.
. "$(dirname "$0")/../lib.sh"

expect 0 "$rf_bin" --help
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' out)
[ -n "$commands" ] || fail "no commands are listed"
expect 0 "$rf_bin" help --write=pages
[ ! -s out ] && [ ! -s err ] || fail "--write speaks"

# ---- pages

lint() { # lint PAGE...: what man, and mandoc where there is one, say of them
    local page
    for page in "$@"; do
        if command -v man >/dev/null; then
            LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -l "$page" 2>&1 >text | sed "s,^,$page: ,"
            [ "$(wc -l <text)" -ge 20 ] || echo "$page: man shows next to nothing"
        fi
        ! command -v mandoc >/dev/null || mandoc -T lint -W warning "$page"
    done
}
for command in $commands; do
    page=pages/ringfence-$command.1
    [ -s "$page" ] || fail "no page of $command"
    grep -q "^\.BR ringfence..$command (1)" pages/ringfence.1 || fail "$command is not in ringfence(1)"
    expect 0 "$rf_bin" "$command" --help
    mv out help
    sed 's/\\-/-/g' "$page" >plain
    for option in $(sed -n '/^Options:/,/^$/s/^  \(-., \|    \)\(--[a-z0-9-]*\).*/\2/p' help); do
        grep -qF -- "\\fB$option\\fR" plain || fail "$option is not on the page of $command"
        echo "$command $option" >>options
    done
done
[ "$(wc -l <options)" -ge 60 ] || fail "few options are found in the help"
expect 0 "$rf_bin" help --man run
cmp -s out pages/ringfence-run.1 || fail "--man prints another page than --write writes"
expect 0 "$rf_bin" help --man
cmp -s out pages/ringfence.1 || fail "--man prints another ringfence(1)"

format() { # format NAME MARKDOWN
    awk -f "$rf_src/packaging/page.awk" -v name="$1" -v section=5 -v date=2026-12-01 -v version=0 \
        -v summary="a format" "$rf_src/$2" >"pages/$1.5" || fail "page.awk on $2"
}
format ringfence.cfg configs/README.md
format ringfence-ledger src/alloc/LEDGER.md
format ringfence-checkpoint checkpoints/FORMAT.md
sed 's/\\-/-/g; s/\\f[BR]//g' pages/ringfence.cfg.5 >plain
for key in $(sed -n 's/^| `\([a-z_0-9]*\)` .*/\1/p' "$rf_src/configs/README.md"); do
    grep -qx -- "$key" plain || fail "ringfence.cfg(5) lacks the key $key"
done
said=$(lint pages/*.[15])
[ -z "$said" ] || fail "pages are not clean: $said"
# the lint itself: a page with a mistake is found
if command -v man >/dev/null || command -v mandoc >/dev/null; then
    { cat pages/ringfence.1; printf '.XYZZY\n.TP\n\\fQ x\n'; } >pages/wrong.1
    [ -n "$(lint pages/wrong.1)" ] || fail "a mistake in a page is not found"
fi

# ---- bash

expect 0 "$rf_bin" help --completion=bash
cmp -s out pages/ringfence.bash || fail "--completion prints another script than --write writes"
cat >offers.sh <<'END'
. pages/ringfence.bash
offers() { # offers WORD...: what comes for the last of them
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _ringfence 2>&1
    [ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
}
END
offered() { # offered WANTED WORD...
    local wanted=$1
    shift
    bash -c '. ./offers.sh; offers "$@"' - "$@" >got
    grep -qx -- "$wanted" got || { cat got >&2; fail "$wanted is not offered after: $*"; }
}
touch day.cfg ledger.jsonl
mkdir -p days
for command in $commands; do
    offered "$command" ringfence "${command:0:2}"
    offered "$command" ringfence help "${command:0:2}"
done
bash -c '. ./offers.sh; while read -r command option; do
    offers ringfence "$command" "$option" | sed "s/=\$//" | grep -qx -- "$option" || echo "$command $option"
done <options' >missing
[ ! -s missing ] || fail "options that bash does not offer: $(cat missing)"
offered day.cfg ringfence run d
offered --json ringfence -q run day.cfg --js
offered verify ringfence checkpoint v
offered prove ringfence ledger p
offered list ringfence data l
offered gemm ringfence bench g
offered ledger.jsonl ringfence audit --key = l
offered days ringfence run --out = d
offered conservative ringfence simulate --order = con
offered zsh ringfence help --completion = z
bash -c '. ./offers.sh; offers ringfence run --out = d' | grep -q day.cfg && fail "a file is offered for a folder"

# ---- zsh

expect 0 "$rf_bin" help --completion=zsh
cmp -s out pages/_ringfence || fail "--completion prints another script than --write writes"
while read -r command option; do
    sed -n "/^    $command)\$/,/;;\$/p" pages/_ringfence | grep -qE -- "'\\*?$option=?\\[|,$option\\}" ||
        fail "zsh is not told of $option of $command"
done <options
if command -v zsh >/dev/null; then
    zsh -n pages/_ringfence || fail "zsh cannot read its script"
    cat >run.zsh <<'END'
_arguments() { if [[ $1 = -C ]]; then state=argument words=(${words[2,-1]}); return 1; fi; print -rl -- "$@"; }
_describe() { :; }
words=(ringfence checkpoint '') CURRENT=3
. ./pages/_ringfence
END
    zsh -f run.zsh >got 2>&1 || fail "zsh cannot run its script: $(cat got)"
    grep -q '^--keep-last=\[' got || { cat got >&2; fail "zsh does not hand on the options"; }
fi

# ---- refusals

expect 2 "$rf_bin" help --completion=fish
said_once "no completion for 'fish'; there are bash and zsh" err
expect 2 "$rf_bin" help --completion=bash run
said_once "exclude each other" err
expect 2 "$rf_bin" help rum
said_once "did you mean 'run'?" err
expect 3 "$rf_bin" help --write=day.cfg
