"""The pocket autoencoder: linear 8×8 patches in, a small convolutional decoder out.

The encoder is one strided convolution whose filters are the leading principal components of the
training pictures' 8×8 patches (fitted by ``recipe/autoencoder.py``), so that latents are exact,
smooth and cheap: 128×128 pixels become 16×16 cells. The decoder starts as the transposed filters
and learns the detail that the projection dropped.
"""

from torch import Tensor, nn


class Residual(nn.Module):
    """x + conv(SiLU(conv(SiLU(x)))), same shape."""

    def __init__(self, width: int):
        super().__init__()
        self.a = nn.Conv2d(width, width, 3, padding=1)
        self.b = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        f = nn.functional
        return x + self.b(f.silu(self.a(f.silu(x))))


class Autoencoder(nn.Module):
    """Pixels (B, 3, 8h, 8w) in [-1, 1] ↔ latents (B, channels, h, w) of about unit standard deviation."""

    def __init__(self, channels: int, widths: tuple[int, int, int] = (96, 64, 32), blocks: tuple[int, int, int] = (3, 2, 1)):
        super().__init__()
        self.project = nn.Conv2d(3, channels, 8, stride=8)
        self.unproject = nn.ConvTranspose2d(channels, 3, 8, stride=8)
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, padding=1)]
        for i, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            layers += [Residual(width) for _ in range(count)]
            after = widths[i + 1] if i + 1 < len(widths) else 3
            layers += [nn.SiLU(), nn.Conv2d(width, after * 4, 3, padding=1), nn.PixelShuffle(2)]
        self.detail = nn.Sequential(*layers)

    def encode(self, pixels: Tensor) -> Tensor:
        return self.project(pixels)

    def decode(self, latents: Tensor) -> Tensor:
        return self.unproject(latents) + self.detail(latents)
