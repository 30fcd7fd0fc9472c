"""Vector code of the iris comparison: disagreeing bits of one code against 32 rotations of a probe, eight a register.

One lane holds one rotation. For the word ``w`` of a reference its code and mask are broadcast; the probe's words for
32 rotations are 32 neighbouring words of a doubled array, that is four registers. Eight copies of the probe, shifted by
0 to 7 words, make every such load aligned (an unaligned load of 512 bits crosses a cache line seven times in eight). So
no sum across lanes is ever needed, and the running counts of all rotations can be held against a limit at any word.

The instructions are LLVM's generic ones on vectors of eight 64-bit words: ``ctpop`` becomes VPOPCNTQ where there is
AVX-512 VPOPCNTDQ, a table look-up or scalar POPCNT elsewhere. The results are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from samebody.kernels.compiling import vector_code

LANES = 32
"""Rotations compared at once; those not asked for are left out by :data:`OUT`."""

GROUPS = LANES // 8
COPIES = 8

OUT = 1 << 40
"""Initial count of a lane that is not to be compared: above every limit."""

_I64 = ir.IntType(64)
_VECTOR = ir.VectorType(_I64, 8)
_SIGNATURE = types.int64(*([types.int64] * 8))


def _moved(builder: ir.IRBuilder, address: Any, offset: int) -> Any:
    """``address`` plus ``offset`` bytes."""
    return builder.add(address, ir.Constant(_I64, offset)) if offset else address


def _load(builder: ir.IRBuilder, address: Any, offset: int, align: int = 64) -> Any:
    """One register, ``offset`` bytes behind ``address``."""
    return builder.load(builder.inttoptr(_moved(builder, address, offset), _VECTOR.as_pointer()), align=align)


def _broadcast(builder: ir.IRBuilder, address: Any, offset: int) -> Any:
    """The word ``offset`` bytes behind ``address``, in all eight lanes."""
    pointer = builder.inttoptr(_moved(builder, address, offset), _I64.as_pointer())
    return _splat(builder, builder.load(pointer, align=8))


def _popcount(builder: ir.IRBuilder) -> Any:
    """LLVM's population count of a register."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR])
    return cgutils.get_or_insert_function(builder.module, kind, "llvm.ctpop.v8i64")


def _any_within(builder: ir.IRBuilder, sums: list[Any], limits: Any) -> Any:
    """One bit: whether any lane of ``sums`` is at most its limit."""
    alive = builder.icmp_signed("<=", sums[0], limits)
    for lanes in sums[1:]:
        alive = builder.or_(alive, builder.icmp_signed("<=", lanes, limits))
    byte = ir.IntType(8)
    return builder.icmp_unsigned("!=", builder.bitcast(alive, byte), ir.Constant(byte, 0))


def _splat(builder: ir.IRBuilder, value: Any) -> Any:
    """``value`` in all eight lanes."""
    single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8)
    return builder.shuffle_vector(single, ir.Constant(_VECTOR, ir.Undefined), zeros)


