#!/usr/bin/env python3
"""What a step of several machines costs, by the model of docs/scaling.md, from constants that were measured.

usage: bench/scaling.py [--blocks-per-node N] [--block-seconds S] [--block-copies BYTES] [--overhead SECONDS]
                        [--delay SECONDS] [--loss SHARE | --connection MBIT]
       bench/scaling.py --run SECONDS STEPS ROUNDS BYTES [--gbit RATE] ...     what a run of two machines takes: its seconds on
                        an endless network, its steps, the rounds of messages in each, and the bytes that cross, of the
                        direction in which more do
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
parser.add_argument("--overhead", type=float, default=20e-6, help="of a message, seconds: they are sent one by one")
parser.add_argument("--delay", type=float, default=0, help="each way, seconds: all messages of a round are under way at once")
parser.add_argument("--loss", type=float, default=0, help="share of packets")
parser.add_argument("--round-trip", type=float, help="seconds, as a connection sees it under load (2 x delay)")
parser.add_argument("--segment", type=float, default=1448, help="bytes of data in a packet")
parser.add_argument("--connection", type=float, help="Mbit/s that one connection reaches, measured, in place of a formula")
parser.add_argument("--run", type=float, nargs=4, metavar=("SECONDS", "STEPS", "ROUNDS", "BYTES"))
parser.add_argument("--gbit", type=float, default=1, help="of --run")
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


def connection():
    """Bits a second that one connection reaches: Mathis, Semke, Mahdavi and Ott 1997, equation 3, C = sqrt(3/2)."""
    if a.connection:
        return a.connection * 1e6
    round_trip = a.round_trip or 2 * a.delay
    return math.sqrt(1.5 / a.loss) * 8 * a.segment / round_trip if a.loss and round_trip else math.inf


def network(sent, rounds, nodes, gbit):
    """Seconds: to each of the others there is one connection."""
    others = min(nodes, 64) - 1
    return sent * 8 / min(gbit * 1e9, others * connection()) + rounds * (a.delay + others * a.overhead)


if a.run:
    endless, steps, rounds, sent = a.run
    print(f"{endless + network(sent, steps * rounds, 2, a.gbit):.2f}")
    raise SystemExit

train = math.ceil(a.blocks_per_node / a.cores) * a.block_seconds
print(f"{'':10}{'nodes':>6}{'Gbit/s':>8}{'MB a step':>11}{'train ms':>10}{'network ms':>12}{'training':>10}")
for model in (whole, dealt, periodic):
    for nodes in (2, 10, 100, 1000):
        for gbit in (1, 10, 100):
            sent, rounds = model(nodes)
            waits = network(sent, rounds, nodes, gbit)
            print(f"{model.__name__:10}{nodes:6}{gbit:8}{sent / 1e6:11.2f}{train * 1e3:10.2f}{waits * 1e3:12.2f}"
                  f"{train / (train + waits):10.1%}")
