#!/usr/bin/env python3
"""Verifies ledgers, and proofs about them, with nothing of ringfence:

    python3 verify_ledger.py LEDGER
    python3 verify_ledger.py --proof PROOF ENTRY KEY.pub
    python3 verify_ledger.py --extends PROOF OLD-HEAD KEY.pub
    python3 verify_ledger.py --cosigned HEAD WITNESS.pub

Written from src/alloc/LEDGER.md alone, with the standard library and the openssl program. The
first form checks the chain over all lines, and the root and the signature of every seal, by the
key that is in force where it stands; the others check a .tlog-proof, a consistency proof and a
cosignature. One line per finding. Exit code 0: all holds; 1: something does not.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile

# What turns the 32 bytes of an Ed25519 public key into a DER file (RFC 8410).
DER_PREFIX = bytes.fromhex("302a300506032b6570032100")
DASH = "\u2014"


def sha256(data):
    return hashlib.sha256(data).digest()


def node(left, right):
    return sha256(b"\1" + left + right)


def root(leaves):
    """The tree head of RFC 6962, section 2.1."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return node(root(leaves[:split]), root(leaves[split:]))


def root_from_path(leaf, index, size, path):
    """RFC 6962, section 2.1.1: the root that a leaf and its audit path lead to."""
    if size == 1:
        if path:
            raise ValueError("the path is too long")
        return sha256(b"\0" + leaf)
    if not path:
        raise ValueError("the path is too short")
    split = 1
    while 2 * split < size:
        split *= 2
    if index < split:
        return node(root_from_path(leaf, index, split, path[:-1]), path[-1])
    return node(path[-1], root_from_path(leaf, index - split, size - split, path[:-1]))


def roots_from_proof(old, size, proof, old_root, whole=True):
    """RFC 6962, section 2.1.2: the old and the new root that a consistency proof leads to."""
    if old == size:
        if whole != (not proof) or len(proof) > 1:
            raise ValueError("the proof has another length")
        return (old_root, old_root) if whole else (proof[0], proof[0])
    if not proof:
        raise ValueError("the proof is too short")
    split = 1
    while 2 * split < size:
        split *= 2
    if old <= split:
        before, after = roots_from_proof(old, split, proof[:-1], old_root, whole)
        return before, node(after, proof[-1])
    before, after = roots_from_proof(old - split, size - split, proof[:-1], old_root, False)
    return node(proof[-1], before), node(proof[-1], after)


# ---- keys and signatures


def parse_key(text, kind=1):
    """Name, id and key of a C2SP verifier key; kind 1 signs heads, kind 4 cosigns them."""
    name, key_id, blob = text.rstrip("\n").split("+", 2)
    blob = base64.b64decode(blob, validate=True)
    if blob[:1] != bytes([kind]) or len(blob) != 33:
        raise ValueError("this is no Ed25519 key of the right kind")
    if sha256(name.encode() + b"\n" + blob)[:4].hex() != key_id:
        raise ValueError("its id is not that of its name and bytes")
    return name, bytes.fromhex(key_id), blob[1:]


def read_key(path, kind=1):
    return parse_key(open(path, encoding="utf-8").readline(), kind)


def signature_holds(body, signature, key):
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, data in (("body", body), ("sig", signature), ("key", DER_PREFIX + key)):
            paths[name] = os.path.join(folder, name)
            with open(paths[name], "wb") as out:
                out.write(data)
        return subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", paths["key"],
             "-keyform", "DER", "-rawin", "-in", paths["body"], "-sigfile", paths["sig"]],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


class Head:
    """A signed note over origin, size and root."""

    def __init__(self, text):
        self.body, _, rest = text.partition("\n\n")
        self.body += "\n"
        rows = self.body.split("\n")
        self.origin, self.size = rows[0], int(rows[1])
        self.root = base64.b64decode(rows[2], validate=True)
        self.lines = rest.split("\n")
        if len(rows) != 4 or self.lines.pop() != "" or not self.lines:
            raise ValueError("a head has another form")

    def signatures(self, key):
        """The bytes behind the key's id, of each signature by it."""
        name, key_id, _ = key
        for line in self.lines:
            dash, signer, blob = line.split(" ")
            blob = base64.b64decode(blob, validate=True)
            if dash == DASH and signer == name and blob[:4] == key_id:
                yield blob[4:]

    def check(self, key):
        found = list(self.signatures(key))
        if not found:
            yield f"the head is not signed by {key[0]}"
        elif not all(signature_holds(self.body.encode(), blob, key[2]) for blob in found):
            yield "the head has a signature that does not hold"

    def check_cosigned(self, key):
        """c2sp.org/tlog-cosignature: eight bytes of time, then the signature."""
        found = list(self.signatures(key))
        if not found:
            yield f"the head is not cosigned by {key[0]}"
        for blob in found:
            time = int.from_bytes(blob[:8], "big")
            text = f"cosignature/v1\ntime {time}\n{self.body}"
            if not signature_holds(text.encode(), blob[8:], key[2]):
                yield "the head has a cosignature that does not hold"


