"""Random graphs through every engine, beside an oracle of 60 digits.

Run with `python -m tests.differential`.
"""
