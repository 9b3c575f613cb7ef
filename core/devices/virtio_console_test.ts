import { assertEquals } from "@std/assert";
import { TestDriver, WRITES } from "./test_driver.ts";
import { VirtioConsole } from "./virtio_console.ts";

const RECEIVE = 0, TRANSMIT = 1, CONTROL_RECEIVE = 2, CONTROL_TRANSMIT = 3;
const MESSAGE = 0xa000, ANSWERS = 0xb000, INBOX = 0xc000, MULTIPORT = 2, EMERGENCY = 0x108;

function make(features: number, status = 7) {
  let printed = "";
  let console!: VirtioConsole;
  const driver = new TestDriver((memory) =>
    console = new VirtioConsole(memory, (byte) => printed += String.fromCharCode(byte))
  );
  driver.start(features, 4, status);
  /** Sends a control message. Gives the answers: port, event and value. */
  const control = (port: number, event: number, value: number) => {
    const before = driver.used(CONTROL_RECEIVE)[0];
    driver.view.setUint32(MESSAGE, port, true);
    driver.view.setUint16(MESSAGE + 4, event, true);
    driver.view.setUint16(MESSAGE + 6, value, true);
    driver.describe(driver.queue(CONTROL_TRANSMIT), [{ address: MESSAGE, length: 8 }]);
    driver.offer(CONTROL_TRANSMIT);
    const answers: number[][] = [];
    for (let n = before; n < driver.used(CONTROL_RECEIVE)[0]; n++) {
      const at = ANSWERS + 16 * n;
      answers.push([4, 6].map((offset) => driver.view.getUint16(at + offset, true)));
    }
    return answers;
  };
  for (let n = 0; n < 6; n++) {
    const answer = { address: ANSWERS + 16 * n, length: 16, flags: WRITES };
    driver.describe(driver.queue(CONTROL_RECEIVE), [answer], n);
    driver.offer(CONTROL_RECEIVE, n);
  }
  return { driver, console, control, take: () => printed };
}

Deno.test("VirtioConsole answers control messages about port 0", () => {
  const { control, console } = make(MULTIPORT);
  assertEquals(control(0, 0, 0), []);
  assertEquals(control(0, 0, 1), [[1, 1]]);
  assertEquals(control(1, 3, 1), []);
  assertEquals(control(0, 3, 1), [[4, 1], [6, 1]]);
  assertEquals([control(0, 6, 1), console.isOpen], [[], true]);
  assertEquals([control(0, 6, 0), console.isOpen], [[], false]);
});

Deno.test("VirtioConsole has one port, open while the driver is ready, without control messages", () => {
  const { driver, console } = make(0);
  assertEquals(console.isOpen, true);
  driver.write(0x70, 3);
  assertEquals(console.isOpen, false);
  assertEquals(make(0, 3).console.isOpen, false);
});

Deno.test("VirtioConsole.receive() fills a buffer for each byte, as long as there is one", () => {
  const { driver, console } = make(0);
  assertEquals(console.canReceive, false);
  driver.describe(driver.queue(RECEIVE), [{ address: INBOX, length: 4, flags: WRITES }]);
  driver.offer(RECEIVE);
  assertEquals(console.canReceive, true);
  console.receive(65);
  assertEquals([driver.used(RECEIVE), driver.ram[INBOX], console.canReceive], [[1, 1], 65, false]);
});

Deno.test("VirtioConsole prints what is sent, and its emergency byte", () => {
  const { driver, take } = make(0);
  driver.ram.set([72, 105], MESSAGE);
  driver.describe(driver.queue(TRANSMIT), [{ address: MESSAGE, length: 2 }]);
  driver.offer(TRANSMIT);
  driver.write(EMERGENCY, 33);
  assertEquals([take(), driver.used(TRANSMIT)], ["Hi!", [1, 0]]);
});
