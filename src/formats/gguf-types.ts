/** The element types of GGUF by number: name, elements of a block and its bytes. */
import type { Block, DType } from './dtype.js';

export interface GgufType {
  readonly name: string;
  readonly dtype: DType;
  readonly block: Block;
}

const plain: readonly [number, string, DType, number][] = [
  [0, 'F32', 'f32', 4],
  [1, 'F16', 'f16', 2],
  [24, 'I8', 'i8', 1],
  [25, 'I16', 'i16', 2],
  [26, 'I32', 'i32', 4],
  [27, 'I64', 'i64', 8],
  [28, 'F64', 'f64', 8],
  [30, 'BF16', 'bf16', 2],
];

// Q8_1 (9) is no type of files: programs make it while they compute, and differ about its size.
const quantized: readonly [number, string, number, number][] = [
  [2, 'Q4_0', 32, 18],
  [3, 'Q4_1', 32, 20],
  [6, 'Q5_0', 32, 22],
  [7, 'Q5_1', 32, 24],
  [8, 'Q8_0', 32, 34],
  [10, 'Q2_K', 256, 84],
  [11, 'Q3_K', 256, 110],
  [12, 'Q4_K', 256, 144],
  [13, 'Q5_K', 256, 176],
  [14, 'Q6_K', 256, 210],
  [15, 'Q8_K', 256, 292],
  [16, 'IQ2_XXS', 256, 66],
  [17, 'IQ2_XS', 256, 74],
  [18, 'IQ3_XXS', 256, 98],
  [19, 'IQ1_S', 256, 50],
  [20, 'IQ4_NL', 32, 18],
  [21, 'IQ3_S', 256, 110],
  [22, 'IQ2_S', 256, 82],
  [23, 'IQ4_XS', 256, 136],
  [29, 'IQ1_M', 256, 56],
  [34, 'TQ1_0', 256, 54],
  [35, 'TQ2_0', 256, 66],
  [39, 'MXFP4', 32, 17],
  [40, 'NVFP4', 64, 36],
  [41, 'Q1_0', 128, 18],
];

export const ggufTypes: ReadonlyMap<number, GgufType> = new Map([
  ...plain.map(([number, name, dtype, bytes]): [number, GgufType] => [
    number,
    { name, dtype, block: { elements: 1, bytes } },
  ]),
  ...quantized.map(([number, name, elements, bytes]): [number, GgufType] => [
    number,
    { name, dtype: 'quantized', block: { elements, bytes } },
  ]),
]);
