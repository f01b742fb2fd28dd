/** A promise that is settled from outside; Promise.withResolvers, which Node has from version 22 on. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (cause: unknown) => void;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Whoever waits gets it; nobody need wait.
    this.promise.catch(() => {});
  }
}
