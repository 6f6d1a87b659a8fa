"""Makes conformance/formats/ with the formats' own tools: safetensors, gguf, numpy and pyarrow (pip install them to run this).

    python3 test/formats/record.py conformance/formats

Each file has an entry in expected.json: what the tool itself says of the file, read back by it.
"""
import json
import sys
from pathlib import Path

import gguf
import ml_dtypes
import numpy as np
import pyarrow as pa
import safetensors
import safetensors.numpy

out = Path(sys.argv[1])
expected = {}


def array(value, type_name):
    """An array as the test compares it: the bytes in C order (in F order for a Fortran array)."""
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    return {"type": type_name, "shape": list(value.shape), "hex": value.tobytes(order).hex()}


def make_safetensors():
    tensors = {
        "bool": np.array([True, False, True]),
        "u8": np.arange(5, dtype=np.uint8),
        "i8": np.arange(-2, 3, dtype=np.int8),
        "i16": np.arange(-3, 3, dtype=np.int16).reshape(2, 3),
        "u16": np.arange(6, dtype=np.uint16).reshape(3, 2),
        "i32": np.arange(-3, 3, dtype=np.int32),
        "u32": np.arange(4, dtype=np.uint32),
        "i64": np.array([-(2**62), 7], dtype=np.int64),
        "u64": np.array([2**63 + 1], dtype=np.uint64),
        "f16": np.array([[0.5, -2, 65504]], dtype=np.float16),
        "f32": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4),
        "f64": np.array(3.25),
        "bf16": np.array([1.5, -0.25, 3e38], dtype=ml_dtypes.bfloat16),
        "f8_e4m3": np.array([1.5, -448, 0.001953125], dtype=ml_dtypes.float8_e4m3fn),
        "f8_e5m2": np.array([1.5, -57344, 2**-16], dtype=ml_dtypes.float8_e5m2),
        "c64": np.array([1 + 2j, -3j], dtype=np.complex64),
        "empty": np.zeros((0, 4), dtype=np.float32),
    }
    names = {"f8_e4m3": "F8_E4M3", "f8_e5m2": "F8_E5M2", "empty": "F32"}
    safetensors.numpy.save_file(tensors, out / "all.safetensors", metadata={"format": "np", "by": "\u00e4\"\\"})
    with safetensors.safe_open(out / "all.safetensors", framework="numpy") as file:
        assert sorted(file.keys()) == sorted(tensors)
        expected["all.safetensors"] = {
            "metadata": file.metadata(),
            "tensors": {name: array(value, names.get(name, name.upper())) for name, value in tensors.items()},
        }


