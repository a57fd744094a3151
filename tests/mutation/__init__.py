"""Do the tests catch bugs? `python -m tests.mutation` plants some, one at a time, and looks."""
