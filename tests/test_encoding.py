"""Three encodings of a taste: the mean by hand in float64, the order that cannot matter, and what an encoder gives besides."""

import random
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from viper.host import Encoded
from viper.samplers.conditioning import escaped, joined_text
from viper.samplers.encoding import ENCODINGS, ORDERS, canonical, encode_preferences, mean_encoding, mean_shift, orders, parts, strength
from viper.vpe.preferences import Feature, Preferences

C, CHUNK, POOLED = 6, 7, 5
WORDS = ["soft light", "neon (pink)", "Mist", "fog", "grain", "pastel colors", "bold lines", "snow", "ink wash", "gold leaf"]


def features(n, seed=0):
    rng = random.Random(seed)
    return [Feature(f"{WORDS[i % len(WORDS)]} {i // len(WORDS)}".removesuffix(" 0"), rng.choice([0.5, 1.0, 1.3, 3.0])) for i in range(n)]


def drawn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def encoded(seed, chunks=1, **extra):
    return Encoded(drawn(seed, 1, CHUNK * chunks, C), drawn(seed + 50, 1, POOLED), extra)


EMPTY = encoded(99)


def by_hand(E, E_empty, weights, like):
    """The mean written out, number by number, as far from E(∅) as the root mean square of the texts in ``like``."""
    total = sum(weights)
    mean = torch.zeros_like(E_empty)
    for e, w in zip(E, weights, strict=True):
        mean += w / total * (e - E_empty)
    far = [sum(x * x for x in (e - E_empty).flatten().tolist()) / e.numel() for e in like]
    now = sum(x * x for x in mean.flatten().tolist()) / mean.numel()
    return E_empty + (sum(far) / len(far) / now) ** 0.5 * mean


class FakeClip:
    """A CLIP by the host's calls: each text has one embedding, drawn from its letters; lists may run over several chunks."""

    def __init__(self, extra=lambda text, T: {}, weighted=False, chunk=CHUNK):
        self.extra, self.weighted, self.chunk, self.asked = extra, weighted, chunk, []

    def tokenize(self, text):
        return {"l": [[(1, 1.5 if self.weighted and text == "(art:1.5)" else 1.0)]], "text": text}

    def encode_from_tokens(self, tokens, return_pooled=False, return_dict=False):
        text = tokens["text"]
        self.asked.append(text)
        T = self.chunk * (1 + len(text) // 60)
        seed = int.from_bytes(text.encode()[-7:], "big") + len(text)
        E = drawn(seed, 1, T, C).float()
        return {"cond": E, "pooled_output": drawn(seed + 1, 1, POOLED).float(), **self.extra(text, T)}


def same(a, b):
    return torch.equal(a.cond, b.cond) and torch.equal(a.pooled, b.pooled)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(0, 1000), st.integers(1, 3), st.data())
def test_the_mean_is_the_formula_in_float64(n, seed, lists, data):
    weights = data.draw(st.lists(st.floats(0.01, 10), min_size=n, max_size=n))
    shares = [w / sum(weights) for w in weights]
    E, like = ([drawn(seed + i + at, 1, CHUNK, C) for i in range(count)] for count, at in ((n, 0), (lists, 500)))
    expected = by_hand(E, EMPTY.cond, weights, like)
    assert torch.allclose(mean_shift(E, EMPTY.cond, shares, [strength(e, EMPTY.cond) for e in like]), expected, atol=1e-10)
    single = [e.float() for e in E], EMPTY.cond.float(), shares, [strength(e.float(), EMPTY.cond.float()) for e in like]
    assert torch.allclose(mean_shift(*single).double(), expected, atol=1e-4)


@pytest.mark.parametrize("encoding", ["averaged", "shuffled"])
@pytest.mark.parametrize("n", [2, 9, 40])
def test_every_encoding_is_as_strong_as_the_list(host, tiny, as_in_the_host, encoding, n):
    out = encode_preferences(tiny.clip, Preferences(tuple(features(n))), encoding)
    lists = [Preferences(tuple(one)) for one in (orders(features(n)) if encoding == "shuffled" else [canonical(features(n))])]
    joined = [strength(encode_preferences(tiny.clip, one).liked.cond, out.empty.cond) for one in lists]
    assert strength(out.liked.cond, out.empty.cond) == pytest.approx(torch.stack(joined).square().mean().sqrt().item(), rel=1e-4)


