"""The training recipe of the extractor and of the proxy metric: people, pictures, and both trainings on models small enough for a CPU."""

import json
import math
import os
import random
import signal
from collections import Counter
from dataclasses import replace
from itertools import combinations, islice
from statistics import median
from types import SimpleNamespace

import pytest
import torch

from viper.vpe import asking
from viper.vpe.agents import distance, draw_agents
from viper.vpe.preferences import Preferences
from viper.vpe.recipe import people as P
from viper.vpe.recipe import pictures, remarks
from viper.vpe.recipe.marked import parse
from viper.vpe.recipe.options import RecipeError

ATTRIBUTES = ("fog", "neon", "lace", "rust", "grain", "glow", "chrome", "haze", "velvet", "stripes", "dots", "gold")
MOULDS = remarks.Moulds([parse(line) for line in (
    "I love the [x|+].", "What lovely [x|+]!", "I hate the [x|-].", "Too much [x|-] for me.", "The [x|+] is great but not the [x|-]."
)])  # fmt: skip
PLAIN = dict(mixed=0.0, describes=0.0, leaves_open=0.0, says_nothing=0.0, verdicts=0.0, sarcasm=0.0, typos=0.0, most=1)
TASK = "Which art features?"


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # tiny models: more threads mostly wait for each other
    yield
    torch.set_num_threads(before)


def crowd(config, names=ATTRIBUTES, path=None):
    everyone = list(P.people(config, names, MOULDS))
    if path:
        P.write(path, config, lambda start: iter(everyone[start:]))
    return everyone


