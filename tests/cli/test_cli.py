"""The command line as a user meets it: exit codes, output, Ctrl-C, pipes, terminals."""

from __future__ import annotations

import random
import re
import signal
import subprocess
from collections import Counter, defaultdict
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

import micrograd_like
from micrograd_like import moons
from micrograd_like.cli import main
from micrograd_like.cli.spelling import LETTERS
from micrograd_like.training import history
from tests.support.commands import EXTRAS, environment, program, run, run_on_terminal
from tests.support.trainings import needs_compiled

pytestmark = pytest.mark.filterwarnings("error")


def accuracy_in(text: str) -> float:
    found = re.search(r"^(?:held-out )?accuracy (\d\.\d{3}): (\d+) of (\d+) right$", text, re.M)
    assert found, text
    assert abs(float(found[1]) - int(found[2]) / int(found[3])) <= 0.0005
    return float(found[1])


def without_seconds(text: str) -> str:
    return re.sub(r" +(seconds|\d+\.\d{4})$", "", text, flags=re.M)


# The main job


def test_moons_are_learned_with_nothing_installed(tmp_path: Path) -> None:
    done = run(program("train", "moons", "--quiet"), tmp_path, hidden=EXTRAS)
    assert (done.returncode, done.stderr) == (0, "")
    assert accuracy_in(done.stdout) >= 0.97
    assert done.stdout.count("\n") == 1


def test_what_train_prints_with_nothing_installed(tmp_path: Path) -> None:
    done = run(program("train", "moons", "--epochs", "4"), tmp_path, hidden=EXTRAS)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert max(map(len, lines)) < 80
    assert lines[0] == "moons: two half moons, 200 examples, 100 more held out; seed 0"
    assert lines[1] == "MLP 2-16-16-1 with relu, 337 parameters"
    columns = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
    assert lines[3].split() == columns
    rows = [line.split() for line in lines[4:8]]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    assert accuracy_in(done.stdout) == pytest.approx(float(rows[-1][4]), abs=0.0005)
    assert re.fullmatch(r"loss [▁-█]{4}", lines[9])
    picture = [line[1:-1] for line in lines if line.startswith("│")]
    assert len(picture) == 22
    assert len({len(line) for line in lines if line[0] in "┌│└"}) == 1
    marks = "".join(picture)
    assert marks.count("o") > 20
    assert marks.count("x") > 20
    assert 0.2 < marks.count("░") / len(marks) < 0.8
    assert done.stderr == (
        "no picture: matplotlib is not installed; what needs it comes with "
        'pip install "micrograd-like[demos]"\n'
    )
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_the_same_seed_prints_the_same(tmp_path: Path) -> None:
    outputs = []
    for seed in ("3", "3", "4"):
        done = run(
            program("train", "xor", "--epochs", "5", "--seed", seed),
            tmp_path,
            hidden=["matplotlib"],
        )
        outputs.append(without_seconds(done.stdout))
    assert outputs[0] == outputs[1] != outputs[2]


def test_options_reach_the_training(tmp_path: Path) -> None:
    options = ["--hidden", "5,4", "--lr", "0.5", "--batch-size", "3", "--epochs", "2"]
    done = run(program("train", "xor", *options), tmp_path, hidden=EXTRAS)
    assert done.stdout.splitlines()[:3] == [
        "xor: exclusive or, 4 examples; seed 0",
        "MLP 2-5-4-1 with relu, 44 parameters",
        "Adam with learning rate 0.5, batches of 3",
    ]
    assert len(re.findall(r"^ +\d+  ", done.stdout, re.M)) == 2


class Captured(Exception):
    pass


def test_what_is_held_out_is_not_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def capture(*arguments: Any, **named: Any) -> None:
        raise Captured(arguments, named)

    monkeypatch.setattr("micrograd_like.cli.train.fit", capture)
    with pytest.raises(Captured) as caught:
        main(["train", "moons", "--quiet", "--seed", "5"])
    (_, X, y), named = caught.value.args
    held_out = named["validation"]
    assert (len(X), len(held_out[0])) == (200, 100)
    assert (X + held_out[0], y + held_out[1]) == moons(300, rng=random.Random(5))


@needs_compiled
@pytest.mark.parametrize(
    ("data", "least"), [("moons", 0.97), ("circles", 0.93), ("spirals", 0.95), ("xor", 1.0)]
)
def test_compiled_learns_the_plane(data: str, least: float, tmp_path: Path) -> None:
    done = run(program("train", data, "--compile", "--quiet"), tmp_path)
    assert accuracy_in(done.stdout) >= least


