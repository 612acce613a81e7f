"""What is read off pictures: the equations by hand, and pictures whose look is known because they are drawn here."""

import io
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from viper.vpe import appearance as room
from viper.vpe.appearance import ASPECTS, Appearance, describe, measure
from viper.vpe.attributes import lookup
from viper.vpe.palette import NAMES, name_colors, oklab, palette
from viper.vpe.zero_shot import zero_shot, zero_shot_prompts

ROOT = Path(__file__).resolve().parent.parent


# Pictures (H, W, 3) in [0, 1]


def flat(color, h=256, w=256):
    return np.broadcast_to(np.asarray(color, dtype=np.float32), (h, w, 3)).copy()


def rgb(code):
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)], dtype=np.float32)


def mix(a, b, t):
    return rgb(a) * (1 - t[..., None]) + rgb(b) * t[..., None]


def grid(h=512, w=512):
    """y and x in 0..1."""
    return np.meshgrid(np.linspace(0, 1, h, dtype=np.float32), np.linspace(0, 1, w, dtype=np.float32), indexing="ij")


def disc(picture, color, y, x, r):
    gy, gx = grid(*picture.shape[:2])
    edge = 1 / picture.shape[0]  # drawn with soft edges of a pixel, as a renderer would
    t = np.clip((r - np.hypot(gy - y, gx - x)) / edge + 0.5, 0, 1)[..., None]
    return (picture * (1 - t) + rgb(color) * t).astype(np.float32)


def pastel():
    y, x = grid()
    return mix("f8c8dc", "c4dcf8", (x + y) / 2)


def gray_clouds(seed=0):
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(seed).standard_normal((512, 512)), 24)
    return np.clip(0.5 + 0.22 * field / field.std(), 0.1, 0.9).astype(np.float32)


def sepia():
    return mix("4a3826", "dccbaa", gray_clouds())


def checkerboard():
    y, x = np.mgrid[0:512, 0:512] // 64
    return flat((1, 1, 1), 512, 512) * ((x + y) % 2)[..., None].astype(np.float32)


def line_drawing():
    from PIL import Image, ImageDraw

    sheet = Image.new("L", (1024, 1024), 255)
    draw = ImageDraw.Draw(sheet)
    draw.ellipse((150, 150, 850, 850), outline=0, width=12)
    draw.arc((300, 450, 700, 750), 10, 170, fill=0, width=12)
    draw.line((320, 330, 420, 330), fill=0, width=12)
    draw.line((580, 330, 680, 360), fill=0, width=12)
    return np.repeat(np.asarray(sheet.resize((512, 512), Image.LANCZOS), dtype=np.float32)[..., None] / 255, 3, axis=2)


def icon():
    return disc(disc(flat((1, 1, 1), 512, 512), "e01818", 0.5, 0.5, 0.3), "ffd020", 0.45, 0.5, 0.1)


def outlined_icon():
    return disc(disc(flat((1, 1, 1), 512, 512), "000000", 0.5, 0.5, 0.33), "38a0f0", 0.5, 0.5, 0.3)


def night():
    y, _ = grid()
    picture = mix("04060f", "101c3c", y)
    for i, (py, px) in enumerate(np.random.default_rng(1).random((25, 2))):
        picture = disc(picture, "fff0c0", 0.6 + 0.35 * py, px, 0.004 + 0.001 * (i % 3))
    return picture


def rainbow():
    y, x = grid()
    stripes = ["e81818", "ff8000", "ffe010", "30b830", "18c8d8", "2848d8", "8028c0", "f040a0"]
    return np.stack([rgb(c) for c in stripes])[np.minimum((x * 8).astype(int), 7)]


def grainy():
    noise = np.random.default_rng(2).normal(0, 0.06, (512, 512, 1))
    return np.clip(mix("5a4a40", "a89880", gray_clouds()) + noise, 0, 1).astype(np.float32)


def gravel():
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(3).standard_normal((512, 512)), 1.2)
    return np.repeat(np.clip(0.5 + 0.2 * field / field.std(), 0, 1)[..., None], 3, axis=2).astype(np.float32)


@cache
def scene():
    """Many shapes of many sizes, in focus."""
    rng, picture = np.random.default_rng(4), flat(rgb("3868c0"), 512, 512)
    for _ in range(250):
        y, x = rng.random(2)
        color = "".join(f"{v:02x}" for v in rng.integers(30, 230, 3))
        picture = disc(picture, color, y, x, 0.01 + 0.06 * rng.random())
    return picture


