"""Keeps pytest out of this folder: what is here is run by `python -m tests.fuzz`."""

collect_ignore_glob = ["*.py"]
