"""Weights of which most are zero, held by columns: what an epoch takes instead of a dense matrix.

`reading.py` checks what comes in, `matrix.py` holds it. Numba is imported late everywhere here: it
takes as long to import as all else.
"""

from trilemma.sparse.matrix import Compressible, Sparse, is_sparse, weights

__all__ = ["Compressible", "Sparse", "is_sparse", "weights"]
