"""The residual network for series of unequal lengths: nothing after a series' end changes its scores."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.residual_net import ResidualBlock, ResidualNet


class MaskedResidualNet(ResidualNet):
    """:class:`ResidualNet` on series of unequal lengths: each gets the scores that it has alone.

    The input's last channel is a mask: 1 on the series and 0 after its end, where the other channels may hold
    anything. Whatever comes out of a convolution after a series' end is set to zero, so that the next convolution
    sees the zeros that its own padding gives a series without filling; normalisation, pooling between the stages and
    the mean over positions count positions of the series alone. Parameters are those of :class:`ResidualNet` with
    ``ndim`` 1 and ``in_channels - 1`` channels.

    Args:
        conv: builder of the convolutions, which pad with zeros.
        in_channels: channels of the input, the mask included.
        num_classes: number of outputs.
        widths: channels of each stage, scaled if there is a budget.
        blocks: residual blocks in each stage.
        budget: parameters at most, as in :class:`ResidualNet`.

    Shape:
        ``(B, in_channels, L)`` to ``(B, num_classes)``.

    Raises:
        ValueError: a count is out of range or over the budget, or a convolution pads otherwise than with zeros; in the
            forward pass, the last channel is no mask, or a series has no position.

    Example:
        >>> from functools import partial
        >>> net = MaskedResidualNet(partial(nn.Conv1d, kernel_size=3, padding=1), in_channels=2, num_classes=4)
        >>> net(torch.ones(2, 2, 20)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        conv: ConvBuilder,
        in_channels: int,
        num_classes: int,
        widths: Sequence[int] = (16, 32),
        blocks: int = 1,
        budget: int | None = None,
    ) -> None:
        if in_channels < 2:
            raise ValueError(f"in_channels must be at least 2, the series' own and the mask, got {in_channels}")
        super().__init__(1, conv, in_channels - 1, num_classes, widths, blocks, budget)
        for module in self.modules():
            mode = getattr(module, "padding_mode", "zeros")
            if mode != "zeros":
                raise ValueError(f"conv must pad with zeros, as a series' end is the end of its data, got {mode!r}")

    def features(self, x: Tensor) -> Tensor:
        """Return the last stage's map, zero after each series' end."""
        if x.is_meta:  # no values: shapes and operations are those without filling
            return super().features(x[:, :-1])
        return self._map_and_mask(x)[0]

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes, ``(B, num_classes)``."""
        if x.is_meta:
            return super().forward(x)
        y, mask = self._map_and_mask(x)
        counts = mask.sum(dim=1, keepdim=True)
        scores: Tensor = self.classifier(y.sum(dim=2) / counts)
        return scores

    def _map_and_mask(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mask = _read_mask(x)
        conv, norm, relu = self.stem
        y = relu(_masked_norm(norm, conv(x[:, :-1].masked_fill(~mask[:, None], 0.0)), mask))
        for stage in self.stages:
            if isinstance(stage, nn.Sequential):
                for block in stage:
                    y = _masked_block(block, y, mask)
            else:
                y, mask = _masked_pool(stage, y, mask)
        return y, mask


def _read_mask(x: Tensor) -> Tensor:
    """Return the last channel as booleans ``(B, L)``, if it is ones and then zeros for every series."""
    channel = x[:, -1]
    mask = channel == 1
    steps_up = (mask[:, 1:] & ~mask[:, :-1]).any()
    if steps_up or not (mask | (channel == 0)).all() or not mask[:, :1].all() or mask.shape[1] == 0:
        raise ValueError(
            "the input's last channel must be a mask, 1 on a series of at least one position and 0 after its end;"
            " the data's option lengths='mask' makes it"
        )
    return mask


def _masked_norm(norm: nn.Module, y: Tensor, mask: Tensor) -> Tensor:
    """Normalise the positions of the mask as one table ``(positions, C)``; the others become zero."""
    rows = norm(y.transpose(1, 2)[mask])
    return torch.zeros_like(y, dtype=rows.dtype).transpose(1, 2).masked_scatter(mask[..., None], rows).transpose(1, 2)


def _masked_block(block: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
    if not isinstance(block, ResidualBlock):
        raise TypeError(f"a stage must consist of ResidualBlock, got {type(block).__name__}")
    y = block.relu(_masked_norm(block.norm1, block.conv1(x), mask))
    y = _masked_norm(block.norm2, block.conv2(y), mask)
    shortcut = x
    if isinstance(block.shortcut, nn.Sequential):
        project, norm = block.shortcut
        shortcut = _masked_norm(norm, project(x), mask)
    out: Tensor = block.relu(shortcut + y)
    return out


def _masked_pool(pool: nn.Module, y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Average by two over positions of the mask: the last pair of a series of odd length has one."""
    share = pool(mask[:, None].to(y.dtype))
    return pool(y) / share.clamp(min=0.5), share[:, 0] > 0
