"""What a language model costs for each token: speed, memory, growth with length."""
