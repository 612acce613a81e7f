"""A training out of a file: lessons that travel, and processes that together do what one does."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from viper.tests.host_server import host_path, use_host

use_host()

from viper.tests.test_training_lessons import Subject, of_family  # noqa: E402
from viper.tests.test_training_trainer import Toy  # noqa: E402
from viper.training import launch  # noqa: E402
from viper.training.adapters import AdapterSettings  # noqa: E402
from viper.training.errors import TrainingError  # noqa: E402
from viper.training.job import Job  # noqa: E402
from viper.training.lesson_files import load_lessons, save_lessons  # noqa: E402
from viper.training.lessons import DreamBooth, Lesson  # noqa: E402
from viper.training.native import NativeModel  # noqa: E402
from viper.training.text import Text, TextModel  # noqa: E402
from viper.training.trainer import STATE, Trainer  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
# Not the words' layers of the network: at this size some have gradients of mere rounding (1e-9), of which Adam makes full steps.
SETTINGS = AdapterSettings(rank=2, alpha=2.0, layers=r"attn1\.")
JOB = Job(seed=5, steps=3, batch_size=2, accumulation=2, learning_rate=1e-4, adapter=SETTINGS, text_encoder=True)


# --- lessons as a file -------------------------------------------------------------------------------------------------------


def equal(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b) and a.dtype is b.dtype
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a) if isinstance(a, dict) else a == b


@pytest.mark.parametrize("name", ["sdxl", "sd3", "flux", "z_image", "hidream"])
def test_lessons_go_through_a_file_that_holds_numbers_only(name, tmp_path):
    s = Subject(of_family(name))
    instances = [replace(s.instances[0], mask=torch.rand(1, 1, 16, 16), prompt="a vuqix dog", given={"guidance": 1.0, "size": (8, 8)})]
    priors = [replace(s.priors[0], frozen=True), s.priors[1]]
    save_lessons(tmp_path / "lessons.pt", instances, priors)
    torch.load(tmp_path / "lessons.pt", weights_only=True)
    again = load_lessons(tmp_path / "lessons.pt")
    for before, after in zip((instances, priors), again, strict=True):
        for a, b in zip(before, after, strict=True):
            assert equal(a.latent, b.latent) and (a.mask is b.mask is None or equal(a.mask, b.mask))
            assert (a.frozen, a.prompt, a.given) == (b.frozen, b.prompt, b.given) and a.conds.keys() == b.conds.keys()
            assert all(type(cond) is type(b.conds[key]) and equal(cond.cond, b.conds[key].cond) for key, cond in a.conds.items())
    level = torch.tensor([0.4])
    with torch.no_grad(), s.native.step():
        lesson = again[0][0]
        said = s.native.predict(lesson.latent, level, [lesson.conds])
        assert torch.equal(said, s.native.predict(instances[0].latent, level, [instances[0].conds]))


def test_what_lessons_share_is_written_once(tmp_path):
    s = Subject()
    save_lessons(tmp_path / "one.pt", s.instances[:1], [])
    latent = s.instances[0].latent
    save_lessons(tmp_path / "many.pt", [Lesson(latent.clone(), s.native.conds(s.cond, latent)) for _ in range(20)], [])
    assert (tmp_path / "many.pt").stat().st_size < (tmp_path / "one.pt").stat().st_size + 20_000


def test_prompts_with_more_than_numbers_are_refused_and_unreadable_files_named(tmp_path):
    import comfy.conds

    class Own(comfy.conds.CONDRegular):
        pass

    latent = torch.zeros(1, 4, 2, 2)
    for lesson in (Lesson(latent, {"x": Own(latent)}), Lesson(latent, {"x": comfy.conds.CONDConstant(object())}),
                   Lesson(latent, {}, given={"control": object()})):  # fmt: skip
        with pytest.raises(TrainingError, match="cannot be written to a file"):
            save_lessons(tmp_path / "a.pt", [lesson], [])
    (tmp_path / "b.pt").write_bytes(b"no lessons")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_lessons(tmp_path / "b.pt")
    torch.save({"version": 2}, tmp_path / "c.pt")
    with pytest.raises(TrainingError, match="another version"):
        load_lessons(tmp_path / "c.pt")
    kept = {"latent": latent, "mask": None, "conds": {"x": ("Exploit", 1)}, "frozen": False, "prompt": "", "given": {}}
    torch.save({"version": 1, "instances": [kept], "priors": []}, tmp_path / "d.pt")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_lessons(tmp_path / "d.pt")


# --- job files -----------------------------------------------------------------------------------------------------------------


def test_job_goes_through_a_file_and_finds_what_lies_beside_it(tmp_path):
    model = {"unet": "flux.safetensors", "clip": ["l.safetensors", "/models/t5.safetensors"], "clip_type": "flux"}
    launch.JobFile(JOB, Path("state"), Path("lessons.pt"), model).write(tmp_path / "job.json")
    read = launch.JobFile.read(tmp_path / "job.json")
    assert (read.job, read.folder, read.lessons) == (JOB, tmp_path / "state", tmp_path / "lessons.pt")
    assert read.model == {"unet": str(tmp_path / "flux.safetensors"), "clip_type": "flux",
                          "clip": [str(tmp_path / "l.safetensors"), "/models/t5.safetensors"]}  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps({"version": 2}))
    with pytest.raises(TrainingError, match="newer version"):
        launch.JobFile.read(tmp_path / "job.json")
    for text in ("", "[]", '{"version": 1}'):
        (tmp_path / "job.json").write_text(text)
        with pytest.raises(TrainingError, match="no job file that can be read"):
            launch.JobFile.read(tmp_path / "job.json")


def test_model_that_cannot_be_loaded_is_named(tmp_path):
    for where, why in (({}, "named by checkpoint, or by unet"), ({"unet": "x", "clip": ["y"], "clip_type": "zz"}, "no clip_type 'zz'"),
                       ({"checkpoint": str(tmp_path / "none.safetensors")}, "The model cannot be loaded")):  # fmt: skip
        with pytest.raises(TrainingError, match=why):
            launch._model(where, True)


def test_accelerate_is_asked_for_when_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(TrainingError, match="needs the library accelerate"):
        launch.together()


def test_sharded_models_are_refused(monkeypatch):
    accelerate = pytest.importorskip("accelerate", reason="needs the optional package accelerate")
    sharded = SimpleNamespace(distributed_type=accelerate.utils.DistributedType.FSDP)
    monkeypatch.setattr(accelerate, "Accelerator", lambda **settings: sharded)
    with pytest.raises(TrainingError, match="each process holds the whole model"):
        launch.together()


def test_batch_that_cannot_be_shared_evenly_is_refused(tmp_path):
    class Three(launch.Together):
        def __init__(self):
            self.index, self.count = 0, 3

    with pytest.raises(TrainingError, match="A batch of 2 cannot be shared by 3 processes"):
        Trainer(replace(JOB, batch_size=2), Toy(), tmp_path, peers=Three())


# --- processes -----------------------------------------------------------------------------------------------------------------


class Mirrored:
    """Two processes whose other half sees nothing: a stand-in that halves what it is given."""

    index, count = 0, 2

    def mean(self, tensors):
        for tensor in tensors:
            tensor.detach().mul_(0.5)


def test_gradients_and_figures_are_those_of_all_processes(tmp_path):
    job = replace(JOB, batch_size=4)
    both = Trainer(job, Toy(job), tmp_path / "a", peers=Mirrored())
    told = both._gradients(lambda: None)
    alone = Trainer(replace(job, batch_size=2, max_grad_norm=0.0), Toy(job), tmp_path / "b")
    assert both.task.seen == [0, 1, 4, 5] and alone._gradients(lambda: None)["loss"] > 0 and told["loss"] > 0
    only = Trainer(job, Toy(job), tmp_path / "c", peers=Mirrored())
    only.peers.index = 1
    only.save()
    assert not (tmp_path / "c").exists(), "the first process writes"


@pytest.fixture
def order(tmp_path):
    """A job on the pocket model, its text encoder too: two pictures of a subject, one of its class."""
    from viper.pocket.loader import load_pocket_model

    model, clip, _ = load_pocket_model()
    native = NativeModel(model)
    native.load()

    def lesson(prompt, seed):
        latent = torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            cond = clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
        return Lesson(latent, native.conds(cond, latent), prompt=prompt)

    save_lessons(tmp_path / "lessons.pt", [lesson("a vuqix dog", i) for i in range(2)], [lesson("a dog", 9)])
    launch.JobFile(JOB, Path("together"), Path("lessons.pt")).write(tmp_path / "job.json")

    def alone(folder):
        adapters, of_text = native.adapters(JOB.adapter, JOB.seed), TextModel(clip)
        text = Text(of_text, of_text.adapters(JOB.adapter, JOB.seed))
        task = DreamBooth(native, adapters, *load_lessons(tmp_path / "lessons.pt"), JOB, text)
        return Trainer(JOB, task, tmp_path / folder)

    return tmp_path / "job.json", alone


def test_two_processes_learn_what_one_learns_from_the_whole_batch(order):
    """Started as `accelerate launch` does it, on the CPU; the state they leave is one process's own."""
    pytest.importorskip("accelerate", reason="needs the optional package accelerate")
    job, alone = order
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    world |= {"OMP_NUM_THREADS": "1", "COMFYUI_PATH": str(host_path())}
    started = [
        subprocess.Popen(
            [sys.executable, str(ROOT / "train.py"), "--config", str(job)],
            env={**os.environ, **world, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        told = [process.communicate(timeout=120)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], told

    one = alone("alone")
    with one.task.attached():
        one.run()
    other = alone("together")  # goes on with what the two have left
    assert other.resume() and other.done == JOB.steps and (other.folder / STATE).is_file()
    theirs, ours = ({n: p.detach() for n, p in t.task.named_parameters().items()} for t in (other, one))
    learned = [name for name in ours if name.endswith(".B")]  # which began at zero
    apart = sum(float((theirs[n] - ours[n]).square().sum()) for n in learned) ** 0.5
    moved = sum(float(ours[n].square().sum()) for n in learned) ** 0.5
    # Not weight by weight: where a gradient is all but zero, Adam makes a full step of how its sum was rounded.
    assert moved > 1e-3 and apart < 0.01 * moved, (apart, moved)
    for series, values in one.series.items():
        assert other.series[series] == pytest.approx(values, rel=1e-4)
    from safetensors.torch import load_file

    saved = load_file(other.folder / launch.RESULT)
    unet, text = other.task.tensors(torch.bfloat16)
    assert text and saved.keys() == {**unet, **text}.keys()
