#!/usr/bin/env python3
"""What a step of several machines costs, by the model of docs/scaling.md, from constants that were measured.

usage: bench/scaling.py [--blocks-per-node N] [--block-seconds S] [--block-copies BYTES] [--latency SECONDS]
"""
import argparse
import math

parser = argparse.ArgumentParser()
parser.add_argument("--blocks-per-node", type=int, default=16, help="blocks that a node trains in a step")
parser.add_argument("--block-seconds", type=float, default=350e-6, help="of a core, merging included, for a block")
parser.add_argument("--cores", type=int, default=16)
parser.add_argument("--block-copies", type=float, default=0.87e6, help="bytes of the rows that a block touches")
parser.add_argument("--first-rows", type=float, default=0.87e6, help="bytes of distinct rows in one block, ...")
parser.add_argument("--growth", type=float, default=0.80, help="... which grow with blocks to this power")
parser.add_argument("--tables", type=float, default=2 * 29868 * 416, help="bytes of both tables: there are no more rows")
parser.add_argument("--latency", type=float, default=20e-6, help="of a message, seconds")
parser.add_argument("--sync-every", type=int, default=16)
a = parser.parse_args()


def exact(nodes, rate):
    """Seconds of a step: blocks, then copies to their owners, then merged rows to all."""
    blocks = nodes * a.blocks_per_node
    train = math.ceil(a.blocks_per_node / a.cores) * a.block_seconds
    copies = a.blocks_per_node * a.block_copies * (nodes - 1) / nodes
    rows = min(a.first_rows * blocks ** a.growth, a.tables) * (nodes - 1) / nodes
    return train, (copies + rows) / rate + 2 * a.latency * (nodes - 1 if nodes < 64 else 64)


def periodic(nodes, rate):
    """The same for a round, divided by its supersteps: tables go to their owners and come back."""
    blocks = a.blocks_per_node * a.sync_every
    train = math.ceil(a.blocks_per_node / a.cores) * a.block_seconds
    touched = min(a.first_rows * blocks ** a.growth, a.tables)
    rows = a.tables
    seconds = (touched + rows) * (nodes - 1) / nodes / rate + 2 * a.latency * min(nodes - 1, 64)
    return train, seconds / a.sync_every


print(f"{'':10}{'nodes':>6}{'Gbit/s':>8}{'train ms':>10}{'network ms':>12}{'efficiency':>12}")
for name, model in (("exact", exact), ("periodic", periodic)):
    for nodes in (1, 2, 10, 100, 1000):
        for gbit in (1, 10, 100):
            train, network = model(nodes, gbit * 1e9 / 8)
            if nodes == 1:
                network = 0
            print(f"{name:10}{nodes:6}{gbit:8}{train * 1e3:10.2f}{network * 1e3:12.2f}{train / (train + network):12.1%}")
