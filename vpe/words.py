"""Comments as tokens: sentences, chat spelling, idioms as markers, attributes of the taxonomy as single tokens."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import lexicon as lx
from .attributes import from_taxonomy, wordings
from .preferences import normalise

# Wordings that are art attributes in a phrase and everyday words alone.
_WEAK = frozenset("""
text type render renders rendered print prints poster posters hope free powerful western camp tags wash cream sand sweet photograph
photographs worn tan fall memory motion relief magic wax filled vast raised stones classic rich shapes circles layers forms reduced moss
stretched columns folds broken tense dream night nights pattern patterns patterned
""".split())
_LIKERS = frozenset("i we you really do not also would always still to they people did quite actually just absolutely especially "
                    "particularly and but totally".split())
_STRESS = {"LOVE": ("V", 1.3), "LIKE": ("V", 1.0), "HATE": ("V", -1.3), "DISLIKE": ("V", -1.0), "WISH": ("V", 1.0), "WISHNOT": ("V", -1.0),
           "GREAT": ("E", 1.2), "GOOD": ("E", 0.9), "BAD": ("E", -0.9), "AWFUL": ("E", -1.2)}
_A = r"((?:(?!\b(?:but|i|am|is|are|though)\b)[^.,;!?]){2,60}?)"  # the better of two things, within one statement
_PREFER = [rf"\b(?:prefer|preferred) {_A} (?:over|to|rather than|instead of|than|more than) (?!see\b|have\b|be\b)(\w)",
           rf"\b(?:like|love|choose|take|pick|enjoy|give me|gimme) {_A} "
           r"(?:over|rather than|instead of|(?:far |much |way |a lot )?more than|better than) (\w)",
           rf"^(?!nothing){_A} (?:beats?|trumps?|wins over|(?:is|are) (?:so |much |far |way )*better than) (\w)",
           rf"^{_A} over ([^.,;!?]{{2,40}}) (?=(?:any ?day|every time|any ?time|always)\b)"]
# "Usually I hate collage but here it works" praises this collage.
_USUALLY = re.compile(
    r"\b(?:usually|normally|typically|generally|as a rule) (?:i |we )?(?:really |just |do |would )*"
    r"(?:hate|dislike|loathe|avoid|skip|find|(?:can|could) ?not stand|am not (?:a (?:big )?fan of|into|keen on)|"
    r"(?:not |never )(?:really |much )*(?:like|love|enjoy|care for))"
    r" ([^.;!?,]{2,50}?)(?: boring| ugly| tacky| dull)?,? (?:but|yet|though) "
    r"(?=(?:here|this|in this|it|now|these|those|somehow)\b)"
)
_BLAME = re.compile(r"\b(?:hate|dislike|awful|terrible|ugly|boring|nothing|horrible|bad|not (?:really )?(?:like|love|care))\b")
GOOD_MARKS = ("\u2764\U0001F495\U0001F496\U0001F497\U0001F499\U0001F49C\U0001F49B\U0001F9E1\U0001F5A4\U0001F90D\U0001F60D\U0001F970"
              "\U0001F929\U0001F60A\U0001F642\U0001F600\U0001F601\U0001F44D\U0001F44C\U0001F525\U0001F4AF\U0001F64C\u2728\U0001F44F\U0001F60E")
BAD_MARKS = ("\U0001F44E\U0001F922\U0001F92E\U0001F612\U0001F644\U0001F611\U0001F615\U0001F641\u2639\U0001F61E\U0001F62C\U0001F971"
              "\U0001F4A4")


@dataclass
class Token:
    """A word or merged phrase. Kinds: A attribute, H visual head, W other word, V opinion that governs, E judgement,
    O operator (TOO LESS MORE PLUS MINUS MILD ENOUGH THAN), N negation, C copula, D determiner, P pronoun, J conjunction of
    contrast, R of reason, "&" and, "," soft and ";" hard stop, S anything else."""

    text: str
    kind: str
    value: float = 0.0


def sentences(text: str) -> list[str]:
    """Sentences as written, with their closing marks."""
    parts = re.findall(r"(?:[^.!?\u2026\n]|\.(?=\w))+[.!?\u2026]*[\"')\u201d]*|[.!?\u2026]+", text)
    # Nobody writes sentences this long; without a bound a pasted novel without full stops would take minutes.
    pieces = [piece for p in parts for piece in (textwrap.wrap(p, 500) if len(p) > 500 else [p.strip()])]
    return [p for p in pieces if any(c.isalnum() or ord(c) > 0x2600 for c in p)]


@cache
def _table() -> tuple[list, list, re.Pattern]:
    idioms, sarcasm = [], []
    for line in (Path(__file__).parent / "idioms.txt").read_text(encoding="utf-8").splitlines():
        pattern, arrow, marker = line.rpartition("=>")
        if not line.startswith("#") and arrow:
            pattern, marker = pattern.strip(), marker.strip()
            if marker == "SARCASM":
                sarcasm.append(re.compile(pattern))
            else:
                idioms.append((re.compile(rf"(?<![\w-])(?:{pattern})(?![\w'-])"), marker))
    return idioms, sarcasm, re.compile(r"[A-Z]{3,}|[a-z0-9\u00c0-\u024f]+(?:['-][a-z0-9\u00c0-\u024f]+)*|[,;:]")


def plain(sentence: str) -> str:
    """Lower case, straight quotes, whole negations ("isn't" → "is not"), chat spelling and slips mended."""
    text = sentence.lower().translate({0x2018: "'", 0x2019: "'", 0x201c: '"', 0x201d: '"', 0xb4: "'", 0x60: "'"})
    text = re.sub(rf"[{GOOD_MARKS}]|<3|:-?\)|:d\b", " , wow ", text)
    text = re.sub(rf"[{BAD_MARKS}]|:-?\(", " , yuck ", text)
    text = re.sub(r"\s[-\u2013]+\s|[\u2014\u2015]|--+", " ; ", text)
    text = re.sub(r"\s*[+&]\s*(?!w\b)", lambda m: " and " if m.group().strip() == "+" else m.group(), text)
    text = re.sub(r"(?<=\w) >+ (?=\w)", " beats ", text)
    text = re.sub(r"\b(\d{1,2})(?:/10| out of 10)(?!\d)", lambda m: " awesome " if int(m[1]) > 6 else " awful " if int(m[1]) < 5 else " ",
                  text)
    text = re.sub(r"\b(is|are|r|way|just|it's|its) 2 (?=[a-z])", r"\1 too ", text.replace(" 4 me", " for me"))
    text = re.sub(r"\s*=\s*|[()\[\]]", " , ", text)
    text = re.sub(r"(?<=[a-z])/(?=[a-z]{3})", " and ", text)
    text = re.sub(r"([a-z])\1{2,}", r"\1", text)  # "sooo"
    text = re.sub(r"[\w&/'-]+", lambda m: respell(m.group()), text)
    text = re.sub(r"\b(\w+)n't\b", r"\1 not", text)
    text = re.sub(r"\b(i)'m\b", r"\1 am", text)
    text = re.sub(r"\b(he|she|it|that|there|here|what|who|this|everything|where|how)'s\b", r"\1 is", text)
    text = re.sub(r"(\w)'(?:re)\b", r"\1 are", text)
    text = re.sub(r"(\w)'ve\b", r"\1 have", text)
    text = re.sub(r"(\w)'(?:d)\b", r"\1 would", text)
    text = re.sub(r"(\w)'ll\b", r"\1 will", text)
    return " ".join(text.split())


def respell(word: str) -> str:
    if word in lx.SPELLING:
        return lx.SPELLING[word].replace("_", " ")
    word = word.replace("colour", "color")
    if len(word) >= 5 and word.isalpha() and word not in _vocabulary() and word not in lx.SPARED:
        doubled = [w for i in range(1, len(word)) if (w := word[:i] + word[i - 1:]) in _vocabulary()]
        if doubled:
            return doubled[0]  # "blury"
        if len(word) >= 6 and not known(word):
            return _nearest(word) or word
    return word


@from_taxonomy
def _vocabulary() -> frozenset[str]:
    words = {w for phrase in wordings() for w in phrase.split()}
    return frozenset(words | lx.HEADS | set(lx.VALUES) | set(lx.VERBS) | lx.STOP | lx.ADVERBS | lx.COPULAS | lx.NO_FEATURE | lx.BAD_FEATURES
                     | lx.GOOD_FEATURES | lx.CONTRAST | lx.PRONOUNS | lx.DETERMINERS)


def known(word: str) -> bool:
    """True for a word of our lists or a plain inflection of one."""
    words = _vocabulary()
    if word in words or word in lx.SPARED or any(word + s in words for s in ("s", "d", "ed", "y", "r")):
        return True
    return any(
        word.endswith(s) and (word[:-len(s)] in words or word[:-len(s)] + "e" in words)
        for s in ("s", "es", "ed", "d", "ing", "ly", "y", "er", "est", "ness", "ish", "like", "less"))


@from_taxonomy
def _deletes() -> dict[str, str]:
    """One-letter deletions of the words worth mending → the word; a shared deletion is one edit apart."""
    index: dict[str, str] = {}
    for word in sorted({w for phrase in wordings() for w in phrase.split()} | set(lx.VALUES) | lx.HEADS):
        if len(word) >= 5 and word.isalpha():
            for i in range(1, len(word)):
                index.setdefault(word[:i] + word[i + 1:], word)
    return index


def _nearest(word: str) -> str | None:
    """The listed word that is one slip of the keyboard away: a letter left out, doubled or swapped, or a wrong vowel."""
    index, words = _deletes(), _vocabulary()
    if word in index and len(index[word]) > 5:
        return index[word]  # a letter was left out
    for i in range(1, len(word)):
        shorter = word[:i] + word[i + 1:]
        if shorter in words and len(shorter) > 5 and (word[i] == word[i - 1] or word[i] in "aeiou"):
            return shorter
        if i + 1 < len(word):
            swapped = word[:i] + word[i + 1] + word[i] + word[i + 2:]
            if swapped in words:
                return swapped
        if word[i] in "aeiou":
            for vowel in "aeiou":
                if word[:i] + vowel + word[i + 1:] in words and len(word) > 6:
                    return word[:i] + vowel + word[i + 1:]
    return None


def mark(text: str) -> tuple[str, bool]:
    """Idioms replaced by upper-case markers, and whether the sentence is sarcastic."""
    idioms, sarcasm, _ = _table()
    sarcastic = any(p.search(text) for p in sarcasm)
    text = _USUALLY.sub(r" LOVE \1 , ", text)
    for pattern in _PREFER:
        text = re.sub(pattern, r" LOVE \1 MINUS \2", text)
    text = re.sub(r"\bwish(?:es|ed|ing)?\b([^.;!?]{0,60}?)\b(?:not|never|without)\b", r" WISHNOT \1 ", text)
    text = re.sub(r"\bwish(?:es|ed|ing)?\b[^.;!?]{0,40}?\b(?:stop|quit|lose|drop|ditch|avoid)\b(?: (?:using|doing|adding|making))?",
                  " HATE ", text)
    text = re.sub(r"\bif ((?:(?!\bi\b)[^.,;!?]){0,40}?\b(?:was|were|had|did)) not\b", r" WISHNOT \1 ", text)
    text = re.sub(r"(\b(?:is|are|feels?|looks?) )?\b(?:(?:do|like|love|enjoy|want) )?neither ([^.;!?]{2,50}?) nor\b",
                  lambda m: f" MINUS {m.group(2)} and MINUS " if m.group(1) else f" HATE {m.group(2)} and ", text)
    text = re.sub(r"\bwish(?:es|ed|ing)?\b", " WISH ", text)
    for pattern, marker in idioms:
        if marker == "EXCEPT":  # what is excepted from blame is praised
            text = pattern.sub(lambda m: " PLUS " if _BLAME.search(m.string[:m.start()] + m.string[m.end() + 25:]) else " MINUS ", text)
            continue
        if marker == "KEEN":
            text = pattern.sub(lambda m: " HATE " if re.search(r"\b(?:not|never)\b", m.group()) else " LOVE ", text)
        else:
            text = pattern.sub(f" {marker} ", text)
    # "I respect the realism but it leaves me cold" is blame in the end
    text = re.sub(r"\bi (?:do |can |really )*(?:respect|appreciate|understand|acknowledge|recognize|get|admire) ([^.;!?]{3,60}?),? but "
                  r"(?=(?:it|they|i) [^,;]*\b(?:AWFUL|BAD|HATE|DISLIKE)\b)", r" HATE \1 , ", text)
    return text, sarcastic


def tokens(text: str) -> list[Token]:
    """A marked sentence as tokens, attributes of the taxonomy merged."""
    words = _table()[2].findall(text)
    found: list[Token] = []
    i = 0
    while i < len(words):
        word, token, span = words[i], None, 1
        if word.isupper() and len(word) > 2:
            kind, value = _STRESS.get(word, ("O", 0.0))
            token = Token(word, kind, value)
        elif word in ",:;":
            token = Token(word, ";" if word == ";" else ",")
        else:
            for size in range(min(4, len(words) - i), 1, -1):
                if all(w[0].isalnum() and not w.isupper() for w in words[i:i + size]) and attribute(" ".join(words[i:i + size])):
                    token, span = Token(" ".join(words[i:i + size]), "A"), size
                    break
            token = token or _single(word, found, words[i + 1] if i + 1 < len(words) else "")
        found.append(token)
        i += span
    return found


def attribute(phrase: str) -> bool:
    """True where the taxonomy knows the phrase, in singular, plural or comparative."""
    key = normalise(phrase)
    if key in wordings():
        return True
    if key.endswith("ness") and (key[:-4] in wordings() or key[:-5] + "y" in wordings()):
        return True
    return len(key) > 4 and ((key.endswith("s") and key[:-1] in wordings()) or (key + "s" in wordings() and " " in key))


def _single(word: str, before: list[Token], following: str) -> Token:
    previous = before[-1].text if before else ""
    starts = not before or before[-1].kind in ",;"
    if word == "like":
        subject = starts or previous in _LIKERS
        return Token(word, "V", 1.0) if subject and not (starts and before) else Token(word, "S")
    if word in ("too", "overly", "excessively"):
        return Token("TOO", "O") if following and following[0].isalnum() else Token(word, "S")
    if word in ("less", "fewer", "more", "than", "enough"):
        return Token({"fewer": "LESS"}.get(word, word.upper()), "O")
    if word == "pretty":
        return Token(word, "S") if following and following[0].isalnum() and following not in lx.STOP and following not in lx.CONTRAST \
            and following != "enough" and (previous in lx.COPULAS or not starts and previous not in ("the", "a", "so", "very")) \
            else Token(word, "E", 0.9)
    if word == "cool":
        return Token(word, "A") if following in lx.HEADS or attribute(following) else Token(word, "E", 0.9)
    if word == "sweet" and previous in ("TOO", "sickly", "overly"):
        return Token(word, "A")
    if word == "off":
        return Token(word, "E", -0.9) if previous in lx.COPULAS and not (following and following[0].isalnum()) else Token(word, "S")
    if word in lx.CONTRAST:
        return Token(word, "J")
    if word in ("and", "or", "plus"):
        return Token(word, "&")
    if word in lx.NEGATORS:
        return Token("WITHOUT", "O") if word == "without" else Token(word, "N")
    if word in ("look", "looks", "feel") and before and before[-1].kind in "AHWDE" and (
            not following or not following[0].isalnum() or following.isupper() or following in lx.COPULAS
            or following in lx.STOP and following not in ("at", "as", "into", "like")):
        return Token(word, "H")  # "the landscape look", where "the lines look thick" is no noun
    if word.endswith("'s") and word[:-2] in lx.STOP:
        return Token(word, "S")
    for words_, kind in ((lx.COPULAS, "C"), (lx.DETERMINERS, "D"), (lx.PRONOUNS, "P"), (lx.CAUSE, "R")):
        if word in words_:
            return Token(word, kind)
    if word in lx.VERBS:
        return Token(word, "V", lx.VERBS[word])
    if word in lx.VALUES:
        return Token(word, "E", lx.VALUES[word])
    if word not in _WEAK and attribute(word):
        return Token(word, "A")
    if word in lx.HEADS:
        return Token(word, "H")
    if word in lx.STOP or word in lx.ADVERBS:
        return Token(word, "S")
    if word.startswith("over") and len(word) > 7 and known(word[4:]) and word not in ("overlapping", "overlaps"):
        return Token(word, "A")
    base = comparative(word)
    if base:
        return Token(base, "A", 1.0)
    if word in lx.GOOD_FEATURES or word in lx.BAD_FEATURES:
        return Token(word, "A")
    return Token(word[:-2] if word.endswith("'s") else word, "W")


def comparative(word: str) -> str | None:
    """ "darker" → "dark", "moodier" → "moody"; None for other words."""
    for end, base in (("ier", "y"), ("er", ""), ("er", "e"), ("iest", "y"), ("est", ""), ("est", "e")):
        if word.endswith(end) and len(word) > 5:
            stem = word[:-len(end)] + base
            for candidate in (stem, stem[:-1] if len(stem) > 2 and stem[-1:] == stem[-2:-1] else stem):
                if attribute(candidate) or candidate in ("light", "deep", "hard", "long", "fine", "strong", "short", "small", "big"):
                    return candidate
    return None
