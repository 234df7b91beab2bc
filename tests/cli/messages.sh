# The messages that USAGE.md helps with are those of the program: each stands in the source, with "..." where a name
# or a number comes. Links of USAGE.md and README.md lead somewhere.
. "$(dirname "$0")/../lib.sh"

# Strings that stand next to one another are one message.
cat "$rf_src"/src/*/*.c "$rf_src"/mpi/*.c "$rf_src/CMakeLists.txt" | tr '\n' ' ' | sed -E 's/" +"//g' >source

known() { # known MESSAGE
    local pattern
    pattern=$(printf '%s' "$1" | sed -e 's/[][\\.*^$+?(){}|]/\\&/g' -e 's/\\\.\\\.\\\./[^"]*/g')
    grep -qE -- "$pattern" source
}
sed -n '/^## Messages, and what to do/,/^Messages that come from elsewhere/s/^| `\(.*\)` | .*/\1/p' "$rf_src/USAGE.md" >messages
[ "$(wc -l <messages)" -ge 12 ] || fail "few messages are found in USAGE.md"
while IFS= read -r message; do
    known "$message" || fail "the program does not say: $message"
done <messages
known "the run directory '...' exists; --ever goes on" && fail "a message that nobody writes is found"

# The anchor of a heading, as GitHub makes it: small letters, blanks to dashes, the rest dropped; again: -1.
anchors() {
    sed -n 's/^#\{1,6\} //p' "$1" | tr 'A-Z ' 'a-z-' | sed 's/[^a-z0-9_-]//g' |
        awk '{ print seen[$0]++ ? $0 "-" seen[$0] - 1 : $0 }'
}
for page in USAGE.md README.md configs/README.md; do
    dir=$rf_src/$(dirname "$page")
    sed -E '/^    |^```/d' "$rf_src/$page" | grep -oE '\]\([^)]*\)' | sed 's/^](//; s/)$//' | sort -u >links
    [ -s links ] || fail "no links in $page"
    while IFS= read -r link; do
        file=${link%%#*} anchor=
        case $link in http*) continue ;; *'#'*) anchor=${link#*#} ;; esac
        [ -z "$file" ] && target=$rf_src/$page || target=$dir/$file
        [ -e "$target" ] || fail "$page links to $file, which is not there"
        [ -z "$anchor" ] || anchors "$target" | grep -qx -- "$anchor" || fail "$page links to $link: no such heading"
    done <links
done
