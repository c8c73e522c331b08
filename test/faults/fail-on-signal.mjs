// Preloaded by a test (`--import`) beside layer.c: the next change of the file RIND_TEST_FAILS fails when SIGUSR2 comes.
import { openSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

function command(text) {
  try {
    openSync(`/rind-faults:${text}`, 'r');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

if (isMainThread) {
  command(`watch:count:1:${process.env.RIND_TEST_FAILS}`);
  process.on('SIGUSR2', () => command('fail:eio:1'));
}
