import io
import json
import random
import struct
import unittest

from udax.formats import arrow, gguf, npy, npz, safetensors

try:
    import numpy
except ImportError:
    numpy = None


def safetensors_file(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def one(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


class Safetensors(unittest.TestCase):
    def test_tensors_are_views(self):
        data = bytearray(safetensors_file({"__metadata__": {"a": "b"}, "w": one(), "v": one("BF16", (2, 1), (8, 12))}, bytes(12)))
        found = safetensors(data)
        self.assertEqual((list(found), found.metadata), (["w", "v"], {"a": "b"}))
        self.assertEqual((found["v"].dtype, found["v"].shape, found["v"].nbytes), ("bf16", (2, 1), 4))
        data[-12] = 7
        self.assertEqual(found["w"].data[0], 7)
        if numpy is not None:
            self.assertEqual((found["v"].numpy().dtype, found["v"].numpy().shape), (numpy.dtype("u2"), (2, 1)))
            self.assertFalse(found["w"].numpy().flags.owndata)

    def test_bad_headers_are_valueerrors(self):
        for why, bad in {
            "hold no header": b"1234567",
            "would have": struct.pack("<Q", 2**40) + b"{}",
            "does not begin": safetensors_file(b" {}"),
            "nested": safetensors_file(b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}"),
            "twice": safetensors_file(b'{"a":1,"a":2}'),
            "UTF-8": safetensors_file(b'{"\xff":1}'),
            "not described": safetensors_file({"a": 1}),
            "type": safetensors_file({"a": one("F4")}, bytes(8)),
            "no list": safetensors_file({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, bytes(4)),
            "lies at": safetensors_file({"a": one(offsets=(0, 80))}, bytes(8)),
            "need 8": safetensors_file({"a": one(offsets=(0, 4))}, bytes(8)),
            "beyond 2\\^63": safetensors_file({"a": one(shape=(2**40, 2**40))}, bytes(8)),
            "begins at": safetensors_file({"a": one(), "b": one(offsets=(4, 12))}, bytes(12)),
            "end at": safetensors_file({"a": one()}, bytes(12)),
            "map of strings": safetensors_file({"__metadata__": {"a": 1}}),
        }.items():
            with self.subTest(why=why), self.assertRaisesRegex(ValueError, why):
                safetensors(bad)


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def gguf_file(keys=(), tensors=(), data=b"", version=3, count=None):
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors) if count is None else count, len(keys))
    head += b"".join(text(key) + struct.pack("<I", kind) + value for key, kind, value in keys)
    for name, lengths, kind, offset in tensors:
        head += text(name) + struct.pack(f"<I{len(lengths)}QIQ", len(lengths), *lengths, kind, offset)
    return head + bytes(-len(head) % 32) + data


class Gguf(unittest.TestCase):
    def test_keys_and_tensors(self):
        keys = [
            ("general.name", 8, text("m")),
            ("n", 4, struct.pack("<I", 7)),
            ("on", 7, b"\1"),
            ("list", 9, struct.pack("<IQ2i", 5, 2, 3, -4)),
            ("words", 9, struct.pack("<IQ", 8, 2) + text("a") + text("b")),
        ]
        found = gguf(gguf_file(keys, [("w", (4, 2), 0, 0), ("q", (32, 2), 2, 32)], bytes(range(68))))
        self.assertEqual(list(found["w"].shape), [2, 4])
        self.assertEqual((found["q"].dtype, found["q"].nbytes, found["q"].data[0]), ("q4_0", 36, 32))
        metadata = {key: list(value) if isinstance(value, (memoryview, list)) else value for key, value in found.metadata.items()}
        self.assertEqual(metadata, {"general.name": "m", "n": 7, "on": True, "list": [3, -4], "words": ["a", "b"]})

    def test_bad_headers_are_valueerrors(self):
        deep = struct.pack("<IQ", 9, 1) * 40 + struct.pack("<IQ", 0, 0)
        for why, bad in {
            "GGUF": b"GGML" + bytes(40),
            "version": gguf_file(version=9),
            "needs": b"GGUF\3\0\0\0",
            "tensors do not fit": gguf_file(count=2**60),
            "too deep|too many": gguf_file([("a", 9, deep)]),
            "unknown": gguf_file([("a", 99, b"")]),
            "too many": gguf_file([("a", 9, struct.pack("<IQ", 8, 2**50))]),
            "needs 9": gguf_file([("a", 9, struct.pack("<IQ", 0, 2**63))]),
            "power of two": gguf_file([("general.alignment", 4, struct.pack("<I", 24))]),
            "dimensions": gguf_file([], [("w", (1,) * 5, 0, 0)], bytes(64)),
            "lacks": gguf_file([], [("w", (4,), 4, 0)], bytes(64)),
            "blocks": gguf_file([], [("w", (33,), 2, 0)], bytes(64)),
            "lies at": gguf_file([], [("w", (400,), 0, 0)], bytes(64)),
            "lies at 1": gguf_file([], [("w", (4,), 0, 1)], bytes(64)),
            "key 'a' is there twice": gguf_file([("a", 0, b"1"), ("a", 0, b"1")]),
        }.items():
            with self.subTest(why=why), self.assertRaisesRegex(ValueError, why):
                gguf(bad)


def npy_file(header, data=b"", version=1):
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header.encode() + data


class Npy(unittest.TestCase):
    def test_the_header(self):
        found = npy(npy_file("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }\n", bytes(24), version=2))
        self.assertEqual((found.dtype, found.shape, found.fortran_order, found.nbytes), ("i32", (2, 3), True, 24))

    def test_bad_headers_are_valueerrors(self):
        good = "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }"
        for bad in (
            b"",
            b"\x93NUMPY\x09\0" + bytes(9),
            npy_file(good % ("|O", "3,"), bytes(24)),
            npy_file(good % (">f4", "3,"), bytes(24)),
            npy_file(good % ("<f4", "3,"), bytes(11)),
            npy_file(good % ("<f4", "9" * 19 + "," + "9" * 19), bytes(11)),
            npy_file(good % ("<f4", "1," * 40), bytes(11)),
            npy_file("{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (1,)}", bytes(11)),
            npy_file("(" * 60000, b""),
            b"\x93NUMPY\2\0\xff\xff\xff\xff" + bytes(40),
        ):
            with self.subTest(bad=bad[:60]), self.assertRaises(ValueError):
                npy(bad)

    @unittest.skipIf(numpy is None, "numpy is not installed")
    def test_what_numpy_writes(self):
        for array in (numpy.arange(6, dtype="<f8").reshape(2, 3), numpy.asfortranarray(numpy.eye(3, dtype="f4")), numpy.array(True)):
            out = io.BytesIO()
            numpy.save(out, array)
            found = npy(out.getvalue()).numpy()
            self.assertTrue((found == array).all() and found.shape == array.shape and found.dtype == array.dtype)

    @unittest.skipIf(numpy is None, "numpy is not installed")
    def test_stored_members_of_a_zip(self):
        out = io.BytesIO()
        numpy.savez(out, a=numpy.arange(3), b=numpy.zeros((2, 2), "f4"))
        data = bytearray(out.getvalue())
        found = npz(data)
        self.assertEqual((sorted(found), found["a"].numpy().tolist(), found["b"].shape), (["a", "b"], [0, 1, 2], (2, 2)))
        packed = io.BytesIO()
        numpy.savez_compressed(packed, a=numpy.zeros(1000))
        with self.assertRaisesRegex(ValueError, "compressed"):
            npz(packed.getvalue())["a"]
        for at in (0, len(data) // 2):
            with self.assertRaises(ValueError):
                npz(bytes(data[:at]))


class Mutants(unittest.TestCase):
    """Any change of a good file gives an answer or a ValueError, in bounded time and memory."""

    def mutants(self, good, seed):
        chance = random.Random(seed)
        for _ in range(400):
            data = bytearray(good)
            for _ in range(chance.randrange(1, 4)):
                at = chance.randrange(len(data))
                edge = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
                data[at : at + chance.choice([1, 2, 4, 8])] = bytes([edge]) * chance.choice([1, 2, 4, 8])
            yield bytes(data[: chance.randrange(len(data))] if chance.random() < 0.1 else data)

    def check(self, good, use):
        use(good)
        answers = 0
        for data in self.mutants(good, len(good)):
            try:
                use(data)
                answers += 1
            except ValueError:
                pass
        self.assertGreater(answers, 0)

    def test_of_safetensors(self):
        self.check(safetensors_file({"w": one(), "v": one("I8", (4,), (8, 12))}, bytes(12)), safetensors)

    def test_of_gguf(self):
        keys = [("a", 8, text("m")), ("list", 9, struct.pack("<IQ2i", 5, 2, 3, -4)), ("w", 9, struct.pack("<IQ", 8, 1) + text("a"))]
        self.check(gguf_file(keys, [("w", (4, 2), 0, 0), ("q", (32, 2), 2, 32)], bytes(96)), gguf)

    @unittest.skipIf(numpy is None, "numpy is not installed")
    def test_of_npz(self):
        out = io.BytesIO()
        numpy.savez(out, a=numpy.arange(3), b=numpy.zeros((2, 2), "f4"))
        self.check(out.getvalue(), lambda data: [tensor.shape for tensor in npz(data).values()])

    def test_of_no_arrow_file(self):
        for data in (b"", b"ARROW1" * 4, b"ARROW1\0\0" + bytes(30) + b"\xff\xff\xff\x7fARROW1", b"ARROW1\0\0" + bytes(30) + b"\4\0\0\0ARROW1"):
            with self.assertRaises(ValueError):
                arrow(data)
