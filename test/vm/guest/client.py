"""What the Python package does on a device: client.py DEVICE VERB [WORD ...]. Prints one line of JSON."""
import hashlib
import json
import sys

import udax

device, verb, words = sys.argv[1], sys.argv[2], sys.argv[3:]


def tree(volume):
    return sorted(
        [f"{top.rstrip('/')}/{name}", volume.stat(f"{top.rstrip('/')}/{name}").size]
        for top, _directories, files in volume.walk()
        for name in files
    )


def answer():
    if verb == "walk":
        with udax.open_volume(device) as volume:
            return {"files": tree(volume), "problems": len(volume.problems)}
    if verb == "sums":
        with udax.open_volume(device) as volume:
            sums = []
            for path in words:
                with volume.open(path) as file:
                    view = file.buffer()
                    sums.append(hashlib.sha256(view).hexdigest())
                    view.release()
            return sums
    if verb == "store":
        path, offset, text = words[0], int(words[1]), words[2].encode()
        with udax.open_volume(device, writable=True) as volume, volume.open(path, writable=True) as file:
            view = file.buffer(offset, len(text), writable=True)
            view[:] = text
            view.release()
            file.flush()
        return True
    if verb == "wait":
        with udax.open_volume(device) as volume:
            print("waiting", flush=True)
            for event in volume.watch(timeout=60):
                for stat in event.entries:
                    if stat.path == words[0]:
                        return {"path": stat.path, "size": stat.size}
        return None
    if verb == "put":
        with udax.open_volume(device, writable=True) as volume:
            queue = udax.open_queue(volume, words[0], "producer", framed=True)
            for number in range(int(words[1])):
                queue.put(f"message {number}".encode(), timeout=30)
        return True
    raise SystemExit(f"client.py: {verb}?")


print(json.dumps(answer()), flush=True)
