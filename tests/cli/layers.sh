#!/bin/bash
# layers.sh BINARY SOURCE - includes go down: the layers of src/ and mpi/ know only what they may.
#
# The build already keeps MPI's include path from the core; this holds the rest. The table is the
# one in src/README.md.
set -eu
root=$2

# may_include LAYER: the layers whose headers it may include, besides its own.
may_include() {
    case $1 in
    base) echo "" ;;
    alloc | nn | ckpt | align | slurm) echo "base" ;;
    scale) echo "nn align base" ;;
    sim) echo "alloc slurm base" ;;
    audit) echo "alloc ckpt slurm base" ;;
    data) echo "nn/batch.h base" ;;
    job) echo "data align ckpt alloc base" ;;
    report) echo "job audit sim scale align alloc data base" ;;
    doctor) echo "nn base" ;;
    config) echo "job sim data align ckpt nn alloc base" ;;
    mpi) echo "report doctor job audit data scale align ckpt nn sim alloc base" ;;
    cli) echo "mpi config report doctor job audit slurm sim data scale align ckpt nn alloc base build_id.h" ;;
    *) return 1 ;;
    esac
}

# quoted_includes DIR LAYER: "FILE HEADER" of each #include "..." of the layer's files
quoted_includes() {
    find "$1" -name '*.[ch]' -exec grep -HoE '^ *# *include +"[^"]+"' {} + |
        sed -E 's/^([^:]+):.*"(.*)"$/\1 \2/' || true
}

# check TREE: one line per broken rule
check() {
    local dir layer allowed file header
    for dir in "$1"/src/*/ "$1/mpi"; do
        [ -d "$dir" ] || continue
        layer=$(basename "$dir")
        if ! allowed=$(may_include "$layer"); then
            echo "$dir: a layer without a row in tests/cli/layers.sh and src/README.md"
            continue
        fi
        while read -r file header; do
            case " $layer $allowed " in
            *" ${header%%/*} "* | *" $header "*) ;;
            *) echo "$file: includes $header; $layer may include: $layer $allowed" ;;
            esac
        done < <(quoted_includes "$dir")
    done
    # Library headers that belong to one place, and the world communicator.
    only '<mpi\.h>' "$1" '/(mpi|src/cli)/'
    only '<hdf5\.h>' "$1" '/mpi/'
    only '[^a-z](numroc|descinit|p[sd][a-z]{4,5})_\(|blacs_' "$1" '/mpi/panel\.c:'
    only '<libconfig\.h>' "$1" '/src/config/'
    only '\bMPI_COMM_WORLD\b' "$1" '/src/cli/main\.c:'
}

# only WHAT TREE WHERE: what stands nowhere else than in paths that match WHERE
only() {
    local dirs=("$2/src")
    [ ! -d "$2/mpi" ] || dirs+=("$2/mpi")
    grep -rnE --include='*.[ch]' "$1" "${dirs[@]}" | without_comments | grep -vE "^[^:]*$3" |
        sed "s,\$,   <- belongs in $3 only," || true
}

# Lines that begin as a comment may speak of what the code must not use.
without_comments() { grep -vE '^[^:]+:[0-9]+: *(/?\*|//)'; }

broken=$(check "$root")
if [ -n "$broken" ]; then
    echo "$broken"
    exit 1
fi

# The check itself: each kind of breach, alone in a small tree, is found.
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
finds() { # finds FILE LINE
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/src" "$tree/$(dirname "$1")"
    printf '%s\n' "$2" >"$tree/$1"
    if [ -z "$(check "$tree")" ]; then
        echo "not found: $2 in $1"
        exit 1
    fi
}
finds src/base/x.c '#include "alloc/state.h"'
finds src/alloc/x.h '#include "nn/batch.h"'
finds src/data/x.c '#include "nn/model.h"'
finds src/nn/x.c '#include "ckpt/store.h"'
finds src/report/x.c '#include "mpi/group.h"'
finds mpi/x.c '#include "cli/options.h"'
finds src/util/x.c '#include "base/error.h"'
finds src/job/x.c '#include <mpi.h>'
finds src/cli/x.c '#include <hdf5.h>'
finds src/cli/x.c '#include <libconfig.h>'
finds mpi/x.c 'MPI_Comm_rank(MPI_COMM_WORLD, &rank);'
finds mpi/x.c 'void pdgemm_(const char *transa);'
finds mpi/x.c 'Cblacs_gridexit(context);'
finds src/cli/main_loop.c 'MPI_Barrier(MPI_COMM_WORLD);'
echo "layers hold"
