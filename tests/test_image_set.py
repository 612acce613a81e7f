"""The image set: what the plan promises, and the node that draws it, resumes it and never loses a picture."""

import json
import logging
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops, features

from viper.vpe import image_set
from viper.vpe.attributes import attributes, lookup
from viper.vpe.errors import ImageSetError
from viper.vpe.image_set import plan, planning, store, subjects
from viper.vpe.image_set import sheet as sheets

CATEGORY = {a.name: a.category for a in attributes()}
SEEDS = range(12)


# --- the plan --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 20, 50, 100, 137, 500])
@pytest.mark.parametrize("seed", SEEDS)
def test_categories_and_subjects_come_equally_often_at_every_length(count, seed):
    pictures = plan(count, seed)
    used = Counter(CATEGORY[name] for p in pictures for name in p.attributes)
    assert len(used) == 20 and max(used.values()) - min(used.values()) <= (1 if count <= 100 else 2)
    assert {len(p.attributes) for p in pictures} == {2, 3}
    shown = Counter(p.subject for p in pictures)
    assert max(shown.values()) - min(shown.values()) <= 1 and len(shown) == min(count, 25)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_attribute_comes_again_before_all_of_its_category_have_come(seed):
    fifty = plan(50, seed)
    assert max(Counter(name for p in fifty for name in p.attributes).values()) == 1
    pools, seen = planning._pools(True), {}
    for picture in plan(500, seed):
        for name in picture.attributes:
            of_category = seen.setdefault(CATEGORY[name], Counter())
            of_category[name] += 1
            others = [of_category[a.name] for a in pools[CATEGORY[name]]]
            assert of_category[name] - min(others) <= 1
    assert {name for s in seen.values() for name in s} == {a.name for pool in pools.values() for a in pool}


# Written down without a look at the tables.
CONTRADICTIONS = [
    ("black and white", "vivid colors"),
    ("black and white", "red"),
    ("monochrome", "rainbow"),
    ("sepia", "neon lighting"),
    ("watercolor", "oil painting"),
    ("watercolor", "photography"),
    ("pixel art", "baroque"),
    ("impasto", "vector art"),
    ("pastel drawing", "3d render"),
    ("dark", "high key lighting"),
    ("nocturnal", "golden hour"),
    ("soft light", "high contrast"),
    ("blurred", "sharp edges"),
    ("glossy", "matte"),
    ("calm", "aggressive"),
    ("cozy", "post-apocalyptic"),
    ("wintry", "warm colors"),
    ("minimalism", "ornate"),
    ("close-up", "crowded"),
    ("muted colors", "neon lighting"),
    ("film grain", "woodcut"),
    ("cyberpunk", "medieval"),
    ("flat composition", "depth"),
]


@pytest.mark.parametrize("a, b", CONTRADICTIONS)
def test_what_contradicts_is_told(a, b):
    assert not planning.compatible(lookup(a), lookup(b)) and not planning.compatible(lookup(b), lookup(a))


@pytest.mark.parametrize("a, b", [("watercolor", "soft light"), ("photography", "foggy"), ("blue", "calm"), ("anime", "night sky")])
def test_what_goes_together_is_let_through(a, b):
    assert lookup(b) is None or planning.compatible(lookup(a), lookup(b))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_picture_contradicts_itself(seed):
    made = {"medium", "print and photography", "digital and built", "movement"}
    pairs = {frozenset(pair) for pair in CONTRADICTIONS}
    for picture in plan(500, seed):
        names = picture.attributes
        categories = [CATEGORY[name] for name in names]
        assert len(set(categories)) == len(names) and len(made & set(categories)) <= 1
        assert not ({"color", "hue"} <= set(categories))
        assert not any(frozenset((a, b)) in pairs for a in names for b in names)
        assert not set(names) & subjects.LEFT_OUT


