"""Reads safetensors files of floats, with Python's own library alone."""

import array
import json
import math
import struct


def read(path):
    """The file's tensors: a flat array for each name."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", f"{path}: {name} is {entry['dtype']}, and F32 was expected"
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = array.array("f", data[begin:end])
    return tensors


def relative_distance(found, reference):
    """Length of the difference, divided by that of the reference; infinite where the two cannot be compared."""
    if len(found) != len(reference) or not all(map(math.isfinite, found)):
        return math.inf
    length = math.sqrt(sum(b * b for b in reference))
    distance = math.sqrt(sum((a - b) ** 2 for a, b in zip(found, reference)))
    return distance / length if length > 0 else (0.0 if distance == 0 else math.inf)
