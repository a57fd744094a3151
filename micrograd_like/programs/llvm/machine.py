"""Text compiled to machine code, and the kernels of a process, each compiled once.

Ctrl-C waits while llvmlite compiles or closes something: between what its C library does and what
its Python side writes down of that, an interrupt would have a string or an engine freed twice.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from typing import Any

from llvmlite import binding, ir

from micrograd_like._internal.interrupts import undisturbed
from micrograd_like._internal.locks import ForkSafe
from micrograd_like.programs.llvm import kernels
from micrograd_like.programs.llvm.assembly import DECLARATIONS, FUSED
from micrograd_like.programs.llvm.kernels import NARROW, WIDE, Kernel

MOST_KERNELS = 512
"""Kernels that stay compiled although no program may need them any more."""

binding.initialize_native_target()
binding.initialize_native_asmprinter()


_dropped: deque[Any] = deque()  # engines that nobody needs, closed when the next is made


class Code:
    """A module's machine code; `addresses` are those of its functions `names`.

    The `effort` of the compiler is 2 for loops, 1 for straight-line code, which takes long, and 0
    for what runs once. LLVM's passes over the text are left out: loops are written the way these
    would leave them, and ran no faster for twice the time to compile. Machine code lives as long
    as its object.
    """

    def __init__(self, text: str, names: Iterable[str], effort: int) -> None:
        with undisturbed():  # and what `_compiled` leaves behind is closed in here
            while _dropped:
                _dropped.pop().close()
            self._engine = _compiled(text, effort)
            find = self._engine.get_function_address
            self.addresses: dict[str, int] = {name: find(name) for name in names}

    def __del__(self, drop: Callable[[Any], None] = _dropped.append) -> None:
        # An interrupt in here would be lost, so closing has to wait for who can take one. `drop` is
        # kept here because the module's own names may be gone when the process ends.
        if "_engine" in self.__dict__:
            drop(self._engine)


def _compiled(text: str, effort: int) -> Any:
    module = binding.parse_assembly(text)
    module.verify()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=effort,
        jit=True,
        codemodel="jitdefault",
    )
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


def whole(module: ir.Module, functions: Iterable[str]) -> str:
    """The text of a module of those functions and what they call, which `module` holds."""
    text = str(module)
    declarations = "" if f"@{FUSED}(" in text or f'@"{FUSED}"(' in text else DECLARATIONS
    return "\n".join([text, declarations, *functions])


class _Kernels:
    """Compiled kernels, for the machine's features now; those used longest ago go first."""

    def __init__(self) -> None:
        self._known: OrderedDict[Any, tuple[int, Code]] = OrderedDict()
        self._alone = ForkSafe()

    def get(self, wanted: Collection[Kernel]) -> dict[Kernel, tuple[int, Code]]:
        """The address of each kernel, and the code to be kept as long as it is used."""
        with undisturbed():
            features = binding.get_host_cpu_features()
        flat = features.flatten()
        blocks = WIDE if features.get("avx512f") else NARROW
        with self._alone.lock:
            new = [kernel for kernel in wanted if (flat, kernel) not in self._known]
            if new:
                names = [
                    kernel if isinstance(kernel, str) else f"made{i}"
                    for i, kernel in enumerate(new)
                ]
                module = ir.Module("kernels")
                texts = [
                    kernels.text_of(kernel, name, module, blocks)
                    for kernel, name in zip(new, names, strict=True)
                ]
                code = Code(whole(module, texts), names, effort=2)
                for kernel, name in zip(new, names, strict=True):
                    self._known[flat, kernel] = code.addresses[name], code
            found = {kernel: self._known[flat, kernel] for kernel in wanted}
            for kernel in wanted:
                self._known.move_to_end((flat, kernel))
            while len(self._known) > MOST_KERNELS:
                self._known.popitem(last=False)
            return found


get_kernels = _Kernels().get
