"""`python -m turnlog.cli` is `turnlog`."""

from turnlog.cli import main

main()
