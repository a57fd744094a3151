"""Which engine an import chooses. The real compiled one is built and tried in test_build.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import micrograd_like
from micrograd_like._internal import native
from tests.support.commands import run

SOURCES = Path(native.__file__).parents[1]
SAY_BACKEND = "import micrograd_like; print(micrograd_like.BACKEND)"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package with no compiled engine."""
    copy = tmp_path / "micrograd_like"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns(native.FOLDER, "__pycache__"))
    return copy


def stamp(package: Path, text: str) -> None:
    (package / native.FOLDER).mkdir()
    (package / native.FOLDER / native.STAMP).write_text(text)


def backend(package: Path, *options: str, **environment: str) -> tuple[str, str]:
    """What BACKEND is when the copy is imported, and the warnings."""
    done = subprocess.run(
        [sys.executable, *options, "-c", SAY_BACKEND],
        env={**os.environ, "MICROGRAD_LIKE_PURE": "0", **environment},
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), done.stderr


def test_the_engine_runs_interpreted_where_none_was_compiled(package: Path) -> None:
    assert backend(package, "-W", "error") == ("interpreted", "")


@pytest.mark.parametrize("module", native.WATCHED)
def test_a_source_that_changed_after_it_was_compiled_runs_interpreted_and_says_so(
    package: Path, module: str
) -> None:
    stamp(package, native.fingerprint(str(package)))
    with (package / f"{module}.py").open("a") as source:
        source.write("# edited\n")
    name, warning = backend(package)
    assert name == "interpreted"
    assert f"RuntimeWarning: one of {', '.join(native.WATCHED)} changed in {package}" in warning
    assert "pip install -e ." in warning


def test_no_warning_where_the_interpreted_engine_was_asked_for(package: Path) -> None:
    stamp(package, "other sources")
    assert backend(package, "-W", "error", MICROGRAD_LIKE_PURE="1") == ("interpreted", "")


def test_an_engine_compiled_for_another_python_is_no_engine(package: Path) -> None:
    stamp(package, native.fingerprint(str(package)))
    (package / native.FOLDER / "engine.cpython-27-none.so").touch()
    assert backend(package, "-W", "error") == ("interpreted", "")


def test_a_folder_without_a_stamp_holds_no_engine(package: Path) -> None:
    (package / native.FOLDER).mkdir()
    assert backend(package, "-W", "error") == ("interpreted", "")


def test_an_engine_of_which_a_part_is_missing_is_no_engine(tmp_path: Path) -> None:
    if not (SOURCES / native.FOLDER).is_dir():
        pytest.skip("no compiled engine is installed here")
    package = tmp_path / "micrograd_like"
    shutil.copytree(SOURCES, package, ignore=shutil.ignore_patterns("__pycache__"))
    assert backend(package, "-W", "error") == ("compiled", "")
    (part,) = (package / native.FOLDER).glob("introspection.*")
    part.unlink()
    assert backend(package, "-W", "error") == ("interpreted", "")


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
            "assert x.grad == 4.0; assert ml.BACKEND == 'interpreted'"
        )
        for _ in range(2):
            other = interpreters.create()
            assert not run(other, script)
            interpreters.destroy(other)
        x = micrograd_like.Value(2.0)
        (x.tanh() + x * x).backward()
        print(micrograd_like.BACKEND)
        """,
        tmp_path,
    )
    assert printed == micrograd_like.BACKEND


def test_the_package_can_be_imported_anew(tmp_path: Path) -> None:
    printed = output(
        """
        import sys
        for _ in range(3):
            import micrograd_like
            x = micrograd_like.Value(2.0)
            (x * x).tanh().backward()
            assert micrograd_like.Value.backward.__doc__
            assert not hasattr(micrograd_like, "introspection")
            for name in [name for name in sys.modules if name.startswith("micrograd_like")]:
                del sys.modules[name]
        print(micrograd_like.BACKEND)
        """,
        tmp_path,
    )
    assert printed == micrograd_like.BACKEND


def test_the_backend_is_told_by_the_functions_that_run() -> None:
    interpreted = hasattr(micrograd_like.Value.backward, "__code__")
    assert ("interpreted" if interpreted else "compiled") == micrograd_like.BACKEND


def test_the_package_path_is_as_it_was() -> None:
    assert list(micrograd_like.__path__) == [str(SOURCES)]
