import pytest
import torch

from transxv2s import nets
from transxv2s.errors import InputError


def test_a_network_of_timm_is_a_variant() -> None:
    model = nets.network("timm/tf_efficientnet_lite0", 5, drop_rate=0.0).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 96, 64)).shape == (2, 5)
    assert nets.count_parameters(model) == {"total": sum(p.numel() for p in model.parameters())}


def test_what_timm_does_not_know_or_cannot_do_is_one_sentence() -> None:
    with pytest.raises(InputError, match="there is no variant 'timm/resnet'"):
        nets.network("timm/resnet", 8)
    with pytest.raises(InputError, match="drop_path to 0"):
        nets.network("timm/legacy_xception", 8, drop_path=0.1)


def test_our_own_variants_are_built_by_the_same_call() -> None:
    model = nets.network("transxv2s_net_efficientnetv2_s", 3)
    assert isinstance(model, nets.TransXV2SNet)
    with pytest.raises(InputError, match="or timm/NAME"):
        nets.check_variant("tf_efficientnet_lite0")


@pytest.mark.parametrize(
    "name", ["tf_efficientnet_lite0", "resnet50", "convnext_tiny", "legacy_xception", "tf_efficientnetv2_s"]
)
@torch.inference_mode()
def test_logits_are_what_is_made_of_the_features(name: str) -> None:
    model = nets.network(f"timm/{name}", 3).eval()
    assert isinstance(model, nets.Baseline)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    features = model.forward_features(x)
    assert features.ndim == 2
    torch.testing.assert_close(model.classify(features), model(x))
