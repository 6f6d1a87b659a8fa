"""A Python process on an arena. usage: arena.py IMAGE ACT SEED COUNT; the same acts as test/arena/child.mjs."""

import hashlib
import random
import sys
import time

import udax

image, act, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
random.seed(seed)
volume = udax.open_volume(image, writable=True)
arena = udax.open_arena(volume, "/kv")
KEYS = 40


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def filled(key, number, length):
    tail = bytearray((number * 31 + at) & 0xFF for at in range(256))
    bytes_ = bytearray((bytes(tail) * (length // 256 + 1))[:length])
    head = f"{key} {number} {length} ".encode()[:length]
    bytes_[: len(head)] = head
    return bytes_


def check(view, key):
    name, number, length = bytes(view[:64]).decode("latin1").split(" ")[:3]
    if name != key or int(length) != len(view) or view != filled(key, int(number), len(view)):
        raise AssertionError(f"{key} is torn or another's: {bytes(view[:40])!r}")
    return hashlib.md5(view).hexdigest()


def write(number):
    key = f"w{seed}-{random.randrange(KEYS)}"
    length = 70_000 + random.randrange(100_000) if random.randrange(10) == 0 else 64 + random.randrange(3000)
    dice = random.randrange(10)
    try:
        if dice < 8:
            with arena.reserve(key, length) as space:
                space.bytes[:] = filled(key, number, length)
                say(f"begin {key} {number}")
                if dice < 7:
                    space.commit()
            say(f"put {key} {number}" if dice < 7 else f"same {key}")
        else:
            say(f"begin {key} gone")
            arena.delete(key)
            say(f"put {key} gone")
    except udax.UdaxError as error:
        if error.code not in ("EBUSY", "ENOSPC"):
            raise
        say(f"same {key}")


def read():
    key = f"w{1 + random.randrange(4)}-{random.randrange(KEYS)}"
    value = arena.get(key)
    if value is None:
        return
    with value:
        before = check(value.bytes, key)
        time.sleep(random.random() * 0.003)
        if check(value.bytes, key) != before:
            raise AssertionError(f"{key} changed while it was pinned")


say("ready")
for i in range(count):
    if act == "write":
        write(i)
    else:
        read()
say("end")
arena.close()
