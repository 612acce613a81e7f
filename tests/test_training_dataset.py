"""What a training learns from: sizes, crops, masks, captions, digests, and the sentences for what cannot be learned from."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from viper.training.dataset import VIEWS, Dataset, Picture, as_float, buckets, covering, nearest
from viper.training.errors import DatasetError, TrainingError
from viper.training.gather import SHORTER_SIDE, captions_of, fill, gather, masks_of
from viper.training.preview import sheet


def ramp(height, width):
    """Red grows to the right, green downwards, blue is even: a place can be told from its colour."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([x, y, torch.full_like(x, 0.5)], -1)


def dataset(*pictures, **settings):
    return Dataset("vuqix", "dog", tuple(Picture(p, None, "a vuqix dog") for p in pictures), **settings)


def folder_of(path, **pictures):
    path.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        picture.save(path / f"{name}.png")
    return path


# --- words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identifier, noun, trigger, of_class", [("vuqix", "dog", "a vuqix dog", "a dog"), ("vuqix", "", "a vuqix", ""),
                                                                 ("", "dog", "a dog", "a dog"), ("", "", "", "")])  # fmt: skip
def test_prompts_are_the_papers(identifier, noun, trigger, of_class):
    made = Dataset(identifier, noun, ())
    assert (made.trigger, made.class_prompt) == (trigger, of_class)


def test_no_caption_is_the_trigger_for_all_one_is_for_all_and_more_are_one_each():
    assert captions_of("", [None] * 3, "vuqix", "dog") == ["a vuqix dog"] * 3
    assert captions_of("\n a photo of [V] \n", [None] * 3, "vuqix", "dog") == ["a photo of vuqix"] * 3
    assert captions_of("[V] [class] in snow\na [v] [Class]", [None] * 2, "vuqix", "dog") == ["vuqix dog in snow", "a vuqix dog"]
    assert captions_of(["", "of [V]\n in snow"], [None, "beside"], "vuqix", "dog") == ["a vuqix dog", "of vuqix in snow"]


def test_another_number_of_captions_is_refused_with_both_numbers():
    with pytest.raises(DatasetError, match="2 captions for 3 pictures"):
        captions_of("one\ntwo", [None] * 3, "vuqix", "dog")
    assert issubclass(DatasetError, TrainingError)


def test_words_that_are_empty_leave_no_gap_and_backslashes_stay():
    assert fill("a [V] [class] in snow", "vuqix", "") == "a vuqix in snow"
    assert fill("a [V]", r"v\1", "") == r"a v\1"


def test_a_subject_without_any_name_is_refused():
    with pytest.raises(DatasetError, match="has no name"):
        gather(" ", "", [ramp(8, 8)])
    assert gather("", "", [ramp(8, 8)], captions="my thing").instances[0].caption == "my thing"


