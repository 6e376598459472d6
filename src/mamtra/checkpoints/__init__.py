"""Models on disk: the folder format, and how a name becomes a folder."""
