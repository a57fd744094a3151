"""Wheels with and without the native engine, built as an installation builds them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from micrograd_like._internal import native

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NEEDED = (".build", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml")
TRY_IT = """
import micrograd_like as ml
x = ml.Value(0.0)
y = x
for _ in range(1_000_000):
    y = y + 1.0
y.backward()
assert x.grad == 1.0
del y
(x * x).relu().backward()
print(ml.ENGINE)
"""
EDITABLE = "import sys, hatchling.build; hatchling.build.build_editable(sys.argv[1])"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources as a fresh clone has them."""
    tree: Path = tmp_path_factory.mktemp("sources") / "tree"
    tree.mkdir()
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    rubbish = shutil.ignore_patterns("__pycache__", native.FOLDER)
    shutil.copytree(ROOT / "micrograd_like", tree / "micrograd_like", ignore=rubbish)
    return tree


@pytest.fixture
def tree(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "tree"))


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MICROGRAD_LIKE_")}
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**inherited, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def build(tree: Path, out: Path, kind: str = "wheel", **environment: str) -> Path:
    done = run("-m", "build", "--no-isolation", f"--{kind}", "-o", out, cwd=tree, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.iterdir()
    return made


def engine(wheel: Path, scratch: Path, **environment: str) -> str:
    """The value of ENGINE where the wheel is unpacked, after the engine was tried."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch)
    done = run("-W", "error", "-c", TRY_IT, cwd=scratch, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def tag(wheel: Path) -> str:
    return wheel.stem.split("-", 2)[2]


def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def native_wheel(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("native")
    before = files(pristine)
    wheel = build(pristine, out, MICROGRAD_LIKE_REQUIRE_NATIVE="1")
    assert files(pristine) == before, "a build leaves the source tree as it was"
    return wheel


def test_a_wheel_with_the_native_engine_is_tagged_for_this_python(native_wheel: Path) -> None:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert tag(native_wheel).startswith(f"{python}-{python}-")
    folder = f"micrograd_like/{native.FOLDER}/"
    inside = [name.removeprefix(folder) for name in names(native_wheel) if folder in name]
    expected = {*native.MODULES, "fingerprint"}
    assert {name.split(".")[0] for name in inside} == expected
    assert len(inside) == len(expected)
    assert "micrograd_like/engine.py" in names(native_wheel), "the source comes with it"


@pytest.mark.parametrize(("pure", "expected"), [("0", "native"), ("1", "pure")])
def test_that_wheel_holds_both_engines(
    native_wheel: Path, tmp_path: Path, pure: str, expected: str
) -> None:
    assert engine(native_wheel, tmp_path, MICROGRAD_LIKE_PURE=pure) == expected


@pytest.mark.parametrize(
    "without",
    [{"CC": "/bin/false"}, {"CC": "no-such-compiler"}, {"MICROGRAD_LIKE_PURE": "1"}],
    ids=["compiler fails", "no compiler", "not wanted"],
)
def test_without_a_compiler_the_wheel_is_pure_python_and_works(
    pristine: Path, tmp_path: Path, without: dict[str, str]
) -> None:
    wheel = build(pristine, tmp_path / "out", **without)
    assert tag(wheel) == "py3-none-any"
    assert not [name for name in names(wheel) if native.FOLDER in name]
    assert engine(wheel, tmp_path / "unpacked") == "pure"


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        ({"CC": "/bin/false"}, "the C compiler failed"),
        ({"CC": "no-such-compiler"}, "there is no C compiler 'no-such-compiler'"),
        ({"MICROGRAD_LIKE_PURE": "1"}, "MICROGRAD_LIKE_PURE is set"),
    ],
)
def test_a_build_that_must_compile_fails_and_says_why(
    pristine: Path, tmp_path: Path, without: dict[str, str], reason: str
) -> None:
    require = {"MICROGRAD_LIKE_REQUIRE_NATIVE": "1", **without}
    done = run("-m", "build", "-n", "--wheel", "-o", tmp_path, cwd=pristine, **require)
    assert done.returncode != 0
    expected = f"MICROGRAD_LIKE_REQUIRE_NATIVE is set, but there is no native engine: {reason}"
    assert expected in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


def test_the_sdist_holds_what_compiling_needs(tree: Path, tmp_path: Path) -> None:
    stale = tree / "micrograd_like" / native.FOLDER
    stale.mkdir()
    (stale / native.STAMP).write_text("of an editable install")
    sdist = build(tree, tmp_path / "sdist", kind="sdist")
    shutil.unpack_archive(sdist, tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not (unpacked / "micrograd_like" / native.FOLDER).exists()
    wheel = build(unpacked, tmp_path / "wheel", MICROGRAD_LIKE_REQUIRE_NATIVE="1")
    assert engine(wheel, tmp_path / "tried") == "native"


def test_an_editable_install_has_the_native_engine_beside_its_sources(
    tree: Path, tmp_path: Path
) -> None:
    def say_engine(**environment: str) -> tuple[str, str]:
        done = run("-c", TRY_IT, cwd=tree, **environment)
        return done.stdout.strip(), done.stderr

    def install(**environment: str) -> None:
        done = run("-c", EDITABLE, tmp_path, cwd=tree, **environment)
        assert done.returncode == 0, done.stderr

    install(MICROGRAD_LIKE_REQUIRE_NATIVE="1")
    assert say_engine() == ("native", "")
    with (tree / "micrograd_like" / "engine.py").open("a") as source:
        source.write("# edited\n")
    name, warning = say_engine()
    assert name == "pure"
    assert f"RuntimeWarning: one of {', '.join(native.WATCHED)} changed" in warning
    install(MICROGRAD_LIKE_REQUIRE_NATIVE="1")
    assert say_engine() == ("native", "")
    install(MICROGRAD_LIKE_PURE="1")
    assert say_engine() == ("pure", "")
    assert not (tree / "micrograd_like" / native.FOLDER).exists()
