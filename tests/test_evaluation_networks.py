"""FID, inception score and LPIPS against the libraries that define them, on the same pictures and the same (random) weights."""

import sys

import pytest
import torch

from viper.evaluation.errors import EvaluationError

torch_fidelity = pytest.importorskip("torch_fidelity", reason="needs the optional package torch-fidelity")
torchmetrics = pytest.importorskip("torchmetrics", reason="needs the optional package torchmetrics")


def pictures(count, seed=0, size=64):
    """Noise of several grains and colours: no two alike."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for n in range(count):
        grain = torch.rand(1, 3, 2 + n % 7, 2 + n % 7, generator=generator)
        found.append(torch.nn.functional.interpolate(grain, (size, size), mode="bicubic").clamp(0, 1)[0].movedim(0, -1))
    return torch.stack(found)


@pytest.fixture(scope="module")
def files(host, tmp_path_factory):
    """A models folder with random weights of the three networks, in the formats and under the names of the real ones."""
    import torchvision
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    from viper.evaluation import networks

    models = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:  # it is only built with weights
        patch.setattr(theirs, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        net = theirs.FeatureExtractorInceptionV3("random", ["2048"])
    for name, parameter in net.named_parameters():
        if parameter.ndim > 1:  # so that features do not die out, and classes differ
            torch.nn.init.normal_(parameter, std=0.5 if name == "fc.weight" else (2 / parameter[0].numel()) ** 0.5)
    folder, name, _ = networks.INCEPTION
    (models / folder).mkdir()
    torch.save(net.state_dict(), models / folder / name)
    (models / "lpips").mkdir()
    for kind, file, _ in networks.BACKBONES.values():
        if kind == "alexnet":  # VGG's has half a gigabyte: its test makes it without the classifier
            torch.save(torchvision.models.alexnet(weights=None).state_dict(), models / "lpips" / file)
        else:
            layers = torchvision.models.vgg16(weights=None, init_weights=False).features
            torch.save({f"features.{k}": v for k, v in layers.state_dict().items()}, models / "lpips" / file)
    return models


@pytest.fixture
def models(files, monkeypatch):
    import folder_paths

    monkeypatch.setattr(folder_paths, "models_dir", str(files))
    return files


@pytest.fixture
def nothing(host, tmp_path, monkeypatch):
    """No file anywhere, and nothing can be downloaded."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path / "models"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **kwargs: pytest.fail("something was downloaded"))
    return tmp_path


class Set(torch.utils.data.Dataset):
    def __init__(self, images):
        self.images = (images * 255).round().to(torch.uint8).movedim(-1, 1)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, n):
        return self.images[n]


def test_fid_and_inception_score_are_those_of_torch_fidelity(models, as_in_the_host):
    from viper.evaluation import measures, networks

    images, reference = pictures(24), pictures(20, seed=1) * 0.8
    theirs = torch_fidelity.calculate_metrics(
        input1=Set(images), input2=Set(reference), fid=True, isc=True, isc_splits=3, cuda=False, batch_size=8, verbose=False,
        save_cpu_ram=True, feature_extractor_weights_path=str(models / networks.INCEPTION[0] / networks.INCEPTION[1]),
    )  # fmt: skip
    row, report = measures.frechet(images, reference)
    assert row.value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3) and row.value > 0.01
    assert row.low < row.value < row.high and (row.metric, row.encoder, row.better) == ("FID", "Inception-v3", "lower")
    assert "20 pictures are not more than the 2048 numbers" in report and "comes out too large" in report
    row, report = measures.inception(images, 3)
    assert row.value == pytest.approx(theirs["inception_score_mean"], rel=1e-4) and row.value > 1.01
    assert f"± {theirs['inception_score_std']:.3f}" in report and "cannot be larger than that" in report


@pytest.mark.parametrize("kind", ("alex", "vgg"))
def test_lpips_is_that_of_torchmetrics(models, monkeypatch, kind, as_in_the_host):
    from torchmetrics.functional.image import lpips as theirs

    from viper.evaluation import networks

    images = pictures(3, size=80)
    net = networks.perceptual(kind)
    other = theirs._NoTrainLpips(net=kind, pnet_rand=True)
    weights = torch.load(models / "lpips" / networks.BACKBONES[kind][1])
    slices = [getattr(other.net, f"slice{n}") for n in range(1, 6)]
    for part in slices:  # its slices keep torchvision's numbers
        part.load_state_dict({k: weights[f"features.{k}"] for k in part.state_dict()})
    chw = images.movedim(-1, 1)
    expected = [[float(other(chw[i : i + 1], chw[j : j + 1], normalize=True)) for j in range(3)] for i in range(3)]
    got = net.distances(images)
    assert torch.allclose(got, torch.tensor(expected, dtype=torch.float64), rtol=1e-3, atol=1e-7) and float(got[0, 1]) > 1e-5


