"""The same nodes on every family of models: tiny random ones, built with the host's own classes, with their own text encoders."""

import copy
import inspect
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from viper.tests import families as f
from viper.tests import guided as g

pytestmark = pytest.mark.usefixtures("as_in_the_host")

every_family = pytest.mark.parametrize("family", f.FAMILIES, indirect=True)
STEPS = 3
each_way = pytest.mark.parametrize("way", g.THREE_WAYS.values(), ids=g.THREE_WAYS.keys())


@dataclass
class Built:
    """A family ready to sample: its model and CLIP, a dressed prompt and negative, and how it is sampled."""

    family: f.Family
    model: object
    clip: object
    positive: list
    negative: list

    @property
    def latent(self):
        return {"samples": torch.zeros(self.family.latent)}

    @property
    def sampling(self):
        return {"cfg": self.family.cfg, "scheduler": self.family.scheduler, "steps": STEPS}

    def personalised(self, liked=f.MANY, disliked=f.DISLIKED, **options):
        """A long list of liked words, so that the lengths of prompt and words are unlike wherever the encoder lets them."""
        return g.personalised(self.clip, self.positive, self.negative, liked, disliked, **options)

    def run(self, way, c, *degrees):
        """Sample in one of the ways of tests/guided.py, as this family is sampled."""
        return way(self.model, c, self.latent, *degrees, **self.sampling)

    def plain(self):
        return self.run(g.host_ksample, SimpleNamespace(positive=self.positive, negative=self.negative))

    def differ(self, a, b):
        """The largest difference, in parts of the largest number."""
        return g.differ(a, b) / a.abs().max().item()


@pytest.fixture(scope="session")
def build(host):
    known = {}

    def build(name):
        if name not in known:
            family = f.FAMILIES[name]
            with torch.inference_mode():
                model, clip = family.build()
                positive, negative = (family.dress(g.encode(clip, text)) for text in (f.PROMPT, f.NEGATIVE))
            known[name] = Built(family, model, clip, positive, negative)
        return known[name]

    return build


@pytest.fixture
def family(build, request):
    return build(request.param)


def named(name):
    return pytest.mark.parametrize("family", [name], indirect=True)


# --- what every family must do ---------------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("degrees", [(0.6, None), (0.85, 0.3)], ids=["one degree", "two degrees"])
def test_the_three_nodes_are_the_formula_written_out(family, degrees):
    c = family.personalised()
    reference = family.run(g.by_formula, c, *degrees)
    for way in g.THREE_WAYS.values():
        ours = family.run(way, c, *degrees)
        assert torch.isfinite(ours).all()
        assert family.differ(reference, ours) < 1e-4
    assert family.differ(reference, family.run(g.host_ksample, c)) > 1e-2, "the guidance changes nothing"


@every_family
def test_official_mode_is_the_formula_written_out(family):
    c = family.personalised(mode="official", beta=0.5)
    reference = family.run(g.by_formula, c, 0.5)
    assert family.differ(reference, family.run(g.by_node, c, 0.5)) < 1e-4
    paper = family.run(g.by_node, family.personalised(beta=0.5), 0.5)
    assert family.differ(reference, paper) > 1e-3


@every_family
def test_the_shift_alone_and_the_guidance_alone_bend_the_picture_one_way_and_the_other(family):
    plain = family.plain()
    taste, other = family.personalised(), family.personalised(f.DISLIKED, f.MANY)
    for c in (taste, other):
        c.shift = family.run(g.by_node, c, 0.0)
        unshifted = SimpleNamespace(positive=family.positive, negative=family.negative, liked=c.liked, disliked=c.disliked)
        c.guidance = family.run(g.by_node, unshifted)
    for kind in ("shift", "guidance"):
        assert family.differ(plain, getattr(taste, kind)) > 1e-3, f"{kind}: taking the preferences away changes nothing"
        assert family.differ(getattr(taste, kind), getattr(other, kind)) > 1e-3, f"{kind}: liked and disliked are alike"


@every_family
@each_way
def test_beta_zero_is_the_hosts_own_ksampler_bit_for_bit(family, way):
    c = family.personalised()
    assert torch.equal(family.run(way, c, 0.0), family.run(g.host_ksample, c))
    nothing = family.personalised(beta=0.0)
    assert torch.equal(family.run(way, nothing, 0.0), family.plain())


