/** How much of one kind may be under way at once. Nobody waits: whoever finds no place is told to come again. */
export class Places {
  readonly #most: number
  #taken = 0

  constructor(most: number) {
    this.#most = most
  }

  take(): boolean {
    if (this.#taken >= this.#most) return false
    this.#taken += 1
    return true
  }

  leave(): void {
    this.#taken -= 1
  }
}
