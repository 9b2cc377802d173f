/** The short message at the bottom of the shop; one at a time. */

/** Milliseconds after which a notice disappears. */
const SHOWN_MS = 8_000;

export interface Notice {
  text: string;
  tone: 'good' | 'bad';
  /** Reverts the action that the notice reports. */
  undo?: () => void;
}

export class Notices {
  #timer: ReturnType<typeof setTimeout> | undefined;

  current = $state.raw<Notice | null>(null);

  /** Shows a notice in place of the current one. */
  show(notice: Notice): void {
    clearTimeout(this.#timer);
    this.current = notice;
    this.#timer = setTimeout(() => (this.current = null), SHOWN_MS);
  }

  dismiss(): void {
    clearTimeout(this.#timer);
    this.current = null;
  }

  /** Dismisses the notice and reverts its action. */
  undo(): void {
    const undo = this.current?.undo;
    this.dismiss();
    undo?.();
  }
}
