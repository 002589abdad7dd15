"""Entry point of `python -m turnlog.cli`, which is the same as `turnlog`."""

from turnlog.cli import main

main()
