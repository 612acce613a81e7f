"""Every ComfyUI internal the pack uses, behind a few functions.

Written against 0.3.75 and later: only what both have, the rest is feature-detected. Host modules are imported inside the
functions, so that this package imports anywhere and costs nothing at start-up; nothing is ever assigned into them.
"""

from .bases import (
    cell,
    family,
    is_out_of_memory,
    latent_of,
    needed_memory,
    release,
    sizes,
    used_memory,
    with_lora,
    with_values,
)
from .checkpoints import fingerprint
from .folders import (
    PACK,
    attributes_file,
    class_picture_folder,
    evaluation_folder,
    input_folder,
    input_subfolder,
    keep_picture,
    lora_files,
    lora_path,
    model_folders,
    picture_path,
    preview_pictures,
    profile_folder,
    set_folder,
    subject_folder,
    text_in_pictures,
    training_folder,
)
from .interface import sampler_names, scheduler_names, schema
from .models import Managed, Rebuilt, runs_bf16, torch_device
from .painting import Painter, decode
from .pictures import eight_bit, pictures_in
from .routes import add_route
from .sampling import (
    add_conds,
    any_active,
    cfg_guider,
    context_window,
    ksampler,
    percent_to_sigma,
    same_conds,
    same_words,
    wrap_calc_cond_batch,
    wrap_outer_sample,
)
from .text import Encoded, encode_prompt, encode_text, picture_embedding, projected_text, reads_weights
from .work import progress, say, stop_if_cancelled

__all__ = [
    "Encoded",
    "Managed",
    "PACK",
    "Painter",
    "Rebuilt",
    "add_conds",
    "add_route",
    "any_active",
    "attributes_file",
    "cell",
    "cfg_guider",
    "class_picture_folder",
    "context_window",
    "decode",
    "eight_bit",
    "encode_prompt",
    "encode_text",
    "evaluation_folder",
    "family",
    "fingerprint",
    "input_folder",
    "input_subfolder",
    "is_out_of_memory",
    "keep_picture",
    "ksampler",
    "latent_of",
    "lora_files",
    "lora_path",
    "model_folders",
    "needed_memory",
    "percent_to_sigma",
    "picture_embedding",
    "picture_path",
    "pictures_in",
    "preview_pictures",
    "profile_folder",
    "progress",
    "projected_text",
    "reads_weights",
    "release",
    "runs_bf16",
    "same_conds",
    "same_words",
    "sampler_names",
    "say",
    "scheduler_names",
    "schema",
    "set_folder",
    "sizes",
    "stop_if_cancelled",
    "subject_folder",
    "text_in_pictures",
    "torch_device",
    "training_folder",
    "used_memory",
    "with_lora",
    "with_values",
    "wrap_calc_cond_batch",
    "wrap_outer_sample",
]
