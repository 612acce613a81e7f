"""People, their pictures, and what the judge says of them: the measurements of ``personalisation.py``.

    study = Study("test", people=64, work=WORK)
    row = study.measure(Way("paper"))          # {"own against none": (mean, low, high), …}
    real = study.real(Way("paper"))            # the same of real icons that wear what the person likes: the judge's ceiling
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from viper.benchmarks import _judge, _judge_many, _people
from viper.benchmarks._conditions import Job, Studio
from viper.benchmarks._ranks import against_others, first_place, interval, spread
from viper.samplers.schedule import GuidanceOptions
from viper.vpe.agents import Agent
from viper.vpe.extractor import BuiltInExtractor
from viper.vpe.preferences import Preferences

STEPS, CFG, POOL, EACH = 12, 4.0, 8, 2
SEEDS, NOISE = {"choose": 1, "test": 4}, {"choose": 100, "test": 200}
PROMPTS = {"choose": ("apple", "fish", "car", "tree"), "test": ("cat", "house", "rocket", "butterfly", "mushroom", "umbrella")}
READERS = ("extractor", "strangers", "true")  # everyday comments read, strangers' words read, the looks themselves
DIVERSE, SEEDS_EACH = 12, 4  # people and pictures of each whose diversity is measured
MEASURES = ("own against none", "own against others'", "subject kept", "liked seen", "disliked seen")


@dataclass(frozen=True)
class Way:
    """A condition of ``_conditions.py`` and all that may be changed about it."""

    condition: str
    beta: float = 0.0
    each: int = EACH
    reader: str = "extractor"
    options: GuidanceOptions = GuidanceOptions()
    hold_norm: bool = False
    complaint: bool = False  # the prompt itself asks for one look that the person dislikes


@dataclass(frozen=True)
class Facts:
    """What is seen in one picture."""

    chances: np.ndarray  # the judge's probability of every look in its group
    subject: str  # of the 24 simple ones
    of_100: str
    chroma: float  # mean of the greatest less the smallest channel
    clipped: float  # share of pixels with a channel at either end, pure white paper not counted
    embedding: np.ndarray


class Study:
    """``split`` is "choose" or "test": other people, prompts and seeds. ``how``: steps, cfg and sampler of all pictures."""

    def __init__(self, split: str, people: int, work: Path, say=print, **how):
        import pocket
        from viper.pocket.encoders import load_pocket_encoders
        from viper.pocket.recipe import icons

        painter = pocket.Painter()
        self.bench, self.split, self.count, self.work, self.say = pocket.Bench(painter, False), split, people, work, say
        self.how = {"steps": STEPS, "cfg": CFG, **how}
        self.vocabulary, self.groups = self.bench.vocabulary, self.bench.groups
        slugs = {name: s["icon"] for part in self.vocabulary["subjects"].values() for name, s in part.items()}
        taught = lambda: icons.render(pocket.WORK, slugs, icons.SETS | _judge.MORE_SETS)  # noqa: E731
        self.judge = _judge_many.taught_on(self.bench.judge, taught, self.vocabulary, work)
        self.eyes, self.extractor, self.moulds = load_pocket_encoders()[0], BuiltInExtractor(), _people.moulds()
        self.studio = Studio(painter.model, painter.clip, painter.vae, work / "pictures", say=say)
        self.column = {a: s.start + self.judge.groups[g].index(a) for g, s in self.judge.slices.items() for a in self.judge.groups[g][1:]}
        self.known, self.prompts = self.seen_in_real_icons(), PROMPTS[split]
        self.facts: dict[str, Facts] = {}
        self.crowds: dict[int, list[Agent]] = {}

    # --- people ------------------------------------------------------------------------------------------------------

    def seen_in_real_icons(self, least: float = 2 / 3) -> list[str]:
        """Looks that the judge sees in at least two of three real icons dressed by the recipe; nothing of the model is asked."""
        path = self.work / f"known-{self.judge.version}.json"
        if not path.exists():
            rates = {}
            for a in [a for a in self.bench.attributes if self.groups[a] not in _people.LEFT_OUT]:
                x = torch.cat([self.bench.real(s, [a]) for s in self.bench.simple[:12]])
                rates[a] = sum(name == a for name in self.judge.looks(self.groups[a], x)) / len(x)
            path.write_text(json.dumps(rates, indent=1))
        return [a for a, rate in json.loads(path.read_text()).items() if rate >= least]

    def crowd(self, each: int) -> list[Agent]:
        if each not in self.crowds:
            self.crowds[each] = _people.draw_people(self.vocabulary, self.known, self.count, each, SEEDS[self.split])
        return self.crowds[each]

    def preferences(self, each: int, reader: str) -> list[Preferences]:
        """What is known of everyone's taste; read once and kept."""
        crowd = self.crowd(each)
        if reader == "true":
            return [_people.true_preferences(p, self.vocabulary) for p in crowd]
        path = self.work / f"read-{self.split}-{each}-{reader}-{len(crowd)}.json"
        if not path.exists():
            moulds = self.moulds if reader == "strangers" else None
            comments = [_people.write(p, self.vocabulary, f"{SEEDS[self.split]} {i}", moulds) for i, p in enumerate(crowd)]
            path.write_text(json.dumps([self.extractor.extract(c).to_json() for c in comments]))
        return [Preferences.from_json(text) for text in json.loads(path.read_text())]

    def understanding(self, each: int, reader: str) -> tuple[float, float]:
        """Shares of a person's looks that were read on their side, and on the other one."""
        pairs = zip(self.crowd(each), self.preferences(each, reader), strict=True)
        counts = [_people.understood(person, read, self.vocabulary) for person, read in pairs]
        return tuple(sum(c[i] for c in counts) / (2 * each * len(counts)) for i in (0, 1))

    # --- pictures ----------------------------------------------------------------------------------------------------

    def prompts_of(self, i: int) -> tuple[str, str]:
        """Two prompts of person ``i``, such that everyone's are shared by many others."""
        n = len(self.prompts)
        return self.prompts[i % n], self.prompts[(i + n // 2) % n]

    def plain(self, prompt: str, place: int) -> Job:
        return Job(prompt, NOISE[self.split] + place % POOL, **self.how)

    def jobs(self, way: Way) -> list[list[Job]]:
        """Everyone's pictures, one a prompt; ``way`` "plain" gives the plain pictures of the same seeds."""
        out = []
        for i, (person, read) in enumerate(zip(self.crowd(way.each), self.preferences(way.each, way.reader), strict=True)):
            prompts = self.prompts_of(i)
            if way.complaint:
                prompts = (f"{prompts[0]}, {_people.wordings(person.disliked[0], self.vocabulary)[0]}",)
            out.append([self._personal(way, self.plain(prompt, i + k), read) for k, prompt in enumerate(prompts)])
        return out

    @staticmethod
    def _personal(way: Way, plain: Job, read: Preferences) -> Job:
        if way.condition == "plain":
            return plain
        same = {"beta": way.beta, "options": way.options, "hold_norm": way.hold_norm}
        return replace(plain, condition=way.condition, preferences=read, **same)

    @torch.inference_mode()
    def look(self, x: torch.Tensor) -> list[Facts]:
        """(N, 3, 128, 128) in [0, 1] → what is seen in each."""
        from viper.pocket.encoders import image_embeddings

        out = []
        for part in x.split(32):
            logits = self.judge.look(part * 2 - 1)
            chances = torch.cat([logits[:, s].softmax(1) for s in self.judge.slices.values()], 1).numpy()
            chroma = (part.amax(1) - part.amin(1)).mean((1, 2))
            ends = ((part > 0.995) | (part < 0.005)).any(1) & ~(part > 0.995).all(1)
            subjects = (self.judge.subjects(part, names) for names in (self.bench.simple, self.bench.names))
            columns = chances, *subjects, chroma.tolist(), ends.float().mean((1, 2)).tolist()
            embedded = image_embeddings(self.eyes, part.movedim(1, -1)).numpy()
            out += [Facts(*row) for row in zip(*columns, embedded, strict=True)]
        return out

    def of(self, jobs: Sequence[Job]) -> list[Facts]:
        """Facts of the jobs' pictures, drawn if need be."""
        new = list({j.key: j for j in jobs if j.key not in self.facts}.values())
        if new:
            with torch.inference_mode():
                pictures = self.studio.pictures(new)
            self.facts.update(zip((j.key for j in new), self.look(pictures), strict=True))
        return [self.facts[j.key] for j in jobs]

    # --- measures ----------------------------------------------------------------------------------------------------

    def score(self, person: Agent, facts: Facts) -> float:
        """How much of what the person truly likes is there, less what they dislike: Σ P(liked) − Σ P(disliked)."""
        return float(sum(facts.chances[self.column[a]] for a in person.liked) - sum(facts.chances[self.column[a]] for a in person.disliked))

    def seen(self, looks: Sequence[str], facts: Facts) -> list[bool]:
        """Which of ``looks`` win in their group."""
        within = {a: facts.chances[self.judge.slices[self.groups[a]]] for a in looks}
        return [int(p.argmax()) + self.judge.slices[self.groups[a]].start == self.column[a] for a, p in within.items()]

    def measure(self, way: Way, people: int | None = None, diverse: bool = True) -> dict:
        """All figures of ``way`` with their intervals over people; ``people``: only the first so many. ``diverse``: diversity too."""
        jobs = self.jobs(way)[:people]
        prompts = [[j.prompt for j in mine] for mine in jobs]
        facts = self._rows(jobs)
        if way.complaint:
            pools, same = {}, self._rows(self.jobs(replace(way, condition="plain"))[:people])
        else:
            pools = {p: self.of([self.plain(p, k) for k in range(POOL)]) for p in self.prompts}
            same = [[pools[j.prompt][j.noise - NOISE[self.split]] for j in mine] for mine in jobs]
        row = self._figures(way, facts, same, pools, prompts)
        if diverse and not way.complaint:
            row["diversity"] = self.diversity(way)
        return row

    def wins(self, person: Agent, own: Facts, same: Facts, pool: Sequence[Facts]) -> float:
        """First place of ``own`` among the plain pictures of its prompt, the one of its seed left out."""
        return first_place(self.score(person, own), [self.score(person, f) for f in pool if f is not same])

    def won(self, way: Way) -> list[list[float]]:
        """Everyone's first places against plain pictures, one a prompt: what ``own against none`` is the mean of."""
        pools = {p: self.of([self.plain(p, k) for k in range(POOL)]) for p in self.prompts}
        jobs = self.jobs(way)
        return [
            [self.wins(person, f, pools[j.prompt][j.noise - NOISE[self.split]], pools[j.prompt]) for j, f in zip(mine, facts, strict=True)]
            for person, mine, facts in zip(self.crowd(way.each), jobs, self._rows(jobs), strict=True)
        ]

    def _rows(self, jobs: list[list[Job]]) -> list[list[Facts]]:
        flat = iter(self.of([j for mine in jobs for j in mine]))
        return [[next(flat) for _ in mine] for mine in jobs]

    def _figures(self, way: Way, facts, same, pools: dict, prompts) -> dict:
        """``facts[i][k]`` of person i's k-th picture, ``same`` of the plain one of its seed, ``pools`` plain ones by prompt."""
        crowd, rng = self.crowd(way.each)[: len(facts)], np.random.default_rng(0)
        everything = [(i, k) for i, mine in enumerate(facts) for k in range(len(mine))]

        def share(value) -> tuple[float, float, float]:
            lists = [[] for _ in crowd]
            for i, k in everything:
                got = value(i, k)
                lists[i] += got if isinstance(got, list) else [got]
            return interval(lists)

        def kept(i: int, k: int, which: str = "subject") -> float:
            subject, now, before = prompts[i][k].split(", ")[0], getattr(facts[i][k], which), getattr(same[i][k], which)
            return float(now == subject) if before == subject else float("nan")

        def alone(i: int, k: int) -> float:
            return self.wins(crowd[i], facts[i][k], same[i][k], pools[prompts[i][k]])

        looks = (lambda i: crowd[i].liked), (lambda i: crowd[i].disliked[:1] if way.complaint else crowd[i].disliked)
        row = {"subject kept": share(kept), "of 100": share(lambda i, k: kept(i, k, "of_100"))}
        for name, of in zip(MEASURES[3:], looks, strict=True):
            row[name] = share(lambda i, k, of=of: self.seen(of(i), facts[i][k]))
            row[f"plain, {name}"] = share(lambda i, k, of=of: self.seen(of(i), same[i][k]))
        row["score"] = share(lambda i, k: self.score(crowd[i], facts[i][k]) - self.score(crowd[i], same[i][k]))
        for name in ("chroma", "clipped"):
            row[name] = share(lambda i, k, name=name: getattr(facts[i][k], name))
            row[f"plain, {name}"] = share(lambda i, k, name=name: getattr(same[i][k], name))
        if pools:
            row["own against none"] = share(alone)
            places: list[list[float]] = [[] for _ in crowd]
            for prompt in pools:
                mine = [(i, k) for i, k in everything if prompts[i][k] == prompt]
                if way.condition != "plain":
                    scores = np.array([[self.score(crowd[i], facts[j][k]) for j, k in mine] for i, _ in mine])
                    for (i, _), place in zip(mine, against_others(scores, rng), strict=True):
                        places[i].append(place)
            row["own against others'"] = interval(places)
        return row

    def diversity(self, way: Way) -> float:
        """Mean pairwise distance of a person's pictures of one prompt over seeds, relative to the plain prompt's."""
        ratios, reads = [], self.preferences(way.each, way.reader)
        for i in range(DIVERSE):
            plain = [self.plain(self.prompts_of(i)[0], i + n) for n in range(SEEDS_EACH)]
            personal = [self._personal(way, job, reads[i]) for job in plain]
            ratios.append([spread(np.stack([f.embedding for f in self.of(jobs)])) for jobs in (personal, plain)])
        own, base = np.array(ratios).mean(0)
        return float(own / base)

    def real(self, each: int = EACH, people: int | None = None) -> dict:
        """The same figures of real icons that the recipe dressed in exactly what the person likes: the judge's ceiling."""
        self.bench.rng.seed(11)
        self.bench.generator.manual_seed(11)
        crowd = self.crowd(each)[:people]
        prompts = [list(self.prompts_of(i)) for i in range(len(crowd))]
        draw = lambda asked: self.look(torch.cat([self.bench.real(s, list(looks)) for s, looks in asked]))  # noqa: E731
        pools = {p: draw([(p, ())] * POOL) for p in self.prompts}
        worn = [draw([(p, crowd[i].liked) for p in mine]) for i, mine in enumerate(prompts)]
        same = [[pools[p][(i + k) % POOL] for k, p in enumerate(mine)] for i, mine in enumerate(prompts)]
        return self._figures(Way("real", each=each), worn, same, pools, prompts)
