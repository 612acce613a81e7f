"""What ``dreambooth.py`` measures, after section 4 of the DreamBooth paper (arXiv 2208.12242).

    subject fidelity  mean cosine of a picture to the subject's own pictures (the paper's CLIP-I and DINO)
    prompt fidelity   cosine of a picture to its prompt without the identifier (CLIP-T), or to its words beside the noun
    in its look       mean cosine of a picture to the subject's own pictures in the look that the prompt asks for
    PRES              mean cosine of pictures of the class to the subject's own: how much of the class it has taken; lower is better
    DIV               mean distance between pictures of one prompt; higher is better
    identified        share of pictures that lie nearest to the mean of their own subject's pictures, of all subjects
    … in its look     the same among all subjects' own pictures in the look that the prompt asks for, dressed by the pocket model's recipe
    look seen         share of pictures in which the judge names the look that the prompt asks for, in its group

The paper's encoders need downloads, so two others stand in, neither of which the trainer sees: the pack's own image and text
encoders for CLIP, the penultimate layer of the benchmarks' judge of shapes for DINO, and the judge's feature map for LPIPS.
Numbers of other encoders are on another scale: compare within a table, not with the paper's. Two things to know of them: our CLIP
is taught to see looks and grounds, so it takes a subject in the snow for another one sooner than CLIP does; and CLIP-T asks for the
class's usual picture, so a subject that looks like no other of its class lowers it (its own pictures stand above every table): the
words alone, and the subject in its look, are highest for what a perfect model would draw.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# --- arithmetic ----------------------------------------------------------------------------------------------------------


def similarity(pictures: Tensor, reals: Tensor) -> Tensor:
    """(N, d) and (K, d) → (N,) mean cosine of each picture to all real ones."""
    return (F.normalize(pictures, dim=-1) @ F.normalize(reals, dim=-1).T).mean(1)


def among(reals: Tensor) -> Tensor:
    """(K, d) → (K,) mean cosine of each to the others."""
    unit = F.normalize(reals, dim=-1)
    return ((unit @ unit.T).sum(1) - 1) / (len(reals) - 1)


def identified(pictures: Tensor, subjects: Sequence[Tensor]) -> Tensor:
    """(N, d) and each subject's (K, d) → (N,) the subject whose mean picture is nearest."""
    means = torch.stack([F.normalize(s, dim=-1).mean(0) for s in subjects])
    return (F.normalize(pictures, dim=-1) @ F.normalize(means, dim=-1).T).argmax(1)


def identified_among(subjects: Sequence[Tensor], own: int) -> Tensor:
    """As `identified` for the subject's own pictures, each left out of its subject's mean."""
    found = []
    for k in range(len(subjects[own])):
        rest = torch.cat([subjects[own][:k], subjects[own][k + 1 :]])
        found.append(identified(subjects[own][k : k + 1], [*subjects[:own], rest, *subjects[own + 1 :]]))
    return torch.cat(found)


def distances(maps: Tensor) -> Tensor:
    """(N, C, H, W) → (N, N): one less the mean, over places, of the cosine between channels."""
    unit = F.normalize(maps.flatten(2), dim=1)
    return 1 - torch.einsum("icp,jcp->ij", unit, unit) / unit.shape[2]


def diversity(maps: Tensor, prompts: Sequence[int]) -> Tensor:
    """(N, C, H, W) and each picture's prompt → mean distance of pairs of one prompt, one value a prompt."""
    which = torch.as_tensor(prompts)
    means = []
    for prompt in which.unique():
        d = distances(maps[which == prompt])
        means.append(d.sum().sub(d.diagonal().sum()) / (len(d) * (len(d) - 1)))
    return torch.stack(means)


# --- encoders ------------------------------------------------------------------------------------------------------------


class Encoders:
    """Pictures (N, H, W, 3) uint8 → embeddings by encoder's name; texts → embeddings; and feature maps."""

    NAMES = ("CLIP-I", "second")

    def __init__(self):
        from viper.pocket.encoders import load_pocket_encoders

        self.vision, self.clip = load_pocket_encoders()
        self.judge = trained_judge()
        self.shapes = self.judge.subject

    @torch.no_grad()
    def pictures(self, pictures: Tensor) -> dict[str, Tensor]:
        from viper.benchmarks._judge import small
        from viper.pocket.encoders import image_embeddings

        x = pictures.float() / 255
        return {"CLIP-I": image_embeddings(self.vision, x), "second": self.shapes.features(small(x.movedim(-1, 1)))}

    @torch.no_grad()
    def maps(self, pictures: Tensor) -> Tensor:
        from viper.benchmarks._judge import small

        return self.shapes.body(small(pictures.movedim(-1, 1).float() / 255))

    @torch.no_grad()
    def prompt_fidelity(self, pictures: Tensor, texts: Sequence[str]) -> Tensor:
        """(N,) cosine of each picture to its text."""
        from viper.pocket.encoders import image_embeddings, text_embeddings

        known = list(dict.fromkeys(texts))
        words = text_embeddings(self.clip, known)[[known.index(t) for t in texts]]
        return (image_embeddings(self.vision, pictures.float() / 255) * words).sum(1)

    def look_seen(self, pictures: Tensor, look: str) -> list[float]:
        """1 where the judge sees ``look``, 0 where it does not; NaN when no look is asked for."""
        if not look:
            return [float("nan")] * len(pictures)
        group = next(g for g, looks in self.judge.groups.items() if look in looks)
        return [float(seen == look) for seen in self.judge.looks(group, pictures.movedim(-1, 1).float() / 255)]


def trained_judge():
    """The judge of ``pocket.py``; trained here when that has never run (a quarter of an hour)."""
    import pocket
    from viper.benchmarks import _judge
    from viper.pocket.recipe import icons

    vocabulary, sets = icons.vocabulary(), icons.SETS | _judge.MORE_SETS
    parts = vocabulary["subjects"]

    def taught() -> dict:
        icons.fetch(pocket.WORK, sets)
        return icons.render(pocket.WORK, {name: s["icon"] for part in parts.values() for name, s in part.items()}, sets)

    pocket.WORK.mkdir(parents=True, exist_ok=True)
    return _judge.Judge(taught, [*parts["simple"], *parts["common"], *parts["more"]], vocabulary, pocket.WORK)
