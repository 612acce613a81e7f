"""Options, presets, the loss plot and class pictures: what stands around a training, without a host."""

import numpy as np
import pytest
from PIL import Image

from viper.training import class_pictures
from viper.training.errors import TrainingError
from viper.training.options import PRESETS, Training
from viper.training.plot import loss_plot, smoothed


def test_presets_are_the_published_settings():
    settings = {name: Training().options(name) for name in PRESETS}
    assert {name: o.learning_rate for name, o in settings.items() if name != "pocket"} == {
        "SD 1.5": 1e-4, "SDXL": 1e-4, "SD 3": 4e-4, "Flux": 1e-4,
    }  # fmt: skip
    assert [(o.method, o.rank, o.layers) for o in list(settings.values())[:4]] == [("lora", 16, "attention")] * 4
    assert [settings[n].batch_size * settings[n].accumulation for n in ("SD 1.5", "SDXL", "SD 3", "Flux")] == [1, 4, 4, 4]
    assert [settings[n].times for n in ("SDXL", "SD 3", "Flux")] == ["uniform", "logit_normal", "logit_normal"]
    assert PRESETS["Flux"].given == {"guidance": 1.0} and PRESETS["SDXL"].resolution == 1024
    assert Training().with_settings("auto", method="full").options("SD 1.5").learning_rate == 5e-6, "the paper's on Stable Diffusion"


def test_what_is_not_set_follows_the_model_and_what_is_set_stays():
    training = Training().with_settings("auto", rank=32, learning_rate=0.0, layers="preset")
    assert training.set == {"rank": 32}
    sd, flux = training.options("SD 1.5"), training.options("Flux")
    assert (sd.rank, flux.rank, sd.learning_rate, flux.times) == (32, 32, 1e-4, "logit_normal")
    assert Training().with_settings("SDXL").options("SD 1.5").accumulation == 4, "a chosen preset wins over the model's"
    assert sd.job(1, 2, "d").adapter.alpha == 32.0, "alpha 0 is the rank"


def test_chained_options_add_up_and_the_later_one_wins():
    first = Training().with_settings("SDXL", rank=8, ema=0.9)
    both = first.with_settings("auto", rank=4)
    assert both.set == {"rank": 4, "ema": 0.9} and both.preset == "SDXL"


def test_prodigy_starts_at_one_and_warmup_needs_a_schedule_that_has_it():
    assert Training().with_settings("auto", optimizer="prodigy").options("Flux").learning_rate == 1.0
    assert Training().with_settings("auto", optimizer="prodigy", learning_rate=0.5).options("Flux").learning_rate == 0.5
    assert Training().with_settings("auto", warmup_steps=10).options("SDXL").schedule == "constant_with_warmup"


def test_options_go_through_a_file():
    training = Training().with_settings("SD 3", rank=8, preview_prompt="a\nb", text_encoder=True)
    assert Training.from_json(training.to_json()) == training


@pytest.mark.parametrize(
    ("training", "why"),
    [
        (Training(adapter={"kind": "svdiff"}), 'no adapter "svdiff"'),
        (Training(objectives=({"kind": "anchor"},)), 'no objective "anchor"'),
        (Training(augmentations=({"kind": "cut-mix"},)), 'no augmentation "cut-mix"'),
        (Training(preset="SD 9"), 'no preset "SD 9"'),
        (Training(set={"speed": 9}), "no setting 'speed'"),
    ],
)
def test_what_this_version_cannot_do_is_named(training, why):
    with pytest.raises(TrainingError, match=why):
        training.options("SDXL")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 2}', '{"version": 1, "speed": 1}', '{"version": 1, "objectives": 3, "augmentations": []}']
)
def test_unreadable_options_are_one_sentence(text):
    with pytest.raises(TrainingError):
        Training.from_json(text)


# --- the plot -----------------------------------------------------------------------------------------------------------


def test_smoothing_halves_what_is_a_half_life_old_and_starts_at_the_first_value():
    out = smoothed([1.0, 0.0, 0.0], half_life=1.0)
    assert out == pytest.approx([1.0, 0.25 / 0.75, 0.125 / 0.875])
    assert smoothed([3.0] * 50, 10.0) == pytest.approx([3.0] * 50)


