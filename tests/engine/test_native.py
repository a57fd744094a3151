"""The engine that an import chooses. A native one is built and tried in test_build.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import FunctionType

import pytest

import micrograd_like
from micrograd_like import programs
from micrograd_like._internal import native
from micrograd_like.programs import lowering
from tests.support.commands import run

SOURCES = Path(native.__file__).parents[1]
SAY_ENGINE = "import micrograd_like; print(micrograd_like.ENGINE)"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package with no native engine."""
    copy = tmp_path / "micrograd_like"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns(native.FOLDER, "__pycache__"))
    return copy


def stamp(package: Path, text: str) -> None:
    (package / native.FOLDER).mkdir()
    (package / native.FOLDER / native.STAMP).write_text(text)


def engine(package: Path, *options: str, **environment: str) -> tuple[str, str]:
    """The value of ENGINE when the copy is imported, and the warnings."""
    done = subprocess.run(
        [sys.executable, *options, "-c", SAY_ENGINE],
        env={**os.environ, "MICROGRAD_LIKE_PURE": "0", **environment},
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), done.stderr


def test_the_pure_engine_runs_where_no_other_was_built(package: Path) -> None:
    assert engine(package, "-W", "error") == ("pure", "")


@pytest.mark.parametrize("file", native.WATCHED)
def test_a_file_that_changed_after_the_build_makes_the_pure_engine_run_with_a_warning(
    package: Path, file: str
) -> None:
    stamp(package, native.fingerprint(str(package)))
    with (package / file).open("a") as source:
        source.write("# edited\n")
    name, warning = engine(package)
    assert name == "pure"
    assert f"RuntimeWarning: one of {', '.join(native.WATCHED)} changed in {package}" in warning
    assert "pip install -e ." in warning


def test_no_warning_where_the_pure_engine_was_asked_for(package: Path) -> None:
    stamp(package, "other sources")
    assert engine(package, "-W", "error", MICROGRAD_LIKE_PURE="1") == ("pure", "")


def test_an_engine_compiled_for_another_python_is_no_engine(package: Path) -> None:
    stamp(package, native.fingerprint(str(package)))
    (package / native.FOLDER / "engine.cpython-27-none.so").touch()
    assert engine(package, "-W", "error") == ("pure", "")


def test_a_folder_without_a_stamp_holds_no_engine(package: Path) -> None:
    (package / native.FOLDER).mkdir()
    assert engine(package, "-W", "error") == ("pure", "")


@pytest.mark.parametrize("module", native.MODULES)
def test_an_engine_of_which_a_part_is_missing_is_no_engine(tmp_path: Path, module: str) -> None:
    if not (SOURCES / native.FOLDER).is_dir():
        pytest.skip("no native engine is installed here")
    package = tmp_path / "micrograd_like"
    shutil.copytree(SOURCES, package, ignore=shutil.ignore_patterns("__pycache__"))
    assert engine(package, "-W", "error") == ("native", "")
    (part,) = (package / native.FOLDER).glob(f"{module}.*")
    part.unlink()
    assert engine(package, "-W", "error") == ("pure", "")


def output(script: str, folder: Path) -> str:
    done = run([sys.executable, "-c", textwrap.dedent(script)], folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_other_interpreters_of_a_process_run_the_sources(tmp_path: Path) -> None:
    printed = output(
        """
        import sys
        from importlib import import_module
        import micrograd_like

        name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
        interpreters = import_module(name)
        run = getattr(interpreters, "exec", None) or interpreters.run_string
        script = f"import sys; sys.path[:] = {sys.path}; " + (
            "import micrograd_like as ml; x = ml.Value(2.0); (x * x).backward(); "
            "assert x.grad == 4.0; assert ml.ENGINE == 'pure'; "
            "from micrograd_like.programs import compile; "
            "assert compile(x * x, [x], backend='python')([[3.0]]) == [9.0]"
        )
        for _ in range(2):
            other = interpreters.create()
            assert not run(other, script)
            interpreters.destroy(other)
        x = micrograd_like.Value(2.0)
        (x.tanh() + x * x).backward()
        print(micrograd_like.ENGINE)
        """,
        tmp_path,
    )
    assert printed == micrograd_like.ENGINE


def test_the_package_can_be_imported_anew(tmp_path: Path) -> None:
    printed = output(
        """
        import sys
        for _ in range(3):
            import micrograd_like
            x = micrograd_like.Value(2.0)
            (x * x).tanh().backward()
            assert micrograd_like.Value.backward.__doc__
            from micrograd_like.programs import lowering
            assert lowering.Value is micrograd_like.Value
            for name in [name for name in sys.modules if name.startswith("micrograd_like")]:
                del sys.modules[name]
        print(micrograd_like.ENGINE)
        """,
        tmp_path,
    )
    assert printed == micrograd_like.ENGINE


def test_the_engine_is_told_by_the_functions_that_run() -> None:
    pure = isinstance(micrograd_like.Value.backward, FunctionType)
    assert ("pure" if pure else "native") == micrograd_like.ENGINE


def test_graphs_are_lowered_in_the_form_of_the_engine() -> None:
    assert isinstance(lowering.needed, FunctionType) == (micrograd_like.ENGINE == "pure")
    assert lowering.__file__ == str(SOURCES / "programs" / "lowering.py")


def test_the_package_paths_are_as_they_were() -> None:
    assert list(micrograd_like.__path__) == [str(SOURCES)]
    assert list(programs.__path__) == [str(SOURCES / "programs")]
