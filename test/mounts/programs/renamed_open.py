# The way safetensors 0.8 saves: a temporary in the same directory is mapped or written, and renamed while it is still open.
import json
import os
import struct

for value in (1, 2):
    header = json.dumps({"t": {"dtype": "U8", "shape": [5000], "data_offsets": [0, 5000]}}).encode()
    fd = os.open(".tmp-model", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, struct.pack("<Q", len(header)) + header)
    os.ftruncate(fd, 8 + len(header) + 5000)
    os.pwrite(fd, bytes([value]) * 5000, 8 + len(header))
    os.rename(".tmp-model", "model.safetensors")
    os.fsync(fd)
    print(os.fstat(fd).st_size, os.pread(fd, 3, 8 + len(header)), os.fstat(fd).st_nlink)
    os.close(fd)
print(os.listdir("."))
