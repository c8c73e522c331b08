/** What only people can see to. The ceremony asks, and the answers stand in the signed minutes. */
export const QUESTIONS: ReadonlyMap<string, string> = new Map([
  ['present', 'Who is present, and who watches?'],
  ['computer', 'Which computer is used, from which medium was it started, and was it ever on a network?'],
  ['program', 'How was this copy of Rind checked (hash, signature, who)?'],
  [
    'media',
    'On which media are the offline keys, and were those used for making them destroyed after the backup?',
  ],
  ['passphrases', 'Where are the passphrases and PINs kept, apart from the media?'],
  ['backup', 'How many backups are there, and in whose hands?'],
  ['hashes', 'Who compared the printed hashes with the screen, and where is the paper?'],
]);

/** Answers to all questions; what was not answered says so. */
export function withUnanswered(answers: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...QUESTIONS.keys()].map((id) => [id, answers.get(id) ?? 'not answered']));
}