def blurred(sigma=9):
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(scene(), (sigma, sigma, 0))


def sunset():
    y, x = grid()
    return mix("f07818", "106878", np.clip((y - 0.45) * 8, 0, 1))


PICTURES = {
    f.__name__: f
    for f in (pastel, sepia, checkerboard, line_drawing, icon, outlined_icon, night, rainbow, grainy, gravel, scene, blurred, sunset)
}


@pytest.fixture(scope="module")
def measured():
    return {name: measure(draw()) for name, draw in PICTURES.items()}


def names(appearance, aspect, most=9):
    return [name for name, _ in describe(appearance, aspect, most)]


# The equations


def test_oklab_is_ottossons():
    def by_hand(r, g, b):
        r, g, b = ((v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in (r, g, b))
        l_, m_, s_ = (
            (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3),
            (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3),
            (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3),
        )
        return [
            0.2104542553 * l_ + 0.7936177850 * m_ - 0.0040720468 * s_,
            1.9779984951 * l_ - 2.4285922050 * m_ + 0.4505937099 * s_,
            0.0259040371 * l_ + 0.7827717662 * m_ - 0.8086757660 * s_,
        ]

    colors = np.random.default_rng(0).random((20, 3))
    assert np.allclose(oklab(colors), [by_hand(*map(float, c)) for c in colors], atol=1e-12)
    known = {"ffffff": (1, 0, 0), "000000": (0, 0, 0), "ff0000": (0.62796, 0.22486, 0.12585), "0000ff": (0.45201, -0.03246, -0.31153)}
    for code, lab in known.items():
        assert np.allclose(oklab(rgb(code).astype(np.float64)), lab, atol=1e-4), code


@pytest.mark.parametrize("sigma", [0.01, 0.03, 0.08])
def test_noise_sigma_is_that_of_known_grain(sigma):
    clean = gray_clouds()
    noise = np.random.default_rng(5).normal(0, sigma, clean.shape)
    assert room.noise_sigma(clean) < 0.001
    assert room.noise_sigma(clean + noise) == pytest.approx(sigma, rel=0.15)
    with_edges = scene() @ np.array([0.299, 0.587, 0.114], np.float32)
    assert room.noise_sigma(with_edges + noise) == pytest.approx(sigma, rel=0.15)


def test_symmetry_is_the_correlation_with_the_mirror_image():
    half = scene()[:, :256]
    assert measure(np.concatenate([half, half[:, ::-1]], axis=1)).symmetry == pytest.approx(1, abs=1e-3)
    _, x = grid()
    assert measure(mix("000000", "ffffff", x)).symmetry == pytest.approx(-1, abs=0.05)
    assert abs(measure(scene()).symmetry) < 0.5


def test_edges_get_softer_with_the_blur():
    appearances = [measure(blurred(s)) for s in (0.5, 2, 5)]
    soft, crisp = [m.soft for m in appearances], [m.crisp for m in appearances]
    assert soft == sorted(soft) and soft[-1] - soft[0] > 0.5
    assert crisp == sorted(crisp, reverse=True) and crisp[0] - crisp[-1] > 0.5


def test_colorfulness_is_hasler_and_suesstrunks():
    picture = flat(rgb("ff0000"), 64, 64)
    picture[:, 32:] = rgb("0000ff")  # rg is 255 and 0, yb 127.5 and -255
    expected = np.hypot(127.5, 191.25) + 0.3 * np.hypot(127.5, -63.75)
    assert measure(picture).colorfulness == pytest.approx(expected, rel=1e-4)


def test_shrinking_is_area_averaging():
    picture = np.random.default_rng(6).random((60, 90, 3)).astype(np.float32)
    assert np.allclose(room.shrink(picture, 30), picture.reshape(20, 3, 30, 3, 3).mean((1, 3)), atol=1e-6)
    assert np.allclose(room.shrink(picture, 37).mean(), picture.mean(), atol=1e-3)
    assert room.shrink(picture, 90) is picture


# Names of colours


@pytest.mark.parametrize(
    ("code", "name"),
    [("101c48", "navy"), ("2a3350", "navy"), ("7a1024", "burgundy"), ("1a7a78", "teal"), ("40d0c8", "turquoise"), ("b85a38", "terracotta"),
     ("c89a20", "mustard"), ("6b4423", "brown"), ("808000", "olive"), ("9caf88", "sage"), ("c0a8e0", "lavender"), ("ffcba4", "peach"),
     ("e8dcc0", "beige tones"), ("ff7f00", "orange"), ("ffe020", "yellow"), ("d01020", "red"), ("ff70b0", "pink"), ("2060d0", "blue"),
     ("87bce8", "blue"), ("208030", "green"), ("7a2a9a", "purple"), ("808080", "gray"), ("0a0a0a", "black"), ("fafafa", "white")],
)  # fmt: skip
def test_a_color_has_the_name_people_give_it(code, name):
    assert NAMES[name_colors(oklab(rgb(code).astype(np.float64)[None]))[0]] == name


def test_a_palette_has_shares_that_sum_to_one(measured):
    for name, m in measured.items():
        shares = [share for _, share in m.palette]
        assert sum(shares) == pytest.approx(1) and shares == sorted(shares, reverse=True), name
    two = flat(rgb("2060d0"), 10, 10)
    two[:3] = rgb("d01020")
    assert palette(two.reshape(-1, 3)) == [("blue", pytest.approx(0.7)), ("red", pytest.approx(0.3))]


def test_the_paper_under_an_icon_is_no_color_of_it(measured):
    assert dict(measured["icon"].palette).get("white", 0) < 0.05
    assert names(measured["icon"], "color", 3)[:2] == ["vivid colors", "red"]
    sky = measure(disc(flat(rgb("80b8f0"), 512, 512), "e01818", 0.5, 0.5, 0.1))
    assert sky.palette[0][0] == "blue"


# Known pictures


@pytest.mark.parametrize(
    ("picture", "aspect", "present", "absent"),
    [
        ("pastel", "color", {"pastel colors"}, {"vivid colors", "muted colors", "earth tones", "white", "gray"}),
        ("pastel", "light", {"high key lighting"}, {"dark"}),
        ("pastel", "texture", {"smooth"}, {"grainy", "textured"}),
        ("sepia", "color", {"sepia"}, {"vivid colors", "black and white", "colorful"}),
        ("checkerboard", "color", {"black and white"}, {"colorful", "sepia"}),
        ("checkerboard", "contrast", {"high contrast"}, {"low contrast"}),
        ("line_drawing", "color", {"black and white", "black on white"}, {"white on black"}),
        ("line_drawing", "line", {"line art"}, set()),
        ("line_drawing", "light", set(), {"dark"}),
        ("icon", "color", {"vivid colors", "red"}, {"muted colors", "white"}),
        ("icon", "composition", {"isolated subject", "centered composition", "symmetrical composition"}, {"crowded"}),
        ("icon", "detail", {"simplified"}, {"highly detailed"}),
        ("icon", "line", set(), {"outlined", "bold outlines", "line art"}),
        ("outlined_icon", "line", {"bold outlines"}, {"line art"}),
        ("outlined_icon", "color", {"blue"}, {"warm colors"}),
        ("night", "light", {"low key lighting"}, {"bright"}),
        ("night", "color", {"navy"}, {"purple", "pastel colors"}),
        ("rainbow", "color", {"rainbow", "colorful", "vivid colors"}, {"monochrome", "limited palette"}),
        ("grainy", "texture", {"grainy"}, {"smooth"}),
        ("gravel", "texture", {"textured"}, {"smooth", "grainy"}),
        ("gravel", "composition", set(), {"negative space"}),
        ("gravel", "focus", {"sharp focus"}, {"blurred"}),
        ("blurred", "focus", {"blurred"}, {"sharp focus"}),
        ("blurred", "detail", set(), {"highly detailed"}),
        ("sunset", "color", {"teal and orange", "orange", "teal"}, {"monochrome"}),
    ],
)
def test_a_known_picture_has_the_features_it_was_drawn_with(measured, picture, aspect, present, absent):
    found = set(names(measured[picture], aspect))
    assert present <= found and not absent & found, found


def test_a_sharp_subject_before_a_blurred_ground_is_shallow_depth_of_field():
    picture = blurred(6)
    picture[130:380, 150:370] = gravel()[130:380, 150:370]
    assert names(measure(picture), "focus") == ["shallow depth of field"]


def test_inverted_ink_is_white_on_black(measured):
    found = names(measure(1 - line_drawing()), "color")
    assert "white on black" in found and "black on white" not in found


def test_a_hue_over_everything_is_monochrome():
    found = names(measure(mix("08183c", "a8d0ff", gray_clouds())), "color")
    assert {"monochrome", "cool colors", "blue"} <= set(found)


def test_nothing_stands_out_of_a_middling_picture():
    gray = measure(np.repeat(gray_clouds()[..., None] * 0.5 + 0.25, 3, axis=2))
    assert names(gray, "light") == names(gray, "line") == []


# Promises


def test_every_name_is_one_of_the_taxonomys(measured):
    every = {name for m in measured.values() for rule in room._RULES.values() for name, _ in rule(m)} | set(NAMES)
    assert {name for name in every if getattr(lookup(name), "name", None) != name} == set()


def test_names_come_surest_first_and_no_more_than_asked(measured):
    for m in measured.values():
        for aspect in ASPECTS:
            found = describe(m, aspect)
            confidences = [c for _, c in found]
            assert len(found) <= 3 and confidences == sorted(confidences, reverse=True) and all(0.5 < c <= 1 for c in confidences)
            assert len({n for n, _ in found}) == len(found) and describe(m, aspect, 1) == found[:1]


@pytest.mark.parametrize("picture", ["pastel", "sepia", "icon", "outlined_icon", "night", "rainbow", "scene", "sunset"])
def test_size_flip_and_mild_jpeg_change_no_name(measured, picture):
    from PIL import Image

    original = PICTURES[picture]()
    jpeg = io.BytesIO()
    Image.fromarray((original * 255 + 0.5).astype(np.uint8)).save(jpeg, "JPEG", quality=92, subsampling=0)
    others = {
        "2x": np.repeat(np.repeat(original, 2, axis=0), 2, axis=1),
        "flipped": original[:, ::-1],
        "jpeg": np.asarray(Image.open(jpeg), dtype=np.float32) / 255,
    }
    for kind, other in others.items():
        again = measure(other)
        for aspect in ASPECTS:
            sure = {n for n, c in describe(measured[picture], aspect, 9) if c > 0.55}
            assert sure <= set(names(again, aspect)), (kind, aspect)
            assert {n for n, c in describe(again, aspect, 9) if c > 0.55} <= set(names(measured[picture], aspect)), (kind, aspect)


@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (2, 3), (3, 700), (700, 3), (17, 31), (513, 511), (1500, 40), (1025, 2049)])
@pytest.mark.parametrize("kind", ["flat", "random"])
def test_any_size_is_measured(shape, kind):
    picture = flat((0.3, 0.5, 0.7), *shape) if kind == "flat" else np.random.default_rng(7).random((*shape, 3)).astype(np.float32)
    m = measure(picture)
    values = [v for v in vars(m).values() if isinstance(v, float)]
    assert isinstance(m, Appearance) and np.isfinite(values).all()
    for aspect in ASPECTS:
        describe(m, aspect)


