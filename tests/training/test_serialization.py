"""Files: every bit comes back, nothing damaged loads, and a save is whole or has not happened."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd_like import MLP, Adam, Layer, ModelFileError, Module, Neuron, Value, load, ops, save
from micrograd_like.training.history import Best, History
from micrograd_like.training.serialization import load_checkpoint
from tests.support.model_files import adam, changed, content, history, signed, training


def small() -> MLP:
    return MLP(2, [3, 1], activation="tanh", output="sigmoid", rng=random.Random(0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(small(), tmp_path / "model.json")
    return tmp_path / "model.json"


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_every_finite_number_comes_back_to_the_bit(numbers: list[float]) -> None:
    neuron = Neuron(2)
    neuron.load_state_dict(dict(zip(neuron.state_dict(), numbers, strict=True)))
    with tempfile.TemporaryDirectory() as folder:
        save(neuron, Path(folder, "model.json"))
        back = list(load(Path(folder, "model.json")).state_dict().values())
    assert [x.hex() for x in back] == [x.hex() for x in numbers]


@pytest.mark.parametrize(
    "model",
    [
        Neuron(3, activation="tanh", rng=random.Random(1)),
        Neuron(1, nonlin=False, rng=random.Random(1)),
        Layer(2, 4, activation="softplus", rng=random.Random(1)),
        Layer(2, 1, rng=random.Random(1)),
        MLP(2, [1, 1, 3], activation="sin", rng=random.Random(1)),
        small(),
    ],
    ids=repr,
)
def test_a_loaded_model_is_the_saved_one(model: Any, tmp_path: Path) -> None:
    save(model, tmp_path / "model.json")
    back: Any = load(tmp_path / "model.json")
    assert type(back) is type(model)
    assert repr(back) == repr(model)
    assert back.state_dict() == model.state_dict()
    nin = len(
        (
            model.layers[0].neurons[0]
            if isinstance(model, MLP)
            else model.neurons[0]
            if isinstance(model, Layer)
            else model
        ).w
    )
    row = [0.3 * (i + 1) for i in range(nin)]
    assert str(back(row)) == str(model(row))


def test_mixed_activations_of_a_layer_come_back(tmp_path: Path) -> None:
    layer = Layer(1, 2, rng=random.Random(0))
    layer.neurons[1].activation = "tanh"
    save(layer, tmp_path / "layer.json")
    assert repr(load(tmp_path / "layer.json")) == "Layer of [ReLUNeuron(1), TanhNeuron(1)]"


def test_a_training_comes_back(tmp_path: Path) -> None:
    model, rng = small(), random.Random(5)
    rng.gauss(0, 1)  # which leaves half a pair behind
    optimizer = Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = rng.random()
    optimizer.step()
    history = History(
        [{"epoch": 1, "loss": float("nan"), "accuracy": None, "seconds": 0.25}],
        "interrupt",
        Best(1, float("inf"), [1.0, float("nan")]),
    )
    save(model, tmp_path / "c.json", optimizer=optimizer, history=history, rng=rng)
    back = load_checkpoint(tmp_path / "c.json")
    assert back.optimizer == optimizer.state_dict()
    assert back.rng is not None
    assert back.rng.getstate() == rng.getstate()
    assert back.history is not None
    assert repr(back.history.rows) == repr(history.rows)
    assert (back.history.stopped, repr(back.history.best)) == ("interrupt", repr(history.best))
    save(model, tmp_path / "m.json")
    assert load_checkpoint(tmp_path / "m.json")[1:] == (None, None, None)


def test_no_flipped_bit_loads(path: Path) -> None:
    raw, rng = path.read_bytes(), random.Random(2)
    for _ in range(1500):
        damaged = bytearray(raw)
        damaged[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError):
            load(path)


def test_no_truncated_file_loads(path: Path) -> None:
    raw, rng = path.read_bytes(), random.Random(3)
    for length in [0, len(raw) - 1, *(rng.randrange(len(raw)) for _ in range(298))]:
        path.write_bytes(raw[:length])
        with pytest.raises(ModelFileError):
            load(path)


WORDS = random.Random(0).getstate()[1]

HOSTILE: dict[str, Callable[[Path], str | bytes]] = {
    "nothing": lambda path: "",
    "an array": lambda path: "[]",
    "a number": lambda path: "1",
    "not ours": lambda path: '{"format": "something else"}',
    "trailing data": lambda path: path.read_text() + "{}",
    "trailing space": lambda path: path.read_text() + " ",
    "utf-8 mark": lambda path: b"\xef\xbb\xbf" + path.read_bytes(),
    "utf-16": lambda path: path.read_text().encode("utf-16"),
    "latin-1": lambda path: path.read_bytes().replace(b"tanh", b"t\xe4nh"),
    "a name twice": lambda path: path.read_text().replace(
        '"version": 1', '"version": 1, "version": 1'
    ),
    "nested deeply": lambda path: "[" * 200_000 + "]" * 200_000,
    "a huge integer": lambda path: '{"format": "micrograd_like", "version": ' + "9" * 100_000 + "}",
    "NaN": lambda path: path.read_text().replace("0.0", "NaN", 1),
    "a newer version": lambda path: path.read_text().replace('"version": 1', '"version": 2'),
    "version true": lambda path: path.read_text().replace('"version": 1', '"version": true'),
    "a field more": lambda path: path.read_text().replace("{", '{"more": 1,', 1),
    "an int as parameter": changed(lambda d: d["model"]["parameters"].__setitem__(0, 1)),
    "text as parameter": changed(lambda d: d["model"]["parameters"].__setitem__(0, "1.0")),
    "overflow": lambda path: signed(content(path.read_bytes())).replace("0.0", "1e999", 1),
    "a parameter less": changed(lambda d: d["model"]["parameters"].pop()),
    "a parameter more": changed(lambda d: d["model"]["parameters"].append(1.0)),
    "sizes that do not follow": changed(lambda d: d["model"].update(inputs=[2, 4])),
    "a size of 0": changed(lambda d: d["model"].update(inputs=[0, 3])),
    "a huge size": changed(lambda d: d["model"].update(inputs=[10**30, 3])),
    "sizes as text": changed(lambda d: d["model"].update(inputs="23")),
    "unknown activation": changed(lambda d: d["model"]["activations"][1].__setitem__(0, "eval")),
    "dunder activation": changed(
        lambda d: d["model"]["activations"][1].__setitem__(0, "__class__")
    ),
    "activation as list": changed(lambda d: d["model"]["activations"].__setitem__(1, [["tanh"]])),
    "no layers": changed(lambda d: d["model"].update(inputs=[], activations=[], parameters=[])),
    "unknown type": changed(lambda d: d["model"].update(type="os.system")),
    "a neuron of two layers": changed(lambda d: d["model"].update(type="Neuron")),
    "model null": changed(lambda d: d.update(model=None)),
    "training as list": changed(lambda d: d.update(training=[])),
    "a size of many digits": changed(lambda d: d["model"].update(inputs=[10**4000, 3])),
    "a newer version of many digits": lambda path: path.read_text().replace(
        '"version": 1', f'"version": 2{"0" * 4000}'
    ),
    "history as text": training(history="x"),
    "rows as numbers": history(1),
    "a row without an epoch": history({"loss": 0.5}),
    "epoch 0": history({"epoch": 0}),
    "a loss as text": history({"epoch": 1, "loss": "0.5"}),
    "a loss as list": history({"epoch": 1, "loss": [0.5]}),
    "a loss no float can hold": history({"epoch": 1, "loss": 10**400}),
    "best as text": history(best="123"),
    "best loss as text": history(best=[1, "0.5", [0.5]]),
    "best loss true": history(best=[1, True, [0.5]]),
    "best parameters as text": history(best=[1, 0.5, "123"]),
    "a best parameter as text": history(best=[1, 0.5, ["1"]]),
    "patience from text": history(since="0"),
    "rng as text": training(rng="xyz"),
    "rng too short": training(rng=[3, [1], None]),
    "rng of Python 2": training(rng=[2, WORDS, None]),
    "a word of rng too large": training(rng=[3, [2**32, *WORDS[1:]], None]),
    "a word of rng below 0": training(rng=[3, [-1, *WORDS[1:]], None]),
    "a position of rng too large": training(rng=[3, [*WORDS[:-1], 625], None]),
    "a number kept by rng as text": training(rng=[3, WORDS, "0.5"]),
    "optimizer as list": training(optimizer=[1]),
    "steps below 0": adam(steps=-1),
    "steps of many digits": adam(steps=10**400),
    "a buffer as number": adam(exp_avg=0.5),
    "text in a buffer": adam(exp_avg=["0.5"] * 13),
    "an int in a buffer": adam(exp_avg_sq=[10**400] * 13),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_path_and_reason(name: str, path: Path) -> None:
    written = HOSTILE[name](path)
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    with pytest.raises(ModelFileError) as caught:
        load(path)
    assert caught.value.path == str(path)
    assert str(path) in str(caught.value)
    assert 10 < len(caught.value.reason) < 400


def test_the_right_checksum_alone_is_accepted(path: Path) -> None:
    """The hostile files above fail for what they say, not because `signed` is wrong."""
    path.write_text(signed(content(path.read_bytes())))
    assert load(path).state_dict() == small().state_dict()
    best = [1, "inf", [0.5, "nan"]]
    path.write_text(history({"epoch": 1, "loss": "-inf", "hits": 3}, best=best, since=1)(path))
    back = load_checkpoint(path).history
    assert back is not None
    assert back.rows == [{"epoch": 1, "loss": float("-inf"), "hits": 3}]
    assert repr(back.best) == "Best(epoch=1, loss=inf, parameters=[0.5, nan])"
    path.write_text(adam()(path))
    Adam(small().parameters()).load_state_dict(load_checkpoint(path).optimizer or {})
    path.write_text(training(rng=[3, WORDS, 0.5])(path))
    assert load_checkpoint(path).rng is not None


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.json")
    missing = tmp_path / "no folder" / "model.json"
    with pytest.raises(FileNotFoundError) as raised:
        save(small(), missing)
    assert raised.value.filename == str(missing), "not the temporary file beside it"


class Own(Module):
    def __init__(self, w: float = 1.0, hidden: int = 2) -> None:
        self.w = Value(w)
        self.parts = {"in": MLP(1, [hidden, 1], activation=lambda z: z.tanh()), "last": Neuron(1)}


def test_a_model_of_ones_own_comes_back_into_another_one(path: Path) -> None:
    model, other = Own(0.1 + 0.2), Own()
    optimizer = Adam(model.parameters())
    save(model, path, optimizer=optimizer)
    checkpoint = load_checkpoint(path, into=other)
    assert checkpoint.model is other
    assert other.state_dict() == model.state_dict()
    assert checkpoint.optimizer == optimizer.state_dict()
    assert load(path, other) is other
    with pytest.raises(ModelFileError, match=r"parameters of Own: .* write load\(path, into="):
        load(path)


def test_a_file_of_layers_goes_into_a_model_like_it(path: Path) -> None:
    before, other = load(path), small()
    other.parameters()[0].data = 7.0
    assert load(path, into=other) is other
    assert other.state_dict() == before.state_dict()
    own = MLP(2, [3, 1], activation=lambda z: z.tanh(), output="sigmoid")
    with pytest.raises(ModelFileError, match="its activations are tanh, sigmoid, and those of"):
        load(path, into=own)


def test_a_row_of_the_table_is_saved_by_its_name(path: Path) -> None:
    model = MLP(2, [3, 1], activation=ops.atan, rng=random.Random(2))
    save(model, path)
    assert load(path)([0.5, -2.0]).data == model([0.5, -2.0]).data
    assert load(path, into=model) is model


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (adam(**{"a\nb": [0.5] * 12 + [625]}), r"training.optimizer.a\\nb\[12\] is 625"),
        (
            changed(
                lambda data: data.update(model={"names": ["w"], "parameters": [1.0], "type": "\r"})
            ),
            r"it has the parameters of \\r: make one",
        ),
    ],
)
def test_a_name_in_a_file_does_not_break_the_line(
    path: Path, file: Callable[[Path], str], says: str
) -> None:
    path.write_text(file(path))
    with pytest.raises(ModelFileError, match=says):
        load(path)


class Wider(MLP):
    """A class of one's own, although it has nothing of its own."""


