#!/usr/bin/env python3
"""What one TCP connection does on the link of bench/two-machines.sh while both sides send all they can, as ranks do: the
rate that comes in on each side, and the round trip that the kernel sees meanwhile.

usage: bench/two-machines.sh RATE,DELAY,LOSS 2 python3 bench/two_way.py [SECONDS]     prints a line of JSON a side
"""
import json
import os
import socket
import statistics
import struct
import sys
import threading
import time

ADDRESS = ("10.77.0.1", 7000)  # of side a, in bench/two-machines.sh
PIECE = 1 << 18
WAIT = 20

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 6
first = os.environ["VECTRAIL_MACHINE"] == "a"


def connect():
    if first:
        with socket.create_server(ADDRESS) as server:
            server.settimeout(WAIT)
            return server.accept()[0]
    latest = time.monotonic() + WAIT
    while True:
        try:
            return socket.create_connection(ADDRESS)
        except ConnectionRefusedError:
            if time.monotonic() > latest:
                raise
            time.sleep(0.05)


def info():
    """Round trip in seconds and bytes of a segment, from struct tcp_info of <linux/tcp.h>."""
    data = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return struct.unpack_from("I", data, 68)[0] * 1e-6, struct.unpack_from("I", data, 16)[0]


def receive():
    buffer = bytearray(PIECE)
    while count := connection.recv_into(buffer):
        if time.monotonic() < end:
            received.append(count)


def watch():
    while time.monotonic() < end:
        time.sleep(0.05)
        trips.append(info()[0])


connection = connect()
end = time.monotonic() + seconds
received, trips = [], []
threads = [threading.Thread(target=receive), threading.Thread(target=watch)]
for thread in threads:
    thread.start()
data = bytes(PIECE)
while time.monotonic() < end:
    connection.sendall(data)
connection.shutdown(socket.SHUT_WR)
for thread in threads:
    thread.join()
print(json.dumps({"into": "a" if first else "b", "mbit": round(sum(received) * 8e-6 / seconds, 1),
                  "round_trip_ms": round(statistics.median(trips) * 1e3, 3), "segment": info()[1]}), flush=True)
