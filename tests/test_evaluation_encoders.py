"""What the measures look with: encoders from folders against transformers by hand, and what is missing said by its name."""

import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from viper.evaluation.errors import EvaluationError
from viper.tests import tiny_encoders

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folders(host, tmp_path_factory):
    root = tmp_path_factory.mktemp("models") / "image_encoders"
    return {family: tiny_encoders.save(root / family, family) for family in (*tiny_encoders.FAMILIES, "clip vision", "other")}


@pytest.fixture
def models(folders, monkeypatch):
    """The host's models folder is the one with these encoders."""
    import folder_paths

    root = folders["clip"].parent
    monkeypatch.setattr(folder_paths, "models_dir", str(root.parent))
    return root


def pictures(count=3):
    return torch.rand(count, 40, 48, 3, generator=torch.Generator().manual_seed(1))


def by_hand(folder, family, images):
    """The embedding as each model's authors take it, with transformers and PIL alone."""
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModel, CLIPVisionModelWithProjection

    pil = [Image.fromarray((image.numpy() * 255).round().astype(np.uint8)) for image in images]
    inputs = AutoImageProcessor.from_pretrained(folder)(images=pil, return_tensors="pt")
    kind = CLIPVisionModelWithProjection if family == "clip vision" else AutoModel
    model = kind.from_pretrained(folder).eval()
    with torch.no_grad():
        if family == "clip":
            return model.visual_projection(model.vision_model(**inputs).pooler_output)
        if family == "clip vision":
            return model(**inputs).image_embeds
        if family == "siglip":
            return model.vision_model(**inputs).pooler_output
        return model(**inputs).last_hidden_state[:, 0]


@pytest.mark.parametrize("family", (*tiny_encoders.FAMILIES, "clip vision"))
def test_an_encoder_from_a_folder_sees_what_transformers_does(folders, family, as_in_the_host):
    from viper.evaluation.encoders import from_folder

    encoder = from_folder(folders[family])
    seen = encoder.pictures(torch.cat([pictures(), torch.ones(3, 40, 48, 1)], -1))
    assert torch.allclose(seen, F.normalize(by_hand(folders[family], family, pictures()), dim=-1), atol=1e-5)
    assert encoder.name == family and encoder.reads == (family in ("clip", "siglip"))
    apart = seen @ seen.T
    assert apart[0, 1] < 0.999, "all pictures look the same to it: nothing is tested"


@pytest.mark.parametrize("family", ("clip", "siglip"))
def test_an_encoder_from_a_folder_reads_what_transformers_does(folders, family):
    from transformers import AutoModel, AutoTokenizer

    from viper.evaluation.encoders import from_folder

    model, words = AutoModel.from_pretrained(folders[family]).eval(), AutoTokenizer.from_pretrained(folders[family])
    long = "a dog on a beach " * 20
    expected = []
    for text in (*tiny_encoders.TEXTS, long):
        options = dict(padding="max_length") if family == "siglip" else {}  # as SigLIP is trained
        with torch.no_grad():
            out = model.text_model(**words([text], truncation=True, max_length=16, return_tensors="pt", **options)).pooler_output
            expected.append(F.normalize(model.text_projection(out) if family == "clip" else out, dim=-1)[0])
    read = from_folder(folders[family]).texts([*tiny_encoders.TEXTS, long])
    assert torch.allclose(read, torch.stack(expected), atol=1e-5)


@pytest.mark.parametrize("precision", ("bf16", "float16"))
def test_half_the_memory_gives_nearly_the_same_embedding(folders, precision):
    from viper.evaluation.encoders import from_folder

    full, half = from_folder(folders["dinov2"]), from_folder(folders["dinov2"], precision)
    assert half.name == f"dinov2, {precision}" and half.pictures(pictures()).dtype == torch.float32
    cosines = (full.pictures(pictures()) * half.pictures(pictures())).sum(1)
    assert float(cosines.min()) > 0.999 and not torch.equal(full.pictures(pictures()), half.pictures(pictures()))


