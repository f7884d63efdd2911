"""Parameters and operations of the paper's networks, against numbers that nobody here computed."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from lpsc_nd.inspect.layer_table import layer_table
from lpsc_nd.models import VGG19, AlexNet, CENet, CifarResNet, DeepLabV3Plus, ImageNetResNet

FACTS = json.loads(Path(__file__).with_name("networks.json").read_text(encoding="utf-8"))
RESNET20, RESNET110 = partial(CifarResNet, 20), partial(CifarResNet, 110)

CIFAR = {
    "alexnet": partial(AlexNet, variant="conv"),
    "alexnet_lpsc": partial(AlexNet, variant="lpsc"),
    "alexnet_dilated": partial(AlexNet, variant="dilated"),
    "vgg19_bn": partial(VGG19, variant="conv"),
    "vgg19_bn_lpsc": partial(VGG19, variant="lpsc"),
    "vgg19_bn_dilated": partial(VGG19, variant="dilated"),
    "resnet20": partial(RESNET20, variant="conv"),
    "resnet20_dilated": partial(RESNET20, variant="dilated"),
    "resnet20_lpsc": partial(RESNET20, variant="lpsc"),
    "resnet20_lpsc_cc_program": partial(RESNET20, variant="lpsc_cc"),
    "resnet20_lpsc_cc_text": partial(RESNET20, variant="lpsc_cc_text"),
    "resnet110": partial(RESNET110, variant="conv"),
    "resnet110_lpsc": partial(RESNET110, variant="lpsc"),
    "resnet110_dilated": partial(RESNET110, variant="dilated"),
    "resnet110_lpsc_cc_program": partial(RESNET110, variant="lpsc_cc"),
    "resnet110_lpsc_cc_text": partial(RESNET110, variant="lpsc_cc_text"),
}
IMAGENET = {
    "resnet18": partial(ImageNetResNet, variant="conv"),
    "resnet18_lpsc": partial(ImageNetResNet, variant="lpsc"),
    "resnet18_lpsc_cc_25": partial(ImageNetResNet, variant="lpsc_cc_25"),
    "resnet18_lpsc_cc_50": partial(ImageNetResNet, variant="lpsc_cc_50"),
}
VOC = {
    "baseline": partial(DeepLabV3Plus, variant="conv"),
    "lpsc_program_no_center": partial(DeepLabV3Plus, variant="lpsc"),
    "lpsc_with_center_and_bias": partial(DeepLabV3Plus, variant="lpsc_center"),
}
DRIVE = {
    "baseline": partial(CENet, variant="conv"),
    "lpsc_1_center_bias": partial(CENet, variant="lpsc_1"),
    "lpsc_2_center_bias": partial(CENet, variant="lpsc_2"),
    "lpsc_1_no_center": partial(CENet, variant="lpsc_1_no_center"),
    "lpsc_2_no_center": partial(CENet, variant="lpsc_2_no_center"),
}
BUILDERS = {
    **{("cifar10", name): partial(build, num_classes=10) for name, build in CIFAR.items()},
    **{("cifar100", name): partial(build, num_classes=100) for name, build in CIFAR.items()},
    **{("imagenet", name): build for name, build in IMAGENET.items()},
    **{("voc_deeplabv3plus_mobilenetv2", name): build for name, build in VOC.items()},
    **{("drive_cenet", name): build for name, build in DRIVE.items()},
}
SIDES = {"cifar10": 32, "cifar100": 32, "imagenet": 224, "voc_deeplabv3plus_mobilenetv2": 513, "drive_cenet": 448}
ENTRIES = [(group, name) for group in SIDES for name in FACTS[group]]


def each(entries):
    """Run a test for each network of a list."""
    return pytest.mark.parametrize(("group", "name"), entries, ids=["-".join(entry) for entry in entries])


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def build(group, name, **options):
    with torch.device("meta"):
        return BUILDERS[group, name](**options)


def test_every_published_network_is_here():
    assert set(FACTS) == {"note", *SIDES}
    assert len(ENTRIES) == 35
    assert set(ENTRIES) <= set(BUILDERS)


@each([entry for entry in ENTRIES if "params_single_bias" in FACTS[entry[0]][entry[1]]])
def test_parameters_with_one_bias(group, name):
    assert parameters(build(group, name)) == FACTS[group][name]["params_single_bias"]


@each(ENTRIES)
def test_operations_and_parameters_with_the_authors_two_biases(group, name):
    facts = FACTS[group][name]
    network = build(group, name, separate_bias=True)
    table = layer_table(network, (1, 3, SIDES[group], SIDES[group]))
    assert parameters(network) == table.parameters == facts["params"]
    assert table.uncounted == ()
    work = table.work
    totals = {"conv_flops": work.conv_flops, "conv_flops_size_preserving_padding": work.conv_flops}
    totals["flops_513"] = work.conv_flops + work.other_flops
    counted = {key: total for key, total in totals.items() if key in facts}
    assert counted == {key: facts[key] for key in counted}


def test_most_networks_have_published_operations():
    keys = ("conv_flops", "conv_flops_size_preserving_padding", "flops_513")
    assert sum(any(key in FACTS[group][name] for key in keys) for group, name in ENTRIES) == 14


@pytest.mark.parametrize("name", [name for name in VOC if "aspp" in FACTS["voc_deeplabv3plus_mobilenetv2"][name]])
def test_parts_of_the_segmentation_network(name):
    group = "voc_deeplabv3plus_mobilenetv2"
    network, facts = build(group, name, separate_bias=True), FACTS[group][name]
    assert parameters(network.backbone) == FACTS[group]["baseline"]["backbone"]
    assert parameters(network.classifier.aspp) == facts["aspp"]


@pytest.mark.parametrize("name", [name for name in DRIVE if "dac" in FACTS["drive_cenet"][name]])
def test_the_context_module_of_ce_net(name):
    network = build("drive_cenet", name, separate_bias=True)
    assert parameters(network.dblock) == FACTS["drive_cenet"][name]["dac"]


@each([entry for entry in ENTRIES if "lpsc" not in entry[1]])
def test_networks_without_log_polar_layers_have_no_second_bias(group, name):
    assert parameters(build(group, name)) == parameters(build(group, name, separate_bias=True))
