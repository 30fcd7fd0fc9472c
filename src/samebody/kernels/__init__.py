"""Inner loops that the searching rooms share: masked Hamming distance over rotations, integer products, top-k lists.

Compiled with numba on first use (kept on disk), released from the interpreter lock, and written in vectors of 512 bits
that LLVM lowers to whatever the processor has. Every kernel is held against a naive oracle in ``tests/kernels``.
Import the modules, not this package: ``import samebody`` must not import numba.
"""
