/* GICv3 ITS: tables in memory, commands, LPIs with configuration and pending tables, messages, moves, errors. */
#include "gic3.h"

#define QUEUE 0x44000000UL
#define DEVICES 0x44010000UL
#define COLLECTIONS 0x44020000UL
#define CONFIGURATION 0x44030000UL
#define PENDING 0x44040000UL
#define EVENTS 0x44060000UL
#define PAGES 0x44080000UL
#define FLAT (1UL << 63 | 1UL << 8 | 0)
static u64 at;
static u32 taken[64], count;

static void command(u64 a, u64 b, u64 c, u64 d) {
  volatile u64 *q = (volatile u64 *)(QUEUE + at);
  q[0] = a; q[1] = b; q[2] = c; q[3] = d;
  at = (at + 32) % 0x1000;
  DSB();
  GITS64(0x88) = at;
}
static void mapd(u64 device, u64 size, u64 table, u64 valid) { command(8 | device << 32, size, table | valid << 63, 0); }
static void mapc(u64 collection, u64 cpu, u64 valid) { command(9, 0, collection | cpu << 16 | valid << 63, 0); }
static void mapti(u64 device, u64 event, u64 lpi, u64 collection) { command(10 | device << 32, event | lpi << 32, collection, 0); }
static void mapi(u64 device, u64 event, u64 collection) { command(11 | device << 32, event, collection, 0); }
static void simple(u64 number, u64 device, u64 event) { command(number | device << 32, event, 0, 0); }
#define INT(d, e) simple(3, d, e)
#define CLEAR(d, e) simple(4, d, e)
#define INV(d, e) simple(12, d, e)
#define DISCARD(d, e) simple(15, d, e)
#define INVALL(c) command(13, 0, c, 0)
#define SYNC() command(5, 0, 0, 0)

static u8 *config(u32 lpi) { return (u8 *)(CONFIGURATION + lpi - 8192); }
static u32 pending(u32 lpi) { return *(volatile u8 *)(PENDING + lpi / 8) >> lpi % 8 & 1; }

void on_exception(struct frame *f, u32 kind) {
  if ((kind & 3) == 0) { describe(f, kind); power_off(); }
  u32 irq = (u32)ICC_READ(ICC_IAR1);
  taken[count++ & 63] = irq | (u32)ICC_READ(ICC_RPR) << 24;
  if (irq >= 1020 && irq < 1024) { ICC_WRITE(ICC_IGRPEN1, 0); return; }
  ICC_WRITE(ICC_EOIR1, irq);
}
static void show(const char *title) {
  __asm__ volatile("msr daifclr, #3\n nop\n nop\n nop\n msr daifset, #3" ::: "memory");
  print("%s:", title);
  for (u32 i = 0; i < count; i++) print(" %x", taken[i]);
  print(" | hppir %lx creadr %lx pending", ICC_READ(ICC_HPPIR1), GITS64(0x90));
  for (u32 i = 8192; i < 8256; i++) if (pending(i)) print(" %u", i);
  print("\n");
  count = 0;
}
static void registers(void) { print("its"); for (u32 o = 0; o < 0x200; o += 8) { u64 v = GITS64(o); if (v) print(" %x=%lx", o, v); } print("\n"); }
static void words(u64 from, u32 n) { for (u32 i = 0; i < n; i++) { u64 v = ((volatile u64 *)from)[i]; if (v) print("%lx=%lx ", from + 8 * i, v); } print("\n"); }

