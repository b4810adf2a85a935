"""A long line with fewer points that looks the same: the lowest and the highest of every stretch are kept."""

from __future__ import annotations

import numpy as np

POINTS = 2_000
"""Points of a line that a screen can show; a longer line is thinned to about as many."""


def kept_points(values: np.ndarray, *, points: int = POINTS) -> np.ndarray:
    """Which positions of this line are drawn? Sorted; all of them where there are few.

    The line is cut into `points // 2` stretches; of each the lowest and the highest value are kept, so that no spike
    is lost, and of a stretch with a gap one missing value as well, so that no gap is closed. The first and last point
    stay. Between kept points the shape is not to be read to the sample. Source: min–max decimation as in Steinarsson
    (2013), "Downsampling Time Series for Visual Representation", section 4, by tsdownsample. Its variant for missing
    values lets a gap hide the spikes of its stretch; the plain one, used here, keeps them and leaves the gaps to us.

    >>> kept_points(np.array([1.0, 1, 9, 1, 1, 1, 1, 1]), points=4).tolist()
    [0, 2, 4, 7]
    """
    from tsdownsample import MinMaxDownsampler

    n = len(values)
    if n <= max(points, 4):
        return np.arange(n)
    extremes = MinMaxDownsampler().downsample(np.ascontiguousarray(values, dtype=float), n_out=max(points // 2, 1) * 2)
    gaps = np.flatnonzero(np.isnan(values))
    stretches = gaps * max(points // 2, 1) // n
    first = gaps[np.unique(stretches, return_index=True)[1]]
    return np.unique(np.concatenate([[0, n - 1], extremes.astype(np.int64), first]))
