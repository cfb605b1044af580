// clock.ts: the one clock that the map, the timeline and all curves share. A position is a frame and what has passed of
// the way to the next one. Between frames it stands only while playing: what lies between two snapshots was not measured.

export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];
const FRAMES_A_SECOND = 5;
// A whole training takes at most about this long at speed 1, however many snapshots it has.
const LONGEST_SECONDS = 12;

// Until a moment that is being dragged over counts as looked at.
export const LOOK_MS = 70;

// Calls back once the calls have ceased for a moment.
export function whenStill(then: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(then, LOOK_MS);
  };
}

export class Clock {
  position = 0;
  frames = 0;
  playing = false;
  speed = 1;
  private listeners: ((clock: Clock) => void)[] = [];
  private last = 0;
  private handle = 0;

  on(listener: (clock: Clock) => void): void {
    this.listeners.push(listener);
  }

  private tell(): void {
    for (const listener of this.listeners) listener(this);
  }

  get frame(): number {
    return Math.min(Math.round(this.position), Math.max(0, this.frames - 1));
  }

  // The frames on both sides, and how far it is from the first to the second.
  get between(): [number, number, number] {
    const from = Math.min(Math.floor(this.position), Math.max(0, this.frames - 1));
    const to = Math.min(from + 1, Math.max(0, this.frames - 1));
    return [from, to, to === from ? 0 : this.position - from];
  }

  // New frames came behind the last one: a clock that stood at the end stays at the end.
  setFrames(frames: number, follow = true): void {
    const atEnd = this.frames === 0 || this.frame === this.frames - 1;
    this.frames = frames;
    if (atEnd && follow && !this.playing) this.position = Math.max(0, frames - 1);
    this.position = Math.min(this.position, Math.max(0, frames - 1));
    this.tell();
  }

  seek(frame: number): void {
    const to = Math.max(0, Math.min(this.frames - 1, Math.round(frame)));
    this.position = to;
    this.tell();
  }

  play(): void {
    if (this.playing || this.frames < 2) return;
    if (this.frame >= this.frames - 1) this.position = 0;
    this.playing = true;
    this.last = 0;
    this.handle = requestAnimationFrame(this.tick);
    this.tell();
  }

  pause(): void {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.handle);
    this.position = this.frame;
    this.tell();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  changeSpeed(by: number): void {
    const place = Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(this.speed) + by));
    this.speed = SPEEDS[place] ?? 1;
    this.tell();
  }

  private tick = (now: number): void => {
    if (!this.playing) return;
    const seconds = this.last === 0 ? 0 : Math.min(0.25, (now - this.last) / 1000);
    this.last = now;
    const rate = Math.max(FRAMES_A_SECOND, this.frames / LONGEST_SECONDS) * this.speed;
    this.position += seconds * rate;
    if (this.position >= this.frames - 1) {
      this.position = this.frames - 1;
      this.playing = false;
      this.tell();
      return;
    }
    this.tell();
    this.handle = requestAnimationFrame(this.tick);
  };
}
