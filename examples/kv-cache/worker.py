# A worker in Python: usage: worker.py ROOT SEED REQUESTS. Prints one line of JSON. It uses the backend that a serving engine would.
import json
import sys
import time

import udax
from udax.kv import KVBackend

BLOCK_BYTES, PREFIXES, BLOCKS_OF_PREFIX = 262_144, 12, 4


def seed_of(prefix, number):
    seed = number * 101
    for letter in prefix:
        seed = seed * 31 + ord(letter) & 0xFFFF
    return seed


def compute(prefix, number):
    seed = seed_of(prefix, number)
    block = bytearray(BLOCK_BYTES)
    for row in range(BLOCK_BYTES >> 8):
        first = seed + row * 256 * 7 + row & 0xFF
        block[row * 256 : row * 256 + 256] = bytes(first + at * 7 & 0xFF for at in range(256))
    return block


def is_right(block, prefix, number):
    seed = seed_of(prefix, number)
    return len(block) == BLOCK_BYTES and all(block[at] == (seed + at * 7 + (at >> 8) & 0xFF) for at in range(0, BLOCK_BYTES, 9973))


root, state, requests = sys.argv[1], int(sys.argv[2]) * 7919, int(sys.argv[3])
volume = udax.open_volume(root, client_writes=True, writable=True)
arena = udax.open_arena(volume, "/kv")
result = {"hits": 0, "misses": 0, "copied": 0, "wrong": 0, "hitMs": 0, "missMs": 0}
for _ in range(requests):
    state = state * 48271 % 2147483647
    prefix = f"prefix-{state % PREFIXES}"
    started, computed = time.perf_counter(), 0
    for number in range(BLOCKS_OF_PREFIX):
        key = f"{prefix}/{number}"
        value = arena.get(key)
        if value is not None:
            with value:
                result["wrong"] += not is_right(value.bytes, prefix, number)
            result["hits"] += 1
            continue
        computed += 1
        result["misses"] += 1
        block = compute(prefix, number)
        with arena.reserve(key, BLOCK_BYTES) as space:
            space.bytes[:] = block
            space.commit()
    took = (time.perf_counter() - started) * 1000
    if computed == 0:
        result["hitMs"] = min(result["hitMs"] or took, took)
    elif computed == BLOCKS_OF_PREFIX:
        result["missMs"] = max(result["missMs"], took)

# The same cache by the interface of a serving engine: another object of another shape beside the blocks.
backend = KVBackend(volume, "/kv")
backend.put("python", memoryview(bytes(1000)))
found = backend.get("python")
result["wrong"] += bytes(found.buffer) != bytes(1000)
found.release()
backend.close()
arena.close()
print(json.dumps(result))