class Heads(Module):
    """Two networks, of which one has a function as activation."""

    def __init__(self, activation: str) -> None:
        self.parts = [
            MLP(1, [2], output=lambda z: z.tanh()),
            {"b": Neuron(1, activation=activation)},
        ]


@pytest.mark.parametrize(
    ("saved", "into", "says"),
    [
        (
            Own(),
            lambda: Own(hidden=3),
            "not those of this Own: .* missing parts.in.layers.0.neurons.2",
        ),
        (Own(hidden=3), Own, "not those of this Own: .* unknown parts.in.layers.0.neurons.2"),
        (Own(), small, "not those of this MLP: .* missing layers.0.neurons.0.w.0"),
        (small(), Own, "not those of this Own: the state does not fit: missing w"),
        (MLP(2, [3, 1]), small, "its activations are relu, linear, and those of .* tanh, sigmoid"),
        (MLP(2, [3, 1], activation=ops.sin), small, "its activations are sin, linear, and those"),
        (MLP(2, [3, 1]), lambda: Wider(2, [3, 1], activation=ops.tanh), "relu, .* tanh, linear"),
        (
            Wider(2, [3, 1]),
            lambda: Wider(2, [3, 1], activation="tanh"),
            "are relu, .* model tanh, linear",
        ),
        (
            Wider(2, [3, 1]),
            lambda: MLP(2, [3, 1], output="sin"),
            "are relu, linear, .* model relu, sin",
        ),
        (Heads("sin"), lambda: Heads("exp"), "are None, sin, .* model <function .*exp"),
        (MLP(2, [3, 1], bias=False), small, "missing layers.0.neurons.0.b"),
        (Wider(2, [2, 1]), small, "missing layers.0.neurons.2"),
    ],
)
def test_what_does_not_fit_changes_nothing(saved: Any, into: Any, says: str, path: Path) -> None:
    save(saved, path)
    model = into()
    before = model.state_dict()
    with pytest.raises(ModelFileError, match=says):
        load(path, into=model)
    assert model.state_dict() == before


