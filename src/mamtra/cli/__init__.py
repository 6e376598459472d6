"""The command line: one short file per command. Data goes to stdout, talk to stderr."""
