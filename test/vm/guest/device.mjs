// What this VM's kernel says of its dax device.
import fs from 'node:fs';

const DEVICE = '/sys/bus/dax/devices/dax0.0';
const REGION = '/sys/bus/nd/devices/region0';

const number = (attribute) => Number(fs.readFileSync(attribute, 'utf8'));

/** Size, align and the first byte's place in the memory the VMs share, all in bytes. @throws ENOENT no such device */
export function daxDevice() {
  return {
    path: '/dev/dax0.0',
    size: number(`${DEVICE}/size`),
    align: number(`${DEVICE}/align`),
    // Soft-reserved memory is this host's own: no other sees it at any place.
    offset: fs.existsSync(REGION) ? number(`${DEVICE}/resource`) - number(`${REGION}/resource`) : 0,
  };
}
