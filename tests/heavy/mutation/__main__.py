"""Plants bugs by Cosmic Ray and counts those that the tests find: python -m tests.heavy.mutation.

Each module is changed in a copy of the repository, one place at a time, and its own tests run on
the pure engine. The places are drawn with a fixed seed, so that a run is the same each time. A bug
that no test finds is printed; it may be one that changes nothing, so a person has to look.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

ROOT = Path(__file__).parents[3]
TESTS = {
    "engine.py": "tests/engine/test_engine.py tests/engine/test_edge_cases.py",
    "ops.py": "tests/engine/test_ops.py",
    "losses.py": "tests/networks/test_losses.py",
    "optim.py": "tests/networks/test_optim.py",
    "programs/tape.py": "tests/programs/test_tape.py tests/programs/test_python.py",
    "programs/lowering.py": "tests/programs/test_tape.py tests/programs/test_python.py",
    "training/loop.py": "tests/training/test_training.py tests/training/test_history.py",
    "training/serialization.py": "tests/training/test_serialization.py -k 'not killed and not bit'",
}
SECONDS = 120  # an endless loop counts as found


def run(module: str, sample: int, seed: int, folder: Path) -> tuple[int, list[str]]:
    """The number of bugs planted in the module, and the changes that no test found."""
    command = f"{sys.executable} -m pytest -qx -p no:cacheprovider -p no:xdist {TESTS[module]}"
    config, session = folder / "mutation.toml", folder / "mutation.sqlite"
    config.write_text(
        f"[cosmic-ray]\nmodule-path = ['micrograd_like/{module}']\ntimeout = {SECONDS}\n"
        f'excluded-modules = []\ntest-command = """{command}"""\n'
        "[cosmic-ray.distributor]\nname = 'local'\n",
        encoding="utf-8",
    )
    session.unlink(missing_ok=True)
    environment = {**os.environ, "MICROGRAD_LIKE_PURE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    cosmic_ray = [sys.executable, "-m", "cosmic_ray.cli"]
    for verb in ("baseline", "init"):
        names = [str(config), *([str(session)] if verb == "init" else [])]
        subprocess.run([*cosmic_ray, verb, *names], cwd=folder, env=environment, check=True)
    with use_db(str(session), WorkDB.Mode.open) as work:
        jobs = sorted(
            (str(place.module_path), place.operator_name, place.occurrence, item.job_id)
            for item in work.work_items
            for place in item.mutations
            if not any(kind in place.operator_name for kind in ("Decorator", "_BitOr_"))  # of types
        )
        kept = {job[-1] for job in random.Random(seed).sample(jobs, min(sample, len(jobs)))}
        skipped = [item.job_id for item in work.work_items if item.job_id not in kept]
        work.set_multiple_results(skipped, WorkResult(WorkerOutcome.SKIPPED))
    subprocess.run(
        [*cosmic_ray, "exec", str(config), str(session)], cwd=folder, env=environment, check=True
    )
    with use_db(str(session), WorkDB.Mode.open) as work:
        results = [result for job, result in work.results if job in kept]
    return len(results), [
        result.diff for result in results if result.test_outcome is TestOutcome.SURVIVED
    ]


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.heavy.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(TESTS)}; all unless given")
    parser.add_argument("--sample", type=int, default=3, help="bugs a module (default 3)")
    parser.add_argument("--seed", type=int, default=1, help="draws the places (default 1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("micrograd_like", "tests", "demos", "pyproject.toml"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        shutil.rmtree(folder / "micrograd_like" / "_native", ignore_errors=True)
        for module in arguments.modules or TESTS:
            planted, missed = run(module, arguments.sample, arguments.seed, folder)
            print(
                f"{module}: {planted - len(missed)} of {planted} found",
                *missed,
                sep="\n",
                flush=True,
            )


if __name__ == "__main__":
    main()
