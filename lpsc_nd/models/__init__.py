"""Networks whose convolution is passed in as a builder."""

from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.alexnet import AlexNet
from lpsc_nd.models.paper.cenet import CENet
from lpsc_nd.models.paper.cifar_resnet import CifarResNet
from lpsc_nd.models.paper.deeplab import DeepLabV3Plus
from lpsc_nd.models.paper.imagenet_resnet import ImageNetResNet
from lpsc_nd.models.paper.mobilenet import MobileNetV2
from lpsc_nd.models.paper.resnet_encoder import ResNetEncoder
from lpsc_nd.models.paper.simple_vgg import SimpleVGG
from lpsc_nd.models.paper.vgg import VGG19
from lpsc_nd.models.points.blocks import PointBottleneckBlock, PointDownBlock, PointResidualBlock
from lpsc_nd.models.points.builder import PointConvBuilder
from lpsc_nd.models.points.classifier import PointClassifier
from lpsc_nd.models.points.encoder import PointEncoder
from lpsc_nd.models.points.segmenter import PointSegmenter
from lpsc_nd.models.residual_net import ResidualBlock, ResidualNet
from lpsc_nd.models.sequences.causal_conv import CausalConv1d
from lpsc_nd.models.sequences.causal_net import CausalNet
from lpsc_nd.models.sequences.masked_residual_net import MaskedResidualNet
from lpsc_nd.models.unet import UNet

__all__ = [
    "VGG19",
    "AlexNet",
    "CENet",
    "CausalConv1d",
    "CausalNet",
    "CifarResNet",
    "ConvBuilder",
    "DeepLabV3Plus",
    "ImageNetResNet",
    "MaskedResidualNet",
    "MobileNetV2",
    "PointBottleneckBlock",
    "PointClassifier",
    "PointConvBuilder",
    "PointDownBlock",
    "PointEncoder",
    "PointResidualBlock",
    "PointSegmenter",
    "ResNetEncoder",
    "ResidualBlock",
    "ResidualNet",
    "SimpleVGG",
    "UNet",
]
