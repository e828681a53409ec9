"""Checks an evidence export of Paravent. Needs Python 3.9 or later and nothing else:

    python3 verify.py [--key PUBLIC_KEY] [FOLDER]

FOLDER is where the export was unpacked (default: the folder of this file). PUBLIC_KEY is the one in the daily mails;
with it you know that the export was signed by that installation. Exit code 0: nothing was changed. 1: something was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

Point = tuple[int, int, int, int]

# --- Ed25519 (RFC 8032, section 6), verification only ---------------------------------------------------------------
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT = pow(2, (P - 1) // 4, P)


def recover_x(y: int, sign: int) -> int | None:
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT % P
    if (x * x - square) % P:
        return None
    return P - x if (x & 1) != sign else x


def add(p: Point, q: Point) -> Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(number: int, point: Point) -> Point:
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point = add(point, point)
        number >>= 1
    return result


def decompress(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0) or 0
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def signature_holds(key: bytes, content: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) over `content` was made with the private part of `key` (32 bytes)."""
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r, s = decompress(key), decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + content).digest(), "little") % L
    left, right = multiply(s, BASE), add(r, multiply(k, a))
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


# --- the export -----------------------------------------------------------------------------------------------------
SEALED = ("hotline", "day", "position", "value")


class Changed(Exception):
    """What does not hold."""


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def lines_of(path: Path) -> list[Any]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def check_files(folder: Path, manifest: Any) -> None:
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise Changed(f"{name} is missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise Changed(f"{name} was changed")


def check_chain(manifest: Any, chain: list[Any]) -> list[str]:
    if len(chain) != manifest["chain_length"]:
        raise Changed(
            f"the chain has {len(chain)} links and not {manifest['chain_length']}: some were added or cut off"
        )
    value = hashlib.sha256(f"paravent chain {manifest['hotline']}".encode()).digest()
    values = [value.hex()]
    for position, link in enumerate(chain, 1):
        if link["position"] != position:
            raise Changed(f"link {position} is missing or not in its place")
        parts = (bytes.fromhex(link["commit"]), link["received_at"].encode(), bytes.fromhex(link["provider_hash"]))
        value = hashlib.sha256(value + b"".join(parts)).digest()
        if value.hex() != link["chain"]:
            raise Changed(f"link {position} was changed")
        values.append(value.hex())
    if value.hex() != manifest["chain_end"]:
        raise Changed("the chain does not end where the manifest says")
    return values


def check_records(manifest: Any, chain: list[Any], records: list[Any]) -> int:
    if len(records) != manifest["records"]:
        raise Changed(f"there are {len(records)} records and not {manifest['records']}")
    erased = 0
    for record in records:
        position = record["position"]
        link = chain[position - 1] if 0 < position <= len(chain) else None
        if link is None or link["commit"] != record["commit"]:
            raise Changed(f"the record of message {position} is not that of the chain")
        if record["salt"] is None:
            erased += 1
            if record["event"] is not None or record["sender"] is not None:
                raise Changed(f"message {position} is told without what proves it")
            continue
        commit = hashlib.sha256(bytes.fromhex(record["salt"]) + canonical(record["event"])).hexdigest()
        if commit != record["commit"] or record["event"]["received_at"] != link["received_at"]:
            raise Changed(f"message {position} was changed")
        if (
            hashlib.sha256(record["event"]["provider_id"].encode("utf-8", "replace")).hexdigest()
            != link["provider_hash"]
        ):
            raise Changed(f"the provider's number of message {position} was changed")
        if record["sender"] is not None:
            proof = bytes.fromhex(record["sender_salt"]) + record["sender"].encode("utf-8", "replace")
            if hashlib.sha256(proof).hexdigest() != record["event"]["sender_commit"]:
                raise Changed(f"the sender of message {position} was changed")
    return erased


def check_heads(manifest: Any, values: list[str], key: bytes) -> None:
    for head in manifest["heads"]:
        content = {name: head[name] for name in SEALED}
        if not signature_holds(key, canonical(content), bytes.fromhex(head["signature"])):
            raise Changed(f"the seal of {head['day']} is not genuine")
        if head["hotline"] != manifest["hotline"] or head["position"] >= len(values):
            raise Changed(f"the seal of {head['day']} is of another chain")
        if values[head["position"]] != head["value"]:
            raise Changed(f"what came before the seal of {head['day']} was changed")


def check_participants(manifest: Any, participants: list[Any], records: list[Any]) -> None:
    """That the list of who took part in a raid says what the records say."""
    if len(participants) != manifest["participants"]:
        raise Changed(f"there are {len(participants)} participants and not {manifest['participants']}")
    told: dict[str, list[Any]] = {}
    for record in records:
        told.setdefault(record["conversation"], []).append(record)
    for line in participants:
        its = told.get(line["conversation"], [])
        senders = {record["sender"].partition(":")[2] for record in its if record["sender"]}
        if [record["position"] for record in its] != line["positions"] or len(its) != line["messages"]:
            raise Changed(f"the messages of {line['name']} are not those of the records")
        if line["number"] is not None and line["number"] not in senders:
            raise Changed(f"the number of {line['name']} is not that of the records")


def check_stamps(folder: Path, manifest: Any) -> int:
    """That each time stamp is of its seal. Who stamped it `openssl ts -verify` tells, with the authority's certificate.

    A stamp holds the hash value of what was stamped as it is (RFC 3161, MessageImprint), so it is searched for.
    """
    stamped = [head for head in manifest["heads"] if head["stamp"]]
    for head in stamped:
        content = canonical({name: head[name] for name in SEALED})
        if (folder / head["stamp"].replace(".tsr", ".json")).read_bytes() != content:
            raise Changed(f"what was stamped on {head['day']} is not its seal")
        if hashlib.sha256(content).digest() not in (folder / head["stamp"]).read_bytes():
            raise Changed(f"the time stamp of {head['day']} is of something else")
    return len(stamped)


def verify(folder: Path, expected_key: str = "") -> list[str]:
    """What the export proves, in a few lines. Raises `Changed`."""
    content = (folder / "manifest.json").read_bytes()
    manifest = json.loads(content)
    key = bytes.fromhex(manifest["public_key"])
    if expected_key and expected_key.strip().lower() != manifest["public_key"]:
        raise Changed("the export was signed with another key than the one you gave")
    written = (folder / "manifest.sig").read_text()
    signature = bytes.fromhex(written)
    if signature.hex() != written or not signature_holds(key, content, signature):
        raise Changed("the signature of manifest.json does not hold")
    check_files(folder, manifest)
    chain, records = lines_of(folder / "chain.jsonl"), lines_of(folder / "records.jsonl")
    values = check_chain(manifest, chain)
    erased = check_records(manifest, chain, records)
    check_heads(manifest, values, key)
    stamped = check_stamps(folder, manifest)
    told = [
        f"{len(records)} records, {erased} of them erased",
        f"{len(chain)} links, {len(manifest['heads'])} daily seals, {stamped} with a time stamp",
    ]
    if manifest["subject"] == "raid":
        participants = lines_of(folder / "participants.jsonl")
        check_participants(manifest, participants, records)
        told.append(f"{len(participants)} participants")
    if not expected_key:
        told.append(f"signed with {manifest['public_key']}: compare it with the daily mails, or give it with --key")
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description="Check an evidence export of Paravent.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--key", default="", help="the public key that the daily mails name")
    given = parser.parse_args()
    try:
        told = verify(given.folder, given.key)
    except (Changed, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        sys.stdout.write(f"CHANGED: {error or type(error).__name__}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in ["Nothing was changed.", *told]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
