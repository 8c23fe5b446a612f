"""The clock's offset and its error bound."""

import random

from chatload.clock import Offset, boot_id, now_us


def test_the_error_bound_holds_whatever_the_network_does() -> None:
    """The true offset is always within the stated error of the estimate."""
    for seed in range(200):
        rng = random.Random(seed)
        truth = rng.randint(-(10**12), 10**12)
        offset = Offset()
        now = 0
        for _ in range(rng.randint(1, 30)):
            there, back = rng.randint(50, 20_000), rng.randint(50, 20_000)
            offset.exchange(now, now + there + truth, now + there + back)
            now += there + back + 1_000_000
        assert offset.error is not None
        assert abs(offset.offset - truth) <= offset.error + 1


def test_the_same_kernel_needs_no_estimate() -> None:
    offset = Offset()
    assert Offset().error is None
    offset.exchange(0, 5_000, 100)
    offset.same_kernel()
    assert offset.offset == 0 and offset.error == 0
    assert abs(offset.now() - now_us()) < 1_000_000
    assert boot_id()
