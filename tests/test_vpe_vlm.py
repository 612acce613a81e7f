"""Models that look, on tiny ones of the real classes: loading, the exact prompt, generation, reading, memory, cancel."""

import gc
import json
import shutil
import weakref

import pytest
import torch

from viper.tests import tiny_vlm
from viper.vpe import asking, folders
from viper.vpe.errors import AnswerError, ModelError, TooLongError

pytestmark = pytest.mark.usefixtures("as_in_the_host")
COMMENTS = tiny_vlm.comments()


@pytest.fixture
def vlm(host):
    from viper.vpe import vlm

    return vlm


@pytest.fixture
def vpe(taught, vlm):
    return vlm.load_vpe(taught / "vpe/idefics2-8b", taught / "vpe/VPE-ViPer")


@pytest.fixture
def chat(taught, vlm):
    return vlm.ChatModel(taught / "vlm/tiny-chat")


def read(found):
    return found.liked_text(), found.disliked_text()


EXPECTED = ("warm colors, orange", "grainy")


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_the_prompt_of_vipers_extractor_is_the_official_one_word_for_word(vpe):
    processor = vpe.model.processor
    turns = [("user", asking.question(COMMENTS, ["<1>", "<2>"], "Task."))]
    turns = [(role, [object() if part in ("<1>", "<2>") else part for part in parts]) for role, parts in turns]
    assert processor.apply_chat_template(asking.messages(turns), add_generation_prompt=True) == (
        "User: Task.<image>Comment 1: I like this one. I love the colors<image>Comment 2: I do not like this one. too grainy for me"
        "<end_of_utterance>\nAssistant:"
    )


def test_the_prompts_token_ids_are_pinned(vpe):
    from viper.vpe.pictures import pictures_of

    inputs = vpe.model.inputs([("user", asking.question(COMMENTS, pictures_of(COMMENTS), "Task."))])
    words = vpe.model.processor.tokenizer
    image, around, end = (words.convert_tokens_to_ids(t) for t in ("<image>", "<fake_token_around_image>", "<end_of_utterance>"))
    assert (image, around, end) == (3, 4, 5)
    picture = [4, 3, 3, 3, 3, 4]  # as many <image> as the resampler has latents, between two marks
    assert inputs["input_ids"][0].tolist() == [
        *[58, 88, 283, 31, 226, 57, 410, 80, 19], *picture, *[465, 461, 31, 322, 310, 311, 349, 19, 322, 326, 279, 316], *picture,
        *[465, 462, 31, 322, 538, 392, 310, 311, 349, 19, 513, 400, 346, 342, 5, 204, 38, 88, 88, 380, 336, 89, 31],
    ]  # fmt: skip


def test_pictures_go_in_at_the_official_size_without_splitting(vpe, taught, vlm):
    from PIL import Image

    image = Image.new("RGB", (1000, 800), "orange")
    turns = [("user", ["Task.", image, "Comment 1: fine"])]
    assert tuple(vpe.model.inputs(turns)["pixel_values"].shape) == (1, 1, 3, 378, 448)  # longest edge 448, shortest 378, one tile
    unasked = vlm.ChatModel(taught / "vpe/idefics2-8b")  # as the processor's own settings say
    assert unasked.inputs(turns)["pixel_values"].shape[1] == 5


def test_the_official_task_beside_the_adapter_is_used_unless_one_is_written(taught, vlm, tmp_path):
    adapter = shutil.copytree(taught / "vpe/VPE-ViPer", tmp_path / "VPE-ViPer")
    (adapter / "ViPer.py").write_text('prompt_template = """The official task."""\n')
    base = taught / "vpe/idefics2-8b"
    assert vlm.load_vpe(base, adapter).task == "The official task."
    assert vlm.load_vpe(base, adapter, task="My own.").task == "My own."
    assert vlm.load_vpe(base, taught / "vpe/VPE-ViPer").task == asking.TASK


# --- what is answered ------------------------------------------------------------------------------------------------


def test_vipers_extractor_reads_comments_and_pictures(vpe):
    assert read(vpe.extract(COMMENTS)) == EXPECTED
    assert vpe.generation == {"max_new_tokens": 2000, "repetition_penalty": 0.99}


