"""DreamBooth Train in the host: what comes out, what is kept, what stays as it was. A tiny random model."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image

pytestmark = pytest.mark.usefixtures("as_in_the_host")

OPTIONS = {"rank": 4, "batch_size": 1, "class_images": 3, "preview_every": 2, "save_every": 2, "learning_rate": 0.01}


@pytest.fixture
def places(host, tmp_path, monkeypatch):
    """The host's folders, in a temporary place."""
    import folder_paths

    import viper.host

    monkeypatch.setattr(viper.host, "training_folder", lambda name: tmp_path / "training" / name)
    monkeypatch.setattr(viper.host, "class_picture_folder", lambda key: tmp_path / "class pictures" / key)
    monkeypatch.setattr(viper.host, "subject_folder", lambda: tmp_path / "loras" / "viper")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "loras", ([str(tmp_path / "loras")], {".safetensors"}))
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    return tmp_path


@pytest.fixture(scope="module")
def model(host):
    from viper.tests.guided import tiny_model

    with torch.inference_mode():
        return tiny_model()


def pictures(count=3, size=64):
    generator = torch.Generator().manual_seed(5)
    return [torch.rand(size, size, 3, generator=generator) for _ in range(count)]


def dataset(**more):
    from viper.training.dataset import Dataset, Picture

    taken = tuple(Picture(p, None, "a vuqix dog") for p in pictures())
    return Dataset(**{"identifier": "vuqix", "class_noun": "dog", "instances": taken, "resolution": 64, **more})


@pytest.fixture
def train(places, model):
    from viper.training.options import Training
    from viper.training.session import Session

    def run(data=None, steps=4, name="my dog", resume=True, seed=0, say=lambda text: None, **options):
        training = Training().with_settings("pocket", **{**OPTIONS, **options})
        session = Session(model.model, model.clip, model.vae, data or dataset(), name, steps, seed, training, resume, say)
        return session.run()

    return run


def bits(model):
    return {name: t.detach().clone() for name, t in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def never(*args):
    raise AssertionError("encoded again")


def drawn(model, clip, vae, prompt="a vuqix dog", size=64):
    import viper.host as host

    painter = host.Painter(model, vae, host.encode_prompt(clip, ""), 4, 2.0, "euler", "simple", size, size, 1)
    return painter.draw([3], [host.encode_prompt(clip, prompt)], 0)


def test_what_comes_out_carries_the_subject_and_the_model_that_came_in_does_not(train, model):
    before, hooks = bits(model.model.model), hook_count(model)
    plain = drawn(model.model, model.clip, model.vae)
    out = train()
    assert same(bits(model.model.model), before) and hook_count(model) == hooks
    assert torch.equal(drawn(model.model, model.clip, model.vae), plain), "bit for bit"
    assert (drawn(out.model, out.clip, model.vae) - plain).abs().max() > 1e-3
    assert out.subject.trigger == "a vuqix dog" and out.subject.class_noun == "dog"
    assert all(name.startswith("lora_unet_") for name in out.subject.unet) and not out.subject.text
    assert len(out.series["loss"]) == len(out.series["instance"]) == len(out.series["prior"]) == 4
    assert all(isinstance(v, float) for values in out.series.values() for v in values)


def hook_count(model):
    layers = list(model.model.model.modules()) + list(model.clip.cond_stage_model.modules())
    return sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) + ("forward" in vars(layer)) for layer in layers)


def test_same_seed_trains_the_same_weights_and_another_seed_does_not(train):
    a, b, c = train(name="a"), train(name="b"), train(name="c", seed=1)
    assert same(a.subject.unet, b.subject.unet) and not same(a.subject.unet, c.subject.unet)


def test_cancelled_training_goes_on_to_the_same_weights(train, places, model, monkeypatch):
    import viper.host as host

    whole = train(name="whole")
    before = bits(model.model.model)

    class Cancelled(BaseException):
        pass

    told = []

    def stop():
        if any(text.startswith("step 3") for text in told):
            raise Cancelled

    monkeypatch.setattr(host, "stop_if_cancelled", stop)
    with pytest.raises(Cancelled):
        train(name="cut", say=told.append)
    assert same(bits(model.model.model), before) and hook_count(model) == 0, "nothing is left in the model"
    monkeypatch.setattr(host, "stop_if_cancelled", lambda: None)
    told.clear()
    again = train(name="cut", say=told.append)
    assert [t[:6] for t in told if t.startswith("step")] == ["step 4"], "three steps were kept"
    assert same(whole.subject.unet, again.subject.unet) and whole.series == again.series