def make_gguf():
    path = out / "all.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_custom_alignment(64)
    values = [
        ("u8", 200, writer.add_uint8), ("i8", -5, writer.add_int8), ("u16", 60000, writer.add_uint16),
        ("i16", -300, writer.add_int16), ("u32", 4000000000, writer.add_uint32), ("i32", -7, writer.add_int32),
        ("u64", 2**63, writer.add_uint64), ("i64", -(2**60), writer.add_int64), ("f32", 0.5, writer.add_float32),
        ("f64", 1e300, writer.add_float64), ("bool", True, writer.add_bool), ("text", "h\u00e9llo", writer.add_string),
        ("numbers", [1, 2, 3], writer.add_array), ("texts", ["a", "", "\u4e2d"], writer.add_array),
        ("floats", [0.25, -8.0], writer.add_array), ("truths", [True, False], writer.add_array),
    ]
    for name, value, add in values:
        add(f"test.{name}", value)
    numbers = np.linspace(-2, 2, 256, dtype=np.float32).reshape(4, 64)
    tensors = {
        "f32": (numbers, gguf.GGMLQuantizationType.F32),
        "f16": (numbers.astype(np.float16), gguf.GGMLQuantizationType.F16),
        "i8": (np.arange(-4, 4, dtype=np.int8), gguf.GGMLQuantizationType.I8),
        "i32": (np.arange(24, dtype=np.int32).reshape(2, 3, 4), gguf.GGMLQuantizationType.I32),
        "i64": (np.array([2**40], dtype=np.int64), gguf.GGMLQuantizationType.I64),
        "f64": (np.array([1.5, 2.5]), gguf.GGMLQuantizationType.F64),
    }
    for name, (value, _) in tensors.items():
        writer.add_tensor(name, value)
    quantized = ["BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0"]
    wide = np.linspace(-2, 2, 512, dtype=np.float32).reshape(2, 256)
    for name in quantized:
        kind = gguf.GGMLQuantizationType[name]
        writer.add_tensor(name.lower(), gguf.quants.quantize(wide, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    reader = gguf.GGUFReader(path)
    expected["all.gguf"] = {
        "metadata": {f"test.{name}": str(value) if isinstance(value, int) and abs(value) >= 2**53 else value for name, value, _ in values},
        "sizes": {kind.name: list(size) for kind, size in gguf.GGML_QUANT_SIZES.items() if kind.name != "Q8_1"},
        "tensors": {
            str(tensor.name): {
                "type": tensor.tensor_type.name,
                "shape": [int(length) for length in reversed(tensor.shape)],
                "hex": tensor.data.tobytes().hex(),
                "offset": int(tensor.data_offset),
            }
            for tensor in reader.tensors
        },
    }


def make_numpy():
    arrays = {
        "f4": np.linspace(0, 1, 6, dtype="<f4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype="<i4").reshape(2, 3)),
        "big": np.arange(4, dtype=">f8"),
        "bool": np.array([True, False]),
        "f2": np.array([1.5, -2], dtype="<f2"),
        "c16": np.array([1 - 2j]),
        "u8": np.array([2**64 - 1], dtype="<u8"),
        "scalar": np.array(7, dtype="<i2"),
        "none": np.zeros((3, 0), dtype="<i8"),
        "bytes": np.array([b"ab", b"c"]),
        "text": np.array(["ab", "\u4e2d"]),
        "date": np.array(["2026-11-28"], dtype="<M8[D]"),
        "record": np.array([(1, 2.5), (3, 4.5)], dtype=[("a", "<i4"), ("b", "<f8", (1,))]),
    }
    for name, value in arrays.items():
        np.save(out / f"{name}.npy", value)
        assert np.array_equal(np.load(out / f"{name}.npy"), value)
        descr = np.lib.format.dtype_to_descr(value.dtype)
        type_name = descr if isinstance(descr, str) else json.dumps(descr, separators=(",", ":"))
        expected[f"{name}.npy"] = {"tensors": {"": {**array(value, type_name), "fortran": name == "fortran"}}}
    np.lib.format.write_array(open(out / "version2.npy", "wb"), arrays["f4"], version=(2, 0))
    np.lib.format.write_array(open(out / "version3.npy", "wb"), arrays["f4"], version=(3, 0))
    for version in (2, 3):
        expected[f"version{version}.npy"] = expected["f4.npy"]
    np.save(out / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(out / "stored.npz", **{name: arrays[name] for name in ("f4", "fortran", "bool", "bytes")})
    expected["stored.npz"] = {"tensors": {name: array(arrays[name], arrays[name].dtype.str) for name in ("f4", "fortran", "bool", "bytes")}}
    np.savez_compressed(out / "deflated.npz", f4=arrays["f4"])


def make_arrow():
    columns = {
        "i32": pa.array([1, None, 3], pa.int32()),
        "u64": pa.array([1, 2, 2**63], pa.uint64()),
        "f64": pa.array([0.5, -1.5, None]),
        "f16": pa.array(np.array([1, 2, 3], dtype=np.float16)),
        "bool": pa.array([True, None, False]),
        "text": pa.array(["a", None, "h\u00e9"]),
        "large": pa.array(["x", "", "yz"], pa.large_utf8()),
        "bytes": pa.array([b"\x00\x01", b"", None]),
        "words": pa.array(["red", "blue", "red"]).dictionary_encode(),
        "list": pa.array([[1, 2], None, []], pa.list_(pa.int16())),
        "pair": pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32(), 2)),
        "struct": pa.array([{"x": 1, "y": "p"}, {"x": 2, "y": None}, None]),
        "map": pa.array([[("k", 1)], [], None], pa.map_(pa.utf8(), pa.int32())),
        "time": pa.array([1, 2, None], pa.timestamp("us", tz="UTC")),
        "date": pa.array([1, 2, 3], pa.date32()),
        "span": pa.array([1, 2, 3], pa.duration("ns")),
        "money": pa.array([1, 2, 3], pa.decimal128(10, 2)),
        "id": pa.array([b"abcd", b"efgh", b"ijkl"], pa.binary(4)),
        "nothing": pa.nulls(3),
        "view": pa.array(["short", "a text of more than twelve bytes", None], pa.string_view()),
        "runs": pa.RunEndEncodedArray.from_arrays(pa.array([1, 3], pa.int32()), pa.array([7, 8], pa.int8())),
        "dense": pa.UnionArray.from_dense(pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array([1, 2]), pa.array(["u"])]),
        "sparse": pa.UnionArray.from_sparse(pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(["u", "v", "w"])]),
        "views": pa.array([[1], [2, 3], None], pa.list_view(pa.int32())),
        "nested": pa.array([[["a"], None], [], [["b", "c"]]], pa.list_(pa.list_(pa.utf8()))),
    }
    batch = pa.record_batch(list(columns.values()), names=list(columns))
    schema = batch.schema.with_metadata({"made by": "pyarrow"})
    batch = batch.replace_schema_metadata({"made by": "pyarrow"})

    def write(name, batches, make, **options):
        with pa.OSFile(str(out / name), "wb") as sink, make(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
            for each in batches:
                writer.write_batch(each)

    def told(column):
        type_ = str(column.type)
        entry = {"type": type_, "nulls": column.null_count, "rows": len(column)}
        if pa.types.is_primitive(column.type):
            entry["hex"] = column.buffers()[1].to_pybytes().hex()
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_dictionary(column.type):
            entry["texts"] = column.to_pylist()
        return entry

    def entry(batches):
        return {"metadata": {"made by": "pyarrow"}, "batches": [{name: told(each.column(name)) for name in each.schema.names} for each in batches]}

    two = [batch, batch.slice(1)]
    write("all.arrow", two, pa.ipc.new_file)
    expected["all.arrow"] = entry(list(pa.ipc.open_file(out / "all.arrow").get_batch(i) for i in range(2)))
    write("all.arrows", two, pa.ipc.new_stream)
    expected["all.arrows"] = entry(list(pa.ipc.open_stream(out / "all.arrows")))
    words = [pa.record_batch([pa.array(part).dictionary_encode()], names=["words"]).replace_schema_metadata({"made by": "pyarrow"}) for part in (["a", "b"], ["c", "a"])]
    grown = [
        pa.record_batch([pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), pa.array(values))], names=["words"]).replace_schema_metadata({"made by": "pyarrow"})
        for index, values in (([0, 1], ["a", "b"]), ([2, 0], ["a", "b", "c"]))
    ]
    write("delta.arrows", grown, pa.ipc.new_stream, emit_dictionary_deltas=True)
    expected["delta.arrows"] = entry(grown)
    write("replaced.arrows", words, pa.ipc.new_stream)
    expected["replaced.arrows"] = entry(words)
    unions = pa.record_batch({name: columns[name] for name in ("i32", "sparse", "dense", "text")}).replace_schema_metadata({"made by": "pyarrow"})
    write("version4.arrows", [unions], pa.ipc.new_stream, metadata_version=pa.ipc.MetadataVersion.V4)
    expected["version4.arrows"] = entry(list(pa.ipc.open_stream(out / "version4.arrows")))
    plain = pa.record_batch([pa.array(range(1000))], names=["n"])
    for codec in ("lz4", "zstd"):
        write(f"{codec}.arrow", [plain], pa.ipc.new_file, compression=codec)


out.mkdir(parents=True, exist_ok=True)
make_safetensors()
make_gguf()
make_numpy()
make_arrow()
versions = {name: module.__version__ for name, module in (("safetensors", safetensors), ("numpy", np), ("pyarrow", pa))}
versions["gguf"] = "0.19.0"
(out / "expected.json").write_text(json.dumps({"versions": versions, "files": expected}, indent=1) + "\n")
