"""Vector code of the integer scan: products of 64 rows with a few probes, and which of them could be good enough.

One lane holds one row. Rows lie in panels of 64, four bytes of each in turn, so that a panel is read from memory from
one end to the other once for all probes. Four bytes of a probe are broadcast and multiplied with four bytes of 16 rows
at once; the sums stay in registers until the rows are done, and what leaves them is one bit for each row and probe:
whether the upper bound of the score reaches the probe's threshold. There is no matrix of scores.

With AVX-512 VNNI the products are VPDPBUSD (row bytes unsigned, probe bytes signed); without it the same sums come from
generic vectors of 32-bit products, which LLVM lowers to what the processor has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types

from samebody.kernels.compiling import has, vector_code

PANEL = 64
"""Rows in a panel."""

_GROUPS = PANEL // 16

TILES = (6, 4, 2, 1)
"""Numbers of probes that can be worked on at once; the sums of 6 fill 24 of the 32 registers."""

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


def _dot_vnni(builder: ir.IRBuilder, sums: Any, rows: Any, probe: Any) -> Any:
    kind = ir.FunctionType(_SUMS, [_SUMS, _OPERAND, _OPERAND])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")
    return builder.call(function, [sums, builder.bitcast(rows, _OPERAND), builder.bitcast(probe, _OPERAND)])


def _dot_portable(builder: ir.IRBuilder, sums: Any, rows: Any, probe: Any) -> Any:
    """The same in four products: byte b of every lane as int32."""
    for b in range(4):
        left = builder.and_(builder.lshr(rows, ir.Constant(_SUMS, [8 * b] * 16)), ir.Constant(_SUMS, [255] * 16))
        right = builder.ashr(builder.shl(probe, ir.Constant(_SUMS, [24 - 8 * b] * 16)), ir.Constant(_SUMS, [24] * 16))
        sums = builder.add(sums, builder.mul(left, right))
    return sums


def emit_products(tile: int, dot: Callable[..., Any]) -> Callable[..., Any]:
    """The code generator for ``tile`` probes with the product ``dot``."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        panel, steps, probes, stride, measures, traits, products, passed = arguments
        start = builder.block
        loop, done = builder.append_basic_block("bytes"), builder.append_basic_block("done")
        places = [builder.add(probes, builder.mul(stride, ir.Constant(_I64, p))) for p in range(tile)]
        builder.branch(loop)

        builder.position_at_end(loop)
        step = builder.phi(_I64)
        step.add_incoming(ir.Constant(_I64, 0), start)
        sums = []
        for _ in range(tile * _GROUPS):
            lanes = builder.phi(_SUMS)
            lanes.add_incoming(ir.Constant(_SUMS, [0] * 16), start)
            sums.append(lanes)
        running = list(sums)
        here = builder.shl(step, ir.Constant(_I64, 2))
        rows_here = builder.add(panel, builder.mul(step, ir.Constant(_I64, 4 * PANEL)))
        for turn in range(2):
            offset = 4 * PANEL * turn
            held = [_load(builder, _at(builder, rows_here, offset + 64 * g), _SUMS, 64) for g in range(_GROUPS)]
            for p in range(tile):
                four = _load(builder, _at(builder, builder.add(places[p], here), 4 * turn), _I32, 4)
                probe = _splat(builder, four, _SUMS)
                for g in range(_GROUPS):
                    running[p * _GROUPS + g] = dot(builder, running[p * _GROUPS + g], held[g], probe)
        following = builder.add(step, ir.Constant(_I64, 2))
        step.add_incoming(following, builder.block)
        for lanes, value in zip(sums, running, strict=True):
            lanes.add_incoming(value, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, steps), loop, done)

        builder.position_at_end(done)
        any_passed = ir.Constant(_I64, 0)
        for p in range(tile):
            values = [_load(builder, _at(builder, traits, 20 * p + 4 * t), _F32, 4) for t in range(4)]
            probe_scale, probe_error, probe_length, threshold = (_splat(builder, value, _FLOATS) for value in values)
            shift = _splat(builder, _load(builder, _at(builder, traits, 20 * p + 16), _I32, 4), _SUMS)
            bits = ir.Constant(_I64, 0)
            for g in range(_GROUPS):
                scale, length, error = (
                    _load(builder, _at(builder, measures, 4 * PANEL * m + 64 * g), _FLOATS, 64) for m in range(3)
                )
                exact = builder.sub(running[p * _GROUPS + g], shift)
                estimate = builder.fmul(builder.sitofp(exact, _FLOATS), builder.fmul(scale, probe_scale))
                slack = builder.fadd(builder.fmul(probe_error, length), builder.fmul(probe_length, error))
                good = builder.fcmp_ordered(">=", builder.fadd(estimate, slack), threshold)
                lanes = builder.zext(builder.bitcast(good, _I16), _I64)
                bits = builder.or_(bits, builder.shl(lanes, ir.Constant(_I64, 16 * g)))
                place = builder.inttoptr(_at(builder, products, 4 * PANEL * p + 64 * g), _SUMS.as_pointer())
                builder.store(exact, place, align=64)
            builder.store(bits, builder.inttoptr(_at(builder, passed, 8 * p), _I64.as_pointer()), align=8)
            any_passed = builder.or_(any_passed, bits)
        return any_passed

    return generate


PORTABLE, WITH_VNNI = _dot_portable, _dot_vnni
_SIGNATURE = types.int64(*([types.int64] * 8))


def products_of(tile: int, dot: Callable[..., Any]) -> Any:
    """The kernel for ``tile`` probes with one of :data:`PORTABLE` and :data:`WITH_VNNI`."""
    generator = emit_products(tile, dot)

    def products(
        typing_context: Any,
        panel: Any,
        steps: Any,
        probes: Any,
        stride: Any,
        measures: Any,
        traits: Any,
        sums: Any,
        passed: Any,
    ) -> Any:
        """Products of the 64 rows of a panel with ``tile`` probes; which reach their threshold, as bits.

        All arguments are int64. Addresses: ``panel`` (steps, 64, 4) uint8 offset by 128, ``probes`` (tile, ``stride``)
        int8, ``measures`` (3, 64) float32: scale, length of the quantised row, length of its error; ``traits``
        (tile, 5) float32: scale, error, length and threshold of the probe, and as int32 128 times the sum of its codes;
        ``sums`` (tile, 64) int32 and ``passed`` (tile,) int64 are written. ``steps``: groups of four bytes in a row, an
        even number. Panel, measures and sums begin at multiples of 64 bytes.
        """
        return _SIGNATURE, generator

    products.__name__ = f"products_{tile}"
    return vector_code(products)


products_6, products_4, products_2, products_1 = (
    products_of(tile, _dot_vnni if VNNI else _dot_portable) for tile in TILES
)
