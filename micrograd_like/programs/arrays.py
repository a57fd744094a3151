"""Reading rows and parameters as arrays, for the backends that run on numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from micrograd_like._internal.numbers import unwrapped
from micrograd_like.operation import real
from micrograd_like.programs.rows import read_rows


def read_array(rows: Any, inputs: Sequence[str]) -> Any:
    """The same as `read_rows`, as a contiguous float64 array of shape (rows, inputs).

    No copy if it is one.
    """
    if _is_plain(rows, 2) and rows.shape[1] == len(inputs) and rows.flags.c_contiguous:
        return rows  # at once, since a small program takes no longer than the checks below
    rows = unwrapped(rows)
    if isinstance(rows, list | tuple):
        for place, row in enumerate(rows):
            if hasattr(row, "filled"):  # a mask, which an array of them would forget
                unwrapped(row, f"row {place}")
    try:
        array = numpy.asarray(rows)
        fits = array.ndim == 2 and array.shape[1] == len(inputs) and array.dtype.kind in "fiub"
        if fits and array is not rows and numpy.isnan(array).any():
            fits = False  # numpy.ma.masked in a list has become nan as well
    except (ValueError, UserWarning):  # rows of several lengths; numpy, of what is masked
        fits = False
    if not fits:  # right after all, or about to raise an error that says where
        read = read_rows(rows, inputs)
        array = numpy.array(read, dtype=float).reshape(len(read), len(inputs))
    return numpy.ascontiguousarray(array, dtype=numpy.float64)


def _is_plain(x: Any, axes: int) -> bool:
    return type(x) is numpy.ndarray and x.dtype == numpy.float64 and x.ndim == axes


def read_parameters(given: Any, count: int) -> Any:
    """An array with a number for each of so many parameters, as one of float64.

    No copy if it is one; another shape, or anything but numbers, raises ValueError.
    """
    if _is_plain(given, 1) and len(given) == count:
        return given
    array = numpy.asarray(unwrapped(given))
    if array.shape != (count,) or array.dtype.kind not in "fiub":
        raise ValueError(
            f"parameters is an array with a number for each of the {count} parameter(s), got one "
            f"of {array.dtype} and shape {array.shape}"
        )
    if array is not given and numpy.isnan(array).any():
        for x in given:
            real(x)  # of what is masked in a list numpy made nan as well
    return array.astype(float, copy=False)