def test_the_tables_name_attributes_that_exist():
    tables = [subjects.LEFT_OUT, subjects.NEEDS_A_PERSON, subjects.NOT_FROM_AFAR, subjects.MADE_OF, *subjects.MADE.values()]
    tables += [side for clash in subjects.CLASHES for side in clash]
    assert {name for table in tables for name in table} - CATEGORY.keys() == set()
    assert {c for group in subjects.ONE_OF for c in group} <= set(CATEGORY.values())


def test_a_larger_count_only_adds_and_the_same_seed_gives_the_same_plan():
    assert plan(20, 7) == plan(50, 7)[:20] == plan(500, 7)[:20]
    assert plan(50, 7) != plan(50, 8)
    assert len({p.seed for p in plan(500, 7)}) == 500 and all(0 <= p.seed < 2**64 for p in plan(500, 7))


def test_the_plan_is_what_it_was_when_it_was_published():
    """People's sets go on after an update only while the plan stays: a change here redraws every unfinished set."""
    first = plan(2, 0)
    assert [p.caption for p in first] == ["1. a city skyline — dust, bright, romanticism", "2. a butterfly on a flower — wireframe, epic"]


def test_subjects_of_ones_own_are_all_used():
    lines = "a red apple\n\n  a cat \na red apple\na portrait of my aunt"
    pictures = plan(30, 1, lines)
    assert Counter(p.subject for p in pictures) == {"a red apple": 10, "a cat": 10, "a portrait of my aunt": 10}
    assert all(a.subject != b.subject for a, b in zip(pictures, pictures[1:], strict=False))
    faces = [p.subject for p in plan(500, 1, lines) if subjects.NEEDS_A_PERSON & set(p.attributes)]
    assert set(faces) == {"a portrait of my aunt"}
    assert not any(subjects.NEEDS_A_PERSON & set(p.attributes) for p in plan(300, 1, "a teapot"))


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a\\b", "..", ".hidden", "a:b", "CON", "lpt1.x", "x" * 300, "a\nb"])
def test_a_name_that_is_no_plain_folder_name_is_refused(name):
    with pytest.raises(ImageSetError, match=r"^[^\n]+\.$"):
        image_set.set_name(name)


def test_a_plain_name_is_kept():
    assert image_set.set_name("  나의 취향 2 ") == "나의 취향 2"


# --- the node, drawing -----------------------------------------------------------------------------------------------

SMALL = {"count": 5, "seed": 3, "steps": 2, "width": 64, "height": 64}


@pytest.fixture
def folders(host, tmp_path, monkeypatch):
    import folder_paths

    for kind in ("input", "output"):
        (tmp_path / kind).mkdir()
        monkeypatch.setattr(folder_paths, f"{kind}_directory", str(tmp_path / kind))
    return tmp_path


@pytest.fixture
def draw(tiny, folders, as_in_the_host):
    """`draw(name, **inputs)` runs the node on the tiny model; `draw.folder(name)` is where its pictures are."""
    from viper.nodes.image_set import ImageSet

    def run(name="s", **inputs):
        parts = {"model": tiny.model, "clip": tiny.clip, "vae": tiny.vae}
        return ImageSet.execute(name, **{**SMALL, **parts, **inputs}).result

    run.folder = lambda name="s": folders / "output" / "viper" / "sets" / name
    return run


