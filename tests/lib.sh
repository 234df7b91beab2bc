# lib.sh - what the tests of the binary share. Source it first:
#     . "$(dirname "$0")/../lib.sh"
# It takes the binary and the source folder from the test's arguments, and gives the test an
# empty working directory of its own, in which it stands, and a key folder of its own.
set -u
rf_bin=$1
rf_src=$2
rf_work=$(mktemp -d "${TMPDIR:-/tmp}/ringfence-test.XXXXXX")
trap 'rm -rf "$rf_work"' EXIT
cd "$rf_work" || exit 1
export XDG_CONFIG_HOME=$rf_work/config

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# ranks N COMMAND...: under mpirun.
ranks() {
    local n=$1
    shift
    mpirun --oversubscribe -n "$n" "$rf_bin" "$@"
}

# expect CODE COMMAND...: runs it with stdout in out and stderr in err, checks the exit code.
expect() {
    local code=$1 got
    shift
    "$@" >out 2>err
    got=$?
    [ "$got" -eq "$code" ] || {
        sed 's/^/    /' out err >&2
        fail "exit code $got, expected $code: $*"
    }
}

# said_once TEXT FILE: the file holds the text, on exactly one line.
said_once() {
    local n
    n=$(grep -cF -- "$1" "$2")
    [ "$n" -eq 1 ] || {
        sed 's/^/    /' "$2" >&2
        fail "'$1' stands on $n lines of $2, expected 1"
    }
}

# json FILE EXPRESSION: a value of a JSON document, by Python where there is one.
have_python() {
    command -v python3 >/dev/null 2>&1
}
json() {
    python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}

# rank_pids DIR: the processes of the run in DIR, in the order of their ranks (not mpirun's own).
rank_pids() {
    pgrep -f "^$rf_bin run .*--out $1" | sort -n
}
