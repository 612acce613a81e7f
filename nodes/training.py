"""DreamBooth in the graph: train a subject, keep it, load it again. The options; the work is done in `training.session`."""

import logging

import torch
from comfy_api.latest import io, ui

from .. import host
from ._types import DatasetType, SubjectType, TrainingType, check, one_of

log = logging.getLogger("viper")

CATEGORY = "ViPer/dreambooth"
AUTO, PRESET = "auto", "preset"
RESUME = ("continue", "start over")
NO_SUBJECT = "none"


def _preset(name: str, options, tooltip: str):
    return io.Combo.Input(name, optional=True, options=[PRESET, *options], default=PRESET, tooltip=tooltip)


def _number(name: str, most: int, tooltip: str, default: int = 0, least: int = 0):
    return io.Int.Input(name, optional=True, default=default, min=least, max=most, tooltip=tooltip)


def _amount(name: str, most: float, tooltip: str, default: float = 0.0, step: float = 0.01, least: float = 0.0):
    digits = round(step * 1e-3, 12) if step < 1e-3 else round(step / 100, 12)
    return io.Float.Input(name, optional=True, default=default, min=least, max=most, step=step, round=digits, tooltip=tooltip)


class TrainingOptions(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        from ..training import objective, optimizers
        from ..training.options import CHECKPOINTING, METHODS, PRECISIONS, PRESETS, PRIORS

        return host.schema(
            node_id="ViPerTrainingOptions",
            display_name="Training Options",
            category=CATEGORY,
            description="All that DreamBooth Train can be told. What is left at 0 or preset follows the published settings of the model's "
            "family. Several of these nodes can be chained: what a later one sets wins.",
            search_aliases=["viper", "lora", "dora", "learning rate", "optimizer", "prodigy", "fine-tune"],
            inputs=[
                io.Combo.Input(
                    "preset",
                    options=[AUTO, *PRESETS],
                    default=AUTO,
                    tooltip="Published settings of a family of models. auto: those of the connected model.",
                ),
                TrainingType.Input("training", optional=True, tooltip="Options to add to."),
                _preset(
                    "method", METHODS,
                    "lora: small files that every tool loads. dora: closer to full training at the same size, for ComfyUI's own loaders. "
                    "full: all weights, a file as large as the model.",
                ),
                _number("rank", 512, "Size of the adapter. 0: as the preset says (16). Not used by full."),
                _amount("alpha", 512.0, "Strength of the adapter while it learns. 0: equal to the rank.", step=0.5),
                _preset(
                    "layers", ("attention", "linear", "all"),
                    "Which layers learn. attention: the usual choice; linear: the feed-forward layers too; all: convolutions too.",
                ),
                io.Boolean.Input(
                    "text_encoder", optional=True, default=False,
                    tooltip="Train the text encoder too: more faithful, less easily placed in other scenes, and more memory.",
                ),
                _amount("learning_rate", 10.0, "0: as the preset says. Lower it when the subject looks burnt.", step=0.000001),
                _amount("text_encoder_lr", 10.0, "0: half the learning rate.", step=0.000001),
                _preset("optimizer", optimizers.OPTIMIZERS, "adamw8bit needs the library bitsandbytes, prodigy the library prodigyopt."),
                _preset("schedule", optimizers.SCHEDULES, "How the learning rate moves. Others than constant need the library diffusers."),
                _number("warmup_steps", 10000, "Steps over which the learning rate rises to its value."),
                _number("batch_size", 64, "Pictures of the subject in a step; as many of its class come along. 0: as the preset says."),
                _number("accumulation", 64, "Batches a step whose gradients are averaged: a larger batch without its memory."),
                io.Combo.Input(
                    "prior", optional=True, options=list(PRIORS), default=AUTO,
                    tooltip="What keeps the class from turning into your subject. made: pictures of the class drawn first by the model; "
                    "supplied: the dataset's class pictures; frozen: no pictures, the untrained model is asked; off: nothing.",
                ),
                _amount("prior_weight", 10.0, "How much the class counts beside the subject (λ of the paper).", default=1.0, step=0.05),
                _number("class_images", 2000, "How many class pictures are made. They are kept for the next training.", 100, 1),
                _preset(
                    "weighting", objective.WEIGHTINGS,
                    "How noise levels count in the loss. paper: all alike; high_noise: shapes and colors before surfaces.",
                ),
                _amount("gamma", 100.0, "Of min_snr: how high a level's weight may be.", default=5.0, step=0.5, least=0.1),
                _preset("times", objective.TIMES, "How noise levels are drawn."),
                _amount("shift", 20.0, "Moves noise levels towards noise, for flow models. 0: as the preset says (1, none).", step=0.1),
                _amount("noise_offset", 1.0, "About 0.05 helps with very dark or very bright subjects."),
                _amount("rank_dropout", 0.9, "Share of the adapter left out in each step, against learning by heart.", step=0.05),
                _amount("ema", 0.99999, "Decay of an average of the weights, which is then what comes out. 0: off. Needs diffusers.",
                        step=0.0001),
                _amount("max_grad_norm", 100.0, "Gradients longer than this are shortened to it. 0: off.", default=1.0, step=0.1),
                io.Combo.Input(
                    "gradient_checkpointing", optional=True, options=list(CHECKPOINTING), default=AUTO,
                    tooltip="Far less memory for a third more time. auto: only when the first step does not fit.",
                ),
                io.Combo.Input(
                    "precision", optional=True, options=list(PRECISIONS), default=AUTO,
                    tooltip="What the model computes in while training. What is learned is always kept in float32.",
                ),
                io.String.Input(
                    "preview_prompt", optional=True, multiline=True, default="", placeholder="One prompt a line; empty: the trigger",
                    tooltip="Drawn every preview_every steps, up to four. [V] and [class] stand for your two words.",
                ),
                _number("preview_every", 10000, "Steps between previews. 0: only at the end.", 100),
                _number("save_every", 10000, "Steps between saved states: what a power cut can cost.", 100, 1),
                _amount(
                    "prompt_preservation", 0.9,
                    "Share of the subject's samples that are learned under prompts with further words (looks, places, colors), as the "
                    "untrained model draws these, so that it keeps following prompts. A good start: 0.5 with text_encoder on. 0: off.",
                    step=0.05,
                ),
                io.String.Input(
                    "preserved_prompts", optional=True, multiline=True, default="", placeholder="a [V] [class], oil painting",
                    tooltip="Of prompt_preservation: one a line, with [V] and [class] for your two words. Empty: 46 common ones.",
                ),
                _amount(
                    "preservation_strength", 5.0,
                    "Of prompt_preservation: how much of the further words is learned. 1: as the untrained model draws them; 1.25 holds "
                    "its own against the subject's plain pictures.",
                    default=1.0, step=0.05,
                ),
                _amount(
                    "subject_strength", 2.0,
                    "How much of what was learned comes out, in the model, the file and the previews. 0.8 follows prompts more closely for "
                    "a little of the subject. Changing it later trains nothing anew.",
                    default=1.0, step=0.05, least=0.05,
                ),
            ],
            outputs=[TrainingType.Output(display_name="training")],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, preset=None, method=None, layers=None, optimizer=None, schedule=None, prior=None, weighting=None, times=None,
                        gradient_checkpointing=None, precision=None):  # fmt: skip
        given = locals()

        def known():
            for entry in cls.define_schema().inputs:
                if isinstance(entry, io.Combo.Input):
                    one_of(entry.id.replace("_", " "), given.get(entry.id), entry.options)

        return check(known)

    @classmethod
    def execute(cls, preset, training=None, **settings) -> io.NodeOutput:
        from ..training.options import Training

        return io.NodeOutput((training or Training()).with_settings(preset, **settings))


class DreamBoothTrain(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerDreamBoothTrain",
            display_name="DreamBooth Train",
            category=CATEGORY,
            description="Teaches the model your own subject (DreamBooth, with prior preservation). The state is kept in "
            "output/viper/training: a training that was cancelled or cut off goes on where it stood. The model that comes in "
            "stays as it is.",
            search_aliases=["viper", "train lora", "fine-tune", "subject", "dreambooth", "dora"],
            inputs=[
                io.Model.Input("model"),
                io.Clip.Input("clip"),
                io.Vae.Input("vae"),
                DatasetType.Input("dataset", tooltip="From DreamBooth Dataset."),
                io.String.Input("name", default="my subject", tooltip="Where the training is kept: output/viper/training and this name."),
                io.Int.Input("steps", default=500, min=1, max=100000, tooltip="Raising it later goes on from where the training stands."),
                # No control behind it: a seed that moved after every run would be another training each time.
                io.Int.Input(
                    "seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=False,
                    tooltip="Decides all that is random. The same seed gives the same training.",
                ),
                TrainingType.Input("training", optional=True, tooltip="From Training Options. Unconnected: the preset of its family."),
                io.Combo.Input(
                    "resume", optional=True, options=list(RESUME), default=RESUME[0],
                    tooltip="continue: go on with the training of this name. start over: move its state aside and begin anew.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model"),
                io.Clip.Output(display_name="clip"),
                io.LoraModel.Output(display_name="lora"),
                io.LossMap.Output(display_name="loss"),
                io.Image.Output(display_name="loss plot"),
                io.Image.Output(display_name="previews"),
                io.String.Output(display_name="trigger"),
                SubjectType.Output(display_name="subject"),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, name=None, resume=None):
        def usable():
            from ..training.session import training_name

            if name is not None:
                training_name(name)
            one_of("way to resume", resume, RESUME)

        return check(usable)

    @classmethod
    def execute(cls, model, clip, vae, dataset, name, steps, seed, training=None, resume=RESUME[0]) -> io.NodeOutput:
        from ..training.session import Session

        node = cls.hidden.unique_id
        session = Session(model, clip, vae, dataset, name, steps, seed, training, resume == RESUME[0], lambda text: host.say(node, text))
        out = session.run()
        plot, sheet = (torch.from_numpy(picture).float().div_(255.0)[None] for picture in (out.plot, out.sheet))
        loss = {"loss": out.series["loss"], **{name: values for name, values in out.series.items() if values}}
        shown = ui.PreviewImage(sheet, cls=cls)
        return io.NodeOutput(out.model, out.clip, dict(out.subject.unet), loss, plot, sheet, out.subject.trigger, out.subject, ui=shown)


class SaveSubject(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        from ..training.subject import PRECISIONS

        return host.schema(
            node_id="ViPerSaveSubject",
            display_name="Save Subject",
            category=CATEGORY,
            description="Saves a trained subject as a LoRA in models/loras/viper, with its trigger and settings, so that Load Subject "
            "brings its prompt along and every other LoRA loader reads it.",
            search_aliases=["viper", "save lora", "export lora", "dreambooth"],
            inputs=[
                SubjectType.Input("subject", tooltip="From DreamBooth Train."),
                io.String.Input("name", default="my subject", tooltip="The file's name. An existing subject of that name is replaced."),
                io.Combo.Input(
                    "precision", optional=True, options=list(PRECISIONS), default="bf16",
                    tooltip="bf16 and float16 are half as large as float32, and what is lost does not show.",
                ),
            ],
            outputs=[SubjectType.Output(display_name="subject"), io.String.Output(display_name="file")],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, name=None, precision=None):
        from ..training.subject import PRECISIONS, subject_name

        def usable():
            if name is not None:
                subject_name(name)
            one_of("precision", precision, PRECISIONS)

        return check(usable)

    @classmethod
    def execute(cls, subject, name, precision="bf16") -> io.NodeOutput:
        from ..training.subject import subject_name

        path = host.subject_folder() / f"{subject_name(name)}.safetensors"
        subject.save(path, precision)
        return io.NodeOutput(subject, str(path), ui=ui.PreviewText(f"{path}\n{subject.trigger}"))


class LoadSubject(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerLoadSubject",
            display_name="Load Subject",
            category=CATEGORY,
            description="Loads a subject (or any other LoRA) onto a model and its text encoder, and gives the words that call it.",
            search_aliases=["viper", "load lora", "trigger word", "dreambooth"],
            inputs=[
                io.Model.Input("model"),
                io.Clip.Input("clip"),
                io.Combo.Input(
                    "subject",
                    options=[NO_SUBJECT, *host.lora_files()],
                    default=NO_SUBJECT,
                    tooltip="A file of models/loras; subjects saved with Save Subject come first.",
                ),
                io.Float.Input("strength_model", optional=True, default=1.0, min=-10.0, max=10.0, step=0.05, tooltip="1: as trained."),
                io.Float.Input("strength_clip", optional=True, default=1.0, min=-10.0, max=10.0, step=0.05, tooltip="1: as trained."),
            ],
            outputs=[
                io.Model.Output(display_name="model"),
                io.Clip.Output(display_name="clip"),
                io.String.Output(display_name="trigger"),
                io.String.Output(display_name="class noun"),
            ],
        )

    @classmethod
    def validate_inputs(cls, subject=None):
        # Naming `subject` replaces the host's list check, which says only "value not in list".
        return check(_path, subject)

    @classmethod
    def fingerprint_inputs(cls, subject=NO_SUBJECT, **_):
        try:
            path = _path(subject)
            return "" if path is None else repr((path.stat().st_size, path.stat().st_mtime_ns))
        except (ValueError, OSError):
            return ""

    @classmethod
    def execute(cls, model, clip, subject, strength_model=1.0, strength_clip=1.0) -> io.NodeOutput:
        from ..training.errors import TrainingError
        from ..training.subject import load

        path = _path(subject)
        if path is None:
            return io.NodeOutput(model, clip, "", "")
        loaded = load(path)
        if loaded.base and loaded.base != host.fingerprint(model, clip, None):
            log.warning('"%s" was trained on another model: it may look different here.', path.stem)
        patched, text, counts = host.with_lora(model, clip, loaded.tensors, strength_model, strength_clip)
        if not any(counts):
            raise TrainingError(f'Nothing in "{subject}" fits the connected model: it was trained on another family. Connect that kind of '
                                "model, or choose another subject.")  # fmt: skip
        return io.NodeOutput(patched, text, loaded.trigger, loaded.class_noun)


def _path(subject: str):
    """The file of a subject; None for none. Raises ValueError."""
    if subject == NO_SUBJECT:
        return None
    path = host.lora_path(subject)
    if path is None:
        raise ValueError(f'There is no subject "{subject}" in models/loras: save it there with Save Subject, or choose another.')
    return path


NODES = [TrainingOptions, DreamBoothTrain, SaveSubject, LoadSubject]
