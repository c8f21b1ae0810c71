#!/usr/bin/env python3
"""Turns a checkpoint folder of Orbax into one safetensors file that `meanflow import` and `init.weights` read.

    pip install orbax-checkpoint safetensors
    python scripts/orbax_to_safetensors.py checkpoint_400000 weights.safetensors --only ema_params

Every array is written under the dotted path of its keys. `--only` keeps what is below one key, without the optimizer's state.
"""

import argparse
import pathlib

import jax
import numpy
import orbax.checkpoint
from safetensors.numpy import save_file

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("checkpoint", type=pathlib.Path, help="the folder that has `_METADATA` in it")
parser.add_argument("out", type=pathlib.Path, help="the safetensors file to write")
parser.add_argument("--only", help="the key to keep, such as ema_params")
args = parser.parse_args()

tree = orbax.checkpoint.PyTreeCheckpointer().restore(args.checkpoint.resolve())
tensors = {}
for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
    keys = [str(getattr(key, "key", getattr(key, "idx", key))) for key in path]
    if args.only is None or keys[0] == args.only:
        value = numpy.asarray(leaf)
        if value.dtype.kind == "f" or value.dtype.name == "bfloat16":
            tensors[".".join(keys)] = numpy.ascontiguousarray(value, dtype=numpy.float32)
if not tensors:
    raise SystemExit(f"{args.checkpoint} holds no arrays of floats under {args.only or 'any key'}; it has {list(tree)}")
save_file(tensors, args.out)
print(f"{len(tensors)} tensors, {sum(value.size for value in tensors.values())} numbers: {args.out}")
