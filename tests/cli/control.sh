# The control socket of a run that is going: jobs come and are called off, questions are answered,
# hostile clients get nothing, figures for monitoring are well formed, and a resumed run knows
# what was submitted.
. "$(dirname "$0")/../lib.sh"

cat >run.cfg <<'END'
run = { name = "open"; seed = 3; linger_s = 600.0; };
policy = { order = "fcfs"; fence = "floor"; lease_s = 0.05; seal_s = 0.5; };
pledges = ( { account = "alignment"; share = "40%"; window_s = 600.0; } );
models = ( { name = "m"; layers = 1; heads = 2; width = 8; } );
tasks = ( { name = "t"; source = "chess-rules"; rule = "material"; train = 100; validation = 20; test = 20; corpus_size = 500; } );
jobs = ( { name = "first"; account = "capability"; model = "m"; task = "t"; train = { steps = 20; batch = 8; }; max = 1; } );
END
job() { # job NAME ACCOUNT STEPS [REST]: a submission on stdout
    printf 'jobs = ( { name = "%s"; account = "%s"; model = "m"; task = "t"; max = 1; train = { steps = %s; batch = 8; }; %s } );\n' \
        "$1" "$2" "$3" "${4:-}"
}
ask() { # ask CODE COMMAND...
    local code=$1
    shift
    expect "$code" "$rf_bin" "$@"
}
refused() { # refused CODE MESSAGE COMMAND...
    local code=$1 message=$2
    shift 2
    ask "$code" "$@"
    grep -qF -- "$message" err || { cat err >&2; fail "no '$message': $*"; }
    [ "$(wc -l <err)" -eq 1 ] || { cat err >&2; fail "more than one line on stderr: $*"; }
}
wait_for() { # wait_for TEXT COMMAND...: until its output holds the text
    local text=$1
    shift
    for _ in $(seq 600); do
        "$@" >out 2>err
        grep -qE -- "$text" out && return 0
        sleep 0.1
    done
    cat out err >&2
    fail "never seen: $text"
}

refused 2 "there is no run in 'open'" status open
refused 2 "there is no run in 'open'" submit open run.cfg
refused 3 "nobody listens" cancel open first

# a path longer than an address of a socket may be
deep=$rf_work/$(printf 'd%.0s' $(seq 90))/$(printf 'e%.0s' $(seq 90))
mkdir -p "$deep"
dir=$deep/open
ranks 3 run run.cfg --out "$dir" -q >run.out 2>&1 &
launcher=$!
wait_for '1 done' "$rf_bin" status "$dir"
[ "$(stat -c %a "$dir/control.sock")" = 600 ] || fail "others may use the socket"

# ---- jobs come, wait, run and are called off

job more alignment.red 20 >more.cfg
ask 0 submit "$dir" more.cfg
grep -qF "job 1 'more' of alignment.red" out || fail "the answer to a submission"
[ -s "$dir/submitted/000000.cfg" ] || fail "a submission is not kept"
grep -q '"type":"request","job":1,"name":"more"' "$dir/ledger.jsonl" || fail "answered before it was durable"
wait_for '2 done' "$rf_bin" status "$dir"

job long capability 100000000 >long.cfg
job other capability 100000000 'after = [ "long" ];' >other.cfg
ask 0 submit "$dir" long.cfg --json
[ "$(grep -c '^{' out)" -eq 1 ] && grep -q '"command": "submit"' out || fail "the JSON answer"
ask 0 submit "$dir" other.cfg --set jobs.other.train.steps=10
wait_for '^ *long ' "$rf_bin" status "$dir"
grep -q '^ *other .*after-unfinished' out || { cat out >&2; fail "a job that waits, and why"; }
ask 0 cancel "$dir" 3 --json
grep -q '"state": "cancelled"' out || { cat out >&2; fail "a job in the queue is cancelled at once"; }
refused 2 "over already" cancel "$dir" other
refused 2 "no job 'nobody'" cancel "$dir" nobody
refused 2 "no job '17'" cancel "$dir" 17
ask 0 cancel "$dir" long
grep -q "stops at its next step" out || fail "a job that runs"
wait_for '2 cancelled' "$rf_bin" status "$dir"
ls "$dir"/checkpoints/long/step-*.h5 >/dev/null || fail "a cancelled job leaves no checkpoint"

# ---- what is refused, by the one who asks and by the one who is asked