def test_without_its_adapter_the_base_only_chatters_and_its_words_are_shown(taught, vlm):
    with pytest.raises(AnswerError, match=tiny_vlm.CHATTER):
        vlm.load_vpe(taught / "vpe/idefics2-8b", None).extract(COMMENTS)


def test_any_chat_model_reads_comments_and_pictures(chat, vlm):
    assert read(vlm.VisionLanguageExtractor(chat).extract(COMMENTS)) == EXPECTED


def test_the_pictures_are_seen(chat, vlm):
    from viper.vpe.comments import Comments

    _, parts = turn = ("user", asking.question(COMMENTS, [None, None], asking.TASK))
    assert all(isinstance(p, str) for p in parts)
    seen = chat.inputs([("user", asking.question(COMMENTS, _pictures(), asking.TASK))])
    dark = Comments(COMMENTS.items, COMMENTS.pictures * 0)
    other = chat.inputs([("user", asking.question(dark, _pictures(dark), asking.TASK))])
    assert "pixel_values" not in chat.inputs([turn]) and seen["pixel_values"].shape[0] == 2
    assert not torch.equal(seen["pixel_values"], other["pixel_values"])
    model = chat._weights_held.use()
    assert not torch.allclose(model(**seen).logits[:, -1], model(**other).logits[:, -1], atol=1e-4)


def _pictures(comments=COMMENTS):
    from viper.vpe.pictures import pictures_of

    return pictures_of(comments)


def _need_quantisation():
    import transformers

    pytest.importorskip("bitsandbytes", reason="needs the optional package bitsandbytes")
    if transformers.__version__ < "4.57":
        pytest.skip("this transformers quantises on a GPU only")


@pytest.mark.parametrize("precision", ["bf16", "8-bit", "4-bit"])
def test_smaller_precisions_give_the_same_features_in_less_memory(taught, vlm, precision):
    if precision.endswith("bit"):
        _need_quantisation()
    full = vlm.load_vpe(taught / "vpe/idefics2-8b", taught / "vpe/VPE-ViPer", "fp32")
    small = vlm.load_vpe(taught / "vpe/idefics2-8b", taught / "vpe/VPE-ViPer", precision)
    assert read(small.extract(COMMENTS)) == EXPECTED == read(full.extract(COMMENTS))
    held = lambda extractor: sum(t.nbytes for t in [*extractor.model._weights_held.use().parameters()])  # noqa: E731
    assert held(small) < {"bf16": 0.75, "8-bit": 0.75, "4-bit": 0.75}[precision] * held(full)


def test_an_adapter_for_another_model_is_no_idefics(taught, vlm, tmp_path):
    folder = shutil.copytree(taught / "vlm/tiny-chat", tmp_path / "tuned")
    (folder / "task.txt").write_text("Say what they like.")
    extractor = vlm.load_vpe(folder, None)
    assert extractor.task == "Say what they like." and extractor.image_size == 448
    assert read(vlm.load_vpe(taught / "vlm/tiny-chat", None).extract(COMMENTS)) == EXPECTED


def test_the_same_question_gets_the_same_answer(vpe):
    assert vpe.extract(COMMENTS) == vpe.extract(COMMENTS)


def test_too_many_comments_are_asked_in_parts(chat, vlm, monkeypatch):
    from viper.vpe.comments import Comments

    many = Comments(COMMENTS.items * 16, COMMENTS.pictures)
    asked = []

    def answer(turns, **_):
        if chat.inputs(turns)["input_ids"].shape[1] + 64 > 400:
            raise TooLongError("too long")
        asked.append(sum(str(p).startswith("Comment") for p in turns[0][1]))
        return tiny_vlm.ANSWER

    monkeypatch.setattr(chat, "answer", answer)
    assert read(vlm.VisionLanguageExtractor(chat).extract(many)) == EXPECTED
    assert sum(asked) == 32 and max(asked) <= 8


def test_a_comment_that_does_not_fit_is_one_clear_sentence(chat, vlm):
    from viper.vpe.comments import Comments

    with pytest.raises(TooLongError, match="tiny-chat reads 4096"):
        vlm.VisionLanguageExtractor(chat).extract(Comments.parse("soft light " * 5000))