def test_finished_training_comes_back_without_being_encoded_or_trained_again(train, model, monkeypatch):
    first = train()

    monkeypatch.setattr(model.vae, "encode", never)
    told = []
    again = train(say=told.append)
    assert same(first.subject.unet, again.subject.unet) and not told
    assert (again.sheet == first.sheet).all() and (again.plot == first.plot).all()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_strength_of_what_comes_out_is_that_of_the_hosts_loader(train, model, places, method, monkeypatch):
    import viper.host as host

    whole = train(method=method, text_encoder=True, prior="off")
    shots = sorted((places / "training" / "my dog" / "previews").iterdir())

    monkeypatch.setattr(model.vae, "encode", never)
    told = []
    weak = train(method=method, text_encoder=True, prior="off", subject_strength=0.5, say=told.append)
    assert not told and weak.series == whole.series, "nothing is trained again"
    assert weak.subject.settings["subject_strength"] == 0.5 and not same(weak.subject.tensors, whole.subject.tensors)
    loaded, clip, _ = host.with_lora(model.model, model.clip, whole.subject.tensors, 0.5, 0.5)
    picture = drawn(weak.model, weak.clip, model.vae)
    torch.testing.assert_close(picture, drawn(loaded, clip, model.vae), rtol=0.0, atol=1e-4)
    assert (picture - drawn(whole.model, whole.clip, model.vae)).abs().max() > 1e-3
    now = sorted((places / "training" / "my dog" / "previews").iterdir())
    assert set(shots) < set(now) and len(now) == len(shots) + 1, "a preview of its own"
    again = train(method=method, text_encoder=True, prior="off")
    assert same(again.subject.tensors, whole.subject.tensors) and (again.sheet == whole.sheet).all()


def test_previews_show_the_strength_that_comes_out(train, places):
    train(prior="off", name="half", subject_strength=0.5)
    train(prior="off", name="whole")
    halves, wholes = (sorted((places / "training" / name / "previews").iterdir()) for name in ("half", "whole"))
    assert [p.name[:6] for p in halves] == [p.name[:6] for p in wholes]
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(halves, wholes, strict=True))


def test_more_steps_go_on_from_where_the_training_stands(train):
    whole = train(steps=6, name="whole")
    train(steps=4)
    told = []
    more = train(steps=6, say=told.append)
    assert [t[:6] for t in told if t.startswith("step")] == ["step 5", "step 6"] and same(more.subject.unet, whole.subject.unet)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rank": 8}, "rank 8 instead of 4"),
        ({"learning_rate": 0.02}, "learning rate 0.02 instead of 0.01"),
        ({"seed": 1}, "seed 1 instead of 0"),
        ({"prompt_preservation": 0.5}, "other pictures, words or another model; prompt preservation 0.5 instead of 0.0"),
        ({"data": {"identifier": "other"}}, "other pictures, words or another model"),
    ],
)
def test_another_configuration_is_refused_before_anything_is_made(train, places, change, why):
    from viper.training.errors import TrainingError

    train(prior="off")
    state = (places / "training" / "my dog" / "state.pt").read_bytes()
    data = dataset(**change["data"]) if "data" in change else None
    with pytest.raises(TrainingError, match=why):
        train(data, prior="off", **{k: v for k, v in change.items() if k != "data"})
    assert (places / "training" / "my dog" / "state.pt").read_bytes() == state


def test_preserved_prompts_belong_to_the_training_and_only_where_they_count(train, places):
    from viper.training.errors import TrainingError

    first = train(prior="off", preserved_prompts="a blue [V] [class]")
    assert same(train(prior="off", preserved_prompts="never read").subject.unet, first.subject.unet), "it is off: the same training"
    kept = train(name="kept", prior="off", prompt_preservation=0.9, preserved_prompts="a blue [V] [class]\na [V] [class] at sea")
    assert not same(kept.subject.unet, first.subject.unet)
    with pytest.raises(TrainingError, match="other pictures, words or another model"):
        train(name="kept", prior="off", prompt_preservation=0.9, preserved_prompts="a blue [V] [class]")
    with pytest.raises(TrainingError, match='"a dog at sea" does not name the subject'):
        train(name="none", prior="off", prompt_preservation=0.9, preserved_prompts="a dog at sea")
    assert not (places / "training" / "none").exists()