def test_the_nodes_list_holds_the_folders_and_pocket_first(models):
    from viper.nodes.encoders import LoadEncoder

    options = LoadEncoder.GET_NODE_INFO_V1()["input"]["required"]["encoder"][1]["options"]
    assert options == ["pocket", "clip", "clip vision", "dino", "dinov2", "other", "siglip"]
    assert LoadEncoder.execute("pocket").result[0].name == "pocket"
    assert LoadEncoder.execute("dino").result[0].name == "dino"
    assert LoadEncoder.validate_inputs("dino", "float32") is True and LoadEncoder.validate_inputs(None, None) is True
    told = LoadEncoder.validate_inputs("vit-h", "float32")
    assert told.startswith('There is no encoder "vit-h"') and str(models / "vit-h" / "config.json") in told
    assert "no precision called" in LoadEncoder.validate_inputs("dino", "int4")
    assert "There is no encoder" in LoadEncoder.validate_inputs("../image_encoders/dino", "float32")


@pytest.mark.parametrize(
    "family, gone, told",
    [
        ("clip", "config.json", "config.json is missing"),
        ("dino", "preprocessor_config.json", "preprocessor_config.json is missing"),
        ("dino", "model.safetensors", "model.safetensors (or pytorch_model.bin) is missing"),
        ("clip", "tokenizer.json", "tokenizer.json is missing, which reading prompts needs"),
    ],
)
def test_a_missing_file_is_named(folders, tmp_path, family, gone, told):
    from viper.evaluation.encoders import from_folder

    folder = tmp_path / "mine"
    shutil.copytree(folders[family], folder)
    (folder / gone).unlink()
    with pytest.raises(EvaluationError) as error:
        from_folder(folder).texts(["a dog"])
    assert told in str(error.value) and str(folder) in str(error.value)


def test_a_clip_without_a_tokenizer_still_sees(folders, tmp_path):
    from viper.evaluation.encoders import from_folder

    folder = tmp_path / "mine"
    shutil.copytree(folders["clip"], folder)
    (folder / "tokenizer.json").unlink()
    assert from_folder(folder).pictures(pictures()).shape == (3, 24)


def test_what_is_no_image_encoder_is_one_sentence(folders, tmp_path):
    from viper.evaluation.encoders import from_folder

    with pytest.raises(EvaluationError, match='a model of the kind "resnet": put in CLIP'):
        from_folder(folders["other"])
    with pytest.raises(EvaluationError, match="only sees: connect one that also reads"):
        from_folder(folders["dino"]).texts(["a dog"])
    folder = tmp_path / "broken"
    shutil.copytree(folders["dino"], folder)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(EvaluationError, match="cannot be loaded .*: check its files, or download it again"):
        from_folder(folder)


def test_cancel_stops_an_encoder_between_batches(folders, monkeypatch):
    import comfy.model_management as management

    from viper.evaluation.encoders import BATCH, from_folder

    encoder = from_folder(folders["dino"])
    management.interrupt_current_processing(True)
    with pytest.raises(management.InterruptProcessingException):
        encoder.pictures(pictures(BATCH + 1))
    assert encoder.pictures(pictures()).shape == (3, 32)


def test_a_clip_vision_of_the_host_becomes_an_encoder_and_the_wrong_text_side_is_told(host):
    from viper.nodes.encoders import CLIPEncoder
    from viper.pocket.encoders import image_embeddings, load_pocket_encoders, text_embeddings
    from viper.pocket.loader import load_pocket_model

    clip_vision, clip = load_pocket_encoders()
    (sees,) = CLIPEncoder.execute(clip_vision).result
    assert torch.allclose(sees.pictures(pictures()), image_embeddings(clip_vision, pictures()), atol=1e-5) and not sees.reads
    (reads,) = CLIPEncoder.execute(clip_vision, clip).result
    assert torch.allclose(reads.texts(["a dog"]), text_embeddings(clip, ["a dog"]), atol=1e-4)
    with pytest.raises(ValueError, match="no text projection|sides of different CLIPs"):
        CLIPEncoder.execute(clip_vision, load_pocket_model()[1])
