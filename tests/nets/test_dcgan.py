"""The DCGAN against its equations, written as loops over samples, positions and channels."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from transxv2s.nets import load_trunk
from transxv2s.nets.attention import ChannelAttention, SpatialAttention
from transxv2s.nets.dcgan import DCGAN, AdaptiveSampling, ContextCollector, GraphConvolution
from transxv2s.nets.xceptmod import XceptMod

CHANNELS = 20
GRIDS = [(4, 4), (5, 7), (1, 1), (3, 2)]
Grid = tuple[int, int]


def seeded(grid: Grid, batch: int = 2) -> Tensor:
    """Tokens (B, N, C)."""
    generator = torch.Generator().manual_seed(grid[0])
    return torch.randn(batch, grid[0] * grid[1], CHANNELS, dtype=torch.float64, generator=generator)


def dcgan(max_nodes: int = 64, share: float = 0.25) -> DCGAN:
    torch.manual_seed(0)
    module = DCGAN(CHANNELS, max_nodes, share).double()
    nn.init.normal_(module.distributor.gate)  # a closed gate would hide the attention behind it
    return module


def channel_scores(attention: ChannelAttention, x: Tensor) -> list[Tensor]:
    """One sample (N, C): the perceptron of the mean plus that of the maximum over positions."""
    mean = torch.stack([sum(x[:, c], torch.tensor(0.0)) / len(x) for c in range(x.shape[1])])
    highest = torch.stack([max(x[:, c]) for c in range(x.shape[1])])
    return list(attention.mlp(mean) + attention.mlp(highest))


def spatial_scores(attention: SpatialAttention, x: Tensor, grid: Grid) -> list[Tensor]:
    """One sample (N, C): a 7×7 neighbourhood of the mean and the maximum over channels, zero outside."""
    kernel, scores = attention.conv.weight[0], []
    for i in range(grid[0]):
        for j in range(grid[1]):
            score = torch.tensor(0.0, dtype=x.dtype)
            for a in range(max(0, i - 3), min(grid[0], i + 4)):
                for b in range(max(0, j - 3), min(grid[1], j + 4)):
                    token = x[a * grid[1] + b]
                    place = kernel[:, a - i + 3, b - j + 3]
                    score = score + place[0] * token.mean() + place[1] * token.max()
            scores.append(score)
    return scores


def collected(module: ContextCollector, x: Tensor, grid: Grid) -> Tensor:
    """Softmax over channels and positions at once, times their number, times the features."""
    channel = channel_scores(module.channel_attention, module.psi(x))
    spatial = spatial_scores(module.spatial_attention, module.phi(x), grid)
    total = torch.tensor([[math.exp(c.sigmoid() + s.sigmoid()) for c in channel] for s in spatial])
    mask = total.double() / total.double().sum() * total.numel()
    return x * mask


def convolved(module: GraphConvolution, nodes: Tensor, k: int) -> Tensor:
    """H2 of one sample (N, C)."""
    n, c = nodes.shape
    score = module.sampling.score
    exponentials = [torch.exp(torch.tanh(node @ score.weight[0] + score.bias[0])) for node in nodes]
    alpha = [e / sum(exponentials) for e in exponentials]
    chosen = sorted(range(n), key=lambda i: -float(alpha[i]))[:k]
    sampled = [nodes[i] * n * alpha[i] for i in chosen]
    rows = []
    for node in nodes:
        relations = [math.exp(float(s @ node) / math.sqrt(c)) for s in sampled]
        gathered = sum(r / sum(relations) * s for r, s in zip(relations, sampled, strict=True))
        h1 = torch.clamp(module.w1.weight @ node + module.w1.bias + gathered, min=0)
        rows.append(torch.clamp(module.w2.weight @ h1 + module.w2.bias + h1, min=0))
    return torch.stack(rows)


def defined_context(module: DCGAN, x: Tensor, grid: Grid, k: int) -> Tensor:
    """What the module adds to one sample (N, C)."""
    normal = torch.stack([(t - t.mean()) / (t.var(correction=0) + 1e-5).sqrt() for t in x])
    h2 = convolved(module.graph, collected(module.collector, normal, grid), k)
    out = module.distributor
    channel = channel_scores(out.channel_attention, out.theta(h2))
    spatial = spatial_scores(out.spatial_attention, out.xi(h2), grid)
    gates = [[torch.sigmoid(c + s + g) for c, g in zip(channel, out.gate, strict=True)] for s in spatial]
    return h2 * torch.stack([torch.stack(row) for row in gates])


def as_map(tokens: Tensor, grid: Grid) -> Tensor:
    return tokens.transpose(1, 2).reshape(len(tokens), CHANNELS, *grid)


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_collector_is_one_softmax_over_channels_and_positions(grid: Grid) -> None:
    module, x = dcgan().collector, seeded(grid)
    expected = torch.stack([collected(module, sample, grid) for sample in x])
    torch.testing.assert_close(module(x, grid), expected, rtol=1e-6, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_module_follows_the_equations(grid: Grid, memory: torch.memory_format) -> None:
    module, x = dcgan(), seeded(grid)
    k = math.ceil(grid[0] * grid[1] / 4)
    expected = as_map(torch.stack([defined_context(module, sample, grid, k) for sample in x]), grid)
    enhanced, context = module(as_map(x, grid).contiguous(memory_format=memory))
    torch.testing.assert_close(context, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(enhanced, as_map(x, grid) + expected, rtol=1e-6, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(
    ("max_nodes", "share", "k"), [(3, 0.25, 3), (1, 1.0, 1), (1000, 1.0, 35), (9, 0.1, 4)]
)
def test_any_number_of_nodes(max_nodes: int, share: float, k: int) -> None:
    module, x = dcgan(max_nodes, share).graph, seeded((5, 7))
    assert module.sampling(x).nodes.shape == (2, k, CHANNELS)
    torch.testing.assert_close(module(x), torch.stack([convolved(module, sample, k) for sample in x]))


def test_the_number_of_nodes_is_bounded_and_leaves_a_choice() -> None:
    sampling = AdaptiveSampling(4)
    assert [sampling.sample_size(n) for n in (1, 2, 5, 64, 255, 256, 257, 4096)] == [
        1,
        1,
        2,
        16,
        64,
        64,
        64,
        64,
    ]


@torch.no_grad()
def test_both_attentions_reach_the_mask() -> None:
    """A softmax over channels alone would cancel the spatial scores, one over positions the others."""
    module, x, grid = dcgan().collector, seeded((5, 7)), (5, 7)
    before = module(x, grid) / x
    assert before.std(1).min() > 0, "positions must differ"
    assert before.std(2).min() > 0, "channels must differ"


@torch.no_grad()
def test_a_uniform_mask_is_the_identity() -> None:
    module, x = dcgan().collector, seeded((5, 7))
    for scores in (*module.channel_attention.mlp.parameters(), module.spatial_attention.conv.weight):
        nn.init.zeros_(scores)
    torch.testing.assert_close(module(x, (5, 7)), x)


@torch.no_grad()
def test_the_selection_is_the_top_k_and_scores_have_mean_one() -> None:
    sample = dcgan().graph.sampling(seeded((5, 7), batch=3))
    torch.testing.assert_close(sample.scores.mean(1), torch.ones(3, dtype=torch.float64))
    for indices, scores in zip(sample.indices, sample.scores, strict=True):
        others = [i for i in range(35) if i not in indices]
        assert len(set(indices.tolist())) == 9
        assert scores[indices].min() > scores[others].max()


def test_the_scores_learn_through_the_selection() -> None:
    module = dcgan()
    module(as_map(seeded((5, 7)), (5, 7)))[0].square().sum().backward()
    for parameter in module.graph.sampling.score.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().min() > 0


@torch.no_grad()
@pytest.mark.parametrize("sampled", [False, True])
def test_a_node_reaches_others_only_when_it_is_sampled(sampled: bool) -> None:
    """The node is moved without a change of its score, which would rescale the sampled nodes."""
    graph, x = dcgan().graph, seeded((5, 7), batch=1)
    indices = graph.sampling(x).indices[0].tolist()
    node = next(i for i in range(35) if (i in indices) == sampled)
    direction = torch.randn(CHANNELS, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    score = graph.sampling.score.weight[0]
    moved = x.clone()
    moved[0, node] += direction - score * (direction @ score) / (score @ score)
    changed = ~torch.isclose(graph(moved), graph(x), rtol=0, atol=1e-12).all(2)[0]
    assert changed[node]
    assert changed.sum() == (35 if sampled else 1)


@torch.no_grad()
def test_the_graph_does_not_know_where_a_node_is() -> None:
    graph, x = dcgan().graph, seeded((5, 7))
    order = torch.randperm(35, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(graph(x[:, order]), graph(x)[:, order])


@torch.no_grad()
@pytest.mark.parametrize("scale", [1, 10, 1000])
def test_the_scale_of_the_map_changes_nothing_of_what_is_added(scale: float) -> None:
    module, x = dcgan(), as_map(seeded((5, 7)), (5, 7))
    torch.testing.assert_close(module(scale * x)[1], module(x)[1], rtol=1e-3, atol=1e-4)


def lesion() -> Tensor:
    """A dark blurred disc on skin colour (1, 3, 128, 128), scaled by mean = std = 0.5."""
    axis = torch.linspace(-2, 2, 128)
    disc = torch.sigmoid(8 * (1 - axis.hypot(axis[:, None])))
    skin, dark = torch.tensor([0.5, 0.2, 0.1]), torch.tensor([-0.4, -0.6, -0.6])
    return (skin[:, None, None] * (1 - disc) + dark[:, None, None] * disc).unsqueeze(0)


@torch.no_grad()
def test_a_pretrained_trunk_outweighs_fresh_modules(shared_dir: Path) -> None:
    """With ImageNet weights the maps of Xception grow from block to block; no gate may give way to that."""
    torch.manual_seed(0)
    branch = XceptMod().eval()
    weights = shared_dir / "weights" / "legacy_xception.imagenet.fp16.safetensors"
    load_trunk(branch.get_submodule("trunk"), weights)
    maps = branch(lesion())[1]
    for name in branch.dcgan:
        before = maps[f"xception.block{name}"]
        assert (maps[f"dcgan{name}"] - before).norm() < before.norm() / 2