@pytest.fixture
def calls(monkeypatch):
    """Batch sizes the KSampler was called with; `calls.fail_at = n` makes the n-th call raise `calls.error`."""
    from viper.host import painting

    class Calls(list):
        fail_at, error = None, RuntimeError("out of memory")

    calls, real = Calls(), painting.ksampler

    def ksampler(*args):
        if len(calls) + 1 == calls.fail_at:
            calls.fail_at = None
            raise calls.error
        calls.append(len(args[8]["samples"]))
        return real(*args)

    monkeypatch.setattr(painting, "ksampler", ksampler)
    return calls


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_images_sheet_captions_and_files(draw):
    images, sheet, captions = draw()
    assert images.shape == (5, 64, 64, 3) and images.dtype == torch.float32 and 0 <= images.min() and images.max() <= 1
    assert sheet.ndim == 4 and len(sheet) == 1 and sheet.shape[-1] == 3
    planned = plan(5, 3)
    assert captions.splitlines() == [p.caption for p in planned]
    assert files(draw.folder()) == ["0001.png", "0002.png", "0003.png", "0004.png", "0005.png", "set.json"]
    with Image.open(draw.folder() / "0002.png") as picture:
        assert planned[1].prompt in picture.text["parameters"] and f"Seed: {planned[1].seed}" in picture.text["parameters"]
        assert np.array_equal(np.array(picture), (images[1].numpy() * 255).astype(np.uint8))
    manifest = json.loads((draw.folder() / "set.json").read_text(encoding="utf-8"))
    assert manifest["kind"] == "viper-image-set" and manifest["version"] == 1 and manifest["seed"] == 3
    assert [p["prompt"] for p in manifest["pictures"]] == [p.prompt for p in planned]
    assert manifest["settings"]["steps"] == 2 and len(manifest["settings"]["checkpoint"]) == 32


def test_a_picture_is_what_the_hosts_own_nodes_draw_from_its_prompt_and_seed(draw, tiny):
    import nodes
    from viper.tests.guided import encode

    images = draw(negative="blurry")[0]
    second = plan(5, 3)[1]
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    conds = encode(tiny.clip, second.prompt), encode(tiny.clip, "blurry")
    samples = nodes.common_ksampler(tiny.model, second.seed, 2, 5.0, "euler", "simple", *conds, latent)[0]
    pixels = nodes.VAEDecode().decode(tiny.vae, samples)[0]
    assert torch.equal(images[1], torch.from_numpy((255.0 * pixels[0].numpy()).clip(0, 255).astype(np.uint8)) / 255.0)


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others(draw):
    a, b, c = draw("a")[0], draw("b")[0], draw("c", seed=4)[0]
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_a_second_run_draws_nothing_and_gives_the_same(draw, calls):
    first = draw()
    assert calls == [1] * 5
    again = draw()
    assert calls == [1] * 5 and torch.equal(first[0], again[0]) and torch.equal(first[1], again[1]) and first[2] == again[2]


def test_after_an_error_midway_the_next_run_goes_on_where_it_stopped(draw, calls):
    whole = draw("whole")[0]
    calls.clear()
    calls.fail_at = 4
    with pytest.raises(RuntimeError, match="out of memory"):
        draw()
    assert files(draw.folder()) == ["0001.png", "0002.png", "0003.png", "set.json"]
    assert len(json.loads((draw.folder() / "set.json").read_text(encoding="utf-8"))["pictures"]) == 3
    kept = (draw.folder() / "0001.png").stat().st_mtime_ns
    assert torch.equal(draw()[0], whole)
    assert calls == [1] * 5 and (draw.folder() / "0001.png").stat().st_mtime_ns == kept


def test_cancel_stops_within_a_step_and_keeps_what_is_finished(draw, monkeypatch):
    import comfy.model_management as mm
    import comfy.utils

    seen = []

    def hook(value, total, preview, node_id=None):
        seen.append((value, total))
        if len(seen) == 9:  # in the third picture of four steps
            mm.interrupt_current_processing()

    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", hook)
    with pytest.raises(mm.InterruptProcessingException):
        draw(steps=4)
    assert files(draw.folder()) == ["0001.png", "0002.png", "set.json"] and seen[-1] == (9, 20)
    draw(steps=4)
    assert [value for value, _ in seen[9:]] == list(range(9, 21)) and {total for _, total in seen} == {20}
    assert len(files(draw.folder())) == 6


def test_a_larger_count_only_adds_and_a_smaller_one_takes_nothing_away(draw, calls):
    five = draw()[0]
    seven = draw(count=7)[0]
    assert calls == [1] * 7 and torch.equal(seven[:5], five)
    assert torch.equal(draw(count=2)[0], five[:2]) and calls == [1] * 7
    assert len(files(draw.folder())) == 8
    assert len(json.loads((draw.folder() / "set.json").read_text(encoding="utf-8"))["pictures"]) == 7


