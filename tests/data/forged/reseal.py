#!/usr/bin/env python3
"""What the holder of a key can do to a ledger: python3 reseal.py LEDGER KEY OUT OLD NEW

Writes a copy of LEDGER to OUT in which the text OLD is NEW in every line, chained anew and sealed
anew, where the old seals were, by the secret key in the file KEY.
"""

import base64
import re
import sys
import tempfile

import forge


def main(ledger, key_path, out, old, new):
    with open(key_path) as file:
        fields = file.read().strip().split("+")
    forge.NAME = fields[2]
    seed = base64.b64decode("+".join(fields[4:]))[1:]
    with open(ledger, "rb") as file:
        lines = file.read().split(b"\n")[:-1]
    with open(ledger + ".seals", encoding="utf-8") as file:
        notes = file.read().split("\n\n")
    sizes = [int(note.split("\n")[1]) for note in notes if note.count("\n") >= 2]
    previous, again = bytes(32), []
    for line in lines:
        line = re.sub(rb',"prev":"[^"]*"}$', b"", line).replace(old.encode(), new.encode())
        line += b',"prev":"' + base64.b64encode(previous) + b'"}'
        previous = forge.sha256(line)
        again.append(line)
    with tempfile.TemporaryDirectory() as place:
        key = forge.Key(seed, place)
        seals = b"\n".join(forge.note(again[:size], key) for size in sizes)
    with open(out, "wb") as file:
        file.write(b"\n".join(again) + b"\n")
    with open(out + ".seals", "wb") as file:
        file.write(seals)
    with open(out + ".pub", "w") as file:
        file.write(key.vkey)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
