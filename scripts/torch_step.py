#!/usr/bin/env python3
"""One training step of flow matching and of MeanFlow in PyTorch, and a one-step sample: the other side of `scripts/race`.

It follows the published recipe (u and du/dt by torch.func.jvp over the whole batch, squared error against the detached target,
adaptive weight, Adam, one average) and nothing else.

    pip install torch numpy
    python scripts/torch_step.py --net dit --objective meanflow --batch 64 --threads 2 [--compile] [--device cuda]

It prints one line; optimizer and average are in the step. The networks have the parameter counts of `meanflow bench` to within
one per cent; the U-Net of this side resamples by average pooling and nearest neighbours.
"""
import argparse, math, time
import torch
from torch import nn
from torch.nn import functional as F


def embed(t, dim):
    half = dim // 2
    freqs = torch.exp(-math.log(10000.0) * torch.arange(half, device=t.device, dtype=torch.float32) / half)
    args = t[:, None] * freqs[None]
    return torch.cat([args.cos(), args.sin()], dim=1)


class TimeMlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a, self.b = nn.Linear(256, dim), nn.Linear(dim, dim)

    def forward(self, t):
        return self.b(F.silu(self.a(embed(t, 256))))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.ada = nn.Linear(dim, 6 * dim)

    def forward(self, x, c):
        b, n, d = x.shape
        s1, g1, a1, s2, g2, a2 = self.ada(F.silu(c))[:, None].chunk(6, dim=2)
        q, k, v = self.qkv(self.norm1(x) * (1 + g1) + s1).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        w = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(d // self.heads), dim=-1)
        x = x + a1 * self.proj((w @ v).transpose(1, 2).reshape(b, n, d))
        return x + a2 * self.fc2(F.gelu(self.fc1(self.norm2(x) * (1 + g2) + s2), approximate="tanh"))


class Dit(nn.Module):
    def __init__(self, size, channels, patch, dim, depth, heads, classes):
        super().__init__()
        self.patch, self.channels = patch, channels
        self.patchify = nn.Conv2d(channels, dim, patch, patch)
        self.pos = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2, dim), requires_grad=False)
        self.t, self.h, self.y = TimeMlp(dim), TimeMlp(dim), nn.Embedding(classes + 1, dim)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.ada, self.out = nn.Linear(dim, 2 * dim), nn.Linear(dim, patch * patch * channels)

    def forward(self, z, t, h, y):
        b, c, s, _ = z.shape
        x = self.patchify(z).flatten(2).transpose(1, 2) + self.pos
        cond = self.t(t) + self.h(h) + self.y(y)
        for block in self.blocks:
            x = block(x, cond)
        shift, scale = self.ada(F.silu(cond))[:, None].chunk(2, dim=2)
        x = self.out(self.norm(x) * (1 + scale) + shift)
        g, p = s // self.patch, self.patch
        return x.reshape(b, g, g, p, p, c).permute(0, 5, 1, 3, 2, 4).reshape(b, c, s, s)


def group_norm(x, groups, weight, bias):
    b, c, hh, ww = x.shape
    g = x.reshape(b, groups, -1)
    g = (g - g.mean(2, keepdim=True)) * torch.rsqrt(g.var(2, keepdim=True, unbiased=False) + 1e-6)
    return g.reshape(b, c, hh, ww) * weight[None, :, None, None] + bias[None, :, None, None]


