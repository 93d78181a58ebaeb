"""The full names of the evaluation test clips, which are published without labels.

`dcase2022_names.csv.gz` holds what the organisers' evaluator says about them
(https://github.com/Kota-Dohi/dcase2022_evaluator, MIT, licence beside it); the script
`tests/data/download/bundle_names.py` makes it. Labels and domains are those of the tables
`ground_truth_data` and `ground_truth_domain`, by which the challenge was scored. Attributes are in
the name only where the attribute tables agree with them. For ToyCar and ToyTrain they do not: the
attribute tables list the clips in another order (labels and domains coincide for half of the clips,
as by chance), and naming clips by them gives each a label that is as likely wrong as right. Those
clips are named without attributes.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType


@cache
def full_names() -> Mapping[str, str]:
    """Return the full path of each anonymous path of DCASE 2022, 4200 of them, both unique.

    For example `fan/test/section_03_0000.wav` is
    `fan/test/section_03_source_test_normal_0000_m-n_X.wav`.
    """
    packed = resources.files("dgmix.data.download").joinpath("dcase2022_names.csv.gz").read_bytes()
    rows = csv.reader(gzip.decompress(packed).decode().splitlines())
    next(rows)
    return MappingProxyType(dict(rows))
