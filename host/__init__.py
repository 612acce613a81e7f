"""Every ComfyUI internal the pack uses, behind a few functions.

Written against 0.3.75 and later: only what both have, the rest is feature-detected. Host modules are imported inside the
functions, so that this package imports anywhere and costs nothing at start-up; nothing is ever assigned into them.
"""

from .checkpoints import fingerprint
from .folders import (
    PACK,
    attributes_file,
    input_folder,
    input_subfolder,
    keep_picture,
    model_folders,
    picture_path,
    preview_pictures,
    profile_folder,
    set_folder,
    text_in_pictures,
)
from .interface import sampler_names, scheduler_names, schema
from .models import Managed, Rebuilt, runs_bf16, torch_device
from .painting import Painter, decode
from .pictures import pictures_in
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
from .work import progress, stop_if_cancelled

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
    "cfg_guider",
    "context_window",
    "decode",
    "encode_prompt",
    "encode_text",
    "fingerprint",
    "input_folder",
    "input_subfolder",
    "keep_picture",
    "ksampler",
    "model_folders",
    "percent_to_sigma",
    "picture_embedding",
    "picture_path",
    "pictures_in",
    "preview_pictures",
    "profile_folder",
    "progress",
    "projected_text",
    "reads_weights",
    "runs_bf16",
    "same_conds",
    "same_words",
    "sampler_names",
    "scheduler_names",
    "schema",
    "set_folder",
    "stop_if_cancelled",
    "text_in_pictures",
    "torch_device",
    "wrap_calc_cond_batch",
    "wrap_outer_sample",
]
