"""The points of small order of Curve25519 in Edwards form, out of plain integer arithmetic (RFC 8032, section 5.1).

Nothing here uses the code under test.
"""

from __future__ import annotations

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493  # the order of the base point; all points number 8 times L
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
ZERO: Point = (0, 1)


def on_curve(point: Point) -> bool:
    x, y = point
    return (y * y - x * x - 1 - D * x * x * y * y) % P == 0


def add(one: Point, other: Point) -> Point:
    """Add two points of the curve (RFC 8032, section 5.1.4, in affine form)."""
    (x1, y1), (x2, y2) = one, other
    both = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + both, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - both, -1, P)
    return x % P, y % P


def multiply(factor: int, point: Point) -> Point:
    total = ZERO
    while factor:
        if factor & 1:
            total = add(total, point)
        point = add(point, point)
        factor >>= 1
    return total


def recover(y: int) -> Point | None:
    """Give the point with that y and an even x; None when the curve has none (RFC 8032, section 5.1.3)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (x if x % 2 == 0 else P - x), y


def small_order() -> list[Point]:
    """Give the eight points that 8 takes to zero, from 0 times to 7 times one of them."""
    y = 2
    while True:
        found = recover(y)
        # L takes a point to its part of small order, which generates all eight when 4 does not take it to zero.
        part = multiply(L, found) if found else ZERO
        if multiply(4, part) != ZERO:
            return [multiply(factor, part) for factor in range(8)]
        y += 1


def encode(y: int, sign: int) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


def canonical(point: Point) -> bytes:
    """Write a point as RFC 8032, section 5.1.2, says."""
    return encode(point[1], point[0] & 1)


def encodings(point: Point) -> list[bytes]:
    """Every 32 bytes that some reader takes for a point: y not reduced, and either sign where x is 0."""
    signs = [0, 1] if point[0] == 0 else [point[0] & 1]
    return [encode(y, sign) for y in range(point[1], 2**255, P) for sign in signs]


def not_reduced() -> list[bytes]:
    """Every encoding whose y is p or more, of points whose order is not small."""
    found = [recover(y) for y in range(2, 19)]
    points = [point for point in found if point is not None]
    return [encode(y + P, sign) for _, y in points for sign in (0, 1)]


def smallest_y() -> Point:
    """The point with the smallest y whose order is not small."""
    return next(point for y in range(2, 99) if (point := recover(y)) is not None)
