// What a user without rights is told: run as that user, prints JSON. Its argument: the device's node.
import { mountFamfs, openKernel } from 'udax';

const node = process.argv[2];

function refusal(act) {
  try {
    act();
    return null;
  } catch ({ code, message }) {
    return `${message} (${code})`;
  }
}

const kernel = openKernel();
const name = node.slice('/dev/'.length);
const opened = refusal(() => {
  const volume = mountFamfs(node);
  volume.close();
});
const changed = refusal(() => kernel.disable(name));
const { unseen } = kernel.survey();
const { resource, size } = kernel.deviceInfo(name);
console.log(JSON.stringify({ opened, changed, unseen, resource, size }));