@pytest.mark.parametrize(
    "change",
    [{"steps": 3}, {"seed": 4}, {"cfg": 4.0}, {"negative": "x"}, {"subjects": "a teapot"}, {"width": 72}, {"sampler_name": "heun"}],
    ids=lambda change: next(iter(change)),
)
def test_changed_settings_draw_anew_and_keep_the_old_pictures(draw, calls, change, caplog):
    draw(count=3)
    before = {p.name: p.read_bytes() for p in draw.folder().iterdir()}
    with caplog.at_level(logging.WARNING, "viper"):
        draw(count=2, **change)
    assert len(calls) == 5 and "old-1" in caplog.text and '3 pictures of the set "s"' in caplog.text
    assert {p.name: p.read_bytes() for p in (draw.folder() / "old-1").iterdir()} == before
    draw(count=3)
    assert (draw.folder() / "old-2").is_dir() and (draw.folder() / "old-1" / "0003.png").read_bytes() == before["0003.png"]


def test_another_checkpoint_is_noticed_and_the_same_one_known_again(draw, tiny, calls):
    from viper.host import checkpoints
    from viper.tests.guided import tiny_model

    def known(model=tiny.model, clip=tiny.clip, vae=tiny.vae):
        return checkpoints.fingerprint(model, clip, vae)

    here, other, twin = known(), tiny_model(seed=1), tiny_model()
    assert here == known(twin.model, twin.clip, twin.vae) == known(tiny.model.clone())
    assert len({here, known(model=other.model), known(clip=other.clip), known(vae=other.vae)}) == 4
    draw()
    assert known() == here
    draw(model=other.model)
    assert len(calls) == 10 and (draw.folder() / "old-1").is_dir()


def test_a_lora_and_model_patches_are_part_of_the_checkpoint(draw, tiny):
    from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete, RescaleCFG

    import nodes
    from viper.host import checkpoints

    name, weight = next((n, w) for n, w in tiny.model.model.named_parameters() if n.endswith("proj_out.weight"))
    patch = torch.ones_like(weight) * 0.1

    def with_lora(strength):
        model = tiny.model.clone()
        model.add_patches({name: ("diff", (patch,))}, strength)
        return model

    def known(model):
        return checkpoints.fingerprint(model, tiny.clip, tiny.vae)

    models = [tiny.model, with_lora(0.5), with_lora(1.0)]
    models += [ModelSamplingDiscrete().patch(tiny.model, kind, False)[0] for kind in ("v_prediction", "eps")]
    models += [RescaleCFG().patch(tiny.model, multiplier)[0] for multiplier in (0.5, 0.7)]
    prints = [known(m) for m in models]
    assert len(set(prints)) == len(models)
    assert known(with_lora(0.5)) == prints[1]
    draw(model=models[1], count=1)  # the host merges the patch into the weights, in place
    assert [known(m) for m in models] == prints
    assert known(RescaleCFG().patch(tiny.model, 0.7)[0]) == prints[-1]
    skipped = nodes.CLIPSetLastLayer().set_last_layer(tiny.clip, -2)[0]
    assert checkpoints.fingerprint(tiny.model, skipped, tiny.vae) != prints[0]


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.int8, torch.uint8])
def test_the_fingerprint_sees_every_kind_of_weight(host, kind):
    from viper.host import checkpoints

    weight = torch.arange(-60, 60).to(kind)
    changed = weight.clone()
    changed.view(torch.uint8)[-1] ^= 1
    assert checkpoints._sample(weight) != checkpoints._sample(changed) and checkpoints._sample(weight)


def test_the_fingerprint_looks_into_the_largest_weights(host):
    from viper.host import checkpoints

    large = torch.zeros(1).expand(2**24 + 3)
    assert len(checkpoints._sample(large)) == 64 * 4 and checkpoints._sample(torch.zeros(0)) == b""