def test_starting_over_keeps_the_former_training(train, places):
    first = train(prior="off")
    train(prior="off", rank=8, resume=False)
    again = train(prior="off", rank=4, resume=False)
    assert sorted(p.name for p in (places / "training").iterdir()) == ["my dog", "my dog.old-1", "my dog.old-2"]
    assert same(first.subject.unet, again.subject.unet)


def test_class_pictures_are_made_once_for_all_trainings_of_the_class(train, places, monkeypatch):
    import viper.host as host

    counted = []
    draw = host.Painter.draw
    monkeypatch.setattr(host.Painter, "draw", lambda self, seeds, *args: counted.append(len(seeds)) or draw(self, seeds, *args))
    train(name="a", steps=1)
    shots = 1  # the preview
    assert sum(counted) == 3 + shots
    train(name="b", steps=1, seed=1)
    assert sum(counted) == 3 + 2 * shots
    files = sorted((places / "class pictures").rglob("*.png"))
    assert [f.name for f in files] == ["00001.png", "00002.png", "00003.png"] and Image.open(files[0]).size == (64, 64)


def test_priors_of_every_kind_train(train):
    from viper.training.dataset import Picture
    from viper.training.errors import TrainingError

    own = dataset(class_pictures=tuple(Picture(p) for p in pictures(2)))
    series = {prior: train(own, name=prior, prior=prior, steps=2).series for prior in ("auto", "supplied", "made", "frozen", "off")}
    assert series["auto"] == series["supplied"] != series["made"]
    assert series["off"]["prior"] == [] and series["frozen"]["prior"][0] < 1e-8 < series["frozen"]["prior"][1]
    with pytest.raises(TrainingError, match="no class pictures"):
        train(name="none", prior="supplied")


def test_previews_are_kept_and_shown_with_ones_own_pictures(train, places):
    prompts = "[V] [class] in snow\n\n a [class] "
    out = train(steps=5, preview_prompt=prompts)
    names = sorted(p.name[:6] for p in (places / "training" / "my dog" / "previews").iterdir())
    assert names == ["000002", "000004", "000005"]
    assert Image.open(next((places / "training" / "my dog" / "previews").iterdir())).size == (128, 64), "two prompts side by side"
    assert out.sheet.shape[0] > 4 * 128 and out.sheet.dtype == np.uint8


def test_mask_is_brought_to_the_latents_size(train, places, model):
    from viper.training.dataset import Picture
    from viper.training.native import NativeModel
    from viper.training.session import Session

    mask = torch.zeros(64, 64)
    mask[:, :32] = 1.0
    data = dataset(instances=(Picture(pictures(1)[0], mask, "a vuqix dog"),), outside_mask=0.25)
    session = Session(model.model, model.clip, model.vae, data, "masked", 1, 0, None)
    native = NativeModel(model.model)
    native.load()
    lesson = session.lesson(native, data.views(64, 8, 0)[0])
    assert lesson.mask.shape == (1, 1, 8, 8) and not lesson.latent.is_inference()
    assert lesson.mask[0, 0, 0].tolist() == [1.0] * 4 + [0.25] * 4


def test_first_step_falls_back_where_memory_is_short_and_learns_the_same(train, monkeypatch):
    from viper.training.lessons import DreamBooth

    plain = train(name="plain", batch_size=2, prior="off")
    preflight, seen = DreamBooth.preflight, []

    def short(self):
        seen.append((self.native.checkpointing, self.job.batch_size, self.job.accumulation))
        if len(seen) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return preflight(self)

    monkeypatch.setattr(DreamBooth, "preflight", short)
    told = []
    saved = train(name="short", batch_size=2, prior="off", say=told.append)
    assert seen == [(False, 2, 1), (True, 2, 1), (True, 1, 2)]
    assert any("gradient checkpointing is on · each batch in 2 parts" in text for text in told)
    # Not weight by weight: where a gradient is all but zero, Adam makes a full step of how its sum was rounded.
    assert saved.series["loss"] == pytest.approx(plain.series["loss"], rel=1e-3) and len(set(plain.series["loss"])) == 4
    more = train(name="short", batch_size=2, prior="off", steps=5)
    assert len(more.series["loss"]) == 5, "another run, with more memory, goes on"