@pytest.mark.parametrize(
    "series",
    [
        {"loss": [0.5] * 30, "instance": [0.5] * 30, "learning_rate": [1e-4] * 30},
        {"loss": [0.0] * 3, "instance": [0.0] * 3},
        {"loss": [0.3], "instance": [0.3], "prior": [0.1], "learning_rate": [0.0]},
        {"instance": [1.0, float("nan"), float("inf"), 2.0]},
        {"loss": []},
        {},
    ],
)
def test_any_loss_can_be_plotted(series):
    picture = loss_plot(series, "a subject")
    assert picture.dtype == np.uint8 and picture.shape[2] == 3


def test_plot_shows_subject_class_and_rate_apart():
    def colours(series):
        return {tuple(c) for c in np.unique(loss_plot(series).reshape(-1, 3), axis=0)}

    blue, orange, green = (31, 95, 168), (196, 98, 29), (46, 125, 79)
    full = colours({"instance": [0.5, 0.4, 0.2], "prior": [0.1, 0.2, 0.1], "learning_rate": [1e-3] * 3})
    assert {blue, orange, green} <= full
    assert orange not in colours({"instance": [0.5, 0.4, 0.2], "learning_rate": [1e-3] * 3})


def test_falling_loss_falls_in_the_plot():
    blue = np.array([31, 95, 168])
    picture = loss_plot({"instance": list(np.linspace(1.0, 0.1, 100)), "learning_rate": [1.0] * 100})[60:]  # below the legend
    rows, columns = np.nonzero((picture == blue).all(2))
    left, right = rows[columns < np.quantile(columns, 0.1)].mean(), rows[columns > np.quantile(columns, 0.9)].mean()
    assert right > left + 100


# --- class pictures -----------------------------------------------------------------------------------------------------


def painter(drawn):
    def draw(seeds, done):
        drawn.append((list(seeds), done))
        return [np.full((4, 4, 3), seed, np.uint8) for seed in seeds]

    return draw


def test_class_pictures_are_drawn_once_and_more_are_added(tmp_path):
    drawn = []
    first = class_pictures.complete(tmp_path, 3, painter(drawn), batch=2)
    again = class_pictures.complete(tmp_path, 5, painter(drawn), batch=2)
    assert drawn == [([0, 1], 0), ([2], 2), ([3, 4], 3)]
    assert [p[0, 0, 0] for p in again] == [0, 1, 2, 3, 4] and all((a == b).all() for a, b in zip(first, again, strict=False))


def test_stopped_drawing_goes_on_and_a_broken_file_is_drawn_anew(tmp_path):
    class Cancelled(BaseException):
        pass

    def stopped(seeds, done):
        if done == 2:
            raise Cancelled
        return painter([])(seeds, done)

    with pytest.raises(Cancelled):
        class_pictures.complete(tmp_path, 4, stopped, batch=2)
    (tmp_path / "00001.png").write_bytes(b"half")
    drawn = []
    assert [p[0, 0, 0] for p in class_pictures.complete(tmp_path, 4, painter(drawn))] == [0, 1, 2, 3]
    assert [seeds for seeds, _ in drawn] == [[0], [2], [3]]


def test_key_of_class_pictures_changes_with_all_that_they_depend_on():
    given = ("base", "a dog", 512, 5.0, {})
    keys = {class_pictures.key(*given)}
    for i, other in enumerate(("other", "a cat", 1024, 7.0, {"guidance": 3.5})):
        keys.add(class_pictures.key(*given[:i], other, *given[i + 1:]))
    assert len(keys) == 6


def test_full_disk_is_a_sentence_and_keeps_finished_pictures(tmp_path):
    def draw(seeds, done):
        if done:
            raise OSError(28, "No space left on device")
        return painter([])(seeds, done)

    with pytest.raises(TrainingError, match="No space left.*finished pictures are kept"):
        class_pictures.complete(tmp_path, 2, draw)
    assert Image.open(tmp_path / "00001.png").size == (4, 4)