def test_a_broken_or_foreign_file_is_put_aside_and_drawn_anew(draw, calls):
    first = draw()[0]
    (draw.folder() / "0002.png").write_bytes((draw.folder() / "0002.png").read_bytes()[:200])
    Image.new("RGB", (64, 64), "red").save(draw.folder() / "0004.png")
    (draw.folder() / "0005.png").unlink()
    (draw.folder() / "notes.txt").write_text("mine")
    assert torch.equal(draw()[0], first) and len(calls) == 8
    assert files(draw.folder() / "old-1") == ["0002.png", "0004.png", "set.json"]
    (draw.folder() / "set.json").write_text("{broken")
    assert torch.equal(draw()[0], first) and len(calls) == 8


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_a_batch_draws_the_pictures_of_their_own_seeds(draw, calls, batch):
    singly = draw("singly")[0]
    calls.clear()
    together = draw("together", batch=batch)[0]
    assert calls == {2: [2, 2, 1], 3: [3, 2], 8: [5]}[batch]
    assert (singly - together).abs().max() <= 2 / 255
    draw("singly", batch=batch)
    assert len(calls) == len({2: [2, 2, 1], 3: [3, 2], 8: [5]}[batch]), "a batch alone is no reason to draw anew"


def test_prompts_that_cannot_be_evaluated_together_are_drawn_one_after_another(draw, calls, monkeypatch):
    from viper import host as pack_host

    singly, real = draw("singly")[0], pack_host.encode_prompt
    calls.clear()
    monkeypatch.setattr(pack_host, "encode_prompt", lambda clip, text: [[c, {**e, "mark": text}] for c, e in real(clip, text)])
    assert torch.equal(draw("apart", batch=3)[0], singly) and calls == [1] * 5


def test_what_comes_in_is_never_changed(draw, tiny):
    import copy

    options, state = copy.deepcopy(tiny.model.model_options), {k: v.clone() for k, v in tiny.model.model.state_dict().items()}
    draw(batch=2)
    assert tiny.model.model_options == options and not tiny.model.wrappers.get("outer_sample")
    assert all(torch.equal(v, state[k]) for k, v in tiny.model.model.state_dict().items())


def test_prompts_stay_out_of_the_files_when_the_host_writes_no_metadata(draw, calls, monkeypatch):
    from comfy.cli_args import args

    monkeypatch.setattr(args, "disable_metadata", True)
    draw()
    with Image.open(draw.folder() / "0001.png") as picture:
        assert list(json.loads(picture.text["viper"])) == ["key"] and "parameters" not in picture.text
    draw()
    assert len(calls) == 5