@needs_compiled
def test_digits_are_learned(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    done = run(program("train", "digits"), tmp_path, hidden=["matplotlib"])
    assert accuracy_in(done.stdout) >= 0.90
    assert "1400 examples, 397 more held out" in done.stdout
    assert "░" not in done.stdout


@pytest.mark.slow
def test_digits_are_learned_by_values(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    done = run(program("train", "digits", "--no-compile", "--quiet", "--epochs", "2"), tmp_path)
    assert accuracy_in(done.stdout) >= 0.90


@needs_compiled
def test_names_are_spelled_and_made_up(tmp_path: Path) -> None:
    pytest.importorskip("names")
    done = run(program("train", "names"), tmp_path, hidden=["matplotlib"])
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) < 80
    assert lines[0].startswith("names: first names, letter by letter, 3320 examples, 691 more held")
    assert lines[1] == "MLP 81-16-27 with relu, 1771 parameters"
    made_up = done.stdout.partition("\nmade up: ")[2].split()
    new = [name.removesuffix(",") for name in made_up]
    assert len(set(new)) == 10
    assert not set(new) & set(micrograd_like.first_names())
    assert accuracy_in(done.stdout) > pairs_of_letters(random.Random(0))


def pairs_of_letters(rng: random.Random) -> float:
    """The share of held-out letters right by a table of what mostly follows each letter."""
    names = micrograd_like.first_names()[:600]
    rng.shuffle(names)
    after: dict[str, Counter[str]] = defaultdict(Counter)
    for name in names[:500]:
        for letter, following in pairwise(f".{name}."):
            after[letter][following] += 1
    held_out = [pair for name in names[500:] for pair in pairwise(f".{name}.")]
    return sum(max(LETTERS, key=after[a].__getitem__) == b for a, b in held_out) / len(held_out)


@needs_compiled
def test_a_network_that_has_come_to_nan_makes_up_nothing(tmp_path: Path) -> None:
    pytest.importorskip("names")
    command = program("train", "names", "--lr", "1e300", "--epochs", "1")
    done = run(command, tmp_path, hidden=["matplotlib"])
    assert done.returncode == 0
    assert "\nmade up: nothing new\n" in done.stdout


@pytest.mark.slow
def test_names_are_spelled_by_values(tmp_path: Path) -> None:
    pytest.importorskip("names")
    done = run(program("train", "names", "--no-compile", "--quiet", "--epochs", "1"), tmp_path)
    assert done.stdout.count("\n") == 1
    assert accuracy_in(done.stdout) > pairs_of_letters(random.Random(0))


@pytest.mark.parametrize(("data", "package"), [("digits", "sklearn"), ("names", "names")])
def test_a_missing_extra_is_one_line(data: str, package: str, tmp_path: Path) -> None:
    done = run(program("train", data), tmp_path, hidden=EXTRAS)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"micrograd-like: {package} is not installed; what needs it comes with "
        'pip install "micrograd-like[demos]"\n'
    )


# Pictures