def attention_of_a_trained_size(model, scale):
    """Transformers' initial weights are made for wide layers: in narrow ones attention would take thousands of steps to begin."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() >= 2 and not name.endswith("embed_tokens.weight") and "lm_head" not in name:
                p.mul_(scale)


# --- people ----------------------------------------------------------------------------------------------------------


def test_people_are_those_of_draw_agents_and_stay_apart():
    config = P.PeopleConfig(count=40, seed=1)
    drawn = list(P.draw(config))
    assert drawn == draw_agents(40, 1) != list(P.draw(replace(config, seed=2)))
    assert all(distance(a, b) >= 0.85 for a, b in combinations(drawn, 2))


def test_as_many_people_as_fit_comes_to_an_end():
    config = P.PeopleConfig(count=0, each=3, apart=0.7, tries=200)
    drawn = list(P.draw(config, ATTRIBUTES))
    assert 5 < len(drawn) < 200 and all(distance(a, b) >= 0.7 for a, b in combinations(drawn, 2))
    assert len(list(P.draw(replace(config, count=4), ATTRIBUTES))) == 4
    with pytest.raises(RecipeError, match="need 100, but there are 12"):
        next(P.draw(P.PeopleConfig(), ATTRIBUTES))


def test_the_same_seed_makes_the_same_people_and_comments_tell_their_own_taste():
    config = P.PeopleConfig(count=60)
    everyone = list(P.people(config))
    assert everyone == list(P.people(config)) and everyone[20:] == list(P.people(config, start=20))
    assert sum(p.held_out for p in everyone) == 6
    for person in everyone:
        assert len(person.remarks) == 10 == len({r.file for r in person.remarks}) and sum(r.liked for r in person.remarks) == 5
        for r in person.remarks:
            assert set(r.likes) <= set(person.agent.liked) and set(r.dislikes) <= set(person.agent.disliked)
            assert all(a in r.prompt for a in r.likes + r.dislikes) and r.text
    manners = Counter(r.manner for p in everyone for r in p.remarks)
    assert manners["names"] > manners["describes"] > manners["says nothing"] > 0 and manners["leaves open"] > 0


def test_comments_name_describe_or_leave_open_as_they_say():
    rng = random.Random(0)
    write = lambda manner, likes, dislikes=(): remarks.by_templates(rng, MOULDS, likes, dislikes, manner, 0.0, 0.0)  # noqa: E731
    assert "rim light" in write("names", ["rim light"]).lower() and "sepia" in write("names", ["rim light"], ["sepia"]).lower()
    for _ in range(20):
        assert "grayscale" not in (said := write("describes", ["greyscale"])).lower() and said
        words = write("leaves open", ["rim light"]).lower()
        assert "rim" not in words and ("light" in words)
    sarcastic = remarks.by_templates(rng, MOULDS, [], ["sepia"], "names", 1.0, 0.0)
    assert sarcastic.lower() in {s.filled(lambda m: "sepia").text.lower() for s in remarks.SARCASM}
    slips = {remarks.misspelt("I love the golden light", random.Random(n)) for n in range(30)}
    assert len(slips) > 15 and all(abs(len(s) - 23) <= 2 for s in slips)


def test_a_chat_model_can_write_the_comments():
    asked = []

    def chat(prompt):
        asked.append(prompt)
        return ' "The fog is dreamy.\n" ' if len(asked) != 1 else ""  # silent once

    config = P.PeopleConfig(count=2, each=3, apart=0.0, pictures=2, **PLAIN)
    everyone = list(P.people(config, ATTRIBUTES, MOULDS, chat))
    assert all(r.text == "The fog is dreamy." for p in everyone for r in p.remarks) and asked[0] == asked[1]
    assert any(f"You like about it: {everyone[0].remarks[0].likes[0]}." in a for a in asked)
    with pytest.raises(RecipeError, match="nothing, twice"):
        list(P.people(config, ATTRIBUTES, MOULDS, lambda prompt: " "))


def test_a_file_of_people_goes_on_where_it_was_cut_and_keeps_to_its_options(tmp_path):
    config, path = P.PeopleConfig(count=12, each=3, apart=0.2, **PLAIN), tmp_path / "people.jsonl"
    make = lambda start: P.people(config, ATTRIBUTES, MOULDS, start=start)  # noqa: E731
    assert P.write(path, config, make) == 12
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) // 2])
    asked = []
    assert P.write(path, config, lambda start: asked.append(start) or make(start)) == 12
    assert path.read_bytes() == whole and 0 < asked[0] < 12 and P.read(path) == list(make(0))
    with pytest.raises(RecipeError, match="other options"):
        P.write(path, replace(config, seed=5), make)
    path.write_text("no people")
    with pytest.raises(RecipeError, match="cannot be read as people"):
        P.read(path)


# --- pictures --------------------------------------------------------------------------------------------------------


def test_a_running_comfyui_draws_each_picture_once(server, tmp_path):
    from PIL import Image

    few = [P.Person("p", False, None, tuple(
        P.Remark(f"p_{n}.png", prompt, 7, True, "", "names") for n, prompt in enumerate(("apple, blue tones", "house, sepia", "frog"))
    ))]  # fmt: skip
    said = []
    assert pictures.draw(few, tmp_path, [server.url], log=said.append) == 3 == len(said)
    assert Image.open(tmp_path / "p_0.png").size == (128, 128)
    before = {p.name: p.read_bytes() for p in tmp_path.glob("*.png")}
    assert pictures.draw(few, tmp_path, [server.url]) == 0
    (tmp_path / "p_1.png").unlink()
    assert pictures.draw(few, tmp_path, [server.url, "http://127.0.0.1:9"]) == 1  # a server that is not there
    assert {p.name: p.read_bytes() for p in tmp_path.glob("*.png")} == before
    other = [replace(few[0], remarks=(replace(few[0].remarks[0], seed=8),))]
    assert pictures.draw(other, tmp_path, [server.url]) == 1 and (tmp_path / "p_0.png").read_bytes() != before["p_0.png"]
    with pytest.raises(RecipeError, match="refuses the graph.*NoSuchNode"):
        pictures.draw(few, tmp_path, [server.url], {"1": {"class_type": "NoSuchNode", "inputs": {"text": "{prompt}", "seed": "{seed}"}}})


def test_a_graph_without_places_for_prompt_and_seed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures.time, "sleep", lambda seconds: None)
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(pictures.POCKET))
    assert pictures.read_graph(path) == pictures.POCKET
    job = pictures.filled(pictures.POCKET, 'a "b"', 5)
    assert job["2"]["inputs"]["text"] == 'a "b"' and job["5"]["inputs"]["seed"] == 5
    seedless = {"1": {"class_type": "X", "inputs": {"text": "{prompt}"}}}
    for graph, words in (({"nodes": []}, "API format"), (seedless, "must hold the texts")):
        path.write_text(json.dumps(graph))
        with pytest.raises(RecipeError, match=words):
            pictures.read_graph(path)
    nobody = [P.Person("p", False, None, (P.Remark("p.png", "apple", 1, True, "", "names"),))]
    with pytest.raises(RecipeError, match="does not answer"):
        pictures.draw(nobody, tmp_path, ["http://127.0.0.1:9"])


# --- the extractor ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """People who like and dislike a few of twelve attributes, their pictures (noise: here the words say all), and a random model."""
    from PIL import Image

    from viper.vpe.recipe import finetune

    base = tmp_path_factory.mktemp("school")
    everyone = crowd(P.PeopleConfig(count=400, each=4, apart=0.2, pictures=4, **PLAIN), path=base / "people.jsonl")
    for r in (r for p in everyone for r in p.remarks):
        (base / "pictures").mkdir(exist_ok=True)
        Image.effect_noise((32, 32), 50).convert("RGB").save(base / "pictures" / r.file)
    (base / "task.txt").write_text(TASK)
    config = finetune.VpeConfig(
        model=random_model(base / "model", everyone), people=base / "people.jsonl", pictures=base / "pictures", out=base / "out",
        task=base / "task.txt", longest_edge=56, fewest=1, most=2, accumulate=1, cpu=True, longest_answer=40,
    )  # fmt: skip
    return SimpleNamespace(base=base, config=config, everyone=everyone, finetune=finetune)


def read_log(config):
    return [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines()]


def random_model(folder, everyone):
    """ViPer's kind of model with random weights and a tokenizer that knows these people's words."""
    from viper.tests import tiny_vlm
    from viper.vpe.recipe import finetune

    texts = [TASK] * 9 + [f"Comment {n}: {r.text}" for p in everyone for n, r in enumerate(p.remarks, 1)]
    processor, model = tiny_vlm.idefics2(texts + [finetune.answer(p.agent.preferences) for p in everyone])
    attention_of_a_trained_size(model, 4)
    return tiny_vlm.save(folder, processor, model)


def test_an_extractor_learns_to_read_comments_of_people_it_never_met(school):
    config = replace(school.config, tune="full", batch=32, lr=3e-3, warmup=20, decay=False, evaluate_every=1000, evaluate_people=24)
    for steps in (230, 330, 430):  # when it begins to copy differs from machine to machine
        folder = school.finetune.run(replace(config, steps=steps))
        log = read_log(config)
        losses, f1 = [e["loss"] for e in log if "loss" in e], [e["f1"] for e in log if "f1" in e]
        if f1[-1] > 0.6:
            break
    assert median(losses[-20:]) < 0.1 * losses[0] and f1[0] < 0.1 and f1[-1] > 0.6, (losses[-20:], f1)
    assert (folder / "task.txt").read_text() == TASK

    from transformers import AutoModelForImageTextToText

    from viper.vpe.recipe import models  # the saved model answers when it is asked as the pack asks

    model, processor = AutoModelForImageTextToText.from_pretrained(folder), models.load_processor(folder, 56)
    case = school.finetune.shown(next(p for p in school.everyone if p.held_out), config, random.Random(3))
    found = asking.extract(lambda turns: school.finetune.generate(model, processor, turns, 40), case.comments, case.pictures, TASK)
    assert found.liked or found.disliked


def test_praise_that_names_nothing_is_read_off_the_picture(school, tmp_path):
    """"I love the colors." of a picture that is all red: only the picture can tell."""
    from PIL import Image

    colors = ("red", "blue", "green", "yellow")
    people = P.PeopleConfig(count=200, each=2, apart=0.0, pictures=4, **{**PLAIN, "leaves_open": 1.0})
    everyone = crowd(people, colors, tmp_path / "people.jsonl")
    for r in (r for p in everyone for r in p.remarks):
        Image.new("RGB", (32, 32), next(c for c in colors if c in r.prompt)).save(tmp_path / r.file)
        assert not any(c in r.text for c in colors)
    config = replace(
        school.config, model=random_model(tmp_path / "model", everyone), people=tmp_path / "people.jsonl", pictures=tmp_path,
        out=tmp_path / "out", tune="full", batch=24, lr=3e-3, warmup=20, decay=False, evaluate_every=1000, evaluate_people=20, most=1,
    )  # fmt: skip
    for steps in (100, 200, 300):
        school.finetune.run(replace(config, steps=steps))
        f1 = [e["f1"] for e in read_log(config) if "f1" in e]
        if f1[-1] > 0.8:
            break
    assert f1[0] < 0.1 and f1[-1] > 0.8, f1  # always the same color would give a quarter


def test_the_loss_is_on_the_answer_alone_behind_the_packs_own_question(school):
    from viper.vpe.recipe import models

    finetune, processor = school.finetune, models.load_processor(school.config.model, 56)
    some = [finetune.shown(p, replace(school.config, most=4, fewest=n), random.Random(1)) for n, p in enumerate(school.everyone[:3], 2)]
    inputs = finetune.batch(processor, some, TASK)
    for case, ids, labels, mask in zip(some, inputs["input_ids"], inputs["labels"], inputs["attention_mask"], strict=True):
        assert processor.tokenizer.decode(labels[labels >= 0]).strip() == f"{finetune.answer(case.truth)}<end_of_utterance>"
        asked = [("user", asking.question(case.comments, case.pictures, TASK))]
        alone = models.encode(processor, [models.prompt_text(processor, asked)], [models.images_of(asked)])["input_ids"][0]
        assert torch.equal(ids[:len(alone)], alone) and (labels[:len(alone)] == -100).all() and (labels[mask == 0] == -100).all()
    assert asking.parse(finetune.answer(some[0].truth)) == some[0].truth
    assert finetune.answer(Preferences()) == "Liked Art Features: none\nDisliked Art Features: none"
    assert asking.parse(finetune.answer(Preferences())) == Preferences()


def test_without_pictures_what_was_left_to_them_is_not_asked_for(school):
    words = P.Remark("a.png", "a", 1, True, "I love the fog.", "names", likes=("fog",))
    looks = P.Remark("b.png", "b", 1, True, "I love the colors.", "leaves open", likes=("gold",))
    person, config = P.Person("p", False, None, (words, looks)), replace(school.config, fewest=2)
    blind = school.finetune.shown(person, replace(config, pictures=None), random.Random(0))
    assert blind.truth.liked_text() == "fog" and blind.pictures == (None, None) and len(blind.comments) == 2


def test_f1_counts_features_on_their_side():
    from viper.vpe.recipe import finetune

    truth = Preferences.from_text("greyscale, fog", "neon")
    assert finetune.hits(truth, Preferences.from_text("grayscale", "fog, neon")) == (2, 3, 3)
    assert finetune.f1(2, 3, 3) == pytest.approx(2 / 3) and finetune.f1(0, 0, 3) == 0
    assert finetune.found("I cannot tell.") == Preferences()


LORA = dict(steps=6, batch=4, accumulate=2, lr=1e-2, evaluate_every=3, evaluate_people=1, save_every=2, longest_answer=8)


def same_files(a, b):
    from safetensors.torch import load_file

    a, b = (load_file(folder / "adapter_model.safetensors") for folder in (a, b))
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_an_adapter_is_all_that_changes_and_fits_a_fresh_base(school, monkeypatch):
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    from viper.vpe.recipe import models

    kept = {}
    save = models.save
    monkeypatch.setattr(models, "save", lambda model, *more: kept.update(model=model) or save(model, *more))
    config = replace(school.config, out=school.base / "lora", **LORA)
    folder = school.finetune.run(config)
    losses = [e["loss"] for e in read_log(config) if "loss" in e]
    assert losses[-1] < losses[0] and (folder / "task.txt").read_text() == TASK
    base = AutoModelForImageTextToText.from_pretrained(config.model)
    tuned = {k.replace("base_model.model.", "").replace("base_layer.", ""): v for k, v in kept["model"].state_dict().items()}
    assert all(torch.equal(v, tuned[k]) for k, v in base.state_dict().items())
    processor = models.load_processor(config.model, 56)
    case = school.finetune.shown(school.everyone[0], config, random.Random(0))
    inputs = models.on_device(school.finetune.batch(processor, [case], TASK), base)
    with torch.no_grad():
        plain = base.eval()(**inputs).logits
        fresh = PeftModel.from_pretrained(base, folder).eval()(**inputs).logits
        assert torch.equal(fresh, kept["model"].eval()(**inputs).logits) and not torch.allclose(fresh, plain, atol=1e-3)
    targets = {k.split(".lora_")[0] for k in kept["model"].state_dict() if ".lora_" in k}
    assert any("perceiver_resampler" in t for t in targets) and not any("vision_model" in t for t in targets)


def test_a_stopped_or_broken_run_goes_on_as_if_nothing_had_been(school):
    config = replace(school.config, out=school.base / "whole", **LORA)
    whole = school.finetune.run(config)

    stopped, steps = replace(config, out=school.base / "stopped", save_every=100), []
    def ctrl_c(entry):  # noqa: E306
        steps.append(entry["step"])
        if entry["step"] == 3 and steps.count(3) == 1:
            os.kill(os.getpid(), signal.SIGINT)
    assert school.finetune.run(stopped, ctrl_c) is None and max(steps) == 3
    assert same_files(school.finetune.run(stopped), whole)

    def power_cut(entry):
        if entry["step"] == 5:
            raise OSError("power cut")

    broken = replace(config, out=school.base / "broken")
    with pytest.raises(OSError, match="power cut"):
        school.finetune.run(broken, power_cut)
    assert same_files(school.finetune.run(broken), whole)
    strip = lambda log: [{k: v for k, v in e.items() if k != "seconds"} for e in log]  # noqa: E731
    assert strip(read_log(broken)) == strip(read_log(stopped)) == strip(read_log(config))
    with pytest.raises(RecipeError, match="begun with another lr, rank: go on"):
        school.finetune.run(replace(config, rank=4, lr=1e-5))


def test_a_base_of_four_bits_learns_through_its_adapter(school):
    pytest.importorskip("bitsandbytes")
    from safetensors.torch import load_file

    config = replace(school.config, out=school.base / "qlora", quantise="4bit", **{**LORA, "evaluate_every": 1})
    try:
        folder = school.finetune.run(config)
    except RecipeError as error:
        if "bitsandbytes" not in str(error):
            raise
        pytest.skip("this transformers takes no 4 bits on this device")
    losses = [e["loss"] for e in read_log(config) if "loss" in e]
    assert losses[-1] < losses[0]
    updates = {k: v for k, v in load_file(folder / "adapter_model.safetensors").items() if ".lora_B." in k}
    assert updates and all(v.abs().sum() > 0 for v in updates.values())  # the gradient reaches the lowest of them


def test_other_models_get_adapters_in_every_linear_layer_of_their_language_model(tmp_path):
    import re

    from viper.tests import tiny_vlm
    from viper.vpe.recipe import models

    _, model = tiny_vlm.llava(["a few words"])
    pattern = models.default_targets(model)
    hit = [name for name, _ in model.named_modules() if re.fullmatch(pattern, name)]
    assert len(hit) == 2 * 7 and all("language_model" in name for name in hit)


def test_both_names_of_the_dtype_option(monkeypatch):
    import transformers

    from viper.vpe.recipe.models import dtype_option

    for version, name in (("4.50.0", "torch_dtype"), ("4.55.4", "torch_dtype"), ("4.56.0.dev0", "dtype"), ("5.23.0", "dtype")):
        monkeypatch.setattr(transformers, "__version__", version)
        assert dtype_option(torch.float32) == {name: torch.float32}


@pytest.mark.parametrize("package", ["peft", "accelerate", "bitsandbytes"])
def test_a_missing_package_is_asked_for_in_one_sentence(school, monkeypatch, package):
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RecipeError, match=f"run pip install {package}") as error:
        school.finetune.run(replace(school.config, out=school.base / "never", quantise="4bit"))
    assert "\n" not in str(error.value)


def test_the_command_line_fills_the_configuration(school):
    from argparse import ArgumentParser

    from viper.vpe.recipe.options import arguments, configured

    parser = ArgumentParser()
    arguments(parser, school.finetune.VpeConfig)
    given = parser.parse_args("--model m --people p --out o --pictures d --quantise 4bit --steps 7 --lr 1e-3 --no-decay".split())
    config = configured(school.finetune.VpeConfig, given)
    assert (config.quantise, config.steps, config.lr, config.decay, config.pictures.name) == ("4bit", 7, 1e-3, False, "d")
    paper = school.finetune.VpeConfig(None, None, None)
    assert (paper.rank, paper.alpha, paper.dropout, paper.lr, paper.accumulate, paper.longest_edge) == (8, 8, 0.1, 1e-5, 4, 448)


def test_bad_settings_get_one_sentence(school):
    for change, words in (
        (dict(tune="full", quantise="4bit"), "cannot be tuned in full"), (dict(model=school.base), "no vision-language model"),
        (dict(people=school.base / "none.jsonl"), "cannot be read as people"), (dict(pictures=school.base), "draw it with"),
    ):  # fmt: skip
        with pytest.raises(RecipeError, match=words):
            school.finetune.run(replace(school.config, out=school.base / "bad", **change))


def test_the_learning_rate_warms_up_and_decays():
    from viper.vpe.recipe.loop import TrainConfig, rate

    config = TrainConfig(None, None, None, steps=10, lr=1.0, warmup=2)
    assert [rate(config, s) for s in (0, 1, 5)] == [0.5, 0.9, 0.5] and rate(replace(config, decay=False), 9) == 1.0


def test_every_person_comes_once_before_anyone_comes_again(school):
    from viper.vpe.recipe.loop import drawn

    config = replace(school.config, batch=3)
    twice = [p for n in range(4) for p, _ in drawn(range(6), config, n)]
    assert sorted(twice[:6]) == sorted(twice[6:]) == list(range(6)) and twice[:6] != twice[6:]
    assert next(islice(drawn(range(6), config, 2), 1, None))[1].random() == next(islice(drawn(range(6), config, 2), 1, None))[1].random()


# --- the proxy metric ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """People who like warm pictures and dislike cold ones, or the other way round, and a random model."""
    import numpy as np
    from PIL import Image

    from viper.tests import tiny_vlm
    from viper.vpe.recipe import proxy

    base, rng = tmp_path_factory.mktemp("gallery"), np.random.default_rng(0)
    everyone = crowd(P.PeopleConfig(count=100, each=1, apart=0.0, pictures=6, held_out=5, **PLAIN), ("warm", "cold"), base / "people.jsonl")
    (base / "pictures").mkdir()
    for r in (r for p in everyone for r in p.remarks):
        color = (200, 110, 40) if "warm" in r.prompt else (40, 110, 200)
        noise = (np.array(color) + rng.normal(0, 25, (32, 32, 3))).clip(0, 255).astype("uint8")
        Image.fromarray(noise).save(base / "pictures" / r.file)
    processor, model = tiny_vlm.llava(["Score for this image? + - User Assistant:"] * 9, vocabulary=500)
    attention_of_a_trained_size(model, 4)
    tiny_vlm.save(base / "model", processor, model)
    config = proxy.ProxyConfig(
        model=base / "model", people=base / "people.jsonl", pictures=base / "pictures", out=base / "out", longest_edge=56, pairs=1,
        tune="full", steps=230, batch=8, accumulate=1, lr=4e-3, warmup=50, decay=False, evaluate_every=1000, cpu=True,
    )  # fmt: skip
    return SimpleNamespace(base=base, config=config, everyone=everyone, proxy=proxy)


def test_the_proxy_learns_whose_pictures_these_are(gallery):
    """Nothing but the two pictures in front tells whether this person likes warm or cold."""
    for steps in (230, 330, 430):  # when it begins to compare differs from machine to machine
        folder = gallery.proxy.run(replace(gallery.config, steps=steps))
        log = read_log(gallery.config)
        accuracy = [e["accuracy"] for e in log if "accuracy" in e]
        if accuracy[-1] > 0.9:
            break
    losses = [e["loss"] for e in log if "loss" in e]
    assert accuracy[0] < 0.7 and accuracy[-1] > 0.9 and median(losses[-20:]) < 0.4 < losses[0], (accuracy, losses[-20:])

    from transformers import AutoModelForImageTextToText

    from viper.vpe.recipe import models

    model, processor = AutoModelForImageTextToText.from_pretrained(folder), models.load_processor(folder, 56)
    person = next(p for p in gallery.everyone if p.held_out)
    shown = [(r.liked, models.picture(gallery.config.pictures / r.file, 56)) for r in person.remarks]
    disliked, liked = ([picture for liked, picture in shown if liked is side] for side in (False, True))
    high, low = (gallery.proxy.score(model, processor, disliked[:1], liked[:1], picture) for picture in (liked[1], disliked[1]))
    assert 0 <= low < 0.5 < high <= 1
    with pytest.raises(RecipeError, match="as many disliked as liked pictures, not 1 and 2: leave some out"):
        gallery.proxy.score(model, processor, disliked[:1], liked[:2], liked[2])
    with pytest.raises(RecipeError, match="not 0 and 0"):
        gallery.proxy.score(model, processor, [], [], liked[2])


def test_the_proxy_is_asked_as_vipers_own_and_scores_by_the_two_answers(school):
    from PIL import Image

    from viper.tests import tiny_vlm
    from viper.vpe.recipe import models, proxy

    processor, model = tiny_vlm.idefics2(["Score for this image? + - User: Assistant:"] * 9)
    tiny_vlm.save(school.base / "proxy", processor, model)
    processor, asked = models.load_processor(school.base / "proxy", 56), []

    class Listening:
        def __call__(self, text, images, **more):
            asked.append((text[0], images[0]))
            return processor(text=text, images=images, **more)

        def __getattr__(self, name):
            return getattr(processor, name)

    minus, plus, one = (Image.new("RGB", (32, 32), color) for color in ("red", "green", "blue"))
    value = proxy.score(model, Listening(), [minus, minus], [plus, plus], one)
    turn = "User:<image>Score for this image?<end_of_utterance>\nAssistant: "
    assert asked[0][0] == f"{turn}-<end_of_utterance>\n{turn}+<end_of_utterance>\n" * 2 + turn
    assert asked[0][1] == [minus, plus, minus, plus, one]
    with torch.no_grad():
        logits = model(**models.encode(processor, [asked[0][0]], [asked[0][1]])).logits[0, -1]
    a, b = (logits[processor.tokenizer.convert_tokens_to_ids(sign)].item() for sign in "+-")
    assert value == pytest.approx(math.exp(a) / (math.exp(a) + math.exp(b)), rel=1e-4)


def test_where_a_picture_stands_does_not_tell_its_sign(gallery):
    signs = Counter()
    for n in range(40):
        case = gallery.proxy.trial(gallery.everyone[0], replace(gallery.config, pairs=8), random.Random(n))
        assert [s for _, s in case.context].count("+") == len(case.context) // 2 == 2  # of three each, one is judged
        signs["".join(s for _, s in case.context)] += 1
    assert set(signs) == {"-+-+", "-++-", "+--+", "+-+-"}


def test_the_proxy_needs_pictures_of_both_sides(gallery, tmp_path):
    with pytest.raises(RecipeError, match="name their folder"):
        gallery.proxy.run(replace(gallery.config, pictures=None))
    crowd(P.PeopleConfig(count=2, each=1, apart=0.0, pictures=2, **PLAIN), ("warm", "cold"), tmp_path / "few.jsonl")
    with pytest.raises(RecipeError, match="two pictures of each side"):
        gallery.proxy.run(replace(gallery.config, people=tmp_path / "few.jsonl"))
