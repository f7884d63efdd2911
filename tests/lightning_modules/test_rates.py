"""Learning rates against their formulas."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD

from lightning_modules.rates import PolynomialFloorLR, TwoRates


@given(
    rates=st.lists(st.floats(1e-5, 1), min_size=1, max_size=3),
    total=st.integers(1, 30),
    power=st.floats(0.3, 3),
    floor=st.sampled_from([0.0, 1e-6, 1e-3]),
)
def test_the_rate_is_the_formula_and_then_stays(rates, total, power, floor):
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    optimizer = SGD(groups)
    schedule = PolynomialFloorLR(optimizer, total, power, floor)
    for step in range(total + 3):
        share = max(0.0, 1 - step / total)
        expected = [max(rate * share**power, floor) for rate in rates]
        assert schedule.get_last_lr() == pytest.approx(expected, rel=1e-6, abs=1e-15)
        optimizer.step()
        schedule.step()


def test_a_resumed_schedule_goes_on():
    def build():
        optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
        return optimizer, PolynomialFloorLR(optimizer, 10)

    (optimizer, schedule), (other, resumed) = build(), build()
    for _ in range(4):
        optimizer.step()
        schedule.step()
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    for one in ((optimizer, schedule), (other, resumed)):
        one[0].step()
        one[1].step()
    assert resumed.get_last_lr() == schedule.get_last_lr() == [pytest.approx(0.1 * 0.5**0.9)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"total_iters": 0}, "total_iters must be at least 1, got 0"),
        ({"floor": -1.0}, "floor must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        PolynomialFloorLR(SGD([nn.Parameter(torch.zeros(1))], lr=0.1), **{"total_iters": 5} | arguments)


def test_every_parameter_gets_one_of_both_rates():
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    built = TwoRates(lambda groups: SGD(groups, lr=0.2, momentum=0.5), network[:2], 0.1)(network.parameters())
    slow, fast = built.param_groups
    assert (slow["lr"], fast["lr"]) == (pytest.approx(0.02), 0.2)
    assert slow["momentum"] == fast["momentum"] == 0.5
    assert list(map(id, slow["params"])) == list(map(id, network[:2].parameters()))
    assert list(map(id, fast["params"])) == list(map(id, network[2].parameters()))
