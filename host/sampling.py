"""The host's samplers, and what a guidance adds to them."""

from __future__ import annotations

import logging

import torch

log = logging.getLogger("viper")


def ksampler(model, seed, steps, cfg, sampler_name, scheduler, positive, negative, latent, denoise):
    """The host's KSampler node (previews, progress, cancel and noise masks included); returns a LATENT."""
    import nodes as host_nodes

    return host_nodes.common_ksampler(model, seed, steps, cfg, sampler_name, scheduler, positive, negative, latent, denoise=denoise)[0]


def cfg_guider(model, positive, negative, cfg: float):
    """The host's plain CFG guider, as its own CFGGuider node builds it."""
    import comfy.samplers

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider


def wrap_outer_sample(model, key: str, wrapper) -> None:
    """Register an OUTER_SAMPLE wrapper on a cloned MODEL; in it, the guider is ``executor.class_obj``."""
    from comfy.patcher_extension import WrappersMP

    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, key, wrapper)


def wrap_calc_cond_batch(model_options: dict, key: str, wrapper) -> None:
    """Register a CALC_COND_BATCH wrapper on the options of one sampling run (the guider's own copy)."""
    from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

    add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, key, wrapper, model_options, is_model_options=True)


def add_conds(guider, conds: dict[str, list]) -> None:
    """Add CONDITIONINGs to a guider that has begun to sample, as if it had had them from the start.

    OUTER_SAMPLE comes after the host has combined ControlNet hooks, registered all hooks on the model and dropped
    unregistered ones; the same is done here for the newcomers. Everything later (areas, masks, model conds, ControlNet
    start) reads ``guider.conds`` and treats them like the others.
    """
    import comfy.hooks
    import comfy.sampler_helpers
    import comfy.samplers

    added = {name: comfy.sampler_helpers.convert_cond(cond) for name, cond in conds.items()}
    comfy.samplers.preprocess_conds_hooks(added)

    ours = comfy.hooks.HookGroup()
    for cond in added.values():
        comfy.sampler_helpers.get_hooks_from_cond(cond, ours)
    options = guider.model_options
    registered = options.get("registered_hooks")
    if any(registered is None or not registered.contains(hook) for hook in ours.hooks):
        _register_hooks(guider, ours)
    comfy.samplers.filter_registered_hooks_on_conds(added, options)
    guider.conds.update(added)


def _register_hooks(guider, ours) -> None:
    """Register hooks that only the added conditionings carry (the host registers once, from a union of all)."""
    import comfy.hooks
    import comfy.sampler_helpers

    options, patcher = guider.model_options, guider.model_patcher
    target = comfy.hooks.create_target_dict(comfy.hooks.EnumWeightTarget.Model)
    registered = options.get("registered_hooks") or comfy.hooks.HookGroup()
    for kind in (comfy.hooks.EnumHookType.TransformerOptions, comfy.hooks.EnumHookType.AdditionalModels):
        for hook in ours.get_type(kind):
            if not registered.contains(hook):
                hook.add_hook_patches(patcher, options, target, registered)
    union = ours.clone_and_combine(None)
    for cond in guider.conds.values():
        comfy.sampler_helpers.get_hooks_from_cond(cond, union)
    patcher.register_all_hook_patches(union, target, options, registered)
    if len(registered) > 0:
        options["registered_hooks"] = registered
    # More than one set of weights now alternates within a step: let the host cache them as it would have.
    patcher.hook_mode = comfy.hooks.EnumHookMode.MaxSpeed


def percent_to_sigma(model, percent: float) -> float:
    """The sigma at this share of the trajectory (0 = start) of the model being sampled."""
    return float(model.model_sampling.percent_to_sigma(percent))


def any_active(conds: list[dict], timestep: torch.Tensor) -> bool:
    """Whether any prepared entry is within its start/end range at these sigmas (B,)."""

    def active(c: dict) -> bool:
        if "timestep_start" in c and timestep[0] > c["timestep_start"]:
            return False
        return not ("timestep_end" in c and timestep[0] < c["timestep_end"])

    return any(active(c) for c in conds)


class ContextWindow:
    """The part of a long latent (a video) that is being evaluated: the host evaluates one after the other and joins them.

    Its copies of the conditionings are new lists in every window; their entries keep their ids.
    """

    def __init__(self, handler, window):
        self._handler, self._window = handler, window

    @property
    def place(self) -> tuple:
        """Which part it is."""
        return tuple(self._window.index_list)

    def is_cut_from(self, branch: list[dict], whole: list[dict]) -> bool:
        return {c.get("uuid") for c in branch} <= {c.get("uuid") for c in whole}

    def cut(self, branch: list[dict], full: torch.Tensor) -> list[dict]:
        """What the host makes of its own conditionings; ``full`` has the size of the whole latent."""
        return self._handler.get_resized_cond(branch, full, self._window)


def context_window(model_options: dict) -> ContextWindow | None:
    """The window that a CALC_COND_BATCH wrapper is called in, if any."""
    handler, window = model_options.get("context_handler"), model_options.get("transformer_options", {}).get("context_window")
    return None if handler is None or window is None else ContextWindow(handler, window)


# What a prepared entry carries for other purposes than being evaluated (the text itself lives on in model_conds).
_NOT_EVALUATED = {"uuid", "cross_attn", "pooled_output", "prompt_type", "start_percent", "end_percent"}


def same_conds(a: list[dict], b: list[dict]) -> bool:
    """Whether two prepared branches give the same prediction, so that one evaluation serves both."""
    return len(a) == len(b) and all(
        _same({k: v for k, v in x.items() if k not in _NOT_EVALUATED}, {k: v for k, v in y.items() if k not in _NOT_EVALUATED})
        for x, y in zip(a, b, strict=True)
    )


def same_words(a: list[dict], b: list[dict]) -> bool:
    """Whether two prepared branches come from the same text embeddings, whatever the model reads of them."""
    return _same([c.get("cross_attn") for c in a], [c.get("cross_attn") for c in b])


def _same(a, b) -> bool:
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if hasattr(a, "process_cond") and hasattr(a, "cond"):  # the host's CONDRegular and its kin
        return _same(a.cond, b.cond)
    if isinstance(a, (str, int, float, bool, type(None))):
        return a == b
    return False
