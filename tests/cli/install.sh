# What `cmake --install` puts into a folder serves there: the program, its pages, and the libraries for a
# stranger's program, by find_package() and by pkg-config.
. "$(dirname "$0")/../lib.sh"
build=$(dirname "$rf_bin")
[ -r "$build/cmake_install.cmake" ] || { echo "skipped: $build is no build folder"; exit 77; }
command -v pkg-config >/dev/null || { echo "skipped: no pkg-config"; exit 77; }

expect 0 cmake --install "$build" --prefix "$rf_work/usr"
lib=$(dirname "$(dirname "$(find usr -name ringfence-core.pc)")")
for f in bin/ringfence share/ringfence/configs/quickstart.cfg share/ringfence/slurm/run.sbatch \
    share/ringfence/slurm/env.sh share/doc/ringfence/USAGE.md include/ringfence/base/error.h \
    include/ringfence/mpi/group.h; do
    [ -s "usr/$f" ] || fail "$f is not installed"
done
[ -z "$(find usr/include -name '*_parts.h' -o -name options.h)" ] || fail "private headers are installed"
if grep -q '^RF_MANUAL:BOOL=ON' "$build/CMakeCache.txt"; then
    for f in man/man1/ringfence.1 man/man1/ringfence-run.1 man/man5/ringfence.cfg.5 \
        man/man5/ringfence-ledger.5 bash-completion/completions/ringfence \
        zsh/site-functions/_ringfence; do
        [ -s "usr/share/$f" ] || fail "share/$f is not installed"
    done
fi
grep -rlF "$rf_src" usr --include='*.pc' --include='*.cmake' --include='*.h' >out &&
    fail "the source folder is named in $(cat out)"

# The tree may be moved.
mv usr elsewhere
lib=${lib/#usr/elsewhere}
expect 0 elsewhere/bin/ringfence --version
expect 0 elsewhere/bin/ringfence simulate elsewhere/share/ringfence/configs/share-sweep.cfg \
    --set 'grid={}' --set 'workload.horizon="2d"' --set 'simulate.until="3d"' -q --out sim

# The environment module, where there are such.
if [ -r /usr/share/modules/init/bash ]; then
    bash -c '. /usr/share/modules/init/bash; module use "$PWD/elsewhere/share/modulefiles"
        module load ringfence && command -v ringfence' >out 2>err || fail "module load: $(cat err)"
    grep -qx "$rf_work/elsewhere/bin/ringfence" out || fail "the module leads to $(cat out)"
fi

serves() { # serves FOLDER: both programs do what they should
    expect 0 "$1/core" 12.5%
    [ "$(cat out)" = 125000 ] || fail "core of $1 says $(cat out)"
    expect 2 "$1/core" most
    said_once "core: " err
    golden=$rf_src/checkpoints/golden/version-1/step-00000120.h5
    expect 0 mpirun --oversubscribe -n 2 "$1/mpi" "$golden"
    said_once "a checkpoint" out
    mpirun --oversubscribe -n 2 "$1/mpi" "$rf_src/README.md" >out 2>err
    [ $? -ne 0 ] || fail "mpi of $1 takes README.md for a checkpoint"
    said_once README.md out
}

consumer=$rf_src/tests/data/consumer
expect 0 cmake -S "$consumer" -B by-cmake -DCMAKE_PREFIX_PATH="$rf_work/elsewhere"
expect 0 cmake --build by-cmake
serves by-cmake

mkdir by-pkg-config
export PKG_CONFIG_PATH=$rf_work/$lib/pkgconfig
for part in core mpi; do
    flags=$(pkg-config --cflags --libs "ringfence-$part") || fail "pkg-config ringfence-$part"
    # shellcheck disable=SC2086 # flags are words
    expect 0 mpicc "$consumer/$part.c" -o "by-pkg-config/$part" $flags
done
serves by-pkg-config
