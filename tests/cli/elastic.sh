# Jobs that change their size, and jobs with bounds: what the configuration says happens live, the
# ledger has it, and the audit agrees.
. "$(dirname "$0")/../lib.sh"

models='models = ( { name = "m"; layers = 2; heads = 3; width = 24; } );
tasks = ( { name = "t"; source = "chess-rules"; rule = "material"; train = 100; validation = 20; test = 20; corpus_size = 2000; } );'

audited() { # the audit of DIR finds nothing
    "$rf_bin" audit "$1/ledger.jsonl" >out 2>err || {
        cat out err >&2
        fail "the audit does not agree with $1"
    }
}

# A wide job lives on what others leave. The owner of the share comes late and gets its device
# without the wide job leaving; when the owner is done, the wide job takes the device back.
cat >wide.cfg <<END
run = { name = "wide"; seed = 3; };
policy = { order = "fcfs"; fence = "floor"; resize = true; reclaim_grace_s = 0.2; lease_s = 0.05; };
pledges = ( { account = "alignment"; share = "50%"; window_s = 60.0; tolerance_s = 30.0; } );
$models
jobs = (
  { name = "wide"; account = "capability"; model = "m"; task = "t"; train = { steps = 1000000; batch = 16; checkpoint_every = 500; };
    min = 1; max = 2; max_device_s = 8.0; },
  { name = "owner"; account = "alignment"; model = "m"; task = "t"; train = { steps = 20; batch = 16; }; submit_s = 1.0; }
);
END
expect 3 ranks 3 run wide.cfg --out wide -q
said_once "job 'wide' failed: job-device-time" err
grep -q '"type":"shrink","job":0' wide/ledger.jsonl || fail "the wide job did not shrink"
grep -q '"type":"grow","job":0' wide/ledger.jsonl || fail "the wide job did not grow again"
[ "$(grep -c '"type":"grant","job":0' wide/ledger.jsonl)" -eq 1 ] || fail "the wide job had more than one lease"
grep -q '"type":"preempt","job":0,.*"reason":"reclaim"' wide/ledger.jsonl && fail "the wide job was preempted"
grep -q '"type":"measure"' wide/ledger.jsonl || fail "the peak is not on record"
audited wide

# Priorities, and an account that has used up what it may.
cat >bounds.cfg <<END
run = { name = "bounds"; seed = 3; };
policy = { order = "easy"; fence = "none"; lease_s = 0.05; peak_flops = 1e12; };
limits = ( { account = "small"; max_device_s = 0.5; author = "finance"; reason = "quarter-is-over"; } );
$models
jobs = (
  { name = "first"; account = "big"; model = "m"; task = "t"; train = { steps = 20; batch = 16; }; limit_s = 60; },
  { name = "low"; account = "big"; model = "m"; task = "t"; train = { steps = 5; batch = 16; }; after = ["first"]; },
  { name = "high"; account = "big"; model = "m"; task = "t"; train = { steps = 5; batch = 16; }; after = ["first"]; priority = 3; },
  { name = "greedy"; account = "small.one"; model = "m"; task = "t"; train = { steps = 1000000; batch = 16; }; after = ["low"]; },
  { name = "poor"; account = "small.two"; model = "m"; task = "t"; train = { steps = 5; batch = 16; }; after = ["low"]; priority = -1; }
);
END
expect 3 ranks 2 run bounds.cfg --out bounds -q
said_once "job 'greedy' failed: account-device-time" err
line() { # the number of the first ledger line that matches
    grep -n "$1" bounds/ledger.jsonl | head -n 1 | cut -d: -f1
}
[ "$(line '"type":"grant","job":2,')" -lt "$(line '"type":"grant","job":1,')" ] || fail "the higher priority did not come first"
grep -q '"type":"deny","job":4,"reason":"account-device-time"' bounds/ledger.jsonl || fail "the poor job was not denied"
grep -q '"type":"limit","account":"small"' bounds/ledger.jsonl || fail "the limit is not on record"
grep -q '"type":"measure","flops":1000000000000,"reason":"configured"' bounds/ledger.jsonl || fail "the peak is not the configured one"
audited bounds

# Changes of mind at their times, with who and why.
cat >change.cfg <<END
run = { name = "change"; seed = 3; };
policy = { order = "fcfs"; fence = "floor"; lease_s = 0.05; };
pledges = ( { account = "alignment"; share = "50%"; window_s = 60.0; tolerance_s = 30.0; } );
changes = ( { at = 0.2; kind = "policy"; fence = "none"; author = "new board"; reason = "simpler"; },
            { at = 0.1; kind = "pledge"; account = "alignment"; share = 0; author = "new board"; reason = "redirected"; } );
$models
jobs = ( { name = "a"; account = "alignment"; model = "m"; task = "t"; train = { steps = 400; batch = 16; }; } );
END
expect 0 ranks 2 run change.cfg --out change -q
grep -q '"type":"policy","policy":"fcfs+none","author":"new board","reason":"simpler"' change/ledger.jsonl || fail "the policy change is not on record"
[ "$(grep -c '"type":"pledge"' change/ledger.jsonl)" -eq 2 ] || fail "the pledge change is not on record"
audited change
