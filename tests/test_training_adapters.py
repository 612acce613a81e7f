"""Adapters at the side of a network: what they compute, and what they leave alone."""

import copy

import pytest
import torch
from torch import nn

from viper.training.adapters import AdapterError, Adapters, AdapterSettings, chosen_layers
from viper.training.frozen import borrowed

CPU = torch.device("cpu")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.proj_in = nn.Conv2d(6, 8, 1)
        self.attn1 = nn.ModuleDict({"to_q": nn.Linear(8, 8), "to_out": nn.Linear(8, 8, bias=False)})
        self.norm = nn.LayerNorm(8)
        self.ff = nn.Linear(8, 5)

    def forward(self, x):
        x = self.proj_in(self.conv(x)).flatten(2).transpose(1, 2)
        return self.ff(self.norm(x + self.attn1["to_out"](self.attn1["to_q"](x).tanh())))


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(Block())


def picture(n=2, seed=1):
    return torch.randn(n, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def grown(net, kind="lora", layers="all", rank=3, alpha=2.0, **more):
    """Adapters that say something: every weight moved from where it began."""
    adapters = Adapters(net, AdapterSettings(kind, rank, alpha, layers, **more), seed=0)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for p in adapters.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=generator))
    return adapters


def merged(net, adapters):
    """The network with W' in place of W, by the formulas of the papers."""
    net = copy.deepcopy(net)
    for name, part in adapters:
        layer = net.get_submodule(name)
        W = layer.weight.data
        t = part.tensors()
        scale = float(t["alpha"]) / t["lora_down.weight"].shape[0]
        new = W + scale * (t["lora_up.weight"].flatten(1) @ t["lora_down.weight"].flatten(1)).reshape(W.shape)
        if "dora_scale" in t:
            columns = new.transpose(0, 1).flatten(1).norm(dim=1)
            new = new * (t["dora_scale"].flatten() / columns).reshape(1, -1, *[1] * (W.ndim - 2))
        layer.weight.data = new
    return net


def state(net):
    """Everything that must be as before: weights, marks, hooks, attributes of every layer."""
    def of(layer):
        own = {k: v for k, v in vars(layer).items() if k not in ("_parameters", "_buffers", "_modules")}
        return {k: dict(v) if isinstance(v, dict) else v for k, v in own.items()}

    weights = {name: (id(p), p.requires_grad, p.grad, p.detach().clone().view(torch.int32)) for name, p in net.named_parameters()}
    return weights, {name: of(layer) for name, layer in net.named_modules()}


