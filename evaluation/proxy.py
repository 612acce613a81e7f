"""ViPer's own judge: IDEFICS2-8b with the adapter Metric-ViPer, or any chat model that was taught to answer as it does.

Salehi et al., ECCV 2024, and EPFL-VILAB/ViPer (``metric.py``): disliked and liked pictures in turn with their signs, then the picture;
the score is a softmax over the logits of "+" and "-". ``vpe/recipe/proxy.py`` trains one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from .. import host
from ..vpe.pictures import pictures_of
from ..vpe.proxy import answer_ids, asked, conversation, in_turn
from ..vpe.vlm import VPE_PROCESSOR, ChatModel, model_kind
from .errors import EvaluationError
from .person import Person, unsaid
from .scoring import Judgement

PAIRS = 8


class ProxyScorer:
    """``pairs``: at most so many pictures of each side; the paper has about eight."""

    def __init__(self, model: ChatModel, name: str, pairs: int = PAIRS):
        self.model, self.name, self.pairs = model, name, pairs
        # IDEFICS2's processor bounds a picture itself, as ViPer sets it; others are given it small.
        self.longest = 0 if model_kind(model.folder) == "idefics2" else VPE_PROCESSOR["size"]["longest_edge"]

    def score(self, images: Tensor, person: Person) -> Judgement:
        """One evaluation a picture. Raises EvaluationError where one side has no picture."""
        judged = [(sign, picture) for sign, picture in person.pictures(self.longest) if picture is not None]
        liked, disliked = ([p for s, p in judged if s == sign] for sign in (1, -1))
        count = min(self.pairs, len(liked), len(disliked))
        if not count:
            raise EvaluationError(
                f"The judge {self.name} needs liked and disliked pictures (there are {len(liked)} and {len(disliked)}): connect "
                "liked_images and disliked_images, or comments with verdicts on pictures."
            )
        context, values = in_turn(disliked[:count], liked[:count]), []
        minus, plus = answer_ids(self.model.processor.tokenizer)
        bar = host.progress(len(images))
        for picture in pictures_of(unsaid(images), self.longest):
            logits = self.model.next_logits(conversation(context, picture), asked)
            values.append(float(logits[[minus, plus]].softmax(0)[1]))
            bar.update(1)
        notes = [f"It saw {count} liked and {count} disliked pictures."]
        if len(liked) != len(disliked):
            notes.append(f"There were {len(liked)} and {len(disliked)}: it takes as many of each, so the first {count} count.")
        if person.said:
            notes.append("It judges by pictures alone: words do not count.")
        return Judgement(np.array(values), self.name, tuple(notes))


def load_proxy(base: Path, adapter: Path | None, precision: str = "auto", pairs: int = PAIRS) -> ProxyScorer:
    """From local folders; raises ModelError with one sentence when something is missing."""
    own = model_kind(base) == "idefics2"
    return ProxyScorer(ChatModel(base, adapter, precision, VPE_PROCESSOR if own else None), (adapter or base).name, pairs)
