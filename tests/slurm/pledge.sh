# A pledge as Slurm's own objects: applied, and then nothing to change; kept under a flood of other jobs,
# by the audit of what sacct says, alone and beside the imported ledger; and taken away again.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

bash "$rf_src/slurm/testbed/flood.sh" "$rf_bin" 12 12 || {
    cat audit.txt audit-together.txt >&2
    fail "the pledge under a flood"
}
for fence in partition stock request bank none; do
    more=()
    [ $fence != stock ] || more=(--set pledges.alignment.horizon_s=3600)
    expect 0 "$rf_bin" slurm apply flood.cfg --set policy.fence=$fence "${more[@]}"
    expect 0 "$rf_bin" slurm apply flood.cfg --set policy.fence=$fence "${more[@]}"
    said_once "nothing to change" out
done
sacctmgr -nP show qos format=name | grep -q '^rf-' && fail "a QOS of ours is left"
scontrol show reservation | grep -q 'rf-' && fail "a reservation of ours is left"
expect 1 "$rf_bin" slurm plan flood.cfg --check
expect 2 "$rf_bin" slurm plan flood.cfg --partition nowhere
said_once "no partition 'nowhere'" err
