/** All operations of the schema that can run here. */
import type { OperationTable } from '../world.js';
import { attributeOperations } from './attributes.js';
import { busOperations } from './bus.js';
import { execOperations } from './exec.js';
import { fileOperations } from './files.js';
import { mappingOperations } from './mappings.js';
import { processOperations } from './processes.js';

export const OPERATIONS: OperationTable = {
  ...attributeOperations,
  ...busOperations,
  ...execOperations,
  ...fileOperations,
  ...mappingOperations,
  ...processOperations,
};
