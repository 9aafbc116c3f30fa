/** How what a peer sends is judged. */

/**
 * What the bytes read so far say: nothing yet (undefined), that what is expected has come and where it ends, or why it cannot
 * come any more, as a part of a sentence whose subject is the peer. `skip`: so many bytes, of which not all may be there yet, are of no
 * interest; they are dropped as they come, and what follows them is judged anew.
 */
export type Judgement = { end: number } | { refused: string } | { skip: number } | undefined

/** `judged`: how many of the bytes were there the last time. */
export type Judge = (bytes: Buffer, judged: number) => Judgement
