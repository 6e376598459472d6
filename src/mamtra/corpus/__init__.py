"""The synthetic corpus: what is spoken, who speaks it, and how it is kept."""
