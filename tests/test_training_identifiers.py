"""The rare word for a subject."""

import re

import pytest

from viper.training.identifiers import WORN, IdentifierError, Tokenizer, describe, find, problem


def toy(name="toy"):
    """A BPE of 100 pieces: letters, then common words, then rare pieces; the longest piece wins."""
    pieces = {i: chr(97 + i) for i in range(26)} | {26 + i: chr(97 + i) + "</w>" for i in range(26)}
    pieces |= {52: "dog</w>", 53: "the</w>", 54: "vu", 55: "cat</w>"}
    pieces |= {70 + i: p for i, p in enumerate(["zq", "qix", "wox", "vek", "zq</w>", "qix</w>", "juf</w>", "oxi</w>", "dog", "abcd"])}
    pieces[99] = "z9</w>"
    of = {piece: i for i, piece in pieces.items()}

    def encode(text):
        ids = []
        for word in text.split():
            while word:
                for n in range(min(4, len(word)), 0, -1):
                    piece = word[:n] + ("</w>" if n == len(word) else "")
                    if piece in of:
                        break
                ids.append(of.get(piece, 100))  # 100 is no piece
                word = word[n:]
        return ids

    return Tokenizer(name, encode, pieces)


def test_word_is_made_of_rare_pieces_and_gives_the_same_tokens_again():
    t = toy()
    for seed in range(20):
        for tokens in (1, 2, 3):
            found = find([t], seed, tokens)
            ids = found.ranks["toy"]
            assert len(ids) == tokens and t.ids(found.word) == ids
            assert all(i >= t.rare_range[0] and re.fullmatch("[a-z]{2,3}", t.pieces[i].replace("</w>", "")) for i in ids)
            assert "dog" not in found.word and "cat" not in found.word, "a common word inside"


def test_same_seed_gives_the_same_word_and_seeds_differ():
    assert find([toy()], 5) == find([toy()], 5)
    assert len({find([toy()], seed).word for seed in range(12)}) > 3


def test_words_of_our_own_lists_are_avoided():
    taken = {find([toy()], seed).word for seed in range(40)}
    spared = find([toy()], 0, is_word=lambda word: word != "zqjuf")
    assert spared.word == "zqjuf" and len(taken) > 1


@pytest.mark.parametrize("word, why", [("sks", "rifle"), ("SKS", "rifle"), ("dog", "common token"), ("", "empty"), ("zqabc", "falls apart"),
                                       ("zqdog", 'holds the common word "dog"'), ("zq-9", "read back")])  # fmt: skip
def test_bad_words_are_named_with_the_reason(word, why):
    assert why in problem(word, [toy()])


def test_words_of_the_language_are_named():
    assert "meaning of its own" in problem("zqjuf", [toy()], is_word=lambda word: True)
    assert problem("zqjuf", [toy()]) == ""


def test_nothing_to_find_is_said_in_a_sentence():
    with pytest.raises(IdentifierError, match="type an identifier of your own"):
        find([], 0)
    with pytest.raises(IdentifierError, match="1 to 3 tokens"):
        find([toy()], 0, tokens=4)
    with pytest.raises(IdentifierError, match="another number of tokens"):
        find([Tokenizer("bare", lambda text: [0], {0: "a</w>"})], 0)


def test_report_tells_tokens_and_ranks_of_each_encoder():
    text = describe("zqjuf", [toy("clip_l"), toy("clip_g")]).report()
    assert text.splitlines()[0] == "clip_l: 2 tokens (zq, juf</w>), ranks 70, 76" and "clip_g: 2 tokens" in text


@pytest.fixture(scope="module")
def tokenizers(host):
    import comfy.sdxl_clip
    import comfy.text_encoders.flux

    from viper.host.training import tokenizers

    class Clip:
        def __init__(self, tokenizer):
            self.tokenizer = tokenizer

    return {"sdxl": tokenizers(Clip(comfy.sdxl_clip.SDXLTokenizer())), "flux": tokenizers(Clip(comfy.text_encoders.flux.FluxTokenizer()))}


@pytest.mark.parametrize("family, names", [("sdxl", ["clip_l", "clip_g"]), ("flux", ["clip_l", "t5xxl"])])
def test_hosts_encoders_read_the_found_word_back(tokenizers, family, names):
    from viper.vpe.words import known

    ts = tokenizers[family]
    assert [t.name for t in ts] == names
    words = set()
    for seed in range(5):
        found = find(ts, seed, is_word=known)
        words.add(found.word)
        assert len(found.ranks["clip_l"]) == 2 and min(found.ranks["clip_l"]) > 29000
        for t in ts:
            inside = list(t.encode(f"a photo of a {found.word} dog"))
            ids = t.ids(found.word)
            assert any(inside[i:i + len(ids)] == ids for i in range(len(inside))), "other tokens in a prompt"
            assert t.decode(ids) == found.word
        assert problem(found.word, ts, known) == ""
    assert len(words) == 5


def test_rare_words_of_a_t5_alone_come_from_the_papers_range(tokenizers):
    t5 = tokenizers["flux"][1]
    for seed in range(3):
        found = find([t5], seed, tokens=2)
        assert all(5000 <= i < 10100 for i in found.ranks["t5xxl"]) and t5.ids(found.word) == found.ranks["t5xxl"]


def test_worn_out_words_are_worn_out_for_the_host_too(tokenizers):
    assert all(problem(word, tokenizers["sdxl"]) for word in WORN)
    assert "common token" in problem("dog", tokenizers["sdxl"]) and "common token" in problem("cat", tokenizers["flux"])
