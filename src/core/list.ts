/**
 * A list whose members carry their links: each joins and leaves it in one step, wherever it stands. It is for members that
 * come and go all the time: a Set in its place is rehashed again and again, and its old tables keep their members alive.
 */
export abstract class Linked {
  list: List<Linked> | undefined
  next: Linked | undefined
  previous: Linked | undefined
}

/** In the order of joining. A member is in one list at a time. */
export class List<Member extends Linked> {
  #first: Linked | undefined
  #last: Linked | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): Member | undefined {
    return this.#first as Member | undefined
  }

  /** At the end. */
  add(member: Member): void {
    member.list = this as List<Linked>
    member.previous = this.#last
    if (this.#last) this.#last.next = member
    else this.#first = member
    this.#last = member
    this.#size += 1
  }

  /** False where it is not in this list. */
  delete(member: Member): boolean {
    if (member.list !== this) return false
    const { next, previous } = member
    if (previous) previous.next = next
    else this.#first = next
    if (next) next.previous = previous
    else this.#last = previous
    member.list = member.next = member.previous = undefined
    this.#size -= 1
    return true
  }

  /** Takes the first one out. */
  shift(): Member | undefined {
    const { first } = this
    if (first) this.delete(first)
    return first
  }

  /** As they are now: who joins or leaves meanwhile changes nothing. */
  toArray(): Member[] {
    const members: Member[] = []
    for (let member = this.#first; member; member = member.next) members.push(member as Member)
    return members
  }
}
