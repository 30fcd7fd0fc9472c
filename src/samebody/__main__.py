"""``python -m samebody`` is the command line."""

from samebody.cli.main import main

if __name__ == "__main__":
    main()
