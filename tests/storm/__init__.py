"""A storm of Ctrl-C: `python -m tests.storm` interrupts work and checks what is left."""
