"""Pictures of a graph: `draw` for a still one, `explore` for a page that computes."""

from micrograd_like.render.drawing import Drawing, draw
from micrograd_like.render.player import Player, explore

__all__ = ["Drawing", "Player", "draw", "explore"]
