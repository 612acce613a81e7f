"""What is saved in people's workflows never changes: ids, inputs, order, types, defaults, outputs.

The golden file holds what has been published. After adding a node or an optional input at the end, record it with
``VIPER_WRITE_GOLDEN=1 python dev.py test tests/test_schemas.py`` and commit the file; the promises below are checked first.
"""

import copy
import json
import os
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden" / "schemas.json"
KEPT = ("default", "min", "max", "step", "round", "forceInput", "multiline", "control_after_generate")
LISTS_OF_THE_HOST = {("ViPerKSampler", "sampler_name"), ("ViPerKSampler", "scheduler"), ("ViPerLoadPreferences", "profile"),
                     ("ViPerLoadVPE", "base"), ("ViPerLoadVPE", "adapter"), ("ViPerLoadVLM", "model"),
                     ("ViPerImageSet", "sampler_name"), ("ViPerImageSet", "scheduler"), ("ViPerLoadSubject", "subject"),
                     ("ViPerLoadEncoder", "encoder")}  # fmt: skip


def current_schemas():
    from viper.nodes import NODES

    return {node.GET_SCHEMA().node_id: record(node) for node in NODES}


def record(node):
    info = node.GET_NODE_INFO_V1()
    inputs = []
    for group in ("required", "optional"):
        for name, spec in info["input"].get(group, {}).items():
            kind, options = spec[0], spec[1] if len(spec) > 1 else {}
            choices = options.get("options", kind if isinstance(kind, list) else None)
            entry = {"name": name, "type": "COMBO" if isinstance(kind, list) else kind, "required": group == "required"}
            entry |= {k: options[k] for k in KEPT if k in options}
            if choices is not None and (info["name"], name) not in LISTS_OF_THE_HOST:
                entry["options"] = list(choices)
            inputs.append(entry)
    return {
        "display_name": info["display_name"],
        "inputs": inputs,
        "outputs": [list(pair) for pair in zip(info["output"], info["output_name"], strict=True)],
        "output_node": info["output_node"],
    }


def broken_promises(golden, now):
    """One line for everything in ``now`` that would break a workflow saved with ``golden``."""
    broken = []
    for node_id, old in golden.items():
        new = now.get(node_id)
        if new is None:
            broken.append(f"{node_id} is gone")
            continue
        if len(new["inputs"]) < len(old["inputs"]):
            broken.append(f"{node_id} lost an input")
        for was, is_ in zip(old["inputs"], new["inputs"], strict=False):
            choices, new_choices = was.get("options"), is_.get("options")
            if choices is not None and (new_choices or [])[: len(choices)] != choices:
                broken.append(f"{node_id}.{was['name']}: its options {choices} became {new_choices}")
            if {**was, "options": None} != {**is_, "options": None}:
                broken.append(f"{node_id}.{was['name']}: {was} became {is_}")
        broken += [f"{node_id}.{i['name']}: a new input must be optional" for i in new["inputs"][len(old["inputs"]) :] if i["required"]]
        if new["outputs"][: len(old["outputs"])] != old["outputs"]:
            broken.append(f"{node_id}: its outputs {old['outputs']} became {new['outputs']}")
        if old["output_node"] and not new["output_node"]:  # one that becomes it only runs in more graphs
            broken.append(f"{node_id}: it is no longer an output node")
    return broken


def test_nothing_that_saved_workflows_rely_on_has_changed(host):
    now = current_schemas()
    golden = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    assert broken_promises(golden, now) == []
    if os.environ.get("VIPER_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == now, "something was added: record it (see the top of this file)"


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("ViPerKSampler"),
        lambda s: s["ViPerKSampler"]["inputs"].pop(3),
        lambda s: s["ViPerKSampler"]["inputs"].reverse(),
        lambda s: s["ViPerKSampler"]["inputs"][12].update(name="strength"),
        lambda s: s["ViPerKSampler"]["inputs"][12].update(default=0.5),
        lambda s: s["ViPerKSampler"]["inputs"][0].update(type="CLIP"),
        lambda s: s["ViPerKSampler"]["inputs"].append({"name": "new", "type": "INT", "required": True}),
        lambda s: s["ViPerMergePreferences"]["inputs"][2]["options"].remove("add"),
        lambda s: s["ViPerPreferenceConditioning"]["outputs"].reverse(),
        lambda s: s["ViPerSavePreferences"].update(output_node=False),
    ],
    ids=["node removed", "input removed", "reordered", "renamed", "default", "type", "required added", "option removed", "outputs", "end"],
)
def test_the_guard_sees_every_kind_of_breaking_change(change):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    changed = copy.deepcopy(golden)
    change(changed)
    assert broken_promises(golden, changed) != []


def test_the_guard_lets_later_optional_inputs_and_options_in():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    changed = copy.deepcopy(golden)
    changed["ViPerKSampler"]["inputs"].append({"name": "new", "type": "INT", "required": False, "default": 0})
    changed["ViPerMergePreferences"]["inputs"][2]["options"].append("average")
    changed["ViPerNew"] = {}
    assert broken_promises(golden, changed) == []