@pytest.mark.parametrize("color", ["000000", "ffffff", "808080", "d01020"])
def test_a_flat_picture_is_its_color_and_smooth(color):
    m = measure(flat(rgb(color)))
    assert m.palette[0][1] == pytest.approx(1) and m.noise == m.edges == 0
    assert names(m, "texture") == ["smooth"] and names(m, "line") == names(m, "focus") == []


def test_float16_and_float64_measure_the_same():
    picture = sunset()
    assert names(measure(picture.astype(np.float16)), "color") == names(measure(picture.astype(np.float64)), "color")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (np.zeros((8, 8)), "convert gray"),
        (np.zeros((8, 8, 4), np.float32), "convert gray or transparent"),
        (np.zeros((1, 8, 8, 3), np.float32), "shape"),
        (np.zeros((0, 8, 3), np.float32), "shape"),
        (np.zeros((8, 8, 3), np.uint8), "divide 8-bit"),
        (np.full((8, 8, 3), 255.0), "scale or clip"),
        (np.full((8, 8, 3), np.nan), "scale or clip"),
    ],
)
def test_bad_input_gets_one_sentence(bad, says):
    with pytest.raises(ValueError, match=says) as error:
        measure(bad)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_an_unknown_aspect_names_the_known_ones(measured):
    with pytest.raises(ValueError, match="color, light, contrast"):
        describe(measured["icon"], "smell")


