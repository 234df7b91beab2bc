# lib.sh - for the tests on the test bed: its environment, or a reason to skip. After ../lib.sh.
# shellcheck shell=bash
[ ! -e "$RF_SLURM_BED.skipped" ] || { cat "$RF_SLURM_BED.skipped"; exit 77; }
[ -r "$RF_SLURM_BED/env.sh" ] || { echo "no test bed: tests/slurm/bed.sh start has not run"; exit 77; }
# shellcheck disable=SC1091 # written by the test bed
. "$RF_SLURM_BED/env.sh"
export OMPI_MCA_btl_vader_single_copy_mechanism=none
# Whatever an earlier test has left of it: all nodes are up.
bash "$rf_src/slurm/testbed/testbed.sh" start --dir "$RF_SLURM_BED" >bed.log 2>&1 || fail "the test bed: $(cat bed.log)"
