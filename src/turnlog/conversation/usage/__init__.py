"""What runs have spent: counting it, recording it beside a branch, and reading it again."""
