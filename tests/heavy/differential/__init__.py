"""Random graphs through every engine, beside an oracle of 130 digits.

Run with `python -m tests.heavy.differential`.
"""
