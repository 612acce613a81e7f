"""What a set shows, and which attributes of the taxonomy go on a picture together."""

from __future__ import annotations

import re

# Everyday subjects on which any look shows; every kind equally often.
SUBJECTS = {
    "person": (
        "portrait of a young woman",
        "portrait of an old man",
        "a child holding a balloon",
        "a couple dancing",
        "a musician playing the guitar",
    ),
    "animal": (
        "a cat on a window sill",
        "a dog on a beach",
        "a horse in a meadow",
        "a bird on a branch",
        "a butterfly on a flower",
    ),
    "thing": (
        "a bowl of apples on a table",
        "a cup of coffee and a book",
        "a vase of sunflowers",
        "a slice of birthday cake",
        "a bicycle leaning on a wall",
    ),
    "place": (
        "a small house with a garden",
        "a narrow street in an old town",
        "a living room with an armchair",
        "a castle on a hill",
        "a market stall with fruit",
    ),
    "view": (
        "a mountain lake",
        "a path through a forest",
        "a sailboat on the sea",
        "a city skyline",
        "a lighthouse on a cliff",
    ),
}


def _words(text: str) -> frozenset[str]:
    """The names in a comma-separated list, which may be broken anywhere."""
    return frozenset(" ".join(name.split()) for name in text.split(",") if name.strip())


# Known to the reader of comments, never drawn on purpose.
LEFT_OUT = frozenset().union(
    # damage: nobody likes it, so a comment on it says nothing about a taste; and models draw it badly
    _words("watermark, jpeg artifacts, mushy, letterboxed, cropped, photocopy, underexposed"),
    # they judge a picture or change nothing that can be seen in it
    _words("""dull, generic, artificial, overwhelming, free, fussy, refined, subtle, exaggerated, timeless, corporate, retouched,
        sharpened, filtered, color graded, handheld, ambient occlusion, anatomical accuracy, conceptual art, golden ratio,
        rule of thirds, balanced composition, static composition"""),
    # a model reads them as something else: a thing to draw, letters, a logo
    _words("milky, inky, sticky, thin, bark, fingerprints, lettering, stock photo, sickly colors, spongy, scaly"),
    # a living studio's or people's own way to draw; and scenes that nobody asked to see
    _words("ghibli, aboriginal dot painting, tribal patterns, orientalism, horror, gothic horror"),
)

# One of each at most in one picture: how it is made, and which colors it has.
ONE_OF = (
    _words("medium, print and photography, digital and built, movement"),
    _words("color, hue"),
)

# How a picture is made; what is named in none of these goes with all of them.
MADE = {
    "photo": _words("""photography, film photography, polaroid, daguerreotype, photojournalism, film grain, lens flare, light
        leaks, overexposed, bokeh, shallow depth of field, tilt-shift, long exposure, motion blur, double exposure, infrared,
        anamorphic, deep focus, hdr, cross-processed, fashion editorial, film noir, realistic skin, studio lighting, chromatic
        aberration"""),
    "paint": _words("""watercolor, oil painting, acrylic, gouache, tempera, fresco, encaustic, digital painting, spray can art,
        sumi-e, visible brush strokes, loose brushwork, soft brush strokes, bold brush strokes, impasto, palette knife, dry
        brush, pointillism, splatter, drips, washes, bleeding edges, airbrushed, glazing, sgraffito, feathered, spray paint,
        impressionism, post-impressionism, expressionism, abstract expressionism, fauvism, baroque, rococo, renaissance, dutch
        golden age, byzantine, romanticism, symbolism, pre-raphaelite, classicism, academic painting, color field, naive art,
        magic realism, socialist realism, art brut, realism, hyperrealism, cubism, surrealism, medieval"""),
    "drawing": _words("""ink, charcoal, pencil, colored pencil, pastel drawing, marker, ballpoint pen, pen plotter, line art,
        sketchy, hatching, cross-hatching, calligraphic, single-line drawing, loose lines, broken lines, wobbly lines,
        stippling, dotwork, smudged, botanical illustration, technical drawing, tattoo style, map-like"""),
    "print": _words("""linocut, woodcut, etching, lithograph, screen print, risograph, letterpress, ukiyo-e, travel poster,
        halftone, printed look, faded print"""),
    "graphic": _words("""vector art, pixel art, cel shading, anime, manga, chibi, comic book, cartoon, trading card art, pop art,
        de stijl, constructivism, bauhaus, memphis design, op art, scanlines, bold outlines, outlined"""),
    "built": _words("""3d render, low poly, claymation, sculpture, papercraft, sand painting, sand art, wireframe, knitted,
        woven, embroidered, volumetric forms"""),
}

_COLORFUL = """colorful, vivid colors, saturated, neon colors, electric colors, candy colors, sugary pastels, rainbow,
    psychedelic, garish, clashing colors, contrasting colors, primary colors, jewel tones, iridescent, complementary colors,
    teal and orange, color blocking"""
