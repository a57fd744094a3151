"""The stepper at a terminal prompt, with the verbs people know from pdb."""

from __future__ import annotations

import math
import sys
from cmd import Cmd
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from micrograd_like import expressions
from micrograd_like._internal.text import aligned, encodable, number, quoted
from micrograd_like.engine import Value
from micrograd_like.graph import Model, given_names
from micrograd_like.operation import AnomalyError
from micrograd_like.stepping.formulas import held
from micrograd_like.stepping.forward import forward_mode
from micrograd_like.stepping.questions import descended, nudged
from micrograd_like.stepping.stepper import ForwardStepper, Stepper
from micrograd_like.stepping.steps import Step, forward_step, table
from micrograd_like.stepping.tree import tree

_MOST_LINES = 20

_VERBS = {
    # verb: short form, operands, what it does
    "next": ("n", "[COUNT]", "make the next step, or the next COUNT"),
    "back": ("b", "[COUNT]", "take the last step back, or the last COUNT"),
    "run": ("r", "[until NAME]", "make steps to the end, or until NAME.grad is complete"),
    "continue": ("c", "", "the same as run"),
    "reset": ("", "", "take all steps back"),
    "where": ("w", "", "how far the pass is, and what comes next"),
    "list": ("l", "", "the steps before and after this point"),
    "graph": ("g", "[NAME]", "the graph as a tree, and what each node waits for"),
    "print": ("p", "NAME ...", "data and gradient, all digits; or NAME alone"),
    "explain": ("e", "NAME [paths]", "why a gradient is what it is"),
    "forward": ("f", "", "how each number was computed"),
    "set": ("s", "LEAF NUMBER", "give a leaf another number; the rest follows"),
    "restore": ("", "", "put back what an earlier pass had left"),
    "nudge": ("", "LEAF [BY]", "move a leaf: what the root does, and the gradient"),
    "tangent": ("", "LEAF", "forward mode: derivatives by LEAF, on the way up"),
    "descend": ("", "[RATE]", "a step of gradient descent, at a rate of 0.1"),
    "predict": ("", "[on|off]", "be asked for each contribution before it is shown"),
    "help": ("h", "", "this list"),
    "quit": ("q", "", "leave; the gradients stay as they are"),
}
_LONG = {short: verb for verb, (short, _, _) in _VERBS.items() if short} | {"EOF": "quit"}


def debug(
    root: Value, *, names: Mapping[str, object] | None = None, model: Model | None = None
) -> None:
    """Step through the backward pass of `root` at a prompt: `h` lists the verbs.

    Nodes are called by their labels, or else by the caller's variables (as in pdb, unless `names`
    gives others), or their place in `model`. Leaving keeps the gradients as they stand then. If
    the input is no terminal, commands are read from it line by line until it ends.
    """
    Prompt(Stepper(root, names=given_names(names), model=model)).interact()