@pytest.mark.parametrize("model", [Heads("sin"), Wider(2, [3, 1]), Own()])
def test_a_model_that_is_alike_takes_a_file(model: Any, path: Path) -> None:
    save(model, path)
    assert load(path, into=model) is model


def test_nothing_is_changed_where_only_the_training_is_damaged(path: Path) -> None:
    other = small()
    other.parameters()[0].data = 7.0
    path.write_text(adam(exp_avg=0.5)(path))
    with pytest.raises(ModelFileError, match="exp_avg"):
        load(path, into=other)
    assert other.parameters()[0].data == 7.0


@pytest.mark.parametrize("into", [MLP, 3.0, {"w": 1.0}])
def test_into_is_a_model(into: Any, path: Path) -> None:
    with pytest.raises(TypeError, match="into is a Module whose parameters are set"):
        load(path, into=into)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.update(names=["w"]),
        lambda model: model.update(names=["w"] * len(model["parameters"])),
        lambda model: model.update(names=[1] * len(model["parameters"])),
        lambda model: model.pop("type"),
        lambda model: model["parameters"].append(float("1e400")),
    ],
)
def test_a_damaged_file_of_a_model_of_ones_own(change: Any, path: Path) -> None:
    save(Own(), path)
    data = content(path.read_bytes())
    change(data["model"])
    path.write_text(json.dumps(data) if "Infinity" in json.dumps(data) else signed(data))
    for into in (None, Own()):
        with pytest.raises(ModelFileError):
            load(path, into) if into else load(path)


