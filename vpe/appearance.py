"""Features read off a picture itself, for comments that praise or blame without naming: "I love the colors", "ugly lighting".

``measure`` turns pixels into perceptual figures and ``describe`` says which of them stand out, in the taxonomy's words.
It names only what pixels show; what a picture means (golden hour, brushwork, art movements) is left to ``zero_shot``,
which asks a dual encoder such as CLIP.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .palette import measure_colors, oklab

ASPECTS = ("color", "light", "contrast", "texture", "line", "detail", "composition", "focus")

FINE = 512  # longest side in pixels for grain, edges and focus: about what an artist sees of a picture on a screen
COARSE = 192  # for colour, light and composition


@dataclass(frozen=True)
class Appearance:
    """What was measured. OKLab lightness runs from 0 (black) to 1 (white), chroma from 0 (gray) to about 0.32; shares are 0..1."""

    palette: tuple[tuple[str, float], ...]  # colour names with their share of the figure, largest first
    accents: tuple[tuple[str, float], ...]  # the first of them by their share of the strong chroma: a red boat on a gray sea
    lightness: float  # mean L
    lightness_low: float  # 5th percentile of L
    lightness_mid: float  # median of L
    lightness_high: float  # 95th percentile of L
    darks: float  # share of L < 0.35
    lights: float  # share of L > 0.85
    chroma: float  # mean C of the figure
    chroma_high: float  # 95th percentile of C of the figure
    colorfulness: float  # M of Hasler & Süsstrunk (2003), about 0 (gray) to over 100
    warmth: float  # -1 (all chroma cool: green to violet) to 1 (all warm: magenta to yellow)
    hue_spread: float  # circular variance of hue weighted by chroma, 0 (one hue) to 1
    hues: int  # how many of 12 hue sectors hold 5 % of the strong colours or more
    opposition: tuple[float, float]  # shares of the chroma that is orange and that is teal to azure
    pale: float  # share of the figure that is light and softly coloured
    earthy: float  # share of the figure that is brown, ochre or olive
    gray: float  # share of the figure without visible chroma
    hue_main: float  # degrees, mean hue weighted by chroma
    background: float  # share of one plain colour that surrounds the figure, 0 if there is none
    background_lightness: float  # its L
    noise: float  # standard deviation of the grain, in sRGB units 0..1
    noise_half: float  # the same after halving the picture: white noise halves, brushwork stays
    edges: float  # share of pixels on an edge
    detailed: float  # share of tiles with fine detail
    calm: float  # share of tiles without any
    flat: float  # share of pixels that differ from their neighbours by less than a visible step
    roughness: float  # mean contrast between neighbouring pixels outside the strong edges, sRGB units
    soft: float  # share of the parts with edges whose edges are out of focus
    crisp: float  # share of them whose edges are in focus
    crispness: float  # how many times crisper the crispest parts are than the softest
    outlines: float  # share of long dark lines beside plain areas
    stroke: float  # mean width of these lines as a share of the longest side
    symmetry: float  # correlation with its mirror image, -1..1
    centered: float  # how much more the middle differs from both sides than the sides from each other, OKLab distance
    empty: float  # share of the largest plain area


def measure(image: np.ndarray) -> Appearance:
    """Picture (H, W, 3), floats in 0..1, sRGB → its Appearance. ValueError for anything else."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise ValueError(f"A picture has the shape (height, width, 3), not {image.shape}: convert gray or transparent pictures to RGB.")
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"A picture has float values between 0 and 1, not {image.dtype}: divide 8-bit pictures by 255.")
    fine = shrink(image, FINE)
    if not np.isfinite(fine).all() or fine.min() < -0.01 or fine.max() > 1.01:
        raise ValueError("A picture has values between 0 and 1; this one has values outside of them: scale or clip it first.")
    fine = np.clip(fine, 0, 1)
    coarse = shrink(fine, COARSE)
    lab = oklab(coarse)  # (h, w, 3)
    return Appearance(**measure_colors(coarse, lab), **_texture(fine), **_composition(lab))


