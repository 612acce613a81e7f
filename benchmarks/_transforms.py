"""The looks of the vocabulary once more, drawn with Pillow and NumPy from what the words mean.

Shares no code with ``pocket/recipe``: the judge learns looks from here and is then asked about the recipe's pictures and
the model's. Every parameter is jittered, so that a look is a family and not one filter.
"""

import colorsys
import math

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from viper.benchmarks._grounds import SIDE, array, fall, ground, image

DEGREES = {"red": 0, "orange": 30, "yellow": 52, "lime": 78, "green": 120, "teal": 178, "blue": 226, "purple": 275, "pink": 326}


def shade(name: str, value: float, saturation: float, rng) -> tuple[int, int, int]:
    if name == "brown":
        h, saturation, value = 26, min(saturation, 0.72), value * 0.6
    else:
        h = DEGREES[name] + rng.uniform(-7, 7)
    return tuple(int(255 * v) for v in colorsys.hsv_to_rgb(h % 360 / 360, saturation, value))


def cloud(rng, cells: int) -> np.ndarray:
    """Smooth noise (128, 128) about zero."""
    return array(Image.fromarray(rng.integers(0, 255, (cells, cells), np.uint8)).resize((SIDE, SIDE), Image.BICUBIC))[..., 0] - 0.5


def duo(im, dark, middle, light):
    return ImageOps.colorize(ImageOps.grayscale(im), dark, light, middle)


def contours(im, alpha, width=3):
    """L picture, white where lines are."""
    edge = ImageOps.autocontrast(ImageOps.grayscale(im).filter(ImageFilter.FIND_EDGES).crop((2, 2, 126, 126))).resize((SIDE, SIDE))
    rim = ImageChops.subtract(alpha.filter(ImageFilter.MaxFilter(width)), alpha.filter(ImageFilter.MinFilter(width)))
    return ImageChops.lighter(edge.filter(ImageFilter.MaxFilter(3)), rim)


# (picture, alpha, rng) → picture


def hue(name):
    def paint(im, alpha, rng):
        v = rng.uniform(0.75, 0.95)
        dark, middle = shade(name, 0.18, 0.9, rng), shade(name, v, rng.uniform(0.78, 0.95), rng)
        light = tuple(int(255 - (255 - c) * rng.uniform(0.2, 0.3)) for c in middle)
        return duo(im, dark, middle, light)

    return paint


def pixelated(im, alpha, rng):
    n = int(rng.choice([12, 16, 16, 20]))
    return im.resize((n, n), Image.BOX).resize((SIDE, SIDE), Image.NEAREST)