job more alignment.red 20 >again.cfg
refused 2 "jobs.[0].name" submit "$dir" again.cfg
job a1 elsewhere 20 >account.cfg
refused 2 "knows no account 'elsewhere'" submit "$dir" account.cfg
job a2 capability 20 'min = 9;' | sed 's/max = 1/max = 9/' >wide.cfg
refused 2 "needs at least 9 ranks" submit "$dir" wide.cfg
job a3 capability 20 'submit_s = 5.0;' >later.cfg
refused 2 "since the job is submitted now" submit "$dir" later.cfg
job a4 capability 20 'after = [ "ghost" ];' >ghost.cfg
refused 2 "ghost" submit "$dir" ghost.cfg
refused 2 "expected one of models, tasks, task, jobs, experiments" submit "$dir" run.cfg
printf 'models = ();\n' >nothing.cfg
refused 2 "expected at least one job or experiment" submit "$dir" nothing.cfg
[ ! -e "$dir/submitted/000003.cfg" ] || fail "a refused submission is kept"

if have_python; then
    cat >client.py <<'END'
import os, socket, sys, time
os.chdir(sys.argv[1])
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(30); s.connect("control.sock"); return s
def ask(data):
    s = connect(); s.sendall(data)
    got = b""
    while not got.endswith(b"\n"):
        more = s.recv(65536)
        if not more: return got
        got += more
    return got
for bad in (b"\n", b"{}\n", b"[]\n", b"null\n", b"hello\n", b"\xff\xfe\n", b'{"ringfence":1}\n',
            b'{"ringfence":2,"command":"status"}\n', b'{"ringfence":1,"command":"stop"}\n',
            b'{"ringfence":1,"command":"status","more":1}\n', b'{"ringfence":1,"command":"cancel"}\n',
            b'{"ringfence":1,"command":"cancel","job":7}\n', b'{"ringfence":1,"command":"submit","config":[]}\n',
            b'{"ringfence":1,"ringfence":1,"command":"status"}\n', b"[" * 100000 + b"\n"):
    answer = ask(bad)
    assert b'"ok":false' in answer and b'"status":2' in answer, (bad[:50], answer)
answer = ask(b'{"ringfence":1,"command":"submit","config":"jobs = ( { name = "}\n')
assert b"submission:1" in answer, answer
try:  # more than a request may be: the connection is closed, without an answer
    s = connect(); s.sendall(b"x" * (6 << 20)); assert s.recv(10) == b""
except (BrokenPipeError, ConnectionResetError):
    pass
silent = [connect() for _ in range(12)]  # more than are served at a time; the run goes on
silent[0].sendall(b'{"ringfence":1,')
time.sleep(0.2)
began = time.time()
assert b'"ok":true' in ask(b'{"ringfence":1,"command":"status"}\n')  # once the silent ones are dropped
assert time.time() - began < 25
END
    python3 client.py "$dir" || fail "hostile clients"
fi

# ---- figures for monitoring

wait_for 'control_requests_total [1-9]' cat "$dir/metrics.prom"
cp "$dir/metrics.prom" metrics.prom
if have_python; then
    python3 - metrics.prom <<'END' || fail "metrics.prom"
import re, sys
text = open(sys.argv[1]).read()
assert text.endswith("\n") and "\r" not in text
name, label = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
sample = re.compile(rf"({name})(?:\{{({label}(?:,{label})*)\}})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|NaN)$")
help_of, type_of, seen, last = {}, {}, set(), None
for line in text.splitlines():
    if line.startswith("# HELP "):
        metric, words = line[7:].split(" ", 1)
        assert metric not in help_of and words and metric.startswith("ringfence_"), line
        help_of[metric] = words
    elif line.startswith("# TYPE "):
        metric, kind = line[7:].split(" ")
        assert metric in help_of and metric not in type_of and kind in ("counter", "gauge"), line
        assert (kind == "counter") == metric.endswith("_total"), line
        type_of[metric] = kind
        last = metric
    else:
        m = sample.match(line)
        assert m, line
        assert m[1] == last, line  # the samples of a metric stand together, under its TYPE
        assert (m[1], m[2]) not in seen, line
        seen.add((m[1], m[2]))
for metric in ("ringfence_account_held_device_seconds_total", "ringfence_pledge_share_ratio",
               "ringfence_pledge_delivered_device_seconds_total", "ringfence_jobs",
               "ringfence_ledger_entries_total", "ringfence_devices"):
    assert any(s[0] == metric for s in seen), metric
