"""Programs that search or measure for minutes: `python -m tests.heavy.fuzz` and so on."""