def test_texts_that_say_what_the_empty_prompt_says_stay_it():
    assert torch.equal(mean_shift([EMPTY.cond] * 2, EMPTY.cond, [0.5, 0.5], [torch.tensor(1.0)]), EMPTY.cond)


def test_a_weight_of_three_counts_thrice():
    a, b, c = features(3)
    sides = [[Feature(f.text, w) for f, w in zip((a, b, c), ws, strict=True)] for ws in ((1, 3, 1), (2, 6, 2))]
    shares = {p.text: p.share for p in parts(sides[0], "averaged", False)}
    assert shares[b.text] == pytest.approx(3 / 5) and shares[a.text] == pytest.approx(1 / 5)
    assert parts(sides[1], "averaged", False) == parts(sides[0], "averaged", False), "only proportions count"
    e = [encoded(i) for i in range(3)]
    thrice = mean_encoding([e[0], e[1], e[1], e[1], e[2]], [1 / 5] * 5, EMPTY, e)
    assert torch.allclose(mean_encoding(e, [1 / 5, 3 / 5, 1 / 5], EMPTY, e).cond, thrice.cond, atol=1e-12)


def test_shorter_texts_are_lengthened_with_the_empty_prompt():
    one, two = encoded(1), encoded(2, chunks=2)
    out = mean_encoding([one, two], [0.3, 0.7], EMPTY, [two])
    long_empty = EMPTY.cond.repeat(1, 2, 1)
    assert torch.allclose(out.cond, by_hand([torch.cat((one.cond, EMPTY.cond), 1), two.cond], long_empty, [3, 7], [two.cond]))
    assert torch.allclose(out.pooled, by_hand([one.pooled, two.pooled], EMPTY.pooled, [3, 7], [two.pooled]))


def test_with_attention_masks_a_token_is_the_mean_of_the_texts_that_have_it():
    one, two = encoded(1, attention_mask=torch.tensor([[1, 1, 0, 0, 0, 0, 0]])), encoded(2, chunks=2)
    two.extra["attention_mask"] = torch.tensor([[1] * 9 + [0] * 5])
    out = mean_encoding([one, two], [0.5, 0.5], EMPTY, [two])
    assert torch.equal(out.extra["attention_mask"], torch.tensor([[1] * 9 + [0] * 5]))
    moved = out.cond - EMPTY.cond.repeat(1, 2, 1)
    alone = two.cond[:, 2:9] - EMPTY.cond.repeat(1, 2, 1)[:, 2:9]
    assert torch.allclose(moved[:, 2:9] / alone, (moved[:, 2:3] / alone[:, :1])[..., :1].expand_as(alone)), "one factor for all tokens"
    half = ((one.cond + two.cond[:, :7]) / 2 - EMPTY.cond)[:, :2]
    assert torch.allclose(moved[:, :2] / half, (moved[:, 2:3] / alone[:, :1])[..., :1].expand_as(half))


def test_what_a_masked_out_token_holds_cannot_matter():
    mask = torch.tensor([[1, 1, 1, 0, 0, 0, 0]])
    sides = [[encoded(1, attention_mask=mask), encoded(2, attention_mask=mask)] for _ in range(2)]
    sides[1][0].cond[:, 3:] += 1000.0
    a, b = (mean_encoding(side, [0.5, 0.5], EMPTY, side).cond for side in sides)
    assert torch.equal(a[:, :3], b[:, :3]) and torch.isfinite(b).all()


def test_further_embeddings_get_the_same_mean_and_what_is_alike_stays():
    llama = [drawn(i, 1, 3, CHUNK - i, C) for i in range(3)]
    e = [encoded(i, conditioning_llama3=llama[i], guidance=3.5, ids=torch.tensor([1, 2])) for i in range(2)]
    empty = Encoded(EMPTY.cond, EMPTY.pooled, {"conditioning_llama3": llama[2]})
    out = mean_encoding(e, [0.5, 0.5], empty, e[:1])
    longest = [torch.cat((x, llama[2]), 2)[:, :, :CHUNK] for x in llama]
    assert torch.allclose(out.extra["conditioning_llama3"], by_hand(longest[:2], longest[2], [1, 1], longest[:1]))
    assert out.extra["guidance"] == 3.5 and out.extra["ids"].tolist() == [1, 2]