int main(u64 device_tree) {
  memset((void *)QUEUE, 0, 0x100000);
  registers();
  for (u32 o = 0; o < 0x140; o += 4) if (o != 0x84) GITS(o) = o ? ~0U : ~1U;
  registers();
  for (u32 o = 0x80; o < 0x140; o += 8) GITS64(o) = 0x7fff0123456789abUL;
  registers();
  for (u32 o = 0x80; o < 0x140; o += 8) GITS64(o) = 0;
  registers();
  GICR(0x14) = 0; GICD(0) = 2; ICC_WRITE(ICC_PMR, 0xff); ICC_WRITE(ICC_IGRPEN1, 1);
  GICR64(0x70) = CONFIGURATION | 15; GICR64(0x78) = PENDING;
  GITS64(0x100) = DEVICES | 1UL << 63; GITS64(0x108) = COLLECTIONS | 1UL << 63; GITS64(0x80) = QUEUE | 1UL << 63;
  registers();
  print("off: "); mapd(1, 4, EVENTS, 1); show("disabled");
  GITS(0) = 1; show("enabled"); words(DEVICES, 8); registers();
  GITS64(0x100) = 0; GITS64(0x80) = 0; registers();
  mapc(1, 0, 1); mapc(2, 1, 1); mapc(3, 0, 1); words(COLLECTIONS, 8);
  mapti(1, 0, 8192, 1); mapti(1, 1, 8200, 1); mapti(1, 2, 8201, 2); mapti(1, 3, 8202, 9); mapti(1, 40, 8203, 1); mapti(2, 0, 8204, 1); mapti(1, 4, 100, 1); mapti(1, 5, 70000, 1); mapi(1, 6, 1); mapi(1, 7, 1);
  words(EVENTS, 64); show("mapped");
  GICR(0) = 1;
  INT(1, 0); show("not enabled"); *config(8192) = 0xa1; INV(1, 0); show("enabled by INV");
  *config(8200) = 0x81; INVALL(1); INT(1, 1); INT(1, 0); show("both"); INT(1, 2); INT(1, 3); INT(1, 30); INT(7, 0); INT(1, 40); show("nowhere");
  ICC_WRITE(ICC_PMR, 0); INT(1, 0); INT(1, 1); show("masked"); CLEAR(1, 1); show("cleared"); ICC_WRITE(ICC_PMR, 0xff); show("unmasked");
  GITS(0x10040) = 0; GITS(0x10040) = 1; show("messages of device 0"); mapd(0, 2, EVENTS + 0x1000, 1); mapti(0, 3, 8210, 3); *config(8210) = 0x21; GITS(0x10040) = 3; show("message"); *(volatile u16 *)(GITS_BASE + 0x10040) = 3; show("half"); GITS(0x10044) = 3; GITS(0x10000) = 3; GITS(0x10040) = 4; show("elsewhere");
  ICC_WRITE(ICC_PMR, 0x30); INT(1, 0); INT(1, 1); GITS(0x10040) = 3; show("only the first"); *config(8200) = 0x11; INV(1, 1); show("another first"); ICC_WRITE(ICC_PMR, 0xff); show("rest");
  ICC_WRITE(ICC_PMR, 0); INT(1, 0); GICR(0) = 0; print("lpis %x ", GICR(0)); ICC_WRITE(ICC_PMR, 0xff); show("off"); GICR(0) = 1; show("on again");
  ICC_WRITE(ICC_PMR, 0); INT(1, 0); DISCARD(1, 0); INT(1, 0); ICC_WRITE(ICC_PMR, 0xff); show("discarded"); words(EVENTS, 16);
  mapti(1, 0, 8192, 1); command(1 | 1UL << 32, 1, 3, 0); words(EVENTS, 16); INT(1, 1); show("moved"); command(1 | 1UL << 32, 1, 2, 0); command(1 | 1UL << 32, 1, 77, 0); INT(1, 1); show("moved nowhere"); words(EVENTS, 16);
  command(14, 0, 0, 1UL << 16); command(14, 0, 0, 0); show("all moved");
  mapc(1, 0, 0); INT(1, 0); show("no collection"); mapc(1, 0, 1); INT(1, 0); show("again"); mapd(1, 0, 0, 0); INT(1, 0); show("no device"); mapd(1, 16, EVENTS, 1); INT(1, 0); show("too large"); mapd(0x10000, 3, EVENTS, 1); mapd(0xffff, 3, EVENTS, 1); show("last device"); words(DEVICES + 0x7fff8, 1); words(DEVICES, 2);
  mapd(1, 4, EVENTS, 1); *(volatile u8 *)(PENDING + 1024) |= 1; show("by hand"); INVALL(1); show("seen");
  command(0, 0, 0, 0); command(0x7f, 0, 0, 0); SYNC(); command(0x25, 0, 0, 0); command(0x29, 0, 0, 0); command(0x2a, 0, 0, 0); show("unknown");
  for (u32 i = 0; i < 200; i++) { INT(1, 0); if (i % 50 == 0) show("round"); }
  show("many"); 
  GITS64(0x88) = 0x2000; show("write pointer outside"); GITS64(0x88) = at; show("back"); GITS64(0x90) = 0x40; print("creadr %lx\n", GITS64(0x90)); GITS64(0x90) = at;
  mapd(1, 4, 0x300000000UL, 1); INT(1, 0); show("stalled"); INT(1, 1); show("still"); GITS(0x88) = (u32)at | 1; print("cwriter %lx creadr %lx\n", GITS64(0x88), GITS64(0x90));
  GITS(0) = 0; GITS64(0x80) = QUEUE | 1UL << 63; at = 0; GITS64(0x88) = 0; GITS64(0x100) = PAGES | 3UL << 62; registers();
  GITS(0) = 1; mapd(1, 4, EVENTS, 1); show("no page"); ((volatile u64 *)PAGES)[0] = DEVICES | 1UL << 63; mapd(1, 4, EVENTS, 1); mapti(1, 9, 8220, 1); *config(8220) = 0xf9; INV(1, 9); INT(1, 9); show("two levels"); words(DEVICES, 4);
  GITS(0) = 0; GITS(0x10040) = 3; show("off"); registers();
  return 0;
}