@every_family
@pytest.mark.parametrize(("cfg", "branches"), [(4.0, 4), (1.0, 3)])
def test_four_evaluations_a_step_and_three_without_an_unconditional(family, cfg, branches):
    model, seen = g.counting(family.model)
    sampling = {**family.sampling, "cfg": cfg}
    c = family.personalised()
    ours = g.by_node(model, c, family.latent, **sampling)
    assert seen["evaluations"] == branches * STEPS
    if family.family.name in ("sd15", "sd2", "sdxl"):  # whose lengths are whole chunks, which the host batches
        assert seen["calls"] == STEPS
    assert family.differ(g.by_formula(family.model, c, family.latent, **sampling), ours) < 1e-4


@every_family
def test_nothing_liked_and_nothing_disliked_is_the_plain_picture(family):
    c = family.personalised("", "")
    ours = family.run(g.by_node, c)
    assert family.differ(family.plain(), ours) < 1e-4


@every_family
def test_only_liking_or_only_disliking_works(family):
    for words in ((f.MANY, ""), ("", f.DISLIKED)):
        c = family.personalised(*words)
        ours = family.run(g.by_node, c)
        assert family.differ(family.run(g.by_formula, c), ours) < 1e-4
        assert family.differ(family.plain(), ours) > 1e-3


@every_family
def test_a_prompt_longer_than_the_words_works(family):
    positive = family.family.dress(g.encode(family.clip, f.MANY))
    c = g.personalised(family.clip, positive, family.negative, f.LIKED, f.DISLIKED)
    ours = family.run(g.by_node, c)
    assert family.differ(family.run(g.by_formula, c), ours) < 1e-4
    bare = SimpleNamespace(positive=positive, negative=family.negative)
    assert family.differ(family.run(g.host_ksample, bare), ours) > 1e-3


@every_family
def test_all_that_the_prompt_carries_goes_for_its_liked_and_disliked_side(family):
    c = family.personalised()
    words = {"pooled_output", "attention_mask", "conditioning_llama3"}
    for side in (c.positive, c.liked, c.disliked):
        for key, value in family.positive[0][1].items():
            if key not in words:
                assert side[0][1][key] is value
        if family.positive[0][1]["pooled_output"] is not None:
            assert side[0][1]["pooled_output"] is family.positive[0][1]["pooled_output"]


@every_family
def test_shift_pooled_works_where_there_is_a_pooled_vector(family):
    c, with_pooled = family.personalised(), family.personalised(shift_pooled=True)
    ours, moved = (family.run(g.by_node, x) for x in (c, with_pooled))
    # SD1 and SD2 give a pooled vector that their networks do not read.
    reads = family.family.name in ("sdxl", "sd3", "sd3_without_t5", "flux")
    assert (family.differ(ours, moved) > 1e-3) == reads
    assert family.differ(family.run(g.by_formula, with_pooled), moved) < 1e-4


