"""Compiles the engine with mypyc when the package is built; without a C compiler, leaves it out.

The compiled modules lie in a folder of their own, `micrograd_like/_native`, where
`micrograd_like/_internal/native.py` looks for them. Two variables in the environment have a say:

- MICROGRAD_LIKE_PURE=1: build no compiled engine;
- MICROGRAD_LIKE_REQUIRE_COMPILED=1: a build that can't compile it fails.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import shlex
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "micrograd_like"
# mypyc_fixes.h replaces macros of mypyc, so a new series has to be looked at first.
REQUIREMENTS = ["mypy>=2.4,<2.5", "setuptools>=77"]

# Calls inside the library go straight, which saves a tenth; and no product is fused with a sum, as
# gcc does by itself where the processor can, since that would round differently from Python.
CODE = ["-fvisibility=hidden", "-ffp-contract=off"]


def reason_not_to_compile() -> str:
    """Why this machine can't compile, as far as can be told without trying; "" if nothing is."""
    if sys.platform == "win32":
        return "the build knows the options of gcc and clang only"
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "mypyc's code is checked on CPython with its interpreter lock only"
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler {compiler!r}"
    return ""


def compile_modules(root: Path, modules: list[str], target: Path) -> None:
    """Compile modules of the package into the folder `target`; nothing else is written.

    Raises SystemExit where mypyc finds a type error, setuptools' errors where the C compiler fails.
    """
    from mypyc.build import mypycify
    from setuptools import Distribution, Extension

    scratch = target.parent / "scratch"
    sources = [root / PACKAGE / f"{module}.py" for module in modules]
    with contextlib.chdir(root):  # the names of the modules are found from here
        extensions = mypycify(
            [
                "--strict",
                "--no-warn-unused-ignores",
                "--platform=mypyc",  # compiler_hints.py has types for it
                "--config-file=",
                "--follow-imports=silent",
                f"--cache-dir={scratch / 'mypy'}",
                *(str(source.relative_to(root)) for source in sources),
            ],
            group_name=f"{PACKAGE}.engine",
            target_dir=str(scratch),
            debug_level="0",
        )
    for extension in extensions:
        if extension.name.endswith("__mypyc"):  # the one with the code; the others only start it
            options = extension.extra_compile_args  # one list for all of them
            fixes = ["-include", str(root / ".build/mypyc_fixes.h")]
            extension.extra_compile_args = [*options, *fixes, *CODE]
    source = str(root / ".build/introspection.c")
    extensions.append(Extension(f"{PACKAGE}.introspection", [source], extra_compile_args=["-g0"]))
    distribution = Distribution({"name": PACKAGE, "ext_modules": extensions})
    build = distribution.get_command_obj("build_ext")
    build.build_lib, build.build_temp = str(scratch / "lib"), str(scratch / "temp")
    build.ensure_finalized()
    build.run()
    shutil.copytree(scratch / "lib" / PACKAGE, target)


class CompiledEngine(BuildHookInterface[BuilderConfig]):
    """Adds the compiled modules to a wheel, or puts them beside the sources of an editable one."""

    def _reason(self) -> str:
        pure = os.environ.get("MICROGRAD_LIKE_PURE", "") not in ("", "0")
        return "MICROGRAD_LIKE_PURE is set" if pure else reason_not_to_compile()

    def dependencies(self) -> list[str]:
        """What the compilation needs; nothing is downloaded where there will be none."""
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
            if os.environ.get("MICROGRAD_LIKE_REQUIRE_COMPILED", "") not in ("", "0"):
                raise SystemExit(
                    f"MICROGRAD_LIKE_REQUIRE_COMPILED is set, but the engine was not compiled: "
                    f"{reason}"
                )
            self.app.display_warning(f"The engine will be interpreted: {reason}.")
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

        try:
            compile_modules(root, native["MODULES"], target)
        except (BaseError, CCompilerError) as failure:
            return f"the C compiler failed ({failure})"
        (target / native["STAMP"]).write_text(native["fingerprint"](str(root / PACKAGE)))
        return ""

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.target_name == "wheel":
            self.scratch.cleanup()
