"""The command line: parse, call the application, print. One file for each group of commands."""