class Prompt(Cmd):
    """The prompt that `debug` runs: every public method `do_VERB` is a verb."""

    def __init__(self, stepper: Stepper) -> None:
        super().__init__()
        self.prompt = "(step) " if sys.stdin and sys.stdin.isatty() else ""
        self.stepper = stepper
        self.asking = False
        self.open = False  # whether a question waits for its answer
        self.asked = self.right = 0
        self.beside: list[Step] = []  # steps to align columns with

    def interact(self) -> None:
        """Read and follow commands until `quit` or the end of the input; Ctrl-C stops one."""
        name, steps = self.stepper.names[self.stepper.root], len(self.stepper)
        if steps <= _MOST_LINES:
            self.do_forward("")
        self._say(f"{steps} steps back, from {held(name)}.grad = 1; h lists the verbs")
        self._say(*self.stepper.notes())
        self._line_up()
        while True:
            try:
                return self.cmdloop()
            except KeyboardInterrupt:
                self._say("")
                self.do_where("")

    def _say(self, *lines: str) -> None:
        for line in lines:
            print(encodable(line, self.stdout), file=self.stdout)

    def _line_up(self) -> None:
        """Find the steps that printed ones align with: all of a pass that fits on a screen."""
        self.beside = []
        position = self.stepper.position
        if len(self.stepper) <= _MOST_LINES:
            self.stepper.reset()
            with suppress(AnomalyError):  # which the step that raises it will report
                self.beside = list(self.stepper)
            self.stepper.goto(position)

    # Methods by which Cmd reads a line.

    def precmd(self, line: str) -> str:
        if line == "EOF" and self.prompt:
            self._say("")
        verb, space, operands = line.strip().partition(" ")
        return _LONG.get(verb, verb) + space + operands

    def onecmd(self, line: str) -> bool:
        verb, _, operands = line.partition(" ")
        try:
            if operands and verb in _VERBS and not _VERBS[verb][1]:
                raise ValueError(f"{verb} takes nothing after it, got {quoted(operands)}")
            return bool(super().onecmd(line))
        except (ValueError, AnomalyError) as error:
            self._say(str(error))
            return False

    def default(self, line: str) -> None:
        """A name alone is printed."""
        verb = line.split()[0]
        if verb not in self.stepper.names.values() and line not in self.stepper.names.values():
            if self.open:
                raise ValueError(
                    f"{quoted(line)} is neither a number nor a verb; an empty line skips the "
                    "question"
                )
            raise ValueError(f"{quoted(verb)} is neither a verb nor a name; h lists the verbs")
        self.do_print(line)

    def completenames(self, text: str, *more: Any) -> list[str]:
        verbs = [f"{verb} " for verb in _VERBS if verb.startswith(text)]
        return verbs + self.completedefault(text, *more)

    def completedefault(self, text: str, line: str, start: int, end: int) -> list[str]:
        word = line[:end].split(" ")[-1]  # `text` is only the part behind a bracket, say
        known = self.stepper.names.values()
        return [name[len(word) - len(text) :] for name in known if name.startswith(word)]

    # The verbs.

    def do_next(self, count: str) -> None:
        if self.stepper.upcoming is None:
            raise ValueError("all steps are done: b takes one back, reset all")
        for _ in range(_count(count)):
            step = self.stepper.peek()
            if step is None:
                break
            if self.asking and not self.open and not self._ask(step):
                return
            self._say(*table(islice(self.stepper, 1), self.beside))
        self._end()

    def do_back(self, count: str) -> None:
        if self.stepper.position == 0:
            raise ValueError("no step is done: n makes the first")
        for _ in range(min(_count(count), self.stepper.position)):
            step = self.stepper.back()
            assert step is not None
            self._say("taken back:", *table([step], self.beside))

    def do_run(self, until: str) -> None:
        until = until.removeprefix("until").strip()
        start, last = self.stepper.position, deque[Step](maxlen=_MOST_LINES)
        end = self.stepper.ready(until) if until else len(self.stepper)
        last.extend(islice(self.stepper, max(0, end - start)))
        made = self.stepper.position - start
        if made > len(last):
            self._say(f"{made} steps, the last {len(last)}:")
        self._say(*table(last, self.beside))
        if until:
            self.do_print(until)
        self._end()

    do_continue = do_run

    def do_reset(self, _: str) -> None:
        self.stepper.reset()
        self.do_where("")

    def do_restore(self, _: str) -> None:
        self.stepper.restore()
        self._say("the gradients are those from before this pass; n begins it again")

    def do_where(self, _: str) -> None:
        upcoming, done = self.stepper.upcoming, self.stepper.position
        progress = f"{done} of {len(self.stepper)} steps done"
        if upcoming:
            title, name = self.stepper.title(upcoming), self.stepper.names[upcoming]
            progress += f"; next {title}, with {held(name)}.grad = {number(upcoming.grad)}"
        self._say(progress)

    def do_list(self, _: str) -> None:
        rows = [row[:3] for row in self.stepper.steps_near()]
        self._say(*aligned(rows, "< >  <") if rows else ["there are no steps"])

    def do_graph(self, name: str) -> None:
        stepper = self.stepper
        lines = tree(stepper, stepper.find(name) if name else stepper.root)
        if not name and stepper.upcoming and not any(line.startswith("->") for line in lines):
            lines = tree(stepper, stepper.upcoming)
        self._say(*lines)

    def do_print(self, names: str) -> None:
        known = self.stepper.names.values()
        rows, changes = [], self.stepper.changes
        for name in [names] if names in known else names.split():
            node = self.stepper.find(name)
            title, state = self.stepper.title(node), self.stepper.state(node)
            rows.append([title, "data", changes.text(node, repr), "grad", repr(node.grad), state])
        if not rows:
            raise ValueError("print takes names of nodes; graph shows them all")
        self._say(*aligned(rows, "<   < <   < <   <"))

    def do_explain(self, name: str) -> None:
        paths = name.endswith(" paths")
        self._say(self.stepper.explain(name.removesuffix(" paths").strip(), paths=paths))

    def do_forward(self, _: str) -> None:
        names, changes = self.stepper.names, self.stepper.changes
        steps = [forward_step(node, names, node.data, changes) for node in names if node.op]
        root = self.stepper.root
        self._say(*(table(steps) if steps else [f"{names[root]} = {number(root.data)}"]))

    def do_set(self, setting: str) -> None:
        name, _, data = setting.replace("=", " ").strip().rpartition(" ")
        self.stepper.set(name.strip(), _real(data, "set a 3"))
        self._line_up()
        if self.beside:
            self.do_forward("")
        self.do_where("")

    def do_nudge(self, operands: str) -> None:
        name, _, by = operands.strip().rpartition(" ")
        if not name:
            name, by = by, "0.001"
        stepper = self.stepper
        forward = ForwardStepper(stepper.root, names=stepper.variables, model=stepper.model)
        self._say(nudged(forward, name, _real(by, "nudge a 0.001")))

    def do_tangent(self, name: str) -> None:
        stepper = self.stepper
        value = stepper.find(name.strip())
        self._say(forward_mode(value, stepper.root, names=stepper.variables, model=stepper.model))

    def do_descend(self, rate: str) -> None:
        self._say(descended(self.stepper, None, _real(rate.strip() or "0.1", "descend 0.1")))
        self._line_up()
        self.do_where("")

    def do_predict(self, state: str) -> None:
        if not state:
            now, other = ("on", "off") if self.asking else ("off", "on")
            score = f", {self.right} right of {self.asked} so far" if self.asked else ""
            self._say(f"predict is {now}{score}; predict {other} turns it {other}")
            return
        if state not in ("on", "off"):
            raise ValueError(f"predict takes on or off, got {quoted(state)}")
        self.asking = state == "on"

    def do_help(self, _: str) -> None:
        rows = [[short, f"{verb} {what}", does] for verb, (short, what, does) in _VERBS.items()]
        self._say(*aligned(rows, "<  <   <"))
        self._say("An empty line repeats the last command, and skips a question that predict asks.")

    def do_quit(self, _: str) -> bool:
        if self.asked and self.prompt:  # not where commands come from a pipe
            self._say(f"predicted: {self.right} right of {self.asked}")
        return True

    def _end(self) -> None:
        if self.stepper.upcoming is None:
            leaves = [node for node in self.stepper.names if not node.op]
            rows = [[f"{held(self.stepper.names[x])}.grad", "=", number(x.grad)] for x in leaves]
            self._say("all steps are done:", *aligned(rows[:_MOST_LINES], "< < ."))
            if len(rows) > _MOST_LINES:
                self._say(f"and {len(rows) - _MOST_LINES} more leaves")

    # Predicting.

    def _ask(self, step: Step) -> bool:
        """Ask for the contributions of `step`; False where it is left alone after all.

        That is where the input ends, or a verb goes elsewhere. After another verb, the question is
        asked again.
        """
        names, changes = self.stepper.names, self.stepper.changes
        made = forward_step(step.node, names, step.node.data, changes)
        self._say(f"{made}, {held(step.name)}.grad = {number(step.upstream)}")
        position = self.stepper.position
        self.open = True
        try:
            for i, c in enumerate(step.contributions):
                question = f"{c.operation.slope(c.position)} · {held(step.name)}.grad = "
                while self.asking and (answer := input(encodable(question, self.stdout)).strip()):
                    if self._guess(answer, i):
                        break
                    if self.cmdqueue or self.stepper.position != position:
                        return False
        except EOFError:
            self._say("")
            return False
        finally:
            self.open = False
        return True

    def _guess(self, answer: str, i: int) -> bool:
        """Judge `answer` as contribution `i` of the step to come; False if it was a command."""
        try:
            guess = expressions.parse(answer, {})[0].data
        except expressions.ExpressionError:
            last = self.lastcmd
            if self.onecmd(self.precmd(answer)):
                self.cmdqueue.append("quit")
            self.lastcmd = last  # what an empty line repeats is what asked
            return False
        step = self.stepper.peek()  # anew, for `set` may have changed it
        assert step is not None
        amount = step.contributions[i].amount
        same = math.isclose(guess, amount, rel_tol=0.01, abs_tol=1e-9)
        right = same or (guess != guess and amount != amount)
        self.right, self.asked = self.right + right, self.asked + 1
        verdict = "right" if right else f"no, {number(amount)}"
        self._say(f"{verdict}: {self.right} of {self.asked} so far")
        return True


def _real(text: str, example: str) -> float:
    try:
        return float(expressions.typed(text))
    except ValueError:
        raise ValueError(f"{quoted(text)} is not a number: write one, as in {example}") from None


def _count(text: str) -> int:
    if not text:
        return 1
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"COUNT is a whole number above 0, got {quoted(text)}")
    return int(text)