@pytest.mark.parametrize(
    ("setting", "why"), [("auto", "lower resolution .now 64., rank .now 4."), ("off", "turn gradient_checkpointing on")]
)
def test_out_of_memory_names_the_settings_to_change(train, monkeypatch, setting, why):
    from viper.training.errors import TrainingError
    from viper.training.lessons import DreamBooth

    def full(self):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(DreamBooth, "preflight", full)
    with pytest.raises(TrainingError, match=why):
        train(gradient_checkpointing=setting, prior="off")


def test_out_of_memory_in_the_middle_keeps_what_was_trained(train, monkeypatch):
    from viper.training.errors import TrainingError
    from viper.training.lessons import DreamBooth

    loss, seen = DreamBooth.loss, []

    def runs_full(self, numbers):
        seen.append(numbers)
        if len(seen) == 4:  # the preflight is the first
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loss(self, numbers)

    monkeypatch.setattr(DreamBooth, "loss", runs_full)
    with pytest.raises(TrainingError, match="kept"):
        train(prior="off")
    monkeypatch.setattr(DreamBooth, "loss", loss)
    told = []
    train(prior="off", say=told.append)
    assert next(t for t in told if t.startswith("step")).startswith("step 3 of 4")


# --- files --------------------------------------------------------------------------------------------------------------


def test_saved_subject_brings_its_prompt_along_and_draws_the_same_picture(train, places, model, caplog):
    from viper.nodes.training import LoadSubject, SaveSubject

    out = train()
    with caplog.at_level(logging.WARNING):
        saved = SaveSubject.execute(out.subject, "rex", "float32").result
        assert saved[1] == str(places / "loras" / "viper" / "rex.safetensors")
        loaded, text, trigger, noun = LoadSubject.execute(model.model, model.clip, "viper/rex.safetensors").result
    assert (trigger, noun) == ("a vuqix dog", "dog") and not caplog.records, [r.getMessage() for r in caplog.records]
    assert torch.equal(drawn(loaded, text, model.vae), drawn(out.model, out.clip, model.vae))
    half = LoadSubject.execute(model.model, model.clip, "viper/rex.safetensors", 0.0, 0.0).result
    assert torch.equal(drawn(half[0], half[1], model.vae), drawn(model.model, model.clip, model.vae)), "strength 0 is the plain model"


@pytest.mark.parametrize("precision", ["bf16", "float16"])
def test_half_precision_files_are_half_as_large_and_nearly_the_same(train, places, precision):
    from viper.training.subject import load

    out = train()
    path, full = places / "half.safetensors", places / "full.safetensors"
    out.subject.save(path, precision)
    out.subject.save(full, "float32")
    assert path.stat().st_size < 0.7 * full.stat().st_size
    back = load(path)
    assert back.unet.keys() == out.subject.unet.keys()
    for name, value in out.subject.unet.items():
        torch.testing.assert_close(back.unet[name].float(), value, rtol=1e-2, atol=1e-4)


def test_hosts_own_loader_reads_the_file_and_every_tool_its_metadata(train, places, model, caplog):
    import nodes as host_nodes
    from viper.training.subject import read_metadata

    out = train()
    out.subject.save(places / "loras" / "rex.safetensors", "float32")
    with caplog.at_level(logging.WARNING):
        theirs, text = host_nodes.LoraLoader().load_lora(model.model, model.clip, "rex.safetensors", 1.0, 1.0)
    assert "not loaded" not in caplog.text and torch.equal(drawn(theirs, text, model.vae), drawn(out.model, out.clip, model.vae))
    told = read_metadata(places / "loras" / "rex.safetensors")
    assert told["modelspec.trigger_phrase"] == "a vuqix dog" and told["modelspec.title"] == "rex"
    assert (told["ss_network_dim"], told["ss_steps"], told["ss_learning_rate"]) == ("4", "4", "0.01")


