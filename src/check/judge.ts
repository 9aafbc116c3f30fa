/** How what a peer sends is judged. */

/**
 * What the bytes read so far say: nothing yet (undefined), that what is expected has come and where it ends, or why it cannot
 * come any more, as a part of a sentence whose subject is the peer.
 */
export type Judgement = { end: number } | { refused: string } | undefined

/** `judged`: how many of the bytes were there the last time. */
export type Judge = (bytes: Buffer, judged: number) => Judgement
