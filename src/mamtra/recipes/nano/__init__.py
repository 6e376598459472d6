"""The stages that make the nano voice, each from the files of the one before."""
