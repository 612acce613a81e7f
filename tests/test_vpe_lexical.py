"""The built-in extractor: what it takes from a comment, on which side, and what it leaves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viper.vpe.attributes import attributes, categories, lookup
from viper.vpe.comments import Comment, Comments
from viper.vpe.extractor import BuiltInExtractor
from viper.vpe.preferences import Preferences, normalise


def read(*texts, verdict=None):
    prefs = BuiltInExtractor().extract(Comments(tuple(Comment(t, verdict) for t in texts)))
    return [f.text for f in prefs.liked], [f.text for f in prefs.disliked]


POLARITY = [
    # sentence, liked, disliked
    ("I love the crackled glaze.", ["crackled glaze"], []),
    ("I don't like the crackled glaze.", [], ["crackled glaze"]),
    ("Never been into halftone.", [], ["halftone"]),
    ("The halftone isn't bad.", ["halftone"], []),
    ("I can't stand woodgrain textures.", [], ["woodgrain textures"]),
    ("I can't get enough of stained glass.", ["stained glass"], []),
    ("Cubism is not my cup of tea.", [], ["cubism"]),
    ("The shadows are too harsh.", [], ["harsh shadows"]),
    ("The lines are too thin and jagged.", [], ["thin lines", "jagged lines"]),
    ("Needs more fog.", ["fog"], []),
    ("Less glitter next time.", [], ["glitter"]),
    ("I wish there was more moonlight.", ["moonlight"], []),
    ("I wish it wasn't so grainy.", [], ["grainy"]),
    ("If only the shadows were softer.", ["soft shadows"], []),
    ("It could be darker.", ["dark"], []),
    ("It isn't textured enough.", ["textured"], []),
    ("The mosaic is gorgeous but the lettering is ugly.", ["mosaic"], ["lettering"]),
    ("Ugly lettering, though the mosaic is gorgeous.", ["mosaic"], ["lettering"]),
    ("While the impasto is lovely, the glow feels cheap.", ["impasto"], ["cheap glow"]),
    ("The stippling though? Love.", ["stippling"], []),
    ("The bevels? No thanks.", [], ["bevels"]),
    ("Wonderful, yet another neon skyline.", [], ["neon"]),
    ("Wow, a vaporwave grid. How original.", [], ["vaporwave grid"]),
    ("If I see one more lens flare I'll scream.", [], ["lens flare"]),
    ("I prefer gouache to acrylics.", ["gouache"], ["acrylics"]),
    ("I'd rather have woodcuts than vector art.", ["woodcuts"], ["vector art"]),
    ("I'd take charcoal over digital any day.", ["charcoal"], ["digital"]),
    ("Everything except the vignette is perfect.", [], ["vignette"]),
    ("I hate everything except the halftone.", ["halftone"], []),
    ("Bold without being garish.", ["bold"], ["garish"]),
    ("Far from being sterile, the wireframe feels intimate.", ["wireframe", "intimate"], ["sterile"]),
    ("Velvet, lace and candlelight, yes please.", ["velvet", "lace", "candlelight"], []),
    ("The bokeh ruins it.", [], ["bokeh"]),
    ("The drips make my eyes hurt, the stencils speak to me.", ["stencils"], ["drips"]),
    ("Where's the grit?", ["grit"], []),
    ("Loved: linocut, sepia. Hated: gloss.", ["linocut", "sepia"], ["gloss"]),
    ("luv the sooo dreamy watercolr", ["dreamy watercolor"], []),
    ("dont like the pixelatd look", [], ["pixelated"]),
    ("Misty hills \U0001F60D", ["misty"], []),
    ("There is nothing here for me. Just fog.", [], ["fog"]),
    ("I wouldn't say no to more lace.", ["lace"], []),
    ("The bokeh has no business being here.", [], ["bokeh"]),
    ("It's blurry, and I mean that as a compliment.", ["blurry"], []),
    ("It's grainy but not in a good way.", [], ["grainy"]),
    ("Watercolor always wins me over, oils rarely do.", ["watercolor"], ["oils"]),
    ("I like neither the grid nor the glow.", [], ["grid", "glow"]),
    ("Less chrome, more rust.", ["rust"], ["chrome"]),
    ("Too many colors.", [], ["too many colors"]),
    ("Matte > glossy.", ["matte"], ["glossy"]),
    ("The outlines are too heavy and the colors could be softer.", ["soft colors"], ["heavy outlines"]),
    ("I expected to hate the glitter. I was wrong, it's wonderful.", ["glitter"], []),
]


@pytest.mark.parametrize("sentence, liked, disliked", POLARITY, ids=[row[0] for row in POLARITY])
def test_praise_and_blame_land_on_their_side(sentence, liked, disliked):
    assert read(sentence) == (liked, disliked)


def test_the_rules_give_a_relative_clause_to_its_noun():
    comments = Comments((Comment("The halftone distracts from the linework, which is superb."),))
    prefs = BuiltInExtractor("rules").extract(comments)
    assert (prefs.liked_text(), prefs.disliked_text()) == ("linework", "halftone")


@pytest.mark.parametrize("sentence, feature", [
    ("Those dusty apricot tones are wonderful.", "dusty apricot tones"),
    ("I like the frayed ribbon edges.", "frayed ribbon edges"),
    ("I adore its tea-party mood.", "tea-party"),
    ("Love the cyberpunk vibes.", "cyberpunk"),
    ("The lines are flowing and I love it.", "flowing lines"),
    ("I love how luminous the edges are.", "luminous edges"),
    ("Tones of cinnamon, lovely.", "cinnamon tones"),
])
def test_a_feature_in_no_list_is_the_shortest_natural_phrase(sentence, feature):
    assert read(sentence)[0] == [feature]


@pytest.mark.parametrize("text", ["", "   ", "...", "I love the dog.", "The woman is beautiful.", "Nice colors!",
                                  "What a lovely picture, I love it.",
                                  "I hate this.", "\U0001F600"])
def test_subjects_opinions_and_bare_heads_are_no_features(text):
    assert read(text) == ([], [])


def test_empty_comments_give_empty_preferences():
    assert BuiltInExtractor().extract(Comments()) == Preferences()


def test_the_verdict_speaks_where_the_words_do_not():
    assert read("chrome lettering", verdict="dislike") == ([], ["chrome lettering"])
    assert read("gritty, messy collage", verdict="like")[1] == []
    assert read("great collage, shame about the neon", verdict="like") == (["collage"], ["neon"])


def test_what_stands_on_both_sides_is_dropped():
    assert read("I love neon.", "I hate neon.") == ([], [])


def test_stronger_words_and_repetition_weigh_more_and_the_source_is_the_sentence():
    said = "I love fog. I like lace. Hatching is fine.", "More lace! And lace again, lovely."
    prefs = BuiltInExtractor().extract(Comments(tuple(map(Comment, said))))
    weight = {f.text: f.weight for f in prefs.liked}
    assert weight["fog"] > weight["hatching"] and weight["lace"] > weight["hatching"]
    assert {f.text: f.source for f in prefs.liked}["fog"] == "I love fog."


def test_weights_have_the_mean_1_however_strongly_everything_is_put():
    for said in ("I love fog. I adore lace! I hate neon.", "I like fog. Lace is fine. Not a fan of neon.", "Fog is fine."):
        prefs = BuiltInExtractor().extract(Comments((Comment(said),)))
        weights = [f.weight for f in prefs.liked + prefs.disliked]
        assert sum(weights) / len(weights) == pytest.approx(1, abs=1e-3)


def test_a_limit_keeps_the_strongest_of_each_side():
    comments = Comments((Comment("I like lace. I adore fog. Hatching is fine. I hate gloss and bokeh."),))
    prefs = BuiltInExtractor().extract(comments, max_features=1)
    assert prefs.liked_text() == "fog" and len(prefs.disliked) == 1


@settings(deadline=None, max_examples=150)
@given(st.lists(st.one_of(st.text(max_size=40), st.sampled_from([
    "I love", "too", "not", "the grainy texture", "but", ",", "wish", "more", "than", "hate", "?", "LOVE", "MINUS", "colors are", "and",
    "neon"])), max_size=12))
def test_no_text_breaks_the_extractor(parts):
    prefs = BuiltInExtractor().extract(Comments((Comment(" ".join(parts)),)))
    assert all(f.source for f in prefs.liked + prefs.disliked)


def test_the_taxonomy_has_twenty_categories_and_about_five_hundred_attributes():
    assert len(categories()) == 20 and len(attributes()) >= 500
    names = [normalise(a.name) for a in attributes()]
    assert len(set(names)) == len(names)
    assert all(a.name and a.name == a.name.strip() and a.category for a in attributes())


@pytest.mark.parametrize("look", ["black and white", "sepia", "pastel colors", "vivid colors", "dark", "bright", "high contrast",
                                  "low contrast",
                                  "warm colors", "cool colors", "red", "purple", "outlined",
                                  "line art", "pixel art", "pixelated", "blurred",
                                  "soft focus", "grainy", "film grain", "halftone", "pointillism", "hatching", "mosaic",
                                  "watercolor",
                                  "flat design", "3d render", "gradient", "neon", "glow", "colored background"])
def test_the_looks_that_a_small_model_knows_are_in_the_taxonomy(look):
    assert lookup(look) is not None