def assert_same(before, after):
    assert before[1] == after[1] and before[0].keys() == after[0].keys()
    for name, (identity, marked, grad, bits) in before[0].items():
        now = after[0][name]
        assert now[0] == identity and now[1] is marked and now[2] is grad and torch.equal(now[3], bits), name


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("layers", ["attention", "linear", "all"])
def test_side_path_equals_the_merged_weights(kind, layers):
    net = network()
    adapters = grown(net, kind, layers)
    with adapters.attached(), torch.no_grad():
        got = net(picture())
    torch.testing.assert_close(got, merged(net, adapters)(picture()), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(got, net(picture()), atol=1e-3), "the adapters say something"


@pytest.mark.parametrize("kind, tolerance", [("lora", 0.0), ("dora", 1e-5)])
def test_new_adapters_change_nothing(kind, tolerance):
    net = network()
    with Adapters(net, AdapterSettings(kind, layers="all"), seed=0).attached():
        got = net(picture())
    torch.testing.assert_close(got, net(picture()), rtol=tolerance, atol=tolerance)


def test_weakened_lora_is_the_interpolation_of_the_merged_weights():
    net = network()
    adapters = grown(net)
    before, whole = dict(net.named_parameters()), dict(merged(net, adapters).named_parameters())
    adapters.weaken(0.3)
    for name, W in merged(net, adapters).named_parameters():
        torch.testing.assert_close(W, before[name] + 0.3 * (whole[name] - before[name]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind, tolerance", [("lora", 0.0), ("dora", 1e-5)])
def test_weakened_to_nothing_is_the_plain_network_and_by_one_the_same(kind, tolerance):
    net = network()
    adapters = grown(net, kind)
    grown_bits = {name: p.detach().clone() for name, p in adapters.named_parameters().items()}
    adapters.weaken(1.0)
    assert all(torch.equal(p, grown_bits[name]) for name, p in adapters.named_parameters().items())
    adapters.weaken(0.5)
    with torch.no_grad():
        plain = net(picture())
        with adapters.attached():
            half = net(picture())
            adapters.weaken(0.0)
            none = net(picture())
    torch.testing.assert_close(none, plain, rtol=0.0, atol=tolerance)
    with grown(net, kind).attached(), torch.no_grad():
        whole = net(picture())
    assert 0 < (half - plain).norm() < (whole - plain).norm()


def test_layers_are_chosen_by_kind_or_by_name():
    net = network()
    assert list(chosen_layers(net, "attention")) == ["0.attn1.to_q", "0.attn1.to_out"]
    assert list(chosen_layers(net, "linear")) == ["0.proj_in", "0.attn1.to_q", "0.attn1.to_out", "0.ff"]
    assert list(chosen_layers(net, "all")) == ["0.conv", "0.proj_in", "0.attn1.to_q", "0.attn1.to_out", "0.ff"]
    assert list(chosen_layers(net, r"to_q$" + "\n" + r"\.ff")) == ["0.attn1.to_q", "0.ff"]
    for layers, why in (("nowhere", "No layer"), ("(", "cannot be read")):
        with pytest.raises(AdapterError, match=why):
            chosen_layers(net, layers)


def test_initial_weights_come_from_the_seed_and_the_layers_name_alone():
    one, two = (Adapters(network(), AdapterSettings(layers=layers), seed=4).named_parameters() for layers in ("all", "attention"))
    assert all(torch.equal(one[name], p) for name, p in two.items()) and len(one) > len(two)
    other = Adapters(network(), AdapterSettings(layers="attention"), seed=5).named_parameters()
    assert not torch.equal(other["0.attn1.to_q.A"], two["0.attn1.to_q.A"])
    assert not torch.equal(two["0.attn1.to_q.A"], two["0.attn1.to_out.A"])
    assert torch.count_nonzero(two["0.attn1.to_q.B"]) == 0


def test_rank_dropout_leaves_the_same_ranks_out_until_the_next_step():
    net = network()
    adapters = grown(net, rank=8, rank_dropout=0.5)
    with adapters.attached(), torch.no_grad():
        whole = net(picture())
        adapters.new_step(torch.Generator().manual_seed(0))
        first, again = net(picture()), net(picture())
        adapters.new_step(torch.Generator().manual_seed(1))
        second = net(picture())
        adapters.train(False)
        preview = net(picture())
    assert torch.equal(first, again) and not torch.equal(first, second) and not torch.equal(first, whole)
    assert torch.equal(preview, whole)


def test_only_adapters_learn():
    net = network()
    adapters = grown(net, "dora")
    with adapters.attached(), borrowed(net, CPU):
        net(picture()).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in adapters.parameters())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_gradients_are_those_of_the_merged_weights(kind):
    """DoRA holds the norm constant, so only LoRA's gradient equals that of the merged formula exactly."""
    net = network()
    adapters = grown(net, kind, "attention")
    with adapters.attached(), borrowed(net, CPU):
        net(picture()).square().mean().backward()
    layer, part = net[0].attn1["to_q"], dict(adapters)["0.attn1.to_q"]
    A, B = (t.detach().clone().requires_grad_() for t in (part.A, part.B))
    new = layer.weight.detach() + part.scale * B @ A
    if kind == "dora":
        new = new * (part.m.detach() / new.detach().norm(dim=0))
    others = merged(net, [item for item in adapters if item[0] != "0.attn1.to_q"])
    names = {name: p.detach() for name, p in others.named_parameters()}
    torch.func.functional_call(others, {**names, "0.attn1.to_q.weight": new}, picture()).square().mean().backward()
    torch.testing.assert_close(part.A.grad, A.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(part.B.grad, B.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("how", ["normally", "error", "cancel"])
def test_network_is_bit_for_bit_as_before_however_training_ends(how):
    class Cancelled(BaseException):
        pass

    net = network()
    net[0].ff.weight.requires_grad_(False)
    before, output = state(net), net(picture())
    adapters = grown(net, "dora")
    try:
        with adapters.attached(), borrowed(net, CPU):
            net(picture()).mean().backward()
            if how != "normally":
                raise RuntimeError("out of memory") if how == "error" else Cancelled
    except (RuntimeError, Cancelled):
        assert how != "normally"
    assert_same(before, state(net))
    assert torch.equal(net(picture()), output)


def test_failed_attaching_leaves_no_hook():
    net = network()
    adapters = grown(net)
    del net[0].ff  # the last of the layers
    with pytest.raises(AttributeError), adapters.attached():
        pass
    assert all(not hooks for layer in net.modules() for hooks in (layer._forward_hooks, layer._forward_pre_hooks))


def test_attached_twice_is_refused_and_can_be_attached_again_later():
    net = network()
    adapters = grown(net)
    with adapters.attached():
        with pytest.raises(AdapterError, match="attached already"), adapters.attached():
            pass
    plain = net(picture())
    with adapters.attached():
        assert not torch.equal(net(picture()), plain)


def test_switched_off_adapters_are_the_plain_network():
    net = network()
    adapters, plain = grown(net), network()(picture())
    with adapters.attached():
        with adapters.off():
            assert torch.equal(net(picture()), plain)
        assert not torch.equal(net(picture()), plain)


def test_weights_in_half_precision_keep_adapters_in_float32():
    net = network().to(torch.bfloat16)
    adapters = grown(net)
    with adapters.attached(), borrowed(net, CPU):
        y = net(picture().bfloat16())
        y.float().mean().backward()
    assert y.dtype is torch.bfloat16 and {p.dtype for p in adapters.parameters()} == {torch.float32}
    assert all(p.grad.dtype is torch.float32 for p in adapters.parameters())


# --- borrowing -------------------------------------------------------------------------------------------------------------


def test_weights_made_under_inference_mode_can_be_trained_beside_on_the_same_memory():
    with torch.inference_mode():
        net = network()
    adapters, before, pointer = grown(net, "dora"), state(net), net[0].ff.weight.data_ptr()
    with torch.inference_mode():  # where nodes run
        with adapters.attached(), borrowed(net, CPU):
            assert not net[0].ff.weight.is_inference() and net[0].ff.weight.data_ptr() == pointer
            net(picture()).mean().backward()
        assert torch.is_inference_mode_enabled()
    assert all(p.grad is not None for p in adapters.parameters())
    assert_same(before, state(net))
    assert net[0].ff.weight.is_inference()


def test_borrowed_weights_share_their_memory_and_ties():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight = net[0].weight
    net[0].weight.note = "of the host"
    pointer = net[0].weight.data_ptr()
    with borrowed(net, CPU):
        assert net[0].weight is net[1].weight and net[0].weight.data_ptr() == pointer and not net[0].weight.requires_grad
        assert net[0].weight.note == "of the host"


def test_statements_that_overwrite_their_input_do_not_spoil_the_gradient():
    class Saving(nn.Linear):
        def forward(self, x):
            y = self.weight @ x.exp()  # keeps the result of exp
            e = x.exp()
            e += y
            e[0] *= 2.0
            return e

    net = Saving(3, 3)
    x = torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
    with pytest.raises(RuntimeError, match="inplace"):
        net(x).sum().backward()
    with borrowed(net, CPU):
        y = net(x)
        y.sum().backward()
    e, twice = x.detach().exp(), torch.tensor([2.0, 1.0, 1.0])
    torch.testing.assert_close(y.detach(), twice * (e + net.weight.detach() @ e))
    torch.testing.assert_close(x.grad, (twice + net.weight.detach().T @ twice) * e)


def test_explicit_writing_still_writes():
    def doubled(x):
        x.mul_(2.0)  # the result is dropped
        return x

    with borrowed(nn.Identity(), CPU):
        assert doubled(torch.ones(2)).tolist() == [2.0, 2.0]
        x = torch.ones(2, dtype=torch.bfloat16)
        x += torch.ones(2)
        assert x.dtype is torch.bfloat16 and x.tolist() == [2.0, 2.0]


def fp8(net):
    """Linear weights in eight bits, as files of large models have them; and what unpacks them."""
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            layer.weight = nn.Parameter(layer.weight.detach().to(torch.float8_e4m3fn), requires_grad=False)

    def read(layer, device, dtype):
        return layer.weight.to(device, dtype), None if layer.bias is None else layer.bias.detach().to(device, dtype)

    return net, read


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_eight_bit_weights_train_as_their_unpacked_ones_and_are_not_kept_for_the_backward_pass(kind):
    net, read = fp8(network())
    plain = copy.deepcopy(net)
    for layer in plain.modules():
        if isinstance(layer, nn.Linear):
            layer.weight = nn.Parameter(layer.weight.float())

    def gradients(of, packed):
        adapters = Adapters(of, AdapterSettings(kind, 3, 2.0, "all"), 0, lambda layer: read(layer, CPU, torch.float32)[0].detach())
        with torch.no_grad():
            for p in adapters.parameters():
                p.add_(0.1)
        kept = []
        pack = lambda t: kept.append(tuple(t.shape)) or t  # noqa: E731
        with adapters.attached(), borrowed(of, CPU, read), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            of(picture()).square().mean().backward()
        assert bool({(5, 8), (8, 5)} & set(kept)) != packed, "the last layer's weight"
        return adapters.named_parameters()

    ours, theirs = gradients(net, True), gradients(plain, False)
    for name, p in ours.items():
        torch.testing.assert_close(p.grad, theirs[name].grad, rtol=1e-4, atol=1e-6)
    assert all("forward" not in vars(layer) for layer in net.modules()) and net[0].ff.weight.dtype is torch.float8_e4m3fn


# --- files -----------------------------------------------------------------------------------------------------------------

NAMES = {name: "lora_unet_" + name.replace(".", "_") for name in ("0.conv", "0.proj_in", "0.attn1.to_q", "0.attn1.to_out", "0.ff")}


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_saved_adapters_load_again(kind):
    net = network()
    adapters = grown(net, kind)
    saved = adapters.state_dict(NAMES)
    endings = {key.split(".", 1)[1] for key in saved}
    assert endings == {"lora_up.weight", "lora_down.weight", "alpha"} | ({"dora_scale"} if kind == "dora" else set())
    assert saved["lora_unet_0_conv.lora_down.weight"].shape == (3, 4, 3, 3)
    assert saved["lora_unet_0_conv.lora_up.weight"].shape == (6, 3, 1, 1)
    fresh = Adapters(net, AdapterSettings(kind, 3, 2.0, "all"), seed=9)
    fresh.load_state_dict(saved, {name: ("lycoris_" + name, spelling) for name, spelling in NAMES.items()})
    for name, p in adapters.named_parameters().items():
        assert torch.equal(fresh.named_parameters()[name], p)


@pytest.mark.parametrize("change, why", [
    ({"rank": 4}, "have rank 3"), ({"alpha": 3.0}, "have alpha 2.0"), ({"layers": "attention"}, "more than this training"),
    ({"kind": "dora"}, "dora_scale"),
])  # fmt: skip
def test_adapters_of_other_settings_are_refused_whole(change, why):
    net = network()
    saved = grown(net).state_dict(NAMES)
    fresh = Adapters(net, AdapterSettings(**{"kind": "lora", "rank": 3, "alpha": 2.0, "layers": "all", **change}), seed=9)
    before = {name: p.detach().clone() for name, p in fresh.named_parameters().items()}
    with pytest.raises(AdapterError, match=why):
        fresh.load_state_dict(saved, NAMES)
    assert all(torch.equal(before[name], p) for name, p in fresh.named_parameters().items())


def test_missing_layers_are_refused_and_unknown_adapters_named():
    net = network()
    saved = grown(net, layers="attention").state_dict(NAMES)
    with pytest.raises(AdapterError, match="nothing for the layer 0.conv"):
        grown(net).load_state_dict(saved, NAMES)
    with pytest.raises(AdapterError, match="no name for the layer"):
        grown(net).state_dict({})
    with pytest.raises(AdapterError, match="choose one of lora, dora"):
        Adapters(net, AdapterSettings("loha"), 0)
    with pytest.raises(AdapterError, match="at least 1"):
        Adapters(net, AdapterSettings(rank=0), 0)
