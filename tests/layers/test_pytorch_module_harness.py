"""PyTorch's own module harness over nn.ConvNd, the control, and LPSConvNd: what holds for the one holds for the other.

The wheel ships the harness (module infos, their inputs, the parametrisation, one test class per device) without its
generic tests; those are here. No test asks which of the two layers it runs, and none is expected to fail.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap
from torch.testing import assert_close

from lpsc_nd import LPSConv1d, LPSConv2d, LPSConv3d

FLAGS_FROZEN = torch.backends.flags_frozen()
try:  # Private to PyTorch: the project touches it in this file only. Importing it would freeze flags process-wide.
    with patch.object(torch.backends, "disable_global_flags"):
        from torch.testing._internal.common_device_type import instantiate_device_type_tests
        from torch.testing._internal.common_modules import (
            ModuleInfo,
            ModuleInput,
            module_inputs_torch_nn_ConvNd,
            modules,
        )
        from torch.testing._internal.common_utils import (
            GRADCHECK_NONDET_TOL,
            DeterministicGuard,
            TestCase,
            gradcheck,
            gradgradcheck,
            noncontiguous_like,
        )
except ImportError as error:
    raise ImportError(
        f"torch {torch.__version__} lacks a part of the module harness these tests were written for (torch 2.13's, "
        f"with the package expecttest): {error}. Adapt this file; do not skip it."
    ) from error

pytestmark = [
    pytest.mark.filterwarnings(r"ignore:\d+ of \d+ regions are empty on a window of \(3, ?[\d, ]*\):UserWarning"),
    # torch's own, at the first forward-mode derivative of any convolution
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning"),
]

LOW = (torch.bfloat16, torch.float16)
FULL = (torch.float32, torch.float64)


class ConvInfo(ModuleInfo):
    """What the harness has to know of a convolution: the wheel's inputs of nn.ConvNd, whatever the class."""

    def __init__(self, module_cls: type[nn.Module], ndim: int, engine: str | None = None) -> None:
        inputs = partial(module_inputs_torch_nn_ConvNd, N=ndim)
        super().__init__(module_cls, module_inputs_func=inputs, dtypes=(*FULL, *LOW))
        self.options = {} if engine is None else {"engine": engine}

    @property
    def name(self) -> str:
        return "_".join([super().name, *self.options.values()])


CONTROLS = [ConvInfo(cls, ndim) for ndim, cls in enumerate((nn.Conv1d, nn.Conv2d, nn.Conv3d), 1)]
LAYERS = [ConvInfo(cls, ndim) for ndim, cls in enumerate((LPSConv1d, LPSConv2d, LPSConv3d), 1)]
ENGINES = [
    ConvInfo(layer.module_cls, ndim, engine)
    for ndim, layer in enumerate(LAYERS, 1)
    for engine in ("reference", "expand", "bags")
]
CONVS = [*CONTROLS, *LAYERS]  # for what no engine touches
ALL = [*CONVS, *ENGINES]


class Sample(NamedTuple):
    """One input of the harness: what builds the module, a module so built, and what its forward takes."""

    build: Callable[..., nn.Module]
    module: nn.Module
    x: Tensor
    spec: ModuleInput


def samples(info: ConvInfo, device: str, dtype: torch.dtype, requires_grad: bool = False) -> Iterator[Sample]:
    specs = info.module_inputs_func(info, device, dtype, requires_grad, training=True)
    for spec in specs:
        arguments = spec.constructor_input
        build = partial(info.module_cls, *arguments.args, **arguments.kwargs, **info.options)
        (x,) = spec.forward_input.args
        yield Sample(build, build(device=device, dtype=dtype), x, spec)


def split(items: Iterable[Sample], *, batched: bool) -> Iterator[Sample]:
    return (sample for sample in items if batched == (sample.spec.desc != "no_batch_dim"))


