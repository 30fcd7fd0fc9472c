"""Merkle trees over the audit log, as RFC 9162 (2.1) defines them: root, inclusion and consistency proofs.

:class:`Peaks` holds a growing tree as its perfect subtrees, largest first, so that adding an event costs O(log n).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf: SHA-256 over 0x00 and the data."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256 over 0x01 and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Peaks:
    """The perfect subtrees of the first ``size`` leaves.

    Args:
        size: leaves so far.
        peaks: their roots, largest subtree first, one for each set bit of ``size``.

    Raises:
        ValueError: their number does not fit.
    """

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size, self.peaks = size, list(peaks)
        if size < 0 or len(self.peaks) != size.bit_count():
            raise ValueError("the number of subtrees does not fit the number of leaves")

    def add(self, data: bytes) -> None:
        """One more leaf."""
        node, size = leaf_hash(data), self.size
        while size & 1:
            node, size = node_hash(self.peaks.pop(), node), size >> 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree; that of an empty one is the hash of nothing."""
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node

    def to_text(self) -> str:
        """The subtrees in hexadecimal, separated by spaces."""
        return " ".join(peak.hex() for peak in self.peaks)

    @classmethod
    def from_text(cls, size: int, text: str) -> Peaks:
        """What :meth:`to_text` wrote.

        Raises:
            ValueError.
        """
        return cls(size, (bytes.fromhex(part) for part in text.split()))


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over ``leaves``."""
    tree = Peaks()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf ``index`` to the root, lowest first (RFC 9162, 2.1.3.1).

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    if len(leaves) == 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root_of(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root_of(leaves[:split])]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``proof`` leads from ``leaf`` at ``index`` to the ``root`` of ``size`` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    first, second, node = index, size - 1, leaf_hash(leaf)
    for other in proof:
        if second == 0:
            return False
        if first & 1 or first == second:
            node = node_hash(other, node)
            while not first & 1 and first:
                first, second = first >> 1, second >> 1
        else:
            node = node_hash(node, other)
        first, second = first >> 1, second >> 1
    return second == 0 and node == root
