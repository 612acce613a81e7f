"""Colours as people see and name them: OKLab, and the share that each colour name has in a picture.

OKLab: Björn Ottosson, "A perceptual color space for image processing" (2020), https://bottosson.github.io/posts/oklab/.
A name owns the colours nearer to one of its prototypes than to any other's; prototypes stand in lightness and chroma as
well as in hue, since a dark blue of little chroma is navy and a dark orange is brown.
"""

from __future__ import annotations

import numpy as np

# OKLab's two matrices: linear sRGB → cone response, and the cube roots of it → L, a, b.
LMS = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip
LAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip

# Prototypes of the taxonomy's hue names, 8-bit sRGB. Metals (silver, copper, bronze) are sheen and not a colour: left out.
PROTOTYPES: dict[str, str] = {
    "red": "e01010 c8141c f03028 b01018 ff2a2a d03040 e84040",
    "burgundy": "6a1022 800020 541020 701830 4a0f1c 8a2038",
    "pink": "ff80b8 f060a8 ff9ec8 e83e98 ffb0c8 f898b0 e878b8 ff50b0 d86098",
    "rose": "d890a0 c87888 e0a8b4 b86078 d8b0b4",
    "orange": "ff8000 f07818 ff9a28 e86810 ffa848 f89040 ff6010 e07a28",
    "peach": "ffcca8 f8b890 f0a888 ffd8bc ffa488 f0b8a0",
    "terracotta": "b85030 a84a30 c86040 983c24 c05a38 8c3c28 b86850",
    "yellow": "ffe820 fff060 f0dc20 ffdc30 fff4a0 f4e478 ffd838 f8f040",
    "mustard": "c89818 b88820 d8a830 a88028 c8a048 d0ac50",
    "gold": "e8b020 f0bc40 d8a018 f0c050",
    "brown": "6c4424 583820 805030 402818 906038 704838 5c4838 9c7044 34201a 845c48 a87850 3c3022",
    "beige tones": "e8d8b8 f0e4cc d8c4a0 c8b898 f4ecd8 d8ccb8 c4b090 b8a888 ecdcc8 b09c80 e0d4c4",
    "green": "28a030 50b848 186828 80c848 108040 40802c a0d840 60a860 2c5830 4c7840 7aa058 184020 90d080 5cb82c",
    "olive": "707028 606020 808038 505020 908848 404018 686838 7c7a50 98965c 52522e",
    "sage": "a8b898 98a888 b8c4a8 889c80 a0b4a0 c0ccb4 809078",
    "emerald": "10a060 089868 18b070 00884c 20c880",
    "teal": "107878 186870 208888 086060 307880 104c50 408c8c 508888 285860 60a0a0 0c8c8c",
    "turquoise": "30c8c0 40d8c8 50c8b8 28b8b8 80dccc 68c8bc 70d8d8",
    "cyan": "20d8f0 60e4f8 00c8e8 90e8f8 a8e4f0",
    "blue": "2060d0 3878e0 1848b0 60a0e8 2838c8 80b4f0 4888c8 3068a8 5080b8 a0c8f0 2088d8 5ca8e8 7898c8 1c58a0 38a8f0 a8c4e0",
    "navy": "102050 182858 081838 203060 0c1c44 1c2c48 14143c 24385c 0a1028",
    "indigo": "40289c 3c2080 4830a8 302070 4c38b8",
    "purple": "7828a0 8838b8 602080 9c48c0 503070 6c3c80 a058b8 50205c 7c4c94 341840 684878",
    "lavender": "c0a8e0 b098d8 d0c0ec b8a8d0 a898c8 c8b8d8 9c90c0 d8c8e4 c0b8dc",
    "gray": "808080 606060 a0a0a0 484848 707478 787470 989ca0 a09c98 b4b4b4 586068 686058 c4c4c4 8c9094 908c84 3c3c3c 5c5c54 bcc0c4",
    "black": "000000 101010 1c1c1c 0c0c14 140e0c 282828 0c1410 20201c",
    "white": "ffffff f4f4f4 e8e8e8 f8f8f4 f0f4f8 dcdcdc fcf8f4",
}


