"""Judges' weights at toy size: published names and forms, random numbers."""

from pathlib import Path

import torch

from mamtra.evaluation.judges.ecapa import Ecapa, EcapaConfig
from mamtra.evaluation.judges.utmos22 import Strong

WAV2VEC2 = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": [24] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
WAVLM = WAV2VEC2 | {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
ECAPA = EcapaConfig(hidden=32, states=3, channels=64, pooled=48, width=16, wavlm=WAVLM)
UTMOS_RNN = 16
WHISPER_TOKENS = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>"]
WHISPER_TOKENS += ["<|notimestamps|>"]


def fairseq_name(name: str) -> str:
    """transformers' name of a weight as fairseq published it: the rules read backwards."""
    weight = "encoder.pos_conv_embed.conv.parametrizations.weight.original"
    pairs = [
        ("masked_spec_embed", "mask_emb"),
        ("feature_projection.projection.", "post_extract_proj."),
        ("feature_projection.layer_norm.", "layer_norm."),
        (f"{weight}0", "encoder.pos_conv.0.weight_g"),
        (f"{weight}1", "encoder.pos_conv.0.weight_v"),
        ("encoder.pos_conv_embed.conv.", "encoder.pos_conv.0."),
        (".attention.gru_rel_pos_linear.", ".self_attn.grep_linear."),
        (".attention.gru_rel_pos_const", ".self_attn.grep_a"),
        (".attention.rel_attn_embed.", ".self_attn.relative_attention_bias."),
        (".attention.", ".self_attn."),
        (".feed_forward.intermediate_dense.", ".fc1."),
        (".feed_forward.output_dense.", ".fc2."),
    ]
    if name.startswith("feature_extractor."):
        norm = ".2.1." if "layer" in WAVLM["feat_extract_norm"] else ".2."
        return name.replace(".conv.", ".0.").replace(".layer_norm.", norm)
    for ours, theirs in pairs:
        if ours in name:
            return name.replace(ours, theirs)
    return name.replace(".layer_norm.", ".self_attn_layer_norm.") if ".layers." in name else name


def random_weights(module: torch.nn.Module, scale: float = 0.1) -> dict[str, torch.Tensor]:
    """The module's tensors drawn from seed 0; running variances stay positive."""
    draw = torch.Generator().manual_seed(0)
    return {
        name: value.abs() + 0.5 if "running_var" in name else value
        for name, old in module.state_dict().items()
        for value in [
            torch.randn(old.shape, generator=draw) * scale if old.is_floating_point() else old
        ]
    }


def write_wavlm_ecapa(path: Path) -> None:
    """A file like wavlm_large_finetune.pth: under ``model``, and what only its training used."""
    import transformers

    inside = random_weights(transformers.WavLMModel(transformers.WavLMConfig(**WAVLM)))
    weights = {f"feature_extract.model.{fairseq_name(n)}": value for n, value in inside.items()}
    weights |= random_weights(Ecapa(ECAPA))
    weights["loss_calculator.projection.weight"] = torch.zeros(3)
    torch.save({"model": weights}, path)


def write_utmos22(path: Path) -> None:
    """A file like utmos22_strong_step7459_v1.pt."""
    import transformers

    inside = random_weights(transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**WAV2VEC2)))
    weights = {f"wav2vec2.{fairseq_name(n).replace('.2.1.', '.2.')}": v for n, v in inside.items()}
    torch.save(weights | random_weights(Strong(32, UTMOS_RNN)), path)


def write_whisper(folder: Path) -> None:
    """A Whisper of transformers with a vocabulary of a few letters."""
    import json

    import transformers

    folder.mkdir(exist_ok=True)
    vocabulary = {token: number for number, token in enumerate([*"abcdefghĠ", "Ġa"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\nĠ a\n")
    tokenizer = transformers.WhisperTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")
    )
    tokenizer.add_special_tokens({"additional_special_tokens": WHISPER_TOKENS})
    features = transformers.WhisperFeatureExtractor(feature_size=80)
    transformers.WhisperProcessor(features, tokenizer).save_pretrained(folder)
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_target_positions=16,
        decoder_start_token_id=tokenizer.convert_tokens_to_ids("<|startoftranscript|>"),
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
    )
    torch.manual_seed(0)
    transformers.WhisperForConditionalGeneration(config).save_pretrained(folder)
