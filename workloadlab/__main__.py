"""`python -m workloadlab` is the command line."""

from workloadlab.cli.main import main

if __name__ == "__main__":
    main()
