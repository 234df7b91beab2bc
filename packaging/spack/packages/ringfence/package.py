# A recipe for Spack. Not tried: Spack is not at hand where this is developed; see ../../../README.md. Read against the
# recipes of spack/spack-packages of July 2026: the packages named below are there.
#
#   spack repo add packaging/spack
#   spack dev-build ringfence@0.1.0        in the checkout; or, after a release, spack install ringfence
try:  # since Spack 1.0 build systems come with the packages
    from spack_repo.builtin.build_systems.cmake import CMakePackage
except ImportError:
    pass

from spack.package import *


class Ringfence(CMakePackage):
    """Keeps a fixed share of compute for alignment work, and proves it: simulates pledges of devices,
    enforces them in an MPI allocation, and audits the signed ledger of every decision."""

    homepage = "https://example.org/ringfence"  # it has none yet

    license("Apache-2.0")

    version("0.1.0")  # by dev-build; a release adds url and sha256

    variant("gnuplot", default=True, description="plots in reports")

    depends_on("c", type="build")
    depends_on("cmake@3.20:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")

    depends_on("mpi")
    depends_on("hdf5+mpi@1.10:")
    depends_on("scalapack")
    depends_on("openblas")
    depends_on("onednn@2:")
    depends_on("libconfig@1.5:")
    depends_on("libsodium")
    depends_on("jansson@2.12:")
    depends_on("pcre2")
    depends_on("random123", type="build")
    depends_on("zlib-api")
    depends_on("cmocka", type="test")
    depends_on("gnuplot", type="run", when="+gnuplot")

    def cmake_args(self):
        return [self.define("BUILD_TESTING", self.run_tests)]
