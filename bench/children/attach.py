"""Forks processes that each open a volume, map a file of it and touch a byte. Prints "ready" when all have; they end with stdin."""
import os
import signal
import sys

sys.path.insert(0, sys.argv[1])
import udax  # noqa: E402

root, path, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
told, tell = os.pipe()
children = []
for _ in range(count):
    pid = os.fork()
    if pid == 0:
        volume = udax.open_volume(root)
        view = volume.open(path).buffer()
        os.write(tell, bytes(view[:1]))
        signal.pause()
    children.append(pid)
os.close(tell)
try:
    answers = 0
    while answers < count:
        some = os.read(told, 4096)
        if not some:
            sys.exit("a process could not attach")
        answers += len(some)
    print("ready", flush=True)
    sys.stdin.read()
finally:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)