@pytest.mark.parametrize("field", [torch.tensor([[5, 6]]), "a text", None])
def test_a_field_of_which_there_is_no_mean_is_refused_with_a_sentence(field):
    with pytest.raises(ValueError, match='"t5xxl_ids", of which there is no mean: set encoding to joined'):
        mean_encoding([encoded(1, t5xxl_ids=torch.tensor([[1, 2]])), encoded(2, t5xxl_ids=field)], [0.5, 0.5], EMPTY, [encoded(3)])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_mean_keeps_the_encoders_dtype_and_has_a_pooled_vector_where_it_gives_one(dtype):
    e = [Encoded(drawn(i, 1, CHUNK, C).to(dtype), drawn(i, 1, POOLED).to(dtype), {}) for i in range(3)]
    out = mean_encoding(e[:2], [0.5, 0.5], e[2], e[:2])
    assert out.cond.dtype == out.pooled.dtype == dtype and torch.isfinite(out.cond).all()
    e = [Encoded(one.cond, None, {}) for one in e]
    assert mean_encoding(e[:2], [0.5, 0.5], e[2], e[:2]).pooled is None


def test_every_feature_stands_once_in_every_part_of_the_list():
    side = features(32)
    lists = orders(side)
    assert len(lists) == ORDERS and all(sorted(f.text for f in one) == sorted(f.text for f in side) for one in lists)
    for feature in side:
        eighths = sorted(one.index(feature) * ORDERS // len(side) for one in lists)
        assert eighths == list(range(ORDERS))


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_a_short_list_stands_in_each_of_its_rotations_once(n):
    lists = orders(features(n))
    assert len({tuple(f.text for f in one) for one in lists}) == n
    assert all({one[place].text for one in lists} == {f.text for f in features(n)} for place in range(n))


def test_the_orders_are_the_same_everywhere():
    assert [f.text for f in orders([Feature(w) for w in ("fog", "neon", "grain")])[0]] == ["neon", "fog", "grain"]


def test_weights_are_written_for_encoders_that_read_them_and_into_the_shares_for_all():
    side = [Feature("fog", 3.0), Feature("neon (pink)")]
    assert {p.text for p in parts(side, "shuffled", True)} == {"(fog:3.00), neon \\(pink\\)", "neon \\(pink\\), (fog:3.00)"}
    assert {p.text for p in parts(side, "shuffled", False)} == {"fog, neon (pink)", "neon (pink), fog"}
    assert dict(parts(side, "averaged", True)) == {"fog": 0.75, escaped("neon (pink)"): 0.25}
    assert dict(parts(side, "averaged", False)) == {"fog": 0.75, "neon (pink)": 0.25}


def test_an_unknown_encoding_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match='no encoding called "mean": choose joined, averaged, shuffled'):
        parts(features(2), "mean", False)


@pytest.mark.parametrize("encoding", ["averaged", "shuffled"])
def test_the_order_of_the_features_cannot_matter(host, encoding):
    side = features(23)
    first = encode_preferences(FakeClip(), Preferences(tuple(side)), encoding)
    for seed in range(4):
        random.Random(seed).shuffle(side)
        assert same(encode_preferences(FakeClip(), Preferences(tuple(side)), encoding).liked, first.liked)
    joined = [encode_preferences(FakeClip(), Preferences(tuple(one))).liked for one in (side, side[::-1])]
    assert not same(*joined)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_one_feature_is_encoded_as_in_the_paper_bit_for_bit(host, tiny, as_in_the_host, encoding):
    taste = Preferences((Feature("soft light (warm)", 1.4),), (Feature("grain"),))
    paper = encode_preferences(tiny.clip, taste, "joined")
    other = encode_preferences(tiny.clip, taste, encoding)
    assert same(other.liked, paper.liked) and same(other.disliked, paper.disliked)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_hundred_features_work(host, tiny, as_in_the_host, encoding):
    out = encode_preferences(tiny.clip, Preferences(tuple(features(100)), tuple(Feature(f"no {i}") for i in range(100))), encoding)
    for side in (out.liked, out.disliked):
        assert torch.isfinite(side.cond).all() and side.cond.shape[1] % 77 == 0
    assert (out.liked.cond.shape[1] == 77) == (encoding == "averaged")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_empty_side_is_the_empty_prompt(host, encoding):
    out = encode_preferences(FakeClip(), Preferences(tuple(features(3))), encoding)
    assert same(out.disliked, out.empty) and not same(out.liked, out.empty)
    out = encode_preferences(FakeClip(), Preferences(), encoding)
    assert same(out.liked, out.empty) and same(out.disliked, out.empty)


