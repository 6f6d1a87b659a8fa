"""Maps a file as a program would: map.py FILE OFFSET LENGTH read|private|shared [TEXT to store]. Prints one line of JSON."""
import errno
import hashlib
import json
import mmap
import os
import sys
import time

path, offset, length, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
fd = os.open(path, os.O_RDWR if kind == "shared" else os.O_RDONLY)
length = length or os.fstat(fd).st_size - offset
flags = mmap.MAP_PRIVATE if kind == "private" else mmap.MAP_SHARED
prot = mmap.PROT_READ | (mmap.PROT_WRITE if kind != "read" else 0)
try:
    view = mmap.mmap(fd, length, flags=flags, prot=prot, offset=offset)
except OSError as error:
    print(json.dumps({"error": errno.errorcode[error.errno]}))
    raise SystemExit(0)
if len(sys.argv) > 5:
    view[: len(sys.argv[5])] = sys.argv[5].encode()
    if kind == "shared":
        view.flush()
names = {line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if len(line.split(None, 5)) > 5}
print(json.dumps({
    "sha256": hashlib.sha256(view).hexdigest(),
    "start": bytes(view[:16]).decode("latin1"),
    "mapped": sorted(name for name in names if name.startswith("/dev/dax") or name == path),
}), flush=True)
if os.environ.get("STAY"):
    time.sleep(600)