_OTHER_COLORS = """pastel colors, warm colors, cool colors, earth tones, analogous colors, burnt colors, autumn palette, red,
    burgundy, pink, rose, orange, peach, terracotta, yellow, mustard, gold, brown, green, olive, sage, emerald, teal,
    turquoise, cyan, blue, navy, indigo, purple, lavender, copper, bronze"""
_COLORED = (
    "golden hour, neon lighting, stained glass, pop art, fauvism, psychedelic art, vaporwave, memphis design, tropical, y2k, risograph"
)

# Pairs of lists: whatever is in the first contradicts whatever is in the second.
CLASHES = tuple(
    (_words(left), _words(right))
    for left, right in (
        # no color | color
        (
            """monochrome, black and white, grayscale, sepia, black on white, white on black, gray, black, white, silver,
            charcoal, pencil, ballpoint pen, ink, etching, daguerreotype, film noir, sumi-e, infrared, single-line drawing,
            wireframe""",
            f"{_COLORFUL}, {_OTHER_COLORS}, {_COLORED}",
        ),
        # quiet colors | loud ones
        (
            """muted colors, desaturated, neutral tones, dusty colors, faded print, wabi-sabi, film noir, smoky, foggy, gloomy,
            melancholic, sombre drama, daguerreotype, dark academia, post-apocalyptic, calm, mellow""",
            f"{_COLORFUL}, neon lighting, pop art, fauvism, psychedelic art, vaporwave, memphis design, tropical, y2k, hdr",
        ),
        ("limited palette, minimalism, monochrome", f"{_COLORFUL}, {_COLORED}"),
        # warm | cold
        (
            """warm colors, autumn palette, earth tones, burnt colors, red, orange, peach, terracotta, yellow, mustard, gold,
            brown, copper, bronze, golden hour, candlelight, firelight, lamplight, cozy, summery, desert, tropical, autumnal,
            western""",
            """cool colors, blue, navy, indigo, cyan, teal, turquoise, silver, blue hour, moonlight, icy, wintry, cold,
            underwater, neon lighting""",
        ),
        ("sepia, autumn palette, autumnal, burnt colors", "spring-like, underwater, neon lighting, sugary pastels, tropical"),
        ("spring-like, summery", "autumnal, wintry, icy, cold, gloomy, sombre drama"),
        ("green, sage, emerald, olive", "autumn palette, autumnal, desert, wintry, burnt colors, golden hour, blue hour"),
        # night | day
        (
            """dark, low key lighting, moonlight, candlelight, firelight, lamplight, blue hour, spotlight, neon lighting,
            nocturnal, starry, gloomy, eerie, mysterious, sombre drama, film noir, white on black, black, gothic""",
            """bright, high key lighting, golden hour, morning light, dappled light, natural light, overexposed, summery,
            spring-like, cheerful, fresh, black on white, white, pastel colors, sugary pastels, candy colors, cute""",
        ),
        ("nocturnal, starry, moonlight", "rainbow, cloudy, god rays, caustics, backlit, ambient occlusion"),
        ("underwater", "candlelight, firelight, golden hour, lamplight, dust, smoky, starry, morning light"),
        ("stormy", "calm, mellow, cheerful, morning light, golden hour, cute, candlelight, studio lighting, dappled light"),
        ("cloudy, foggy, smoky", "hard light, god rays, starry, desert, sharp focus, deep focus, studio lighting"),
        # strong | soft
        (
            """high contrast, chiaroscuro, hard light, dramatic lighting, spotlight, contrasting colors, black on white, white on
            black, film noir, bold outlines, bold, dramatic, aggressive, linocut, woodcut, hdr, chunky""",
            """low contrast, soft light, muted colors, pastel colors, dusty colors, foggy, faded print, delicate, mellow, calm,
            gauzy, velvety, feathered, soft edges, soft brush strokes, fine lines""",
        ),
        # much | little
        (
            """highly detailed, complex, ornate, intricate patterns, damask, paisley, filigree, crowded, dense, chaotic, baroque,
            rococo, hdr, hyperrealism, medieval, byzantine, filigree, mosaic, art nouveau, goblincore, mandala, layered
            composition""",
            """simplified, minimalism, sparse, negative space, clean, clean lines, isolated subject, single-line drawing, color
            field, low poly, wabi-sabi, naive art, abstract, flat composition, limited palette, vector art""",
        ),
        ("chaotic, crowded", "calm, orderly, mellow, grid, close-up, isolated subject"),
        (
            "clean, clean lines, orderly, polished",
            """dirty, gritty, distressed, splatter, drips, sketchy, grunge, chaotic, rust, peeling paint, goblincore, smudged,
            post-apocalyptic, rough-hewn, punk, cracked, wobbly lines, jagged lines, glitch""",
        ),
        # sharp | blurred
        (
            "sharp focus, deep focus, sharp edges, clean lines, fine lines, highly detailed, straight lines, vector art, wireframe",
            """blurred, soft edges, bokeh, shallow depth of field, motion blur, smudged, bleeding edges, foggy, smoky, gauzy,
            dreamy, soft brush strokes, long exposure, bloom, tilt-shift""",
        ),
        # smooth | rough
        (
            """smooth, glossy, polished, silky, velvety, sheen, airbrushed, chrome, glass, plastic, wax, liquid, vector art,
            refined, luxurious""",
            """rough, gritty, grainy, film grain, distressed, cracked, wrinkled, textured, impasto, dry brush, palette knife,
            rough-hewn, dirty, rust, peeling paint, rustic, grunge, hatching, cross-hatching, stone, concrete, knitted, woven""",
        ),
        ("matte", "glossy, polished, sheen, chrome, metallic, metallic colors, wet, glass, iridescent, reflections, sparkle"),
        ("wet, underwater, liquid", "desert, dust, dry brush, candlelight, firelight"),
        ("icy", "firelight, candlelight, desert, tropical, summery"),
        # gentle | grim
        (
            "calm, cheerful, cozy, cute, hopeful, fresh, romantic, mellow, funny, cottagecore, fairytale, chibi, spring-like",
            """aggressive, gloomy, eerie, sombre drama, melancholic, cold, post-apocalyptic, grunge, punk, gothic, film noir,
            dirty, gritty, brutalism, glitch""",
        ),
        ("epic, dramatic", "cute, funny, chibi, mellow, calm, cozy"),
        # tomorrow | yesterday
        (
            """futuristic mood, science fiction, cyberpunk, futurist city, y2k, vaporwave, solarpunk, neon lighting, wireframe,
            glitch, low poly""",
            """medieval, victorian, renaissance, baroque, rococo, vintage, nostalgic, rustic, western, daguerreotype, gothic,
            byzantine, classicism, dutch golden age, academic painting, romanticism, pre-raphaelite, sepia, arts and crafts,
            candlelight, cottagecore, dark academia, fairytale, celtic knots, damask, botanical illustration, fresco, tempera,
            sumi-e, ukiyo-e, impressionism, wabi-sabi""",
        ),
        # flat | deep
        (
            """flat composition, flattened perspective, vector art, cel shading, color field, color blocking, ukiyo-e, de stijl,
            linocut, screen print, memphis design""",
            """depth, linear perspective, deep focus, volumetric light, volumetric forms, forced perspective, 3d render,
            sculpture, shallow depth of field, wide angle, fisheye, chiaroscuro, vanishing lines, tilt-shift, layered
            composition""",
        ),
        # as it is | taken apart
        (
            "realism, hyperrealism, photojournalism, realistic skin, academic painting, classicism, photography, dutch golden age",
            """abstract, abstract expressionism, color field, cubism, de stijl, melting forms, fragmented forms, hybrid forms,
            floating forms, chibi, cartoon, anime, manga, comic book, stylized figures, naive art, psychedelic, psychedelic
            art, fractal, simplified, glitch""",
        ),
        (
            "abstract, abstract expressionism, color field, de stijl",
            """expressive faces, botanical illustration, technical drawing, highly detailed, fashion editorial, drapery, concept
            art""",
        ),
        # near | far
        (
            "close-up, close framing",
            """bird's eye view, isometric, wide angle, fisheye, scale contrast, epic, sparse, negative space, crowded, map-like,
            futurist city, linear perspective, travel poster""",
        ),
        (
            "symmetrical composition, centered composition, orderly, grid, tessellation",
            "chaotic, dynamic composition, motion blur, splatter",
        ),
        (
            "straight lines, geometric patterns, geometric composition, grid, cubism",
            "organic shapes, flowing lines, melting forms, curved lines",
        ),
        (
            "silhouette, silhouetted forms",
            "high key lighting, realistic skin, expressive faces, highly detailed, textured, studio lighting, intricate patterns",
        ),
    )
)

NEEDS_A_PERSON = _words("expressive faces, stylized figures, realistic skin, fashion editorial, masks")
NOT_FROM_AFAR = _words("close-up, close framing, isolated subject, studio lighting, single-line drawing, drapery, claymation, knitted")
PERSON = re.compile(
    r"(?i)\b(wo)?m[ae]n\b|\b(portrait|person|people|girl|boy|child|children|couple|crowd|dancer|musician|baby|lady|face|selfie|king|queen"
    r"|self-portrait|family|friends|model|worker|artist)s?\b"
)
MADE_OF = _words("fabric, leather, stone, marble, concrete, chrome, glass, stained glass, crystal, plastic, ceramic, wax")
