"""Reads volumes that anybody may have written, one after the other: the Python target of the fuzzer.

Lines on stdin: {"image": PATH}. Lines on stdout: {"names": [...]} or {"code": ...}, and this process's memory.
"""

import json
import resource
import sys

import udax


def use(volume):
    names = []
    for top, directories, files in volume.walk():
        for name in (*directories, *files):
            path = f"{top.rstrip('/')}/{name}"
            stat = volume.lstat(path)
            names.append([path, stat.is_dir, stat.size, stat.mode, stat.uid, stat.gid])
            if stat.is_dir:
                continue
            for act in (read, queue):
                try:
                    act(volume, path)
                except udax.UdaxError:
                    pass
    return sorted(names)


def read(volume, path):
    with volume.open(path) as file:
        data = file.pread(65536, 0)
        length = min(file.size, 65536)
        view = file.buffer(0, length)
        assert bytes(view) == data, "the view differs from what was read"
        view.release()
        last = max(0, file.size - 1)
        tail = file.buffer(last)
        assert bytes(tail) == file.pread(10, last)
        tail.release()


def queue(volume, path):
    udax.queue_info(volume, path)


def main():
    for line in sys.stdin:
        try:
            with udax.open_volume(json.loads(line)["image"]) as volume:
                answer = {"names": use(volume)}
        except udax.UdaxError as error:
            answer = {"code": error.code, "message": str(error)}
        answer["kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(answer), flush=True)


main()
