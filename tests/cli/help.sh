#!/bin/bash
# Every command explains itself, on standard output, once, with exit code 0; wrong command lines
# are refused with one sentence on standard error and exit code 2.
set -u
bin=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

fail() {
    echo "FAILED: $*"
    cat "$dir/out" "$dir/err"
    bad=1
}

# run EXIT-CODE ARGUMENT...
run() {
    local want=$1
    shift
    timeout 60 "$bin" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    local got=$?
    [ $got -eq "$want" ] || fail "'ringfence $*' ends with $got, not $want"
}

# refused SENTENCE ARGUMENT...
refused() {
    local sentence=$1
    shift
    run 2 "$@"
    [ ! -s "$dir/out" ] || fail "'ringfence $*' prints on standard output"
    [ "$(cat "$dir/err")" = "ringfence: $sentence" ] || fail "'ringfence $*' says otherwise"
}

run 0 --version
grep -Eq '^ringfence [0-9]+\.[0-9]+\.[0-9]+(\+[0-9a-z.-]+)?$' "$dir/out" || fail "no version"
for what in compiler MPI HDF5 oneDNN OpenBLAS libsodium libconfig; do
    grep -Eq "^$what: .*[0-9]" "$dir/out" || fail "--version says nothing of $what"
done

run 0 --help
cp "$dir/out" "$dir/all"

# A process by itself wants no folder for temporary files, which others would clear meanwhile.
TMPDIR=$dir/all run 0 --version
[ ! -s "$dir/err" ] || fail "a folder for temporary files is wanted"

run 0 --help
run 0 -h && cmp -s "$dir/all" "$dir/out" || fail "-h is not --help"
run 0 help && cmp -s "$dir/all" "$dir/out" || fail "help is not --help"
[ ! -s "$dir/err" ] || fail "help speaks on standard error"

commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$dir/all")
[ -n "$commands" ] || fail "no commands are listed"
for command in $commands; do
    run 0 "$command" --help
    head -1 "$dir/out" | grep -q "^Usage: ringfence $command" || fail "no usage of $command"
    grep -q -- '--help ' "$dir/out" || fail "no options of $command"
    [ "$(wc -l <"$dir/out")" -ge 6 ] || fail "the help of $command is empty"
    awk 'length > 100 { long = 1 } END { exit long }' "$dir/out" || fail "long lines: $command"
    [ ! -s "$dir/err" ] || fail "$command --help speaks on standard error"
    cp "$dir/out" "$dir/one"
    run 0 help "$command"
    cmp -s "$dir/one" "$dir/out" || fail "help $command is not $command --help"
done

# Under mpirun the help is still printed once.
first=$(echo "$commands" | head -1)
timeout 60 mpirun --oversubscribe -n 3 "$bin" "$first" --help >"$dir/out" 2>"$dir/err" </dev/null ||
    fail "help on three ranks"
[ "$(grep -c '^Usage:' "$dir/out")" -eq 1 ] || fail "help is not printed once on three ranks"

refused "no command given; see 'ringfence --help'"
refused "unknown option '--wrong'; see 'ringfence --help'" --wrong
refused "unknown command 'zzz'; see 'ringfence --help'" zzz
refused "unknown command 'keygne', did you mean 'keygen'? See 'ringfence --help'" keygne
refused "unknown option '--wrong'; see 'ringfence keygen --help'" keygen --wrong
refused "unknown option '-w'; see 'ringfence keygen --help'" keygen -w
refused "a value is missing after '--name'; see 'ringfence keygen --help'" keygen --name
refused "a value is missing after '-n'; see 'ringfence keygen --help'" keygen -n
refused "option '--help' takes no value; see 'ringfence keygen --help'" keygen --help=yes
refused "an argument is missing: usage is 'ringfence keygen [--name=NAME] [--witness] [--json] FILE'; see 'ringfence keygen --help'" keygen
refused "argument 'b' is one too many; see 'ringfence keygen --help'" keygen "$dir/a" b

# One sentence for all ranks.
timeout 60 mpirun --oversubscribe -n 3 "$bin" zzz >"$dir/out" 2>"$dir/err" </dev/null
[ "$(grep -c '^ringfence:' "$dir/err")" -eq 1 ] || fail "an error is not printed once on three ranks"

exit $bad
