"""A storm of Ctrl-C: `python -m tests.heavy.storm` interrupts work and checks what is left."""