def test_a_full_disk_is_said_in_one_sentence(draw, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_save", full)
    with pytest.raises(ImageSetError, match=r"No space left.*space and permissions.*\.$"):
        draw()


def test_half_a_wiring_says_what_is_missing(draw):
    with pytest.raises(ImageSetError, match="connect clip and vae too"):
        draw(clip=None, vae=None)


def test_a_folder_beside_a_wired_model_is_said_to_be_unused(draw, caplog):
    with caplog.at_level(logging.WARNING, "viper"):
        draw(folder="mine", count=1)
    assert '"mine" is not used' in caplog.text


def test_an_artists_own_attributes_are_drawn_too(draw, folders, monkeypatch):
    from viper import host
    from viper.vpe.attributes import extend

    own = folders / "attributes.json"
    own.write_text(json.dumps({"categories": {"my own": [["torn edges"], ["chalk dust"]]}}), encoding="utf-8")
    monkeypatch.setattr(host, "attributes_file", lambda: own)
    try:
        assert "torn edges" in draw(count=20, steps=1)[2] and "chalk dust" in draw(count=20, steps=1)[2]
    finally:
        extend(folders / "none.json")


def test_the_pictures_show_on_the_node_by_their_files(draw, tiny):
    from viper import host
    from viper.nodes.image_set import ImageSet

    shown = ImageSet.execute("s", **SMALL, model=tiny.model, clip=tiny.clip, vae=tiny.vae).ui.as_dict()["images"]
    assert len(shown) == 5 and shown[0] == {"filename": "0001.png", "subfolder": "viper/sets/s", "type": "output"}
    assert host.picture_path("0001.png", "viper/sets/s", "output") == (draw.folder() / "0001.png").resolve()


# --- the node, a folder of one's own ---------------------------------------------------------------------------------


@pytest.fixture
def own(folders, as_in_the_host):
    """`own(**inputs)` runs the node on `own.folder`, a new folder "mine" inside the input folder."""
    from viper.nodes.image_set import ImageSet

    def run(folder="mine", count=50, seed=0, **inputs):
        return ImageSet.execute("unused", count, seed, folder=folder, **inputs).result

    run.folder = folders / "input" / "mine"
    run.folder.mkdir()
    return run


def color_at(image, x, y):
    return tuple(round(v * 255) for v in image[y, x].tolist())


def test_a_folder_gives_its_pictures_as_they_are_in_a_persons_order(own, folders):
    for n in (10, 2, 1):
        Image.new("RGB", (40, 30), (n, 0, 0)).save(own.folder / f"pic {n}.png")
    (own.folder / "notes.txt").write_text("no picture")
    (own.folder / ".hidden.png").write_bytes(b"")
    images, sheet, captions = own()
    assert captions.splitlines() == ["1. pic 1.png", "2. pic 2.png", "3. pic 10.png"]
    assert images.shape == (3, 30, 40, 3) and [color_at(i, 5, 5)[0] for i in images] == [1, 2, 10]
    assert len(sheet) == 1 and not (folders / "output" / "viper").exists()


def test_every_kind_of_file_is_read(own):
    kinds = ["a.png", "b.jpg", "c.JPEG", "d.webp", "e.bmp"] + (["f.avif"] if features.check("avif") else [])
    for name in kinds:
        Image.new("RGB", (32, 32), (200, 40, 40)).save(own.folder / name)
    images, _, captions = own()
    assert [line.split(". ")[1] for line in captions.splitlines()] == kinds
    assert all(abs(color_at(i, 5, 5)[0] - 200) < 8 for i in images)


def test_other_shapes_stand_on_neutral_grey(own):
    for n in range(3):
        Image.new("RGB", (60, 40), "red").save(own.folder / f"wide {n}.png")
    Image.new("RGB", (40, 60), "blue").save(own.folder / "x tall.png")
    images = own()[0]
    assert images.shape == (4, 40, 60, 3)
    assert color_at(images[3], 2, 20) == (128, 128, 128) and color_at(images[3], 30, 20) == (0, 0, 255)
    Image.new("RGB", (30, 90), "green").save(own.folder / "y.png")
    for n in range(4):
        Image.new("RGB", (30 + n, 50), "green").save(own.folder / f"z {n}.png")
    assert own()[0].shape == (9, 90, 90, 3)
    assert own(width=64, height=72)[0].shape == (9, 72, 72, 3)


def test_turned_and_transparent_and_deep_pictures(own):
    turned = Image.new("RGB", (60, 40), "red")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(own.folder / "a.jpg", exif=exif)
    Image.new("RGBA", (40, 60), (0, 0, 0, 0)).save(own.folder / "b.png")
    Image.new("P", (40, 60)).save(own.folder / "c.png", transparency=0)
    Image.fromarray(np.full((60, 40), 32896, dtype=np.uint16)).save(own.folder / "d.png")
    images = own()[0]
    assert images.shape == (4, 60, 40, 3)
    assert color_at(images[1], 5, 5) == color_at(images[2], 5, 5) == (255, 255, 255) and color_at(images[3], 5, 5) == (128, 128, 128)


def test_a_broken_file_is_left_out_with_a_warning_that_names_it(own, caplog):
    for n in range(3):
        Image.effect_noise((64, 64), 60).save(own.folder / f"{n}.jpg")
    (own.folder / "1.jpg").write_bytes((own.folder / "1.jpg").read_bytes()[:300])
    (own.folder / "9.png").write_bytes(b"no picture at all")
    with caplog.at_level(logging.WARNING, "viper"):
        assert own()[2] == "1. 0.jpg\n2. 2.jpg"
        assert len(own(count=2)[0]) == 2
    assert "1.jpg" in caplog.text and "9.png" in caplog.text


def test_of_more_pictures_the_seed_chooses_and_their_order_stays(own):
    for n in range(30):
        Image.new("RGB", (16, 16), (n, n, n)).save(own.folder / f"{n}.png")

    def chosen(**inputs):
        return [int(line.split(". ")[1].removesuffix(".png")) for line in own(**inputs)[2].splitlines()]

    eight = chosen(count=8, seed=1)
    assert len(eight) == 8 and eight == sorted(eight) == chosen(count=8, seed=1)
    assert eight != chosen(count=8, seed=2) and set(eight) < set(chosen(count=12, seed=1)) and chosen() == list(range(30))


@pytest.mark.parametrize("folder, reason", [("", "Connect model"), ("nowhere", "no folder"), ("mine", "no picture")])
def test_a_missing_or_empty_folder_is_said_in_one_sentence(own, folder, reason):
    with pytest.raises(ImageSetError, match=rf"{reason}[^\n]*\.$"):
        own(folder)


@pytest.mark.parametrize("folder", ["../output", "mine/../..", "/etc", "..\\output", "mine/../../elsewhere"])
def test_a_folder_outside_of_input_is_refused_before_and_in_the_run(own, folder):
    from viper.nodes.image_set import ImageSet

    assert "input folder" in ImageSet.validate_inputs(folder=folder)
    with pytest.raises(ValueError, match="is not inside"):
        own(folder)


def test_a_link_that_leaves_the_input_folder_is_refused(own, folders):
    try:
        (own.folder.parent / "link").symlink_to(folders / "output", target_is_directory=True)
    except OSError:
        pytest.skip("no links on this system")
    with pytest.raises(ValueError, match="is not inside"):
        own("link")


def test_a_changed_folder_runs_the_node_anew_and_nothing_else_does(own):
    from viper.nodes.image_set import ImageSet

    def fingerprint():
        return ImageSet.fingerprint_inputs(name="x", folder="mine", count=3, model=None)

    Image.new("RGB", (16, 16)).save(own.folder / "a.png")
    before = fingerprint()
    assert fingerprint() == before
    Image.new("RGB", (16, 16)).save(own.folder / "b.png")
    assert fingerprint() != before
    assert ImageSet.fingerprint_inputs(name="x", folder="", count=3) == ImageSet.fingerprint_inputs(name="y", count=9) == ""


@pytest.mark.parametrize(
    "inputs, reason",
    [({"name": "../up"}, "name"), ({"sampler_name": "magic"}, "no sampler called"), ({"scheduler": "never"}, "no scheduler called")],
)
def test_bad_inputs_are_refused_before_the_run(host, inputs, reason):
    from viper.nodes.image_set import ImageSet

    assert reason in ImageSet.validate_inputs(**inputs)
    assert ImageSet.validate_inputs(name="fine", folder="", sampler_name="euler", scheduler="karras") is True


# --- the sheet -------------------------------------------------------------------------------------------------------


def test_the_sheet_shows_every_picture_with_its_caption():
    pictures = [np.full((90, 120, 3), 10 * n, np.uint8) for n in range(1, 8)]
    sheet = image_set.contact_sheet(pictures, [("a subject of some length", "one, two, three")] * 7)
    assert all((sheet == 10 * n).all(axis=2).sum() > 20_000 for n in range(1, 8))
    bare = image_set.contact_sheet(pictures, [("", "")] * 7)
    assert (sheet < 90).all(axis=2).sum() > (bare < 90).all(axis=2).sum()


@pytest.mark.parametrize("count", [1, 2, 3, 50, 101])
def test_the_sheet_is_about_as_wide_as_high(count):
    height, width, _ = image_set.contact_sheet([np.zeros((64, 64, 3), np.uint8)] * count, [("x", "y")] * count).shape
    assert 0.3 < width / height < 3


@pytest.mark.parametrize("text", ["a word and another word " * 9, "supercalifragilistic" * 9, "", "고양이 " * 30])
def test_a_long_caption_is_broken_and_cut(text):
    font = sheets.font_for(16, text)
    lines = sheets.wrapped(text, font, 200, 3)
    assert len(lines) <= 3 and all(font.getlength(line) <= 200 for line in lines)
    assert not text or lines[-1].endswith("…")


# --- over HTTP -------------------------------------------------------------------------------------------------------


def graph(**inputs):
    sampling = {"steps": 2, "cfg": 4.0, "sampler_name": "euler", "scheduler": "simple", "width": 128, "height": 128, "batch": 1}
    parts = {"model": ["pocket", 0], "clip": ["pocket", 1], "vae": ["pocket", 2]}
    return {
        "pocket": {"class_type": "ViPerLoadPocketModel", "inputs": {}},
        "set": {"class_type": "ViPerImageSet", "inputs": {"name": "http", "count": 4, "seed": 0, **parts, **sampling, **inputs}},
        "sheet": {"class_type": "PreviewImage", "inputs": {"images": ["set", 1]}},
        "said": {"class_type": "ViPerCommentOnImages", "inputs": {"comments": "I love the soft light", "images": ["set", 0]}},
        "show": {"class_type": "PreviewAny", "inputs": {"source": ["set", 2]}},
    }


def test_through_the_host_it_draws_shows_and_goes_on_after_a_cancel(client, server):
    from viper.devtools.client import ExecutionFailed

    folder = server.base / "output" / "viper" / "sets" / "http"
    totals = set()

    def cancel_in_the_third(event):
        if event["type"] == "progress":
            totals.add(event["data"]["max"])
            if event["data"]["value"] == 45:
                client.interrupt()

    with pytest.raises(ExecutionFailed) as failure:
        client.run(graph(steps=20), on_event=cancel_in_the_third)
    assert failure.value.interrupted and totals == {80} and files(folder) == ["0001.png", "0002.png", "set.json"]
    kept = (folder / "0001.png").stat().st_mtime_ns
    entry = client.run(graph(steps=20))
    assert [p.size for p in client.images(entry, "set")] == [(128, 128)] * 4 and len(client.images(entry, "sheet")) == 1
    assert len(client.texts(entry)["show"][0].splitlines()) == 4
    assert (folder / "0001.png").stat().st_mtime_ns == kept
    first = client.images(entry, "set")
    again = client.images(client.run(graph(name="http again", steps=20)), "set")
    assert all(ImageChops.difference(a.convert("RGB"), b.convert("RGB")).getbbox() is None for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    "inputs, reason",
    [
        ({"name": "../outside"}, "name cannot hold"),
        ({"folder": "../output"}, "not inside"),
        ({"sampler_name": "magic"}, "no sampler called"),
        ({"count": 501}, "bigger than max"),
    ],
)
def test_through_the_host_bad_input_is_refused_before_the_run(client, inputs, reason):
    from viper.devtools.client import Refused

    with pytest.raises(Refused, match=reason):
        client.run(graph(**inputs))


def test_through_the_host_a_folder_of_ones_own(client, server):
    folder = server.base / "input" / "mine"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (64, 48), "teal").save(folder / "a.png")
    whole = graph(folder="mine")
    for part in ("model", "clip", "vae"):
        del whole["set"]["inputs"][part]
    del whole["pocket"]
    assert client.texts(client.run(whole))["show"] == ["1. a.png"]
    Image.new("RGB", (64, 48), "navy").save(folder / "b.png")
    entry = client.run(whole)
    assert client.texts(entry)["show"] == ["1. a.png\n2. b.png"] and len(client.images(entry, "set")) == 2
