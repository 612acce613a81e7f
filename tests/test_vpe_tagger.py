"""The span tagger: what it sees of a comment, its arithmetic, its training."""

import random

import numpy as np
import pytest
import torch

from viper.vpe import tagger as tg
from viper.vpe.comments import Comment
from viper.vpe.recipe import marked
from viper.vpe.recipe import tagger as recipe


def test_tokens_know_their_place():
    text = "Love it!\nthe lines' \u201cglow\u201d isn\u2019t 2 b missed \U0001F60D 색감이"
    for word in tg.tokenise(text):
        assert text[word.start:word.end] == word.text
    assert [w.text for w in tg.tokenise("isn\u2019t it well-lit?")] == ["isn\u2019t", "it", "well-lit", "?"]


def test_word_kinds_come_from_the_lists():
    found = tg.tokenise("I love the soft focus but not the garish lines, too dark \U0001F60D")
    kinds = dict(zip([w.text for w in found], [tg.KINDS[k] for k in tg.kinds(found)], strict=True))
    assert kinds["love"] == "likes" and kinds["soft"] == "attribute" and kinds["focus"] == "attribute on" and kinds["but"] == "contrast"
    assert kinds["not"] == "negation" and kinds["garish"] == "bad feature" and kinds["lines"] == "head" and kinds["too"] == "too"
    assert kinds["\U0001F60D"] == "good mark" and kinds[","] == "mark"


def test_rules_are_laid_on_the_words_they_read():
    from viper.vpe.lexical import understand

    comment = Comment("The lines are too thin. I love the crackled glaze!")
    found, _, extra = tg.features(comment, understand(comment))
    told = {w.text: tg.RULES[t] for w, t in zip(found, extra[:, 1], strict=True)}
    assert told["thin"] == told["lines"] == "disliked" and told["crackled"] == "liked" and told["glaze"] == "liked on"
    assert told["The"] == told["love"] == told["."] == "none"


def test_numpy_runs_what_torch_trained():
    torch.manual_seed(0)
    net = recipe.Net(recipe.TaggerConfig(hidden=8, width=6)).eval()
    weights = {f"0.{k}": v for k, v in recipe.arrays(net).items()}
    comment = Comment("I love the grain but the borders are fussy", "like")
    _, buckets, extra = tg.features(comment, [])
    with torch.no_grad():
        net.pieces.weight.copy_(torch.from_numpy(weights["0.pieces.weight"] * weights["0.pieces.scale"]))
        for name, p in net.named_parameters():
            if name != "pieces.weight":
                p.copy_(p.half().float())
        expected = net(torch.from_numpy(buckets)[None], torch.from_numpy(extra)[None])[0].softmax(-1).numpy()
    assert np.allclose(tg.Tagger(weights).probabilities(buckets, extra), expected, atol=1e-5)
    twice = weights | {f"1.{k[2:]}": v for k, v in weights.items()}
    assert np.allclose(tg.Tagger(twice).probabilities(buckets, extra), expected, atol=1e-5)


def test_spans_are_runs_cut_where_a_new_one_begins():
    found = tg.tokenise("soft light torn paper")
    p = np.array([[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]], float)
    assert [(s.start, s.end, s.liked) for s in tg.spans(found, p)] == [(0, 10, 1.0), (11, 21, 0.0)]
    assert tg.spans(found, np.array([[1, 0, 0, 0, 0]] * 4, float)) == [] and tg.spans([], np.zeros((0, 5))) == []


def test_marks_are_read_and_put_on_words():
    m = marked.parse("I love the [soft light|+], not the [grain|-].")
    assert m.text == "I love the soft light, not the grain." and [(k.liked, m.text[k.start:k.end]) for k in m.marks] == [
        (True, "soft light"), (False, "grain")]  # fmt: skip
    assert [tg.TAGS[t] for t in recipe.tags(tg.tokenise(m.text), m.marks)] == ["O"] * 3 + ["B+", "I+"] + ["O"] * 3 + ["B-", "O"]
    assert marked.parse("너무 [어두워요|-|dark]").marks[0].english == "dark"


def test_varied_comments_keep_their_marks():
    m = marked.parse("I love the [soft light|+], not the [grain|-].")
    other = recipe.varied(m, {True: ["fog"], False: ["neon signs"]}, random.Random(0), 1.0)
    assert {other.text[k.start:k.end] for k in other.marks} <= {"fog", "neon signs"} and [k.liked for k in other.marks] == [True, False]


def test_what_is_set_aside_is_never_trained_on():
    some = [marked.Marked(str(i), ()) for i in range(50)]
    assert not set(marked.set_aside(some)) & set(marked.to_train(some)) and len(marked.set_aside(some)) == 4


@pytest.mark.parametrize("teacher", [False, True])
def test_a_small_network_learns_what_it_is_shown(teacher, monkeypatch):
    lines = [f"{start} the [{a}|+] but {end} the [{b}|-]" for start in ("I love", "I adore") for end in ("I hate", "I loathe")
             for a, b in (("fog", "neon"), ("grain", "gloss"), ("lace", "chrome"))]  # fmt: skip
    data = [marked.parse(line) for line in lines]
    if teacher:  # one that is always right
        truth = {m.text: recipe.tags(tg.tokenise(m.text), m.marks) for m in data}
        told = lambda net, flat: [  # noqa: E731
            torch.nn.functional.one_hot(torch.from_numpy(truth[" ".join(w.text for w in found)]), 5).float() for found in flat]
        monkeypatch.setattr(recipe, "opinions", told)
    config = recipe.TaggerConfig(epochs=40, batch=4, hidden=16, width=16, words=False, swap=0.0, lr=1e-2)
    net = recipe.train(recipe.prepare(data, config, object() if teacher else None), config, teacher=object() if teacher else None)
    judge = tg.Tagger({f"0.{k}": v for k, v in recipe.arrays(net).items()})
    comment = Comment("I adore the lace but I hate the gloss")
    found, buckets, extra = tg.features(comment, [])
    seen = [(comment.text[s.start:s.end], s.liked > 0.5) for s in tg.spans(found, judge.probabilities(buckets, extra))]
    assert seen == [("lace", True), ("gloss", False)]
