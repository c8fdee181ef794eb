// Deadlines of which the next one is known at once, and any of which may be taken out: a binary
// heap whose members know their place in it. Waits, verifications and retries differ in length, so
// no list of them would be in order by itself. Of two with the same deadline, the one that has
// waited longer comes first.

export interface HeapMember {
  deadlineNs: number;
  /** Owned by the heap: -1 while the member is in none. */
  heapIndex: number;
  /** Owned by the heap: the place among those with the same deadline. */
  heapOrder: number;
}

export class DeadlineHeap<Member extends HeapMember> {
  readonly #members: Member[] = [];
  #order = 0;

  get count(): number {
    return this.#members.length;
  }

  /** The member with the earliest deadline. */
  get head(): Member | undefined {
    return this.#members[0];
  }

  has(member: Member): boolean {
    return member.heapIndex >= 0;
  }

  /** Puts `member` in, or moves it to its new deadline. */
  set(member: Member, deadlineNs: number): void {
    member.deadlineNs = deadlineNs;
    member.heapOrder = ++this.#order;
    if (member.heapIndex < 0) {
      member.heapIndex = this.#members.length;
      this.#members.push(member);
    }
    this.#rise(member);
    this.#sink(member);
  }

  /** Takes `member` out, if it is in. */
  remove(member: Member): void {
    const index = member.heapIndex;
    if (index < 0) return;
    member.heapIndex = -1;
    const last = this.#members.pop()!;
    if (last === member) return;
    this.#place(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(member: Member): void {
    for (let index = member.heapIndex; index > 0; ) {
      const parent = (index - 1) >> 1;
      const above = this.#members[parent]!;
      if (isBefore(above, member)) return;
      this.#place(above, index);
      this.#place(member, parent);
      index = parent;
    }
  }

  #sink(member: Member): void {
    const count = this.#members.length;
    for (let index = member.heapIndex; ; ) {
      let child = 2 * index + 1;
      if (child >= count) return;
      if (child + 1 < count && isBefore(this.#members[child + 1]!, this.#members[child]!)) {
        child += 1;
      }
      const below = this.#members[child]!;
      if (isBefore(member, below)) return;
      this.#place(below, index);
      this.#place(member, child);
      index = child;
    }
  }

  #place(member: Member, index: number): void {
    this.#members[index] = member;
    member.heapIndex = index;
  }
}

function isBefore(one: HeapMember, other: HeapMember): boolean {
  if (one.deadlineNs !== other.deadlineNs) return one.deadlineNs < other.deadlineNs;
  return one.heapOrder < other.heapOrder;
}
