"""Which language a comment is in, as far as the built-in extractor needs to know: what it reads, and what it does not."""

from __future__ import annotations

import re
from collections import Counter

READ = {"en": "English", "ko": "Korean"}
_SCRIPTS = (("ja", "Japanese", "\u3040-\u30ff"), ("ko", "Korean", "\uac00-\ud7a3\u3131-\u318e"), ("zh", "Chinese", "\u4e00-\u9fff"),
            ("ru", "Russian", "\u0400-\u04ff"), ("ar", "Arabic", "\u0600-\u06ff"), ("he", "Hebrew", "\u0590-\u05ff"),
            ("th", "Thai", "\u0e00-\u0e7f"), ("hi", "Hindi", "\u0900-\u097f"), ("el", "Greek", "\u0370-\u03ff"))  # fmt: skip
_COMMON = {
    "de": ("German", "der die das und ist nicht ich mir zu sehr ein eine den dem mit auch aber wie so gefällt mag farben bild sind"),
    "fr": ("French", "le la les et est pas je me très un une des du de avec aussi mais comme trop plus j'aime c'est aime couleurs cette"),
    "es": ("Spanish", "el la los las y es no me muy un una de del con también pero como más gusta gustan colores este esta demasiado que"),
    "it": ("Italian", "il la gli le e è non mi molto un una di del con anche ma come più piace piacciono colori questo troppo che"),
    "pt": ("Portuguese", "o a os as e é não me muito um uma de do com também mas como mais gosto cores este esta demais que são"),
    "nl": ("Dutch", "de het een en is niet ik mij te heel met ook maar zoals vind mooi kleuren deze dit zijn van"),
    "pl": ("Polish", "i nie jest to się na mi bardzo z ale jak te kolory podoba lubię za są tego"),
    "tr": ("Turkish", "bu ve bir çok değil ben bana ama gibi renkler daha güzel için da de seviyorum"),
    "vi": ("Vietnamese", "và là không tôi rất màu này quá một với nhưng thích của có"),
    "id": ("Indonesian", "dan ini tidak saya sangat yang dengan tapi seperti terlalu warna suka itu lebih"),
    "en": ("English", "the and is not i me too very a an of with also but like this that it are colors colours love so my in to for"),
}
_NAMES = {code: name for code, name, _ in _SCRIPTS} | {code: name for code, (name, _) in _COMMON.items()}
_WORDS = {code: frozenset(words.split()) for code, (_, words) in _COMMON.items()}


def language(text: str) -> str:
    """The code of the language of ``text``; English where nothing speaks against it."""
    letters = sum(c.isalpha() for c in text)
    for code, _, script in _SCRIPTS:
        if len(re.findall(f"[{script}]", text)) > 0.2 * letters:
            return code
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower().replace("\u2019", "'"))
    hits = Counter({code: sum(w in common for w in words) for code, common in _WORDS.items()})
    best, count = hits.most_common(1)[0]
    return best if count >= 3 and count > 1.5 * hits["en"] else "en"


def advice(texts: list[str]) -> str | None:
    """A sentence about comments in languages that are not read, or None."""
    unread = Counter(code for code in map(language, texts) if code not in READ)
    if not unread:
        return None
    names = ", ".join(_NAMES[code] for code, _ in unread.most_common())
    return (
        f"{sum(unread.values())} of {len(texts)} comments were not read: they look {names}, and the built-in extractor reads "
        f"{' and '.join(READ.values())}. "
        "Write them in one of these, or connect an extractor that runs a language model: those read more languages."
    )
