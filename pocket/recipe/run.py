"""Make the pocket weights: ``python -m pocket.recipe.run --stage all`` from the pack's folder.

Stages, each resumable: data (fetch and render icons, draw training pictures, keep latents), decoder,
diffusion, export, samples, encoders. Needs npm, the PyPI package ``resvg-py`` and a host ComfyUI (COMFYUI_PATH), whose
own UNet and CLIP classes are trained so that the keys match. ``--tiny`` is a two-minute smoke of all.
"""

import argparse
import importlib.util
import json
import os
import sys
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STAGES = ("all", "data", "decoder", "diffusion", "export", "samples", "encoders")


def import_pack(host: str) -> None:
    """The host on the path, on the CPU; the pack as ``viper`` whatever its folder is called."""
    sys.path.insert(0, host)
    arguments, sys.argv = sys.argv[1:], sys.argv[:1]
    from comfy.cli_args import args

    args.cpu = True
    sys.argv += arguments
    spec = importlib.util.spec_from_file_location("viper", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules["viper"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["viper"])


def networks(vocabulary: dict, start: dict | None = None):
    """Host UNet and host CLIP text transformer with seeded weights, or exported ones, wrapped for training."""
    import comfy.clip_model
    import comfy.ops
    import comfy.sd1_clip
    import torch
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    from viper.pocket.loader import PocketConfig, initialise
    from viper.pocket.recipe.diffusion import Pocket
    from viper.pocket.recipe.text import TrainableText, Words

    config, ops = PocketConfig(), comfy.ops.disable_weight_init
    words = Words(comfy.sd1_clip.SDTokenizer().tokenizer, vocabulary)
    clip = json.loads((Path(comfy.sd1_clip.__file__).parent / "sd1_clip_config.json").read_text()) | config.text()
    transformer = initialise(comfy.clip_model.CLIPTextModel(clip, torch.float32, "cpu", ops), 1, 0.5)
    arguments = config.unet() | {"num_heads": -1, "num_head_channels": 32}
    unet = initialise(UNetModel(**arguments, dtype=torch.float32, device="cpu", operations=ops), 0, 0.0)
    net = Pocket(unet, TrainableText(transformer, words, 2))
    if start:
        net.unet.load_state_dict(start["unet"])
        net.text.take(start["text"], words)
    return net, words


def sheet(path: Path, pictures) -> None:
    """(B, 3, 128, 128) in [-1, 1], eight a row, as PNG or JPEG."""
    from PIL import Image

    rows = pictures[: len(pictures) // 8 * 8].clamp(-1, 1).add(1).mul(127.5).byte().view(-1, 8, 3, 128, 128)
    Image.fromarray(rows.permute(0, 3, 1, 4, 2).reshape(-1, 1024, 3).numpy()).save(path, quality=70)


class Recipe:
    def __init__(self, work: Path, minutes: float, tiny: bool, start: Path | None = None, lr: float = 1e-3):
        from viper.pocket.autoencoder import Autoencoder
        from viper.pocket.loader import PocketConfig, initialise, read_weights
        from viper.pocket.recipe import captions, icons

        self.work, self.minutes, self.tiny, self.lr = work, minutes, tiny, lr
        self.data, self.out = work / "set", work / "run"
        self.out.mkdir(parents=True, exist_ok=True)
        self.vocabulary = icons.vocabulary()
        self.channels = PocketConfig().latent_channels
        self.parts = list(captions.SHARES)
        self.autoencoder = initialise(Autoencoder(self.channels), 3, 0.3)
        self.start = read_weights(start) if start else None
        if self.start:
            self.autoencoder.load_state_dict(self.start["vae"])

    def make_data(self) -> None:
        import torch

        from viper.pocket.recipe import dataset, icons

        if (self.data / "specs.json").exists():
            return
        icons.fetch(self.work)
        slugs = {n: s["icon"] for part in self.parts for n, s in self.vocabulary["subjects"][part].items()}
        rendered = icons.render(self.work, slugs)
        self.data.mkdir(exist_ok=True)
        with torch.no_grad():
            if not self.start:
                first = torch.cat([p for _, p in islice(dataset.pictures(rendered, self.vocabulary, 1), 50 if self.tiny else 500)])
                torch.save(dataset.fit_patches(first * 2 - 1, self.channels), self.data / "patches.pt")
            self.load_patches()
            count = 200 if self.tiny else 24000
            dataset.build(self.data, rendered, self.vocabulary, self.autoencoder.encode, self.channels, count, 8, 7)

    def load_patches(self) -> None:
        import torch

        from viper.pocket.recipe.dataset import set_patches

        if not self.start:
            set_patches(self.autoencoder, *torch.load(self.data / "patches.pt"))

    def train_decoder(self) -> None:
        from viper.pocket.recipe import decoder

        self.load_patches()
        steps = 20 if self.tiny else 800 if self.start else 2800
        config = decoder.DecoderConfig(minutes=self.minutes / 5, steps=steps, lr=6e-4 if self.start else 2e-3)
        decoder.train(self.autoencoder, self.data, self.out, config, fresh=not self.start)

    def train_diffusion(self) -> None:
        from viper.pocket.recipe import diffusion, text

        net, words = networks(self.vocabulary, self.start)
        prompts = [s for part in self.parts[:3] for s in list(self.vocabulary["subjects"][part])[:16]]
        prompts += [f"{s}, {a}" for s in ("apple", "cat") for a in ("pastel", "blue tones", "watercolor", "stained glass")]
        prompts += ["blue cat", "green apple, black background", "cat and tree", "outlined rocket", "house, night sky", "dog, neon sign"]
        prompts += ["sun, woven", "red car, in the snow", "horse", "mountain", "purple fish, polaroid", "zebra"]
        prompts += ["frog, oil painting", "boat, eerie", "car and house", "giraffe, sticker"]

        def draw(average, step: int) -> None:
            z = diffusion.sample(average, words, prompts, self.channels)
            sheet(self.out / f"sheet{step}.png", self.autoencoder.unproject(z))

        self.load_patches()
        if not (self.out / "diffusion.pt").exists():
            known = self.start["text"]["row_ids"] if self.start else None
            if known is None or set(words.ids) - set(known.tolist()):  # a text encoder that knows all words needs no warm start
                read = text.pretrain(net.text, words, self.vocabulary, diffusion.encoder_attention, 20 if self.tiny else 900, known=known)
                print(f"after the text warm start {read:.0%} of the subjects can be read from the padding", flush=True)
        options = {"steps": 20, "save_every": 10} if self.tiny else {"steps": 20000 if self.minutes < 1e8 else 12000, "groups": 12}
        config = diffusion.DiffusionConfig(minutes=self.minutes, lr=self.lr, **options)
        diffusion.train(net, words, self.vocabulary, self.data, self.out, config, draw)

    def trained(self):
        """→ the moving average, its words, and the decoder's state."""
        import torch

        net, words = networks(self.vocabulary)
        for p, value in zip(net.parameters(), torch.load(self.out / "diffusion.pt", weights_only=False)["ema"], strict=True):
            p.data.copy_(value)
        return net, words, torch.load(self.out / "decoder.pt", weights_only=False)["autoencoder"]

    def draw_samples(self, path: Path) -> None:
        """Eight subjects, plain and in seven looks, then compositions: the figure of the model card."""
        from viper.pocket.recipe.diffusion import sample

        net, words, decoder = self.trained()
        self.autoencoder.load_state_dict(decoder)
        looks = ["", "pastel colors", "blue tones", "halftone", "watercolor", "stained glass", "neon sign", "night sky"]
        subjects = ("apple", "tree", "house", "car", "cat", "frog", "butterfly", "mushroom")
        prompts = [f"{s}, {a}" if a else s for s in subjects for a in looks]
        prompts += ["blue cat", "green car, sunburst", "purple fish, framed", "cat and dog", "apple and banana", "outlined rocket, sunset"]
        prompts += ["house, snow, vignette", "sunflower, meadow"]
        sheet(path, self.autoencoder.decode(sample(net, words, prompts, self.channels, steps=30)).detach())

    def export(self, path: Path) -> None:
        """The moving averages and the decoder, fp16, into one safetensors file."""
        from safetensors.torch import save_file

        net, words, decoder = self.trained()
        sd = {f"unet.{k}": v for k, v in net.unet.state_dict().items()}
        sd |= {f"text.{k}": v for k, v in net.text.export(words.ids).items()} | {f"vae.{k}": v for k, v in decoder.items()}
        sd = {k: (v if k == "text.row_ids" else v.detach().half()).contiguous() for k, v in sd.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(sd, path, metadata={"format": "pt", "model": "ViPer pocket 1"})

    def train_encoders(self, path: Path) -> None:
        import comfy.sd1_clip

        from viper.pocket.recipe import encoders, icons

        tokenizer, out, rendered = comfy.sd1_clip.SDTokenizer().tokenizer, self.work / "encoders", {}
        if not (out / "specs.json").exists():
            icons.fetch(self.work)
            slugs = {n: s["icon"] for part in self.parts for n, s in self.vocabulary["subjects"][part].items()}
            rendered = icons.render(self.work, slugs)
        options = {"count": 100, "steps": 10} if self.tiny else {"minutes": self.minutes}
        encoders.train(rendered, self.vocabulary, tokenizer, out, encoders.EncodersConfig(**options))
        encoders.export(self.vocabulary, tokenizer, out, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=STAGES, default="all")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "pocket")
    parser.add_argument("--minutes", type=float, default=1e9, help="end the diffusion training, with its cooldown, after this long")
    parser.add_argument("--threads", type=int, default=0, help="one is fastest where other work runs beside")
    parser.add_argument("--start", type=Path, help="go on from exported weights; words they do not know are added")
    parser.add_argument("--lr", type=float, default=1e-3, help="peak of the diffusion training; a third of it to touch up exported weights")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--to", type=Path, help="where export writes; default the pack's weights")
    options = parser.parse_args()
    import_pack(os.environ.get("COMFYUI_PATH") or str(ROOT / ".host" / "ComfyUI"))
    import torch

    from viper.pocket.loader import WEIGHTS

    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = Recipe(options.work, options.minutes, options.tiny, options.start, options.lr)
    if options.stage in ("all", "data"):
        recipe.make_data()
    if options.stage in ("all", "decoder"):
        recipe.train_decoder()
    if options.stage in ("all", "diffusion"):
        recipe.train_diffusion()
    if options.stage in ("all", "export"):
        recipe.export(options.to or (options.work / "tiny.safetensors" if options.tiny else WEIGHTS))
    if options.stage in ("all", "samples"):
        recipe.draw_samples(options.work / "tiny.jpg" if options.tiny else ROOT / "pocket" / "samples.jpg")
    if options.stage in ("all", "encoders"):
        from viper.pocket.encoders import WEIGHTS as ENCODERS

        recipe.train_encoders(options.work / "tiny_encoders.safetensors" if options.tiny else ENCODERS)


if __name__ == "__main__":
    main()
