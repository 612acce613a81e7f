"""The shipped pocket encoders as host objects, and what they make of the pictures of the model card."""

from pathlib import Path

import pytest
import torch

POCKET = Path(__file__).resolve().parent.parent / "pocket"
# The first eight rows and the columns of pocket/samples.jpg (recipe.run.Recipe.draw_samples).
SUBJECTS = ["apple", "tree", "house", "car", "cat", "frog", "butterfly", "mushroom"]
LOOKS = ["plain", "pastel colors", "blue tones", "halftone", "watercolor", "stained glass", "neon sign", "night sky"]


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def encoders(host):
    from viper.pocket.encoders import load_pocket_encoders

    return load_pocket_encoders()


@pytest.fixture(scope="module")
def samples():
    """(8 subjects, 8 looks, 128, 128, 3) in [0, 1]."""
    import numpy as np
    from PIL import Image

    sheet = torch.from_numpy(np.array(Image.open(POCKET / "samples.jpg").convert("RGB"))).float() / 255
    return sheet[:1024].view(8, 128, 8, 128, 3).transpose(1, 2)


def image(encoders, pictures):
    from viper.pocket.encoders import image_embeddings

    return image_embeddings(encoders[0], pictures)


def text(encoders, texts):
    from viper.pocket.encoders import text_embeddings

    return text_embeddings(encoders[1], texts)


def test_they_ship_within_8_mb(host):
    assert sum((POCKET / name).stat().st_size for name in ("weights/encoders.safetensors", "encoders.json")) <= 8_000_000


def test_the_hosts_own_node_encodes_with_it(encoders, samples):
    import comfy.clip_vision
    import comfy.sd

    import nodes

    assert isinstance(encoders[0], comfy.clip_vision.ClipVisionModel) and isinstance(encoders[1], comfy.sd.CLIP)
    for crop in ("center", "none"):
        out = nodes.CLIPVisionEncode().encode(encoders[0], samples[0, :2], crop)[0]
        assert out["image_embeds"].shape == (2, 192) and torch.isfinite(out["image_embeds"]).all()
    assert out["last_hidden_state"].shape == out["penultimate_hidden_states"].shape == (2, 65, 192)


def test_one_space_for_pictures_and_texts(encoders, samples):
    clip = encoders[1]
    pooled = clip.encode_from_tokens(clip.tokenize("a red apple"), return_pooled=True)[1]
    a, b = image(encoders, samples[0, :1]), text(encoders, ["a red apple"])
    assert a.shape == b.shape == pooled.shape
    inner = clip.cond_stage_model.clip_l.transformer
    before = clip.encode_from_tokens(clip.tokenize("a red apple"), return_pooled="unprojected")[1]
    assert torch.allclose(pooled, torch.nn.functional.linear(before, inner.text_projection.weight.to(before)), atol=1e-4)
    assert torch.allclose(torch.nn.functional.normalize(pooled.float()), b)
    assert torch.allclose(torch.cat([a, b]).norm(dim=1), torch.ones(2), atol=1e-5)


def test_a_batch_is_its_singles_and_twice_is_the_same(encoders, samples):
    pictures, texts = samples[:3, 0], ["apple", "a tree, blue tones", ""]
    together = image(encoders, pictures), text(encoders, texts)
    singles = torch.cat([image(encoders, p[None]) for p in pictures]), torch.cat([text(encoders, [t]) for t in texts])
    assert torch.allclose(together[0], singles[0], atol=1e-5) and torch.equal(together[1], singles[1])
    assert torch.equal(image(encoders, pictures), together[0])


def test_other_sizes_are_read_by_their_middle(encoders, samples):
    picture = samples[3, :1]
    wide = torch.nn.functional.pad(picture, (0, 0, 32, 32), value=1.0)
    large = torch.nn.functional.interpolate(picture.movedim(-1, 1), scale_factor=2, mode="bicubic").movedim(1, -1).clamp(0, 1)
    near, same = (image(encoders, p) @ image(encoders, picture).T for p in (large, wide))
    assert same > 0.999 and near > 0.9


def test_subjects_are_found(encoders, samples):
    """Each picture among the eight subjects, plain and under a look."""
    found = (image(encoders, samples.reshape(64, 128, 128, 3)) @ text(encoders, [f"a {s}" for s in SUBJECTS]).T).argmax(1).view(8, 8)
    right = found == torch.arange(8)[:, None]
    plain, all_looks = float(right[:, 0].float().mean()), float(right.float().mean())
    assert plain == 1 and all_looks >= 0.85  # by chance an eighth


def test_looks_are_found(encoders, samples):
    """Each picture among the seven looks, named alone."""
    pictures = samples[:, 1:].reshape(56, 128, 128, 3)
    found = (image(encoders, pictures) @ text(encoders, LOOKS[1:]).T).argmax(1).view(8, 7)
    assert float((found == torch.arange(7)).float().mean()) >= 0.85  # by chance a seventh


def test_a_caption_says_more_than_its_parts(encoders, samples):
    scores = image(encoders, samples[0, 2:3]) @ text(encoders, ["apple, blue tones", "house, blue tones", "house, sepia"]).T
    assert scores[0].tolist() == sorted(scores[0].tolist(), reverse=True)


def test_an_unknown_word_costs_little(encoders):
    apple, noisy, other = text(encoders, ["a picture of an apple", "a picture of an apple, zyxomma", "a picture of a house"])
    near, far = float(apple @ noisy), float(apple @ other)
    assert near > 0.9 and far < 0.6


def test_random_weights_for_tests_are_seeded(host):
    from viper.pocket.encoders import build_encoders

    a, b, c = (build_encoders(seed=s) for s in (1, 1, 2))
    picture = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(image(a, picture), image(b, picture)) and not torch.equal(image(a, picture), image(c, picture))
    assert torch.equal(text(a, ["cat"]), text(b, ["cat"])) and not torch.equal(text(a, ["cat"]), text(c, ["cat"]))


def test_missing_weights_say_what_to_do(host, tmp_path):
    from viper.pocket.encoders import load_pocket_encoders

    with pytest.raises(FileNotFoundError, match="Reinstall the pack"):
        load_pocket_encoders(tmp_path / "none.safetensors")
