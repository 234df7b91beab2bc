"""The shape of `ringfence bench train` in PyTorch, for comparison: forward, backward, clipping, AdamW.

    python3 tests/bench/peer_torch.py [--bf16] [--compile] [--threads N] [--seconds S] [--gpt2]

Needs PyTorch 2. Prints tokens per second of whole steps on made-up tokens.
"""
import argparse
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (
            y.view(B, T, self.heads, C // self.heads).transpose(1, 2)
            for y in self.qkv(self.norm1(x)).split(C, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(B, T, C))
        return x + self.proj(F.gelu(self.fc(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, vocabulary, context, layers, heads, width):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.wte.weight, std=0.02)

    def forward(self, tokens, targets):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.wte.weight)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--gpt2", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    V, T, B = (50304, 256, 4) if a.gpt2 else (256, 256, 8)
    model = GPT(V, T, 12, 12, 768) if a.gpt2 else GPT(V, T, 6, 6, 384)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), fused=True)
    run = torch.compile(model) if a.compile else model
    tokens = torch.randint(V, (B, T + 1))

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=a.bf16):
            loss = run(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    step()
    since = time.perf_counter()
    step()
    times = max(1, int(a.seconds / (time.perf_counter() - since)))
    since = time.perf_counter()
    for _ in range(times):
        step()
    rate = times * B * T / (time.perf_counter() - since)
    kind = ("bf16" if a.bf16 else "fp32") + (", compiled" if a.compile else "")
    print(f"torch {torch.__version__}, {kind}, {a.threads} threads: {rate:.0f} tokens/s ({times} steps)")


main()
