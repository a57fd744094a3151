"""Makes the native form of the engine when the package is built, with Cython.

The compiled modules lie in a folder of their own, `micrograd_like/_native`, where
`micrograd_like/_internal/native.py` looks for them. Without a C compiler they are left out, and the
package runs as it stands. Two variables in the environment have a say:

- MICROGRAD_LIKE_PURE=1: build no native engine;
- MICROGRAD_LIKE_REQUIRE_NATIVE=1: a build that can't make one fails.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "micrograd_like"
REQUIREMENTS = ["cython>=3.3,<3.4", "setuptools>=77"]

DIRECTIVES = {
    "auto_pickle": False,  # Value has its own __reduce__
    "binding": True,  # functions with docstrings and signatures
    "embedsignature": True,
    "embedsignature.format": "clinic",
    "nonecheck": True,  # a None where a Value should be is an error, and not a crash
}
# No product is fused with a sum, as gcc does by itself where the processor can: Python rounds both.
CODE = ["-g0", "-O3", "-fvisibility=hidden", "-ffp-contract=off"]

# A node points to older nodes only, so there are no cycles and the collector has nothing to do with
# them. The compiler is told so in a way that it may ignore without a word, hence this look.
LOOK = """
import micrograd_like
assert micrograd_like.ENGINE == "native", micrograd_like.ENGINE
tracked = 1 << 14  # Py_TPFLAGS_HAVE_GC
assert not micrograd_like.Value.__flags__ & tracked, "the collector tracks every Value"
size = micrograd_like.Value.__basicsize__
assert size <= 96, f"a Value takes {size} bytes"
"""


def reason_not_to_compile() -> str:
    """The reason why this machine can't compile, as far as can be told without trying, or ""."""
    if sys.platform == "win32":
        return "the build knows the options of gcc and clang only"
    if sys.implementation.name != "cpython":
        return f"it is for CPython, and this is {sys.implementation.name}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "it needs an interpreter lock, and this Python runs without one"
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler {compiler!r}"
    return ""


def compile_modules(root: Path, modules: list[str], scratch: Path) -> Path:
    """Compile modules of the package in the folder `scratch`; returns where they are.

    Raises Cython's CompileError where it refuses a source, setuptools' errors where the C compiler
    fails.
    """
    from Cython.Build import cythonize
    from Cython.Compiler import Options
    from setuptools import Distribution, Extension

    defaults = Options.get_directive_defaults()  # type: ignore[no-untyped-call]
    defaults["no_gc"] = True  # in a .pxd it would be ignored
    with contextlib.chdir(root):  # the names of the modules are found from here
        extensions = cythonize(  # type: ignore[no-untyped-call]
            [
                Extension(
                    f"{PACKAGE}.{m.replace('/', '.')}",
                    [f"{PACKAGE}/{m}.py"],
                    extra_compile_args=CODE,
                )
                for m in modules
            ],
            build_dir=str(scratch / "c"),
            compiler_directives=DIRECTIVES,
            language_level=3,
            quiet=True,
        )
        distribution = Distribution({"name": PACKAGE, "ext_modules": extensions})
        build = distribution.get_command_obj("build_ext")
        build.build_lib, build.build_temp = str(scratch / "lib"), str(scratch / "temp")
        build.parallel = True
        build.ensure_finalized()
        build.run()
    return scratch / "lib" / PACKAGE


def look_at(package: Path, scratch: Path, folder: str, made: Path) -> None:
    """Try the compiled modules in a copy of `package`; SystemExit if a Value is not as planned."""
    copy = scratch / "tried" / PACKAGE
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns(folder, "__pycache__"))
    shutil.copytree(made, copy / folder)
    variables = {k: v for k, v in os.environ.items() if not k.startswith("MICROGRAD_LIKE_")}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOK],
        cwd=copy.parent,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise SystemExit(f"the native engine was built wrongly:\n{run.stderr}")


class NativeEngine(BuildHookInterface[BuilderConfig]):
    """Adds the compiled modules to a wheel, or puts them beside the sources of an editable one."""

    def _reason(self) -> str:
        pure = os.environ.get("MICROGRAD_LIKE_PURE", "") not in ("", "0")
        return "MICROGRAD_LIKE_PURE is set" if pure else reason_not_to_compile()

    def dependencies(self) -> list[str]:
        """The packages that the compilation needs; nothing is downloaded for a pure build."""
        return [] if self._reason() else REQUIREMENTS

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        native = runpy.run_path(str(root / PACKAGE / "_internal/native.py"))
        in_place = root / PACKAGE / native["FOLDER"]
        if version == "editable":
            shutil.rmtree(in_place, ignore_errors=True)  # whatever an earlier build left
        self.scratch = tempfile.TemporaryDirectory(prefix="micrograd_like-")
        target = Path(self.scratch.name, native["FOLDER"])
        reason = self._reason() or self._compile(root, native, target)
        if reason:
            if os.environ.get("MICROGRAD_LIKE_REQUIRE_NATIVE", "") not in ("", "0"):
                raise SystemExit(
                    f"MICROGRAD_LIKE_REQUIRE_NATIVE is set, but there is no native engine: {reason}"
                )
            self.app.display_warning(f"The engine will be pure Python: {reason}.")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version == "editable":
            shutil.copytree(target, in_place)
        else:
            build_data["force_include"][str(target)] = f"{PACKAGE}/{native['FOLDER']}"

    def _compile(self, root: Path, native: dict[str, Any], target: Path) -> str:
        """Compile into `target`; why that failed, or ""."""
        from setuptools.errors import BaseError, CCompilerError

        scratch = Path(self.scratch.name)
        try:
            made = compile_modules(root, native["MODULES"], scratch)
        except (BaseError, CCompilerError) as failure:
            return f"the C compiler failed ({failure})"
        shutil.move(made, target)
        (target / native["STAMP"]).write_text(native["fingerprint"](str(root / PACKAGE)))
        look_at(root / PACKAGE, scratch, native["FOLDER"], target)
        return ""

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.target_name == "wheel":
            self.scratch.cleanup()
