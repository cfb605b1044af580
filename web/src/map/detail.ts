// detail.ts: how many words are drawn while the map moves. Where a machine is too slow to move all of them smoothly, only
// the most frequent ones move along, as many as it can; as soon as the map rests all of them are there again.

const SLOW_MS = 45, FAST_MS = 24; // for a picture, on the average
const LEAST = 4000;
const REST_MS = 160;
const WEIGHT = 0.25; // of the latest picture in the average

export class Detail {
  most = Infinity;
  private average = 0;
  private rest: ReturnType<typeof setTimeout> | undefined;
  private timing = false;

  constructor(private rested: () => void) {}

  // Something moves: few words until it has not moved for a moment.
  moves(): void {
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.rest = undefined;
      this.average = 0;
      if (this.most < Infinity) this.rested();
    }, REST_MS);
  }

  wordsOf(all: number): number {
    return this.rest === undefined ? all : Math.min(all, this.most);
  }

  // A picture of so many words was drawn: the browser's next one is as far away as this one takes.
  drew(words: number, all: number): void {
    if (this.rest === undefined || this.timing) return;
    this.timing = true;
    const began = performance.now();
    requestAnimationFrame(() => {
      this.timing = false;
      this.note(performance.now() - began, words, all);
    });
  }

  note(milliseconds: number, words: number, all: number): void {
    this.average = this.average === 0 ? milliseconds : this.average + WEIGHT * (milliseconds - this.average);
    if (this.average > SLOW_MS) this.most = Math.max(LEAST, Math.round(words * 0.75));
    else if (this.average < FAST_MS && this.most < Infinity) this.most = words * 1.15 >= all ? Infinity : Math.round(words * 1.15);
    else return;
    this.average = 0.5 * (SLOW_MS + FAST_MS); // what comes now is of another number of words
  }
}
