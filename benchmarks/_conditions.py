"""Pictures for ``personalisation.py``: one prompt and one person's preferences, in seven ways, through the pack's own nodes.

    plain      the prompt, the host's KSampler
    words      what everybody does today: liked words behind the prompt, disliked words as the negative prompt
    shift      Preference Conditioning (paper) and the host's KSampler
    guidance   the plain prompt and KSampler (Preference)
    paper      Preference Conditioning (paper) and KSampler (Preference)
    official   Preference Conditioning (official) and KSampler (Preference)
    behind     not ViPer's: as guidance, but each list stands behind the prompt, ε(p, VP+) − ε(p, VP−), so that the subject cancels out

Pictures are kept as PNG files under a name made of everything they depend on, so that a run that was cut off goes on and
nothing is drawn twice. Many people are drawn in one batch; the noise of a picture does not depend on its batch.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from viper import host
from viper.samplers.conditioning import joined_text
from viper.samplers.schedule import GuidanceOptions
from viper.vpe.preferences import Preferences

CONDITIONS = ("plain", "words", "shift", "guidance", "paper", "official", "behind")
SAMPLER, SCHEDULER, SIZE = "dpmpp_2m", "karras", 16


@dataclass(frozen=True)
class Job:
    """One picture. ``noise`` is its place in the noise of seed 0: the same place is the same noise under every condition."""

    prompt: str
    noise: int
    condition: str = "plain"
    preferences: Preferences = field(default_factory=Preferences)
    beta: float = 0.0
    steps: int = 12
    cfg: float = 4.0
    options: GuidanceOptions = field(default_factory=GuidanceOptions)
    hold_norm: bool = False
    sampler: tuple[str, str] = (SAMPLER, SCHEDULER)

    @property
    def texts(self) -> tuple[str, str]:
        """(liked, disliked) as they are encoded, weights and all."""
        return joined_text(self.preferences.liked, True), joined_text(self.preferences.disliked, True)

    @property
    def setting(self) -> tuple:
        """What all pictures of a batch share."""
        return self.condition, self.beta, self.steps, self.cfg, astuple(self.options), self.hold_norm, self.sampler

    @property
    def key(self) -> str:
        everything = [self.prompt, self.noise, self.texts, self.setting[:4], _told(self.options), self.hold_norm]
        if self.sampler != (SAMPLER, SCHEDULER):
            everything.append(self.sampler)
        return hashlib.sha256(json.dumps(everything).encode()).hexdigest()[:20]


def _told(options: GuidanceOptions) -> dict:
    """The first four settings, and of the others those that are not as before: pictures drawn without them keep their names."""
    before = asdict(GuidanceOptions())
    first = ("start_percent", "end_percent", "schedule", "rescale")
    return {name: value for name, value in asdict(options).items() if name in first or value != before[name]}


def words(prompt: str, liked: str, disliked: str) -> tuple[str, str]:
    """(prompt, negative prompt) of the baseline."""
    return ", ".join(filter(None, (prompt, liked))), disliked


class Studio:
    """Draws jobs with a MODEL, CLIP and VAE and keeps the pictures in ``folder``."""

    def __init__(self, model, clip, vae, folder: Path, batch: int = 16, say: Callable[[str], None] = print):
        self.model, self.clip, self.vae, self.folder, self.batch, self.say = model, clip, vae, folder, batch, say
        folder.mkdir(parents=True, exist_ok=True)
        self.encoded: dict[str, list] = {}

    def path(self, job: Job) -> Path:
        return self.folder / f"{job.key}.png"

    def pictures(self, jobs: Iterable[Job]) -> torch.Tensor:
        """(N, 3, 128, 128) in [0, 1] of kept pictures, drawing what is missing."""
        jobs = list(jobs)
        self.draw(jobs)
        return torch.stack([torch.from_numpy(np.array(Image.open(self.path(j)))).permute(2, 0, 1) for j in jobs]).float() / 255

    def draw(self, jobs: Iterable[Job]) -> int:
        """Draw the jobs that have no picture yet; returns how many."""
        missing = list({j.key: j for j in jobs if not self.path(j).exists()}.values())
        batches: dict[tuple, list] = {}
        for job in missing:
            four = self.conditionings(job)
            batches.setdefault((job.setting, tuple(c[0][0].shape[1] for c in four)), []).append((job, four))
        done = 0
        for some in batches.values():
            for i in range(0, len(some), self.batch):
                part = some[i : i + self.batch]
                self._batch([job for job, _ in part], [four for _, four in part])
                done += len(part)
                self.say(f"{part[0][0].condition} \u03b2 {part[0][0].beta:g}: {done} of {len(missing)} pictures")
        return len(missing)

    def encode(self, text: str) -> list:
        if text not in self.encoded:
            self.encoded[text] = host.encode_prompt(self.clip, text)
        return self.encoded[text]

    def conditionings(self, job: Job) -> tuple[list, ...]:
        """Positive and negative, and for guided conditions liked and disliked."""
        from viper.nodes.conditioning import PreferenceConditioning

        positive, negative = self.encode(job.prompt), self.encode("")
        if job.condition == "plain":
            return positive, negative
        if job.condition == "words":
            return tuple(self.encode(text) for text in words(job.prompt, *job.texts))
        if job.condition == "behind":
            return positive, negative, *(self.encode(words(job.prompt, text, "")[0]) for text in job.texts)
        mode = "official" if job.condition == "official" else "paper"
        node = PreferenceConditioning.execute(
            self.clip, job.preferences, positive, negative, job.beta, mode, hold_norm=job.hold_norm
        ).result
        if job.condition == "shift":
            return node[:2]
        return (positive, negative, *node[2:4]) if job.condition == "guidance" else node[:4]

    def _batch(self, jobs: list[Job], conditionings: list[tuple[list, ...]]) -> None:
        import nodes
        from viper.nodes.sampling import KSamplerPreference

        sides = [[[torch.cat([c[0][0] for c in some]), {}]] for some in zip(*conditionings, strict=True)]
        zeros = torch.zeros(len(jobs), self.vae.latent_channels, SIZE, SIZE)
        latent = {"samples": zeros, "batch_index": [j.noise for j in jobs]}
        one, sampling = jobs[0], (jobs[0].steps, jobs[0].cfg, *jobs[0].sampler)
        if len(sides) == 2:
            drawn = nodes.common_ksampler(self.model, 0, *sampling, *sides, latent)[0]
        else:
            drawn = KSamplerPreference.execute(self.model, 0, *sampling, *sides, latent, 1.0, one.beta, one.options).result[0]
        for job, picture in zip(jobs, self.vae.decode(drawn["samples"]), strict=True):
            pixels = (picture.clamp(0, 1) * 255).round().byte().numpy()
            draft = self.path(job).with_suffix(".tmp")
            Image.fromarray(pixels).save(draft, "PNG")
            draft.replace(self.path(job))  # a file is whole or not there
