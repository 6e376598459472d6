"""Teaching a student what its teacher says: data, teacher logits, run folder, layer ranking."""
