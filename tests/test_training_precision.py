"""What the network computes in, and the factor that float16 needs."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import nn

from viper.tests.host_server import use_host

use_host()

from viper.tests.test_training_lessons import JOB, Subject, values  # noqa: E402
from viper.tests.test_training_trainer import Cancelled, Toy, same, weights  # noqa: E402
from viper.training.adapters import AdapterSettings  # noqa: E402
from viper.training.errors import TrainingError  # noqa: E402
from viper.training.precision import LossScale, computing  # noqa: E402
from viper.training.trainer import Trainer  # noqa: E402

F16, BF16, F32 = torch.float16, torch.bfloat16, torch.float32


@pytest.fixture(scope="module")
def subject():
    return Subject()


@pytest.mark.parametrize("wish, own, runs, want", [
    ("auto", F32, True, F32), ("auto", BF16, True, BF16), ("auto", F16, True, BF16), ("auto", F16, False, F16),
    ("bf16", F32, True, BF16), ("float16", BF16, True, F16), ("float32", F16, True, F32),
])  # fmt: skip
def test_precision_is_the_models_own_or_what_is_asked(wish, own, runs, want):
    assert computing(wish, own, runs) is want
    with pytest.raises(TrainingError, match="choose one of auto, bf16"):
        computing("double", own, runs)


def seen(subject, job):
    """What the layers compute in, the prediction of a first step, its gradients."""
    types, layers = {}, dict(subject.model.model.diffusion_model.named_modules())
    task = subject.task(job)
    with torch.no_grad():
        for p in task.adapters.parameters():
            p.add_(0.02)

    def look(layer, args, y):
        types[layer] = y.dtype

    handles = [layers[name].register_forward_hook(look) for name, _ in task.adapters]
    try:
        with task.attached(), task.step():
            loss = task.loss([0])
            assert loss.total.dtype is F32
            loss.total.backward()
    finally:
        for handle in handles:
            handle.remove()
    assert all(p.dtype is F32 and p.grad.dtype is F32 for p in task.adapters.parameters())
    return set(types.values()), float(loss.total.detach()), torch.cat([p.grad.flatten() for p in task.adapters.parameters()])


@pytest.mark.parametrize("kind", ["lora", "dora", "full"])
@pytest.mark.parametrize("precision, dtype", [("bf16", BF16), ("float16", F16)])
def test_model_in_float32_computes_its_layers_in_16_bits_and_learns_nearly_the_same(precision, dtype, kind, subject):
    job = replace(JOB, adapter=AdapterSettings(kind, 4, 4.0))
    if kind == "full":
        types, plain_types = {dtype}, {F32}
        _, plain, exact = full_gradient(subject, job)
        _, loss, grads = full_gradient(subject, replace(job, precision=precision))
    else:
        plain_types, plain, exact = seen(subject, job)
        types, loss, grads = seen(subject, replace(job, precision=precision))
    assert plain_types == {F32} and types == {dtype}
    assert loss == pytest.approx(plain, rel=0.02) and loss != plain
    assert torch.nn.functional.cosine_similarity(grads, exact, dim=0) > 0.98


def full_gradient(subject, job):
    task = subject.task(job)
    with task.attached(), task.step():
        loss = task.loss([0]).total
        loss.backward()
    assert all(p.grad.dtype is F32 for p in task.adapters.parameters())
    return None, float(loss.detach()), torch.cat([p.grad.flatten() for p in task.adapters.parameters()])


class Half(Subject):
    """The same subject on a model in float16, as large checkpoints are loaded."""

    def __init__(self, dtype=F16):
        super().__init__()
        with torch.inference_mode():  # where checkpoints are loaded
            for p in self.model.model.diffusion_model.parameters():
                p.data = p.data.to(dtype)
        self.model.model.diffusion_model.dtype = dtype
        self.native = type(self.native)(self.model)


@pytest.mark.parametrize("own", [F16, BF16])
@pytest.mark.parametrize("precision", ["auto", "bf16", "float32"])
def test_16_bit_model_is_cast_as_asked_and_is_itself_again(own, precision, subject):
    half = Half(own)
    layers = dict(half.model.model.named_modules())
    before = {name: (vars(m).get("comfy_cast_weights"), "forward" in vars(m)) for name, m in layers.items()}
    bits = {name: p.detach().clone() for name, p in half.model.model.named_parameters()}
    types, loss, grads = seen(half, replace(JOB, precision=precision))
    assert types == {F32 if precision == "float32" else BF16}
    assert half.model.model.manual_cast_dtype is None
    assert before == {name: (vars(m).get("comfy_cast_weights"), "forward" in vars(m)) for name, m in layers.items()}
    assert all(p.dtype is own or not p.is_floating_point() for p in half.model.model.diffusion_model.parameters())
    assert all(torch.equal(p, bits[name]) for name, p in half.model.model.named_parameters())
    _, exact_loss, exact = seen(subject, JOB)
    assert loss == pytest.approx(exact_loss, rel=0.03) and torch.nn.functional.cosine_similarity(grads, exact, dim=0) > 0.97


def test_cast_weights_are_read_again_instead_of_kept_for_the_backward_pass():
    half, kept = Half(), {}
    task = half.task(replace(JOB, precision="bf16"))
    linear = {tuple(m.weight.shape) for m in half.model.model.diffusion_model.modules() if isinstance(m, nn.Linear)}

    def keep(t):
        kept[t.data_ptr()] = tuple(t.shape)
        return t

    with task.attached(), task.step(), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        task.loss([0]).total.backward()
    big = {shape for shape in linear if min(shape) >= 64}
    assert big and not big & {s for s in kept.values()} and not {s[::-1] for s in big} & set(kept.values())


def test_float32_on_a_cpu_stays_float32_bit_for_bit(subject, tmp_path):
    trained = []
    for name, precision in (("auto", "auto"), ("float32", "float32")):
        task = subject.task(replace(JOB, precision=precision))
        assert subject.native.dtype is F32 and not task.scaled
        t = Trainer(task.job, task, tmp_path / name)
        with task.attached():
            t.run()
        assert t._scale is None
        trained.append(values(task))
    assert all(torch.equal(p, trained[1][name]) for name, p in trained[0].items())


def test_training_in_float16_scales_its_loss_and_goes_on_bit_for_bit(subject, tmp_path):
    job = replace(JOB, precision="float16")
    whole, stopped, again = (Trainer(job, subject.task(job), tmp_path / name) for name in ("whole", "stopped", "stopped"))
    for t in (whole, stopped, again):
        t._scale.factor, t._scale.patience = 2.0**20, 3
    with whole.task.attached():
        whole.run()

    def stop():
        if stopped.done == 2:
            raise Cancelled

    with pytest.raises(Cancelled), stopped.task.attached():
        stopped.run(stop=stop)
    assert again.resume() and again._scale.state_dict() == stopped._scale.state_dict()
    with again.task.attached():
        again.run()
    assert same(weights(again.task), weights(whole.task)) and again._scale.state_dict() == whole._scale.state_dict()
    plain = Trainer(JOB, subject.task(), tmp_path / "plain")
    with plain.task.attached():
        plain.run()
    assert whole.series["grad_norm"][0] == pytest.approx(plain.series["grad_norm"][0], rel=0.05), "of the loss itself"


class Overflowing(Toy):
    """Gradients are infinite where the factor is above ``limit``."""

    scaled = True

    def __init__(self, job, limit):
        super().__init__(job)
        self.limit = limit

    def loss(self, numbers):
        loss, limit = super().loss(numbers), self.limit

        class Through(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, grad):
                return grad if float(grad) <= limit else grad * float("inf")

        return replace(loss, total=Through.apply(loss.total))

    def step(self):
        return nullcontext()


def test_attempt_with_infinite_gradients_is_no_step_and_passes_no_picture_over(tmp_path):
    job = replace(JOB, steps=6)
    plain = Trainer(job, Toy(job), tmp_path / "plain")
    plain.run()
    t = Trainer(job, Overflowing(job, 2.0**13), tmp_path / "scaled")
    t.run()
    assert t.done == 6 and len(t.series["loss"]) == 6 and t._scale.factor == 2.0**13
    assert t.task.seen == [0, 1] * 3 + plain.task.seen
    assert same(weights(t.task), weights(plain.task)), "a power of two changes no digit"


def test_twenty_attempts_in_a_row_end_the_training_with_a_sentence(tmp_path):
    t = Trainer(JOB, Overflowing(JOB, 0.0), tmp_path)
    with pytest.raises(TrainingError, match="not finite in float16: train in bf16 or float32"):
        t.run()
    assert t.done == 0 and t.task.seen == [0, 1] * 20


def test_loss_that_is_not_finite_itself_is_not_tried_again(tmp_path):
    class Broken(Overflowing):
        def loss(self, numbers):
            loss = super().loss(numbers)
            return replace(loss, total=loss.total * float("nan"))

    t = Trainer(JOB, Broken(JOB, 1e9), tmp_path)
    with pytest.raises(TrainingError, match="Step 1 gives numbers that are not finite"):
        t.run()
    assert t.task.seen == [0, 1]


def test_factor_grows_again_after_good_steps():
    scale = LossScale(4.0, patience=3)
    assert not scale.tell(float("inf")) and scale.factor == 2.0
    assert all(scale.tell(1.0) for _ in range(3)) and scale.factor == 4.0
    other = LossScale()
    other.load_state_dict(scale.state_dict())
    assert (other.factor, other.good, other.bad) == (4.0, 0, 0)
