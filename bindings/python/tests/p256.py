"""ECDSA over P-256 with SHA-256, as secure hardware does it: slow, and enough for a test."""

import hashlib
import secrets

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def add(one, other):
    """The sum of two points; nothing is the point at infinity."""
    if one is None or other is None:
        return one or other
    if one[0] == other[0] and (one[1] + other[1]) % P == 0:
        return None
    if one == other:
        slope = (3 * one[0] ** 2 - 3) * pow(2 * one[1], -1, P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P)
    x = (slope**2 - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def times(number, point):
    found = None
    while number:
        if number & 1:
            found = add(found, point)
        point, number = add(point, point), number >> 1
    return found


class Key:
    """A private key."""

    def __init__(self) -> None:
        self.secret = 1 + secrets.randbelow(N - 1)

    def public(self) -> bytes:
        """65 uncompressed SEC1 bytes."""
        x, y = times(self.secret, G)
        return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def sign(self, message: bytes) -> bytes:
        """A signature in DER."""
        digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
        once = 1 + secrets.randbelow(N - 1)
        r = times(once, G)[0] % N
        s = pow(once, -1, N) * (digest + r * self.secret) % N
        body = b"".join(b"\x02" + bytes([len(part)]) + part for part in map(positive, (r, s)))
        return b"\x30" + bytes([len(body)]) + body


def positive(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")
