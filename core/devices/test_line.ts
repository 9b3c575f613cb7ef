/** An interrupt line for tests. */

import type { InterruptLine } from "./device.ts";

/** Remembers its level. */
export class TestLine implements InterruptLine {
  level = false;

  set(level: boolean): void {
    this.level = level;
  }
}