class Norm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.groups, self.weight, self.bias = min(32, c // 4), nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))

    def forward(self, x):
        return group_norm(x, self.groups, self.weight, self.bias)


class Res(nn.Module):
    def __init__(self, cin, cout, emb, attention=False):
        super().__init__()
        self.n0, self.c0, self.emb = Norm(cin), nn.Conv2d(cin, cout, 3, padding=1), nn.Linear(emb, cout)
        self.n1, self.c1 = Norm(cout), nn.Conv2d(cout, cout, 3, padding=1)
        self.skip = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()
        self.attn = attention
        if attention:
            self.n2, self.qkv, self.proj = Norm(cout), nn.Conv2d(cout, 3 * cout, 1), nn.Conv2d(cout, cout, 1)

    def forward(self, x, e):
        h = self.c0(F.silu(self.n0(x)))
        h = self.c1(F.silu(self.n1(h + self.emb(e)[:, :, None, None])))
        x = (h + self.skip(x)) * math.sqrt(0.5)
        if self.attn:
            b, c, s, _ = x.shape
            q, k, v = self.qkv(self.n2(x)).reshape(b, 3, c, s * s).unbind(1)
            w = torch.softmax(q.transpose(1, 2) @ k / math.sqrt(c), dim=-1)
            x = (x + self.proj((v @ w.transpose(1, 2)).reshape(b, c, s, s))) * math.sqrt(0.5)
        return x


class UNet(nn.Module):
    def __init__(self, size, channels, base, mult, blocks, attention_at):
        super().__init__()
        emb = 4 * base
        self.base = base
        self.m0, self.m1 = nn.Linear(4 * base, emb), nn.Linear(emb, emb)
        self.inp = nn.Conv2d(channels, base, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        c, skips, s = base, [base], size
        for level, m in enumerate(mult):
            if level:
                self.down.append(nn.AvgPool2d(2)); skips.append(c); s //= 2
            for _ in range(blocks):
                self.down.append(Res(c, base * m, emb, s in attention_at)); c = base * m; skips.append(c)
        self.mid = nn.ModuleList([Res(c, c, emb, True), Res(c, c, emb)])
        for level in reversed(range(len(mult))):
            for _ in range(blocks + 1):
                self.up.append(Res(c + skips.pop(), base * mult[level], emb)); c = base * mult[level]
            if level:
                self.up.append(nn.Upsample(scale_factor=2, mode="nearest"))
        self.norm, self.out = Norm(c), nn.Conv2d(c, channels, 3, padding=1)

    def forward(self, z, t, h, y=None):
        e = torch.cat([embed(t, 2 * self.base), embed(h, 2 * self.base)], dim=1)
        e = F.silu(self.m1(F.silu(self.m0(e))))
        x = self.inp(z)
        skips = [x]
        for layer in self.down:
            x = layer(x, e) if isinstance(layer, Res) else layer(x)
            skips.append(x)
        for layer in self.mid:
            x = layer(x, e)
        for layer in self.up:
            x = layer(torch.cat([x, skips.pop()], 1), e) if isinstance(layer, Res) else layer(x)
        return self.out(F.silu(self.norm(x)))


NETS = {
    # name: (constructor, image size, channels)
    "dit": (lambda: Dit(32, 1, 4, 192, 6, 3, 10), 32, 1),
    "dit-s2": (lambda: Dit(32, 4, 2, 384, 12, 6, 1000), 32, 4),
    "dit-b4": (lambda: Dit(32, 4, 4, 768, 12, 12, 1000), 32, 4),
    "dit-xl2": (lambda: Dit(32, 4, 2, 1152, 28, 16, 1000), 32, 4),
    "unet": (lambda: UNet(32, 1, 32, [1, 2, 2], 1, [16]), 32, 1),
    "unet-cifar": (lambda: UNet(32, 3, 128, [2, 2, 2], 4, [16]), 32, 3),
}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--net", choices=NETS, default="dit")
    ap.add_argument("--objective", choices=["fm", "meanflow", "sample"], default="meanflow")
    ap.add_argument("--batch", type=int, default=64)
    ap.add_argument("--jvp-rows", choices=["all", "needed"], default="all", help="published code differentiates every row; 'needed' only the rows with r != t")
    ap.add_argument("--ratio", type=float, default=0.25, help="share of rows with r != t")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--steps", type=int, default=7)
    ap.add_argument("--device", default="cpu")
    ap.add_argument("--compile", action="store_true")
    ap.add_argument("--tf32", action="store_true")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    if a.tf32:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    make, size, channels = NETS[a.net]
    net = make().to(a.device)
    ema = make().to(a.device)
    opt = torch.optim.Adam(net.parameters(), lr=1e-4, betas=(0.9, 0.95))
    b, dev = a.batch, a.device
    x = torch.randn(b, channels, size, size, device=dev)
    y = torch.randint(0, 10, (b,), device=dev)
    k = b if a.jvp_rows == "all" else max(1, int(b * a.ratio))

    def loss_fn(e, t, r):
        v4 = lambda s: s.view(-1, 1, 1, 1)
        z, v = (1 - v4(t)) * x + v4(t) * e, e - x
        if a.objective == "fm":
            per = ((net(z, t, torch.zeros_like(t), y) - v) ** 2).sum((1, 2, 3))
        else:
            f = lambda z, t, r, y: net(z, t, t - r, y)
            u, du = torch.func.jvp(lambda z, t, r: f(z, t, r, y[:k]), (z[:k], t[:k], r[:k]), (v[:k], torch.ones_like(t[:k]), torch.zeros_like(r[:k])))
            target = (v[:k] - v4(t[:k] - r[:k]) * du).detach()
            per = ((u - target) ** 2).sum((1, 2, 3))
            if k < b:
                per = torch.cat([per, ((f(z[k:], t[k:], t[k:], y[k:]) - v[k:]) ** 2).sum((1, 2, 3))])
        return (per / (per.detach() + 1e-2)).mean()

    loss_fn_ = torch.compile(loss_fn) if a.compile else loss_fn

    sample_net = torch.compile(net) if a.compile else net

    def step():
        if a.objective == "sample":
            with torch.no_grad():
                one = torch.ones(b, device=dev)
                return x - sample_net(x, one, one, y)
        t, r = torch.rand(b, device=dev), torch.rand(b, device=dev)
        t, r = torch.maximum(t, r), torch.minimum(t, r)
        r = torch.where(torch.arange(b, device=dev) < int(b * a.ratio), r, t)
        opt.zero_grad(set_to_none=True)
        loss_fn_(torch.randn_like(x), t, r).backward()
        opt.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(net.parameters()), 1e-4)

    def sync():
        if dev != "cpu":
            torch.cuda.synchronize()

    for _ in range(3):
        step()
    times = []
    for _ in range(a.steps):
        sync(); s = time.perf_counter(); step(); sync()
        times.append(1e3 * (time.perf_counter() - s))
    times.sort()
    params = sum(p.numel() for p in net.parameters() if p.requires_grad)
    mode = ("compile" if a.compile else "eager") + ("+tf32" if a.tf32 else "")
    print(f"torch {torch.__version__} {mode} {a.net} {a.objective} jvp_rows={a.jvp_rows} batch={b} params={params} median_ms={times[len(times)//2]:.1f} min_ms={times[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