# --- memory and cancel -----------------------------------------------------------------------------------------------


def test_the_host_takes_the_memory_back_when_another_model_needs_it(vpe, monkeypatch):
    import comfy.model_management as mm

    vpe.extract(COMMENTS)
    patcher = vpe.model._weights_held._patcher
    assert any(entry.model is patcher for entry in mm.current_loaded_models)
    monkeypatch.setattr(mm, "get_free_memory", lambda *a, **k: (0, 0) if k.get("torch_free_too") else 0)
    mm.free_memory(1 << 40, patcher.load_device)
    assert not any(entry.model is patcher for entry in mm.current_loaded_models) and patcher.loaded_size() == 0
    monkeypatch.undo()
    assert read(vpe.extract(COMMENTS)) == EXPECTED, "it comes back at the next use"


def test_quantised_weights_are_dropped_and_come_back(taught, vlm):
    _need_quantisation()
    import comfy.model_management as mm

    chat = vlm.ChatModel(taught / "vlm/tiny-chat", precision="4-bit")
    assert chat._weights_held._held == [], "nothing is built before it is used"
    extractor = vlm.VisionLanguageExtractor(chat)
    extractor.extract(COMMENTS)
    weights = weakref.ref(chat._weights_held._held[0])
    mm.unload_all_models()
    gc.collect()
    assert weights() is None
    assert read(extractor.extract(COMMENTS)) == EXPECTED


def test_nothing_is_left_when_the_extractor_is_gone(taught, vlm):
    import comfy.model_management as mm

    extractor = vlm.load_vpe(taught / "vpe/idefics2-8b", taught / "vpe/VPE-ViPer")
    extractor.extract(COMMENTS)
    weights = weakref.ref(extractor.model._weights_held._holder.module)
    del extractor
    gc.collect()
    mm.cleanup_models()
    gc.collect()
    assert weights() is None


def test_a_model_that_does_not_fit_streams_its_weights_and_answers_the_same(chat, vlm):
    import comfy.model_management as mm

    turns = [("user", asking.question(COMMENTS, _pictures(), asking.TASK))]
    whole = chat.answer(turns)
    mm.unload_all_models()
    held = chat._weights_held
    held._patcher.partially_load(held._patcher.load_device, held.size // 3)
    streaming = [m for m in held._holder.modules() if getattr(m, "comfy_cast_weights", False)]
    assert streaming and held._patcher.loaded_size() < held.size
    inputs = {k: v for k, v in chat.inputs(turns).items()}
    out = held._holder.module.generate(**inputs, max_new_tokens=60, do_sample=False)
    assert chat.processor.batch_decode(out[:, inputs["input_ids"].shape[1]:], skip_special_tokens=True)[0].strip() == whole
    mm.unload_all_models()


def test_cancel_stops_within_a_token_and_leaves_all_as_it_was(chat, vlm, monkeypatch):
    import comfy.model_management as mm

    calls = []

    def cancel_at_three():
        calls.append(1)
        if len(calls) == 3:
            raise mm.InterruptProcessingException

    extractor = vlm.VisionLanguageExtractor(chat)
    monkeypatch.setattr(vlm.host, "stop_if_cancelled", cancel_at_three)
    with pytest.raises(mm.InterruptProcessingException):
        extractor.extract(COMMENTS)
    assert len(calls) == 3
    monkeypatch.undo()
    assert read(extractor.extract(COMMENTS)) == EXPECTED


def test_every_token_is_progress(chat, vlm, monkeypatch):
    seen = []

    class Bar:
        def __init__(self, total):
            seen.append(total)

        def update(self, n):
            seen.append(n)

    monkeypatch.setattr(vlm.host, "progress", Bar)
    chat.answer([("user", asking.question(COMMENTS, _pictures(), asking.TASK))], max_new_tokens=7)
    assert seen == [7] + [1] * 7


# --- folders and what can be wrong with them -------------------------------------------------------------------------


@pytest.fixture
def models(taught, monkeypatch):
    monkeypatch.setattr(folders.host, "model_folders", lambda *kinds: [taught / kind for kind in kinds])
    return taught


def test_models_are_listed_by_their_folders(models):
    assert list(folders.folders(("vpe",))) == ["idefics2-8b"]
    assert list(folders.folders(("vpe",), "adapter_config.json")) == ["VPE-ViPer"]
    assert folders.named("tiny-chat", ("vlm", "LLM")) == models / "vlm/tiny-chat"


def test_a_missing_model_names_repository_and_folder_and_downloads_nothing(models, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: pytest.fail("nobody asked for a download"))
    with pytest.raises(ModelError) as raised:
        folders.locate("other", folders.BASE_REPO, ("vpe",), "config.json", False)
    assert "HuggingFaceM4/idefics2-8b" in str(raised.value) and str(models / "vpe" / "other") in str(raised.value)


def test_a_download_happens_only_when_asked_and_into_the_models_folder(models, monkeypatch):
    import huggingface_hub

    asked = {}
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda repo, **options: asked.update(repo=repo, **options))
    target = folders.locate("other", folders.ADAPTER_REPO, ("vpe",), "adapter_config.json", True)
    assert (asked["repo"], asked["local_dir"]) == ("EPFL-VILAB/VPE-ViPer", target) and target == models / "vpe" / "other"
    with pytest.raises(ModelError, match="choose a folder"):
        folders.locate("../../custom_nodes/evil", folders.ADAPTER_REPO, ("vpe",), "adapter_config.json", True)


