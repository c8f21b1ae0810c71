"""EfficientNet-Lite0 in ONNX Runtime: milliseconds a picture, beside `cargo run --release -p meanflow-metrics --example lite0_speed`.

    pip install torch onnx onnxruntime
    python scripts/lite0_onnx.py datasets/efficientnet-lite0/efficientnet-lite0-57934424.pth [THREADS]

The file holds weights alone: the graph is built here, batch normalisations folded, and exported.
"""

import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
import torch

STAGES = [
    (1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40), (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192), (1, 3, 1, 6, 192, 320),
]


def graph(weights):
    nodes, constants = [], []

    def constant(name, array):
        constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    low, high = constant("low", 0.0), constant("high", 6.0)

    def convolution(x, conv, norm, stride, groups, relu):
        weight, gamma, beta, mean, variance = (
            weights[name].double().numpy()
            for name in (f"{conv}.weight", *(f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")))
        )
        scale = gamma / np.sqrt(variance + 1e-3)
        inputs = [x, constant(f"{conv}.w", weight * scale[:, None, None, None]), constant(f"{conv}.b", beta - mean * scale)]
        nodes.append(helper.make_node("Conv", inputs, [conv], strides=[stride] * 2, group=groups, auto_pad="SAME_UPPER"))
        if not relu:
            return conv
        nodes.append(helper.make_node("Clip", [conv, low, high], [f"{conv}.relu"]))
        return f"{conv}.relu"

    x, block = convolution("x", "_conv_stem", "_bn0", 2, 1, True), 0
    for repeats, _, first, expansion, narrow, out in STAGES:
        for repeat in range(repeats):
            name, stride = f"_blocks.{block}", first if repeat == 0 else 1
            inside, y = narrow if repeat == 0 else out, x
            if expansion > 1:
                y = convolution(y, f"{name}._expand_conv", f"{name}._bn0", 1, 1, True)
            y = convolution(y, f"{name}._depthwise_conv", f"{name}._bn1", stride, inside * expansion, True)
            y = convolution(y, f"{name}._project_conv", f"{name}._bn2", 1, 1, False)
            if stride == 1 and inside == out:
                nodes.append(helper.make_node("Add", [x, y], [f"{name}.sum"]))
                y = f"{name}.sum"
            x, block = y, block + 1
    x = convolution(x, "_conv_head", "_bn1", 1, 1, True)
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pooled"]))
    made = helper.make_graph(
        nodes, "efficientnet-lite0",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 224, 224])],
        [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["n", 1280, 1, 1])], constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def main():
    weights = torch.load(sys.argv[1], map_location="cpu")
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        onnx.save(graph(weights), file.name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])
    for batch in (1, 16):
        x = np.random.default_rng(0).standard_normal((batch, 3, 224, 224)).astype(np.float32)
        session.run(None, {"x": x})
        count, start, spent = 256 // batch, time.monotonic(), time.process_time()
        for _ in range(count):
            session.run(None, {"x": x})
        pictures = count * batch
        wall, spent = time.monotonic() - start, time.process_time() - spent
        print(
            f"onnxruntime {onnxruntime.__version__}, batch {batch:>2}, {threads} threads: "
            f"{1e3 * wall / pictures:.2f} ms a picture, {1e3 * spent / pictures:.2f} ms of processor time"
        )


if __name__ == "__main__":
    main()
