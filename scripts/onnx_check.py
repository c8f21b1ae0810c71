#!/usr/bin/env python3
"""Compares exported ONNX files, run by ONNX Runtime, with `meanflow sample`.

    python3 -m venv .venv && .venv/bin/pip install onnx onnxruntime numpy
    .venv/bin/python scripts/onnx_check.py target/release/meanflow runs/quickstart/meanflow ...

For each run or exported file: `export --format onnx`, ONNX's own checker, then the samples of one seed at batch 1 and 64 from the
same noise on both sides, and their largest difference as a share of the range [-1, 1]. Above 1e-5 the script fails. Times: ONNX
Runtime's are the best of five of a batch; `meanflow sample` is timed as a program, at 64 and at 192 samples, and the difference is
divided by 128, so that its start is not in the number.
"""

import argparse
import math
import os
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime

LIMIT = 1e-5


def chacha8(seed: int, name: str):
    """The 64-bit draws of the stream `name` of a seed, as crates/random makes them."""
    fnv = 0x6C62272E07BB014262B821756295C58D
    for byte in name.encode():
        fnv = (fnv ^ byte) * 0x0000000001000000000000000000013B % 2**128
    key = struct.pack("<Q", seed) + fnv.to_bytes(16, "little") + bytes(8)
    start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
    rounds = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    rounds += [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    block = 0
    while True:
        count = 4096  # blocks at a time
        counter = np.arange(block, block + count, dtype=np.uint64)
        words = [np.full(count, word, np.uint32) for word in start]
        words += [(counter & 0xFFFFFFFF).astype(np.uint32), (counter >> 32).astype(np.uint32)]
        words += [np.zeros(count, np.uint32)] * 2
        x = [word.copy() for word in words]
        for _ in range(4):
            for a, b, c, d in rounds:
                for p, q, r, turn in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
                    x[p] = x[p] + x[q]
                    y = x[r] ^ x[p]
                    x[r] = (y << np.uint32(turn)) | (y >> np.uint32(32 - turn))
        out = np.stack([a + b for a, b in zip(x, words)], axis=1)
        yield from out.astype("<u4").view("<u8").reshape(-1).tolist()
        block += count


def normals(draws):
    """N(0, 1) by the ziggurat of rand_distr (Doornik's ZIGNOR, 256 boxes)."""
    r = 3.654152885361008796
    f = lambda x: math.exp(-x * x / 2)  # noqa: E731
    volume = 3.910757959537090045 * f(r)
    xs = [volume / f(r), r]
    while len(xs) < 256:
        xs.append(math.sqrt(-2 * math.log(volume / xs[-1] + f(xs[-1]))))
    xs.append(0.0)
    fs = [f(x) for x in xs]
    open_unit = lambda: (next(draws) >> 12) * 2.0**-52 + 2.0**-53  # noqa: E731
    while True:
        bits = next(draws)
        box = bits & 0xFF
        u = (bits >> 12) * 2.0**-51 - 1
        x = u * xs[box]
        if abs(x) < xs[box + 1]:
            yield x
        elif box == 0:
            tail, y = 1.0, 0.0
            while -2 * y < tail * tail:
                tail, y = math.log(open_unit()) / r, math.log(open_unit())
            yield tail - r if u < 0 else r - tail
        elif fs[box + 1] + (fs[box] - fs[box + 1]) * ((next(draws) >> 11) * 2.0**-53) < f(x):
            yield x


def noise(seed: int, count: int):
    numbers = normals(chacha8(seed, "eval-noise"))
    return np.array([next(numbers) for _ in range(count)], dtype=np.float32)


def best(action, times=5):
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        result = action()
        durations.append(time.perf_counter() - start)
    return result, min(durations)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meanflow", help="the program")
    parser.add_argument("runs", nargs="+", help="run folders or exported files")
    parser.add_argument("--nfe", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="of both programs")
    options = parser.parse_args()
    print("| run | file, MB | nodes | batch 1 | batch 64 | ONNX Runtime, ms at 1 / 64 | meanflow sample, ms a sample |")
    print("|---|---|---|---|---|---|---|")
    worst = 0.0
    for run in options.runs:
        with tempfile.TemporaryDirectory() as folder:
            worst = max(worst, check(options, run, folder))
    if not worst <= LIMIT:
        sys.exit(f"the largest difference is {worst:.1e} of the range, above {LIMIT}")


def check(options, run, folder):
    def meanflow(*arguments):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(options.threads)}
        subprocess.run([options.meanflow, *arguments], check=True, capture_output=True, env=environment)

    path, table = os.path.join(folder, "model.onnx"), os.path.join(folder, "samples.csv")
    meanflow("export", run, "--format", "onnx", "--nfe", str(options.nfe), "--out", path)
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    about = {entry.key: entry.value for entry in model.metadata_props}
    shape = [int(size) for size in about["shape"].split()]
    classes = None if about["classes"] == "none" else int(about["classes"])
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    dimension = math.prod(shape)
    draws = noise(options.seed, 64 * dimension).reshape([64, *shape])

    def sample(count):
        arguments = ["sample", run, "-n", str(count), "--nfe", str(options.nfe), "--seed", str(options.seed)]
        meanflow(*arguments, "--out", table)

    differences, times = [], []
    for count in [1, 64]:
        feed = {"noise": draws[:count]}
        if classes is not None:
            feed["class"] = np.arange(count, dtype=np.int64) % classes
        [[ours], duration] = best(lambda: session.run(None, feed))
        sample(count)
        theirs = np.loadtxt(table, delimiter=",", dtype=np.float64, ndmin=2).reshape(ours.shape)
        differences.append(float(np.abs(ours - theirs).max()) / 2)
        times.append(duration * 1e3)
    few, many = (best(lambda count=count: sample(count), 2)[1] for count in [64, 192])
    megabytes, nodes = os.path.getsize(path) / 1e6, len(model.graph.node)
    print(
        f"| `{about['experiment']}` | {megabytes:.2f} | {nodes} | {differences[0]:.1e} | {differences[1]:.1e} "
        f"| {times[0]:.2f} / {times[1]:.1f} | {(many - few) / 128 * 1e3:.2f} |"
    )
    return max(differences)


if __name__ == "__main__":
    main()