def _emit(masked: bool, codes: bool) -> Callable[..., Any]:
    """The code generator of one counting loop.

    ``codes`` and ``masked``: (cp ^ cr) & mp & mr. ``codes`` alone: cp ^ cr, for full masks. Neither: mp & mr.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        probe_code, probe_mask, code, mask, stride, words, limit, counts = arguments
        popcount = _popcount(builder)
        eight = ir.Constant(_I64, 8)
        start = builder.block
        loop = builder.append_basic_block("words")
        done = builder.append_basic_block("done")
        limits = _splat(builder, limit)
        initial = [_load(builder, counts, 64 * g) for g in range(GROUPS)]
        builder.branch(loop)

        builder.position_at_end(loop)
        word = builder.phi(_I64)
        word.add_incoming(ir.Constant(_I64, 0), start)
        sums = []
        for g in range(GROUPS):
            phi = builder.phi(_VECTOR)
            phi.add_incoming(initial[g], start)
            sums.append(phi)
        running: list[Any] = list(sums)
        offset = builder.shl(word, ir.Constant(_I64, 3))
        reference_code = builder.add(code, offset)
        reference_mask = builder.add(mask, offset)
        for b in range(COPIES):
            shift = builder.add(builder.mul(stride, ir.Constant(_I64, b)), offset)
            code_row = builder.add(probe_code, shift)
            mask_row = builder.add(probe_mask, shift)
            if codes:
                code_lanes = _broadcast(builder, reference_code, 8 * b)
            if masked:
                mask_lanes = _broadcast(builder, reference_mask, 8 * b)
            for g in range(GROUPS):
                if codes:
                    bits = builder.xor(_load(builder, code_row, 64 * g), code_lanes)
                    if masked:
                        usable = builder.and_(_load(builder, mask_row, 64 * g), mask_lanes)
                        bits = builder.and_(bits, usable)
                else:
                    bits = builder.and_(_load(builder, mask_row, 64 * g), mask_lanes)
                running[g] = builder.add(running[g], builder.call(popcount, [bits]))
        following = builder.add(word, eight)
        some = _any_within(builder, running, limits)
        more = builder.icmp_signed("<", following, words)
        word.add_incoming(following, builder.block)
        for g in range(GROUPS):
            sums[g].add_incoming(running[g], builder.block)
        builder.cbranch(builder.and_(some, more), loop, done)

        builder.position_at_end(done)
        for g in range(GROUPS):
            place = builder.inttoptr(_moved(builder, counts, 64 * g), _VECTOR.as_pointer())
            builder.store(running[g], place, align=64)
        return builder.zext(some, _I64)

    return generate


_MASKED, _FULL, _OVERLAP = _emit(True, True), _emit(False, True), _emit(True, False)


@vector_code
def disagreements(
    typing_context: Any,
    probe_code: Any,
    probe_mask: Any,
    code: Any,
    mask: Any,
    stride: Any,
    words: Any,
    limit: Any,
    counts: Any,
) -> Any:
    """Add popcount((cp ^ cr) & mp & mr) of all rotations to ``counts``; 0 as soon as all are above ``limit``, else 1.

    All arguments are int64: addresses of the probe's copies (64-byte aligned, ``stride`` bytes from copy to copy), of
    the reference's ``words`` code and mask words (a multiple of 8), and of the 32 counts (64-byte aligned).
    """
    return _SIGNATURE, _MASKED


@vector_code
def disagreements_full(
    typing_context: Any,
    probe_code: Any,
    probe_mask: Any,
    code: Any,
    mask: Any,
    stride: Any,
    words: Any,
    limit: Any,
    counts: Any,
) -> Any:
    """As :func:`disagreements` when both masks are full."""
    return _SIGNATURE, _FULL


@vector_code
def overlaps(
    typing_context: Any,
    probe_code: Any,
    probe_mask: Any,
    code: Any,
    mask: Any,
    stride: Any,
    words: Any,
    limit: Any,
    counts: Any,
) -> Any:
    """Add popcount(mp & mr) of all rotations to ``counts``; stops early as :func:`disagreements` does."""
    return _SIGNATURE, _OVERLAP


def _generate_copy(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
    target, start = arguments
    for g in range(GROUPS):
        builder.store(
            _load(builder, start, 64 * g),
            builder.inttoptr(_moved(builder, target, 64 * g), _VECTOR.as_pointer()),
            align=64,
        )
    return ir.Constant(_I64, 0)


@vector_code
def copy_counts(typing_context: Any, target: Any, start: Any) -> Any:
    """Copy 32 counts from the address ``start`` to ``target``, both 64-byte aligned; returns 0."""
    return types.int64(types.int64, types.int64), _generate_copy


def _generate_usable(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
    address, words = arguments
    popcount = _popcount(builder)
    start = builder.block
    loop, done = builder.append_basic_block("words"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    word, total = builder.phi(_I64), builder.phi(_VECTOR)
    word.add_incoming(ir.Constant(_I64, 0), start)
    total.add_incoming(ir.Constant(_VECTOR, [0] * 8), start)
    here = builder.add(address, builder.shl(word, ir.Constant(_I64, 3)))
    summed = builder.add(total, builder.call(popcount, [_load(builder, here, 0, align=8)]))
    following = builder.add(word, ir.Constant(_I64, 8))
    word.add_incoming(following, builder.block)
    total.add_incoming(summed, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, words), loop, done)
    builder.position_at_end(done)
    result = ir.Constant(_I64, 0)
    for lane in range(8):
        result = builder.add(result, builder.extract_element(summed, ir.Constant(ir.IntType(32), lane)))
    return result


@vector_code
def count_bits(typing_context: Any, address: Any, words: Any) -> Any:
    """popcount of ``words`` 64-bit words (a positive multiple of 8) at ``address``."""
    return types.int64(types.int64, types.int64), _generate_usable


def _generate_subset(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
    probe_code, probe_mask, code, mask, words, slope, limit, counts = arguments
    popcount = _popcount(builder)
    initial = [_load(builder, counts, 64 * g) for g in range(2 * GROUPS)]
    start = builder.block
    loop, done = builder.append_basic_block("words"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    word = builder.phi(_I64)
    word.add_incoming(ir.Constant(_I64, 0), start)
    sums = [builder.phi(_VECTOR) for _ in range(2 * GROUPS)]
    for lanes, value in zip(sums, initial, strict=True):
        lanes.add_incoming(value, start)
    running = list(sums)
    for step in range(2):
        rows = builder.shl(word, ir.Constant(_I64, 8))
        code_row, mask_row = builder.add(probe_code, rows), builder.add(probe_mask, rows)
        here = builder.shl(word, ir.Constant(_I64, 3))
        code_lanes = _broadcast(builder, builder.add(code, here), 8 * step)
        mask_lanes = _broadcast(builder, builder.add(mask, here), 8 * step)
        for g in range(GROUPS):
            offset = 256 * step + 64 * g
            usable = builder.and_(_load(builder, mask_row, offset), mask_lanes)
            bits = builder.and_(builder.xor(_load(builder, code_row, offset), code_lanes), usable)
            running[g] = builder.add(running[g], builder.call(popcount, [bits]))
            running[GROUPS + g] = builder.add(running[GROUPS + g], builder.call(popcount, [usable]))
    following = builder.add(word, ir.Constant(_I64, 2))
    word.add_incoming(following, builder.block)
    for lanes, value in zip(sums, running, strict=True):
        lanes.add_incoming(value, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, words), loop, done)
    builder.position_at_end(done)
    for g in range(2 * GROUPS):
        place = builder.inttoptr(_moved(builder, counts, 64 * g), _VECTOR.as_pointer())
        builder.store(running[g], place, align=64)
    slopes, scale = _splat(builder, slope), ir.Constant(_VECTOR, [10] * 8)
    leaning = [
        builder.sub(builder.shl(running[g], scale), builder.mul(running[GROUPS + g], slopes)) for g in range(GROUPS)
    ]
    return builder.zext(_any_within(builder, leaning, _splat(builder, limit)), _I64)


SCALE = 1024
"""Slopes and limits of :func:`subset_within` are in units of 1 / 1024."""


@vector_code
def subset_within(
    typing_context: Any,
    probe_code: Any,
    probe_mask: Any,
    code: Any,
    mask: Any,
    words: Any,
    slope: Any,
    limit: Any,
    counts: Any,
) -> Any:
    """Count on in a subset of the bits; whether 1024 disagreeing - slope * usable <= limit at any rotation.

    All arguments are int64: addresses of the probe's subset words (word by word, 32 rotations each, 64-byte aligned),
    of the reference's ``words`` subset words of code and mask (an even number), slope and limit, and the address of the
    counts (2, 32), 64-byte aligned: disagreeing (:data:`OUT` for lanes to leave out) and usable bits so far.
    """
    return _SIGNATURE, _generate_subset
