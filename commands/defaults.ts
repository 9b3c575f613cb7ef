/** What the options of `record` that a trace notes stand at when they are left out. */
export const DEFAULTS: Readonly<Record<string, string | number>> = {
  memory: 128 * 2 ** 20,
  cpu: "cortex-a57",
  cpus: 1,
  gic: 2,
  storm: 1000,
  reboots: 0,
  rtc: 946_684_800,
  "ns-per-instruction": 1,
};
