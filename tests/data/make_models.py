#!/usr/bin/env python3
"""Makes tests/data/models/{gpt2,llama,llama-untied}.safetensors: what PyTorch computes for small models.

    python3 tests/data/make_models.py          # needs torch; any version from 1.13 on

Each file holds, in fp32: the parameters under this project's names; the tokens of a batch [B, T] and
the class that each row is asked for; logits [B * T, V]; the loss (mean, nats); "grad." and a name, the
gradient of every parameter; and "losses", those of ten AdamW steps on the same batch (rate 1e-2, betas
0.9 and 0.95, eps 1e-8, decay 0.1 on matrices, gradients clipped to norm 1).

The models are written out here from their papers and use PyTorch's own functions and derivatives.
"""

import json
import os
import struct

import torch
import torch.nn.functional as F

B, T, V, C, H, LAYERS, HEADS = 3, 8, 23, 16, 24, 2, 4
EPS, THETA, STEPS = 1e-5, 10000.0, 10


def normal(generator, *shape, scale=0.3):
    return (torch.randn(*shape, generator=generator) * scale).requires_grad_()


def parameters(family, kv_heads, untied, generator):
    """Values far from where training starts, so that no gradient is close to zero."""
    p = {"wte.weight": normal(generator, V, C)}
    k = kv_heads * C // HEADS

    def norm(name, bias):
        p[name + ".weight"] = (1 + 0.3 * torch.randn(C, generator=generator)).requires_grad_()
        if bias:
            p[name + ".bias"] = normal(generator, C)

    gpt2 = family == "gpt2"
    if gpt2:
        p["wpe.weight"] = normal(generator, T, C)
    for i in range(LAYERS):
        h = f"h.{i}."
        norm(h + "ln_1", gpt2)
        for part, rows in (("q", C), ("k", k), ("v", k)):
            p[h + f"attn.{part}.weight"] = normal(generator, rows, C)
        if gpt2:
            for part, rows in (("q", C), ("k", k), ("v", k)):
                p[h + f"attn.{part}.bias"] = normal(generator, rows)
        p[h + "attn.o.weight"] = normal(generator, C, C)
        if gpt2:
            p[h + "attn.o.bias"] = normal(generator, C)
        norm(h + "ln_2", gpt2)
        if not gpt2:
            p[h + "mlp.gate.weight"] = normal(generator, H, C)
        p[h + "mlp.fc.weight"] = normal(generator, H, C)
        if gpt2:
            p[h + "mlp.fc.bias"] = normal(generator, H)
        p[h + "mlp.proj.weight"] = normal(generator, C, H)
        if gpt2:
            p[h + "mlp.proj.bias"] = normal(generator, C)
    norm("ln_f", gpt2)
    if untied:
        p["lm_head.weight"] = normal(generator, V, C)
    return p


def rotated(x):
    """x [B, heads, T, W]: elements i and i + W/2 turn by position * theta ** (-2 i / W)."""
    w = x.shape[-1]
    rate = THETA ** (-torch.arange(0, w, 2, dtype=torch.float64) / w)
    angle = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * rate[None, :]
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., : w // 2], x[..., w // 2 :]
    return torch.cat((a * cosine - b * sine, b * cosine + a * sine), dim=-1)


def logits_of(family, kv_heads, p, tokens):
    gpt2 = family == "gpt2"

    def norm(x, name):
        if gpt2:
            return F.layer_norm(x, (C,), p[name + ".weight"], p[name + ".bias"], EPS)
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * p[name + ".weight"]

    def linear(x, name):
        return F.linear(x, p[name + ".weight"], p.get(name + ".bias"))

    def heads(x, n):
        return x.view(B, T, n, C // HEADS).transpose(1, 2)

    x = p["wte.weight"][tokens]
    if gpt2:
        x = x + p["wpe.weight"][:T]
    hidden = torch.full((T, T), float("-inf")).triu(1)
    for i in range(LAYERS):
        h = f"h.{i}."
        y = norm(x, h + "ln_1")
        q = heads(linear(y, h + "attn.q"), HEADS)
        k = heads(linear(y, h + "attn.k"), kv_heads)
        v = heads(linear(y, h + "attn.v"), kv_heads)
        if not gpt2:
            q, k = rotated(q), rotated(k)
        k, v = (z.repeat_interleave(HEADS // kv_heads, dim=1) for z in (k, v))
        scores = q @ k.transpose(-1, -2) / (C // HEADS) ** 0.5 + hidden
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, C)
        x = x + linear(y, h + "attn.o")
        y = norm(x, h + "ln_2")
        if gpt2:
            y = F.gelu(linear(y, h + "mlp.fc"), approximate="tanh")
        else:
            y = F.silu(linear(y, h + "mlp.gate")) * linear(y, h + "mlp.fc")
        x = x + linear(y, h + "mlp.proj")
    x = norm(x, "ln_f")
    return F.linear(x, p.get("lm_head.weight", p["wte.weight"])).reshape(B * T, V)


def write(path, tensors):
    header, at = {}, 0
    for name, t in tensors.items():
        size = 4 * t.numel()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            out.write(t.detach().to(torch.float32).contiguous().numpy().astype("<f4").tobytes())


def make(name, family, kv_heads, untied):
    generator = torch.Generator().manual_seed(20)
    p = parameters(family, kv_heads, untied, generator)
    tokens = torch.randint(V, (B, T), generator=generator)
    target = torch.randint(V, (B * T,), generator=generator)
    out = {n: t.detach().clone() for n, t in p.items()}
    decays = [t for t in p.values() if t.dim() == 2]
    others = [t for t in p.values() if t.dim() != 2]
    adamw = torch.optim.AdamW([{"params": decays, "weight_decay": 0.1},
                               {"params": others, "weight_decay": 0.0}],
                              lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
    losses = []
    for step in range(STEPS):
        adamw.zero_grad()
        logits = logits_of(family, kv_heads, p, tokens)
        loss = F.cross_entropy(logits, target)
        loss.backward()
        if step == 0:
            out["tokens"], out["target"] = tokens.float(), target.float()
            out["logits"], out["loss"] = logits.detach().clone(), loss.detach().reshape(1)
            out.update({"grad." + n: t.grad.clone() for n, t in p.items()})
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(list(p.values()), 1.0)
        adamw.step()
    out["losses"] = torch.tensor(losses)
    write(os.path.join(os.path.dirname(__file__), "models", name + ".safetensors"), out)
    print(name, len(p), "tensors, losses", " ".join(f"{x:.6f}" for x in losses))


torch.set_num_threads(1)
make("gpt2", "gpt2", HEADS, False)
make("llama", "llama", 2, False)
make("llama-untied", "llama", 1, True)
