"""Vector code of the integer scan: products of a few rows with 16 to 64 probes, and which of them could be good enough.

One lane holds one probe. Four bytes of a row are broadcast and multiplied with four bytes of 16 probes at once; the
sums stay in registers until the row is done, and what leaves them is one bit for each row and probe: whether the
upper bound of the score reaches the probe's threshold. There is no matrix of scores.

With AVX-512 VNNI the products are VPDPBUSD (probe bytes unsigned, row bytes signed); without it the same sums come from
generic vectors of 16-bit products, which LLVM lowers to what the processor has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types

from samebody.kernels.compiling import has, vector_code

ROWS = {1: 12, 2: 12, 3: 8, 4: 6}
"""Rows that are worked on at once, by groups of 16 probes; the sums fill most of the 32 registers."""

ROW_MULTIPLE = 24
"""Prepared rows are filled up to a multiple of this."""

VNNI = has("avx512f", "avx512vnni")
"""Whether the processor multiplies and sums bytes in one instruction of 512 bits."""

_I8, _I16, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
_SUMS = ir.VectorType(_I32, 16)
_BYTES = ir.VectorType(_I8, 64)
_FLOATS = ir.VectorType(_F32, 16)
_OPERAND = _BYTES if llvm.llvm_version_info[0] >= 22 else _SUMS  # LLVM 22 changed the types of VPDPBUSD's operands


def _at(builder: ir.IRBuilder, address: Any, offset: int) -> Any:
    return builder.add(address, ir.Constant(_I64, offset)) if offset else address


def _load(builder: ir.IRBuilder, address: Any, kind: ir.Type, align: int) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=align)


def _splat(builder: ir.IRBuilder, value: Any, kind: ir.VectorType) -> Any:
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_I32, 0))
    zeros = ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)


def _dot_vnni(builder: ir.IRBuilder, sums: Any, probes: Any, row: Any) -> Any:
    kind = ir.FunctionType(_SUMS, [_SUMS, _OPERAND, _OPERAND])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")
    return builder.call(function, [sums, builder.bitcast(probes, _OPERAND), builder.bitcast(row, _OPERAND)])


def _dot_portable(builder: ir.IRBuilder, sums: Any, probes: Any, row: Any) -> Any:
    """The same by four strided products: byte b of every lane as int32."""
    for b in range(4):
        left = builder.and_(builder.lshr(probes, ir.Constant(_SUMS, [8 * b] * 16)), ir.Constant(_SUMS, [255] * 16))
        right = builder.ashr(builder.shl(row, ir.Constant(_SUMS, [24 - 8 * b] * 16)), ir.Constant(_SUMS, [24] * 16))
        sums = builder.add(sums, builder.mul(left, right))
    return sums


def _emit(groups: int, dot: Callable[..., Any]) -> Callable[..., Any]:
    rows = ROWS[groups]

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        codes, stride, steps, probes, measures, shifts, traits, products, passed = arguments
        start = builder.block
        loop, done = builder.append_basic_block("bytes"), builder.append_basic_block("done")
        places = [builder.add(codes, builder.mul(stride, ir.Constant(_I64, r))) for r in range(rows)]
        builder.branch(loop)

        builder.position_at_end(loop)
        step = builder.phi(_I64)
        step.add_incoming(ir.Constant(_I64, 0), start)
        sums = []
        for _ in range(rows * groups):
            lanes = builder.phi(_SUMS)
            lanes.add_incoming(ir.Constant(_SUMS, [0] * 16), start)
            sums.append(lanes)
        running = list(sums)
        here = builder.shl(step, ir.Constant(_I64, 2))
        probe_row = builder.add(probes, builder.mul(step, ir.Constant(_I64, 64 * groups)))
        for turn in range(2):
            offset = 64 * groups * turn
            held = [_load(builder, _at(builder, probe_row, offset + 64 * g), _SUMS, 64) for g in range(groups)]
            for r in range(rows):
                four = _load(builder, _at(builder, builder.add(places[r], here), 4 * turn), _I32, 4)
                row = _splat(builder, four, _SUMS)
                for g in range(groups):
                    running[r * groups + g] = dot(builder, running[r * groups + g], held[g], row)
        following = builder.add(step, ir.Constant(_I64, 2))
        step.add_incoming(following, builder.block)
        for lanes, value in zip(sums, running, strict=True):
            lanes.add_incoming(value, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, steps), loop, done)

        builder.position_at_end(done)
        any_passed = ir.Constant(_I64, 0)
        for r in range(rows):
            scale, length, error = (
                _splat(builder, _load(builder, _at(builder, measures, 12 * r + 4 * m), _F32, 4), _FLOATS)
                for m in range(3)
            )
            shift = _splat(builder, _load(builder, _at(builder, shifts, 4 * r), _I32, 4), _SUMS)
            bits = ir.Constant(_I64, 0)
            for g in range(groups):
                probe_scale, probe_error, probe_length, threshold = (
                    _load(builder, _at(builder, traits, 64 * (m * groups + g)), _FLOATS, 64) for m in range(4)
                )
                exact = builder.sub(running[r * groups + g], shift)
                estimate = builder.fmul(builder.sitofp(exact, _FLOATS), builder.fmul(scale, probe_scale))
                slack = builder.fadd(builder.fmul(probe_error, length), builder.fmul(probe_length, error))
                good = builder.fcmp_ordered(">=", builder.fadd(estimate, slack), threshold)
                lanes = builder.zext(builder.bitcast(good, _I16), _I64)
                bits = builder.or_(bits, builder.shl(lanes, ir.Constant(_I64, 16 * g)))
                place = builder.inttoptr(_at(builder, products, 64 * (r * groups + g)), _SUMS.as_pointer())
                builder.store(exact, place, align=64)
            builder.store(bits, builder.inttoptr(_at(builder, passed, 8 * r), _I64.as_pointer()), align=8)
            any_passed = builder.or_(any_passed, bits)
        return any_passed

    return generate


_SIGNATURE = types.int64(*([types.int64] * 9))
_GENERATORS = {groups: _emit(groups, _dot_vnni if VNNI else _dot_portable) for groups in ROWS}


def _products(groups: int) -> Any:
    generator = _GENERATORS[groups]

    def products(
        typing_context: Any,
        codes: Any,
        stride: Any,
        steps: Any,
        probes: Any,
        measures: Any,
        shifts: Any,
        traits: Any,
        sums: Any,
        passed: Any,
    ) -> Any:
        """Products of ``ROWS[groups]`` rows with 16 ``groups`` probes; which reach their threshold, as bits.

        All arguments are int64. Addresses: ``codes`` of the first row (int8, ``stride`` bytes from row to row),
        ``probes`` (steps, 16 groups, 4) uint8 offset by 128, ``measures`` (rows, 3) float32: scale, length of the
        quantised row, length of its error; ``shifts`` (rows,) int32: 128 times the row's sum; ``traits``
        (4, 16 groups) float32: scale, error and length of the probes, thresholds; ``sums`` (rows, 16 groups) int32 and
        ``passed`` (rows,) int64 are written. ``steps``: groups of four bytes in a row, an even number.
        """
        return _SIGNATURE, generator

    products.__name__ = f"products_{groups}"
    return vector_code(products)


products_1, products_2, products_3, products_4 = (_products(groups) for groups in (1, 2, 3, 4))
