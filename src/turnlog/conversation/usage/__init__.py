"""Usage of runs: counted, recorded beside a branch, and read again."""
