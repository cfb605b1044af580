#!/usr/bin/env python3
"""What a step of several machines costs, by the model of docs/scaling.md, from constants that were measured.

usage: bench/scaling.py [--blocks-per-node N] [--block-seconds S] [--block-copies BYTES] [--latency SECONDS]
"""
import argparse
import math

parser = argparse.ArgumentParser()
parser.add_argument("--blocks-per-node", type=int, default=16, help="blocks that a node trains in a step")
parser.add_argument("--block-seconds", type=float, default=750e-6, help="of a core, merging included, for a block")
parser.add_argument("--cores", type=int, default=16)
parser.add_argument("--block-copies", type=float, default=0.87e6, help="bytes of the rows that a block touches")
parser.add_argument("--growth", type=float, default=0.80, help="distinct rows grow with blocks to this power, at first")
parser.add_argument("--tables", type=float, default=2 * 29868 * 416, help="bytes of both tables: there are no more rows")
parser.add_argument("--latency", type=float, default=20e-6, help="of a message, seconds")
parser.add_argument("--sync-every", type=int, default=16)
a = parser.parse_args()


def distinct(blocks):
    """Bytes of the distinct rows that so many blocks touch."""
    return a.tables * -math.expm1(-a.block_copies * blocks**a.growth / a.tables)


def whole(nodes):
    """Bytes that a node sends in a step, and rounds of messages: copies to their owners, merged rows to all."""
    copies = a.blocks_per_node * a.block_copies * (nodes - 1) / nodes
    return copies + distinct(nodes * a.blocks_per_node) * (nodes - 1) / nodes, 2


def dealt(nodes):
    """Rows that a node's blocks will touch come from their owners, copies go there; requests and totals are small."""
    copies = a.blocks_per_node * a.block_copies * (nodes - 1) / nodes
    return copies + distinct(a.blocks_per_node) * (nodes - 1) / nodes, 4


def periodic(nodes):
    """Of a round, divided by its supersteps: what a replica touched to the owners, what any touched to all."""
    touched = distinct(a.blocks_per_node * a.sync_every)
    rows = distinct(nodes * a.blocks_per_node * a.sync_every)
    return (touched + rows) * (nodes - 1) / nodes / a.sync_every, 2 / a.sync_every


train = math.ceil(a.blocks_per_node / a.cores) * a.block_seconds
print(f"{'':10}{'nodes':>6}{'Gbit/s':>8}{'MB a step':>11}{'train ms':>10}{'network ms':>12}{'training':>10}")
for model in (whole, dealt, periodic):
    for nodes in (2, 10, 100, 1000):
        for gbit in (1, 10, 100):
            sent, rounds = model(nodes)
            network = sent * 8 / (gbit * 1e9) + rounds * a.latency * (min(nodes, 64) - 1)
            print(f"{model.__name__:10}{nodes:6}{gbit:8}{sent / 1e6:11.2f}{train * 1e3:10.2f}{network * 1e3:12.2f}"
                  f"{train / (train + network):10.1%}")
