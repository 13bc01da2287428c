// What scripts share that talk with programs in JSON lines: lines are kept as they come and handed out by what they look
// like, with a deadline that tells the story when it passes.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What an event may take on a loaded machine. A good run needs a tenth of it. */
export const PATIENCE = 20000;

export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`timed out: ${what()}`)), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const isLike = (line, like) => (typeof like === 'function' ? like(line)
  : Object.entries(like).every(([key, value]) => line[key] === value));

/** Lines that somebody says. Every one is kept; `next` hands them out by what they look like. */
export class Lines {
  lines = [];
  #taken = new Set();
  #waiting = new Set();
  #listeners = [];
  #over = null;

  constructor(name) {
    this.name = name;
  }

  heard(line) {
    this.lines.push(line);
    for (const hear of [...this.#waiting]) hear(line);
    for (const tell of this.#listeners) tell(line);
  }

  /** Nothing more will be said: who waits need not wait longer. */
  silent(why) {
    this.#over = new Error(`${why}; ${this.story()}`);
    for (const hear of [...this.#waiting]) hear(null);
  }

  /** Tells every line: those that were, and those to come. */
  each(tell) {
    this.lines.forEach(tell);
    this.#listeners.push(tell);
  }

  /** The first line not handed out before that looks like `like` (an object's members, or a predicate). */
  next(like, ms = PATIENCE) {
    let hear;
    const found = new Promise((resolve, reject) => {
      hear = (line) => {
        if (!line) reject(this.#over);
        if (!line || this.#taken.has(line) || !isLike(line, like)) return false;
        this.#taken.add(line);
        this.#waiting.delete(hear);
        resolve(line);
        return true;
      };
      if (this.lines.some(hear)) return;
      this.#waiting.add(hear);
      if (this.#over) hear(null);
    });
    return within(ms, () => `${JSON.stringify(like) ?? like}; ${this.story()}`, found)
      .finally(() => this.#waiting.delete(hear));
  }

  /** From now on: lines of before are not looked at. */
  nextNew(like, ms) {
    const old = new Set(this.lines);
    return this.next((line) => !old.has(line) && isLike(line, like), ms);
  }

  get errors() {
    return this.lines.filter((line) => line.type === 'error').map((line) => line.message);
  }

  /** For messages of failures: what it said last, without statistics, long texts cut. */
  story() {
    const cut = (key, value) => (typeof value === 'string' && value.length > 120 ? `${value.slice(0, 120)}…` : value);
    const said = this.lines.filter((line) => line.type !== 'stats').slice(-12).map((line) => JSON.stringify(line, cut));
    return `${this.name} said\n  ${said.join('\n  ')}`;
  }
}

/** A program that takes lines and says lines. */
export class LineProcess extends Lines {
  stderr = '';

  constructor(name, program, args) {
    super(name);
    this.child = spawn(program, args, { stdio: 'pipe' });
    this.child.stdin.on('error', () => {}); // the process may have left before us
    this.child.stderr.on('data', (data) => { this.stderr += data; });
    createInterface({ input: this.child.stdout }).on('line', (text) => this.heard(JSON.parse(text)));
    this.exit = new Promise((resolve, reject) => {
      this.child.once('error', (error) => {
        reject(error);
        this.silent(error.message);
      });
      this.child.once('close', (code, signal) => {
        this.exited = true;
        resolve(code ?? signal);
        setImmediate(() => this.silent(`ended with ${code ?? signal}`));
      });
    });
    this.exit.catch(() => {}); // who waits hears of it
  }

  write(text) {
    this.child.stdin.write(text);
  }

  send(line) {
    this.write(`${JSON.stringify(line)}\n`);
  }

  story() {
    return `${super.story()}\n${this.stderr}`;
  }

  ended(ms = PATIENCE) {
    return within(ms, () => `its end; ${this.story()}`, this.exit);
  }

  kill() {
    if (!this.exited) this.child.kill('SIGKILL');
    return this.exit;
  }
}