@every_family
def test_two_regions_with_prompts_of_unlike_length(family):
    import nodes

    height, width = (8 * n for n in family.family.latent[-2:])
    left, right = g.encode(family.clip, f.PROMPT), g.encode(family.clip, f.MANY)
    area = nodes.ConditioningSetArea().append
    regions = (
        area(family.family.dress(left), width // 2, height, 0, 0, 1.0)[0]
        + area(family.family.dress(right), width // 2, height, width // 2, 0, 0.8)[0]
    )
    c = g.personalised(family.clip, regions, family.negative)
    ours = family.run(g.by_node, c)
    assert family.differ(family.run(g.by_formula, c), ours) < 1e-4
    assert family.differ(family.run(g.host_ksample, c), ours) > 1e-3


# --- what is one family's own ----------------------------------------------------------------------------------------


@named("sd3")
def test_sd3_adds_the_words_of_each_encoder_to_its_own_tokens(family):
    """Two chunks of CLIP in front of T5 move T5's tokens; they must not be added to CLIP's second chunk."""
    from viper import host

    c = family.personalised(beta=0.6)
    E_p, liked, disliked = family.positive[0][0], *(host.encode_text(family.clip, text).cond for text in (f.MANY, f.DISLIKED))
    empty = host.encode_text(family.clip, "").cond
    chunks = sum(map(len, family.clip.tokenize(f.MANY)["l"]))
    assert chunks > 77 and E_p.shape[1] == disliked.shape[1] == 154, "the lists must be of unlike length"
    clip = torch.cat((E_p[:, :77], *[empty[:, :77]] * (chunks // 77 - 1)), dim=1) + 0.6 * (
        liked[:, :chunks] - torch.cat((disliked[:, :77], *[empty[:, :77]] * (chunks // 77 - 1)), dim=1)
    )
    rest = liked.shape[1] - chunks
    t5 = [torch.cat((E[:, 77:], *[empty[:, 77:]] * (rest // 77)), dim=1)[:, :rest] for E in (E_p, disliked)]
    by_hand = torch.cat((clip, t5[0] + 0.6 * (liked[:, chunks:] - t5[1])), dim=1)
    assert c.positive[0][0].shape == by_hand.shape
    assert torch.allclose(c.positive[0][0], by_hand, atol=1e-5)


@named("z_image")
def test_an_encoder_that_does_not_pad_gives_each_side_at_its_own_length(family):
    from viper import host

    c = family.personalised()
    lengths = set()
    for side, text in ((c.liked, f.MANY), (c.disliked, f.DISLIKED)):
        alone = host.encode_text(family.clip, text)
        assert torch.equal(side[0][0], alone.cond), "the words are not evaluated as they are"
        assert torch.equal(side[0][1]["attention_mask"], alone.extra["attention_mask"])
        lengths.add(alone.cond.shape[1])
    assert len(lengths | {family.positive[0][0].shape[1]}) == 3
    mask = c.positive[0][1]["attention_mask"]
    assert mask.shape == (1, max(lengths)) and mask.all(), "the sum has a token wherever one of the texts has one"


@named("hidream")
def test_an_encoders_second_embedding_is_shifted_with_the_first(family):
    from viper import host

    c = family.personalised(beta=0.6)
    key = "conditioning_llama3"
    liked, disliked = (host.encode_text(family.clip, text) for text in (f.MANY, f.DISLIKED))
    empty = host.encode_text(family.clip, "").extra[key]
    E_p, E_liked, E_disliked = family.positive[0][1][key], liked.extra[key], disliked.extra[key]
    missing = E_liked.shape[2] - E_p.shape[2]
    assert missing > 0 and E_disliked.shape == E_p.shape == empty.shape
    E_p, E_disliked = (torch.cat((E, empty[:, :, :missing]), dim=2) for E in (E_p, E_disliked))
    assert torch.allclose(c.positive[0][1][key], E_p + 0.6 * (E_liked - E_disliked), atol=1e-5)
    assert torch.equal(c.liked[0][1][key], liked.extra[key]) and torch.equal(c.disliked[0][1][key], disliked.extra[key])
    half = copy.copy(c)
    half.positive = [[c.positive[0][0], {**c.positive[0][1], key: family.positive[0][1][key]}]]
    whole, first_only = (family.run(g.host_ksample, x) for x in (c, half))
    assert family.differ(whole, first_only) > 1e-3


@named("ltxv")
def test_masked_tokens_of_the_sum_are_those_that_no_text_has(family):
    c = family.personalised()
    masks = [side[0][1]["attention_mask"] for side in (family.positive, c.liked, c.disliked)]
    assert len({int(m.sum()) for m in masks}) == 3
    T = c.positive[0][0].shape[1]
    by_hand = torch.stack([torch.nn.functional.pad(m, (0, T - m.shape[-1])) for m in masks]).amax(0)
    assert torch.equal(c.positive[0][1]["attention_mask"], by_hand)


def windowed(model, dim, schedule="standard_static"):
    """The host's Context Windows (Manual)."""
    from comfy_extras.nodes_context_windows import ContextWindowsManualNode

    known = inspect.signature(ContextWindowsManualNode.execute).parameters
    newer = {"freenoise": False, "cond_retain_index_list": "", "split_conds_to_windows": False}
    return ContextWindowsManualNode.execute(
        model,
        context_length=4,
        context_overlap=2,
        context_schedule=schedule,
        context_stride=1,
        closed_loop=False,
        fuse_method="pyramid",
        dim=dim,
        **{k: v for k, v in newer.items() if k in known},
    ).result[0]


@named("ltxv")
@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence:UserWarning")  # the host's
@pytest.mark.parametrize("schedule", ["standard_static", "batched"])
def test_context_windows_over_a_long_video_are_guided(family, schedule):
    model = windowed(family.model, 2, schedule)
    c, latent = family.personalised(), {"samples": torch.zeros(1, 128, 10, 4, 4)}
    reference = g.by_formula(model, c, latent, **family.sampling)
    for way in g.THREE_WAYS.values():
        assert family.differ(reference, way(model, c, latent, **family.sampling)) < 1e-4
    assert family.differ(reference, g.host_ksample(model, c, latent, **family.sampling)) > 1e-2, "the guidance changes nothing"
    assert family.differ(reference, g.by_node(family.model, c, latent, **family.sampling)) > 1e-3, "the windows change nothing"


@named("sd15")
@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence:UserWarning")
def test_context_windows_cut_the_masks_of_the_liked_and_disliked_side_too(family):
    """Frames as a batch, as AnimateDiff has them, and a mask for every frame on one of two prompts."""
    import nodes

    masks = torch.rand(7, 128, 128, generator=torch.Generator().manual_seed(4))
    other = nodes.ConditioningSetMask().append(g.encode(family.clip, "a blue house"), masks, "default", 1.0)[0]
    c = g.personalised(family.clip, family.positive + other, family.negative)
    for text, side in ((f.MANY, c.liked), (f.DISLIKED, c.disliked)):  # masks matter only where the entries are unlike
        side[1] = [g.encode(family.clip, text)[0][0], side[1][1]]
    model, latent = windowed(family.model, 0), {"samples": torch.zeros(7, 4, 16, 16)}
    sampling = {**family.sampling, "steps": 6}  # 0.3.75 compares the sigmas of all frames with those of all steps
    reference = g.by_formula(model, c, latent, **sampling)
    assert family.differ(reference, g.by_node(model, c, latent, **sampling)) < 1e-4


@named("flux")
def test_flux_without_a_negative_prompt_is_guided_through_the_basic_guider(family):
    from comfy_extras.nodes_custom_sampler import BasicGuider

    from viper.samplers.guider import apply_guidance

    c = family.personalised()
    guider = BasicGuider.execute(apply_guidance(family.model, c.liked, c.disliked, 0.6), c.positive).result[0]
    ours = g.sample_custom(guider, family.latent, scheduler="simple", steps=STEPS)
    assert family.differ(family.run(g.by_formula, c), ours) < 1e-4


@named("flux")
def test_the_distilled_guidance_of_the_prompt_is_that_of_every_branch(family):
    from comfy_extras.nodes_flux import FluxGuidance

    c = family.personalised()
    assert [side[0][1]["guidance"] for side in (c.positive, c.liked, c.disliked)] == [2.5] * 3
    other = copy.copy(c)
    other.liked = FluxGuidance.execute(c.liked, 9.0).result[0]
    assert family.differ(*(family.run(g.by_node, x) for x in (c, other))) > 1e-4


@named("sd15")
def test_a_third_and_fourth_field_with_tokens_are_treated_alike(family):
    """As HunyuanDiT's mT5: another embedding and another mask, both of lengths of their own."""
    from viper import host
    from viper.samplers.conditioning import Texts, personalise

    def encoded(seed, tokens):
        generator = torch.Generator().manual_seed(seed)
        mask = torch.zeros(1, max(4, tokens), dtype=torch.long)
        mask[:, :tokens] = 1
        extra = {"conditioning_mt5xl": torch.randn(1, mask.shape[1], 5, generator=generator), "attention_mask_mt5xl": mask}
        return host.Encoded(*family.positive[0][:1], None, extra)

    prompt, liked, disliked, empty = encoded(1, 3), encoded(2, 6), encoded(3, 2), encoded(4, 1)
    c = personalise([[prompt.cond, prompt.extra]], [], Texts(liked, disliked, empty), 0.6, beta_disliked=0.2)
    key = "conditioning_mt5xl"
    E_p, E_disliked = (torch.cat((e.extra[key], empty.extra[key][:, :2]), dim=1) for e in (prompt, disliked))
    assert torch.allclose(c.positive[0][1][key], E_p + 0.6 * liked.extra[key] - 0.2 * E_disliked, atol=1e-6)
    assert c.positive[0][1]["attention_mask_mt5xl"].tolist() == [[1] * 6]
    for side, alone in ((c.liked, liked), (c.disliked, disliked)):
        assert all(torch.equal(side[0][1][k], v) for k, v in alone.extra.items())


@named("sd15")
def test_what_the_encoder_gives_alike_for_every_text_stays_the_prompts(family):
    """As ACE-Step's lyrics, which are another input of the encoder than the words."""
    from viper import host
    from viper.samplers.conditioning import Texts, personalise

    lyrics, none = torch.tensor([[5, 6, 7]]), torch.tensor([[1]])

    def texts(**by_side):
        encoded = {name: host.encode_text(family.clip, name) for name in ("liked", "disliked", "empty")}
        return Texts(**{k: host.Encoded(e.cond, e.pooled, {"ids": by_side.get(k, none)}) for k, e in encoded.items()})

    prompt = [[family.positive[0][0], {**family.positive[0][1], "ids": lyrics}]]
    out = personalise(prompt, family.negative, texts(), 0.6)
    assert all(side[0][1]["ids"] is lyrics for side in (out.positive, out.liked, out.disliked))
    own = torch.tensor([[9, 9]])
    out = personalise(prompt, family.negative, texts(liked=own), 0.6)  # token numbers of the words themselves
    assert out.positive[0][1]["ids"] is lyrics and out.liked[0][1]["ids"] is own and out.disliked[0][1]["ids"] is none


@named("flux")
def test_a_style_models_attention_bias_stays_with_the_prompt(family):
    """Apply Style Model with attn_bias: a mask between all tokens, not of them."""
    import comfy.clip_vision

    import nodes

    style = SimpleNamespace(get_cond=lambda output: torch.randn(1, 9, 64, generator=torch.Generator().manual_seed(3)))
    styled = nodes.StyleModelApply().apply_stylemodel(family.positive, style, comfy.clip_vision.Output(), 0.5, "attn_bias")[0]
    c = g.personalised(family.clip, styled, family.negative, f.LIKED, f.DISLIKED)
    assert c.positive[0][1]["attention_mask"] is styled[0][1]["attention_mask"]
    assert "attention_mask" not in c.liked[0][1] and c.liked[0][0].shape[1] == 256
    ours = family.run(g.by_node, c)
    assert family.differ(family.run(g.by_formula, c), ours) < 1e-4
    with pytest.raises(ValueError, match="put Apply Style Model after Preference Conditioning"):
        g.personalised(family.clip, styled, family.negative, ", ".join(f"shade {n}" for n in range(120)), f.DISLIKED)


# --- what cannot work says so ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["paper", "official"])
@named("sd3")
def test_a_zeroed_out_conditioning_is_shifted_like_any_other(family, mode):
    import nodes

    zero = nodes.ConditioningZeroOut().zero_out
    positive, negative = zero(family.positive)[0], zero(family.negative)[0]
    c = g.personalised(family.clip, positive, negative, f.MANY, f.DISLIKED, mode=mode)
    assert c.positive[0][0].shape[1] == g.encode(family.clip, f.MANY)[0][0].shape[1]
    bare = SimpleNamespace(positive=positive, negative=negative)
    ours = family.run(g.host_ksample, c)
    assert family.differ(family.run(g.host_ksample, bare), ours) > 1e-3


def test_a_prompt_of_another_family_is_refused_with_a_sentence(build):
    xl, sd = build("sdxl"), build("sd15")
    with pytest.raises(ValueError, match="has 128 channels and this CLIP gives 64: connect the CLIP that encoded the prompt"):
        g.personalised(sd.clip, xl.positive, xl.negative)
    hidream, flux = build("hidream"), build("flux")
    # The same width, but a second embedding that this CLIP does not give: shifted as far as it goes, never changed.
    c = g.personalised(flux.clip, hidream.positive, hidream.negative)
    assert c.positive[0][1]["conditioning_llama3"] is hidream.positive[0][1]["conditioning_llama3"]


@named("flux")
@each_way
def test_an_empty_list_is_refused_with_a_sentence(family, way):
    c = family.personalised()
    for side in ("liked", "disliked"):
        empty = copy.copy(c)
        setattr(empty, side, [])
        with pytest.raises(ValueError, match=f"The {side} conditioning is empty: connect the {side} output"):
            family.run(way, empty)
        assert torch.equal(family.run(way, empty, 0.0), family.run(way, c, 0.0))
    c.positive = []
    with pytest.raises(ValueError, match="The positive conditioning is empty"):
        family.run(way, c)


@named("sdxl")
@each_way
def test_a_model_that_reads_no_words_is_refused_with_a_sentence(family, way, monkeypatch):
    """As Stable Cascade's stage B, which takes the pooled vector only."""
    extra_conds = family.model.model.extra_conds
    monkeypatch.setattr(family.model.model, "extra_conds", lambda **kwargs: {**extra_conds(**kwargs), **constant_context()})
    c = family.personalised()
    with pytest.raises(ValueError, match="reads nothing of the conditioning .* turn on shift_pooled"):
        family.run(way, c)
    pooled = family.personalised(shift_pooled=True)
    ours = family.run(way, pooled)
    assert family.differ(family.run(g.by_formula, pooled), ours) < 1e-4
    family.run(way, family.personalised("", ""))  # nothing to say is fine


def constant_context():
    import comfy.conds

    return {"c_crossattn": comfy.conds.CONDCrossAttn(torch.zeros(1, 77, 128))}