def test_the_picture_is_left_as_it_was():
    picture = icon()
    before = picture.copy()
    measure(picture)
    assert np.array_equal(picture, before)


def test_it_imports_without_torch_and_scipy():
    code = (
        f"import sys, types; p = types.ModuleType('vpe'); p.__path__ = [{str(ROOT / 'vpe')!r}]; sys.modules['vpe'] = p; "
        "import vpe.appearance; assert not {'torch', 'scipy', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_benchmarks_labels_are_the_taxonomys():
    data = json.loads((ROOT / "benchmarks" / "appearance_pictures.json").read_text(encoding="utf-8"))
    labels, pictures = set(data["labels"]), data["pictures"]
    assert {name for name in labels if getattr(lookup(name), "name", None) != name} == set()
    assert len({p["name"] for p in pictures}) == len({p["sha256"] for p in pictures}) == len(pictures) >= 120
    for p in pictures:
        assert set(p["present"]) | set(p["arguable"]) <= labels and not set(p["present"]) & set(p["arguable"]), p["name"]


# Dual encoders


def test_zero_shot_finds_the_text_of_the_picture_and_nothing_in_other_categories():
    rng = np.random.default_rng(8)
    shared, texts = rng.standard_normal(32), rng.standard_normal((12, 32))
    texts = 3 * shared + texts  # as prompts of one encoder are: all alike at first sight
    groups = ["color"] * 4 + ["light"] * 4 + ["line"] * 4
    found = zero_shot(texts[5] * 7, texts, groups, scale=30)
    assert [i for i, _ in found] == [5] and 0.9 < found[0][1] <= 1
    unrelated = np.linalg.svd(texts)[2][-1]  # at right angles to every text
    assert zero_shot(unrelated, texts, groups, scale=30) == []


def test_zero_shot_by_hand():
    # Three texts with mean zero, so that centring leaves them: cosines to the picture 1, -1/2, -1/2.
    texts = np.array([[1.0, 0], [-0.5, 3**0.5 / 2], [-0.5, -(3**0.5) / 2]])
    odds = np.exp(2 * np.array([1, -0.5, -0.5]))
    expected = odds[0] / (odds[0] + odds[1] + odds.mean())
    assert zero_shot([2.0, 0], texts, ["a", "a", "b"], scale=2) == [(0, pytest.approx(expected))]


def test_zero_shot_refuses_two_encoders():
    with pytest.raises(ValueError, match="one encoder"):
        zero_shot(np.ones(4), np.ones((3, 5)), ["a"] * 3)


def test_prompts_hold_the_attribute():
    prompts = zero_shot_prompts("bold outlines")
    assert len(set(prompts)) >= 3 and all("bold outlines" in p for p in prompts)


def test_zero_shot_finds_the_looks_of_the_pocket_encoders(host):
    """56 pictures in seven looks, among the 89 attributes that these encoders know: by chance one in 89 is right."""
    import torch
    from PIL import Image

    from viper.pocket.encoders import image_embeddings, load_pocket_encoders, text_embeddings

    clip_vision, clip = load_pocket_encoders()
    categories = json.loads((ROOT / "pocket" / "vocabulary.json").read_text(encoding="utf-8"))["attributes"]
    attributes = [(wordings[0], category) for category, entries in categories.items() for wordings in entries.values()]
    groups = [category for _, category in attributes]
    texts = [text_embeddings(clip, zero_shot_prompts(name)).mean(0).numpy() for name, _ in attributes]
    sheet = torch.from_numpy(np.array(Image.open(ROOT / "pocket" / "samples.jpg").convert("RGB"))).float() / 255
    pictures = sheet[:1024].view(8, 128, 8, 128, 3).transpose(1, 2)[:, 1:].reshape(56, 128, 128, 3)
    looks = ["pastel", "blue tones", "halftone", "watercolor", "stained glass", "neon sign", "night sky"] * 8
    answers = [zero_shot(e, texts, groups, scale=36) for e in image_embeddings(clip_vision, pictures).numpy()]
    first = [bool(a) and attributes[a[0][0]][0].startswith(look) for a, look in zip(answers, looks, strict=True)]
    among = [any(attributes[i][0].startswith(look) for i, _ in a) for a, look in zip(answers, looks, strict=True)]
    assert np.mean(first) >= 0.7 and np.mean(among) >= 0.8, (np.mean(first), np.mean(among))
    assert np.mean([len(a) for a in answers]) < 4
