/** Where a member sits in its roster; undefined while it is in none. A member is in one roster at most. */
export type Seated = { seat?: number | undefined }

/**
 * Members that come and go with every call, in no order. Not a Set: V8 chains the old tables of a Set that is changed all the
 * time, and what hangs on them outlives its call by seconds, which the garbage collector pays for.
 */
export class Roster<Member extends Seated> {
  readonly #members: Member[] = []

  get size(): number {
    return this.#members.length
  }

  has(member: Member): boolean {
    return member.seat !== undefined && this.#members[member.seat] === member
  }

  add(member: Member): void {
    if (member.seat === undefined) member.seat = this.#members.push(member) - 1
  }

  remove(member: Member): void {
    const { seat } = member
    if (seat === undefined) return
    member.seat = undefined
    const last = this.#members.pop()
    if (last === undefined || last === member) return
    this.#members[seat] = last
    last.seat = seat
  }

  /** A copy, so that members may come and go while it is walked. */
  all(): Member[] {
    return [...this.#members]
  }
}
