/** Where the answer to one message goes. */

/** Told how the client takes what is given to it. */
export type OutletWatcher = {
  /** The client went away before it had its answer. */
  gone(): void
  /** The client reads more slowly than it is written to. */
  full(): void
  /** It has caught up. */
  ready(): void
  /** It leaves more unread than it may. */
  stalled(): void
}

/** An answer that is not held as a whole. */
export type PieceOutlet = {
  piece(bytes: Buffer): void
  /** The last piece, and the end. */
  finish(last: Buffer | undefined): void
}

/**
 * Where the answer to one message goes: the response of its request, over several connections where the client comes back for it,
 * or into a stream that it shares with other answers. What is said after the answer is dropped.
 */
export type Outlet = {
  /** Nothing more can be said here. */
  readonly isGone: boolean
  /** Undefined where others share the way: an answer then has to come whole. */
  readonly pieces: PieceOutlet | undefined
  watch(watcher: OutletWatcher): void
  unwatch(): void
  /** More than the answer may come: opens an event stream, if that is not done yet. */
  stream(): void
  /** A message before the answer. */
  message(bytes: Buffer): void
  /** The answer, whole. Status and headers (flat pairs) count where nothing is out yet. */
  answer(bytes: Buffer, status: number, headers?: readonly string[]): void
  /** The answer in two parts, of which the second is not copied; false where that cannot be and nothing was done. */
  answerWhole?(start: Buffer, rest: Buffer): boolean
  /** It was a message without an answer, and was taken. */
  taken(): void
  /** A sign of life, where a stream is open. */
  beat(): void
  /** Ends it in the middle. */
  cut(): void
}