def linear(rgb: np.ndarray) -> np.ndarray:
    """sRGB in 0..1 → linear light (IEC 61966-2-1)."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0.04045) + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """sRGB (…, 3) in 0..1 → OKLab (…, 3): L in 0..1, a (green to red) and b (blue to yellow) about -0.4..0.4."""
    return np.cbrt(linear(np.asarray(rgb, dtype=np.float64)) @ LMS.T) @ LAB.T


def chroma(lab: np.ndarray) -> np.ndarray:
    """OKLab (…, 3) → chroma C = √(a² + b²)."""
    return np.hypot(lab[..., 1], lab[..., 2])


def hue(lab: np.ndarray) -> np.ndarray:
    """OKLab (…, 3) → hue h in degrees, 0..360 (about 30 red, 60 orange, 110 yellow, 145 green, 195 cyan, 265 blue, 330 pink)."""
    return np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360


NAMES = tuple(PROTOTYPES)
_hexes = [(i, h) for i, name in enumerate(NAMES) for h in PROTOTYPES[name].split()]
_owner = np.array([i for i, _ in _hexes])
_prototypes = oklab(np.array([[int(h[k : k + 2], 16) / 255 for k in (0, 2, 4)] for _, h in _hexes]))  # (P, 3)
# Away from gray a step in a or b is seen as another colour sooner than the same step in L.
_SCALE = np.array([1.0, 2.0, 2.0])


def name_colors(lab: np.ndarray) -> np.ndarray:
    """OKLab (N, 3) → index in NAMES (N,) of the nearest prototype."""
    p, q = _prototypes * _SCALE, lab * _SCALE
    distance = (p**2).sum(1) - 2 * q @ p.T  # (N, P), without |q|², which is the same for every prototype
    return _owner[distance.argmin(1)]


def palette(rgb: np.ndarray, weights: np.ndarray | None = None) -> list[tuple[str, float]]:
    """sRGB (N, 3) and weights (N,) → the names of its colours with their share of the weight, largest first."""
    if not len(rgb):
        return []
    # Few of 64³ colours occur in one picture: naming those is enough.
    key = (np.clip(rgb * 64, 0, 63).astype(np.int64) * np.array([4096, 64, 1])).sum(1)
    count = np.bincount(key, weights=weights, minlength=64**3)
    cells = np.flatnonzero(count)
    colors = (np.stack([cells >> 12, (cells >> 6) & 63, cells & 63], 1) + 0.5) / 64
    colors = np.where(colors > 63 / 64, 1.0, np.where(colors < 1 / 64, 0.0, colors))  # the outer cells hold pure black and white
    shares = np.bincount(name_colors(oklab(colors)), weights=count[cells], minlength=len(NAMES)) / max(count.sum(), 1e-9)
    return [(NAMES[i], float(shares[i])) for i in np.argsort(-shares, kind="stable") if shares[i] > 0]


def plain_surround(lab: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Mask (h, w) of the plain surround, its share (0 if there is none), and its colour."""
    h, w = lab.shape[:2]
    d = max(1, round(0.02 * max(h, w)))
    rim = np.concatenate([lab[:d].reshape(-1, 3), lab[-d:].reshape(-1, 3), lab[:, :d].reshape(-1, 3), lab[:, -d:].reshape(-1, 3)])
    color = np.median(rim, axis=0)
    plain = np.linalg.norm(lab - color, axis=-1) < 0.05
    share = float(plain.mean())
    if np.mean(np.linalg.norm(rim - color, axis=-1) < 0.05) < 0.8 or not 0.15 < share < 0.97:
        return np.zeros((h, w), bool), 0.0, color
    return plain, share, color


def measure_colors(rgb: np.ndarray, lab: np.ndarray) -> dict:
    """sRGB (h, w, 3) and its OKLab → the colour and light fields of an Appearance."""
    plain, background, surround = plain_surround(lab)
    # A white sheet under an icon is no colour of it; a blue sky around a bird is.
    sheet = background and surround[0] > 0.9 and np.hypot(*surround[1:]) < 0.03
    figure = ~plain if sheet else np.ones(plain.shape, bool)
    C, h = chroma(lab)[figure], hue(lab)[figure]
    L = lab[..., 0]
    strong = C * (C > 0.03)
    total = strong.sum() + 1e-9
    mean = (strong * np.exp(1j * np.radians(h))).sum() / total
    sectors = np.bincount((h[C > 0.08] // 30).astype(int), minlength=12) / max(1, (C > 0.08).sum())
    # Orange (60°) is the pole of warmth: yellow to magenta are warm, green to violet cool.
    warmth = float((strong * np.clip(2.5 * np.cos(np.radians(h - 55)), -1, 1)).sum() / total)
    r, g, b = (255 * rgb[figure]).T
    rg, yb = r - g, (r + g) / 2 - b
    low, mid, high = np.percentile(L, [5, 50, 95])
    Lf = L[figure]
    return dict(
        palette=tuple(palette(rgb[figure])),
        accents=tuple(palette(rgb[figure], C * (C > 0.08))[:5]) if (C > 0.08).mean() > 0.03 else (),
        lightness=float(L.mean()), lightness_low=float(low), lightness_mid=float(mid), lightness_high=float(high),
        darks=float((L < 0.35).mean()), lights=float((L > 0.85).mean()),
        chroma=float(C.mean()), chroma_high=float(np.percentile(C, 95)),
        colorfulness=float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())),
        warmth=warmth, hue_spread=float(1 - abs(mean)), hues=int((sectors >= 0.05).sum()),
        hue_main=float(np.degrees(np.angle(mean)) % 360),
        opposition=(float(strong[(h > 35) & (h < 85)].sum() / total), float(strong[(h > 180) & (h < 270)].sum() / total)),
        pale=float(((Lf > 0.72) & (C > 0.02) & (C < 0.13) & ~((h > 60) & (h < 100) & (C < 0.06))).mean()),  # but not beige
        earthy=float(((h > 35) & (h < 125) & (C > 0.025) & (C < 0.14) & (Lf > 0.2) & (Lf < 0.78)).mean()),
        gray=float((C < 0.025).mean()),
        background=background, background_lightness=float(surround[0]),
    )  # fmt: skip