# ---- a ledger


def check_chain(lines):
    """Yields what is wrong with the lines."""
    previous = bytes(32)
    for number, line in enumerate(lines, 1):
        tail = b',"prev":"' + base64.b64encode(previous) + b'"}'
        if not line.endswith(tail):
            yield f"line {number} does not carry the digest of the line before it"
        try:
            if json.loads(line)["seq"] != number - 1:
                yield f"line {number} has another sequence number"
        except (ValueError, KeyError, TypeError):
            yield f"line {number} is not a JSON object with a sequence number"
        previous = sha256(line)


def check_seal(number, text, lines, key):
    head = Head(text)
    if len(head.lines) != 1:
        yield f"seal {number} has another form"
    if head.size > len(lines):
        yield f"seal {number} covers {head.size} lines, but there are {len(lines)}"
    elif head.root != root(lines[:head.size]):
        yield f"seal {number} has another root than the first {head.size} lines"
    for problem in head.check(key):
        yield f"seal {number}: {problem}"


def next_key(key, lines):
    """The key in force after a seal over these lines, of which the last that names one counts."""
    for line in lines:
        entry = json.loads(line)
        if entry["type"] == "rotate":
            key = parse_key(entry["vkey"])
    return key


def check_ledger(path):
    """Yields everything that is wrong with a ledger."""
    data = open(path, "rb").read()
    lines = data.split(b"\n")
    if lines.pop() != b"":
        yield "the last line is cut short"
    yield from check_chain(lines)
    try:
        key = read_key(path + ".pub")
        seals = open(path + ".seals", encoding="utf-8").read().split("\n\n")
        # the empty line inside a seal splits as the one between seals does
        pairs = list(zip(seals[0::2], seals[1::2]))
        covered = 0
        for number, (body, signature) in enumerate(pairs, 1):
            end = signature if signature.endswith("\n") else signature + "\n"
            yield from check_seal(number, body + "\n\n" + end, lines, key)
            size = int(body.split("\n")[1])
            key = next_key(key, lines[covered:size])
            covered = size
        if len(seals) % 2 != 0 or not pairs:
            yield "the seals are cut short"
    except (OSError, ValueError) as why:
        yield f"key or seals cannot be read: {why}"


# ---- proofs


def read_proof(path, first):
    """The number, the hashes and the head of a proof file."""
    top, _, head = open(path, encoding="utf-8").read().partition("\n\n")
    rows = top.split("\n")
    if first == "index":
        if rows.pop(0) != "c2sp.org/tlog-proof@v1":
            raise ValueError("this is no .tlog-proof")
        if rows[0].startswith("extra "):
            rows.pop(0)
    word, number = rows.pop(0).split(" ")
    if word != first:
        raise ValueError(f"expected {first}, found {word}")
    return int(number), [base64.b64decode(row, validate=True) for row in rows], Head(head)


def check_proof(path, entry, key):
    index, hashes, head = read_proof(path, "index")
    line = open(entry, "rb").read()
    line = line[:-1] if line.endswith(b"\n") else line
    yield from head.check(read_key(key))
    if index >= head.size or root_from_path(line, index, head.size, hashes) != head.root:
        yield f"this line is not entry {index} under the head"


def check_extends(path, old_path, key):
    old_size, hashes, head = read_proof(path, "old")
    old = Head(open(old_path, encoding="utf-8").read())
    yield from old.check(read_key(key))
    yield from head.check(read_key(key))
    if old.size != old_size or old.origin != head.origin or roots_from_proof(
            old.size, head.size, hashes, old.root) != (old.root, head.root):
        yield "the head is not shown to extend the old one"


def check_cosigned(path, key):
    yield from Head(open(path, encoding="utf-8").read()).check_cosigned(read_key(key, 4))


def main():
    forms = {"--proof": (check_proof, 3), "--extends": (check_extends, 3),
             "--cosigned": (check_cosigned, 2)}
    words = sys.argv[1:]
    check, count = forms.get(words[0] if words else "", (check_ledger, 1))
    if check is not check_ledger:
        words.pop(0)
    if len(words) != count:
        sys.exit(__doc__)
    try:
        problems = list(check(*words))
    except (OSError, ValueError, IndexError) as why:
        problems = [f"cannot be read: {why}"]
    for problem in problems:
        print(problem)
    if not problems:
        print("all of it holds")
    sys.exit(1 if problems else 0)


main()