def test_layers_with_and_without_biases_come_back(path: Path) -> None:
    with_biases = path.read_text()
    model = MLP(2, [3, 2, 1], bias=False, rng=random.Random(1))
    model.layers[1].neurons[1].b = Value(0.5)
    for saved in (model, model.layers[0], model.layers[0].neurons[0]):
        save(saved, path)
        back = load(path)
        assert back.state_dict() == saved.state_dict()
        assert str(back.summary()) == str(saved.summary())
    save(small(), path)
    assert path.read_text() == with_biases
    assert "biases" not in with_biases


@pytest.mark.parametrize(
    "biases", [[[True] * 3], [[True] * 3, []], [[1] * 3, [1]], [[False] * 3, [False]], True]
)
def test_biases_that_do_not_fit(biases: Any, path: Path) -> None:
    path.write_text(changed(lambda data: data["model"].update(biases=biases))(path))
    with pytest.raises(ModelFileError, match=r"bias|\d parameters"):
        load(path)


@pytest.mark.parametrize(
    ("model", "error", "says"),
    [
        (Value(1.0), TypeError, "only a Module .* got Value"),
        (MLP, TypeError, "type"),
        (Own(math.nan), ValueError, "w is nan"),
        (Neuron(1, activation=abs), ValueError, "built-in function abs"),
    ],
)
def test_what_cannot_be_saved_leaves_the_old_file(
    model: Any, error: type[Exception], says: str, path: Path
) -> None:
    before = path.read_bytes()
    with pytest.raises(error, match=says):
        save(model, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_optimiser_that_overflowed_comes_back(path: Path) -> None:
    model = small()
    optimizer = Adam(model.parameters())
    model.parameters()[0].grad = 1e200  # its square is inf; the parameters stay finite
    optimizer.step()
    assert float("inf") in optimizer.state_dict()["exp_avg_sq"]
    save(model, path, optimizer=optimizer)
    assert load_checkpoint(path).optimizer == optimizer.state_dict()


def test_an_optimiser_with_groups_comes_back(path: Path) -> None:
    model = small()

    def in_groups(model: Any) -> Adam:
        parameters = model.parameters()
        return Adam([{"params": parameters[:9], "weight_decay": 0.1}, {"params": parameters[9:]}])

    optimizer = in_groups(model)
    model.parameters()[0].grad = 0.5
    optimizer.step()
    save(model, path, optimizer=optimizer)
    checkpoint = load_checkpoint(path)
    back = in_groups(checkpoint.model)
    assert checkpoint.optimizer is not None
    back.load_state_dict(checkpoint.optimizer)
    assert back.state_dict() == optimizer.state_dict()
    with pytest.raises(ValueError, match=r"state is of groups of \[9, 4\] parameters"):
        Adam(checkpoint.model.parameters()).load_state_dict(checkpoint.optimizer)


def test_every_kind_of_number_can_be_a_metric(path: Path) -> None:
    row = {"epoch": 1, "loss": Fraction(1, 4), "hits": 3, "perfect": True, "val_loss": None}
    save(small(), path, history=History([row], best=Best(1, 0, [Fraction(1, 2)])))  # type: ignore[list-item]
    back = load_checkpoint(path).history
    assert back is not None
    assert repr(back.rows) == repr([{**row, "loss": 0.25}])
    assert repr(back.best) == "Best(epoch=1, loss=0.0, parameters=[0.5])"


@pytest.mark.parametrize("metric", ["high", [0.5], 10**400, Value(1.0)])
def test_what_could_not_be_read_again_is_not_written(metric: Any, path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"history\.rows\[0\]\.score is .*should be a number"):
        save(small(), path, history=History([{"epoch": 1, "score": metric}]))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_parameters_that_are_no_numbers_are_not_saved(number: float, path: Path) -> None:
    model = small()
    model.parameters()[2].data = number
    with pytest.raises(ValueError, match=r"layers\.0\.neurons\.0\.b"):
        save(model, path)


def test_an_error_of_the_disk_leaves_the_old_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(MLP(5, [5]), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_permissions_and_links_are_kept(path: Path) -> None:
    path.chmod(0o640)
    link = path.parent / "link.json"
    link.symlink_to(path)
    save(MLP(1, [1]), link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert repr(load(path)) == "MLP of [Layer of [LinearNeuron(1)]]"


def folder(path: Path) -> None:
    path.mkdir()
    (path / "kept").touch()


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(os.path.relpath(path))  # its name may have some hundred bytes at most


@pytest.mark.parametrize("link", [False, True], ids=["itself", "a link to it"])
@pytest.mark.parametrize("make", [folder, os.mkfifo, unix_socket], ids=lambda make: make.__name__)
def test_only_a_regular_file_is_replaced(
    make: Callable[[Path], None], link: bool, tmp_path: Path
) -> None:
    path = target = tmp_path / "model.json"
    make(target)
    if link:
        path = tmp_path / "link.json"
        path.symlink_to(target)
    before, names = target.stat(), sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match=r"not written over .*link\.json" if link else "not written"):
        save(small(), path)
    assert target.stat() == before
    assert sorted(tmp_path.iterdir()) == names


def test_the_missing_target_of_a_link_is_written(tmp_path: Path) -> None:
    link, target = tmp_path / "link.json", tmp_path / "model.json"
    link.symlink_to(target.name)
    save(small(), link)
    assert link.is_symlink()
    assert load(target).state_dict() == small().state_dict()


def test_links_in_a_circle_are_an_os_error(tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.symlink_to(two)
    two.symlink_to(one)
    with pytest.raises(OSError, match=r"one\.json"):
        save(small(), one)
    assert sorted(tmp_path.iterdir()) == [one, two]


@pytest.mark.parametrize("name", ["m" * 250 + ".json", "é" * 125 + ".json"], ids=["ASCII", "UTF-8"])
def test_a_name_may_be_as_long_as_the_disk_allows(name: str, tmp_path: Path) -> None:
    for _ in range(2):
        save(small(), tmp_path / name)
        assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_new_file_has_the_permissions_that_new_files_get(tmp_path: Path) -> None:
    save(small(), tmp_path / "model.json")
    (tmp_path / "other").touch()
    assert (tmp_path / "model.json").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_owner_and_group_are_kept_where_that_is_permitted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, asked = path.stat(), []

    def chown(name: Path, owner: int, group: int) -> None:
        asked.append((owner, group))
        raise PermissionError

    monkeypatch.setattr(os, "chown", chown)
    save(MLP(1, [1]), path)
    assert asked == [(status.st_uid, -1), (-1, status.st_gid)]
    assert repr(load(path)) == "MLP of [Layer of [LinearNeuron(1)]]"


def test_windows_line_ends_are_read_and_damage_between_them_is_found(path: Path) -> None:
    raw = path.read_bytes()
    windows = raw.replace(b"\n", b"\r\n")
    path.write_bytes(windows)
    assert load(path).state_dict() == small().state_dict()
    for damaged in (
        raw.replace(b"\n", b"\r\n", 1),  # one line end alone
        raw.replace(b"\n", b"\r"),
        windows.replace(b"\r\n", b"\r\r\n"),
        windows.replace(b"0.0", b"0.1", 1),
        windows[:-2],
    ):
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError):
            load(path)


def test_work_grows_with_the_number_of_neurons_and_no_faster(path: Path) -> None:
    """Counted in calls of Python functions, which no other process can slow down."""

    def calls(neurons: int) -> int:
        counted = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal counted
            counted += 1

        model = MLP(1, [1] * neurons)
        sys.setprofile(count)
        try:
            save(model, path)
            load(path)
        finally:
            sys.setprofile(None)
        return counted

    few, many = calls(50), calls(500)
    assert many < 12 * few


SAVER = """
import os, random, signal, sys
import micrograd_like as ml

path, wanted = sys.argv[1], int(sys.argv[2])
writing, seen = False, 0

def enter(frame, event, argument):
    global writing
    writing = writing or frame.f_code.co_name == "_replace"
    return line if writing else None

def line(frame, event, argument):
    global seen
    seen += event == "line"
    if seen == wanted:
        os.kill(os.getpid(), signal.SIGKILL)
    return line

old, new = [ml.MLP(4, [8, seed + 1], rng=random.Random(seed)) for seed in range(2)]
ml.save(old, path)
sys.settrace(enter)
ml.save(new, path)
sys.settrace(None)
print(seen)
"""


def test_a_killed_save_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Killed at lines all the way through the writing, of ours and of what it calls."""
    path = tmp_path / "model.json"
    command = [sys.executable, "-c", SAVER, str(path)]
    lines = int(subprocess.run([*command, "0"], capture_output=True, check=True).stdout)
    assert lines >= 20
    whole = [MLP(4, [8, seed + 1], rng=random.Random(seed)).state_dict() for seed in range(2)]
    found = []
    for wanted in range(1, lines + 1, max(1, lines // 40)):
        assert subprocess.run([*command, str(wanted)]).returncode == -signal.SIGKILL
        found.append(whole.index(load(path).state_dict()))
    assert found == sorted(found)  # the old one until some line, then the new one
    assert set(found) == {0, 1}
    assert len(found) >= 20


def test_a_newer_version_says_to_update(path: Path) -> None:
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(ModelFileError, match="version 2, and this package reads up to 1: update"):
        load(path)


def test_sizes_that_do_not_follow_are_refused_whatever_their_sum(path: Path) -> None:
    data = content(path.read_bytes())
    # 2 → 3 → 1 → 1 has 9 + 4 + 2 parameters; read as 2, 2, 2 inputs it would have as many.
    layers = [["relu"] * 3, ["relu"], ["relu"]]
    data["model"] |= {"inputs": [2, 2, 2], "activations": layers, "parameters": [1.0] * 15}
    path.write_text(signed(data))
    with pytest.raises(ModelFileError, match="do not follow"):
        load(path)


def test_the_file_and_then_its_new_name_are_sent_to_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, sent = path.read_bytes(), []

    def fsync(handle: int) -> None:
        status = os.fstat(handle)
        what = "folder" if stat.S_ISDIR(status.st_mode) else status.st_size
        sent.append((what, path.read_bytes() == before))

    monkeypatch.setattr(os, "fsync", fsync)
    save(MLP(5, [5]), path)
    assert sent == [(path.stat().st_size, True), ("folder", False)]


def test_a_seed_is_no_generator(tmp_path: Path) -> None:
    for seed in (0, 1):
        with pytest.raises(TypeError, match=rf"got int: {seed}; for a seed write random\.Random"):
            save(MLP(1, [1]), tmp_path / "m.json", rng=seed)  # type: ignore[arg-type]
    assert not (tmp_path / "m.json").exists()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"optimizer": "adam"}, "optimizer is one such as Adam.*got 'adam'"),
        ({"history": [{"epoch": 1}]}, "history is one that fit returned"),
        ({"rng": random.SystemRandom()}, r"has no state: use random\.Random\(seed\)"),
    ],
)
def test_a_state_of_another_kind_is_refused(state: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=message):
        save(MLP(1, [1]), tmp_path / "m.json", **state)
    assert not (tmp_path / "m.json").exists()
