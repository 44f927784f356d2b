"""The command line: each subcommand is a module, or a folder with a module `command`."""
