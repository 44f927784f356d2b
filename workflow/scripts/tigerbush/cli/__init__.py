"""The command line: a module for each subcommand, or a folder whose module `command` it is."""