def test_a_download_that_breaks_off_says_that_what_came_is_kept(models, monkeypatch):
    import huggingface_hub

    def broken(*a, **k):
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", broken)
    with pytest.raises(ModelError, match="no route to host.*kept"):
        folders.locate("other", folders.ADAPTER_REPO, ("vpe",), "adapter_config.json", True)


def test_a_copy_in_the_hugging_face_cache_is_used(models, monkeypatch, tmp_path):
    import huggingface_hub

    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repo, file: str(tmp_path / file))
    assert folders.locate("other", folders.BASE_REPO, ("vpe",), "config.json", False) == tmp_path


def test_an_unknown_chat_model_is_told_which_there_are(models):
    with pytest.raises(ModelError, match="There are tiny-chat"):
        folders.named("gone", ("vlm",))
    with pytest.raises(ModelError, match="folder of its own in .*LLM"):
        folders.named("none", ("LLM",))


def copy_without(source, target, *names):
    shutil.copytree(source, target)
    for name in names:
        (target / name).unlink(missing_ok=True)
    return target


def test_broken_folders_are_one_clear_sentence_each(taught, vlm, tmp_path):
    good = taught / "vlm/tiny-chat"
    with pytest.raises(ModelError, match="holds no whole model"):
        vlm.ChatModel(copy_without(good, tmp_path / "a", "model.safetensors"))
    with pytest.raises(ModelError, match="processor in .* cannot be loaded|no chat model"):
        vlm.ChatModel(copy_without(good, tmp_path / "b", "processor_config.json", "tokenizer.json"))
    with pytest.raises(ModelError, match="no chat model"):
        vlm.ChatModel(_without_template(copy_without(good, tmp_path / "c", "chat_template.jinja")))
    with pytest.raises(ModelError, match="does not fit"):
        vlm.ChatModel(good, taught / "vpe/VPE-ViPer")
    broken = copy_without(good, tmp_path / "d")
    (broken / "config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be"):
        vlm.ChatModel(broken)
    cut = copy_without(good, tmp_path / "e")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        vlm.ChatModel(cut)


def _without_template(folder):
    for name in ("processor_config.json", "tokenizer_config.json"):
        data = json.loads((folder / name).read_text())
        data.pop("chat_template", None)
        (folder / name).write_text(json.dumps(data))
    return folder


@pytest.mark.parametrize("library, options", [("peft", {"adapter": "x"}), ("bitsandbytes", {"precision": "4-bit"})])
def test_a_missing_library_is_named(taught, vlm, monkeypatch, library, options):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == library else found(name, *a))
    with pytest.raises(ModelError, match=f"pip install {library}"):
        vlm.ChatModel(taught / "vlm/tiny-chat", **options)
