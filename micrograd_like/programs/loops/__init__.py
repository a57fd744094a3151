"""Loops found in the tape of a graph of scalars, for the backends that run them."""
