"""A server of main.mjs in Python (standard library and the udax package). See server.mjs: the same paths, the same answers."""
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

import udax

PAGE_BYTES = 4096
FORMATS = {"F32": "f", "F64": "d", "U8": "B", "I8": "b", "I16": "h", "I32": "i", "I64": "q"}


def anonymous_bytes():
    with open("/proc/self/smaps_rollup") as rollup:
        return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss_Anon:"))


def read_bytes(path):
    with open(path, "rb") as file:
        return memoryview(file.read())


def tensors_of(view):
    """Name -> (shape, memoryview of the numbers), without a copy."""
    header_bytes = int.from_bytes(view[:8], "little")
    header = json.loads(bytes(view[8 : 8 + header_bytes]))
    header.pop("__metadata__", None)
    data = view[8 + header_bytes :]
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        found[name] = (entry["shape"], data[begin:end].cast(FORMATS[entry["dtype"]]))
    return found


way, where = sys.argv[1], sys.argv[2:]
anonymous_before = anonymous_bytes()
start = time.perf_counter()
model = tensors_of(udax.open_volume(where[0]).open(where[1]).buffer() if way == "udax" else read_bytes(*where))
last = list(model.values())[-1][1]
last_number = last[-1]
load_ms = (time.perf_counter() - start) * 1000


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = unquote(self.path)
        if path == "/tensors":
            self.answer(200, list(model))
        elif path == "/touch":
            self.answer(200, {"sum": sum(sum(data.cast("B")[::PAGE_BYTES]) for _, data in model.values())})
        elif path.startswith("/tensor/") and path[8:] in model:
            shape, data = model[path[8:]]
            self.answer(200, {"shape": shape, "first": data[0], "last": data[-1]})
        else:
            self.answer(404, {"error": f"no tensor {path}"})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    ready = {"port": server.server_port, "loadMs": load_ms, "anonymousBefore": anonymous_before, "lastNumber": last_number}
    print(json.dumps(ready), flush=True)
    try:
        sys.stdin.read()  # until the one who started us ends or closes it
    except KeyboardInterrupt:
        pass
    server.shutdown()
