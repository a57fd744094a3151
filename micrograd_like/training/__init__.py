"""Training: `fit` with its history, and the files that keep a model and a training."""

from micrograd_like.training.history import History
from micrograd_like.training.loop import fit
from micrograd_like.training.serialization import (
    Checkpoint,
    ModelFileError,
    load,
    load_checkpoint,
    save,
)

__all__ = ["Checkpoint", "History", "ModelFileError", "fit", "load", "load_checkpoint", "save"]
