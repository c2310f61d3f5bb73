"""One file for each `vscanner` command: `add_parser(subparsers)` and `run(arguments) -> int`.

`node.__main__` lists the commands and imports only the one that was asked for.
"""
