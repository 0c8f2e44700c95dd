"""Test data both ends can compute: byte strings that follow from a name and a length, so that a
transfer is compared with what was meant and not with what some other part of it carried."""

import hashlib

_BLOCK = 65536


def payload(name: str, length: int) -> bytes:
    """`length` bytes: a 64 KiB block hashed from `name`, repeated with the repetition's number
    written over its first four bytes (scripts/suite.cjs computes the same)."""
    seed = b"".join(hashlib.sha256(f"{name}:{i}".encode()).digest() for i in range(_BLOCK // 32))
    data = bytearray()
    for number in range((length + _BLOCK - 1) // _BLOCK):
        data += number.to_bytes(4, "big") + seed[4:]
    return bytes(data[:length])


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
