"""Scores of `meanflow eval` beside those of pytorch-fid and torch-fidelity, with time and memory.

    pip install torch torchvision scipy safetensors pytorch-fid torch-fidelity
    cargo build --release -p meanflow
    python scripts/side_by_side.py --meanflow target/release/meanflow

Two folders of PNG and random weights for Inception-v3 are made in --work, so that nothing is downloaded. Every number
comes from a process of its own, held to --threads threads; its memory is the largest resident set that the operating system saw.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

WEIGHTS = "inception-random"


def pictures(folder, count, seed, spectrum, tint):
    """Smooth coloured noise: a random field of the given spectrum in each channel, the channels tied together."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    random, side = np.random.default_rng(seed), 64
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    envelope = 1.0 / (1.0 + frequency * side) ** spectrum
    for index in range(count):
        noise = random.standard_normal((3, side, side)) + 0.7 * random.standard_normal((1, side, side))
        field = np.fft.ifft2(np.fft.fft2(noise) * envelope).real
        field = field / field.std() * 45 + 128 + np.array(tint)[:, None, None]
        pixels = np.clip(np.round(field), 0, 255).astype(np.uint8)
        Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / f"{index:05}.png")


def weights(work):
    """Seeded weights; statistics of the batch normalisations from a pass over pictures, so that features are in order."""
    import numpy as np
    import torch
    import torchvision
    from PIL import Image
    from safetensors.torch import save_file

    torch.manual_seed(0)
    net = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
            module.momentum = None
    files = sorted((work / "a").iterdir())[:32] + sorted((work / "b").iterdir())[:32]
    batch = np.stack([np.asarray(Image.open(file)) for file in files]).transpose(0, 3, 1, 2)
    batch = torch.nn.functional.interpolate(torch.from_numpy(batch).float() / 127.5 - 1, size=299, mode="bilinear")
    with torch.no_grad():
        net.train()(batch)
    state = {name: tensor for name, tensor in net.state_dict().items() if tensor.is_floating_point()}
    torch.save(net.state_dict(), work / f"{WEIGHTS}.pth")
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, work / f"{WEIGHTS}.safetensors")


def features(path, count, shift, seed):
    """Features like real ones: not negative, correlated, with a falling spectrum."""
    import numpy as np

    # The same mixing for both sets.
    mix = np.random.default_rng(1).standard_normal((2048, 2048)).astype(np.float32)
    scale = 1.0 / (1.0 + np.arange(2048, dtype=np.float32) / 30.0)
    draw = np.random.default_rng(seed).standard_normal((count, 2048)).astype(np.float32)
    np.save(path, np.maximum(draw * scale @ mix / 8.0 + 0.3 + shift, 0.0))


def pytorch_fid(work):
    import torch
    from pytorch_fid import fid_score, inception

    inception.load_state_dict_from_url = lambda *_, **__: torch.load(work / f"{WEIGHTS}.pth")
    paths = [str(work / "a"), str(work / "b")]
    return {"fd": float(fid_score.calculate_fid_given_paths(paths, 50, "cpu", 2048, num_workers=0))}


def torch_fidelity(work):
    import torch_fidelity as tool

    count = len(list((work / "a").iterdir()))
    found = tool.calculate_metrics(
        input1=str(work / "a"), input2=str(work / "b"), cuda=False, fid=True, kid=True, prc=True, isc=False,
        feature_extractor="inception-v3-compat",
        kid_subsets=1, kid_subset_size=count, feature_extractor_weights_path=str(work / f"{WEIGHTS}.pth"),
        prc_neighborhood=3, cache=False, verbose=False,
    )
    names = {
        "fd": "frechet_inception_distance", "kid": "kernel_inception_distance_mean",
        "precision": "precision", "recall": "recall",
    }
    return {name: found[key] for name, key in names.items()}


def pytorch_fid_host(work):
    """What pytorch-fid does with features: it keeps them as f64."""
    import numpy as np
    from pytorch_fid.fid_score import calculate_frechet_distance

    def statistics(name):
        rows = np.load(work / name).astype(np.float64)
        return np.mean(rows, axis=0), np.cov(rows, rowvar=False)

    return {"fd": float(calculate_frechet_distance(*statistics("a.npy"), *statistics("b.npy")))}


def torch_fidelity_host(work, what):
    import numpy as np
    import torch
    from torch_fidelity import metric_fid, metric_kid, metric_prc

    a, b = (torch.from_numpy(np.load(work / name)) for name in ("a.npy", "b.npy"))
    if what == "fd":
        one, two = (metric_fid.fid_features_to_statistics(rows) for rows in (a, b))
        return {"fd": metric_fid.fid_statistics_to_metric(one, two, False)["frechet_inception_distance"]}
    if what == "kid":
        found = metric_kid.kid_features_to_metric(a, b, kid_subsets=100, kid_subset_size=1000, verbose=False)
        return {"kid": found["kernel_inception_distance_mean"]}
    found = metric_prc.prc_features_to_metric(a, b, prc_neighborhood=5, save_cpu_ram=False, verbose=False)
    return {"precision": found["precision"], "recall": found["recall"]}


