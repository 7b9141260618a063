"""`python -m console` is the command `pilothouse`."""

from console.cli.main import main

if __name__ == "__main__":
    main()
