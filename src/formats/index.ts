/**
 * formats/: safetensors, GGUF, npy, npz and Arrow IPC as views of the memory that the file is in.
 *
 * Purpose: a model or table that lies in a volume (or in any buffer) is there at once, in every process, without a copy. parse...()
 * takes bytes; open...() takes a volume and a path, and keeps the file open until close().
 * Invariants: nothing is copied silently: what no view can show (misaligned, other byte order) is EINVAL, or with `allowCopy` a copy
 * that says so. Headers are hostile until checked: no count, length or offset is followed further than there are bytes, no tensor
 * reaches outside the file or into another one, and time and memory are bounded by the size of the header.
 * Lifetime: the file of open...() -> its views. Views made by parse...() live as long as the bytes given.
 * Failure: EINVAL another format, or a bad argument; EBADMSG damaged (name, byte and reason); EOPNOTSUPP right perhaps, but not read
 * here (compressed, another version); EBADF closed.
 */
export { Arrow, ArrowBatch, parseArrow } from './arrow/arrow.js';
export type { ArrowField, ArrowSchema, ArrowType } from './arrow/schema.js';
export { ArrowVector } from './arrow/vector.js';
export { toFloat32 } from './convert.js';
export type { Block, DType, Float16Bits, TensorArrays } from './dtype.js';
export { Gguf, parseGguf } from './gguf.js';
export { GgufMetadata, type GgufValue } from './gguf-metadata.js';
export { Npy, parseNpy } from './npy.js';
export { Npz, parseNpz } from './npz.js';
export { openArrow, openGguf, openNpy, openNpz, openSafetensors } from './open.js';
export { type PackOptions, type PackResult, packDirectory } from './pack/pack.js';
export { parseSafetensors, Safetensors } from './safetensors.js';
export type { FormatBytes, FormatOptions } from './source.js';
export { type AnyTensor, Tensor, TensorFile } from './tensor.js';
