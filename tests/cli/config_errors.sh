#!/bin/bash
# A wrong configuration: one sentence that names file, line and key, exit code 2, nothing started.
set -u
bin=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
bad=0
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

cat >good.cfg <<'CFG'
run = { name = "small"; };
models = ( { name = "m"; layers = 1; heads = 1; width = 8; } );
tasks = ( { name = "t"; source = "chess-rules"; rule = "material";
            train = 16; validation = 4; test = 4; corpus_size = 16; } );
jobs = ( { name = "j"; account = "a"; model = "m"; task = "t"; train = { steps = 1; batch = 4; }; } );
CFG

fail() {
    echo "FAILED: $*"
    cat err
    bad=1
}

# refused PATTERN RANKS ARGUMENT...: one matching line that begins with "ringfence: "
refused() {
    local pattern=$1 ranks=$2 command got
    shift 2
    for command in $commands; do
        timeout 60 mpirun --oversubscribe -n "$ranks" "$bin" $command "$@" >out 2>err </dev/null
        got=$?
        [ $got -eq 2 ] || fail "'$command $*' ends with $got, not 2"
        [ "$(grep -c '^ringfence: ' err)" -eq 1 ] || fail "'$command $*' does not say one sentence"
        grep -Eq "^ringfence: $pattern" err || fail "'$command $*' does not say '$pattern'"
        [ ! -e runs ] && [ ! -e checkpoints ] || fail "'$command $*' has left something behind"
    done
}

# edited SED-EXPRESSION: good.cfg with a mistake
edited() {
    sed "$1" good.cfg >bad.cfg
}

commands="run train"
edited '1s/name/nmae/'
refused "bad\.cfg:1: key 'run\.nmae': expected one of name, seed, .*, got 'nmae'" 2 bad.cfg
commands=run
edited '2s/width = 8/width = "8"/'
refused "bad\.cfg:2: key 'models\.\[0\]\.width': expected a whole number from 1 to 65536, got the string '8'" 2 bad.cfg
edited '5s/steps = 1/steps = 0/'
refused "bad\.cfg:5: key 'jobs\.\[0\]\.train\.steps': expected a whole number from 1 to 100000000, got 0" 3 bad.cfg
edited '5s/model = "m"/model = "x"/'
refused "bad\.cfg:5: key 'jobs\.\[0\]\.model': expected the name of a model in 'models', got 'x'" 2 bad.cfg
edited '2s/layers = 1;/layers = ;/'
refused "bad\.cfg:2: syntax error" 2 bad.cfg
edited '4s/train = 16/train = 5000000000/'
refused "bad\.cfg:4: whole numbers beyond 32 bits" 2 bad.cfg
edited '4s/rule/path = "x"; rule/; 3s/rule = "material"/rule = "luck"/'
refused "bad\.cfg:3: key 'tasks\.\[0\]\.rule': expected one of material, .*got 'luck'" 2 bad.cfg
refused "--set jobs\.j\.max=x: key 'jobs\.\[0\]\.max': expected a whole number from 1 to 1000000, got the string 'x'" 2 good.cfg --set jobs.j.max=x
refused "--set jobs\.k\.max=2: there is no such place in 'good\.cfg'" 2 good.cfg --set jobs.k.max=2
refused "cannot open 'none\.cfg'" 3 none.cfg

exit $bad