def functions(info: ConvInfo, device: str, dtype: torch.dtype) -> Iterator[tuple[Callable[..., Tensor], list[Tensor]]]:
    """Each sample's module as a function of its input and its parameters, and these arguments."""

    def call(module: nn.Module, names: list[str], x: Tensor, *parameters: Tensor) -> Tensor:
        return functional_call(module, dict(zip(names, parameters, strict=True)), (x,))

    for _, module, x, _ in samples(info, device, dtype, requires_grad=True):
        yield partial(call, module, [name for name, _ in module.named_parameters()]), [x, *module.parameters()]


def outcome(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The output and its gradients by the input and by every parameter, each output element weighing differently."""
    y = module(x := x.detach().requires_grad_())
    cotangent = torch.linspace(-1, 1, y.numel(), dtype=y.dtype, device=y.device).reshape(y.shape)
    return [y.detach(), *torch.autograd.grad(y, [x, *module.parameters()], cotangent)]


def dense_twin(module: nn.Module) -> nn.Module:
    """The nn.ConvNd that computes the same: the control is its own."""
    return module.to_conv() if hasattr(module, "to_conv") else copy.deepcopy(module)


def channels_last(x: Tensor) -> torch.memory_format:
    return {3: torch.contiguous_format, 4: torch.channels_last, 5: torch.channels_last_3d}[x.ndim]


def assert_close_at_low_precision(low: Tensor, exact: Tensor) -> None:
    assert_close(low.to(exact), exact, rtol=0, atol=2 * torch.finfo(low.dtype).eps * exact.abs().max().item())


@pytest.fixture(autouse=True)
def _float32_is_float32():
    """On a GPU, nn.ConvNd would else compute in TF32."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@pytest.mark.parametrize("info", CONTROLS, ids=lambda info: info.name)
def test_wheel_inputs_hold_what_these_tests_count_on(info):
    specs = [sample.spec for sample in samples(info, "cpu", torch.float32)]
    found = {(spec.constructor_input.kwargs.get("padding", 0), spec.desc) for spec in specs}
    assert found >= {(padding, desc) for padding in (0, "same") for desc in ("", "no_batch_dim")}


def test_import_leaves_global_flags_as_they_were():
    assert torch.backends.flags_frozen() == FLAGS_FROZEN


def test_low_precision_assertion_can_fail():
    exact = torch.tensor([1.0, -3.0])
    with pytest.raises(AssertionError):
        assert_close_at_low_precision((exact + 0.06).bfloat16(), exact)


class TestConvolutions(TestCase):
    """The generic tests; the harness makes one test of each for every device, module info and dtype."""

    @modules(ALL, allowed_dtypes=FULL)
    def test_forward_equals_the_dense_twin(self, device, dtype, module_info, training):
        for _, module, x, _ in samples(module_info, device, dtype):
            assert_close(module(x), dense_twin(module)(x))

    @modules(ALL, allowed_dtypes=FULL)
    def test_unbatched_equals_a_batch_of_one(self, device, dtype, module_info, training):
        for _, module, x, _ in split(samples(module_info, device, dtype), batched=False):
            y, by_input, *by_parameters = outcome(module, x.unsqueeze(0))
            assert_close(outcome(module, x), [y.squeeze(0), by_input.squeeze(0), *by_parameters])

    @modules(ALL, allowed_dtypes=FULL)
    def test_empty_batch(self, device, dtype, module_info, training):
        for _, module, x, _ in split(samples(module_info, device, dtype), batched=True):
            y, _, *by_parameters = outcome(module, x[:0])
            assert_close(y, module(x).detach()[:0])
            assert not any(gradient.any() for gradient in by_parameters)

    @modules(ALL, allowed_dtypes=FULL)
    def test_non_contiguous_input_and_parameters(self, device, dtype, module_info, training):
        for _, module, x, _ in samples(module_info, device, dtype):
            expected = outcome(module, x)
            for parameter in module.parameters():
                parameter.data = noncontiguous_like(parameter.detach())
            assert_close(outcome(module, noncontiguous_like(x)), expected)

    @modules(ALL, allowed_dtypes=[torch.float64])
    def test_gradients(self, device, dtype, module_info, training):
        for function, inputs in functions(module_info, device, dtype):
            assert gradcheck(function, inputs, nondet_tol=GRADCHECK_NONDET_TOL)

    @modules(ALL, allowed_dtypes=[torch.float64])
    def test_second_gradients(self, device, dtype, module_info, training):
        for function, inputs in functions(module_info, device, dtype):
            assert gradgradcheck(function, inputs, nondet_tol=GRADCHECK_NONDET_TOL)

    @modules(ALL, allowed_dtypes=[torch.float64])
    def test_forward_mode_gradients(self, device, dtype, module_info, training):
        options = dict.fromkeys(("check_backward_ad", "check_undefined_grad", "check_batched_grad"), False)
        options |= dict.fromkeys(("check_forward_ad", "check_batched_forward_grad"), True)
        for function, inputs in functions(module_info, device, dtype):
            assert gradcheck(function, inputs, nondet_tol=GRADCHECK_NONDET_TOL, **options)

    @modules(ALL, allowed_dtypes=[torch.float64])
    def test_forward_mode_over_backward(self, device, dtype, module_info, training):
        options = dict.fromkeys(("check_rev_over_rev", "check_undefined_grad", "check_batched_grad"), False)
        options |= {"check_fwd_over_rev": True}
        for function, inputs in functions(module_info, device, dtype):
            assert gradgradcheck(function, inputs, nondet_tol=GRADCHECK_NONDET_TOL, **options)

    @modules(ALL, allowed_dtypes=[torch.float64])
    def test_tangent_of_a_frozen_module(self, device, dtype, module_info, training):
        for _, module, x, _ in samples(module_info, device, dtype):
            _, tangent = jvp(module.requires_grad_(False), (x,), (x.flip(-1),))
            assert_close(tangent, jvp(dense_twin(module), (x,), (x.flip(-1),))[1])

    @modules(ALL, allowed_dtypes=[torch.float64])
    def test_per_sample_gradients(self, device, dtype, module_info, training):
        for _, module, x, _ in split(samples(module_info, device, dtype), batched=True):
            parameters = dict(module.named_parameters())
            gradient = grad(lambda values, image, module=module: functional_call(module, values, image).square().sum())
            together = vmap(gradient, (None, 0))(parameters, x)
            for i, image in enumerate(x):
                assert_close({name: each[i] for name, each in together.items()}, gradient(parameters, image))

    @modules(ALL, allowed_dtypes=FULL)
    def test_channels_last_changes_no_value(self, device, dtype, module_info, training):
        for _, module, x, _ in split(samples(module_info, device, dtype), batched=True):
            expected = outcome(module, x)
            module.to(memory_format=channels_last(x))
            assert_close(outcome(module, x.contiguous(memory_format=channels_last(x))), expected)

    @modules(ALL, allowed_dtypes=FULL)
    def test_output_has_the_memory_format_of_its_input_or_the_dense_twins(self, device, dtype, module_info, training):
        for _, module, x, _ in split(samples(module_info, device, dtype), batched=True):
            formats = torch.contiguous_format, channels_last(x)
            for given in formats:
                x = x.contiguous(memory_format=given)
                y, twins = module(x), dense_twin(module)(x)
                allowed = given, *(form for form in formats if twins.is_contiguous(memory_format=form))
                assert any(y.is_contiguous(memory_format=form) for form in allowed)

    @modules(ALL, allowed_dtypes=LOW)
    def test_low_precision(self, device, dtype, module_info, training):
        for _, module, x, _ in samples(module_info, device, dtype):
            exact = outcome(copy.deepcopy(module).double(), x.double())
            for low, high in zip(outcome(module, x), exact, strict=True):
                assert low.dtype == dtype
                assert_close_at_low_precision(low, high)

    @modules(ALL, allowed_dtypes=[torch.float32])
    def test_autocast(self, device, dtype, module_info, training):
        for _, module, x, _ in samples(module_info, device, dtype):
            with torch.autocast(torch.device(device).type, torch.bfloat16):
                low = module(x)
            assert low.dtype == torch.bfloat16
            assert_close_at_low_precision(low, module(x))

    @modules(CONVS)
    def test_factory_arguments_reach_every_tensor(self, device, dtype, module_info, training):
        for build, _, _, _ in samples(module_info, device, dtype):
            for place in (device, "meta"):
                module = build(device=place, dtype=dtype)
                for tensor in (*module.parameters(), *module.buffers()):
                    assert tensor.device == torch.device(place)
                    assert tensor.dtype == dtype or not tensor.is_floating_point()

    @modules(ALL, allowed_dtypes=FULL)
    def test_forward_on_meta(self, device, dtype, module_info, training):
        for build, module, x, _ in samples(module_info, device, dtype):
            y = build(device="meta", dtype=dtype)(x.to("meta"))
            assert (y.device.type, y.dtype, y.shape) == ("meta", dtype, module(x).shape)

    @modules(ALL, allowed_dtypes=FULL)
    def test_meta_then_to_empty_then_load_state_dict(self, device, dtype, module_info, training):
        for build, module, x, _ in samples(module_info, device, dtype):
            with DeterministicGuard(True):  # what to_empty leaves unwritten is then NaN or the largest integer
                rebuilt = build(device="meta", dtype=dtype).to_empty(device=device)
            rebuilt.load_state_dict(module.state_dict())
            assert_close(outcome(rebuilt, x), outcome(module, x))

    @modules(ALL, allowed_dtypes=FULL)
    def test_moving_to_a_device_and_a_dtype(self, device, dtype, module_info, training):
        for build, _, x, _ in samples(module_info, device, dtype):
            module = build(device="cpu", dtype=torch.float64)
            expected = module(x.to("cpu", torch.float64))  # before the move: caches move too
            assert_close(module.to(device, dtype)(x), expected.to(device, dtype))

    @modules(CONVS, allowed_dtypes=FULL)
    def test_state_dict_holds_the_parameters_alone_and_survives_a_file(self, device, dtype, module_info, training):
        for build, module, x, _ in samples(module_info, device, dtype):
            assert list(module.state_dict()) == [name for name, _ in module.named_parameters()]
            torch.save(module.state_dict(), file := io.BytesIO())
            file.seek(0)
            loaded = build(device=device, dtype=dtype)
            loaded(x)  # before the load: caches are renewed
            loaded.load_state_dict(torch.load(file, weights_only=True))
            assert_close(loaded(x), module(x))

    @modules(ALL, allowed_dtypes=FULL)
    def test_pickle(self, device, dtype, module_info, training):
        for _, module, x, _ in samples(module_info, device, dtype):
            expected = outcome(module, x)  # before the copy: caches are copied too
            assert_close(outcome(pickle.loads(pickle.dumps(module)), x), expected)

    @modules(ALL, allowed_dtypes=FULL)
    def test_deepcopy_is_equal_and_independent(self, device, dtype, module_info, training):
        for _, module, x, _ in samples(module_info, device, dtype):
            expected = outcome(module, x)  # before the copy: caches are copied too
            twin = copy.deepcopy(module)
            assert_close(outcome(twin, x), expected)
            for parameter in twin.parameters():
                nn.init.zeros_(parameter)
            assert_close(outcome(module, x), expected)

    @modules(ALL, allowed_dtypes=FULL)
    def test_train_and_eval_do_not_differ(self, device, dtype, module_info, training):
        for _, module, x, _ in samples(module_info, device, dtype):
            assert_close(outcome(module.train(), x), outcome(module.eval(), x))

    @modules(CONVS, allowed_dtypes=[torch.float32])
    def test_repr_shows_class_and_arguments(self, device, dtype, module_info, training):
        for _, module, _, spec in samples(module_info, device, dtype):
            assert repr(module).startswith(f"{module_info.module_cls.__name__}(4, 5, kernel_size=(3,")
            assert ("same" in repr(module)) == ("padding" in spec.constructor_input.kwargs)


instantiate_device_type_tests(TestConvolutions, globals())
