"""The command `graft`, as `python -m graft`."""

from graft.commands.main import main

if __name__ == "__main__":
    main()