CONTRACT = {
    "ViPerPreferenceScore": ("images", "preferences?", "comments?", "liked_images?", "disliked_images?", "encoder?", "scorer?"),
    "ViPerPickBest": ("scores", "count", "latents?"),
    "ViPerLoadProxy": ("base", "adapter", "precision", "pairs?", "download?"),
    "ViPerCommentOnImages": ("comments", "images?"),
    "ViPerRankPictures": ("ranking", "images?", "comments?"),
    "ViPerCommentsToPreferences": ("comments", "extractor?", "clip_vision?", "overrides?", "max_features?", "clip?"),
    "ViPerPreferencesFromText": ("liked", "disliked"),
    "ViPerSavePreferences": ("preferences", "name"),
    "ViPerLoadPreferences": ("profile", "share_code"),
    "ViPerMergePreferences": ("a", "b", "operation", "weight"),
    "ViPerEditPreferences": ("preferences", "edits"),
    "ViPerUpdatePreferences": ("preferences", "name", "keep?"),
    "ViPerPreferenceConditioning": (
        *("clip", "preferences", "positive", "negative", "beta", "mode"),
        *("encoding?", "beta_disliked?", "shift_pooled?", "hold_norm?"),
    ),
    "ViPerKSampler": (
        *("model", "seed", "steps", "cfg", "sampler_name", "scheduler", "positive", "negative", "liked", "disliked", "latent_image"),
        *("denoise", "beta", "guidance?", "beta_disliked?"),
    ),
    "ViPerGuider": ("model", "positive", "negative", "liked", "disliked", "cfg", "beta", "guidance?", "beta_disliked?"),
    "ViPerApplyGuidance": ("model", "liked", "disliked", "beta", "guidance?", "beta_disliked?"),
    "ViPerGuidanceOptions": ("start_percent", "end_percent", "schedule", "rescale", "every?", "between?", "tolerance?", "sigma_start?",
                             "sigma_end?"),  # fmt: skip
    "ViPerLoadPocketModel": (),
    "ViPerPocketSubject": ("subject",),
    "ViPerRareToken": ("clip", "seed", "tokens?", "word?"),
    "ViPerDreamBoothDataset": (
        *("identifier", "class_noun", "images?", "folder?", "masks?", "captions?", "class_images?", "class_folder?"),
        *("resolution?", "fit?", "crop?", "flip?", "scale?", "outside_mask?"),
    ),
    "ViPerLoadVPE": ("base", "adapter", "precision", "task?", "download?"),
    "ViPerLoadVLM": ("model", "precision", "task?", "image_size?", "max_new_tokens?"),
    "ViPerEndpoint": ("url", "model", "task?", "image_size?", "timeout?", "retries?"),
    "ViPerTrainingOptions": (
        *("preset", "training?", "method?", "rank?", "alpha?", "layers?", "text_encoder?", "learning_rate?", "text_encoder_lr?"),
        *("optimizer?", "schedule?", "warmup_steps?", "batch_size?", "accumulation?", "prior?", "prior_weight?", "class_images?"),
        *("weighting?", "gamma?", "times?", "shift?", "noise_offset?", "rank_dropout?", "ema?", "max_grad_norm?"),
        *("gradient_checkpointing?", "precision?", "preview_prompt?", "preview_every?", "save_every?"),
    ),
    "ViPerDreamBoothTrain": ("model", "clip", "vae", "dataset", "name", "steps", "seed", "training?", "resume?"),
    "ViPerBlindTest": ("personalised", "others", "name", "seed", "prompts?", "among?", "question?"),
    "ViPerSaveSubject": ("subject", "name", "precision?"),
    "ViPerProtocolPrompts": ("kind", "class_noun", "identifier", "index"),
    "ViPerLoadSubject": ("model", "clip", "subject", "strength_model?", "strength_clip?"),
    "ViPerLoadEncoder": ("encoder", "precision?"),
    "ViPerCLIPEncoder": ("clip_vision", "clip?"),
    "ViPerSubjectFidelity": ("images", "subject_images", "encoder?", "metrics?", "label?"),
    "ViPerPromptFidelity": ("images", "prompt", "identifier?", "encoder?", "metrics?", "label?"),
    "ViPerPriorPreservation": ("class_images", "subject_images", "encoder?", "metrics?", "label?"),
    "ViPerDiversity": ("images", "distance", "encoder?", "metrics?", "label?", "per_prompt?"),
    "ViPerFID": ("images", "reference_images", "encoder?", "metrics?", "label?"),
    "ViPerInceptionScore": ("images", "splits?", "metrics?", "label?"),
    "ViPerIdentityStability": ("images", "identity_images", "input_index?", "encoder?", "metrics?", "label?"),
    "ViPerEvaluationReport": ("metrics", "name"),
}


@pytest.mark.parametrize("node_id", CONTRACT)
def test_the_first_nodes_have_the_inputs_of_the_contract_in_its_order(node_id):
    recorded = json.loads(GOLDEN.read_text(encoding="utf-8"))[node_id]["inputs"]
    names = tuple(i["name"] + ("" if i["required"] else "?") for i in recorded)
    assert names[: len(CONTRACT[node_id])] == CONTRACT[node_id]


def test_the_ksampler_repeats_the_hosts_own_inputs(host):
    import nodes as host_nodes
    from viper.nodes.sampling import KSamplerPreference

    theirs = host_nodes.KSampler.INPUT_TYPES()["required"]
    ours = KSamplerPreference.GET_NODE_INFO_V1()["input"]["required"]
    for name, spec in theirs.items():
        kind, options = spec[0], spec[1]
        our_options = ours[name][1]
        for key in ("default", "min", "max", "step", "round", "control_after_generate"):
            assert our_options.get(key) == options.get(key), f"{name}.{key}"
        if isinstance(kind, list):
            assert our_options["options"] == kind
    assert [n for n in ours if n in theirs] == list(theirs)


def test_every_schema_is_valid_for_the_host_and_tooltips_end_as_sentences(host):
    from viper.nodes import NODES

    for node in NODES:
        schema = node.GET_SCHEMA()
        assert schema.description and schema.node_id.startswith("ViPer") and schema.category.startswith("ViPer")
        for i in schema.inputs:
            assert i.tooltip is None or i.tooltip.endswith((".", ")")), f"{schema.node_id}.{i.id}"
