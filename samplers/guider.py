"""The one bridge between the guidance and the host's samplers, and the three ways to it.

ε_vp belongs inside the conditional prediction (see `guidance.move_denoised`), so it is added where the host has just
evaluated its conditionings and before anything else sees the result: pre-CFG, CFG functions (RescaleCFG, Mahiro …),
post-CFG hooks, dual-CFG guiders and every sampler stay the host's own and work unchanged.

The mechanism: an OUTER_SAMPLE wrapper on a cloned MODEL adds the liked and disliked conditionings to the guider's, so
that the host prepares them like any other (areas, masks, hooks, ControlNet, model conds), and puts a CALC_COND_BATCH
wrapper on the options of this one run. That wrapper recognises the guider's own ``positive`` list, appends the two
lists to the very same call, moves the positive's output and hands back as many outputs as it was asked for.
All state lives in the `_Run` of one sampling run and ends with it.
"""

from __future__ import annotations

import logging
import uuid

from .. import host
from .guidance import move_by_remembered, move_denoised, remembered, rescale
from .schedule import GuidanceOptions

log = logging.getLogger("viper")


def apply_guidance(model, liked, disliked, beta: float, beta_disliked: float | None = None, options: GuidanceOptions | None = None):
    """Return a clone of the MODEL that adds ``d₊ ε₊ − d₋ ε₋`` to every guider's conditional prediction.

    ``liked``/``disliked`` are CONDITIONINGs; ``beta`` is d₊ and, when ``beta_disliked`` is None, also d₋. With both
    degrees 0 the MODEL itself is returned: nothing is registered, nothing can differ.
    """
    d_liked = float(beta)
    d_disliked = d_liked if beta_disliked is None else float(beta_disliked)
    sides = {}
    if d_liked != 0.0:
        sides["liked"] = (liked, d_liked)
    if d_disliked != 0.0:
        sides["disliked"] = (disliked, d_disliked)
    if not sides:
        return model
    for side, (cond, _) in sides.items():
        if not cond:
            raise ValueError(f"The {side} conditioning is empty: connect the {side} output of Preference Conditioning.")
    guidance = _Guidance(sides, options or GuidanceOptions())
    patched = model.clone()
    host.wrap_outer_sample(patched, guidance.key, guidance.outer_sample)
    return patched


def preference_guider(model, positive, negative, liked, disliked, cfg: float, beta: float, beta_disliked=None, options=None):
    """A host GUIDER (plain CFG) on the guided MODEL."""
    guided = apply_guidance(model, liked, disliked, beta, beta_disliked, options)
    return host.cfg_guider(guided, positive, negative, cfg)


def sample(
    model,
    seed,
    steps,
    cfg,
    sampler_name,
    scheduler,
    positive,
    negative,
    liked,
    disliked,
    latent,
    denoise,
    beta,
    beta_disliked=None,
    options=None,
):
    """The host's own KSampler on the guided MODEL; returns a LATENT."""
    guided = apply_guidance(model, liked, disliked, beta, beta_disliked, options)
    return host.ksampler(guided, seed, steps, cfg, sampler_name, scheduler, positive, negative, latent, denoise)


class _Guidance:
    """One application of the guidance to a MODEL: immutable, shared by all runs of that MODEL."""

    def __init__(self, sides: dict, options: GuidanceOptions):
        self.sides = sides
        self.options = options
        # Two applications on one MODEL (two tastes) must not replace each other.
        self.key = f"viper_guidance_{uuid.uuid4().hex}"

    def outer_sample(self, executor, *args, **kwargs):
        """OUTER_SAMPLE wrapper: lives for one sampling run."""
        guider = executor.class_obj
        if guider.conds.get("positive") == []:
            raise ValueError("The positive conditioning is empty, so there is nothing to guide: connect a prompt.")
        if not guider.conds.get("positive"):
            raise ValueError(
                f"The preference guidance needs a guider with a positive conditioning, and {type(guider).__name__} has none: "
                "use KSampler (Preference), Preference Guider or another guider with a positive input."
            )
        run = _Run(guider, self, args[0])
        conds = {run.name(side): cond for side, (cond, _) in self.sides.items()}
        host.add_conds(guider, conds)
        host.wrap_calc_cond_batch(guider.model_options, self.key, run.calc_cond_batch)
        try:
            result = executor(*args, **kwargs)
        finally:
            for name in conds:
                guider.conds.pop(name, None)
        if run.calls == 0:
            log.warning("The preference guidance was never used in this run: another node replaced the sampler's evaluation of prompts.")
        return result


