"""The networks of docs/networks.md in PyTorch, from their formulas: gradients of every parameter, and logits of models as
GPT-2 and GPT-NeoX are published, with random weights, held against what vectrail says.

usage: torch_networks.py VECTRAIL (in a folder of its own)
"""

import json
import math
import pathlib
import random
import sqlite3
import struct
import subprocess
import sys

import torch
from torch.nn import functional as F

VECTRAIL = sys.argv[1]
torch.manual_seed(1)
random.seed(1)


def vectrail(*arguments):
    result = subprocess.run([VECTRAIL, *arguments], stdout=subprocess.PIPE, check=True)
    return result.stdout.decode()


def read_tensors(path):
    data = pathlib.Path(path).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = torch.frombuffer(bytearray(data[8 + length + begin : 8 + length + end]), dtype=torch.float32)
        tensors[name] = values.reshape(entry["shape"]).clone()
    return tensors, meta


def write_tensors(path, tensors):
    header, at, blobs = {}, 0, []
    for name, tensor in tensors.items():
        blob = tensor.contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        at += len(blob)
        blobs.append(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def rotate(x, share):  # [heads, length, width], pairs (k, k + half)
    half = share // 2
    places = torch.arange(x.shape[1], dtype=torch.float64)[:, None]
    angles = places * 10000 ** (-2 * torch.arange(half, dtype=torch.float64) / share)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b, rest = x[..., :half], x[..., half:share], x[..., share:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)


def sinusoids(length, dim):
    places = torch.arange(length, dtype=torch.float64)[:, None]
    angles = places * 10000 ** (-2 * torch.arange(dim // 2, dtype=torch.float64) / dim)
    table = torch.zeros(length, dim, dtype=torch.float64)
    table[:, 0::2], table[:, 1::2] = angles.sin(), angles.cos()
    return table * 0.02 * math.sqrt(2)


def transformer(p, ids, shape):
    """The logits, of weights as vectrail names them: maps [out, in], queries, keys and values one behind the other."""
    x = p["wte.weight"][ids]
    length, dim, heads = len(ids), x.shape[1], shape["heads"]
    if shape["positions"] == "learned":
        x = x + p["wpe.weight"][:length]
    if shape["positions"] == "sinusoidal":
        x = x + sinusoids(length, dim).to(x.dtype)
    mask = torch.full((length, length), -math.inf, dtype=x.dtype).triu(1)
    for layer in range(shape["layers"]):
        w = lambda name: (p[f"h.{layer}.{name}.weight"].squeeze(0), p[f"h.{layer}.{name}.bias"].squeeze(0))
        norm = lambda x, name: F.layer_norm(x, (dim,), *w(name), eps=shape["epsilon"])
        qkv = F.linear(norm(x, "ln_1"), *w("attn.c_attn")).reshape(length, 3, heads, dim // heads).permute(1, 2, 0, 3)
        q, k, v = qkv
        if shape["positions"] == "rotary":
            q, k = rotate(q, shape["rotary"]), rotate(k, shape["rotary"])
        attention = (q @ k.transpose(1, 2) / math.sqrt(dim // heads) + mask).softmax(-1) @ v
        a = x + F.linear(attention.transpose(0, 1).reshape(length, dim), *w("attn.c_proj"))
        wide = F.linear(norm(x if shape["parallel"] else a, "ln_2"), *w("mlp.c_fc"))
        if shape["exact"]:
            active = F.gelu(wide)
        else:
            active = 0.5 * wide * (1 + torch.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)))
        x = a + F.linear(active, *w("mlp.c_proj"))
    x = F.layer_norm(x, (dim,), p["ln_f.weight"].squeeze(0), p["ln_f.bias"].squeeze(0), eps=shape["epsilon"])
    return x @ p.get("lm_head.weight", p["wte.weight"]).T


def nnlm(p, contexts):
    h = F.relu(F.linear(p["embedding.weight"][contexts].flatten(1), p["hidden.weight"], p["hidden.bias"].squeeze(0)))
    return F.linear(h, p["output.weight"], p["output.bias"].squeeze(0))


def check_gradients(name, options, loss_of):
    """One step of SGD at a rate near zero shows the start, and one at 1000 the gradient."""
    plain = ["--optimizer", "sgd", "--schedule", "constant", "--warmup", "0", "--clip", "0", "--weight-decay", "0",
             "--epochs", "1", "--min-count", "1", "--snapshots", "2", "--quiet", "--force", "--seed", "5"]
    start, step = f"{name}-start", f"{name}-step"
    vectrail("train", "text.txt", "--run", start, *options, *plain, "--lr", "1e-30")
    vectrail("train", "text.txt", "--run", step, *options, *plain, "--lr", "1000")
    before, meta = read_tensors(f"{start}/model.safetensors")
    after, _ = read_tensors(f"{step}/model.safetensors")
    words = {w: i for i, w in sqlite3.connect(f"{start}/run.db").execute("SELECT id, text FROM word")}
    p = {k: v.double().requires_grad_() for k, v in before.items()}
    loss_of(p, words, meta).backward()
    for k in p:
        found = (before[k].double() - after[k].double()) / 1000
        off, length = (found - p[k].grad).norm().item(), p[k].grad.norm().item()
        # The bias of a key moves all scores of a query alike, so its gradient is 0 but for rounding.
        assert off <= 1e-4 * length + 1e-8, f"{name}: {k}: off by {off} of {length}"
    print(f"{name}: {len(p)} parameters, gradients agree")


LENGTH = 24
WORDS = [random.choice("a bb ccc dd e ff gg hhh".split()) for _ in range(LENGTH)]
pathlib.Path("text.txt").write_text(" ".join(WORDS) + "\n")


def loss_of_transformer(p, words, meta):
    shape = {"layers": int(meta["layers"]), "heads": int(meta["heads"]), "positions": meta["positions"],
             "rotary": int(meta["rotary"]), "parallel": meta["parallel"] == "1", "exact": meta["exact_gelu"] == "1",
             "epsilon": 1e-5}
    ids = [words[w] for w in WORDS]
    return F.cross_entropy(transformer(p, torch.tensor(ids), shape), torch.tensor(ids[1:] + [len(words)]))


def loss_of_nnlm(p, words, meta):
    ids = [words[w] for w in WORDS]
    starts = range(0, LENGTH - 4, 2)
    contexts = torch.tensor([ids[s : s + 4] for s in starts])
    return F.cross_entropy(nnlm(p, contexts), torch.tensor([ids[s + 4] for s in starts]))


base = ["--model", "transformer", "--context", str(LENGTH), "--batch", "1"]
check_gradients("learned", base + ["--dim", "32", "--layers", "2", "--heads", "4"], loss_of_transformer)
check_gradients("sinusoidal", base + ["--dim", "24", "--layers", "1", "--heads", "3", "--positions", "sinusoidal",
                                      "--untied"], loss_of_transformer)
check_gradients("rotary", base + ["--dim", "32", "--layers", "3", "--heads", "2", "--positions", "rotary",
                                  "--rotary-share", "0.25", "--parallel", "--exact-gelu", "--untied"],
                loss_of_transformer)
check_gradients("nnlm", ["--model", "nnlm", "--dim", "10", "--hidden", "12", "--context", "4", "--stride", "2",
                         "--batch", "10"], loss_of_nnlm)

# ---- published models ------------------------------------------------------------------------------------------------

TOKENS, DIM, HEADS, LAYERS, PLACES = 101, 48, 4, 3, 40


def random_weights(untied, learned):
    r = lambda *shape: 0.3 * torch.randn(*shape)
    p = {"wte.weight": r(TOKENS, DIM)}
    if learned:
        p["wpe.weight"] = r(PLACES, DIM)
    for n in range(LAYERS):
        for name, out, size in [("attn.c_attn", 3 * DIM, DIM), ("attn.c_proj", DIM, DIM), ("mlp.c_fc", 4 * DIM, DIM),
                                ("mlp.c_proj", DIM, 4 * DIM)]:
            p[f"h.{n}.{name}.weight"], p[f"h.{n}.{name}.bias"] = r(out, size), r(out)
        for name in "ln_1", "ln_2":
            p[f"h.{n}.{name}.weight"], p[f"h.{n}.{name}.bias"] = 1 + r(DIM), r(DIM)
    p["ln_f.weight"], p["ln_f.bias"] = 1 + r(DIM), r(DIM)
    if untied:
        p["lm_head.weight"] = r(TOKENS, DIM)
    return p


def check_logits(name, p, shape, published, config):
    pathlib.Path(name).mkdir(exist_ok=True)
    pathlib.Path(name, "config.json").write_text(json.dumps(config))
    write_tensors(f"{name}/model.safetensors", published)
    ids = [random.randrange(TOKENS) for _ in range(17)]
    said = json.loads(vectrail("generate", name, "--next", "--json", "--ids", ",".join(map(str, ids))))["logits"]
    wanted = transformer({k: v.double() for k, v in p.items()}, torch.tensor(ids), shape)[-1]
    off = (torch.tensor(said).double() - wanted).abs().max().item()
    assert off < 2e-4 * wanted.abs().max().item(), f"{name}: logits off by {off} of {wanted.abs().max()}"
    print(f"{name}: logits agree to {off:.1e}")


shape = {"layers": LAYERS, "heads": HEADS, "positions": "learned", "parallel": False, "exact": False, "epsilon": 1e-5}
p = random_weights(False, True)
turned = {f"transformer.{k}": v.T if ".c_" in k and v.dim() == 2 else v for k, v in p.items()}
check_logits("gpt2", p, shape, turned,
             {"model_type": "gpt2", "vocab_size": TOKENS, "n_embd": DIM, "n_layer": LAYERS, "n_head": HEADS,
              "n_positions": PLACES, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new"})

shape = {"layers": LAYERS, "heads": HEADS, "positions": "rotary", "rotary": 6, "parallel": True, "exact": True,
         "epsilon": 1e-5}
p = random_weights(True, False)
names = {"ln_1": "input_layernorm", "ln_2": "post_attention_layernorm", "attn.c_attn": "attention.query_key_value",
         "attn.c_proj": "attention.dense", "mlp.c_fc": "mlp.dense_h_to_4h", "mlp.c_proj": "mlp.dense_4h_to_h"}
neox = {"gpt_neox.embed_in.weight": p["wte.weight"], "embed_out.weight": p["lm_head.weight"],
        "gpt_neox.final_layer_norm.weight": p["ln_f.weight"], "gpt_neox.final_layer_norm.bias": p["ln_f.bias"]}
for n in range(LAYERS):
    for ours, theirs in names.items():
        for kind in "weight", "bias":
            value = p[f"h.{n}.{ours}.{kind}"]
            if ours == "attn.c_attn":  # theirs: query, key and value of each head side by side
                value = value.reshape(3, HEADS, DIM // HEADS, -1).transpose(0, 1).reshape(value.shape)
            neox[f"gpt_neox.layers.{n}.{theirs}.{kind}"] = value
check_logits("neox", p, shape, neox,
             {"model_type": "gpt_neox", "vocab_size": TOKENS, "hidden_size": DIM, "num_hidden_layers": LAYERS,
              "num_attention_heads": HEADS, "intermediate_size": 4 * DIM, "max_position_embeddings": PLACES,
              "rotary_pct": 0.5, "use_parallel_residual": True, "hidden_act": "gelu", "tie_word_embeddings": False})
