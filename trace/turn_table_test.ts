import { assertEquals } from "@std/assert";
import { TurnTable } from "./turn_table.ts";

const turn = (position: number, cpu: number) => ({ kind: "turn" as const, position, cpu, pc: 0n });

Deno.test("TurnTable says whose a step is, and which of a CPU's steps comes next or came last", () => {
  const turns = new TurnTable([turn(10, 1), turn(20, 0), turn(30, 2)]);
  assertEquals([0, 9, 10, 19, 20, 29, 30, 99].map((at) => turns.cpuAt(at)), [
    0,
    0,
    1,
    1,
    0,
    0,
    2,
    2,
  ]);
  assertEquals([turns.next(0, 5), turns.next(0, 10), turns.next(2, 0)], [5, 20, 30]);
  assertEquals([turns.next(1, 20), turns.next(0, 30)], [Infinity, Infinity]);
  assertEquals([turns.previous(0, 15), turns.previous(1, 40), turns.previous(2, 29)], [9, 19, -1]);
  assertEquals([turns.previous(1, 5), turns.previous(0, 40)], [-1, 29]);
});

Deno.test("TurnTable without turns knows CPU 0 alone", () => {
  const turns = new TurnTable([]);
  assertEquals([turns.cpuAt(0), turns.cpuAt(7)], [0, 0]);
  assertEquals([turns.next(0, 7), turns.previous(0, 7), turns.next(1, 7)], [7, 7, Infinity]);
  assertEquals(turns.previous(1, 7), -1);
});
