"""Faults planted in healthy recordings: what a detector would find, and which one finds most.

`faults.py` has the faults, `hosts.py` the recordings that they are planted in; `measuring.py`
measures which share of them a detector finds at which strength, and `choosing.py` which of several
detectors tells them best from healthy recordings (docs/decisions/0031-choose.md).
"""