assert ("ringfence_pledge_share_ratio", 'account="alignment",revision="0"') in seen
assert 'ringfence_pledge_share_ratio{account="alignment",revision="0"} 0.4\n' in text
assert 'ringfence_jobs{state="cancelled"} 2\n' in text
END
fi
if command -v promtool >/dev/null 2>&1; then
    promtool check metrics <metrics.prom || fail "promtool does not like the metrics"
fi

# ---- the coordinator dies; the socket that it leaves is replaced, and submissions are known

job last alignment.red 30 >last.cfg
ask 0 submit "$dir" last.cfg
pids=$(rank_pids "$dir")
kill -9 "$(echo "$pids" | tail -n 1)"
wait $launcher 2>/dev/null
[ -S "$dir/control.sock" ] || fail "the test of a stale socket has no socket"
ask 0 status "$dir"
grep -q 'gone (as its ledger says)' out || { cat out >&2; fail "a run that died"; }
refused 3 "nobody listens" submit "$dir" more.cfg --set jobs.more.name=late
ranks 3 run run.cfg --out "$dir" -q --resume >run.out 2>&1 &
launcher=$!
wait_for '3 done.* 2 cancelled' "$rf_bin" status "$dir"
grep -q ' running' out || { cat out >&2; fail "the resumed run does not answer"; }
job really-last capability 10 >reallylast.cfg
ask 0 submit "$dir" reallylast.cfg
grep -qF "job 5 'really-last'" out || fail "numbers after a resumption"
wait_for '4 done' "$rf_bin" status "$dir"

# ---- following until the end, and looking afterwards

"$rf_bin" status "$dir" --follow --every 0.2 >follow.out 2>follow.err &
follower=$!
sleep 1
kill -TERM "$(rank_pids "$dir" | tail -n 1)"
wait $launcher
wait $follower || { cat follow.err >&2; fail "status --follow"; }
grep -q ' state=running .* share.alignment=.* pledge.alignment=0.4000' follow.out || { cat follow.out >&2; fail "no line of a run that goes"; }
tail -n 1 follow.out | grep -q ' state=interrupted ' || { cat follow.out >&2; fail "the last line"; }
grep -q "$(printf '\033')" follow.out && fail "control characters where there is no terminal"
[ ! -e "$dir/control.sock" ] || fail "the socket outlives the run"
ask 0 status "$dir" --json
if have_python; then
    [ "$(json out '(d["command"], d["source"], d["state"], d["seed"], d["jobs"]["done"])')" = \
        "('status', 'ledger', 'interrupted', 3, 4)" ] || { cat out >&2; fail "the document"; }
    [ "$(json "$dir/results.json" 'sorted((j["name"], j["state"]) for j in d["jobs"])')" = \
        "[('first', 'done'), ('last', 'done'), ('long', 'cancelled'), ('more', 'done'), ('other', 'cancelled'), ('really-last', 'done')]" ] ||
        fail "results.json"
fi
"$rf_bin" audit "$dir/ledger.jsonl" >out 2>&1
[ $? -le 1 ] || { cat out >&2; fail "the audit"; }
# Training that was submitted is run again as well, on ranks that have to read what was.
ranks 2 audit "$dir/ledger.jsonl" --reexecute 9 >out 2>&1
[ $? -le 1 ] && grep -q '^ *T10 .*pass' out && ! grep -q 'has no such job' out ||
    { cat out >&2; fail "jobs that were submitted are not trained again to the same bits"; }
cp "$dir/submitted/000000.cfg" kept.cfg
printf 'jobs = (\n' >"$dir/submitted/000000.cfg"
ranks 2 audit "$dir/ledger.jsonl" --reexecute 9 >out 2>err
[ $? -eq 2 ] && [ "$(grep -c 'submitted/000000.cfg:2' err)" -eq 1 ] || { cat err >&2; fail "a submission that is spoilt"; }
rm "$dir/submitted/000000.cfg"
ranks 1 audit "$dir/ledger.jsonl" --reexecute 9 >out 2>&1
grep -q 'has no such job' out || { cat out >&2; fail "jobs whose configuration is gone"; }
mv kept.cfg "$dir/submitted/000000.cfg"
refused 2 "exclude each other" status "$dir" --json --follow
