#!/usr/bin/env python3
"""Makes a small honest ledger and forgeries of it: python3 forge.py DIRECTORY

Written from src/alloc/LEDGER.md with the standard library and the openssl program. Everything
is fixed, keys and signatures too (Ed25519 signs without chance), so the same files come out
every time; tests/cli/forged.sh compares them with the ones that are kept here. README.md says
what each forgery is, and which test of an audit catches it.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile

START_US = 1_767_225_600_000_000
S = 1_000_000
NAME = "auditee"
SEED = hashlib.sha256(b"the operator's key in tests").digest()
OTHER_SEED = hashlib.sha256(b"somebody else's key in tests").digest()
SEALED_AFTER = (20.0, 100.0)  # seconds: two seals


def sha256(data):
    return hashlib.sha256(data).digest()


def b64(data):
    return base64.b64encode(data).decode()


# ---- events: (seconds, type, fields in the order of LEDGER.md) ----


def request(t, job, name, account, least, most, limit_s=0, after=()):
    return (t, "request", {"job": job, "name": name, "account": account, "min": least,
                           "max": most, "limit_us": limit_s * S, "after": list(after),
                           "priority": 0, "deadline_us": 0, "held_limit_us": 0,
                           "flops_limit": 0, "retries": 0})


def pledge(t, share, author, reason):
    return (t, "pledge", {"account": "alignment", "share": share, "basis": "fleet",
                          "fence": "floor", "terms": "", "window_us": 10 * S,
                          "tolerance_us": S, "author": author, "reason": reason})


def grant(t, job, lease, devices):
    return (t, "grant", {"job": job, "lease": lease, "devices": devices, "lent": 0})


def charge(t, job, lease, held_s, step):
    """A reading: busy nine tenths of the time, at a third of the peak."""
    return (t, "charge", {"job": job, "lease": lease, "held_us": held_s * S,
                          "busy_us": held_s * S * 9 // 10, "tokens": 1000 * held_s,
                          "flops": 333_000_000 * held_s, "step": step})


def end(t, job, lease, held_s):
    return (t, "end", {"job": job, "lease": lease, "state": "done", "held_us": held_s * S,
                       "reason": ""})


def honest():
    """Four devices, one promised to alignment; five requests, one denied, one that waits."""
    events = [
        (0, "open", {"run": NAME, "version": "0.1.0", "config": "", "seed": 7,
                     "policy": "fcfs+floor", "grace_us": S, "heartbeat_us": 5 * S,
                     "seal_us": 30 * S}),
        (0, "capacity", {"devices": "0-3", "up": 1, "reason": "joined"}),
        (0, "measure", {"flops": 1_000_000_000, "reason": "matrix-product"}),
        pledge(0, "1/4", "board", "announced"),
        request(0, 0, "pretrain", "capability", 1, 3),
        request(0, 1, "w2s", "alignment", 1, 1),
        grant(0, 0, 0, "0-2"),
        grant(0, 1, 1, "3"),
        request(2, 2, "sweep", "capability.tuning", 2, 2, 60),
        (2, "delay", {"job": 2, "reason": "devices-busy"}),
        charge(4, 0, 0, 12, 40),
        charge(4, 1, 1, 4, 20),
        request(6, 3, "oversight", "alignment.oversight", 2, 2, 30),
        (6, "deny", {"job": 3, "reason": "over-share"}),
    ]
    for t in range(8, 41, 4):
        events.append(charge(t, 0, 0, 12, 10 * t))
        events.append(charge(t, 1, 1, 4, 5 * t))
        if t == 24:
            events.append(pledge(24, "1/8", "new leadership", "earmark-redirected"))
    events += [
        end(42, 0, 0, 6),
        grant(42, 2, 2, "0-1"),
        charge(44, 1, 1, 4, 220),
        charge(44, 2, 2, 4, 20),
        request(45, 4, "probe", "alignment.w2s", 1, 1, 0, (1,)),
        end(46, 1, 1, 2),
        grant(46, 4, 3, "3"),
        charge(48, 2, 2, 8, 40),
        charge(48, 4, 3, 2, 9),
        end(50, 2, 2, 4),
        end(50, 4, 3, 2),
        (50, "close", {"reason": "done"}),
    ]
    return events


def lines_of(events):
    previous, lines = bytes(32), []
    for seq, (t, kind, fields) in enumerate(events):
        record = {"seq": seq, "t_us": START_US + int(t * S), "type": kind}
        record.update(fields)
        record["prev"] = b64(previous)
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
        previous = sha256(line)
        lines.append(line)
    return lines


# ---- keys and seals ----


def openssl(*arguments):
    return subprocess.run(("openssl",) + arguments, check=True, capture_output=True).stdout


class Key:
    """An Ed25519 key from its seed (RFC 8410 says what stands before it in a file)."""

    def __init__(self, seed, place):
        self.path = os.path.join(place, seed.hex()[:8] + ".der")
        with open(self.path, "wb") as file:
            file.write(bytes.fromhex("302e020100300506032b657004220420") + seed)
        self.public = openssl("pkey", "-inform", "DER", "-in", self.path, "-pubout",
                              "-outform", "DER")[-32:]
        self.id = sha256(NAME.encode() + b"\n\x01" + self.public)[:4]
        self.vkey = "%s+%s+%s\n" % (NAME, self.id.hex(), b64(b"\x01" + self.public))

    def sign(self, body):
        with tempfile.NamedTemporaryFile() as text:
            text.write(body)
            text.flush()
            return openssl("pkeyutl", "-sign", "-inkey", self.path, "-keyform", "DER",
                           "-rawin", "-in", text.name)


def root(leaves):
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return sha256(b"\1" + root(leaves[:split]) + root(leaves[split:]))


def note(lines, key):
    body = ("%s\n%d\n%s\n" % (NAME, len(lines), b64(root(lines)))).encode()
    signature = b64(key.id + key.sign(body))
    return body + ("\n\u2014 %s %s\n" % (NAME, signature)).encode()


def seals_of(events, lines, key):
    sizes = [sum(1 for t, _, _ in events if t <= until) for until in SEALED_AFTER]
    return b"\n".join(note(lines[:size], key) for size in sorted(set(sizes)))


# ---- forgeries: each takes the honest events and gives other ones ----


def dropped_denial(events):
    return [e for e in events if e[1] != "deny"]


def back_dated(events):
    """The change of the promise is said to have been made twenty seconds earlier."""
    change = next(e for e in events if e[1] == "pledge" and e[0] > 0)
    rest = [e for e in events if e is not change]
    at = next(i for i, e in enumerate(rest) if e[0] >= 4)
    return rest[:at] + [(4,) + change[1:]] + rest[at:]


def swapped_account(events):
    """What capability trained is said to be alignment's."""
    return [(t, k, dict(f, account="alignment.tuning")) if k == "request" and f["job"] == 2
            else (t, k, f) for t, k, f in events]