def test_diversity_by_lpips_says_so_and_looks_within_prompts(models, as_in_the_host):
    from viper.evaluation import measures, networks

    images = pictures(4)
    row, _ = measures.picture_diversity(images, "LPIPS alex", label="dog", per_prompt=2)
    distances = networks.perceptual("alex").distances(images)
    assert row.value == pytest.approx(float(distances[0, 1] + distances[2, 3]) / 2) and row.encoder == "LPIPS alex"
    with pytest.raises(EvaluationError, match="^LPIPS needs pictures of 64 pixels or more, and these are 32 × 32"):
        measures.picture_diversity(images[:, :32, :32], "LPIPS alex")


@pytest.mark.parametrize(
    "measure, file",
    [
        (lambda m, x: m.frechet(x, x), "inception/weights-inception-2015-12-05-6726825d.pth"),
        (lambda m, x: m.inception(x, 2), "inception/weights-inception-2015-12-05-6726825d.pth"),
        (lambda m, x: m.picture_diversity(x, "LPIPS alex"), "lpips/alexnet-owt-7be5be79.pth"),
        (lambda m, x: m.picture_diversity(x, "LPIPS vgg"), "lpips/vgg16-397923af.pth"),
    ],
)
def test_a_missing_file_is_named_with_its_folder_and_nothing_is_downloaded(nothing, measure, file):
    from viper.evaluation import measures

    with pytest.raises(EvaluationError) as error:
        measure(measures, pictures(2))
    folder, name = file.split("/")
    assert f"The file {name} is missing: put it into {nothing / 'models' / folder}" in str(error.value)
    path = nothing / "cache" / "hub" / "checkpoints" / name  # where PyTorch would have put it: found, and found to be broken
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no weights")
    with pytest.raises(EvaluationError, match="cannot be read as weights: download it again"):
        measure(measures, pictures(2))


def test_a_file_of_another_network_is_told(nothing):
    from viper.evaluation import measures, networks

    for folder, name in (networks.INCEPTION[:2], ("lpips", networks.BACKBONES["alex"][1])):
        path = nothing / "models" / folder / name
        path.parent.mkdir(parents=True)
        torch.save({"features.0.weight": torch.zeros(3), "fc.weight": torch.zeros(3)}, path)
    with pytest.raises(EvaluationError, match="is not the Inception-v3 of FID"):
        measures.frechet(pictures(2), pictures(2))
    with pytest.raises(EvaluationError, match="does not hold the weights of alexnet"):
        measures.picture_diversity(pictures(2), "LPIPS alex")


def test_a_file_that_would_run_code_is_not_opened(nothing):
    import os

    from viper.evaluation import measures, networks

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(nothing / "sprung"),)

    path = nothing / "models" / networks.INCEPTION[0] / networks.INCEPTION[1]
    path.parent.mkdir(parents=True)
    torch.save({"fc.weight": Trap()}, path)
    with pytest.raises(EvaluationError, match="cannot be read as weights"):
        measures.frechet(pictures(2), pictures(2))
    assert not (nothing / "sprung").exists()


@pytest.mark.parametrize(
    "library, package, call", [("torch_fidelity", "torch-fidelity", "inception"), ("torchmetrics", "torchmetrics", "alex")]
)
def test_a_missing_library_is_named_with_what_to_install(models, monkeypatch, library, package, call):
    from viper.evaluation import networks

    networks._inception.cache_clear(), networks._perceptual.cache_clear()
    monkeypatch.setattr(networks, "find_spec", lambda name: None if name == library else pytest.fail(name))
    with pytest.raises(EvaluationError, match=f'The Python package "{package}" is missing.*pip install {package}'):
        networks.inception() if call == "inception" else networks.perceptual(call)


def test_the_pack_loads_neither_library_before_it_is_asked_to_measure():
    import subprocess
    from pathlib import Path

    root = Path(__file__).resolve().parent.parent
    script = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('p', r'{root / '__init__.py'}', submodule_search_locations=[r'{root}'])\n"
        "sys.modules['p'] = m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m)\n"
        "import p.evaluation.measures, p.evaluation.networks\n"
        "print([n for n in ('torchmetrics', 'torch_fidelity', 'transformers', 'torchvision', 'scipy') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "[]"
