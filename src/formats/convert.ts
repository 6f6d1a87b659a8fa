/** 16-bit and 8-bit floats as 32-bit ones. */
import { checkArguments, fail, type Wanted } from '../libc/index.js';
import type { DType } from './dtype.js';
import { type AnyTensor, Tensor } from './tensor.js';

const aTensor: Wanted = (value) => (value instanceof Tensor ? undefined : 'a tensor');

/** Bits of exponent and fraction, and what the topmost exponent means. */
interface SmallFloat {
  readonly exponentBits: number;
  readonly fractionBits: number;
  /** `ieee`: infinities and NaNs. `fn`: only all ones is NaN, the rest are numbers. */
  readonly top: 'ieee' | 'fn';
}

const smallFloats: Partial<Record<DType, SmallFloat>> = {
  f16: { exponentBits: 5, fractionBits: 10, top: 'ieee' },
  bf16: { exponentBits: 8, fractionBits: 7, top: 'ieee' },
  f8_e5m2: { exponentBits: 5, fractionBits: 2, top: 'ieee' },
  f8_e4m3: { exponentBits: 4, fractionBits: 3, top: 'fn' },
};
const tables = new Map<DType, Float32Array>();

/** The value of every bit pattern. */
function tableOf(dtype: DType, float: SmallFloat): Float32Array {
  const known = tables.get(dtype);
  if (known) return known;
  const table = new Float32Array(2 ** (1 + float.exponentBits + float.fractionBits));
  for (let bits = 0; bits < table.length; bits++) table[bits] = numberOf(bits, float);
  tables.set(dtype, table);
  return table;
}

function numberOf(bits: number, { exponentBits, fractionBits, top }: SmallFloat): number {
  const sign = bits >> (exponentBits + fractionBits) === 0 ? 1 : -1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = bits & (2 ** fractionBits - 1);
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) {
    if (top === 'ieee') return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    if (fraction === 2 ** fractionBits - 1) return Number.NaN;
  }
  const scale = 2 ** -fractionBits;
  if (exponent === 0) return sign * fraction * scale * 2 ** (1 - bias);
  return sign * (1 + fraction * scale) * 2 ** (exponent - bias);
}

/**
 * Copies a tensor into a Float32Array: floats of 8, 16, 32 and 64 bits, and whole numbers (rounded where they do not fit).
 * @throws DaxError EINVAL another element type; as `data` of the tensor
 */
export function toFloat32(tensor: AnyTensor): Float32Array<ArrayBuffer> {
  checkArguments('toFloat32', [tensor], { tensor: aTensor });
  const { dtype, data, length } = tensor;
  const small = smallFloats[dtype];
  // A Float16Array has the numbers already.
  if (small && (data instanceof Uint16Array || data instanceof Uint8Array)) {
    const table = tableOf(dtype, small);
    const result = new Float32Array(length);
    for (let i = 0; i < length; i++) result[i] = table[data[i]!]!;
    return result;
  }
  if (/^([iu](8|16|32|64)|f16|f32|f64)$/.test(dtype)) {
    const numbers = data as unknown as ArrayLike<number | bigint>;
    return typeof numbers[0] === 'bigint'
      ? Float32Array.from(numbers as ArrayLike<bigint>, Number)
      : Float32Array.from(numbers as ArrayLike<number>);
  }
  return fail(
    'EINVAL',
    `${tensor.name || 'the array'} is of ${tensor.type}, which is no plain number: use its data`,
  );
}