TOOLS = {
    "pytorch-fid": pytorch_fid,
    "torch-fidelity": torch_fidelity,
    "pytorch-fid-host": pytorch_fid_host,
    **{f"torch-fidelity-{what}": lambda work, what=what: torch_fidelity_host(work, what) for what in ("fd", "kid", "prdc")},
}


def measured(command, threads):
    """Runs a command: what it prints, [seconds, processor seconds] and MiB."""
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    environment = {**os.environ, **{name: str(threads) for name in limits}}
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, env=environment)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return output, [time.monotonic() - start, usage.ru_utime + usage.ru_stime], usage.ru_maxrss / 1024


def python(tool, options):
    command = [sys.executable, __file__, "--tool", tool, "--work", str(options.work)]
    output, seconds, memory = measured(command, options.threads)
    return json.loads(output.splitlines()[-1]), seconds, memory


def meanflow(inputs, metrics, extra, options):
    command = [options.meanflow, "eval", inputs[0], "--real", inputs[1], "--metrics", metrics, "--repeats", "0", "--json", "--no-cache"]
    output, seconds, memory = measured([*map(str, command), *extra], options.threads)
    return {name: entry["value"] for name, entry in json.loads(output).items()}, seconds, memory


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def agreement(ours, theirs, pairs):
    return ", ".join(f"{mine} {abs(ours[mine] / theirs[other] - 1):.0e}" for mine, other in pairs)


def line(name, result):
    values, seconds, memory = result
    shown = ", ".join(f"{key} {value:.7g}" for key, value in values.items())
    row(name, shown, f"{seconds[0]:.1f} s", f"{seconds[1]:.1f} s", f"{memory:.0f} MiB")
    return values


def inputs(options):
    """What is compared: pictures and weights, features."""
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    if options.part != "host":
        pictures(work / "a", options.pictures, 1, 1.0, [0, 0, 0])
        pictures(work / "b", options.pictures, 2, 1.15, [12, 0, -8])
        if not (work / f"{WEIGHTS}.pth").exists():
            weights(work)
    if options.part != "whole":
        features(work / "a.npy", options.rows, 0.0, 3)
        features(work / "b.npy", options.rows, 0.02, 4)


def whole(options):
    """From pictures to scores."""
    work = options.work
    a, b = work / "a", work / "b"
    network = ["--inception", str(work / f"{WEIGHTS}.safetensors"), "--neighbours", "3"]
    print(f"{options.pictures} PNG of 64×64 in each folder, {options.threads} threads, the whole tool:\n")
    row("tool", "values", "time", "processor time", "memory")
    row("---", "---", "---:", "---:", "---:")
    plain = line("pytorch-fid", python("pytorch-fid", options))
    resize = [*network, "--resize", "pytorch-fid"]
    ours = line("meanflow, its resize", meanflow([a, b], "fd_inception", resize, options))
    print_after = [("pytorch-fid", agreement(ours, plain, [("fd_inception", "fd")]))]
    other = line("torch-fidelity", python("torch-fidelity", options))
    ours = line("meanflow", meanflow([a, b], "fd_inception,kid_full_inception,prdc_inception", network, options))
    pairs = [("fd_inception", "fd"), ("kid_full_inception", "kid"), ("precision_inception", "precision"), ("recall_inception", "recall")]
    print_after.append(("torch-fidelity", agreement(ours, other, pairs)))
    print()
    for tool, text in print_after:
        print(f"Relative differences from {tool}: {text}.")


def host(options):
    """From features to scores."""
    work = options.work
    print(f"{options.rows} × 2,048 features in two `.npy` files, {options.threads} threads, the host part alone:\n")
    row("part", "values", "time", "processor time", "memory")
    row("---", "---", "---:", "---:", "---:")
    rows = [work / "a.npy", work / "b.npy"]
    line("fd, pytorch-fid", python("pytorch-fid-host", options))
    line("fd, torch-fidelity", python("torch-fidelity-fd", options))
    line("fd, meanflow", meanflow(rows, "fd", [], options))
    line("kid 100 × 1,000, torch-fidelity", python("torch-fidelity-kid", options))
    line("kid 100 × 1,000, meanflow", meanflow(rows, "kid", [], options))
    line("precision and recall, torch-fidelity", python("torch-fidelity-prdc", options))
    line("prdc, meanflow", meanflow(rows, "prdc", [], options))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--meanflow", type=pathlib.Path, default="target/release/meanflow")
    parser.add_argument("--work", type=pathlib.Path, default="side-by-side")
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--part", choices=["whole", "host", "both"], default="both")
    parser.add_argument("--tool", choices=[*TOOLS, "inputs"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.meanflow = options.meanflow.resolve()
    if options.tool == "inputs":
        inputs(options)
        return
    if options.tool:
        result = TOOLS[options.tool](options.work)
        print(json.dumps(result))
        return
    # In a process of its own: the largest resident set of a child begins with that of its parent.
    subprocess.run([sys.executable, *sys.argv, "--tool", "inputs"], check=True)
    if options.part != "host":
        whole(options)
    if options.part != "whole":
        host(options)


if __name__ == "__main__":
    main()