def test_a_picture_never_takes_the_place_of_another_unasked(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    command = program("train", "xor", "--epochs", "2")
    first, second = (run(command, tmp_path) for _ in range(2))
    assert first.stdout.splitlines()[-1] == "picture: xor.png"
    assert second.stdout.splitlines()[-1] == "picture: xor-2.png"
    for name in ("xor.png", "xor-2.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    chosen = tmp_path / "a picture.svg"
    chosen.write_text("old")
    third = run([*command, "--plot", str(chosen)], tmp_path)
    assert third.stdout.splitlines()[-1] == f"picture, replaced: {chosen}"
    assert "<svg" in chosen.read_text()
    assert len(list(tmp_path.iterdir())) == 3


def test_quiet_makes_no_picture_but_the_one_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    quiet = program("train", "xor", "--epochs", "2", "--quiet")
    assert run(quiet, tmp_path).stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert run([*quiet, "--plot", "here.png"], tmp_path).stdout.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["here.png"]


def test_a_folder_that_takes_no_files_costs_only_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "xor.png").symlink_to("nowhere/at/all")  # not there, and can't be written
    done = run(program("train", "xor", "--epochs", "2"), tmp_path)
    assert done.returncode == 0
    assert accuracy_in(done.stdout) >= 0.0
    assert done.stderr.startswith("no picture: [Errno 2]")
    asked = run(program("train", "xor", "--epochs", "2", "--plot", "xor.png"), tmp_path)
    assert asked.returncode == 1


# Usage errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["trian"], "invalid choice: 'trian' (choose from 'train',"),
        (["train"], "the following arguments are required: data"),
        (["train", "moon"], "invalid choice: 'moon' (choose from 'moons', 'circles', 'spirals',"),
        (["train", "moons", "--epochs", "0"], "expected a whole number above 0, got '0'"),
        (["train", "moons", "--epochs", "1.5"], "expected a whole number above 0, got '1.5'"),
        (["train", "moons", "--batch-size", "-1"], "expected a whole number above 0, got '-1'"),
        (["train", "moons", "--hidden", "16,x"], "expected sizes such as 16,16, got '16,x'"),
        (["train", "moons", "--hidden", ""], "expected sizes such as 16,16, got ''"),
        (["train", "moons", "--lr", "0"], "expected a number above 0, got '0'"),
        (["train", "moons", "--lr", "nan"], "expected a number above 0, got 'nan'"),
        (["train", "moons", "--seed", "abc"], "argument --seed: invalid int value: 'abc'"),
        (["train", "moons", "--compile=gpu"], "ignored explicit argument 'gpu'"),
        (["train", "moons", "--plot", "no/such/folder/x.png"], "no folder 'no/such/folder'"),
        (["train", "moons", "--plot", "x.docx"], "'x.docx' does not end in one of .eps, "),
        (["train", "moons", "--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_a_usage_error_is_one_line_and_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--plot" in arguments:
        pytest.importorskip("matplotlib")
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    # Python 3.14 writes the choices without quotes.
    assert message.replace("'", "") in err.replace("'", "")
    assert err.startswith("micrograd-like")


@pytest.mark.parametrize("command", ["draw", "explore"])
def test_an_expression_too_large_for_a_picture_is_one_line_and_2(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = "*".join(["(" + "+".join(["a"] * 60) + ")"] * 14)  # 14·59 sums and 13 products of them
    assert main([command, wide, "a=1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("micrograd-like: the graph has 840 nodes")
    assert err.count("\n") == 1


def test_a_picture_without_matplotlib_is_refused_before_the_training(tmp_path: Path) -> None:
    done = run(program("train", "moons", "--plot", "x.png"), tmp_path, hidden=["matplotlib"])
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "matplotlib is not installed" in done.stderr


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, start in (
        (["--version"], f"micrograd-like [^ ]+.* \\({micrograd_like.ENGINE} engine\\)\n"),
        (["--help"], r"usage: micrograd-like(.|\n)* train +train a small network"),
        (["train", "--help"], r"usage: micrograd-like train(.|\n)*--batch-size"),
    ):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code == 0
        assert re.match(start, capsys.readouterr().out)


# Terminals, pipes, encodings


@pytest.mark.parametrize(
    "variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONIOENCODING": ""}]
)
def test_ascii_where_nothing_else_can_be_shown(variables: dict[str, str], tmp_path: Path) -> None:
    command = program("train", "xor", "--epochs", "3")
    plain = run(command, tmp_path, hidden=EXTRAS, **variables)
    full = run(command, tmp_path, hidden=EXTRAS)
    assert plain.returncode == 0
    assert plain.stdout.isascii()
    assert not full.stdout.isascii()
    shapes = str.maketrans("░─│┌┐└┘▁▂▃▄▅▆▇█", ":-|++++_.-~=+*#")
    assert without_seconds(plain.stdout) == without_seconds(full.stdout).translate(shapes)


def test_a_terminal_shows_what_a_pipe_gets(tmp_path: Path) -> None:
    pytest.importorskip("pty")
    command = program("train", "xor", "--epochs", "3")
    piped = run(command, tmp_path, hidden=["matplotlib"])
    shown = run_on_terminal(command, tmp_path, hidden=["matplotlib"]).replace("\r\n", "\n")
    assert without_seconds(shown) == without_seconds(piped.stdout + piped.stderr)


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen(
        program("train", "xor", "--epochs", "20000", "--no-compile"),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(300) == 141


@pytest.mark.parametrize("more", [0, 1, 7, 50])
def test_ctrl_c_is_130_with_the_rows_so_far(more: int, tmp_path: Path) -> None:
    process = subprocess.Popen(
        program("train", "moons", "--epochs", "100000"),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout
    head = [process.stdout.readline() for _ in range(5)]  # up to the row of the first epoch
    head += [process.stdout.readline() for _ in range(more)]
    process.send_signal(signal.SIGINT)
    assert process.stderr
    rest, errors = process.stdout.read(), process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert process.wait(300) == 130
    rows = [*head[4:], *rest.splitlines()]
    assert [int(row.split()[0]) for row in rows] == list(range(1, len(rows) + 1))
    assert errors == (
        f"micrograd-like train: stopped by Ctrl-C after {len(rows)} of 100000 epochs\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["progress.Silent.epoch", "progress.line"])
def test_ctrl_c_between_an_epoch_and_its_row_loses_no_row(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the row is shown, and in the middle of that."""
    calls = count(1)
    kept = history.line

    def interrupted(*arguments: Any) -> str:
        if next(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return kept(*arguments) if place == "progress.line" else ""

    monkeypatch.setattr(f"micrograd_like.training.{place}", interrupted)
    assert main(["train", "xor", "--epochs", "9", "--no-compile"]) == 130
    out, err = capsys.readouterr()
    assert re.findall(r"^ +(\d+)  ", out, re.MULTILINE) == ["1", "2", "3"]
    assert err == "micrograd-like train: stopped by Ctrl-C after 3 of 9 epochs\n"