class _Run:
    """The guidance during one sampling run."""

    def __init__(self, guider, guidance: _Guidance, noise):
        self.guider = guider
        self.noise = noise  # of the size of the whole latent, which a context window does not tell
        self.guidance = guidance
        self.calls = 0
        self._everywhere = guidance.options.everywhere
        self._range = None
        self._memories: dict = {}
        self._sigma, self._level = None, 0  # noise levels are counted: samplers of several stages evaluate one of them twice
        self._equal: dict[tuple[int, int], bool] = {}

    def name(self, side: str) -> str:
        return f"{self.guidance.key}.{side}"

    def calc_cond_batch(self, executor, model, conds, x, timestep, model_options):
        """CALC_COND_BATCH wrapper. ``conds`` holds the lists the caller wants evaluated, ``timestep`` the sigmas (B,)."""
        window = host.context_window(model_options)
        place = self._place_of_positive(conds, window)
        if place is None:
            return executor(model, conds, x, timestep, model_options)
        self.calls += 1
        # Reading the noise level waits for the device, so `exact` on the whole trajectory does not ask.
        sigma = None if self._everywhere else float(timestep[0])
        if sigma is not None and not self._covers(model, sigma):
            return executor(model, conds, x, timestep, model_options)

        branches = {side: self.guider.conds[self.name(side)] for side in self.guidance.sides}
        if not all(host.any_active(branch, timestep) for branch in branches.values()):
            # A side that ends here would be read as a prediction of zero.
            return executor(model, conds, x, timestep, model_options)
        degrees = self._degree("liked"), self._degree("disliked")
        memory = None if sigma is None else self._memory(sigma, x, window)
        if memory is not None and not memory.due(sigma, self._level):
            out = list(executor(model, conds, x, timestep, model_options))
            return self._moved(out, place, move_by_remembered(out[place], memory.recall(sigma), x, sigma, *degrees))

        asked, where = list(conds), {}
        for side, branch in branches.items():
            where[side] = self._index(asked, branch if window is None else window.cut(branch, self.noise), window is None)
        if where.get("liked") == where.get("disliked") and degrees[0] == degrees[1]:
            self._check_words_are_read()
            return executor(model, conds, x, timestep, model_options)

        out = list(executor(model, asked, x, timestep, model_options))
        D_p, sides = out[place], [out[where[side]] if side in where else None for side in ("liked", "disliked")]
        if memory is not None and sigma > 0.0:
            memory.keep(sigma, self._level, remembered(D_p, *sides, sigma, *degrees), D_p)
        return self._moved(out[: len(conds)], place, move_denoised(D_p, *sides, x, *degrees))

    def _moved(self, out: list, place: int, D) -> list:
        """``out`` with the moved conditional prediction in its place."""
        out[place] = rescale(D, out[place], self.guidance.options.rescale)
        return out

    def _memory(self, sigma: float, x, window):
        """What is remembered of this latent, or of this part of a long one; another batch has nothing to do with it."""
        if sigma != self._sigma:
            self._sigma, self._level = sigma, self._level + 1
        key = (tuple(x.shape), None if window is None else window.place)
        if key not in self._memories:
            if window is None:
                self._memories.clear()
            self._memories[key] = self.guidance.options.memory()
        return self._memories[key]

    def _place_of_positive(self, conds, window) -> int | None:
        # Calls with a single list are other packs' (PAG, SAG …): they ask for a plain prediction.
        if len(conds) < 2:
            return None
        positive = self.guider.conds.get("positive")
        if window is not None:
            return next((i for i, branch in enumerate(conds) if branch and window.is_cut_from(branch, positive)), None)
        return next((i for i, branch in enumerate(conds) if branch is not None and branch is positive), None)

    def _check_words_are_read(self) -> None:
        """Equal predictions are right for equal words. For different ones they mean that the model reads no words."""
        branches = [self.guider.conds[self.name(side)] for side in self.guidance.sides]
        if not host.same_words(*branches):
            raise ValueError(
                "This model reads nothing of the conditioning that tells the liked words from the disliked ones, so the guidance "
                "cannot work on it: turn on shift_pooled in Preference Conditioning, or set the guidance's beta to 0."
            )

    def _index(self, asked: list, branch, lasting: bool) -> int:
        """Where ``branch`` is evaluated: equal branches are computed once, others are appended."""
        for i, other in enumerate(asked):
            if other is not None and (self._same(other, branch) if lasting else host.same_conds(other, branch)):
                return i
        asked.append(branch)
        return len(asked) - 1

    def _same(self, a, b) -> bool:
        # The prepared lists live as long as the run (the cut ones of context windows do not), so their ids name them and tensors
        # are compared once.
        key = (id(a), id(b))
        if key not in self._equal:
            self._equal[key] = a is b or host.same_conds(a, b)
        return self._equal[key]

    def _degree(self, side: str) -> float:
        return self.guidance.sides[side][1] if side in self.guidance.sides else 0.0

    def _covers(self, model, sigma: float) -> bool:
        options = self.guidance.options
        highest, lowest = options.sigmas
        if not lowest <= sigma <= highest:
            return False
        if options.whole_trajectory:
            return True
        if self._range is None:
            self._range = (host.percent_to_sigma(model, options.start_percent), host.percent_to_sigma(model, options.end_percent))
        return self._range[1] <= sigma <= self._range[0]