def test_captions_beside_the_pictures_count_when_none_are_written(tmp_path):
    folder = folder_of(tmp_path / "dogs", a=Image.new("RGB", (8, 8)), b=Image.new("RGB", (8, 8)), c=Image.new("RGB", (8, 8)))
    (folder / "a.txt").write_text("\ufeffa [V] [class]\nin snow\n", encoding="utf-8")
    (folder / "b.txt").write_text(" \n", encoding="utf-8")
    read = gather("vuqix", "dog", [ramp(8, 8)], folder)
    assert [p.caption for p in read.instances] == ["a vuqix dog", "a vuqix dog in snow", "a vuqix dog", "a vuqix dog"]
    assert [p.caption for p in gather("vuqix", "dog", [], folder, captions="of [V]").instances] == ["of vuqix"] * 3
    (folder / "c.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"c.txt, the caption of c.png.*UTF-8"):
        gather("vuqix", "dog", [], folder)


def test_an_identifier_that_no_caption_holds_is_told(caplog):
    with caplog.at_level(logging.WARNING, "viper"):
        gather("vuqix", "dog", [torch.rand(3, 8, 8, 3)], captions="a dog")
        assert 'The identifier "vuqix" stands in no caption' in caplog.text
        caplog.clear()
        gather("vuqix", "dog", [torch.rand(3, 8, 8, 3)])
    assert caplog.text == ""


# --- pictures ------------------------------------------------------------------------------------------------------------


def test_batches_and_pictures_of_any_size_come_in_their_order_before_the_folder(tmp_path):
    folder = folder_of(tmp_path / "dogs", b10=Image.new("RGB", (10, 6), "red"), b2=Image.new("RGB", (4, 4), "blue"))
    read = gather("vuqix", "dog", [torch.rand(2, 5, 7, 3), torch.rand(9, 3, 3)], folder, class_images=[torch.rand(2, 4, 4, 3)],
                  class_folder=folder)  # fmt: skip
    assert [p.size for p in read.instances] == [(5, 7), (5, 7), (9, 3), (4, 4), (6, 10)]
    assert [p.size for p in read.class_pictures] == [(4, 4), (4, 4), (4, 4), (6, 10)]
    assert {p.caption for p in read.class_pictures} == {"a dog"}


def test_what_is_transparent_becomes_white(tmp_path):
    rgba = torch.tensor([[[1.0, 0.0, 0.0, 0.25]]])
    assert torch.allclose(gather("v", "", [rgba]).instances[0].pixels, torch.tensor([[[1.0, 0.75, 0.75]]]))
    folder = folder_of(tmp_path / "dogs", a=Image.new("RGBA", (2, 2), (255, 0, 0, 0)))
    assert (gather("v", "", [], folder).instances[0].pixels == 255).all()


def test_files_stand_upright_and_photographs_are_reduced(tmp_path):
    (tmp_path / "dogs").mkdir()
    lying = Image.new("RGB", (3000, 2400), "navy")
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(tmp_path / "dogs" / "a.jpg", exif=exif)
    size = gather("v", "", [], tmp_path / "dogs").instances[0].size
    assert size == (SHORTER_SIDE * 3000 // 2400, SHORTER_SIDE)
    assert gather("v", "", [], tmp_path / "dogs", resolution=2400).instances[0].size == (3000, 2400)


def test_a_file_that_cannot_be_read_is_named_and_so_is_an_empty_or_missing_folder(tmp_path):
    folder = folder_of(tmp_path / "dogs")
    with pytest.raises(DatasetError, match='"dogs" holds no picture'):
        gather("v", "", [], folder)
    (folder / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="broken.png cannot be read"):
        gather("v", "", [], folder)
    with pytest.raises(DatasetError, match='no folder "cats"'):
        gather("v", "", [], tmp_path / "cats")
    with pytest.raises(DatasetError, match="no picture of the subject"):
        gather("v", "")


def test_each_file_may_stop_the_reading(tmp_path):
    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        gather("v", "", [], folder_of(tmp_path / "dogs", a=Image.new("RGB", (2, 2))), before_each=stop)


@pytest.mark.parametrize("count, told", [(1, True), (2, True), (3, False), (20, False), (21, True)])
def test_too_few_and_too_many_are_told_once(count, told, caplog):
    with caplog.at_level(logging.WARNING, "viper"):
        gather("v", "", [torch.rand(count, 2, 2, 3)])
    assert ("3 to 5 are advised" in caplog.text) == told and len(caplog.records) == told


# --- buckets -------------------------------------------------------------------------------------------------------------


def test_buckets_of_512_by_hand():
    wide = [(512, 512), (448, 576), (448, 640), (384, 640), (384, 704)]
    assert set(buckets(512, 8)) == set(wide) | {(w, h) for h, w in wide}
    assert buckets(512, 8)[0] == (512, 512) and buckets(512, 64) == buckets(512, 8)


@pytest.mark.parametrize("resolution", [24, 64, 128, 512, 768, 1000, 1024])
@pytest.mark.parametrize("multiple", [8, 16, 64])
def test_buckets_have_about_the_same_area_and_the_vaes_sides(resolution, multiple):
    for h, w in buckets(resolution, multiple):
        assert h % multiple == w % multiple == 0 and 0.5 <= h / w <= 2
        assert abs(h * w / resolution**2 - 1) <= 0.1 or h == w
        assert (w, h) in buckets(resolution, multiple)


def test_a_picture_goes_to_the_nearest_aspect_ratio():
    sizes = buckets(512, 8)
    assert nearest((100, 100), sizes) == (512, 512)
    assert nearest((3000, 4000), sizes) == (448, 576) and nearest((4000, 3000), sizes) == (576, 448)
    assert nearest((1080, 1920), sizes) == (384, 704) and nearest((100, 1000), sizes) == (384, 704)


def test_between_1_2_and_2_1_little_is_cropped():
    sizes = buckets(1024, 8)
    kept = []
    for width in range(500, 2001, 7):
        h, w = nearest((1000, width), sizes)
        scaled = covering((1000, width), (h, w))
        kept.append(h * w / (scaled[0] * scaled[1]))
    assert min(kept) > 0.85


@pytest.mark.parametrize("size", [(37, 53), (512, 512), (480, 640), (1999, 1001), (100, 1000), (3, 2), (1, 1)])
@pytest.mark.parametrize("fit", ["buckets", "square"])
def test_the_scaled_picture_covers_its_bucket_undistorted(size, fit):
    made = dataset(torch.rand(*size, 3), fit=fit, crop="random", scale=0.3)
    for view in made.views(128, 8, 0):
        h, w = view.pixels.shape[:2]
        (height, width), (top, left) = view.size, view.corner
        assert 0 <= top <= height - h and 0 <= left <= width - w
        assert abs(height * size[1] / size[0] - width) <= max(1, size[1] / size[0]), "stretched by more than a pixel"
        assert (h, w) == (128, 128) or fit == "buckets"


def test_square_is_one_size_in_the_vaes_multiples():
    shapes = {tuple(v.pixels.shape) for v in dataset(ramp(50, 90), ramp(90, 50), fit="square").views(100, 8, 0)}
    assert shapes == {(96, 96, 3)}


def test_the_datasets_own_resolution_wins():
    assert dataset(ramp(64, 64), resolution=64).views(512, 8, 0)[0].pixels.shape == (64, 64, 3)
    assert dataset(ramp(64, 64)).views(128, 8, 0)[0].pixels.shape == (128, 128, 3)


def test_enlarged_pictures_are_told(caplog):
    with caplog.at_level(logging.WARNING, "viper"):
        dataset(ramp(200, 200), ramp(20, 20), ramp(30, 30)).views(64, 8, 0)
    assert "Pictures 2, 3: smaller" in caplog.text and len(caplog.records) == 1


# --- views ---------------------------------------------------------------------------------------------------------------


def test_a_picture_of_the_right_size_is_taken_as_it_is():
    picture = torch.rand(64, 64, 3)
    (view,) = dataset(picture).views(64, 8, 0)
    assert torch.equal(view.pixels, picture) and (view.size, view.corner, view.picture) == ((64, 64), (0, 0), 0)
    assert view.caption == "a vuqix dog"


def test_the_centre_is_cropped_by_hand():
    (view,) = dataset(ramp(64, 100), fit="square").views(64, 8, 0)
    assert view.size == (64, 100) and view.corner == (0, 18)
    assert torch.equal(view.pixels, ramp(64, 100)[:, 18:82])


@pytest.mark.parametrize("settings, count", [({}, 1), ({"flip": True}, 2), ({"crop": "random"}, VIEWS), ({"scale": 0.2}, VIEWS),
                                             ({"scale": 0.2, "flip": True, "crop": "random"}, VIEWS)])  # fmt: skip
def test_every_picture_has_as_many_views(settings, count):
    views = dataset(ramp(64, 100), ramp(64, 64), **settings).views(64, 8, 0)
    assert [v.picture for v in views] == [0] * count + [1] * count


def test_the_mirrored_view_is_the_mirror_of_the_other_and_its_corner_lies_in_the_mirrored_picture():
    plain, mirrored = dataset(ramp(64, 101), fit="square", flip=True).views(64, 8, 0)
    assert torch.equal(mirrored.pixels, plain.pixels.flip(1))
    assert torch.equal(mirrored.pixels, ramp(64, 101).flip(1)[:, mirrored.corner[1]:][:, :64])
    assert plain.corner == (0, 18) and mirrored.corner == (0, 19) and mirrored.size == plain.size


def test_half_of_the_random_views_are_mirrored():
    views = dataset(ramp(64, 100), flip=True, crop="random", fit="square").views(64, 8, 3)
    assert [bool(v.pixels[0, 0, 0] > v.pixels[0, -1, 0]) for v in views] == [False, True] * (VIEWS // 2)


def test_random_crops_reach_both_ends_and_never_leave_the_picture():
    lefts = {v.corner[1] for seed in range(40) for v in dataset(ramp(64, 68), crop="random", fit="square").views(64, 8, seed)}
    assert lefts == {0, 1, 2, 3, 4}


def test_zoom_is_drawn_from_1_to_1_and_scale():
    made = dataset(ramp(64, 64), scale=0.5)
    zooms = [v.size[0] / 64 for seed in range(30) for v in made.views(64, 8, seed)]
    assert 1 <= min(zooms) < 1.05 and 1.45 < max(zooms) <= 1.5 and abs(np.mean(zooms) - 1.25) < 0.03
    assert all(v.corner == ((v.size[0] - 64) // 2,) * 2 for v in made.views(64, 8, 0)), "centre"


def test_the_same_seed_gives_the_same_views_and_another_picture_changes_none_of_them():
    made = dataset(ramp(64, 100), crop="random", scale=0.2)
    more = dataset(ramp(64, 100), ramp(80, 64), crop="random", scale=0.2)
    first = [(v.size, v.corner) for v in made.views(64, 8, 7)]
    assert first == [(v.size, v.corner) for v in made.views(64, 8, 7)] == [(v.size, v.corner) for v in more.views(64, 8, 7)[:VIEWS]]
    assert first != [(v.size, v.corner) for v in made.views(64, 8, 8)] and len(set(first)) > 4


def test_views_can_be_counted_sliced_and_taken_from_the_end():
    views = dataset(ramp(64, 64), ramp(64, 80), flip=True).views(64, 8, 0)
    assert len(views) == 4 and [v.picture for v in views[1:3]] == [0, 1] and views[-1].picture == 1
    with pytest.raises(IndexError):
        views[4]


def test_class_views_are_plain_whatever_the_settings():
    mask = torch.zeros(64, 100)
    made = Dataset("vuqix", "dog", (), (Picture(ramp(64, 100), mask, "anything"),), fit="square", crop="random", flip=True, scale=0.5)
    (view,) = made.class_views(64, 8, 5)
    assert view.mask is None and view.caption == "a dog" and torch.equal(view.pixels, ramp(64, 100)[:, 18:82])


def test_scaling_down_averages_instead_of_picking():
    checks = (torch.arange(256)[:, None] + torch.arange(256)) % 2
    (view,) = dataset(checks[..., None].repeat(1, 1, 3).float()).views(64, 8, 0)
    assert (view.pixels - 0.5).abs().max() < 0.1 and 0 <= view.pixels.min() and view.pixels.max() <= 1


def test_views_made_outside_of_inference_mode_of_pictures_made_inside_can_be_learned_from():
    with torch.inference_mode():
        made = dataset(torch.rand(32, 32, 3), flip=True)
    view = made.views(64, 8, 0)[1]
    (view.pixels * torch.ones(3, requires_grad=True)).sum().backward()


# --- masks ---------------------------------------------------------------------------------------------------------------


def test_masks_follow_scale_crop_and_flip():
    picture = ramp(128, 200)
    mask = (picture[..., 0] > 0.5).float()
    made = Dataset("v", "", (Picture(picture, mask, "v"),), crop="random", flip=True, scale=0.4, fit="square")
    for view in made.views(64, 8, 1):
        sure = (view.pixels[..., 0] - 0.5).abs() > 0.02
        assert torch.equal(view.mask[sure] > 0.5, view.pixels[..., 0][sure] > 0.5)
        assert view.mask.shape == view.pixels.shape[:2]


def test_outside_of_the_mask_counts_as_much_as_is_said():
    mask = torch.tensor([[0.0, 1.0], [0.5, 0.0]])
    made = Dataset("v", "", (Picture(torch.rand(2, 2, 3), mask, "v"),), outside_mask=0.2, fit="square")
    assert torch.allclose(made.views(2, 1, 0)[0].mask, torch.tensor([[0.2, 1.0], [0.6, 0.2]]))


def test_one_mask_is_for_all_and_is_brought_to_each_size(caplog):
    mask = torch.zeros(1, 10, 20)
    mask[..., 10:] = 1
    pictures = [torch.rand(20, 40, 3), torch.rand(10, 20, 3), torch.rand(20, 20, 3)]
    with caplog.at_level(logging.WARNING, "viper"):
        sized = masks_of([mask], pictures, 0.0)
    assert [tuple(m.shape) for m in sized] == [(20, 40), (10, 20), (20, 20)] and torch.equal(sized[1], mask[0])
    assert caplog.text.count("another shape") == 1 and "picture 3 has another shape (20 × 10) than the picture (20 × 20)" in caplog.text


def test_masks_that_do_not_fit_in_number_or_are_empty_are_refused():
    pictures = [torch.rand(4, 4, 3)] * 3
    with pytest.raises(DatasetError, match="2 masks for 3 pictures"):
        masks_of([torch.ones(2, 4, 4)], pictures, 0.0)
    with pytest.raises(DatasetError, match="Mask 2 is empty"):
        masks_of([torch.ones(4, 4), torch.zeros(1, 4, 4), torch.ones(4, 4)], pictures, 0.0)
    assert masks_of([torch.zeros(4, 4)], pictures, 0.5)[2].sum() == 0
    with pytest.raises(DatasetError, match="another size"):
        Dataset("v", "", (Picture(torch.rand(4, 4, 3), torch.ones(4, 5), "v"),))


# --- digest --------------------------------------------------------------------------------------------------------------


def test_the_digest_changes_with_everything_that_decides_what_is_learned():
    picture = Picture(ramp(8, 8), torch.ones(8, 8), "a vuqix dog")
    made = Dataset("vuqix", "dog", (picture, picture), (Picture(ramp(4, 4), None, "a dog"),))
    other = picture.pixels.clone()
    other[3, 3, 1] += 1e-3
    changed = [
        *(replace(made, **{name: value}) for name, value in {"identifier": "w", "class_noun": "cat", "resolution": 512, "fit": "square",
          "crop": "random", "flip": True, "scale": 0.1, "outside_mask": 0.5}.items()),
        *(replace(made, instances=(picture, new)) for new in (replace(picture, pixels=other), replace(picture, caption="x"),
          replace(picture, mask=None), replace(picture, mask=torch.zeros(8, 8)), Picture(other.reshape(4, 16, 3), None, "x"))),
        replace(made, instances=(picture,)),
        replace(made, class_pictures=()),
        replace(made, instances=made.instances + made.class_pictures, class_pictures=()),
    ]  # fmt: skip
    digests = {d.digest() for d in (made, *changed)}
    assert len(digests) == len(changed) + 1 and len(made.digest()) == 64


def test_the_digest_is_the_same_for_the_same_dataset_and_for_files_read_either_way():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    hosts = torch.from_numpy(levels.astype(np.float32) / 255.0)  # what Load Image gives
    held = torch.from_numpy(levels)
    assert torch.equal(as_float(held), hosts)
    assert dataset(held).digest() == dataset(hosts).digest() == dataset(hosts.clone()).digest()


@pytest.mark.parametrize("settings", [{"fit": "round"}, {"crop": "left"}, {"resolution": -1}, {"scale": -0.1}, {"outside_mask": 1.1}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(DatasetError):
        dataset(ramp(4, 4), **settings)


# --- the sheet -----------------------------------------------------------------------------------------------------------


def test_the_sheet_shows_every_picture_even_when_there_are_more_views_than_fit(monkeypatch):
    import viper.training.preview as preview

    shown = []
    monkeypatch.setattr(preview, "contact_sheet", lambda pictures, captions: shown.extend(zip(pictures, captions, strict=True)))
    colours = [torch.full((64, 64, 3), n / 10) for n in range(10)]
    made = Dataset("v", "dog", tuple(Picture(c, None, "v") for c in colours), tuple(Picture(c, None, "") for c in colours), crop="random")
    preview.sheet(replace(made, resolution=64))
    names = [below for _, (_, below) in shown]
    assert len(shown) == 32 and names[-8:] == [f"class picture {n}, 64 × 64" for n in range(1, 9)]
    assert [names[:24].count(f"picture {n}, 64 × 64") for n in range(1, 11)] == [3] * 4 + [2] * 6


def test_what_counts_less_is_dimmed():
    mask = torch.zeros(64, 64)
    mask[:, 32:] = 1
    made = Dataset("v", "", (Picture(torch.ones(64, 64, 3), mask, ""),), resolution=64)
    bright = sheet(replace(made, instances=(replace(made.instances[0], mask=None),)))
    dimmed = sheet(made)
    assert (dimmed == 64).all(2).sum() > 10_000 and (bright == 64).all(2).sum() < 100


def test_the_modules_import_no_host():
    for name in ("dataset", "gather", "preview"):
        lines = (Path(__file__).parents[1] / "training" / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if "import" in line.split() and ("comfy" in line or "host" in line)]
