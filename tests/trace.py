"""trace.py FILE...: is this Chrome's trace event format, so that Perfetto shows every event of it?

Perfetto drops silently what it does not understand: slices of one row that overlap without one lying
within the other, events without a process, times that are no numbers. So the check is strict.
"""
import json
import sys

INTEGER = (int,)
NUMBER = (int, float)
KEYS = {  # phase: keys that must be there and their types; others that may
    "X": ({"name": str, "ts": INTEGER, "dur": INTEGER, "pid": INTEGER, "tid": INTEGER}, {"cat": str, "cname": str, "args": dict}),
    "i": ({"name": str, "ts": INTEGER, "pid": INTEGER, "s": str}, {"tid": INTEGER, "cat": str, "args": dict}),
    "M": ({"name": str, "pid": INTEGER, "args": dict}, {"tid": INTEGER}),
    "C": ({"name": str, "ts": INTEGER, "pid": INTEGER, "args": dict}, {"tid": INTEGER, "cat": str}),
}


def typed(event, keys, where):
    for key, kind in keys.items():
        if key in event and (not isinstance(event[key], kind) or isinstance(event[key], bool)):
            raise ValueError(f"{where}: {key} is {event[key]!r}")


def check_event(event, where):
    phase = event.get("ph")
    if phase not in KEYS:
        raise ValueError(f"{where}: phase {phase!r}")
    must, may = KEYS[phase]
    for key in must:
        if key not in event:
            raise ValueError(f"{where}: no {key} in {event}")
    for key in event:
        if key != "ph" and key not in must and key not in may:
            raise ValueError(f"{where}: a key {key!r}")
    typed(event, {**must, **may}, where)
    if event["name"] == "" or event.get("ts", 0) < 0 or event.get("dur", 0) < 0:
        raise ValueError(f"{where}: {event}")
    if phase == "i" and event["s"] not in ("g", "p", "t"):
        raise ValueError(f"{where}: scope {event['s']!r}")
    if phase == "M" and (event["name"] not in ("process_name", "thread_name") or not isinstance(event["args"].get("name"), str)):
        raise ValueError(f"{where}: {event}")
    if phase == "C" and not all(isinstance(v, NUMBER) for v in event["args"].values()):
        raise ValueError(f"{where}: a counter of {event['args']}")


def check_rows(events):
    rows = {}
    for event in events:
        if event["ph"] == "X":
            rows.setdefault((event["pid"], event["tid"]), []).append((event["ts"], -event["dur"], event["name"]))
    for row, slices in rows.items():
        open_until = []
        for ts, minus_dur, name in sorted(slices):
            while open_until and open_until[-1] <= ts:
                open_until.pop()
            if open_until and ts - minus_dur > open_until[-1]:
                raise ValueError(f"row {row}: '{name}' at {ts} overlaps another slice")
            open_until.append(ts - minus_dur)


def check(path):
    with open(path) as file:
        trace = json.load(file)
    if set(trace) - {"traceEvents", "displayTimeUnit"} or trace.get("displayTimeUnit", "ms") not in ("ms", "ns"):
        raise ValueError("the outermost keys")
    events = trace["traceEvents"]
    for i, event in enumerate(events):
        check_event(event, f"event {i}")
    named = {e["pid"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
    for event in events:
        if event["pid"] not in named:
            raise ValueError(f"process {event['pid']} has no name")
    if not any(e["ph"] == "X" for e in events):
        raise ValueError("not a single slice")
    check_rows(events)


for path in sys.argv[1:]:
    try:
        check(path)
    except (ValueError, KeyError) as problem:
        sys.exit(f"{path}: {problem}")
