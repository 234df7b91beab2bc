# A pledge as Slurm's own objects: applied, and then nothing to change; kept under a flood of other jobs,
# by the audit of what sacct says, alone and beside the imported ledger; and taken away again.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

bash "$rf_src/slurm/testbed/flood.sh" "$rf_bin" 12 12 || {
    cat audit.txt audit-together.txt >&2
    fail "the pledge under a flood"
}
# A limit is a budget of device-minutes: kept against jobs that would go beyond it, gone with its line.
cat >limit.cfg <<'END_OF_CFG'
policy = { order = "easy"; fence = "floor"; reclaim_grace_s = 5; };
pledges = ( { account = "alignment"; share = "1/4"; window_s = 60; } );
limits = ( { account = "alignment"; max_device_s = 659; } ); # the flood has used one or two minutes of it
END_OF_CFG
expect 1 "$rf_bin" slurm apply limit.cfg # the test bed's usage decays, as most clusters' does
grep -q "PriorityDecayHalfLife" err || fail "nobody said that the budget comes back: $(cat err)"
expect 1 "$rf_bin" slurm apply limit.cfg
said_once "nothing to change" out
sacctmgr -nP show assoc account=alignment format=grptresmins | grep -qx 'gres/gpu=10' ||
    fail "no budget: $(sacctmgr -nP show assoc account=alignment format=account,user,grptresmins)"
within=$(sbatch --parsable -A alignment -n 1 --gres=gpu:1 -t 1 -o /dev/null --wrap true)
beyond=$(sbatch --parsable -A alignment -n 1 --gres=gpu:4 -t 10 -o /dev/null --wrap true)
for _ in $(seq 100); do
    [ -z "$(squeue -h -j "$within" 2>/dev/null)" ] && squeue -h -j "$beyond" -o %r | grep -q Minutes && break
    sleep 0.2
done
squeue -h -j "$beyond" -o %r | grep -q 'AssocGrp.*Minutes' || fail "beyond its budget: $(squeue -j "$beyond" -o '%T %r')"
scancel "$beyond"
expect 0 "$rf_bin" slurm apply limit.cfg --set 'limits=()'
said_once "sacctmgr -i modify account where name=alignment set grptresmins=gres/gpu=-1" out

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
