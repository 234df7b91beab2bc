#!/usr/bin/env python3
"""Verifies a ledger with nothing of ringfence: python3 verify_ledger.py LEDGER

Written from src/alloc/LEDGER.md alone, with the standard library and the openssl program. It
checks the chain over all lines, the root and the signature of every seal, and prints one line
per finding. Exit code 0: all holds; 1: something does not.
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


def sha256(data):
    return hashlib.sha256(data).digest()


def root(leaves):
    """The tree head of RFC 6962, section 2.1."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return sha256(b"\1" + root(leaves[:split]) + root(leaves[split:]))


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


def read_key(path):
    """Name, id and key of a C2SP verifier key."""
    name, key_id, blob = open(path, encoding="utf-8").read().rstrip("\n").split("+", 2)
    blob = base64.b64decode(blob, validate=True)
    if blob[:1] != b"\1" or len(blob) != 33:
        raise ValueError("this is no Ed25519 key")
    if sha256(name.encode() + b"\n" + blob)[:4].hex() != key_id:
        raise ValueError("its id is not that of its name and bytes")
    return name, bytes.fromhex(key_id), blob[1:]


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


def check_seal(number, text, lines, key):
    name, key_id, public = key
    rows = text.split("\n")
    if len(rows) != 6 or rows[3] != "" or rows[5] != "":
        yield f"seal {number} has another form"
        return
    size = int(rows[1])
    if size > len(lines):
        yield f"seal {number} covers {size} lines, but there are {len(lines)}"
    elif base64.b64decode(rows[2], validate=True) != root(lines[:size]):
        yield f"seal {number} has another root than the first {size} lines"
    dash, signer, blob = rows[4].split(" ")
    blob = base64.b64decode(blob, validate=True)
    if dash != "\u2014" or signer != name or blob[:4] != key_id:
        yield f"seal {number} is not signed by {name}"
    elif not signature_holds("\n".join(rows[:3] + [""]).encode(), blob[4:], public):
        yield f"seal {number} has a signature that does not hold"


def check(path):
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
        for number, (body, signature) in enumerate(pairs, 1):
            end = signature if signature.endswith("\n") else signature + "\n"
            yield from check_seal(number, body + "\n\n" + end, lines, key)
        if len(seals) % 2 != 0 or not pairs:
            yield "the seals are cut short"
    except (OSError, ValueError) as why:
        yield f"key or seals cannot be read: {why}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    problems = list(check(sys.argv[1]))
    for problem in problems:
        print(problem)
    if not problems:
        print("chain, roots and signatures hold")
    sys.exit(1 if problems else 0)


main()