def test_lora_output_is_what_the_hosts_nodes_take(train, model):
    import comfy.sd

    out = train()
    patched, _ = comfy.sd.load_lora_for_models(model.model, None, dict(out.subject.unet), 1.0, 0.0)
    assert torch.equal(drawn(patched, model.clip, model.vae), drawn(out.model, out.clip, model.vae))


def test_subject_of_another_model_is_named(train, places, model):
    from viper.nodes.training import LoadSubject
    from viper.tests import families
    from viper.training.errors import TrainingError

    train().subject.save(places / "loras" / "rex.safetensors")
    other, clip = families.FAMILIES["flux"].build()
    with pytest.raises(TrainingError, match="another family"):
        LoadSubject.execute(other, clip, "rex.safetensors")


def test_no_subject_changes_nothing_and_a_missing_one_is_named(places, model):
    from viper.nodes.training import NO_SUBJECT, LoadSubject

    assert LoadSubject.execute(model.model, model.clip, NO_SUBJECT).result == (model.model, model.clip, "", "")
    assert "no subject" in LoadSubject.validate_inputs(subject="gone.safetensors")


def test_file_of_another_tool_loads_with_its_trigger_if_it_has_one(places, model):
    from safetensors.torch import save_file

    from viper.training.subject import load

    save_file({"lora_unet_x.lora_up.weight": torch.zeros(2, 2)}, places / "a.safetensors", {"modelspec.trigger_phrase": "ohwx man"})
    save_file({"lora_te_x.lora_up.weight": torch.zeros(2, 2)}, places / "b.safetensors")
    (places / "c.safetensors").write_bytes(b"nothing")
    assert load(places / "a.safetensors").trigger == "ohwx man" and load(places / "b.safetensors").text
    from viper.training.errors import TrainingError

    with pytest.raises(TrainingError, match="cannot be read"):
        load(places / "c.safetensors")


def test_interrupted_save_leaves_the_former_file(train, places, monkeypatch):
    import os

    from viper.training.errors import TrainingError

    subject, path = train().subject, places / "rex.safetensors"
    subject.save(path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TrainingError, match="No space left"):
        subject.save(path, "float32")
    assert path.read_bytes() == before and [p.name for p in places.glob("*.tmp")] == []


# --- the node -----------------------------------------------------------------------------------------------------------


def test_node_gives_its_eight_outputs(places, model):
    from types import SimpleNamespace

    from viper.nodes.training import DreamBoothTrain, TrainingOptions

    options = TrainingOptions.execute("pocket", **OPTIONS).result[0]

    class Run(DreamBoothTrain):
        hidden = SimpleNamespace(unique_id="1", prompt=None, extra_pnginfo=None)

    out = Run.execute(model.model, model.clip, model.vae, dataset(), "node", 2, 0, options).result
    patched, clip, lora, loss, plot, sheet, trigger, subject = out
    assert set(loss) == {"loss", "instance", "prior", "learning_rate", "grad_norm"} and len(loss["loss"]) == 2
    assert plot.shape[0] == sheet.shape[0] == 1 and plot.shape[3] == 3 and 0 <= float(plot.min()) <= float(plot.max()) <= 1
    assert trigger == subject.trigger == "a vuqix dog" and lora.keys() == subject.unet.keys()
    assert len(patched.patches) > 0 and patched.model is model.model.model


@pytest.mark.parametrize(("name", "why"), [("", "needs a name"), ("a/b", "cannot hold"), ("con", "Windows")])
def test_bad_names_are_refused_before_the_run(name, why, host):
    from viper.nodes.training import DreamBoothTrain, SaveSubject

    assert why in DreamBoothTrain.validate_inputs(name=name) and why in SaveSubject.validate_inputs(name=name)


def test_unknown_choices_are_refused_before_the_run(host):
    from viper.nodes.training import DreamBoothTrain, SaveSubject, TrainingOptions

    assert "choose auto" in TrainingOptions.validate_inputs(preset="SD 9")
    assert "adamw8bit" in TrainingOptions.validate_inputs(optimizer="sgd")
    assert "start over" in DreamBoothTrain.validate_inputs(resume="again") and "bf16" in SaveSubject.validate_inputs(precision="int4")
    assert TrainingOptions.validate_inputs(preset="auto", method="dora", prior="frozen") is True


