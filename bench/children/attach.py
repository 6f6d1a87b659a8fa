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
answers = 0
while answers < count:
    answers += len(os.read(told, 4096))
print("ready", flush=True)
sys.stdin.read()
for pid in children:
    os.kill(pid, signal.SIGKILL)
for pid in children:
    os.waitpid(pid, 0)
