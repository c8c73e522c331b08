import { configureGlobal } from 'fast-check';

// One seed, so that a run says something about the change it judges; RIND_SEED looks elsewhere.
configureGlobal({ seed: Number(process.env['RIND_SEED'] ?? 20_261_122) });