@pytest.mark.parametrize("weighted", [False, True])
def test_weights_act_in_averaged_whatever_the_encoder_reads(host, weighted):
    light, heavy = (Preferences((Feature("fog", w), Feature("grain"))) for w in (1.0, 3.0))
    clip = FakeClip(weighted=weighted)
    assert not same(*(encode_preferences(clip, taste, "averaged").liked for taste in (light, heavy)))
    assert same(*(encode_preferences(clip, taste, "joined").liked for taste in (light, heavy))) != weighted


@pytest.mark.parametrize(("encoding", "texts"), [("joined", 3), ("averaged", 26), ("shuffled", 1 + 2 * ORDERS - 5)])
def test_every_text_is_encoded_once(host, encoding, texts):
    clip = FakeClip()
    encode_preferences(clip, Preferences(tuple(features(20)), tuple(Feature(f"no {i}") for i in range(3))), encoding)
    assert len(clip.asked) == len(set(clip.asked)) == texts


def test_masks_stay_as_long_as_the_embedding_also_where_the_encoder_leaves_them_out_when_full(host):
    clip = FakeClip(lambda text, T: {"attention_mask": torch.ones(1, T, dtype=torch.long)} if len(text) % 2 else {})
    for encoding in ENCODINGS:
        out = encode_preferences(clip, Preferences(tuple(features(40))), encoding).liked
        mask = out.extra.get("attention_mask")
        assert mask is None or mask.shape == out.cond.shape[:2]


def test_cancel_stops_between_two_features(host, monkeypatch):
    import comfy.model_management as mm

    clip = FakeClip()

    def encode(tokens, encode=clip.encode_from_tokens, **options):
        if len(clip.asked) == 5:
            mm.interrupt_current_processing()
        return encode(tokens, **options)

    clip.encode_from_tokens = encode
    try:
        with pytest.raises(mm.InterruptProcessingException):
            encode_preferences(clip, Preferences(tuple(features(50))), "averaged")
    finally:
        mm.interrupt_current_processing(False)
    assert len(clip.asked) == 6


def node(clip, taste, positive, negative, beta, *encoding):
    from viper.nodes.conditioning import PreferenceConditioning

    return PreferenceConditioning.execute(clip, taste, positive, negative, beta, "paper", *encoding).result


def test_the_node_without_an_encoding_joins_bit_for_bit_as_before(tiny, as_in_the_host):
    from viper import host as pack_host
    from viper.samplers.conditioning import Texts, personalise
    from viper.tests.guided import encode

    taste = Preferences((Feature("soft (light)", 1.3), Feature("fog")), tuple(features(30)))
    p, n = encode(tiny.clip, "a red apple"), encode(tiny.clip, "")
    texts = [pack_host.encode_text(tiny.clip, t) for t in (joined_text(taste.liked, True), joined_text(taste.disliked, True), "")]
    before = personalise(p, n, Texts(*texts), 0.6)
    for after in (node(tiny.clip, taste, p, n, 0.6), node(tiny.clip, taste, p, n, 0.6, "joined")):
        for old, new in zip(before, after[:4], strict=True):
            assert all(torch.equal(a[0], b[0]) for a, b in zip(old, new, strict=True))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_with_beta_zero_the_prompt_is_the_very_prompt(tiny, as_in_the_host, encoding):
    from viper.tests.guided import encode

    p, n = encode(tiny.clip, "a red apple"), encode(tiny.clip, "")
    out = node(tiny.clip, Preferences(tuple(features(12))), p, n, 0.0, encoding)
    assert out[0][0] is p[0] and out[1][0] is n[0]


@pytest.mark.parametrize("encoding", ["averaged", "shuffled"])
def test_every_encoding_can_be_sampled(tiny, as_in_the_host, encoding):
    from viper.tests.guided import by_node, empty_latent, encode, personalised

    p, n = encode(tiny.clip, "a red apple"), encode(tiny.clip, "")
    c = personalised(tiny.clip, p, n, ", ".join(f.text for f in features(40)), "grainy, dark", encoding=encoding)
    paper = personalised(tiny.clip, p, n, ", ".join(f.text for f in features(40)), "grainy, dark")
    picture = by_node(tiny.model, c, empty_latent())
    assert torch.isfinite(picture).all() and not torch.equal(picture, by_node(tiny.model, paper, empty_latent()))


def test_a_checkpoint_without_text_encoder_gets_a_sentence():
    with pytest.raises(ValueError, match="no text encoder"):
        encode_preferences(None, SimpleNamespace(liked=(), disliked=()))
