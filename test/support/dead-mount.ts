/**
 * What a program reads of a mount whose server has died: ECONNABORTED of a request that the server still held in the
 * moment the kernel took the connection down, ENOTCONN from then on.
 */
export const DEAD_MOUNT = /not connected|connection abort/;
