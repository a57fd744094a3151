"""Python's operators and the named methods, for every class whose `_apply` records an operation."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from micrograd_like.compiler_hints import OrNotImplemented, mypyc_attr

if TYPE_CHECKING:
    from micrograd_like.operation import Op

OPS: dict[str, Op] = {}
"""Every operation by its name; `register` adds to it."""

NUMBER: Final = (float, int, Real)  # float first: asking an abstract class takes longer


@mypyc_attr(allow_interpreted_subclasses=True, acyclic=True)
class Operators:
    """What can be computed with: Values, and whatever else reads an expression in its own way."""

    __slots__ = ()
    __array_ufunc__: ClassVar[None] = None  # numpy leaves its operators to ours

    def __init_subclass__(cls) -> None:
        if cls.__bases__ != (Operators,):
            raise TypeError(f"{cls.__bases__[0].__name__} can't be subclassed: hold one instead")

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Self:
        raise NotImplementedError

    def _binary(self, name: str, a: Any, b: Any) -> OrNotImplemented[Self]:
        other = b if a is self else a
        if not isinstance(other, Operators) and not isinstance(other, NUMBER):
            return NotImplemented  # type: ignore[no-any-return]
        return self._apply(OPS[name], (a, b))

    def __add__(self, other: Any) -> OrNotImplemented[Self]:
        return self._binary("add", self, other)

    def __radd__(self, other: Any) -> OrNotImplemented[Self]:
        return self._binary("add", other, self)

    def __sub__(self, other: Any) -> OrNotImplemented[Self]:
        return self._binary("sub", self, other)

    def __rsub__(self, other: Any) -> OrNotImplemented[Self]:
        return self._binary("sub", other, self)

    def __mul__(self, other: Any) -> OrNotImplemented[Self]:
        return self._binary("mul", self, other)

    def __rmul__(self, other: Any) -> OrNotImplemented[Self]:
        return self._binary("mul", other, self)

    def __truediv__(self, other: Any) -> OrNotImplemented[Self]:
        return self._binary("div", self, other)

    def __rtruediv__(self, other: Any) -> OrNotImplemented[Self]:
        return self._binary("div", other, self)

    def __pow__(self, other: Any) -> OrNotImplemented[Self]:
        return self._binary("pow", self, other)

    def __rpow__(self, other: Any) -> OrNotImplemented[Self]:
        return self._binary("pow", other, self)

    def __pos__(self) -> Self:
        return self

    def __neg__(self) -> Self:
        return self._apply(OPS["neg"], (self,))

    def __abs__(self) -> Self:
        return self._apply(OPS["abs"], (self,))

    def relu(self) -> Self:
        """max(0, a); the slope at 0 is 0."""
        return self._apply(OPS["relu"], (self,))

    def sigmoid(self) -> Self:
        """1 / (1 + exp(−a)), exact in both tails."""
        return self._apply(OPS["sigmoid"], (self,))

    def tanh(self) -> Self:
        """The hyperbolic tangent."""
        return self._apply(OPS["tanh"], (self,))

    def exp(self) -> Self:
        """e to the power a."""
        return self._apply(OPS["exp"], (self,))

    def log(self) -> Self:
        """The natural logarithm: −inf at 0, nan below."""
        return self._apply(OPS["log"], (self,))

    def log1p(self) -> Self:
        """ln(1 + a), exact where a is small."""
        return self._apply(OPS["log1p"], (self,))

    def sqrt(self) -> Self:
        """The square root: nan below 0."""
        return self._apply(OPS["sqrt"], (self,))

    def sin(self) -> Self:
        """The sine of an angle in radians."""
        return self._apply(OPS["sin"], (self,))

    def cos(self) -> Self:
        """The cosine of an angle in radians."""
        return self._apply(OPS["cos"], (self,))

    def softplus(self) -> Self:
        """ln(1 + exp a), a smooth relu, exact in both tails."""
        return self._apply(OPS["softplus"], (self,))

    def detach(self) -> Self:
        """The same number, a constant to every derivative."""
        return self._apply(OPS["detach"], (self,))
