"""Entry point of `python -m turnlog`, which is the same as the command `turnlog`."""

from turnlog.cli import main

main()
