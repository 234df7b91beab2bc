# shellcheck shell=bash
# env.sh - sourced by the scripts here, and by hand before building: loads what ringfence needs.
#
#   RF_MODULES="gcc/13 openmpi/4.1 ..."   exactly these environment modules and no others
#   RF_MODULES=none                       no modules: the system's own packages serve
#   RF_SPACK_ENV=name or folder           a Spack environment, instead of modules
#
# Without any of them the usual module names are tried, one line per library below; a library
# without a module may be part of the system, so a miss is only noted. CMake, or the
# program's start, says what is really not there.

rf_note() { printf 'env.sh: %s\n' "$*" >&2; }

# Batch shells do not always define `module`; these are the places it usually comes from.
rf_find_module() {
    local init
    for init in "${MODULESHOME:-/nowhere}/init/bash" "${LMOD_PKG:-/nowhere}/init/bash" \
        /etc/profile.d/lmod.sh /etc/profile.d/modules.sh /usr/share/modules/init/bash; do
        type module >/dev/null 2>&1 && return 0
        # shellcheck disable=SC1090 # whichever of them is there
        [ -r "$init" ] && . "$init"
    done
    type module >/dev/null 2>&1
}

rf_load_one_of() { # rf_load_one_of NAME...: the first that loads
    local name
    for name in "$@"; do
        # Old Tcl modules report failure in words only, hence the look at what is loaded.
        module load "$name" >/dev/null 2>&1 &&
            case ":${LOADEDMODULES:-}:" in *":$name:"* | *":$name/"*) return 0 ;; esac
    done
    rf_note "no module called $(printf '%s, ' "$@" | sed 's/, $//; s/, / or /g')"
}

rf_load_modules() {
    local name
    if [ -n "${RF_MODULES:-}" ]; then
        for name in $RF_MODULES; do
            module load "$name" || rf_note "module load $name failed"
        done
        return 0
    fi
    rf_load_one_of gcc GCC
    rf_load_one_of openmpi OpenMPI
    rf_load_one_of hdf5-parallel phdf5 hdf5-mpi hdf5 HDF5
    rf_load_one_of openblas OpenBLAS
    rf_load_one_of scalapack netlib-scalapack ScaLAPACK
    rf_load_one_of onednn oneDNN dnnl
    rf_load_one_of libconfig
    rf_load_one_of libsodium
    rf_load_one_of jansson Jansson
    rf_load_one_of pcre2 PCRE2
    rf_load_one_of zlib
    rf_load_one_of random123 Random123
    rf_load_one_of cmake CMake
    rf_load_one_of ninja Ninja
    rf_load_one_of gnuplot
}

rf_environment() {
    if [ -n "${RF_SPACK_ENV:-}" ]; then
        if ! command -v spack >/dev/null && [ -r "${SPACK_ROOT:-/nowhere}/share/spack/setup-env.sh" ]; then
            # shellcheck disable=SC1091 # where Spack keeps it
            . "$SPACK_ROOT/share/spack/setup-env.sh"
        fi
        spack env activate "$RF_SPACK_ENV" || rf_note "spack env activate $RF_SPACK_ENV failed"
    elif [ "${RF_MODULES:-}" != none ]; then
        if rf_find_module; then
            rf_load_modules
        else
            rf_note "there is no module command; using what the system has"
        fi
    fi
    return 0
}

# Module and Spack scripts are not written for `set -eu`; the caller's choice is put back.
rf_flags=$-
set +eu
rf_environment
case $rf_flags in *e*) set -e ;; esac
case $rf_flags in *u*) set -u ;; esac
unset rf_flags

# One thread per rank unless Slurm gave a task more cores: ranks are the parallelism here.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}"
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-$OMP_NUM_THREADS}"
