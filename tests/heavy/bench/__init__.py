"""The benchmark: `python -m tests.heavy.bench`, from the root of the repository.

Every peer does the same work and must arrive at the same numbers before its clock starts.
Each runs in a process of its own, so that no library pays for what another one imported, and
the rounds go around the peers in turn, so that a drift of the machine hits all of them alike.
"""
