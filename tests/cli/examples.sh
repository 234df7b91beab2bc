# examples.sh BINARY SOURCE [--write]: the examples of USAGE.md do what they show.
#
# In a block ```console a line "$ COMMAND" is run, in one folder from the first block to the last; what
# follows is what it prints on stdout. Figures, digests and widths may differ, the words may not; a
# line "..." stands for any lines, up to the first that is like the next one. With --write the output
# in USAGE.md is replaced by what came; where "..." stands, only what is before it, as many lines as there were.
write=${3:-}
. "$(dirname "$0")/../lib.sh"
ln -s "$rf_src/configs" configs
ln -s "$rf_src/tests" tests
PATH=$(dirname "$rf_bin"):$PATH
export PATH OMPI_MCA_rmaps_base_oversubscribe=1

# mask FILE: without figures, digests and widths
mask() {
    sed -E 's,[0-9a-f]{40\,}|[A-Za-z0-9+/]{42\,}=,DIGEST,g; s/[0-9]+([.,:][0-9]+)*(e[+-]?[0-9]+)?/N/g
            s/-N/N/g; s/[ \t]+/ /g; s/ $//; s/-{3,}/---/g' "$1"
}

# same WANTED GOT: both masked; "..." in WANTED stands for any lines
same() {
    local -a wanted got
    local line at=0 any=0
    mapfile -t wanted <"$1"
    mapfile -t got <"$2"
    for line in "${wanted[@]}"; do
        [ "$line" != ... ] || { any=1; continue; }
        while [ $any = 1 ] && [ $at -lt ${#got[@]} ] && [ "${got[at]}" != "$line" ]; do
            at=$((at + 1))
        done
        [ $at -lt ${#got[@]} ] && [ "${got[at]}" = "$line" ] || { echo "expected: $line"; echo "got:      ${got[at]-(nothing more)}"; return 1; }
        at=$((at + 1)) any=0
    done
    [ $any = 1 ] || [ $at = ${#got[@]} ] || { echo "expected the end, got: ${got[at]}"; return 1; }
}

# settle: what stands in wanted is compared with what came of $command; new.md goes on
examples=0
settle() {
    [ -n "$command" ] || return 0
    bash -c "$command" >came 2>err </dev/null
    code=$?
    [ $code -le 1 ] || { cat err >&2; fail "exit code $code of: $command"; }
    mask wanted >a
    mask came >b
    if [ "$write" = --write ]; then
        if grep -qx -- '\.\.\.' wanted; then
            [ "$(head -n 1 wanted)" = ... ] || head -n "$(($(grep -nxm 1 '\.\.\.' wanted | cut -d: -f1) - 1))" came
            sed -n '/^\.\.\.$/,$p' wanted
        else
            cat came
        fi >>new.md
    else
        difference=$(same a b) || { cat came err >&2; fail "USAGE.md shows otherwise for: $command
$difference"; }
        cat wanted >>new.md
    fi
    examples=$((examples + 1))
}

inside=0 command=''
while IFS= read -r line; do
    case $inside:$line in
    '0:```console') inside=1 command='' ;;
    '1:```') settle; inside=0 command='' ;;
    '1:$ '*)
        settle
        command=${line#??}
        : >wanted
        ;;
    1:*) printf '%s\n' "$line" >>wanted; continue ;;
    esac
    printf '%s\n' "$line" >>new.md
done <"$rf_src/USAGE.md"
[ $examples -ge 12 ] || fail "only $examples examples in USAGE.md"
if [ "$write" = --write ]; then
    cp new.md "$rf_src/USAGE.md"
    exit 0
fi
cmp -s new.md "$rf_src/USAGE.md" || fail "an example was not closed"

# The comparison itself: other figures are the same, other words and lines are not.
same_text() { printf '%s\n' "$1" >x; printf '%s\n' "$2" >y; mask x >a; mask y >b; same a b >/dev/null; }
same_text 'kept in 12 windows' 'kept in  3 windows' || fail "other figures are taken for other words"
same_text 'kept in 12 windows' 'held in 12 windows' && fail "other words pass"
same_text $'a\n...\nc' $'a\nb\nb\nc' || fail "... does not stand for lines"
same_text $'a\n...\nc' $'a\nb\nd' && fail "what comes after ... is not looked at"
same_text 'a' $'a\nb' && fail "more lines than shown pass"

# Every command of the program has an example or says why not.
expect 0 "$rf_bin" --help
for name in $(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' out); do
    grep -qE "^\\$ (mpirun .*)?ringfence $name\\b" "$rf_src/USAGE.md" ||
        grep -qF "<!-- no example of $name:" "$rf_src/USAGE.md" || fail "USAGE.md has no example of $name"
done