def shrink(image: np.ndarray, longest: int) -> np.ndarray:
    """Area-averaged to ``longest`` pixels on the longer side; smaller pictures stay as they are."""
    h, w = image.shape[:2]
    k = max(h, w) // (2 * longest)
    if k > 1:  # whole blocks first, which is cheaper for large pictures
        k = min(k, h, w)
        image = image[: h // k * k, : w // k * k].reshape(h // k, k, w // k, k, -1).mean((1, 3))
        h, w = image.shape[:2]
    scale = max(h, w) / longest
    if scale <= 1:
        return np.asarray(image, dtype=np.float32)
    rows, columns = (_area_weights(n, max(1, round(n / scale))) for n in (h, w))
    out = rows @ np.asarray(image, dtype=np.float32).reshape(h, -1)
    return np.einsum("vw,hwc->hvc", columns, out.reshape(len(rows), w, -1), optimize=True)


def _area_weights(n: int, m: int) -> np.ndarray:
    """(m, n): how much each of n pixels counts in each of m < n."""
    edges = np.arange(m + 1) * (n / m)
    overlap = np.minimum(edges[1:, None], np.arange(1, n + 1)) - np.maximum(edges[:-1, None], np.arange(n))
    return (np.clip(overlap, 0, None) * (m / n)).astype(np.float32)


def _texture(fine: np.ndarray) -> dict:
    Y = fine @ np.array([0.299, 0.587, 0.114], np.float32)  # luma, (H, W)
    step = np.abs(np.diff(Y, axis=1, prepend=Y[:, :1]))  # contrast to the neighbours left and above
    step = np.maximum(step, np.abs(np.diff(Y, axis=0, prepend=Y[:1])))
    edge = step > 0.10
    activity = _tiles(step, 16).mean(-1)
    return dict(
        noise=noise_sigma(Y), noise_half=noise_sigma(_halve(Y)), edges=float(edge.mean()),
        detailed=float((activity > 0.03).mean()), calm=float((activity < 0.006).mean()), flat=float((step < 0.008).mean()),
        roughness=float(step[~edge].mean()) if not edge.all() else 0.0,
        **_focus(Y), **_strokes(Y, step),
    )  # fmt: skip


def _tiles(plane: np.ndarray, n: int) -> np.ndarray:
    """(H, W) → (tiles, n·n); what does not fill a tile at the right and bottom is left out."""
    h, w = (max(1, m // n) for m in plane.shape)
    a, b = (min(n, m) for m in plane.shape)
    return plane[: h * a, : w * b].reshape(h, a, w, b).transpose(0, 2, 1, 3).reshape(h * w, a * b)


def _halve(Y: np.ndarray) -> np.ndarray:
    h, w = (n // 2 * 2 for n in Y.shape)
    return Y[:h, :w].reshape(h // 2, 2, w // 2, 2).mean((1, 3)) if h * w else Y


def _focus(Y: np.ndarray) -> dict:
    """How crisp the edges of each part are: the ratio of gradients after a small and a larger blur (Zhuo & Sim, 2011)."""
    from scipy import ndimage

    if min(Y.shape) < 32:
        return dict(soft=0.0, crisp=0.0, crispness=1.0)
    n = max(Y.shape) // 16
    near, far = (np.hypot(*np.gradient(ndimage.gaussian_filter(Y, s, truncate=3))) for s in (1.0, 3.0))
    near, far = (np.partition(_tiles(g, n), -max(2, n * n // 50), axis=1)[:, -max(2, n * n // 50)] for g in (near, far))
    has_edge = far > 0.008  # an empty sky is neither in focus nor out of it
    if has_edge.sum() < 5:
        return dict(soft=0.0, crisp=0.0, crispness=1.0)
    ratio = near[has_edge] / far[has_edge]
    low, high = np.percentile(ratio, [25, 90])
    return dict(soft=float((ratio < 1.5).mean()), crisp=float((ratio > 2.2).mean()), crispness=float(high / max(low, 1e-6)))


def _strokes(Y: np.ndarray, step: np.ndarray) -> dict:
    """Dark lines: what a morphological closing fills (black top-hat), of length, with plain areas beside them."""
    from scipy import ndimage

    side = max(Y.shape)
    k = max(3, round(0.04 * side)) | 1
    if min(Y.shape) <= k:
        return dict(outlines=0.0, stroke=0.0)
    stroke = (Y < 0.3) & (ndimage.grey_closing(Y, (k, k)) - Y > 0.3)
    labels, count = ndimage.label(stroke, np.ones((3, 3)))
    long = np.zeros(count + 1, bool)
    for i, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        long[i] = max(rows.stop - rows.start, columns.stop - columns.start) > 0.15 * side
    lines = long[labels]
    beside = ndimage.binary_dilation(lines, iterations=4) & ~ndimage.binary_dilation(stroke, iterations=2)
    plain = float((step[beside] < 0.03).mean()) if beside.sum() > 50 else 0.0
    rim = lines & ~ndimage.binary_erosion(lines)
    drawn = _over(stroke.sum() / max(1, (Y < 0.3).sum()), 0.35, 0.6)  # in a night or between stars the dark is no line
    ink = _over(float(np.median(Y[lines])), 0.2, 0.12) if lines.any() else 0.0  # shade is lighter
    return dict(outlines=float(lines.mean()) * plain * drawn * ink, stroke=float(2 * lines.sum() / max(1, rim.sum()) / side))


def noise_sigma(Y: np.ndarray) -> float:
    """Standard deviation of white noise in ``Y`` (H, W): median |d| / 0.6745 over the picture's smoothest parts.

    Operator of Immerkær, "Fast noise variance estimation" (1996), with the robust median of Donoho & Johnstone (1994).
    """
    if min(Y.shape) < 3:
        return 0.0
    second = Y[:, :-2] - 2 * Y[:, 1:-1] + Y[:, 2:]
    d = (second[:-2] - 2 * second[1:-1] + second[2:]) / 6  # the 3×3 Laplacian difference has norm 6
    h, w = (max(1, n // 8) for n in d.shape)
    tiles, mean = _tiles(np.abs(d), 8), _tiles(Y[1:-1, 1:-1], 8).mean(1).reshape(h, w)
    # Structure shows in the low frequencies, grain hardly: the calm tiles are chosen by their neighbours' means.
    slope = np.hypot(*np.gradient(mean)) if min(h, w) > 1 else np.zeros((h, w))
    usable = (mean > 0.04) & (mean < 0.96)  # pure black and white clip their grain away
    if usable.mean() < 0.02:
        return 0.0
    calm = tiles[(usable & (slope <= np.percentile(slope[usable], 30))).ravel()]
    return float(np.median(calm) / 0.6745)


def _composition(lab: np.ndarray) -> dict:
    from scipy import ndimage

    small = ndimage.uniform_filter(shrink(lab, 64), (3, 3, 1))
    h, w = small.shape[:2]
    deviation = small - small.mean(1, keepdims=True)  # without each row's mean: a plain sky over a plain sea mirrors nothing
    mirror = float((deviation * deviation[:, ::-1]).sum() / ((deviation**2).sum() + 1e-9))
    # A subject in the middle differs from both sides by more than the sides differ from each other.
    d, third = max(1, w // 6), w // 3
    left, right, middle = (part.mean(1) for part in (small[:, :d], small[:, -d:], small[:, third : max(third + 1, w - third)]))
    apart = np.minimum(np.linalg.norm(left - middle, axis=1), np.linalg.norm(right - middle, axis=1)).mean()
    gradient = np.stack([ndimage.sobel(lab[..., c], axis=a) for c in range(3) for a in (0, 1)])
    labels, count = ndimage.label(ndimage.maximum_filter(np.linalg.norm(gradient, axis=0), 3) < 0.12)
    return dict(
        symmetry=mirror, centered=float(apart - np.linalg.norm(left - right, axis=1).mean()),
        empty=float(np.bincount(labels.ravel())[1:].max() / labels.size) if count else 0.0,
    )  # fmt: skip


def describe(appearance: Appearance, aspect: str, most: int = 3) -> list[tuple[str, float]]:
    """Attributes of the taxonomy that stand out for one of ASPECTS, with confidence 0.5..1, surest first; [] if none does."""
    if aspect not in ASPECTS:
        raise ValueError(f"{aspect!r} is no aspect of a picture: choose one of {', '.join(ASPECTS)}.")
    found = [(name, 0.5 + 0.5 * strength) for name, strength in _RULES[aspect](appearance) if strength > 0]
    return sorted(found, key=lambda pair: -pair[1])[:most]


# The figures below were set on the open half of benchmarks/appearance_pictures.json; a rule names what is clearly there and
# is silent where people would argue.


def _over(value: float, start: float, full: float) -> float:
    """0 up to ``start``, 1 from ``full`` on (which may lie below it), linear between."""
    return min(1.0, max(0.0, (value - start) / (full - start)))


def _colors(m: Appearance) -> list[tuple[str, float]]:
    gray = _over(m.chroma_high, 0.022, 0.010)
    if gray:
        sheet = min(gray, _over(1 - m.darks - m.lights, 0.35, 0.1))  # nothing but paper and ink
        return [
            ("black and white", gray),
            ("black on white", min(sheet, _over(m.lights, 0.5, 0.7), _over(m.darks, 0.01, 0.03))),
            ("white on black", min(sheet, _over(m.darks, 0.5, 0.7), _over(m.lights, 0.01, 0.04))),
        ]
    visible = _over(m.chroma, 0.02, 0.04)
    sepia = min(visible, _over(m.hue_spread, 0.02, 0.01), _over(m.chroma_high, 0.085, 0.06), _over(abs(m.hue_main - 75), 30, 15))
    if sepia:
        return [("sepia", sepia)]
    vivid = min(_over(m.chroma_high, 0.13, 0.18), _over(m.colorfulness, 60, 100), _over(m.chroma, 0.05, 0.1))
    muted = min(_over(m.colorfulness, 44, 25), _over(m.chroma_high, 0.105, 0.06), _over(m.lights, 0.6, 0.4))
    pastel = min(_over(m.pale, 0.3, 0.6), _over(m.lightness, 0.62, 0.75), _over(m.chroma_high, 0.15, 0.11), _over(m.darks, 0.06, 0.01))
    both = min(_over(share, 0.25, 0.4) for share in m.opposition)
    found = [
        ("vivid colors", vivid),
        ("colorful", min(_over(m.hues, 3.5, 6), _over(m.colorfulness, 50, 90), _over(m.hue_spread, 0.2, 0.5))),
        ("rainbow", min(vivid, _over(m.hues, 4, 6), _over(m.hue_spread, 0.35, 0.6), _over(m.chroma, 0.13, 0.16))),
        ("desaturated" if m.colorfulness < 24 else "muted colors", muted),
        ("pastel colors", pastel),
        ("warm colors", min(_over(m.warmth, 0.9, 1), _over(m.chroma, 0.045, 0.08), _over(m.gray, 0.5, 0.2))),
        ("cool colors", min(_over(-m.warmth, 0.6, 0.95), _over(m.chroma, 0.03, 0.07), _over(m.gray, 0.5, 0.2))),
        ("earth tones", min(_over(m.earthy, 0.33, 0.7), _over(m.warmth, 0.3, 0.7), _over(m.chroma_high, 0.15, 0.11))),
        ("neutral tones", min(_over(m.gray, 0.5, 0.9), _over(m.chroma_high, 0.08, 0.05), _over(m.lights, 0.6, 0.4))),
        ("teal and orange", min(both, _over(sum(m.opposition), 0.8, 0.95), _over(m.chroma, 0.05, 0.1))),
        ("monochrome", min(_over(m.hue_spread, 0.025, 0.005), _over(m.hues, 1.5, 1), visible)),
        ("limited palette", min(_over(m.hue_spread, 0.08, 0.01), _over(m.hues, 2.5, 1), 0.6)),
    ]
    # Black, gray and white stand out as colours only where there is much of them.
    hues = {name: _over(share, 0.25 if name in ("black", "gray", "white") else 0.10, 0.7) for name, share in m.palette}
    for name, share in m.accents:
        hues[name] = max(hues.get(name, 0.0), 0.6 * _over(share, 0.4, 0.9))
    return found + list(hues.items())


def _sheet(m: Appearance) -> bool:
    """Is this a figure on paper? The paper is no light in it."""
    return m.background > 0.3 and m.background_lightness > 0.9


def _light(m: Appearance) -> list[tuple[str, float]]:
    sheet = _sheet(m)
    low = min(_over(m.lightness_mid, 0.36, 0.2), _over(m.darks, 0.45, 0.7))
    high = 0.0 if sheet else min(_over(m.lights, 0.45, 0.75), _over(m.lightness_low, 0.35, 0.6))
    return [
        ("low key lighting", low),
        ("high key lighting", high),
        ("dark", 0.0 if low else _over(m.lightness, 0.47, 0.3)),
        ("bright", 0.0 if high or sheet else _over(m.lightness, 0.7, 0.8)),
    ]


def _contrast(m: Appearance) -> list[tuple[str, float]]:
    span = m.lightness_high - m.lightness_low
    low = 0.0 if _sheet(m) else min(_over(span, 0.34, 0.2), _over(m.lightness_mid, 0.4, 0.5))  # a night has its contrast in its few lights
    return [("high contrast", min(_over(span, 0.62, 0.85), _over(m.lightness_low, 0.3, 0.15))), ("low contrast", low)]


def _surface(m: Appearance) -> list[tuple[str, float]]:
    white = _over(m.noise / (m.noise_half + 1e-4), 1.3, 1.8)
    return [
        ("grainy", min(_over(m.noise, 0.016, 0.04), white, _over(m.flat, 0.2, 0.1))),
        ("textured", min(_over(m.roughness, 0.028, 0.04), _over(m.detailed, 0.75, 0.95), _over(m.flat, 0.15, 0.05))),
        ("smooth", min(_over(m.roughness, 0.020, 0.008), _over(m.detailed, 0.5, 0.2), _over(m.flat, 0.25, 0.6))),
    ]


def _lines(m: Appearance) -> list[tuple[str, float]]:
    outlined = _over(m.outlines, 0.012, 0.04)
    bold = min(outlined, _over(m.stroke, 0.014, 0.022))
    paper = min(outlined, _over(m.gray, 0.96, 1), _over(m.lights, 0.6, 0.8))
    return [("bold outlines", bold), ("outlined", 0.0 if bold else outlined), ("line art", paper)]


def _details(m: Appearance) -> list[tuple[str, float]]:
    plain = min(_over(m.flat, 0.6, 0.85), _over(m.roughness, 0.012, 0.004), _over(m.detailed, 0.45, 0.25))
    return [
        ("highly detailed", min(_over(m.detailed, 0.6, 0.9), _over(m.edges, 0.13, 0.25), _over(m.calm, 0.05, 0.0))),
        # A blurred or a night photograph is as plain, but nobody simplified it.
        ("simplified", min(plain, _over(m.crisp, 0.6, 0.75), _over(m.lightness, 0.35, 0.45))),
    ]


def _arrangement(m: Appearance) -> list[tuple[str, float]]:
    return [
        ("symmetrical composition", _over(m.symmetry, 0.75, 0.95)),
        ("centered composition", _over(m.centered, 0.02, 0.15)),
        ("isolated subject", min(_over(m.background, 0.3, 0.5), _over(m.background, 0.85, 0.8), _over(m.centered, 0, 0.1))),
        ("negative space", _over(m.empty, 0.3, 0.6)),
        ("sparse", min(_over(m.empty, 0.7, 0.85), _over(m.background, 0.75, 0.85))),
        ("crowded", min(_over(m.detailed, 0.85, 0.98), _over(m.empty, 0.01, 0.0), _over(m.edges, 0.15, 0.3))),
    ]


def _in_focus(m: Appearance) -> list[tuple[str, float]]:
    # A few lights in a night have soft and hard rims too: there must be something to see in most of the picture.
    shallow = 0.0 if m.background else min(_over(m.crispness, 2.1, 2.5), _over(m.soft, 0.12, 0.3), _over(m.calm, 0.85, 0.7))
    return [
        ("shallow depth of field", shallow),
        ("blurred", 0.0 if shallow else min(_over(m.edges, 0.012, 0.003), _over(m.crisp, 0.3, 0.05), _over(m.soft, 0.3, 0.45))),
        ("sharp focus", 0.0 if shallow else min(_over(m.edges, 0.04, 0.12), _over(m.crisp, 0.6, 0.9), _over(m.soft, 0.1, 0.02))),
    ]


_RULES = {
    "color": _colors,
    "light": _light,
    "contrast": _contrast,
    "texture": _surface,
    "line": _lines,
    "detail": _details,
    "composition": _arrangement,
    "focus": _in_focus,
}
