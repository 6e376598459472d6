"""The formats of others: CosyVoice 2, Qwen2, the official MamTra, Granite."""
