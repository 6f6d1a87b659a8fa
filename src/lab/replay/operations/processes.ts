/** Processes: their uid, their memory failure policy, their signals, and their end. */
import { fail } from '../../../libc/index.js';
import { done, type OperationTable } from '../world.js';

export const processOperations: OperationTable = {
  kill(world, args) {
    const name = args.text('target');
    const process = world.processes.get(name) ?? fail('ESRCH', `no process ${name}`);
    process.exit();
    world.processes.delete(name);
    return done();
  },
  setuid(world, args) {
    world.process(args).uid = args.number('uid');
    return done();
  },
  mce_policy(world, args) {
    const policy = args.text('policy');
    world.process(args).mcePolicy = policy === 'early' || policy === 'late' ? policy : 'default';
    return done();
  },
  signals: (world, args) => done(world.process(args).takeSignals()),
  sleep: () => done(),
};