def inflated_meter(events):
    """A reading of six device-seconds where two could be held; nothing else is changed."""
    return [(t, k, dict(f, held_us=6 * S)) if k == "charge" and f["job"] == 4 else (t, k, f)
            for t, k, f in events]


def inflated_flops(events):
    return [(t, k, dict(f, flops=f["flops"] * 40)) if k == "charge" and f["job"] == 1
            else (t, k, f) for t, k, f in events]


def relabelled(events):
    """Not a forgery: a change after the fact that is on record."""
    at = next(i for i, e in enumerate(events) if e[0] == 44 and e[2].get("job") == 2) + 1
    change = (44, "relabel", {"job": 2, "account": "alignment.tuning", "author": "operator",
                              "reason": "mislabelled"})
    return events[:at] + [change] + events[at:]


def silent(events):
    """No line between 24 and 40 seconds: the readings of that time are gathered in one."""
    dark = [e for e in events if e[1] == "charge" and 24 < e[0] <= 40]
    kept = [e for e in events if e not in dark]
    at = next(i for i, e in enumerate(kept) if e[0] > 40)
    return kept[:at] + [charge(40, 0, 0, 48, 400), charge(40, 1, 1, 16, 200)] + kept[at:]


def sacct(events):
    """Slurm's own record of the same jobs, a second off here and there."""
    rows = ["JobID|JobName|Account|State|Submit|Start|End|ElapsedRaw|AllocTRES"]
    runs = [(101, "pretrain", "capability", 0, 0, 42, 3), (102, "w2s", "alignment", 0, 0, 46, 1),
            (103, "sweep", "capability_tuning", 2, 42, 50, 2),
            (104, "probe", "w2s", 45, 46, 50, 1)]
    for job, name, account, submit, start, stop, gpus in runs:
        stamp = ["2026-01-01T00:00:%02d" % s for s in (submit, start, stop)]
        rows.append("|".join([str(job), name, account, "COMPLETED"] + stamp +
                             [str(stop - start), "cpu=%d,gres/gpu=%d,node=1" % (gpus, gpus)]))
        rows.append("|".join(["%d.0" % job, "ringfence", account, "COMPLETED"] + stamp +
                             [str(stop - start), ""]))
    return "\n".join(rows) + "\n"


def write(place, name, data):
    with open(os.path.join(place, name), "wb") as file:
        file.write(data)


def write_ledger(place, name, lines, seals, key):
    write(place, name + ".jsonl", b"\n".join(lines) + b"\n")
    write(place, name + ".jsonl.seals", seals)
    write(place, name + ".jsonl.pub", key.vkey.encode())


def main(place):
    with tempfile.TemporaryDirectory() as keys:
        mine, other = Key(SEED, keys), Key(OTHER_SEED, keys)
        events = honest()
        lines = lines_of(events)
        seals = seals_of(events, lines, mine)

        write_ledger(place, "honest", lines, seals, mine)
        write(place, "operator.pub", mine.vkey.encode())
        write(place, "kept.head", seals)  # as a witness or a mail would have kept them
        write(place, "sacct.txt", sacct(events).encode())

        # By whoever holds the key: written anew, chained and sealed as it should be.
        for forge in (dropped_denial, back_dated, swapped_account, inflated_meter,
                      inflated_flops, relabelled, silent):
            forged = forge(events)
            again = lines_of(forged)
            write_ledger(place, forge.__name__.replace("_", "-"), again,
                         seals_of(forged, again, mine), mine)

        # By somebody without the key: the seals stay as they were.
        write_ledger(place, "swapped-byte",
                     [line.replace(b'"capability.tuning"', b'"alignment.tuning"')
                      for line in lines], seals, mine)
        write_ledger(place, "back-dated-unsealed", lines_of(back_dated(events)), seals, mine)
        write_ledger(place, "truncated", lines[:-6], seals, mine)
        # Seals and lines cut back together; and the forger's own key.
        first = sum(1 for t, _, _ in events if t <= SEALED_AFTER[0])
        write_ledger(place, "cut-back", lines[:first], note(lines[:first], mine), mine)
        forged = dropped_denial(events)
        again = lines_of(forged)
        write_ledger(place, "other-key", again, seals_of(forged, again, other), other)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
