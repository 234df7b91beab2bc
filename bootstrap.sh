#!/bin/bash
# bootstrap.sh - from a fresh clone to a built, tested, running ringfence.
#
# On Debian it installs the packages that are missing, and only those. Without root or apt it
# says what to install or which environment modules to load and carries on with what is there;
# CMake then names the first library that it really cannot find.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# To build and run. dnnl's CMake file wants OpenCL's headers although nothing here uses them.
run_packages="gcc libc6-dev cmake ninja-build pkg-config libopenmpi-dev openmpi-bin
  libhdf5-openmpi-dev libscalapack-openmpi-dev libconfig-dev libdnnl-dev ocl-icd-opencl-dev
  libopenblas-dev libsodium-dev libjansson-dev libpcre2-dev librandom123-dev zlib1g-dev libcmocka-dev
  gnuplot-nox"
# Only for `test`: the second compiler, readers that tests hold our files and pages against, a browser that opens
# reports, and pgrep.
test_packages="clang hdf5-tools python3 procps chromium librsvg2-bin mandoc"
modules="gcc cmake ninja openmpi hdf5-parallel scalapack libconfig onednn openblas libsodium
  jansson pcre2 random123 zlib cmocka gnuplot pkg-config"

say() { printf 'bootstrap: %s\n' "$*"; }

usage() {
    cat <<'END'
usage: ./bootstrap.sh [COMMAND]

  quickstart   packages, build, then the main job on 3 ranks; says where its report is
               (the default)
  test         packages, build with gcc and clang with warnings as errors, the sanitizer
               build's tests, then all tests, some of them on a Slurm that they start where
               that can be (as root; its packages too); the exit code says whether they passed
  build        packages, then build/release/ringfence
  deps         packages only
  help         this text

Without root or apt nothing is installed: what is missing is listed, and the rest goes on.
END
}

missing_of() { # missing_of PACKAGE...: those that dpkg does not have installed
    local package
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            printf '%s ' "$package"
    done
}

cannot_install() { # cannot_install WHY PACKAGE...
    say "$1"
    shift
    say "Debian packages to install: $*"
    # shellcheck disable=SC2086 # words, to be joined by single blanks
    say "or environment modules to load, where a cluster has them:" $modules
    say "carrying on with what is there"
}

deps() { # deps PACKAGE...
    local missing log
    local -a as_root=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        cannot_install "this is not a Debian system; nothing is installed" "$@"
        return 0
    fi
    missing=$(missing_of "$@")
    if [ -z "$missing" ]; then
        say "all packages are there"
        return 0
    fi
    if [ "$(id -u)" != 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            cannot_install "not root, and no sudo without a password; nothing is installed" "$missing"
            return 0
        fi
        as_root=(sudo -n)
    fi
    say "installing: $missing"
    log=$(mktemp)
    # shellcheck disable=SC2086 # one word per package
    if apt_get update >"$log" 2>&1 && apt_get install $missing >>"$log" 2>&1; then
        say "packages installed"
    else
        tail -n 15 "$log"
        cannot_install "apt-get failed, its last words are above" "$missing"
    fi
    rm -f "$log"
}

apt_get() { # apt_get VERB PACKAGE...; uses as_root of deps()
    local verb=$1
    shift
    [ "$verb" = update ] || set -- --no-install-recommends "$@"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o Acquire::Retries=3 \
        -o DPkg::Lock::Timeout=120 "$verb" "$@" </dev/null
}

build() { # build PRESET [TARGET]
    local log start=$SECONDS
    log=$(mktemp)
    if cmake --preset "$1" >"$log" 2>&1 &&
        cmake --build --preset "$1" --target "${2:-all}" >>"$log" 2>&1; then
        say "built build/$1 in $((SECONDS - start)) s"
        rm -f "$log"
    else
        tail -n 60 "$log"
        rm -f "$log"
        say "building build/$1 failed, the end of its output is above"
        return 3
    fi
}

# What Open MPI wants to hear in a container or on a machine with few cores. Copying straight
# from process to process is forbidden in many containers and gains nothing at this size.
mpi_environment() {
    if [ "$(id -u)" = 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
    export OMPI_MCA_btl_vader_single_copy_mechanism=none
    export OMPI_MCA_rmaps_base_oversubscribe=1
    export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
}

quickstart() {
    local rc=0
    # shellcheck disable=SC2086 # one word per package
    deps $run_packages
    build release ringfence
    mpi_environment
    say "mpirun -n 3 build/release/ringfence run configs/quickstart.cfg --force"
    mpirun -n 3 build/release/ringfence run configs/quickstart.cfg --force || rc=$?
    if [ "$rc" -le 1 ]; then
        say "the report is $PWD/runs/quickstart/report.html (open it in any browser)"
        say "the proof:   build/release/ringfence audit runs/quickstart/ledger.jsonl"
    fi
    return "$rc"
}

# The leak checker traces the process it looks at, which some containers forbid; then the rest
# of the address sanitizer still serves.
sanitizers_run() {
    local dir rc=0
    dir=$(mktemp -d)
    echo 'int main(void) { return 0; }' >"$dir/probe.c"
    if ! "${CC:-cc}" -fsanitize=address,undefined -o "$dir/probe" "$dir/probe.c" 2>/dev/null; then
        rc=1
    elif ! "$dir/probe" >/dev/null 2>&1; then
        say "no leak checks here: the sanitizer may not trace"
        export ASAN_OPTIONS=detect_leaks=0
        "$dir/probe" >/dev/null 2>&1 || rc=1
    fi
    rm -rf "$dir"
    return "$rc"
}

# The tests of the main build come last, so that their summary is the last thing on the screen. One more
# at a time than there are cores, since most of them wait half of their time.
run_tests() {
    local failed="" jobs=$(($(nproc) + 1))
    # shellcheck disable=SC2086 # one word per package
    deps $run_packages $test_packages
    mpi_environment
    build ci-gcc
    if command -v clang >/dev/null; then
        build ci-clang || failed="$failed clang-build"
    else
        say "clang is not there; built with gcc only"
    fi
    if ! sanitizers_run; then
        say "programs with the address sanitizer do not run here; its tests are left out"
    elif build sanitize sanitized_tests; then
        ctest --preset sanitize -R '^(unit\.|mpi\..*\.2$)' -j "$jobs" ||
            failed="$failed sanitizer-tests"
    else
        failed="$failed sanitizer-build"
    fi
    ctest --preset ci-gcc -j "$jobs" || failed="$failed tests"
    if [ -n "$failed" ]; then
        say "failed:$failed"
        return 1
    fi
}

case "${1:-quickstart}" in
quickstart) quickstart ;;
test) run_tests ;;
build)
    # shellcheck disable=SC2086 # one word per package
    deps $run_packages
    build release ringfence
    ;;
deps)
    # shellcheck disable=SC2086 # one word per package
    deps $run_packages
    ;;
help | -h | --help) usage ;;
*)
    usage >&2
    say "unknown command '$1'" >&2
    exit 2
    ;;
esac
