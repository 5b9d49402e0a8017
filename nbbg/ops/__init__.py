"""What nbbg can do, as functions: the command line and Python callers use the same ones."""
