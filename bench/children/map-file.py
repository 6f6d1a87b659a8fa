"""Maps a file and works on it when told. Lines in: sequential, random, pss. One number a line out: seconds, or bytes."""
import mmap
import random
import re
import sys
import time

path = sys.argv[1]
file = open(path, "rb")
size = file.seek(0, 2)
chance = random.Random(1)
places = [chance.randrange(size // 4096) * 4096 for _ in range(50_000)]


def sequential(view):
    # Copies into one buffer that stays: the loads are what is measured.
    for at in range(0, size, len(buffer)):
        buffer[: min(len(buffer), size - at)] = view[at : at + len(buffer)]


def at_random(view):
    for at in places:
        page[:] = view[at : at + 4096]


buffer, page = bytearray(1 << 20), bytearray(4096)
kept = None
for line in sys.stdin:
    if line == "pss\n":
        total = 0
        inside = False
        for entry in open("/proc/self/smaps"):
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", entry):
                inside = sys.argv[2] in entry
            elif inside and entry.startswith("Pss:"):
                total += int(entry.split()[1]) * 1024
        print(total, flush=True)
        continue
    started = time.perf_counter()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping, memoryview(mapping) as view:
        (sequential if line == "sequential\n" else at_random)(view)
    print(time.perf_counter() - started, flush=True)
    if line == "sequential\n" and len(sys.argv) > 2 and kept is None:
        kept = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        sequential(memoryview(kept))
