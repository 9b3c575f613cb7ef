/** Reads the exceptions that the reference logs with `-d int`. */

/**
 * Turns the log into one line per exception taken, in order: `sync esr … [far …] el… elr … vector …`
 * or `irq el… elr … vector …`. Numbers are hexadecimal; PSCI calls, which the reference's firmware
 * answers, are left out, and so is an entry cut off at the end.
 */
export function parseExceptionLog(log: string): string[] {
  const found: string[] = [];
  for (const entry of log.split("Taking exception ").slice(1)) {
    const name = /^\d+ \[([^\]]*)\]/.exec(entry)?.[1];
    const from = /\.\.\.from EL(\d) to EL\d/.exec(entry)?.[1];
    const elr = /\.\.\.with ELR 0x([0-9a-f]+)/.exec(entry)?.[1];
    const vector = /\.\.\.to EL\d PC 0x([0-9a-f]+) PSTATE/.exec(entry)?.[1];
    if (name === undefined || !from || !elr || !vector) continue;
    const where = `el${from} elr ${elr} vector ${vector}`;
    const esr = /\.\.\.with ESR 0x[0-9a-f]+\/0x([0-9a-f]+)/.exec(entry)?.[1];
    const far = /\.\.\.with FAR 0x([0-9a-f]+)/.exec(entry)?.[1];
    if (name === "IRQ" || name === "FIQ") found.push(`${name.toLowerCase()} ${where}`);
    else found.push(`sync esr ${esr}${far ? ` far ${far}` : ""} ${where}`);
  }
  return found;
}