def test_text_encoder_learns_along_and_its_weights_travel_with_the_subject(train, places, model, caplog):
    import nodes as host_nodes

    before = bits(model.clip.cond_stage_model)
    out = train(text_encoder=True)
    assert same(bits(model.clip.cond_stage_model), before) and hook_count(model) == 0
    assert out.subject.text and all(name.startswith("lora_te") for name in out.subject.text)
    out.subject.save(places / "loras" / "rex.safetensors", "float32")
    with caplog.at_level(logging.WARNING):
        theirs, text = host_nodes.LoraLoader().load_lora(model.model, model.clip, "rex.safetensors", 1.0, 1.0)
    assert "not loaded" not in caplog.text and torch.equal(drawn(theirs, text, model.vae), drawn(out.model, out.clip, model.vae))
    words = [clip.encode_from_tokens_scheduled(clip.tokenize("a vuqix dog"))[0][0] for clip in (model.clip, out.clip)]
    assert not torch.equal(*words)


@pytest.mark.parametrize("options", [{}, {"prompt_preservation": 0.9}])
def test_job_file_that_the_node_writes_trains_the_same_without_pictures_or_words(train, places, model, options):
    from viper.training.launch import JobFile
    from viper.training.lesson_files import load_lessons
    from viper.training.lessons import DreamBooth
    from viper.training.native import NativeModel
    from viper.training.trainer import Trainer

    out = train(**options)
    order = JobFile.read(places / "training" / "my dog" / "job.json")
    assert order.folder.resolve() == (places / "training" / "my dog").resolve() and order.model == {"pocket": True}
    with torch.inference_mode(False), torch.enable_grad():
        instances, priors = load_lessons(order.lessons)
        native = NativeModel(model.model)
        native.load()
        task = DreamBooth(native, native.adapters(order.job.adapter, order.job.seed), instances, priors, order.job)
        with task.attached():
            Trainer(order.job, task, places / "elsewhere").run()
            unet, _ = task.tensors()
    assert same(unet, out.subject.unet)


@pytest.mark.parametrize("name", ["sd15", "sdxl", "sd3", "flux"])
def test_every_family_goes_from_pictures_to_a_file_and_back(name, places, caplog):
    """With its own preset, the sizes that SDXL's prompts carry and the guidance of Flux."""
    import comfy.sd
    import comfy.taesd.taesd

    import nodes as host_nodes
    from viper.tests import families
    from viper.training.options import Training
    from viper.training.session import Session

    model, clip = families.FAMILIES[name].build()
    vae = comfy.sd.VAE(sd=comfy.taesd.taesd.TAESD(latent_channels=families.FAMILIES[name].latent[1]).state_dict())
    families.fill(vae.first_stage_model, 5)
    before = bits(model.model)
    words = {"prompt_preservation": 0.9, "preserved_prompts": "a [V] [class] at sea"}
    training = Training().with_settings("auto", prior="frozen", preview_every=0, rank=4, learning_rate=0.01, **words)
    session = Session(model, clip, vae, dataset(), name, 2, 0, training, True, lambda text: None)
    assert session.family == {"sd15": "SD 1.5", "sdxl": "SDXL", "sd3": "SD 3", "flux": "Flux"}[name]
    out = session.run()
    assert same(bits(model.model), before) and len(out.series["prior"]) == 2
    out.subject.save(places / "loras" / "rex.safetensors", "float32")
    with caplog.at_level(logging.WARNING):
        theirs, text = host_nodes.LoraLoader().load_lora(model, clip, "rex.safetensors", 1.0, 1.0)
    assert "not loaded" not in caplog.text and len(theirs.patches) == len(out.model.patches) > 0
    given = {"sdxl": {"target_height": 64, "crop_w": 0}, "flux": {"guidance": 1.0}}.get(name, {})
    lessons = torch.load(places / "training" / name / "lessons.pt", weights_only=True)["instances"]
    assert len(lessons) == 3 and all(lesson["given"].items() >= given.items() for lesson in lessons)
    assert all([wording["prompt"] for wording in lesson["wordings"]] == ["a vuqix dog at sea"] for lesson in lessons)