def grainy(im, alpha, rng):
    n = int(rng.choice([32, 43, 64]))
    noise = np.repeat(np.repeat(rng.normal(0, rng.uniform(0.11, 0.18), (n, n)), -(-SIDE // n), 0), -(-SIDE // n), 1)[:SIDE, :SIDE]
    return image(array(im) + noise[..., None])


def halftone(im, alpha, rng):
    step = int(rng.integers(9, 14))
    out, small = Image.new("RGB", (SIDE, SIDE), "white"), im.filter(ImageFilter.GaussianBlur(3))
    draw = ImageDraw.Draw(out)
    for i, y in enumerate(range(0, SIDE + step, step // 2 + 1)):
        for x in range((i % 2) * step // 2, SIDE + step, step):
            c = small.getpixel((min(x, SIDE - 1), min(y, SIDE - 1)))
            r = step * (0.14 + 0.45 * (1 - sum(c) / 765))
            draw.ellipse((x - r, y - r, x + r, y + r), tuple(int(v * 0.8) for v in c))
    return out


def strokes(im, alpha, rng):
    ink = Image.new("L", (SIDE, SIDE), 0)
    draw, step = ImageDraw.Draw(ink), int(rng.integers(8, 14))
    for k in range(-SIDE, 2 * SIDE, step):
        draw.line((k, SIDE, k + SIDE, 0), 255, int(rng.integers(3, 5)))
    dark = np.clip(0.3 + 0.6 * (1 - array(im).mean(-1)), 0, 0.85)
    return image(array(im) * (1 - array(ink.filter(ImageFilter.GaussianBlur(0.7)))[..., :1] * dark[..., None]))


def mosaic(im, alpha, rng):
    step = int(rng.choice([12, 14, 16]))
    out = im.resize((SIDE // 8, SIDE // 8), Image.BOX).resize((SIDE, SIDE), Image.NEAREST)
    draw, joint = ImageDraw.Draw(out), int(rng.integers(160, 215))
    for i, y in enumerate(range(0, SIDE, step)):
        draw.line((0, y, SIDE, y), (joint,) * 3, 2)
        for x in range((i % 2) * step // 2, SIDE, step):
            draw.line((x, y, x, y + step), (joint,) * 3, 2)
    return out


def scanlines(im, alpha, rng):
    period, phase = rng.uniform(12, 18), rng.uniform(0, 6.3)
    wave = 0.66 + 0.36 * np.sin(np.arange(SIDE) * 2 * math.pi / period + phase)
    return image(array(im) * np.clip(wave, 0.2, 1)[:, None, None])


def splattered(im, alpha, rng):
    draw = ImageDraw.Draw(im)
    for _ in range(rng.integers(20, 40)):
        x, y, r = rng.uniform(0, SIDE), rng.uniform(0, SIDE), rng.uniform(1.2, 4)
        draw.ellipse((x - r, y - r, x + r, y + r), (int(rng.integers(0, 50)),) * 3)
    return im.filter(ImageFilter.GaussianBlur(0.5))


def woven(im, alpha, rng):
    y, x = np.mgrid[:SIDE, :SIDE]
    step = int(rng.choice([7, 8, 9]))
    over = (y // step + x // step) % 2 == 0
    wave = np.where(over, np.sin(math.pi * (y % step) / step), np.sin(math.pi * (x % step) / step)) * 2 - 1
    return image(array(im) * (0.78 + rng.uniform(0.16, 0.24) * wave)[..., None])


def glitch(im, alpha, rng):
    a = array(im).copy()
    height = int(rng.choice([8, 12, 16]))
    for y in range(0, SIDE, height):
        a[y : y + height] = np.roll(a[y : y + height], int(rng.normal(0, 9)), 1)
    for c, by in ((0, int(rng.integers(3, 8))), (2, -int(rng.integers(3, 8)))):
        a[..., c] = np.roll(a[..., c], by, 1)
    return image(a)


def wavy(im, alpha, rng):
    y, x = np.mgrid[:SIDE, :SIDE]
    size, period = rng.uniform(3, 5), rng.uniform(26, 40)
    v = np.clip(y + size * np.sin(2 * math.pi * x / period), 0, SIDE - 1).astype(int)
    u = np.clip(x + size * np.sin(2 * math.pi * y / period), 0, SIDE - 1).astype(int)
    return image(array(im)[v, u])


def watercolor(im, alpha, rng):
    y, x = np.mgrid[:SIDE, :SIDE]
    v = np.clip(y + 14 * cloud(rng, 10), 0, SIDE - 1).astype(int)
    u = np.clip(x + 14 * cloud(rng, 10), 0, SIDE - 1).astype(int)
    a = array(image(array(im)[v, u]).filter(ImageFilter.GaussianBlur(rng.uniform(1.2, 2))))
    rim = np.minimum(a - array(image(a).filter(ImageFilter.GaussianBlur(4))), 0)
    return image(0.96 + (a + rim - 1) * (0.68 + 0.6 * cloud(rng, 7))[..., None])


def oil_painting(im, alpha, rng):
    y, x = np.mgrid[:SIDE, :SIDE]
    v = np.clip(y + 7 * cloud(rng, 14), 0, SIDE - 1).astype(int)
    u = np.clip(x + 7 * cloud(rng, 14), 0, SIDE - 1).astype(int)
    smeared = ImageEnhance.Color(image(array(im)[v, u]).filter(ImageFilter.ModeFilter(5))).enhance(1.3)
    a = array(smeared.filter(ImageFilter.GaussianBlur(0.8)))
    relief = cloud(rng, int(rng.integers(22, 34)))
    return image(a * 0.9 + rng.uniform(0.3, 0.55) * (relief - np.roll(relief, (2, 2), (0, 1)))[..., None])


def pencil(im, alpha, rng):
    line = array(contours(im, alpha))[..., 0]
    y, x = np.mgrid[:SIDE, :SIDE]
    stroke = 0.5 + 0.5 * np.cos((x + y) * 2 * math.pi / rng.uniform(9, 17))
    dark = 0.55 * line + np.clip(0.75 - array(im).mean(-1), 0, 1) * (0.35 + 0.5 * stroke)
    a = np.clip(0.96 - dark + rng.normal(0, 0.05, (SIDE, SIDE)), 0.1, 1)
    return image(np.repeat(a[..., None], 3, 2))


def woodcut(im, alpha, rng):
    y = np.arange(SIDE)[:, None]
    cover = array(alpha)[..., 0] * 0.25 + 0.9 * (1 - array(im).mean(-1))
    ink = cover > 0.5 + 0.4 * np.cos(y * 2 * math.pi / rng.uniform(12, 18) + rng.uniform(0, 6))
    ink = ink | (array(ImageChops.subtract(alpha.filter(ImageFilter.MaxFilter(5)), alpha.filter(ImageFilter.MinFilter(3))))[..., 0] > 0.5)
    paper = np.array([0.95, rng.uniform(0.86, 0.93), rng.uniform(0.72, 0.84)])
    return image(np.where(ink[..., None], 0.08, paper)).filter(ImageFilter.GaussianBlur(0.6))


def stained_glass(im, alpha, rng):
    step = rng.uniform(17, 24)
    seeds = np.stack(np.meshgrid(np.arange(0, SIDE + step, step), np.arange(0, SIDE + step, step)), -1).reshape(-1, 2)
    seeds = seeds + rng.uniform(-7, 7, seeds.shape)
    y, x = np.mgrid[:SIDE, :SIDE]
    far = np.hypot(x[..., None] - seeds[:, 0], y[..., None] - seeds[:, 1])
    near = np.partition(far, 1, -1)
    pane, a = far.argmin(-1), array(ImageEnhance.Color(im).enhance(1.6))
    count = np.maximum(np.bincount(pane.ravel(), minlength=len(seeds)), 1)
    mean = np.stack([np.bincount(pane.ravel(), a[..., c].ravel(), len(seeds)) / count for c in range(3)], -1)
    return image(mean[pane] * (near[..., 1] - near[..., 0] > 3)[..., None])


def chalk(im, alpha, rng):
    dust = np.clip(rng.normal(0.7, 0.25, (SIDE // 2, SIDE // 2)), 0, 1).repeat(2, 0).repeat(2, 1)
    board = np.array([0.13, rng.uniform(0.17, 0.23), rng.uniform(0.15, 0.2)])
    fill = array(alpha)[..., :1] * 0.3 * (0.4 + array(im))
    return image(board + dust[..., None] * (fill + 0.75 * array(contours(im, alpha))[..., :1]))


def neon_sign(im, alpha, rng):
    tube = contours(im, alpha, 5)
    glow = array(tube.filter(ImageFilter.GaussianBlur(4)))[..., :1]
    colour = array(ImageEnhance.Color(im).enhance(2.5).filter(ImageFilter.GaussianBlur(3)))
    colour = colour / np.maximum(colour.max(-1, keepdims=True), 0.3)
    return image(np.array([0.04, 0.03, 0.08]) + colour * (0.9 * array(tube)[..., :1] + 1.1 * glow))


def paper_cut(im, alpha, rng):
    flat = array(ImageOps.posterize(im.filter(ImageFilter.GaussianBlur(1.5)), 2)) * 1.2
    by = int(rng.integers(4, 8))
    shadow = Image.new("L", (SIDE, SIDE), 0)
    shadow.paste(alpha.filter(ImageFilter.GaussianBlur(3)), (by, by))
    m, paper = array(alpha)[..., :1], np.array([0.93, rng.uniform(0.82, 0.9), rng.uniform(0.68, 0.8)])
    return image((0.1 + 0.85 * flat) * m + paper * (1 - 0.65 * array(shadow)[..., :1]) * (1 - m))


def blueprint(im, alpha, rng):
    a = np.zeros((SIDE, SIDE, 3)) + np.array([0.08, rng.uniform(0.18, 0.28), rng.uniform(0.5, 0.66)])
    step = int(rng.choice([12, 16, 20]))
    a[::step] += 0.1
    a[:, ::step] += 0.1
    return image(a + 0.8 * array(contours(im, alpha))[..., :1] * np.array([0.9, 0.8, 0.45]))


def outlined(im, alpha, rng):
    rim = ImageChops.subtract(alpha.filter(ImageFilter.MaxFilter(int(rng.choice([7, 9])))), alpha.filter(ImageFilter.MinFilter(3)))
    return image(array(im) * (1 - np.maximum(array(rim), 0.75 * array(contours(im, alpha)))))


def line_art(im, alpha, rng):
    return ImageOps.invert(contours(im, alpha, int(rng.choice([3, 5])))).convert("RGB")


def silhouette(im, alpha, rng):
    im.paste((int(rng.integers(0, 30)),) * 3, mask=alpha)
    return im


def sticker(im, alpha, rng):
    wide, rim = alpha.filter(ImageFilter.MaxFilter(11)), alpha.filter(ImageFilter.MaxFilter(15)).filter(ImageFilter.GaussianBlur(1.2))
    out = image(array(im) * (1 - rng.uniform(0.4, 0.6) * array(rim)))
    out.paste("white", mask=wide)
    out.paste(im, mask=alpha)
    return out


def radius() -> np.ndarray:
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE * 2 - 1
    return np.hypot(x, y)[..., None]


def sunset(im, alpha, rng):
    return image(array(im) * fall((0.6, 0.36, 0.62), (1, 0.6, 0.46), (1, 0.82, 0.42)) * rng.uniform(0.93, 1.05))


def moonlit(im, alpha, rng):
    a = array(ImageEnhance.Color(im).enhance(0.35))
    return image(a * np.array([0.3, 0.4, 0.72]) * rng.uniform(0.85, 1.1) + np.array([0, 0.01, 0.07]))


def eerie(im, alpha, rng):
    a = array(ImageEnhance.Color(im).enhance(0.3))
    return image(a * np.array([0.35, 0.62, 0.3]) * np.clip(1.15 - rng.uniform(0.5, 0.75) * radius(), 0.12, 1))


def romantic(im, alpha, rng):
    t = rng.uniform(0.36, 0.5)
    return image(array(im.filter(ImageFilter.GaussianBlur(1.2))) * (1 - t) + t * np.array([0.98, 0.68, 0.84]))


def dreamy(im, alpha, rng):
    a = array(ImageChops.screen(image(array(im) * 0.55), image(array(im.filter(ImageFilter.GaussianBlur(4))) * 0.5)))
    return image(a * np.array([0.92, 0.86, 1]) + np.array([0.06, 0.05, 0.1]) * rng.uniform(0.7, 1.3))


def foggy(im, alpha, rng):
    veil = np.linspace(rng.uniform(0.42, 0.58), rng.uniform(0.85, 0.95), SIDE)[:, None, None]
    return image(array(im) * (1 - veil) + np.array([0.8, 0.83, 0.86]) * veil)


def vignette(im, alpha, rng):
    return image(array(im) * np.clip(1.35 - rng.uniform(0.8, 1.05) * radius(), 0.05, 1))


def framed(im, alpha, rng):
    out = ImageOps.expand(im.crop((11, 11, 117, 117)), 3, (int(rng.integers(180, 215)), 155, 75))
    return ImageOps.expand(out, 8, tuple(int(v * rng.uniform(0.85, 1.15)) for v in (92, 52, 22)))


def polaroid(im, alpha, rng):
    out = Image.new("RGB", (SIDE, SIDE), (int(rng.integers(125, 155)),) * 3)
    ImageDraw.Draw(out).rectangle((6, 6, 121, 121), (251, 251, 250))
    out.paste(ImageEnhance.Brightness(im.crop((12, 12, 116, 106))).enhance(0.92), (12, 12))
    return out


def enhance(kind, low, high):
    return lambda im, alpha, rng: kind(im).enhance(rng.uniform(low, high))


def toward(colour, low, high, first=None):
    """Mix with one colour."""

    def mix(im, alpha, rng):
        t = rng.uniform(low, high)
        return image(array(first(im) if first else im) * (1 - t) + np.array(colour) * t)

    return mix


def scaled(colour, lift=(0, 0, 0)):
    return lambda im, alpha, rng: image(array(im) * np.array(colour) * rng.uniform(0.95, 1.05) + np.array(lift))


LOOKS = {
    "monochrome": lambda im, alpha, rng: ImageOps.grayscale(im).convert("RGB"),
    "sepia": lambda im, alpha, rng: duo(im, (40, 24, 8), (int(rng.integers(148, 166)), 114, 68), (248, 230, 194)),
    "pastel": toward((0.97, 0.97, 0.97), 0.5, 0.64, lambda im: ImageEnhance.Color(im).enhance(0.85)),
    "vivid": enhance(ImageEnhance.Color, 1.6, 2.2),
    "muted": toward((0.38, 0.37, 0.37), 0.25, 0.35, lambda im: ImageEnhance.Color(im).enhance(0.42)),
    "duotone": lambda im, alpha, rng: duo(im, (52, 14, 114), (int(rng.integers(205, 225)), 76, 102), (255, 204, 90)),
    "inverted": lambda im, alpha, rng: ImageOps.invert(im),
    "dark": enhance(ImageEnhance.Brightness, 0.26, 0.4),
    "bright": lambda im, alpha, rng: image(array(im) ** rng.uniform(0.42, 0.58)),
    "high contrast": enhance(ImageEnhance.Contrast, 2.2, 3.2),
    "low contrast": toward((0.56, 0.56, 0.56), 0.64, 0.74),
    "warm": scaled((1.08, 0.88, 0.58), (0.06, 0.02, 0)),
    "cool": scaled((0.62, 0.86, 1.05), (0, 0.03, 0.1)),
    "pixelated": pixelated, "blurred": lambda im, alpha, rng: im.filter(ImageFilter.GaussianBlur(rng.uniform(3.5, 6))),
    "grainy": grainy, "halftone": halftone, "hatched": strokes, "mosaic": mosaic, "scanlines": scanlines, "splattered": splattered,
    "woven": woven, "glitch": glitch, "wavy": wavy, "watercolor": watercolor, "oil painting": oil_painting, "pencil": pencil,
    "woodcut": woodcut, "stained glass": stained_glass, "chalk": chalk, "neon sign": neon_sign, "paper cut": paper_cut,
    "blueprint": blueprint, "outlined": outlined, "line art": line_art, "silhouette": silhouette, "sticker": sticker, "sunset": sunset,
    "moonlit": moonlit, "eerie": eerie, "romantic": romantic, "dreamy": dreamy, "foggy": foggy, "vignette": vignette, "framed": framed,
    "polaroid": polaroid, **{name: hue(name) for name in (*DEGREES, "brown")},
}  # fmt: skip


def draw(icon: np.ndarray, attributes: dict[str, str], rng, move: bool = True) -> Image.Image:
    """RGBA uint8 (128, 128, 4) and {group: attribute} → RGB picture."""
    rgba = Image.fromarray(icon)
    if move:
        side = int(rng.integers(100, 124))
        rgba = rgba.resize((side, side), Image.LANCZOS).rotate(rng.uniform(-4, 4), Image.BICUBIC)
        sheet = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
        sheet.paste(rgba, tuple(int(np.clip((SIDE - side) / 2 + rng.normal(0, 3), 0, SIDE - side)) for _ in range(2)))
        rgba = sheet
    alpha, im = rgba.getchannel("A"), rgba.convert("RGB")
    if "color" in attributes:
        name = attributes["color"].removesuffix(" subject")
        if name == "black":
            im = image(0.05 + 0.3 * array(ImageOps.grayscale(im)))
        else:
            middle = shade(name, 0.9, rng.uniform(0.75, 0.95), rng)
            im = duo(im, tuple(int(v * 0.25) for v in middle), middle, tuple(int(255 - (255 - v) * 0.5) for v in middle))
    out, light = ground(attributes.get("background"), rng), attributes.get("light")
    if light == "drop shadow":
        by, shadow = int(rng.integers(6, 12)), Image.new("L", (SIDE, SIDE), 0)
        shadow.paste(alpha.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 3))), (by, by))
        out = image(array(out) * (1 - 0.6 * array(shadow)))
    if light == "glowing":
        halo = alpha.filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.GaussianBlur(rng.uniform(4, 6)))
        out.paste((255, 209, 64), mask=halo.point(lambda v: min(255, int(v * 1.3))))
    out.paste(im, mask=alpha)
    for group in ("line", "medium", "palette", "hue", "temperature", "contrast", "key", "mood", "texture", "frame"):
        if group in attributes:
            out = LOOKS[attributes[group]](out.copy(), alpha, rng)
    return out.convert("RGB")
