"""Training: `fit` with its history, and the files that keep a model and a training."""

from micrograd_like.training.history import History
from micrograd_like.training.loop import fit
from micrograd_like.training.prediction import ConfusionTable, confusion_table, predict
from micrograd_like.training.serialization import (
    Checkpoint,
    ModelFileError,
    load,
    load_checkpoint,
    save,
)

__all__ = [
    "Checkpoint",
    "ConfusionTable",
    "History",
    "ModelFileError",
    "confusion_table",
    "fit",
    "load",
    "load_checkpoint",
    "predict",
    "save",
]
